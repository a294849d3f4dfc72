//! The credential that Flux gets for a run cluster: shared by deliveries, confined, bounded in time, at an address of choice.

use serde_json::{Value, json};
use testbed::{PackageVersion, Testbed};

use crate::Test;
use crate::support::{Output, PACKAGE, User, VERSION, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("credentials::one_serves_all_deliveries_of_a_run_cluster_and_nothing_else", one_serves_all),
    ("credentials::of_two_build_namespaces_stay_apart", two_build_namespaces),
    ("credentials::a_bounded_token_expires_and_ends_with_its_secret", bounded_token),
    ("credentials::an_address_of_choice_is_stored_and_proven", address_of_choice),
    ("credentials::an_address_that_flux_cannot_reach_ends_add_cluster", unreachable_address),
];

/// These make Flux look as if it ran as pods.
pub(crate) const DISRUPTIVE_TESTS: &[(&str, Test)] = &[("credentials::loopback_is_no_address_for_pods", loopback)];

const OTHER_PACKAGE: &str = "other-app.default.tap";

/// Runs `add-cluster` for `prod1` with further arguments.
pub(crate) fn add_cluster(user: &User<'_>, further: &[&str]) -> Output {
    user.run(&[&user.add_cluster_arguments("prod1", "prod1"), further].concat())
}

pub(crate) fn secret(user: &User<'_>) -> Value {
    user.get("build", user.workspace.build_namespace(), "secret", "prod1-kubeconfig")
}

pub(crate) fn annotation<'a>(secret: &'a Value, name: &str) -> &'a str {
    secret["metadata"]["annotations"][format!("carvelflux.dev/{name}")].as_str().unwrap_or_default()
}

/// Returns the kubeconfig that Flux gets.
pub(crate) fn kubeconfig(secret: &Value) -> Value {
    let encoded = secret["data"]["value.yaml"].as_str().expect("a kubeconfig");
    let decoded: k8s_openapi::ByteString = serde_json::from_value(json!(encoded)).expect("base64");
    serde_json::from_slice(&decoded.0).expect("JSON")
}

/// Runs kubectl on `prod1` with nothing but the kubeconfig that Flux gets; returns whether it succeeded, and what it printed.
pub(crate) fn as_flux(user: &User<'_>, arguments: &[&str]) -> (bool, String) {
    with_kubeconfig(user, &kubeconfig(&secret(user)), arguments)
}

/// The same with a kubeconfig that was read before.
pub(crate) fn with_kubeconfig(user: &User<'_>, kubeconfig: &Value, arguments: &[&str]) -> (bool, String) {
    let file = user.write("flux.kubeconfig", &kubeconfig.to_string());
    let output = std::process::Command::new(user.testbed.tools().kubectl())
        .arg(format!("--kubeconfig={}", file.display()))
        .args(arguments)
        .env_clear()
        .env("HOME", user.workspace.kubeconfig().parent().expect("a directory"))
        .output()
        .expect("kubectl");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

fn one_serves_all(testbed: &Testbed) {
    let user = User::new(testbed, "shared");
    testbed.publish(user.workspace.repository(), &PackageVersion::new(OTHER_PACKAGE, VERSION)).expect("a package");
    let second = testbed.workspace("second").expect("a workspace");
    let (build, first, second) =
        (user.workspace.build_namespace(), user.workspace.target_namespace(), second.target_namespace());
    user.allow_in("prod1", second);
    user.bootstrap().expect_code(0);
    let url = user.workspace.repository().url();
    user.run(&["bootstrap", OTHER_PACKAGE, "--git-url", url, "--branch", "main", "--yes"]).expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let before = secret(&user)["metadata"]["resourceVersion"].clone();

    let other = [
        "add-cluster",
        "prod1",
        "--package",
        OTHER_PACKAGE,
        "--run-context",
        "prod1",
        "--target-namespace",
        second,
        "--values",
        "values.yaml",
        "--yes",
    ];
    let deployer = format!("{build}-prod1-deployer");
    user.run(&other)
        .expect_code(0)
        .says(&format!("created RoleBinding {second}/{deployer}"))
        .does_not_say(&format!("ServiceAccount {second}/{deployer}"))
        .does_not_say(&format!("Secret {build}/"));
    assert_eq!(before, secret(&user)["metadata"]["resourceVersion"], "one more delivery changed the credential");
    user.run(&["wait"]).expect_code(0).says(PACKAGE).says(OTHER_PACKAGE);
    for (namespace, package) in [(first, PACKAGE), (second, OTHER_PACKAGE)] {
        assert_eq!(user.get("prod1", namespace, "packageinstall", package)["status"]["version"], VERSION);
    }

    // With the credential alone: the deliveries' own kinds in their namespaces, and nothing else anywhere.
    for namespace in [first, second] {
        let (is_allowed, text) = as_flux(&user, &["-n", namespace, "get", "packageinstalls,packages,secrets"]);
        assert!(is_allowed, "{text}");
        for kind in ["pods", "configmaps", "serviceaccounts", "deployments", "roles"] {
            let (is_allowed, text) = as_flux(&user, &["-n", namespace, "get", kind]);
            assert!(!is_allowed && text.to_lowercase().contains("forbidden"), "{kind} in {namespace}: {text}");
        }
    }
    for namespace in ["default", "kube-system", testbed_namespace(&user, first, second).as_str()] {
        for kind in ["secrets", "packageinstalls", "packages", "apps.kappctrl.k14s.io", "pods", "configmaps"] {
            let (is_allowed, text) = as_flux(&user, &["-n", namespace, "get", kind]);
            assert!(!is_allowed && text.to_lowercase().contains("forbidden"), "{kind} in {namespace}: {text}");
            let (is_allowed, text) = as_flux(&user, &["-n", namespace, "delete", kind, "--all"]);
            assert!(!is_allowed && text.to_lowercase().contains("forbidden"), "{kind} in {namespace}: {text}");
        }
        let arguments = ["-n", namespace, "create", "secret", "generic", "intruder"];
        let (is_allowed, text) = as_flux(&user, &arguments);
        assert!(!is_allowed && text.to_lowercase().contains("forbidden"), "{namespace}: {text}");
    }
    for kind in ["namespaces", "nodes", "clusterroles", "secrets --all-namespaces"] {
        let arguments: Vec<&str> = std::iter::once("get").chain(kind.split(' ')).collect();
        let (is_allowed, text) = as_flux(&user, &arguments);
        assert!(!is_allowed && text.to_lowercase().contains("forbidden"), "{kind}: {text}");
    }
}

/// Returns some namespace of `prod1` that none of the deliveries is in.
fn testbed_namespace(user: &User<'_>, first: &str, second: &str) -> String {
    let names = user.testbed.kubectl("prod1", &["get", "namespaces", "-o", "name"]).expect("kubectl");
    let mut names = names.lines().filter_map(|name| name.strip_prefix("namespace/"));
    names.find(|name| ![first, second].contains(name)).expect("a namespace").to_owned()
}

fn two_build_namespaces(testbed: &Testbed) {
    let one = User::new(testbed, "team-one");
    let two = User::new(testbed, "team-two");
    // Both deliver to one and the same namespace of the run cluster, each its own package.
    two.allow_in("prod1", one.workspace.target_namespace());
    testbed.publish(two.workspace.repository(), &PackageVersion::new(OTHER_PACKAGE, VERSION)).expect("a package");
    one.bootstrap().expect_code(0);
    one.add_cluster("prod1").expect_code(0);
    let url = two.workspace.repository().url();
    two.run(&["bootstrap", OTHER_PACKAGE, "--git-url", url, "--branch", "main", "--yes"]).expect_code(0);
    let target = one.workspace.target_namespace();
    two.write("values.yaml", "workload_name: other-app\nreplicas: 2\n");
    two.run(&[
        "add-cluster",
        "prod1",
        "--package",
        OTHER_PACKAGE,
        "--run-context",
        "prod1",
        "--target-namespace",
        target,
        "--values",
        "values.yaml",
        "--yes",
    ])
    .expect_code(0);
    for user in [&one, &two] {
        user.run(&["wait"]).expect_code(0);
        let name = format!("{}-prod1-deployer", user.workspace.build_namespace());
        assert!(user.get("prod1", target, "serviceaccount", &name).is_object(), "{name}");
    }
    let names = [&one, &two].map(|user| kubeconfig(&secret(user))["users"][0]["name"].clone());
    assert_ne!(names[0], names[1], "two build namespaces share one deployer");
}

fn bounded_token(testbed: &Testbed) {
    let user = User::new(testbed, "bounded");
    user.bootstrap().expect_code(0);
    add_cluster(&user, &["--token-duration", "5m"]).expect_code(2).says("less than 10m");
    add_cluster(&user, &["--token-duration", "2h", "--allow-plain-values"])
        .expect_code(0)
        .says("was granted for 2h and expires at 20")
        .does_not_say("Warning");
    let stored = secret(&user);
    assert_eq!(annotation(&stored, "authentication"), "bounded-token");
    assert_eq!(annotation(&stored, "token-duration"), "7200s");
    assert!(annotation(&stored, "expires").ends_with('Z'), "{stored:#}");
    let (target, name) = (user.workspace.target_namespace(), annotation(&stored, "token-secret"));
    let binding = user.get("prod1", target, "secret", name);
    assert_eq!(binding["type"], "Opaque", "a bounded deployer has a token that never ends");
    assert!(binding["data"].is_null(), "the Secret that the token is bound to holds something");

    // A credential that works is left alone, whatever is wished for now.
    for further in [&[][..], &["--token-duration", "4h"]] {
        add_cluster(&user, further)
            .expect_code(0)
            .says("nothing to change")
            .says("expires at 20")
            .says("kubectl carvelflux rotate prod1");
    }
    assert_eq!(secret(&user)["metadata"]["resourceVersion"], stored["metadata"]["resourceVersion"]);

    assert!(as_flux(&user, &["-n", target, "get", "packageinstalls"]).0, "the token does not work");
    testbed.kubectl("prod1", &["-n", target, "delete", "secret", name]).expect("kubectl");
    eventually("the end of the token", || {
        let (is_allowed, text) = as_flux(&user, &["-n", target, "get", "packageinstalls"]);
        (!is_allowed && text.contains("Unauthorized")).then_some(())
    });
    // The same command makes a new one where the old is dead.
    add_cluster(&user, &[]).expect_code(0).says("updated Secret").says("was granted for 2h");
    assert!(as_flux(&user, &["-n", target, "get", "packageinstalls"]).0, "the new token does not work");
}

fn address_of_choice(testbed: &Testbed) {
    let user = User::new(testbed, "address");
    user.bootstrap().expect_code(0);
    for (flags, says) in [
        (["--flux-server", "http://127.0.0.1:1"], "https://HOST:PORT"),
        (["--flux-proxy-url", "http://me:fake-password@127.0.0.1:1"], "must not contain credentials"),
        (["--flux-certificate-authority", "values.yaml"], "contains no certificate"),
        (["--flux-certificate-authority", "missing.pem"], "cannot read the certificate authority"),
    ] {
        add_cluster(&user, &flags).expect_code(2).says(says).does_not_say("fake-password");
    }
    let other = user.server_of("prod2");
    let authority = user.authority_of("prod2");
    let before = user.state();
    add_cluster(&user, &["--flux-server", &other, "--flux-certificate-authority", authority.to_str().expect("UTF-8")])
        .expect_code(1)
        .says("belongs to another cluster, or knows only its own users")
        .says("--flux-server https://HOST:PORT");
    assert_eq!(before, user.state(), "an address of another cluster was found out too late");

    let server = user.server_of("prod1").replace("127.0.0.1", "localhost");
    add_cluster(&user, &["--flux-server", &server, "--flux-tls-server-name", "127.0.0.1"]).expect_code(0);
    let cluster = kubeconfig(&secret(&user))["clusters"][0]["cluster"].clone();
    assert_eq!((&cluster["server"], &cluster["tls-server-name"]), (&json!(server), &json!("127.0.0.1")));

    // What is stored stays without the flags, and gives way to new ones; the token is the same.
    let token = kubeconfig(&secret(&user))["users"][0]["user"]["token"].clone();
    add_cluster(&user, &[])
        .expect_code(0)
        .says("nothing to change")
        .says("goes on reaching prod1 at https://localhost");
    let server = user.server_of("prod1");
    add_cluster(&user, &["--flux-server", &server, "--flux-tls-server-name", ""]).expect_code(0).says("updated Secret");
    let stored = kubeconfig(&secret(&user));
    assert_eq!(stored["clusters"][0]["cluster"]["server"], server);
    assert!(stored["clusters"][0]["cluster"]["tls-server-name"].is_null(), "an empty text takes nothing away");
    assert_eq!(stored["users"][0]["user"]["token"], token);
}

fn unreachable_address(testbed: &Testbed) {
    let user = User::new(testbed, "nowhere");
    user.bootstrap().expect_code(0);
    add_cluster(&user, &["--flux-server", "https://127.0.0.1:1"])
        .expect_code(1)
        .says("dial tcp 127.0.0.1:1: connect: connection refused")
        .says("add-cluster prod1 --flux-server");
    // Another address, and with it a certificate that nobody trusts.
    let authority = user.authority_of("prod2");
    let server = user.server_of("prod1");
    add_cluster(&user, &["--flux-server", &server, "--flux-certificate-authority", authority.to_str().expect("UTF-8")])
        .expect_code(1)
        .says("x509: certificate signed by unknown authority")
        .says("--flux-certificate-authority FILE");
    let authority = user.authority_of("prod1");
    add_cluster(&user, &["--flux-server", &server, "--flux-certificate-authority", authority.to_str().expect("UTF-8")])
        .expect_code(0);
}

fn loopback(testbed: &Testbed) {
    let user = User::new(testbed, "loopback");
    user.bootstrap().expect_code(0);
    let namespace = "flux-as-pods";
    testbed.kubectl("build", &["create", "namespace", namespace]).expect("kubectl");
    let labels = json!({"app": "kustomize-controller"});
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "kustomize-controller", "namespace": namespace},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "manager", "image": "kustomize-controller"}]},
            },
        },
    });
    testbed.apply("build", &deployment.to_string()).expect("kubectl apply");
    let before = user.state();
    let refused = user.add_cluster("prod1");
    let file =
        user.write("own.kubeconfig", &std::fs::read_to_string(user.workspace.kubeconfig()).expect("a kubeconfig"));
    let own = add_cluster(&user, &["--kubeconfig-file", file.to_str().expect("UTF-8")]);
    let after = user.state();
    let server = user.server_of("prod1");
    let allowed = add_cluster(&user, &["--allow-loopback"]);
    let again = user.add_cluster("prod1");
    let named = add_cluster(&user, &["--flux-server", &server]);
    testbed.kubectl("build", &["delete", "namespace", namespace]).expect("kubectl");
    refused
        .expect_code(1)
        .says("Flux cannot reach the run cluster `prod1` at https://127.0.0.1")
        .says("Deployment flux-as-pods/kustomize-controller")
        .says("--allow-loopback");
    own.expect_code(1).says("Deployment flux-as-pods/kustomize-controller");
    assert_eq!(before, after, "something was written by what was refused");
    for accepted in [allowed, again, named] {
        accepted.expect_code(0);
    }
}
