//! The main job, end to end.

use testbed::Testbed;

use crate::Test;
use crate::support::{PACKAGE, User, VERSION};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("delivery::reaches_both_run_clusters_and_a_second_run_changes_nothing", reaches_both_run_clusters),
    ("delivery::follows_new_values_and_new_versions", follows_new_values_and_new_versions),
    ("delivery::is_taken_up_where_it_was_left", is_taken_up_where_it_was_left),
];

fn reaches_both_run_clusters(testbed: &Testbed) {
    let user = User::new(testbed, "deliver");
    let namespace = user.workspace.target_namespace();
    user.bootstrap().expect_code(0).says("created GitRepository").says("fetched  main@sha1:");
    for cluster in ["prod1", "prod2"] {
        let result = format!("{PACKAGE} on {cluster}  ready  {VERSION}\n");
        let output = user.add_cluster(cluster).expect_code(0);
        assert_eq!(output.stdout, result, "{output}");
    }
    user.run(&["wait"])
        .expect_code(0)
        .says(&format!("{PACKAGE} on prod1  ready"))
        .says(&format!("{PACKAGE} on prod2  ready"));

    for cluster in ["prod1", "prod2"] {
        let deployment = user.get(cluster, namespace, "deployment", "hello-app");
        assert_eq!(deployment["status"]["availableReplicas"], 2, "{deployment}");
        let install = user.get(cluster, namespace, "packageinstall", PACKAGE);
        assert_eq!(install["status"]["version"], VERSION, "{install}");
        assert_eq!(install["spec"]["serviceAccountName"], format!("{PACKAGE}-installer"));
    }
    let secret = user.get("build", user.workspace.build_namespace(), "secret", "prod1-kubeconfig");
    assert!(secret["data"]["value.yaml"].is_string(), "the guide's key is missing");

    // The wait asks Flux to look at the repository again.
    let state = || {
        let mut state = user.state();
        state.retain(|name, _| !name.starts_with("build \"GitRepository\""));
        state
    };
    let before = state();
    let versions = resource_versions(&user);
    user.bootstrap().expect_code(0).says("nothing to change").does_not_say("created").does_not_say("updated");
    for cluster in ["prod1", "prod2"] {
        user.add_cluster(cluster)
            .expect_code(0)
            .says("nothing to change")
            .does_not_say("created")
            .does_not_say("pushed");
    }
    assert_eq!(before, state());
    assert_eq!(versions, resource_versions(&user), "an object was written though nothing had to change");
}

/// Returns the resourceVersions of what no controller writes to.
fn resource_versions(user: &User<'_>) -> Vec<String> {
    let namespace = user.workspace.target_namespace();
    let mut versions = Vec::new();
    for (kind, name) in [
        ("role", format!("{PACKAGE}-installer")),
        ("serviceaccount", format!("{PACKAGE}-installer")),
        ("rolebinding", format!("{}-prod1-deployer", user.workspace.build_namespace())),
    ] {
        versions.push(user.get("prod1", namespace, kind, &name)["metadata"]["resourceVersion"].to_string());
    }
    let secret = user.get("build", user.workspace.build_namespace(), "secret", "prod1-kubeconfig");
    versions.push(secret["metadata"]["resourceVersion"].to_string());
    versions
}

fn follows_new_values_and_new_versions(testbed: &Testbed) {
    let user = User::new(testbed, "follow");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let namespace = user.workspace.target_namespace();

    user.write("values.yaml", "workload_name: hello-app\nreplicas: 3\n");
    user.add_cluster("prod1").expect_code(0).says("pushed");
    let deployment = user.get("prod1", namespace, "deployment", "hello-app");
    assert_eq!(deployment["spec"]["replicas"], 3, "add-cluster ended before the new values were deployed");

    let next = crate::support::NEXT_VERSION;
    testbed.publish(user.workspace.repository(), &testbed::PackageVersion::new(PACKAGE, next)).expect("a package");
    user.run(&["wait", "--package", PACKAGE, "--run-cluster", "prod1"]).expect_code(0).says(next);
    assert_eq!(user.get("prod1", namespace, "packageinstall", PACKAGE)["status"]["version"], next);
}

fn is_taken_up_where_it_was_left(testbed: &Testbed) {
    let user = User::new(testbed, "resume");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    // As if the first run had been killed after it minted the token and before it pushed.
    let keep = r#"{"spec": {"prune": false}}"#;
    for kustomization in ["packages", "packageinstalls"] {
        let name = format!("kustomization/{PACKAGE}-prod1-{kustomization}");
        testbed.kubectl("build", &["-n", build, "patch", &name, "--type=merge", "-p", keep]).expect("kubectl");
        testbed.kubectl("build", &["-n", build, "delete", &name]).expect("kubectl");
    }
    testbed.kubectl("build", &["-n", build, "delete", "secret", "prod1-kubeconfig"]).expect("kubectl");
    testbed
        .kubectl("prod1", &["-n", target, "delete", "rolebinding", &format!("{PACKAGE}-installer")])
        .expect("kubectl");
    user.add_cluster("prod1")
        .expect_code(0)
        .says(&format!("created RoleBinding {target}/{PACKAGE}-installer"))
        .says("created Secret")
        .says("are there already")
        .does_not_say("pushed");
}
