//! Values from the schema to the application: shown, checked before anything is written, set one by one, and read back.

use testbed::{PackageVersion, Testbed};

use crate::Test;
use crate::many::OTHER;
use crate::support::{PACKAGE, User, VALUES_FILE, VERSION};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("values::are_shown_checked_set_and_read_back", shown_checked_and_set),
    ("values::of_what_flux_takes", of_what_flux_takes),
    ("values::of_the_repository_that_flux_knows", of_the_repository_that_flux_knows),
];

fn shown_checked_and_set(testbed: &Testbed) {
    let user = User::new(testbed, "schema");
    user.bootstrap().expect_code(0);
    user.run(&["values", PACKAGE]).expect_code(0).says(VERSION).says("workload_name").says("required");
    let file = user.run(&["values", PACKAGE, "-o", "yaml"]).expect_code(0).says("\nworkload_name: \"\"\n").stdout;
    let repository = user.workspace.repository();
    user.run(&["values", "--git-url", repository.url(), "--branch", "main"]).expect_code(0).says(PACKAGE).says(VERSION);

    // The file is ready for use once what is required is filled in.
    let before = user.state();
    user.write("values.yaml", &file);
    user.add_cluster("prod1").expect_code(2).says("workload_name must not be empty");
    assert_eq!(before, user.state(), "something was written");
    user.write("values.yaml", &file.replace("workload_name: \"\"", "workload_name: hello-app"));
    user.add_cluster("prod1").expect_code(0).says("ready");

    let complete = user.add_cluster_arguments("prod1", "prod1");
    let at = complete.iter().position(|argument| *argument == "--values").expect("the flag is given");
    let set = |more: &[&str]| user.run(&[&complete[..at], &complete[at + 2..], more].concat());
    let before = user.state();
    set(&["--set", "replica=2", "--set", "port=fake-secret", "--set-string", "replicas=fake-secret"])
        .expect_code(2)
        .says("did you mean replicas?")
        .says("--set port: port is text")
        .says("--set-string replicas: replicas is text")
        .does_not_say("fake-secret");
    set(&["--set", "replicas[0]=1"]).expect_code(2).says("leads nowhere");
    assert_eq!(before, user.state(), "something was written");

    set(&["--set", "replicas=2", "--set-string", "hostname=5"]).expect_code(0).says("ready");
    user.assert_replicas(2);
    let held = user.run(&["values", PACKAGE, "--run-cluster", "prod1"]).expect_code(0).says("replicas: 2");
    assert!(held.stdout.contains("hostname: \"5\"") && held.stdout.contains("# values of"), "{held}");
    set(&["--set", "replicas=2"]).expect_code(0).says("nothing to change");

    // What somebody has committed themselves is judged, too.
    user.edit(VALUES_FILE, |text| text.replace("replicas: 2", "no_such_value: 2"));
    set(&["--set", "port=8080"]).expect_code(2).says("no_such_value is no key of this package").says(VALUES_FILE);
}

fn of_what_flux_takes(testbed: &Testbed) {
    let user = User::new(testbed, "taken");
    user.bootstrap().expect_code(0);
    let repository = user.workspace.repository();
    let draft = format!("{PACKAGE}/packages/draft.yaml");
    let files = [(draft.as_str(), Some("a: b: c\n")), ("broken.default.tap/packages/1.yaml", Some("a: b: c\n"))];
    repository.commit(&files, "Write what is no YAML").expect("a commit");
    let list = ["values", "--git-url", repository.url(), "--branch", "main"];
    user.run(&list).expect_code(1).says("broken.default.tap is not listed").says("the repository has no packages");
    repository.commit(&[(".sourceignore", Some("draft.yaml\n"))], "Leave the draft out").expect("a commit");
    let listed = user.run(&list).expect_code(0).says(VERSION).says("packages/1.yaml is not valid YAML at line 1");
    assert!(!listed.stdout.contains("broken"), "{listed}");
    user.run(&["values", PACKAGE]).expect_code(0).says("workload_name");
    user.add_cluster("prod1").expect_code(0).says("ready");
}

fn of_the_repository_that_flux_knows(testbed: &Testbed) {
    let user = User::new(testbed, "known");
    user.run(&["values"]).expect_code(2).says("no GitOps repository is known in namespace").says("`bootstrap`");
    user.bootstrap().expect_code(0);
    user.run(&["values"]).expect_code(0).says(PACKAGE).says(VERSION);

    let repository = user.workspace.repository();
    testbed.publish(repository, &PackageVersion::new(OTHER, VERSION)).expect("a package");
    // A package that nobody has made known yet is found, too.
    user.run(&["values"]).expect_code(0).says(PACKAGE).says(OTHER);
    repository.git(&["branch", "stable", "main"]).expect("a branch");
    user.run(&["bootstrap", OTHER, "--git-url", repository.url(), "--branch", "stable", "--yes"]).expect_code(0);
    user.run(&["values"]).expect_code(2).says("2 GitOps repositories are known").says("branch stable");
    user.run(&["values", OTHER]).expect_code(0).says("workload_name");
}
