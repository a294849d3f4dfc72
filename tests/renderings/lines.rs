//! A log: a line per change, a heartbeat a minute, and what is said at the end.

use carvelflux::testing::{Lines, Verbosity};
use insta::assert_snapshot;

use crate::script::{Script, clock};
use crate::terminal::{piped, unread};

pub(crate) fn trials() -> Vec<(&'static str, fn())> {
    vec![
        ("lines::a_log_has_a_line_per_change", a_log_has_a_line_per_change),
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

fn a_log_has_a_line_per_change() {
    assert_snapshot!(log("mixed", Verbosity::Normal), @r#"
       0s  waiting for 5 deliveries
       0s  ✗ hello-app.default.tap on prod2  unknown: cannot reach run cluster prod2: connection refused
       1s  hello-app.default.tap on prod1  packages: building manifests
       1s  broken-app.default.tap on prod1  install: building manifests
       2s  包裹-数据库.default.tap on prod1  fetch: fetching the bundle
       4s  ✗ broken-app.default.tap on prod1  failed in template: ytt: Error: - struct field or method not found
       5s  slow-app.default.tap on prod2  deploy: [0/3 done]
       6s  cannot watch apps on run cluster prod1: 503\u{202e}; trying again
       9s  ✔ hello-app.default.tap on prod1  ready: 1.2.0
      12s  slow-app.default.tap on prod2  deploy: [2/3 done] waiting on deployment/hello
    1m01s  3/5 decided, still waiting for 包裹-数据库.default.tap on prod1 (fetch), slow-app.default.tap on prod2 (deploy)
    2m05s  3/5 decided, still waiting for 包裹-数据库.default.tap on prod1 (fetch), slow-app.default.tap on prod2 (deploy)
    2m06s  ✔ 包裹-数据库.default.tap on prod1  ready: 3.0.0+构建
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
