//! A log: a line per change, a heartbeat a minute, and what is said at the end.

use carvelflux::testing::{Lines, Verbosity};
use insta::assert_snapshot;

use crate::script::{Script, clock};
use crate::terminal::{piped, unread};

pub(crate) fn trials() -> Vec<(&'static str, fn())> {
    vec![
        ("lines::a_log_has_what_matters", a_log_has_what_matters),
        ("lines::many_deliveries_do_not_make_many_lines", many_deliveries_do_not_make_many_lines),
        ("lines::full_words_are_kept_on_request", full_words_are_kept_on_request),
        ("lines::a_heartbeat_names_some_and_counts_the_rest", a_heartbeat_names_some_and_counts_the_rest),
        ("lines::the_end_explains_what_is_not_ready", the_end_explains_what_is_not_ready),
        ("lines::quiet_leaves_results_and_errors", quiet_leaves_results_and_errors),
        ("lines::a_reader_that_goes_away_hides_no_failure", a_reader_that_goes_away_hides_no_failure),
    ]
}

fn log(script: &str, verbosity: Verbosity) -> String {
    let mut output = Vec::new();
    let (clock, milliseconds) = clock();
    let mut lines = Lines::new(&mut output, clock, verbosity);
    Script::named(script).play(&mut lines, &milliseconds).expect("a log does not fail");
    drop(lines);
    String::from_utf8(output).expect("it is UTF-8")
}

fn a_log_has_what_matters() {
    assert_snapshot!(log("mixed", Verbosity::Normal), @r#"
       0s  waiting for 5 deliveries
       0s  ✗ hello-app.default.tap on prod2  unknown: cannot reach run cluster prod2: connection refused
       4s  hello-app.default.tap on prod1  packages: building manifests
       4s  ✗ broken-app.default.tap on prod1  failed in template: ytt: Error: - struct field or method not found
       5s  包裹-数据库.default.tap on prod1  fetch: fetching the bundle
       6s  cannot watch apps on run cluster prod1: 503\u{202e}; trying again
       9s  slow-app.default.tap on prod2  deploy: [0/3 done]
       9s  ✔ hello-app.default.tap on prod1  ready: 1.2.0
    1m01s  3/5 decided, still waiting for 包裹-数据库.default.tap on prod1 (fetch: fetching the bundle), slow-app.default.tap on prod2 (deploy: [2/3 done] waiting on deployment/hello)
    2m05s  3/5 decided, still waiting for 包裹-数据库.default.tap on prod1 (fetch: fetching the bundle), slow-app.default.tap on prod2 (deploy: [2/3 done] waiting on deployment/hello)
    2m06s  ✔ 包裹-数据库.default.tap on prod1  ready: 3.0.0+构建
    "#);
}

fn many_deliveries_do_not_make_many_lines() {
    let log = log("thousand", Verbosity::Normal);
    assert_snapshot!(log, @r#"
       0s  waiting for 1000 deliveries
      10s  ✔ 90 deliveries  ready: app-0.default.tap on prod1, app-1.default.tap on prod1, app-2.default.tap on prod1, app-4.default.tap on prod1, app-5.default.tap on prod1, app-6.default.tap on prod1, app-7.default.tap on prod1, app-8.default.tap on prod1, app-9.default.tap on prod1, app-0.default.tap on prod2 and 80 more
      10s  ✗ 10 deliveries  failed in fetch: registry.example: no such bundle: app-3.default.tap on prod1, prod2, prod3, prod4, prod5, prod6, prod7, prod8, prod9, prod10
      10s  900 deliveries  install: app-0.default.tap on prod11, app-1.default.tap on prod11, app-2.default.tap on prod11, app-3.default.tap on prod11, app-4.default.tap on prod11, app-5.default.tap on prod11, app-6.default.tap on prod11, app-7.default.tap on prod11, app-8.default.tap on prod11, app-9.default.tap on prod11 and 890 more
      20s  ✔ 150 deliveries  ready: app-0.default.tap on prod11, app-1.default.tap on prod11, app-2.default.tap on prod11, app-4.default.tap on prod11, app-5.default.tap on prod11, app-6.default.tap on prod11, app-7.default.tap on prod11, app-8.default.tap on prod11, app-9.default.tap on prod11, app-0.default.tap on prod12 and 140 more
      20s  ✗ 17 deliveries  failed in fetch: registry.example: no such bundle: app-3.default.tap on prod11, prod12, prod13, prod14, prod15, prod16, prod17, prod18, prod19, prod20 and 7 more
      30s  ✔ 150 deliveries  ready: app-7.default.tap on prod27, app-8.default.tap on prod27, app-9.default.tap on prod27, app-0.default.tap on prod28, app-1.default.tap on prod28, app-2.default.tap on prod28, app-4.default.tap on prod28, app-5.default.tap on prod28, app-6.default.tap on prod28, app-7.default.tap on prod28 and 140 more
      30s  ✗ 17 deliveries  failed in fetch: registry.example: no such bundle: app-3.default.tap on prod28, prod29, prod30, prod31, prod32, prod33, prod34, prod35, prod36, prod37 and 7 more
      40s  ✔ 150 deliveries  ready: app-4.default.tap on prod44, app-5.default.tap on prod44, app-6.default.tap on prod44, app-7.default.tap on prod44, app-8.default.tap on prod44, app-9.default.tap on prod44, app-0.default.tap on prod45, app-1.default.tap on prod45, app-2.default.tap on prod45, app-4.default.tap on prod45 and 140 more
      40s  ✗ 16 deliveries  failed in fetch: registry.example: no such bundle: app-3.default.tap on prod45, prod46, prod47, prod48, prod49, prod50, prod51, prod52, prod53, prod54 and 6 more
      50s  ✔ 150 deliveries  ready: app-0.default.tap on prod61, app-1.default.tap on prod61, app-2.default.tap on prod61, app-4.default.tap on prod61, app-5.default.tap on prod61, app-6.default.tap on prod61, app-7.default.tap on prod61, app-8.default.tap on prod61, app-9.default.tap on prod61, app-0.default.tap on prod62 and 140 more
      50s  ✗ 17 deliveries  failed in fetch: registry.example: no such bundle: app-3.default.tap on prod61, prod62, prod63, prod64, prod65, prod66, prod67, prod68, prod69, prod70 and 7 more
    1m00s  ✔ 150 deliveries  ready: app-7.default.tap on prod77, app-8.default.tap on prod77, app-9.default.tap on prod77, app-0.default.tap on prod78, app-1.default.tap on prod78, app-2.default.tap on prod78, app-4.default.tap on prod78, app-5.default.tap on prod78, app-6.default.tap on prod78, app-7.default.tap on prod78 and 140 more
    1m00s  ✗ 17 deliveries  failed in fetch: registry.example: no such bundle: app-3.default.tap on prod78, prod79, prod80, prod81, prod82, prod83, prod84, prod85, prod86, prod87 and 7 more
    1m00s  934/1000 decided, still waiting for app-4.default.tap on prod94 (install), app-5.default.tap on prod94 (install), app-6.default.tap on prod94 (install), app-7.default.tap on prod94 (install), app-8.default.tap on prod94 (install), app-9.default.tap on prod94 (install), app-0.default.tap on prod95 (install), app-1.default.tap on prod95 (install), app-2.default.tap on prod95 (install), app-3.default.tap on prod95 (install) and 56 more
    1m03s  ✔ 60 deliveries  ready: app-4.default.tap on prod94, app-5.default.tap on prod94, app-6.default.tap on prod94, app-7.default.tap on prod94, app-8.default.tap on prod94, app-9.default.tap on prod94, app-0.default.tap on prod95, app-1.default.tap on prod95, app-2.default.tap on prod95, app-4.default.tap on prod95 and 50 more
    1m03s  ✗ 6 deliveries  failed in fetch: registry.example: no such bundle: app-3.default.tap on prod95, prod96, prod97, prod98, prod99, prod100
    "#);
}

fn full_words_are_kept_on_request() {
    let full = log("early", Verbosity::Everything);
    assert!(full.contains("packages: Building manifests for revision main@sha1:0123456789abcdef0123456789"), "{full}");
    assert!(full.contains("asking Flux to look for new commits"), "{full}");
    let details = log("early", Verbosity::Details);
    assert!(details.contains("packages: building manifests\n") && details.contains("asking Flux"), "{details}");
}

fn a_heartbeat_names_some_and_counts_the_rest() {
    let log = log("thirty", Verbosity::Normal);
    assert_snapshot!(log.lines().last().unwrap_or_default(), @" 1m00s  7/30 decided, still waiting for app-01.default.tap on prod1 (deploy), app-02.default.tap on prod1 (deploy), app-03.default.tap on prod1 (deploy), app-04.default.tap on prod1 (deploy), app-06.default.tap on prod1 (deploy), app-07.default.tap on prod1 (deploy), app-08.default.tap on prod1 (deploy), app-09.default.tap on prod1 (deploy), app-11.default.tap on prod2 (deploy), app-12.default.tap on prod2 (deploy) and 13 more");
}

fn the_end_explains_what_is_not_ready() {
    let (exit_code, stdout, stderr) = piped(&["mixed"]);
    assert_eq!(exit_code, 1);
    assert_snapshot!(stdout, @"
    hello-app.default.tap on prod1  ready  1.2.0
    broken-app.default.tap on prod1  failed  template
    包裹-数据库.default.tap on prod1  ready  3.0.0+构建
    hello-app.default.tap on prod2  unknown
    slow-app.default.tap on prod2  pending  deploy
    ");
    let explained = stderr.find('✗').and_then(|_| stderr.find("\n✗")).map(|at| &stderr[at..]).unwrap_or_default();
    assert_snapshot!(explained, @r#"
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
      Hint:      kubectl carvelflux wait -n dev --package slow-app.default.tap --run-cluster prod2 --timeout 30m
    Error: 3 of 5 deliveries are not ready
    "#);
}

fn quiet_leaves_results_and_errors() {
    assert_eq!(
        piped(&["ready", "quiet"]),
        (0, "hello-app.default.tap on prod1  ready  1.2.0\n".to_owned(), String::new())
    );
    let (exit_code, stdout, stderr) = piped(&["timeout", "quiet"]);
    assert_eq!((exit_code, stdout.as_str()), (3, "slow-app.default.tap on prod1  pending  deploy\n"));
    assert_snapshot!(stderr, @"
    ✗ slow-app.default.tap on prod1  not ready in time, still in deploy
      Where:     namespace apps on run cluster prod1
      Caused by: [2/3 done] waiting on deployment/hello (apps/v1) namespace: apps
      Hint:      kubectl carvelflux wait -n dev --package slow-app.default.tap --run-cluster prod1 --timeout 30m
    Error: 1 of 1 delivery is not ready in time
    ");
}

fn a_reader_that_goes_away_hides_no_failure() {
    assert_eq!(unread(&["ready", "quiet", "stdin"]), (141, String::new()));
    let (exit_code, stderr) = unread(&["timeout", "quiet", "stdin"]);
    assert_eq!(exit_code, 3);
    assert!(stderr.ends_with("Error: 1 of 1 delivery is not ready in time\n"), "{stderr}");
}
