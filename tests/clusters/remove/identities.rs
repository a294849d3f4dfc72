//! Whose identities go with a delivery, and whose stay.

use serde_json::json;
use testbed::{PackageVersion, Testbed};

use super::{OTHER, assert_rest, delivered, remove, rest};
use crate::Test;
use crate::kubeconfig_file::{own_kubeconfig, rules_of_the_guide};
use crate::support::{PACKAGE, User, VERSION, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("remove::a_deployer_of_two_namespaces", two_namespaces),
    ("remove::leftovers_of_two_namespaces", leftovers_of_two_namespaces),
    ("remove::an_impersonated_account", impersonated_account),
    ("remove::a_kubeconfig_of_ones_own", kubeconfig_of_ones_own),
    ("remove::a_token_that_expires", bounded_token),
];

/// Makes the build cluster serve another API for a while.
pub(crate) const DISRUPTIVE: &[(&str, Test)] = &[("remove::a_helm_release_with_the_same_credential", helm_release)];

/// Makes another namespace on `prod1` in which the user may deliver.
fn second_namespace(user: &User<'_>) -> String {
    let (testbed, target) = (user.testbed, user.workspace.target_namespace());
    let namespace = format!("{target}-too");
    testbed.kubectl("prod1", &["create", "namespace", &namespace]).expect("kubectl");
    let mut role = user.get("prod1", target, "role", "carvelflux-engineer");
    role["metadata"] = json!({"name": "carvelflux-engineer", "namespace": namespace});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "carvelflux-engineer", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "carvelflux-engineer"},
        "subjects": [{"kind": "ServiceAccount", "name": testbed::USER, "namespace": target}],
    });
    for manifest in [role, binding] {
        testbed.apply("prod1", &manifest.to_string()).expect("kubectl apply");
    }
    namespace
}

/// Delivers one package to each of two namespaces of `prod1`, and returns the second.
fn deliver_to_two_namespaces(user: &User<'_>) -> String {
    let testbed = user.testbed;
    let repository = user.workspace.repository();
    testbed.publish(repository, &PackageVersion::new(OTHER, VERSION)).expect("a package");
    user.run(&["bootstrap", OTHER, "--git-url", repository.url(), "--branch", "main", "--yes"]).expect_code(0);
    user.write("other.yaml", "workload_name: other-app\nreplicas: 1\n");
    let second = second_namespace(user);
    let place = ["add-cluster", "prod1", "--package", OTHER, "--run-context", "prod1", "--target-namespace", &second];
    user.run(&[&place[..], &["--values", "other.yaml", "--yes"]].concat()).expect_code(0);
    second
}

fn two_namespaces(testbed: &Testbed) {
    let user = delivered(testbed, "shared");
    let (target, second) = (user.workspace.target_namespace().to_owned(), deliver_to_two_namespaces(&user));
    let deployer = format!("{}-prod1-deployer", user.workspace.build_namespace());
    let exists = |namespace: &str, kind: &str, name: &str| !user.get("prod1", namespace, kind, name).is_null();
    // The account lives with the first delivery, and serves the second, which remains.
    remove(&user, &["--package", PACKAGE]).expect_code(0);
    assert!(exists(&target, "serviceaccount", &deployer) && exists(&target, "secret", &format!("{deployer}-token")));
    assert!(!exists(&target, "role", &deployer) && !exists(&target, "rolebinding", &deployer));
    assert!(exists(&second, "role", &deployer) && exists(&second, "rolebinding", &deployer));
    user.reconcile_by_flux(&[&format!("{OTHER}-prod1-packageinstalls")]);
    user.run(&["wait"]).expect_code(0).says(&format!("{OTHER} on prod1  ready"));

    remove(&user, &[]).expect_code(0).says(&format!("{OTHER} on prod1  removed"));
    for namespace in [&target, &second] {
        for kind in ["serviceaccount", "role", "rolebinding"] {
            assert!(!exists(namespace, kind, &deployer), "{kind} {namespace}/{deployer} is left");
        }
    }
    assert!(!exists(&target, "secret", &format!("{deployer}-token")));
    testbed.kubectl("prod1", &["delete", "namespace", &second, "--wait=false"]).expect("kubectl");
}

fn leftovers_of_two_namespaces(testbed: &Testbed) {
    const FINDER: &str = "carvelflux-finder";
    let user = delivered(testbed, "leftovers");
    let (target, second) = (user.workspace.target_namespace().to_owned(), deliver_to_two_namespaces(&user));
    user.build(&["delete", "kustomizations", "--all"]);
    crate::support::eventually("the end of the PackageInstalls", || {
        let is_gone = |namespace, name| user.get("prod1", namespace, "packageinstall", name).is_null();
        (is_gone(target.as_str(), PACKAGE) && is_gone(second.as_str(), OTHER)).then_some(())
    });
    let kubectl = |arguments: &[&str]| testbed.kubectl("prod1", arguments).expect("kubectl");
    kubectl(&["create", "clusterrole", FINDER, "--verb=list", "--resource=rolebindings.rbac.authorization.k8s.io"]);
    let account = format!("--serviceaccount={target}:{}", testbed::USER);
    kubectl(&["create", "clusterrolebinding", FINDER, &format!("--clusterrole={FINDER}"), &account]);
    let output = remove(&user, &[]).expect_code(0).says("stay in Git, if there are any").says("name it with --package");
    for namespace in [&target, &second] {
        let names = kubectl(&["get", "roles,rolebindings,serviceaccounts,secrets", "-o", "name", "-n", namespace]);
        assert!(!names.contains("deployer") && !names.contains("installer"), "{namespace}: {names}{output}");
    }
    kubectl(&["delete", "clusterrole,clusterrolebinding", FINDER]);
    kubectl(&["delete", "namespace", &second, "--wait=false"]);
}

fn impersonated_account(testbed: &Testbed) {
    const ACCOUNT: &str = "default-ns-sa";
    let user = User::new(testbed, "impersonated");
    user.bootstrap().expect_code(0);
    user.workspace.allow_impersonation(testbed, "prod1").expect("the permission to grant impersonation");
    let bootstrapped = rest(&user);
    let build = user.workspace.build_namespace();
    let grants = || {
        let names = testbed.kubectl("prod1", &["get", "roles,rolebindings", "-n", build, "-o", "name"]);
        names.expect("kubectl").lines().filter(|name| name.contains(ACCOUNT)).count()
    };
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--impersonate", ACCOUNT]);
    for is_account_missing in [false, true] {
        user.run(&arguments).expect_code(0);
        assert_eq!(grants(), 2);
        if is_account_missing {
            // Flux would let the Kustomizations go, and leave everything behind.
            user.build(&["delete", "serviceaccount", ACCOUNT]);
        }
        let output = remove(&user, &[])
            .expect_code(0)
            .says(&format!("deleted ServiceAccount {build}/{ACCOUNT}"))
            .does_not_say("may stay");
        assert_eq!(output.stderr.contains(&format!("created ServiceAccount {build}/{ACCOUNT}")), is_account_missing);
        assert_rest(&user, &bootstrapped);
        assert_eq!(grants(), 0);
    }
    // Whoever may not see what was granted is told.
    user.run(&arguments).expect_code(0);
    testbed.kubectl("prod1", &["delete", "rolebinding", "carvelflux-impersonation", "-n", build]).expect("kubectl");
    remove(&user, &[]).expect_code(0).says(&format!("Roles for impersonation in namespace {build} of"));
    assert_eq!(grants(), 2);
}

fn kubeconfig_of_ones_own(testbed: &Testbed) {
    let user = User::new(testbed, "own-file");
    user.bootstrap().expect_code(0);
    let kubeconfig = own_kubeconfig(&user, "prod1", &rules_of_the_guide());
    user.write("own.yaml", &kubeconfig.to_string());
    let before = rest(&user);
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--kubeconfig-file", "own.yaml"]);
    user.run(&arguments).expect_code(0);
    remove(&user, &[]).expect_code(0).says("deleted Secret").says("prod1-kubeconfig");
    // What somebody else manages stays, and nothing else.
    assert_rest(&user, &before);
}

fn bounded_token(testbed: &Testbed) {
    let user = User::new(testbed, "bounded");
    user.bootstrap().expect_code(0);
    let bootstrapped = rest(&user);
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--token-duration", "2h"]);
    user.run(&arguments).expect_code(0);
    assert_ne!(rest(&user), bootstrapped);
    remove(&user, &[]).expect_code(0);
    assert_rest(&user, &bootstrapped);
}

fn helm_release(testbed: &Testbed) {
    let user = delivered(testbed, "helm");
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let secret = format!("Secret {build}/prod1-kubeconfig");
    // helm-controller itself is not needed: what counts is what the object says.
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "helmreleases.helm.toolkit.fluxcd.io"},
        "spec": {
            "group": "helm.toolkit.fluxcd.io",
            "names": {"kind": "HelmRelease", "listKind": "HelmReleaseList", "plural": "helmreleases", "singular": "helmrelease"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v2",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    let release = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "redis", "namespace": build},
        "spec": {"kubeConfig": {"secretRef": {"name": "prod1-kubeconfig"}}},
    });
    testbed.apply("build", &definition.to_string()).expect("kubectl apply");
    eventually("the API is served", || testbed.apply("build", &release.to_string()).ok());

    remove(&user, &[])
        .expect_code(0)
        .says(&format!("{secret} stays: HelmRelease redis uses it"))
        .says("stays, with its roles and tokens: HelmRelease redis uses it");
    assert!(!user.get("build", build, "secret", "prod1-kubeconfig").is_null());
    let deployer = format!("{build}-prod1-deployer");
    for kind in ["serviceaccount", "role", "rolebinding"] {
        assert!(!user.get("prod1", target, kind, &deployer).is_null(), "{kind} {deployer} is gone");
    }

    // Nor is anything deleted of which nobody can say that it is not used.
    user.add_cluster("prod1").expect_code(0);
    let place = "/rules/2";
    let withdrawal = json!([
        {"op": "test", "path": format!("{place}/resources/0"), "value": "helmreleases"},
        {"op": "remove", "path": place},
    ]);
    let patch = ["-n", build, "patch", "role", "carvelflux-engineer", "--type=json", "-p", &withdrawal.to_string()];
    testbed.kubectl("build", &patch).expect("kubectl patch");
    let engineer = format!("--as=system:serviceaccount:{build}:{}", testbed::USER);
    let may_list = ["-n", build, "auth", "can-i", "list", "helmreleases.helm.toolkit.fluxcd.io", &engineer];
    eventually("the permission goes", || testbed.kubectl("build", &may_list).is_err().then_some(()));
    remove(&user, &[])
        .expect_code(0)
        .says(&format!("{secret} stays: a HelmRelease may use it, and they cannot be listed"))
        .says(&format!("ServiceAccount {target}/{deployer} stays, with its roles and tokens"));
    assert!(!user.get("build", build, "secret", "prod1-kubeconfig").is_null());
    testbed.kubectl("build", &["delete", "crd", "helmreleases.helm.toolkit.fluxcd.io"]).expect("kubectl delete");
}
