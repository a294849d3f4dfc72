//! JSON lines: nothing else on standard output, every line as `docs/events.schema.json` says, the last one the result.

use carvelflux::testing::{
    Body, Cause, CommandResult, Error, ErrorKind, Event, PreviewChange, PreviewResult, Removal, Rotation, SourceResult,
    Stage,
};
use insta::assert_snapshot;
use serde_json::Value;

use crate::script::Script;
use crate::terminal::{piped, unread};

pub(crate) fn trials() -> Vec<(&'static str, fn())> {
    vec![
        ("json::the_stream_is_as_documented", the_stream_is_as_documented),
        ("json::every_line_follows_the_schema", every_line_follows_the_schema),
        ("json::every_kind_of_end_follows_the_schema", every_kind_of_end_follows_the_schema),
        ("json::the_schema_refuses_other_lines", the_schema_refuses_other_lines),
        ("json::causes_and_stages_keep_their_names", causes_and_stages_keep_their_names),
        ("json::a_reader_that_goes_away_ends_the_wait", a_reader_that_goes_away_ends_the_wait),
    ]
}

fn the_stream_is_as_documented() {
    let (exit_code, stdout, stderr) = piped(&["mixed", "json", "details"]);
    assert_eq!(exit_code, 1);
    assert_snapshot!(stderr, @"Error: 3 of 5 deliveries are not ready");
    let (events, result) = stdout.trim_end().rsplit_once('\n').expect("there are several lines");
    assert_snapshot!(events, @r#"
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:00.000Z","kind":"started","deliveries":[{"namespace":"dev","package":"hello-app.default.tap","runCluster":"prod1","targetNamespace":"apps"},{"namespace":"dev","package":"broken-app.default.tap","runCluster":"prod1","targetNamespace":"apps"},{"namespace":"dev","package":"包裹-数据库.default.tap","runCluster":"prod1","targetNamespace":"apps"},{"namespace":"dev","package":"hello-app.default.tap","runCluster":"prod2","targetNamespace":"apps"},{"namespace":"dev","package":"slow-app.default.tap","runCluster":"prod2","targetNamespace":"apps"}]}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:00.300Z","kind":"decided","delivery":{"namespace":"dev","package":"hello-app.default.tap","runCluster":"prod2","targetNamespace":"apps"},"outcome":"unknown","message":"cannot reach run cluster prod2: connection refused","hint":"read the run cluster with your own credential: --run-context prod2=CONTEXT"}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:00.500Z","kind":"detail","message":"asking Flux to look for new commits in GitRepository dev/hello"}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:01.000Z","kind":"changed","delivery":{"namespace":"dev","package":"hello-app.default.tap","runCluster":"prod1","targetNamespace":"apps"},"stage":"packages","message":"Building manifests for revision main@sha1:0123456789abcdef0123456789abcdef01234567 with a timeout of 2m0s"}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:01.500Z","kind":"changed","delivery":{"namespace":"dev","package":"broken-app.default.tap","runCluster":"prod1","targetNamespace":"apps"},"stage":"install","message":"Building manifests for revision main@sha1:0123456789abcdef0123456789abcdef01234567 with a timeout of 2m0s"}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:01.600Z","kind":"changed","delivery":{"namespace":"dev","package":"broken-app.default.tap","runCluster":"prod1","targetNamespace":"apps"},"stage":"install","message":"Building manifests for revision main@sha1:0123456788abcdef0123456788abcdef01234567 with a timeout of 2m0s"}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:02.000Z","kind":"changed","delivery":{"namespace":"dev","package":"包裹-数据库.default.tap","runCluster":"prod1","targetNamespace":"apps"},"stage":"fetch","message":"fetching the bundle"}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:04.000Z","kind":"decided","delivery":{"namespace":"dev","package":"broken-app.default.tap","runCluster":"prod1","targetNamespace":"apps"},"outcome":"failed","stage":"template","cause":"template-failed","cluster":"run","object":"App apps/broken-app.default.tap","message":"ytt: Error: \n- struct field or method not found\n    app.yml:\n      12 | image: #@ data.values.imge\n\n    = found: data.values.image\u001b[2J","hint":"correct the values in params.yaml, or the package's templates, in the GitOps repository"}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:05.000Z","kind":"changed","delivery":{"namespace":"dev","package":"slow-app.default.tap","runCluster":"prod2","targetNamespace":"apps"},"stage":"deploy","message":"[0/3 done]","progress":{"done":0,"total":3}}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:06.000Z","kind":"notice","message":"cannot watch apps on run cluster prod1: 503\u202e; trying again"}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:06.500Z","kind":"notice","message":"cannot watch apps on run cluster prod1: 503\u202e; trying again"}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:09.000Z","kind":"decided","delivery":{"namespace":"dev","package":"hello-app.default.tap","runCluster":"prod1","targetNamespace":"apps"},"outcome":"ready","version":"1.2.0"}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:12.000Z","kind":"changed","delivery":{"namespace":"dev","package":"slow-app.default.tap","runCluster":"prod2","targetNamespace":"apps"},"stage":"deploy","message":"[2/3 done] waiting on deployment/hello (apps/v1) namespace: apps","progress":{"done":2,"total":3}}
    {"schema":"carvelflux.events/v1","time":"2026-11-22T10:02:06.000Z","kind":"decided","delivery":{"namespace":"dev","package":"包裹-数据库.default.tap","runCluster":"prod1","targetNamespace":"apps"},"outcome":"ready","version":"3.0.0+构建"}
    "#);
    // Only the result is written with the real time.
    let mut result: Value = serde_json::from_str(result).expect("it is JSON");
    result["time"] = "(now)".into();
    assert_snapshot!(serde_json::to_string_pretty(&result).expect("it is JSON"), @r#"
    {
      "schema": "carvelflux.events/v1",
      "time": "(now)",
      "kind": "result",
      "outcome": "failed",
      "exitCode": 1,
      "deliveries": [
        {
          "delivery": {
            "namespace": "dev",
            "package": "hello-app.default.tap",
            "runCluster": "prod1",
            "targetNamespace": "apps"
          },
          "outcome": "ready",
          "version": "1.2.0"
        },
        {
          "delivery": {
            "namespace": "dev",
            "package": "broken-app.default.tap",
            "runCluster": "prod1",
            "targetNamespace": "apps"
          },
          "outcome": "failed",
          "stage": "template",
          "cause": "template-failed",
          "cluster": "run",
          "object": "App apps/broken-app.default.tap",
          "message": "ytt: Error: \n- struct field or method not found\n    app.yml:\n      12 | image: #@ data.values.imge\n\n    = found: data.values.image\u001b[2J",
          "hint": "correct the values in params.yaml, or the package's templates, in the GitOps repository"
        },
        {
          "delivery": {
            "namespace": "dev",
            "package": "包裹-数据库.default.tap",
            "runCluster": "prod1",
            "targetNamespace": "apps"
          },
          "outcome": "ready",
          "version": "3.0.0+构建"
        },
        {
          "delivery": {
            "namespace": "dev",
            "package": "hello-app.default.tap",
            "runCluster": "prod2",
            "targetNamespace": "apps"
          },
          "outcome": "unknown",
          "message": "cannot reach run cluster prod2: connection refused",
          "hint": "read the run cluster with your own credential: --run-context prod2=CONTEXT"
        },
        {
          "delivery": {
            "namespace": "dev",
            "package": "slow-app.default.tap",
            "runCluster": "prod2",
            "targetNamespace": "apps"
          },
          "outcome": "pending",
          "stage": "deploy",
          "message": "[2/3 done] waiting on deployment/hello (apps/v1) namespace: apps",
          "hint": "kubectl carvelflux wait -n dev --package slow-app.default.tap --run-cluster prod2 --timeout 30m"
        }
      ]
    }
    "#);
}

fn every_line_follows_the_schema() {
    let validator = validator();
    let mut lines = String::new();
    for (script, expected) in [("mixed", 1), ("ready", 0), ("timeout", 3), ("thirty", 1)] {
        let (exit_code, stdout, _) = piped(&[script, "json", "details"]);
        assert_eq!(exit_code, expected, "{script}");
        let last: Value = serde_json::from_str(stdout.lines().last().unwrap_or_default()).expect("it is JSON");
        assert_eq!((&last["kind"], &last["exitCode"]), (&"result".into(), &expected.into()), "{script}");
        lines.push_str(&stdout);
    }
    let mut kinds: Vec<String> = Vec::new();
    for line in lines.lines() {
        let event = valid(&validator, line);
        kinds.push(event["kind"].as_str().unwrap_or_default().to_owned());
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["changed", "decided", "detail", "notice", "result", "started"]);
}

fn every_kind_of_end_follows_the_schema() {
    let validator = validator();
    let usage = Error::usage("bad flag").because("a reason").hint("a hint");
    let several = Error::several(ErrorKind::Failed, "2 checks failed", vec![usage.clone(), Error::new("no source")]);
    let source = SourceResult {
        namespace: "dev".to_owned(),
        package: "hello-app.default.tap".to_owned(),
        revision: "main@sha1:0123456789abcdef0123456789abcdef01234567".to_owned(),
    };
    let deliveries = Script::named("mixed").deliveries;
    let removal = Removal::new("dev", "prod1", &deliveries, true, vec!["b stays".to_owned()], vec!["c".to_owned()]);
    let expires = Some("2026-11-23T10:00:00Z".to_owned());
    let rotations = vec![
        Rotation::done("dev", "prod1", expires, vec!["Kustomization dev/hello".to_owned()]),
        Rotation::done("dev", "prod2", None, Vec::new()),
        Rotation::failed("dev", "prod3", &usage),
    ];
    let preview = PreviewResult {
        changes: vec![PreviewChange {
            place: "the build cluster".to_owned(),
            action: "update",
            name: "Kustomization dev/hello".to_owned(),
            details: vec!["spec.path".to_owned()],
        }],
        unchanged: 3,
        unknown: vec!["depends on Namespace apps, which is made first: Role apps/hello".to_owned()],
        diff: Some("--- a\n+++ b\n".to_owned()),
        files: vec!["exported/build.yaml".to_owned()],
        left_out: vec!["Secret dev/prod1-kubeconfig".to_owned()],
    };
    for (body, part) in [
        (previewed("different", 1, preview.clone()), "/preview/changes/0/details/0"),
        (previewed("exported", 0, preview), "/preview/leftOut/0"),
        (previewed("same", 0, PreviewResult::default()), "/preview/unchanged"),
        (Body::error(&usage.clone().of_diff()), "/exitCode"),
        (Body::error(&Error::new("no cluster").of_diff()), "/exitCode"),
        (Body::error(&usage), "/reason"),
        (Body::error(&several), "/failures/1/message"),
        (result("ready", 0, Some(source), None, Vec::new()), "/source/revision"),
        (result("removed", 0, None, Some(removal), Vec::new()), "/removal/deliveries/4/targetNamespace"),
        (result("failed", 1, None, None, rotations), "/rotations/2/failure/hints/0"),
        (result("rotated", 0, None, None, vec![Rotation::done("dev", "prod1", None, Vec::new())]), "/rotations/0"),
    ] {
        let mut line = Vec::new();
        Event::new(jiff::Timestamp::now(), body).write(&mut line).expect("a Vec takes all");
        let event = valid(&validator, &String::from_utf8(line).expect("it is UTF-8"));
        assert!(event.pointer(part).is_some(), "no {part} in {event}");
    }
}

fn result(
    outcome: &'static str,
    exit_code: u8,
    source: Option<SourceResult>,
    removal: Option<Removal>,
    rotations: Vec<Rotation>,
) -> Body {
    Body::Result(CommandResult { outcome, exit_code, source, removal, rotations, ..CommandResult::default() })
}

fn previewed(outcome: &'static str, exit_code: u8, preview: PreviewResult) -> Body {
    let preview = Some(Box::new(preview));
    Body::Result(CommandResult { outcome, exit_code, preview, ..CommandResult::default() })
}

fn the_schema_refuses_other_lines() {
    let validator = validator();
    for line in [
        r#"{"schema":"carvelflux.events/v2","time":"2026-11-22T10:00:00.000Z","kind":"notice","message":"a"}"#,
        r#"{"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:00.000Z","kind":"notice"}"#,
        r#"{"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:00.000Z","kind":"changed","message":"a"}"#,
        r#"{"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:00.000Z","kind":"result","outcome":"fine","exitCode":0,"deliveries":[]}"#,
        r#"{"schema":"carvelflux.events/v1","time":"2026-11-22T10:00:00.000Z","kind":"result","outcome":"removed","exitCode":0,"deliveries":[],"removal":{"runCluster":"prod1"}}"#,
    ] {
        let event: Value = serde_json::from_str(line).expect("it is JSON");
        assert!(!validator.is_valid(&event), "{line}");
    }
}

fn causes_and_stages_keep_their_names() {
    let name = |value: Result<Value, serde_json::Error>| value.expect("it is JSON").as_str().map(str::to_owned);
    let documented = std::fs::read_to_string("docs/events.md").expect("the document is there");
    for (cause, expected) in [
        (Cause::SourceNotFetched, "source-not-fetched"),
        (Cause::Suspended, "suspended"),
        (Cause::NotObserved, "not-observed"),
        (Cause::NoDirectory, "no-directory"),
        (Cause::BuildFailed, "build-failed"),
        (Cause::NotApplied, "not-applied"),
        (Cause::DependencyFailed, "dependency-failed"),
        (Cause::NoCredential, "no-credential"),
        (Cause::CredentialRefused, "credential-refused"),
        (Cause::FeatureDisabled, "feature-disabled"),
        (Cause::CertificateRefused, "certificate-refused"),
        (Cause::RunClusterUnreachable, "run-cluster-unreachable"),
        (Cause::NoNamespace, "no-namespace"),
        (Cause::KappControllerUnavailable, "kapp-controller-unavailable"),
        (Cause::Paused, "paused"),
        (Cause::ManuallyControlled, "manually-controlled"),
        (Cause::NoVersionMatches, "no-version-matches"),
        (Cause::InvalidConstraints, "invalid-constraints"),
        (Cause::DowngradeRefused, "downgrade-refused"),
        (Cause::InstallRejected, "install-rejected"),
        (Cause::FetchFailed, "fetch-failed"),
        (Cause::NoValuesSecret, "no-values-secret"),
        (Cause::TemplateFailed, "template-failed"),
        (Cause::DeployFailed, "deploy-failed"),
        (Cause::OwnershipConflict, "ownership-conflict"),
        (Cause::ApiUnavailable, "api-unavailable"),
        (Cause::AdmissionDenied, "admission-denied"),
        (Cause::Forbidden, "forbidden"),
        (Cause::NoServiceAccount, "no-service-account"),
        (Cause::DeleteFailed, "delete-failed"),
    ] {
        assert_eq!(name(serde_json::to_value(cause)).as_deref(), Some(expected));
        assert!(documented.contains(&format!("`{expected}`")), "{expected} is not in docs/events.md");
    }
    for stage in [Stage::Source, Stage::Packages, Stage::Install, Stage::Fetch, Stage::Template, Stage::Deploy] {
        assert_eq!(name(serde_json::to_value(stage)).as_deref(), Some(stage.name()));
    }
}

fn a_reader_that_goes_away_ends_the_wait() {
    // Nothing is decided yet, so this must not look like success to a pipeline.
    assert_eq!(unread(&["mixed", "json", "stdin"]), (141, String::new()));
}

/// Reads a line that the schema must accept.
fn valid(validator: &jsonschema::Validator, line: &str) -> Value {
    let event: Value = serde_json::from_str(line).expect("it is JSON");
    let problems: Vec<String> = validator.iter_errors(&event).map(|problem| problem.to_string()).collect();
    assert_eq!(problems, [] as [String; 0], "{line}");
    event
}

fn validator() -> jsonschema::Validator {
    let schema = std::fs::read_to_string("docs/events.schema.json").expect("the schema is there");
    let schema: Value = serde_json::from_str(&schema).expect("the schema is JSON");
    assert!(jsonschema::meta::is_valid(&schema), "the schema is no JSON Schema");
    jsonschema::validator_for(&schema).expect("the schema can be used")
}
