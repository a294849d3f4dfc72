//! Many deliveries with one command: one preflight, one commit, one result for each.

use serde_json::Value;
use testbed::{PackageVersion, Testbed, Variant};

use crate::Test;
use crate::support::{PACKAGE, User, VERSION};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("many::a_list_reaches_both_run_clusters_and_a_second_run_changes_nothing", a_list_reaches_both_run_clusters),
    ("many::one_bad_delivery_stops_all", one_bad_delivery_stops_all),
    ("many::one_that_fails_is_told_by_itself", one_that_fails_is_told_by_itself),
    ("many::several_packages_of_one_run_cluster", several_packages_of_one_run_cluster),
];

pub(crate) const OTHER: &str = "other-app.default.tap";

/// Makes a second package known beside the first.
pub(crate) fn with_two_packages<'a>(testbed: &'a Testbed, name: &str, variant: Variant) -> User<'a> {
    let user = User::new(testbed, name);
    let repository = user.workspace.repository();
    testbed.publish(repository, &PackageVersion::new(OTHER, VERSION).variant(variant)).expect("a package");
    user.bootstrap().expect_code(0);
    user.run(&["bootstrap", OTHER, "--git-url", repository.url(), "--branch", "main", "--yes"]).expect_code(0);
    user
}

/// Writes a list with both packages on these run clusters, and returns how often something was committed.
pub(crate) fn write_list(user: &User<'_>, run_clusters: &[&str]) -> usize {
    let of_cluster = |cluster: &&str| {
        format!(
            "- {{runCluster: {cluster}, package: {PACKAGE}, values: values.yaml}}\n\
             - {{runCluster: {cluster}, package: {OTHER}, values: {{workload_name: other-app}}}}\n"
        )
    };
    let deliveries: String = run_clusters.iter().map(of_cluster).collect();
    let namespace = user.workspace.target_namespace();
    let list = format!("defaults: {{targetNamespace: {namespace}}}\ndeliveries:\n{deliveries}");
    user.write("deliveries.yaml", &list);
    commits(user)
}

fn commits(user: &User<'_>) -> usize {
    user.workspace.repository().log().expect("Git").len()
}

pub(crate) const ADD: [&str; 3] = ["add-cluster", "--from-file", "deliveries.yaml"];

fn a_list_reaches_both_run_clusters(testbed: &Testbed) {
    let user = with_two_packages(testbed, "many", Variant::Works);
    let before = write_list(&user, &["prod1", "prod2"]);
    let state = user.state();
    user.run(&[&ADD[..], &["--dry-run"]].concat())
        .expect_code(0)
        .says("carry out 4 deliveries to 2 run clusters")
        .says(&format!("prod1, prod2: {PACKAGE} {VERSION} in namespace"));
    user.run(&[&ADD[..], &["--diff"]].concat())
        .expect_code(1)
        .says("other-app")
        .does_not_say("workload_name: other-app");
    assert_eq!(state, user.state(), "a preview wrote something");

    let output = user.run(&[&ADD[..], &["--yes"]].concat()).expect_code(0);
    for cluster in ["prod1", "prod2"] {
        for package in [PACKAGE, OTHER] {
            assert!(output.stdout.contains(&format!("{package} on {cluster}  ready  {VERSION}\n")), "{output}");
        }
    }
    assert_eq!(output.stdout.lines().count(), 4, "{output}");
    assert_eq!(commits(&user), before + 1, "one commit for all: {output}");

    let state = || {
        let mut state = user.state();
        // The wait asks Flux to look at the repository again.
        state.retain(|name, _| !name.starts_with("build \"GitRepository\""));
        state
    };
    let before = state();
    let again = user.run(&[&ADD[..], &["--yes", "-o", "json"]].concat()).expect_code(0).says("nothing to change");
    let last: Value = serde_json::from_str(again.stdout.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["deliveries"].as_array().map(Vec::len), Some(4), "{last:#}");
    assert_eq!(before, state(), "the second run wrote something");
}

fn one_bad_delivery_stops_all(testbed: &Testbed) {
    let user = with_two_packages(testbed, "many-bad", Variant::Works);
    let target = user.workspace.target_namespace();
    user.write(
        "deliveries.yaml",
        &format!(
            "deliveries:\n\
             - {{runCluster: prod1, package: {PACKAGE}, targetNamespace: {target}, values: values.yaml}}\n\
             - {{runCluster: prod1, package: {OTHER}, targetNamespace: {target}, values: {{replicas: many}}}}\n\
             - {{runCluster: prod2, package: {OTHER}, targetNamespace: {target}, versionConstraints: '>99999999999999.0.0', values: {{workload_name: a}}}}\n"
        ),
    );
    let state = user.state();
    user.run(&[&ADD[..], &["--yes"]].concat())
        .expect_code(2)
        .says(&format!("{OTHER} on prod1: {OTHER} {VERSION} will not take these values"))
        .says(&format!("{OTHER} on prod2: no version of {OTHER} can be selected"))
        .does_not_say(&format!("{PACKAGE} on prod1"));
    assert_eq!(state, user.state(), "something was written");

    user.write("deliveries.yaml", &format!("deliveries:\n- {{runcluster: prod1, package: {PACKAGE}}}\n"));
    user.run(&[&ADD[..], &["--yes"]].concat())
        .expect_code(2)
        .says("deliveries.yaml line 2: `runcluster` is no key of a delivery; did you mean `runCluster`?");
    user.run(&[&ADD[..], &["--package", PACKAGE, "--yes"]].concat()).expect_code(2).says("cannot be used with");
}

fn one_that_fails_is_told_by_itself(testbed: &Testbed) {
    let user = with_two_packages(testbed, "many-fails", Variant::FailsToTemplate);
    write_list(&user, &["prod1"]);
    let output = user.run(&[&ADD[..], &["--yes"]].concat()).expect_code(1).says("1 of 2 deliveries is not ready");
    assert!(output.stdout.contains(&format!("{PACKAGE} on prod1  ready  {VERSION}\n")), "{output}");
    assert!(output.stdout.contains(&format!("{OTHER} on prod1  failed  template\n")), "{output}");
}

fn several_packages_of_one_run_cluster(testbed: &Testbed) {
    let user = with_two_packages(testbed, "many-flags", Variant::Works);
    let target = user.workspace.target_namespace();
    let packages = ["add-cluster", "prod1", "--run-context", "prod1", "--package", PACKAGE, "--package", OTHER];
    let all = [&packages[..], &["--target-namespace", target, "--yes"]].concat();
    user.run(&[&all[..], &["--set", "replicas=2"]].concat()).expect_code(2).says("--set would be about 2 packages");
    user.run(&all).expect_code(2).says(&format!("{OTHER} on prod1: {OTHER} {VERSION} will not take these values"));
    // What Git holds is kept.
    write_list(&user, &["prod1"]);
    user.run(&[&ADD[..], &["--yes"]].concat()).expect_code(0);
    let commits = commits(&user);
    let labelled = user.run(&[&all[..], &["--label", "team=blue"]].concat()).expect_code(0);
    assert_eq!(labelled.stdout.lines().count(), 2, "{labelled}");
    for package in [PACKAGE, OTHER] {
        let name = format!("{package}-prod1-packages");
        let kustomization = user.get("build", user.workspace.build_namespace(), "kustomization", &name);
        assert_eq!(kustomization["metadata"]["labels"]["team"], "blue", "{kustomization:#}");
    }
    assert_eq!(commits, crate::many::commits(&user), "nothing has changed in Git");
}
