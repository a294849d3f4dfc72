//! `check`: what holds, what does not, and warnings, for clusters that were added already.

use serde_json::{Value, json};
use testbed::Testbed;

use crate::Test;
use crate::support::{INSTALLS, Output, PACKAGE, User, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("check::clusters_that_were_added", added),
    ("check::a_credential_that_is_dead_or_may_do_too_little", bad_credentials),
    ("check::an_unreachable_run_cluster_hides_nothing", unreachable),
    ("check::before_anything_was_added", nothing_added),
    ("check::the_end_of_a_credential", end_of_a_credential),
];

fn document(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error} in {output}"))
}

/// Returns the checks of a run cluster; of the build cluster where there is no name.
fn checks<'a>(document: &'a Value, run_cluster: Option<&str>) -> &'a Vec<Value> {
    let clusters = document["clusters"].as_array().expect("clusters");
    let cluster = clusters.iter().find(|cluster| cluster["runCluster"].as_str() == run_cluster);
    cluster.unwrap_or_else(|| panic!("{run_cluster:?} is missing in {document:#}"))["checks"]
        .as_array()
        .expect("checks")
}

fn check<'a>(document: &'a Value, run_cluster: Option<&str>, name: &str) -> &'a Value {
    let checks = checks(document, run_cluster);
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("`{name}` is missing in {document:#}"))
}

fn added(testbed: &Testbed) {
    let user = User::new(testbed, "checked");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let target = user.workspace.target_namespace();
    let text = user.run(&["check"]).expect_code(0);
    let text = text
        .says("The build cluster (context `build`)")
        .says("✔ Flux: GitRepository v1, Kustomization v1")
        .says("✔ Flux's capacity")
        .says("✔ credential: token, stored")
        .says("does not expire")
        .says("✔ kapp-controller")
        .says(&format!("✔ what Flux may do in namespace {target}"))
        .says(&format!("as system:serviceaccount:{target}:"))
        .says(" 0 failed");
    assert!(!text.stdout.contains('✗') && !text.stdout.contains("eyJ"), "{text}");

    let uid = testbed.kubectl("prod1", &["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"]);
    user.build(&["create", "secret", "generic", "stage1-kubeconfig"]);
    let annotation = format!("carvelflux.dev/run-cluster-uid={}", uid.expect("kubectl"));
    user.build(&["annotate", "secret", "stage1-kubeconfig", &annotation]);
    user.build(&["patch", "kustomization", INSTALLS, "--type=merge", "-p", r#"{"spec": {"suspend": true}}"#]);
    let output = user.run(&["check", "prod1", "-o", "json"]).expect_code(0);
    let document = document(&output);
    assert_eq!((&document["schema"], &document["outcome"]), (&json!("carvelflux.check/v1"), &json!("passed")));
    let suspended =
        check(&document, Some("prod1"), &format!("Kustomization {}/{INSTALLS}", user.workspace.build_namespace()));
    assert_eq!(suspended["outcome"], "warning");
    assert_eq!(check(&document, Some("prod1"), "names of the run cluster")["outcome"], "warning");
    user.run(&["check", "-o", "yaml"]).says("schema: carvelflux.check/v1");
    user.run(&["check", "prod9"]).expect_code(2).says("there is no delivery to prod9");
    for command in ["check", "status", "wait"] {
        let output = user.run(&[command, "--run-context", "prod9=prod1"]).expect_code(2);
        output.says("there is no delivery to prod9").says(&format!("there are deliveries of {PACKAGE}; to prod1"));
    }
}

fn bad_credentials(testbed: &Testbed) {
    let user = User::new(testbed, "dead");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let deployer = format!("{build}-prod1-deployer");
    // The Role stays; without its binding, nothing is allowed.
    user.target(&["delete", "rolebinding", &deployer]);
    let access = format!("what Flux may do in namespace {target}");
    let output = user.run(&["check", "-o", "json"]).expect_code(1);
    let found = document(&output);
    assert_eq!(check(&found, Some("prod1"), &access)["outcome"], "failed");
    assert_eq!(check(&found, Some("prod1"), "connection")["outcome"], "passed");
    assert!(
        check(&found, Some("prod1"), &access)["hints"][0]
            .as_str()
            .is_some_and(|hint| hint.contains("add-cluster prod1"))
    );
    assert_eq!(found["outcome"], "failed");

    let old = "2020-01-01T00:00:00Z";
    user.build(&["annotate", "secret", "prod1-kubeconfig", &format!("carvelflux.dev/expires={old}")]);
    user.target(&["delete", "serviceaccount", &deployer]);
    let output = eventually("the credential's death", || {
        let output = user.run(&["check", "-o", "json"]);
        let document = document(&output);
        (check(&document, Some("prod1"), "connection")["outcome"] == "failed").then_some(output)
    });
    let output = output.expect_code(1);
    let found = document(&output);
    let credential = check(&found, Some("prod1"), "credential");
    assert_eq!(credential["outcome"], "failed");
    assert!(credential["message"].as_str().is_some_and(|message| message.contains("expired")), "{credential}");
    assert!(credential["hints"][0].as_str().is_some_and(|hint| hint.contains("rotate prod1")), "{credential}");
}

fn unreachable(testbed: &Testbed) {
    let user = User::new(testbed, "away");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    user.add_cluster("prod2").expect_code(0);
    let build = user.workspace.build_namespace();
    // Nothing listens on the discard port.
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "fake-token", "auth-provider": {"name": "gcp"}}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    let patch = json!({"stringData": {"value.yaml": kubeconfig.to_string()}}).to_string();
    user.build(&["patch", "secret", "prod2-kubeconfig", "-p", &patch]);
    let output = user.run(&["check", "-o", "json"]).expect_code(1).does_not_say("fake-token");
    let found = document(&output);
    let failed: Vec<&Value> =
        checks(&found, Some("prod2")).iter().filter(|check| check["outcome"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{found:#}");
    assert_eq!(failed[0]["name"], "connection");
    assert!(
        checks(&found, Some("prod2")).iter().any(|check| check["name"] == "kubeconfig"),
        "the plugin is dropped: {found:#}"
    );
    // Flux's credential may not read who else may do everything.
    let accounts = format!("accounts in namespace {}", user.workspace.target_namespace());
    assert_eq!(check(&found, Some("prod1"), &accounts)["outcome"], "unknown", "{found:#}");
    let outcome_of = |name: &str| if name == accounts { "unknown" } else { "passed" };
    for check in checks(&found, Some("prod1")) {
        assert_eq!(check["outcome"], outcome_of(check["name"].as_str().expect("a name")), "{found:#}");
    }
    assert_eq!(check(&found, None, &format!("namespace {build}"))["outcome"], "passed");
}

fn nothing_added(testbed: &Testbed) {
    let user = User::new(testbed, "fresh");
    user.run(&["check"]).expect_code(0).says("✔ Flux").says(" 0 failed");
    let target = user.workspace.target_namespace();
    user.run(&["check", "--context", "prod1", "-n", target])
        .expect_code(1)
        .says("✗ Flux")
        .says("flux install")
        .says("1 of 1 check failed");
}

fn end_of_a_credential(testbed: &Testbed) {
    let user = User::new(testbed, "end");
    user.bootstrap().expect_code(0);
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--token-duration", "1h"]);
    user.run(&arguments).expect_code(0);
    user.run(&["check"]).expect_code(0).says("✔ credential: bounded-token, stored").says("expires in 59m");
    // Nobody has to write it down: the token says so itself.
    user.build(&[
        "annotate",
        "secret",
        "prod1-kubeconfig",
        "carvelflux.dev/expires-",
        "carvelflux.dev/token-duration-",
    ]);
    user.run(&["check"])
        .expect_code(0)
        .says("! credential: bounded-token")
        .says("expires in 59m")
        .says("rotate prod1 -n");
}
