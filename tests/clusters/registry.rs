//! Bundles in a registry that asks for a password.

use testbed::{PackageVersion, Testbed};

use crate::Test;
use crate::support::{INSTALL_FILE, NEXT_VERSION, PACKAGE, User, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("registry::a_private_bundle_is_fetched_with_a_secret", private_bundle),
    ("registry::a_secret_that_is_missing_or_of_another_type", unusable_secret),
];

const SECRET: &str = "registry-credentials";

/// Makes the Secret with the registry's credentials, as its administrator would.
fn make_secret(user: &User<'_>) {
    let registry = user.testbed.registry().private().expect("the private registry");
    user.target(&[
        "create",
        "secret",
        "docker-registry",
        SECRET,
        &format!("--docker-server={}", registry.address()),
        &format!("--docker-username={}", registry.username()),
        &format!("--docker-password={}", registry.password()),
    ]);
}

fn private_bundle(testbed: &Testbed) {
    let user = User::new(testbed, "private");
    let version = PackageVersion::new(PACKAGE, NEXT_VERSION).private();
    testbed.publish(user.workspace.repository(), &version).expect("a package");
    user.bootstrap().expect_code(0);
    let arguments = user.add_cluster_arguments("prod1", "prod1");
    user.run(&[&arguments[..], &["--timeout", "15s"]].concat()).expect_code(3);
    eventually("the registry's refusal", || {
        let app = user.target(&["get", "app", PACKAGE, "-o", "jsonpath={.status.usefulErrorMessage}"]);
        app.to_lowercase().contains("unauthorized").then_some(())
    });

    make_secret(&user);
    let with_secret = [&arguments[..], &["--registry-secret", SECRET]].concat();
    let target = user.workspace.target_namespace();
    user.run(&with_secret)
        .expect_code(0)
        .says("ready")
        .says(&format!("pods that run as ServiceAccount {target}/default pull their images without"))
        .says(&format!("patch serviceaccount default -p '{{\"imagePullSecrets\":[{{\"name\":\"{SECRET}\"}}]}}'"))
        .does_not_say(testbed.registry().private().expect("the private registry").password());
    let install = user.workspace.repository().read(INSTALL_FILE).expect("Git").expect("a file");
    assert!(install.contains(&format!("ext.packaging.carvel.dev/fetch-0-secret-name: {SECRET}")), "{install}");

    // What Git names stays; and pods that may pull are no reason for a warning.
    user.run(&arguments).expect_code(0).says("nothing to change");
    let patch = format!("{{\"imagePullSecrets\":[{{\"name\":\"{SECRET}\"}}]}}");
    user.target(&["patch", "serviceaccount", "default", "-p", &patch]);
    user.run(&with_secret).expect_code(0).says("nothing to change").does_not_say("pull their images");
}

fn unusable_secret(testbed: &Testbed) {
    let user = User::new(testbed, "unusable");
    user.bootstrap().expect_code(0);
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--registry-secret", SECRET]);
    let before = user.state();
    user.run(&arguments).expect_code(1).says("does not exist").says("create secret docker-registry");
    user.target(&["create", "secret", "generic", SECRET, "--from-literal=password=fake-registry-password"]);
    user.run(&arguments)
        .expect_code(1)
        .says("its type is Opaque, not kubernetes.io/dockerconfigjson")
        .does_not_say("fake-registry-password");
    user.target(&["delete", "secret", SECRET]);
    assert_eq!(before, user.state());
}
