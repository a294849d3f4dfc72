//! What exists is never pointed at another place in silence.

use serde_json::json;
use testbed::{PackageVersion, Testbed};

use crate::Test;
use crate::support::{PACKAGE, User, VERSION};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("retarget::a_run_clusters_name_for_another_cluster", another_cluster),
    ("retarget::an_existing_kustomization", another_path_or_namespace),
    ("retarget::an_existing_git_repository", another_repository),
    ("retarget::an_install_of_somebody_else", install_of_somebody_else),
];

fn another_cluster(testbed: &Testbed) {
    let user = User::new(testbed, "cluster");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let before = user.state();
    let arguments = user.add_cluster_arguments("prod1", "prod2");
    user.run(&arguments).expect_code(1).says("the name `prod1` is taken by another cluster").says("another name");
    assert_eq!(before, user.state());

    // A kubeconfig that the plugin did not make says by itself which cluster it points at.
    let build = user.workspace.build_namespace();
    let annotation = "carvelflux.dev/run-cluster-uid-";
    testbed.kubectl("build", &["-n", build, "annotate", "secret", "prod1-kubeconfig", annotation]).expect("kubectl");
    let before = user.state();
    user.run(&arguments).expect_code(1).says("prod1-kubeconfig");
    assert_eq!(before, user.state());
}

fn another_path_or_namespace(testbed: &Testbed) {
    let user = User::new(testbed, "place");
    user.bootstrap().expect_code(0);
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    for (field, value) in [("path", "./somewhere/else"), ("targetNamespace", "elsewhere")] {
        let mut spec = json!({
            "sourceRef": {"kind": "GitRepository", "name": format!("{PACKAGE}-gitops-repo")},
            "path": format!("./{PACKAGE}/packages"),
            "targetNamespace": target,
            "kubeConfig": {"secretRef": {"name": "prod1-kubeconfig"}},
            "interval": "5m",
            "prune": true,
        });
        spec[field] = json!(value);
        let manifest = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": format!("{PACKAGE}-prod1-packages"), "namespace": build},
            "spec": spec,
        });
        testbed.apply("build", &manifest.to_string()).expect("kubectl apply");
        let before = user.state();
        user.add_cluster("prod1")
            .expect_code(1)
            .says(&format!("another spec.{field}: `{}`", value.trim_start_matches("./")));
        assert_eq!(before, user.state());
    }
}

fn another_repository(testbed: &Testbed) {
    let mut user = User::new(testbed, "repository");
    user.bootstrap().expect_code(0);
    let other = testbed.git().create_repository(&format!("other-{}", user.workspace.build_namespace())).expect("Git");
    testbed.publish(&other, &PackageVersion::new(PACKAGE, VERSION)).expect("a package");
    user.set("GIT_USERNAME", &other.username());
    user.set("GIT_PASSWORD", &other.password());
    let before = (user.state(), other.head().expect("Git"));
    user.run(&["bootstrap", PACKAGE, "--git-url", other.url(), "--branch", "main", "--yes"])
        .expect_code(1)
        .says("exists and has another url")
        .says("delete gitrepository");
    assert_eq!(before, (user.state(), other.head().expect("Git")));
}

fn install_of_somebody_else(testbed: &Testbed) {
    let user = User::new(testbed, "somebody");
    user.bootstrap().expect_code(0);
    let manifest = json!({
        "apiVersion": "packaging.carvel.dev/v1alpha1",
        "kind": "PackageInstall",
        "metadata": {"name": PACKAGE, "namespace": user.workspace.target_namespace()},
        "spec": {"serviceAccountName": "default", "packageRef": {"refName": PACKAGE, "versionSelection": {}}},
    });
    testbed.apply("prod1", &manifest.to_string()).expect("kubectl apply");
    let before = user.state();
    user.add_cluster("prod1").expect_code(1).says("is not this delivery's").says("it was made without Flux");
    assert_eq!(before, user.state());
}
