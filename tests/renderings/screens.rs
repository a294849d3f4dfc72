//! Bars on real terminals of several sizes, and what is left on them.

use insta::assert_snapshot;

use crate::terminal::{Left, Terminal};

pub(crate) fn trials() -> Vec<(&'static str, fn())> {
    vec![
        ("screens::bars_stand_under_their_run_cluster", bars_stand_under_their_run_cluster),
        ("screens::a_narrow_screen_wraps_nothing", a_narrow_screen_wraps_nothing),
        ("screens::never_more_rows_than_the_screen", never_more_rows_than_the_screen),
        ("screens::another_size_is_noticed", another_size_is_noticed),
        ("screens::the_end_clears_the_bars_and_explains", the_end_clears_the_bars_and_explains),
        ("screens::an_interrupted_screen_stays_in_order", an_interrupted_screen_stays_in_order),
        ("screens::a_dumb_terminal_gets_lines", a_dumb_terminal_gets_lines),
        ("screens::no_color_means_none", no_color_means_none),
    ]
}

/// Shows a script as far as it goes, and leaves.
fn held(size: (u16, u16), script: &str, end: &str) -> String {
    let mut terminal = Terminal::start(size, &[script, "hold"], &[]);
    let screen = terminal.wait_for(end);
    terminal.interrupt();
    assert_in_order(&terminal.end());
    screen
}

fn assert_in_order(left: &Left) {
    assert!(left.is_cursor_visible, "the cursor is hidden:\n{}", left.screen);
    assert_eq!(left.cursor_column, 0, "the last line is not complete:\n{}", left.screen);
}

fn bars_stand_under_their_run_cluster() {
    assert_snapshot!(held((24, 100), "early", "decided  12s  1 failed, 1 unknown"), @r#"
    cannot watch apps on run cluster prod1: 503\u{202e}; trying again
    prod1
      ✔ hello-app.default.tap    [######] ready        9s  1.2.0
      ✗ broken-app.default.tap   [####!-] failed       4s  ytt: Error: - struct field or method not fou…
      ⠋ 包裹-数据库.default.tap  [###---] fetch       10s  fetching the bundle
    prod2
      ? hello-app.default.tap    [?-----] unknown      0s  cannot reach run cluster prod2: connection r…
      ⠋ slow-app.default.tap     [#####-] deploy       7s  [2/3 done] waiting on deployment/hello
    [############--------] 3/5 decided  12s  1 failed, 1 unknown
    "#);
}

fn a_narrow_screen_wraps_nothing() {
    assert_snapshot!(held((24, 40), "early", "decided  12s  1 failed…"), @r#"
    cannot watch apps on run cluster prod1:
    503\u{202e}; trying again
    prod1
      ✔ hello-app.default.…  ready        9s
      ✗ broken-app.default…  failed       4s
      ⠋ 包裹-数据库.defaul…  fetch       10s
    prod2
      ? hello-app.default.…  unknown      0s
      ⠋ slow-app.default.t…  deploy       7s
    [######----] 3/5 decided  12s  1 failed…
    "#);
}

fn never_more_rows_than_the_screen() {
    assert_snapshot!(held((10, 80), "thirty", "decided  1m00s  2 failed"), @"
    prod1
      ⠋ app-01.default.tap  [#####-] deploy      58s  [1/4 done] waiting on deploym…
      ⠋ app-02.default.tap  [#####-] deploy      58s  [1/4 done] waiting on deploym…
    prod2
      ✗ app-17.default.tap  [###!--] failed       2s  registry.example: no such bun…
    prod3
      ✗ app-25.default.tap  [###!--] failed       3s  registry.example: no such bun…
    … and 26 more: 21 unfinished, 5 ready
    [####----------------] 7/30 decided  1m00s  2 failed
    ");
}

fn another_size_is_noticed() {
    let mut terminal = Terminal::start((10, 80), &["thirty", "hold"], &[]);
    terminal.wait_for("7/30 decided  1m00s  2 failed");
    terminal.resize(6, 50);
    assert_snapshot!(terminal.wait_for("[##----------] 7/30 decided  1m00s  2 failed"), @"
    prod2
      ✗ app-17.default.…  failed       2s  registry.e…
    … and 29 more: 1 failed, 23 unfinished, 5 ready
    [##----------] 7/30 decided  1m00s  2 failed
    ");
    terminal.resize(14, 60);
    assert_snapshot!(terminal.wait_for("[###------------] 7/30 decided  1m00s  2 failed"), @"
    prod1
      ⠋ app-01.default.tap  [#####-] deploy      58s  [1/4 done…
      ⠋ app-02.default.tap  [#####-] deploy      58s  [1/4 done…
      ⠋ app-03.default.tap  [#####-] deploy      58s  [1/4 done…
      ⠋ app-04.default.tap  [#####-] deploy      58s  [1/4 done…
      ⠋ app-06.default.tap  [#####-] deploy      58s  [1/4 done…
      ⠋ app-07.default.tap  [#####-] deploy      58s  [1/4 done…
    prod2
      ✗ app-17.default.tap  [###!--] failed       2s  registry.…
    prod3
      ✗ app-25.default.tap  [###!--] failed       3s  registry.…
    … and 22 more: 17 unfinished, 5 ready
    [###------------] 7/30 decided  1m00s  2 failed
    ");
    terminal.interrupt();
    assert_in_order(&terminal.end());
}

fn the_end_clears_the_bars_and_explains() {
    let left = Terminal::start((40, 100), &["mixed"], &[]).end();
    assert_in_order(&left);
    assert_eq!(left.exit_code, 1);
    assert_snapshot!(left.screen, @r#"
    cannot watch apps on run cluster prod1: 503\u{202e}; trying again
    hello-app.default.tap on prod1  ready  1.2.0
    broken-app.default.tap on prod1  failed  template
    包裹-数据库.default.tap on prod1  ready  3.0.0+构建
    hello-app.default.tap on prod2  unknown
    slow-app.default.tap on prod2  pending  deploy

    ✗ broken-app.default.tap on prod1  failed in template
      Where:     App apps/broken-app.default.tap on run cluster prod1
      Caused by: ytt: Error:
                 - struct field or method not found
                     app.yml:
                       12 | image: #@ data.values.imge
                     = found: data.values.image\u{1b}[2J
      Hint:      correct the values in params.yaml, or the package's templates, in the GitOps repository

    ✗ hello-app.default.tap on prod2  unknown
      Where:     namespace apps on run cluster prod2
      Caused by: cannot reach run cluster prod2: connection refused
      Hint:      read the run cluster with your own credential: --run-context prod2=CONTEXT

    ✗ slow-app.default.tap on prod2  not ready in time, still in deploy
      Where:     namespace apps on run cluster prod2
      Caused by: [2/3 done] waiting on deployment/hello (apps/v1) namespace: apps
      Hint:      kubectl carvelflux wait -n dev --package slow-app.default.tap --run-cluster prod2 --tim
    eout 30m
    Error: 3 of 5 deliveries are not ready
    "#);
}

fn an_interrupted_screen_stays_in_order() {
    let mut terminal = Terminal::start((24, 80), &["early", "hold"], &[]);
    terminal.wait_for("decided  12s  1 failed, 1 unknown");
    terminal.interrupt();
    let left = terminal.end();
    assert_in_order(&left);
    assert_eq!(left.exit_code, 130);
    assert_snapshot!(left.screen, @r#"
    cannot watch apps on run cluster prod1: 503\u{202e}; trying again
    prod1
      ✔ hello-app.default.tap    [######] ready        9s  1.2.0
      ✗ broken-app.default.tap   [####!-] failed       4s  ytt: Error: - struct fie…
      ⠋ 包裹-数据库.default.tap  [###---] fetch       10s  fetching the bundle
    prod2
      ? hello-app.default.tap    [?-----] unknown      0s  cannot reach run cluster…
      ⠋ slow-app.default.tap     [#####-] deploy       7s  [2/3 done] waiting on de…
    [############--------] 3/5 decided  12s  1 failed, 1 unknown
    ^C
    Error: interrupted; what was done stays
      Hint: the same command completes the rest
    "#);
}

fn a_dumb_terminal_gets_lines() {
    let left = Terminal::start((24, 80), &["ready"], &[("TERM", "dumb")]).end();
    assert_in_order(&left);
    assert!(!left.raw.contains('\u{1b}'), "{:?}", left.raw);
    assert_snapshot!(left.screen, @"
        0s  waiting for 1 delivery
        2s  ✔ hello-app.default.tap on prod1  ready: 1.2.0
    hello-app.default.tap on prod1  ready  1.2.0
    ");
}

fn no_color_means_none() {
    let has_color = |left: &Left| left.raw.contains("\u{1b}[3") || left.raw.contains("\u{1b}[1m");
    assert!(has_color(&Terminal::start((24, 80), &["mixed"], &[]).end()));
    let left = Terminal::start((24, 80), &["mixed"], &[("NO_COLOR", "1")]).end();
    assert!(!has_color(&left), "{:?}", left.raw);
    assert_in_order(&left);
}
