//! Many deliveries with one command: one preflight, one commit, one result for each.

use testbed::{PackageVersion, Testbed};

use crate::Test;
use crate::support::{PACKAGE, User, VERSION};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("many::several_packages_of_one_run_cluster", several_packages_of_one_run_cluster)];

const OTHER: &str = "other-app.default.tap";

/// Makes a second package known beside the first.
fn with_two_packages<'a>(testbed: &'a Testbed, name: &str) -> User<'a> {
    let user = User::new(testbed, name);
    let repository = user.workspace.repository();
    testbed.publish(repository, &PackageVersion::new(OTHER, VERSION)).expect("a package");
    user.bootstrap().expect_code(0);
    user.run(&["bootstrap", OTHER, "--git-url", repository.url(), "--branch", "main", "--yes"]).expect_code(0);
    user.write("other.yaml", "workload_name: other-app\n");
    user
}

fn several_packages_of_one_run_cluster(testbed: &Testbed) {
    let user = with_two_packages(testbed, "many");
    let target = user.workspace.target_namespace();
    let place = ["add-cluster", "prod1", "--run-context", "prod1", "--target-namespace", target, "--yes"];
    let all = [&place[..], &["--package", PACKAGE, "--package", OTHER]].concat();
    let state = user.state();
    user.run(&[&all[..], &["--set", "replicas=2"]].concat()).expect_code(2).says("--set would be about 2 packages");
    // Both require a value.
    user.run(&all)
        .expect_code(2)
        .says(&format!("{PACKAGE} on prod1: {PACKAGE} {VERSION} will not take these values"))
        .says(&format!("{OTHER} on prod1: {OTHER} {VERSION} will not take these values"));
    assert_eq!(state, user.state(), "something was written");

    for (package, values) in [(PACKAGE, "values.yaml"), (OTHER, "other.yaml")] {
        user.run(&[&place[..], &["--package", package, "--values", values]].concat()).expect_code(0);
    }
    let commits = user.workspace.repository().log().expect("Git").len();
    let both = user.run(&all).expect_code(0).says("nothing to change");
    for package in [PACKAGE, OTHER] {
        assert!(both.stdout.contains(&format!("{package} on prod1  ready  {VERSION}\n")), "{both}");
    }
    let changed = [&all[..], &["--sync-period", "5m", "--label", "team=blue"]].concat();
    let changed = user.run(&changed).expect_code(0).says("This will deliver 2 packages to the run cluster `prod1`");
    assert_eq!(changed.stdout.lines().count(), 2, "{changed}");
    for package in [PACKAGE, OTHER] {
        let name = format!("{package}-prod1-packages");
        let kustomization = user.get("build", user.workspace.build_namespace(), "kustomization", &name);
        assert_eq!(kustomization["metadata"]["labels"]["team"], "blue", "{kustomization:#}");
        let install = user.get("prod1", target, "packageinstall", package);
        assert!(install["spec"]["syncPeriod"].as_str().is_some_and(|period| period.starts_with("5m")), "{install:#}");
    }
    let log = user.workspace.repository().log().expect("Git");
    assert_eq!(log.len(), commits + 1, "one commit for both: {log:?}");
    assert_eq!(log[0], format!("Deliver {PACKAGE}, {OTHER} to prod1"));
}
