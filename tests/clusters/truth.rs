//! `wait` tells the truth where Flux does not.

use testbed::{PackageVersion, Testbed, Variant};

use crate::Test;
use crate::support::{NEXT_VERSION, PACKAGE, User, VERSION, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("truth::no_version_matches", no_version_matches),
    ("truth::templates_fail_and_are_mended", templates_fail_and_are_mended),
    ("truth::a_commit_that_changes_only_the_values", only_values_change),
    ("truth::deploys_that_fail_or_never_end", deploys_that_fail_or_never_end),
    ("truth::paused_and_suspended", paused_and_suspended),
];

const INSTALLS: &str = "hello-app.default.tap-prod1-packageinstalls";

/// Delivers to `prod1`, then makes the Kustomizations the guide's: `wait: true` without health check expressions.
fn delivered_by_hand<'a>(testbed: &'a Testbed, name: &str) -> User<'a> {
    let user = User::new(testbed, name);
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    for kustomization in [INSTALLS, "hello-app.default.tap-prod1-packages"] {
        let patch = r#"[{"op": "remove", "path": "/spec/healthCheckExprs"}]"#;
        let namespace = user.workspace.build_namespace();
        testbed
            .kubectl("build", &["-n", namespace, "patch", "kustomization", kustomization, "--type=json", "-p", patch])
            .expect("kubectl patch");
    }
    user
}

fn params(user: &User<'_>) -> String {
    let path = format!("{PACKAGE}/prod1/params.yaml");
    assert!(user.workspace.repository().read(&path).expect("Git").is_some());
    path
}

/// Proves that Flux is content with the newest revision while the plugin is not.
fn flux_says_ready(user: &User<'_>) {
    let revision = format!("main@sha1:{}", user.workspace.repository().head().expect("Git"));
    eventually("Flux's Ready at the new revision", || {
        let object = user.get("build", user.workspace.build_namespace(), "kustomization", INSTALLS);
        (object["status"]["lastAppliedRevision"] == revision.as_str()).then_some(())
    });
    assert_eq!(user.flux_ready(INSTALLS), "True ReconciliationSucceeded");
}

fn no_version_matches(testbed: &Testbed) {
    let user = delivered_by_hand(testbed, "no-match");
    user.edit(&format!("{PACKAGE}/prod1/packageinstall.yaml"), |text| text.replace(">=0.0.0", "20261122120000.0.0"));
    user.run(&["wait", "--timeout", "2m"])
        .expect_code(1)
        .says("no available version matches \"20261122120000.0.0\"")
        .says(&format!("name the whole version in packageinstall.yaml: \"{VERSION}\""));
    flux_says_ready(&user);
}

fn templates_fail_and_are_mended(testbed: &Testbed) {
    let user = delivered_by_hand(testbed, "template");
    user.write("values.yaml", "workload_name: hello-app\nno_such_value: 1\n");
    user.add_cluster("prod1").expect_code(1).says("template").says("ytt: Error").says("no_such_value");
    user.write("values.yaml", "workload_name: hello-app\nreplicas: 1\n");
    user.add_cluster("prod1").expect_code(0).says("ready");
    let deployment = user.get("prod1", user.workspace.target_namespace(), "deployment", "hello-app");
    assert_eq!(deployment["spec"]["replicas"], 1);
}

fn only_values_change(testbed: &Testbed) {
    let user = delivered_by_hand(testbed, "values-only");
    let path = params(&user);
    for replicas in [3, 4, 5] {
        user.edit(&path, |text| text.replace(&format!("replicas: {}", replicas - 1), &format!("replicas: {replicas}")));
        user.run(&["wait", "--timeout", "2m"]).expect_code(0).says("ready");
        let deployment = user.get("prod1", user.workspace.target_namespace(), "deployment", "hello-app");
        assert_eq!(deployment["spec"]["replicas"], replicas, "wait ended before the values were deployed");
    }
    // Flux itself is green at this revision while the old success still stands, and after the install has failed.
    user.edit(&path, |text| text.replace("replicas: 5", "no_such_value: 1"));
    user.run(&["wait", "--timeout", "2m"]).expect_code(1).says("template").says("no_such_value");
    flux_says_ready(&user);
}

fn deploys_that_fail_or_never_end(testbed: &Testbed) {
    let user = delivered_by_hand(testbed, "deploy");
    let never = PackageVersion::new(PACKAGE, NEXT_VERSION).variant(Variant::NeverBecomesReady);
    testbed.publish(user.workspace.repository(), &never).expect("a package");
    user.run(&["wait", "--timeout", "25s"])
        .expect_code(3)
        .says("deploy")
        .says("waiting on deployment/hello-app")
        .says("kubectl carvelflux wait");
    let fails = PackageVersion::new(PACKAGE, "20261122140000.0.0+build.aaa1111").variant(Variant::FailsToFetch);
    testbed.publish(user.workspace.repository(), &fails).expect("a package");
    // kapp waits for the Deployment of the version before up to 15 minutes; the fetch comes after it.
    user.run(&["wait", "--timeout", "5s"]).expect_code(3).does_not_say("  ready  ");
}

fn paused_and_suspended(testbed: &Testbed) {
    let user = delivered_by_hand(testbed, "paused");
    let build = user.workspace.build_namespace().to_owned();
    let patch = |context: &str, namespace: &str, object: &str, patch: &str| {
        testbed
            .kubectl(context, &["-n", namespace, "patch", object, "--type=merge", "-p", patch])
            .expect("kubectl patch")
    };
    let install = format!("{PACKAGE}/prod1/packageinstall.yaml");
    user.edit(&install, |text| text.replace("spec:\n", "spec:\n  paused: true\n"));
    user.run(&["wait", "--timeout", "1m"]).expect_code(1).says("it is paused").says("\"paused\":false");
    user.edit(&install, |text| text.replace("  paused: true\n", ""));
    user.run(&["wait", "--timeout", "1m"]).expect_code(0);

    patch("build", &build, &format!("kustomization/{INSTALLS}"), r#"{"spec":{"suspend":true}}"#);
    user.edit(&params(&user), |text| text.replace("replicas: 2", "replicas: 3"));
    user.run(&["wait", "--timeout", "1m"]).expect_code(1).says("it is suspended").says("flux resume kustomization");
    patch("build", &build, &format!("kustomization/{INSTALLS}"), r#"{"spec":{"suspend":false}}"#);
    user.run(&["wait", "--timeout", "2m"]).expect_code(0);
    patch("build", &build, "gitrepository/hello-app.default.tap-gitops-repo", r#"{"spec":{"suspend":true}}"#);
    user.run(&["wait", "--timeout", "1m"]).expect_code(1).says("flux resume source git");
}
