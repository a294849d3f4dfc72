//! Deliveries and removals by pull request, where nobody may push to the branch that Flux follows.

use testbed::{Repository, Testbed, Variant};

use crate::Test;
use crate::many;
use crate::support::{INSTALL_FILE, PACKAGE, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("pull_requests::deliver_and_remove", deliver_and_remove),
    ("pull_requests::one_for_several_deliveries", one_for_several_deliveries),
];

/// A server that lets nobody push to `main`, and offers pull requests.
const PROTECTED: &str = r#"while read -r old new name; do
    if [ "$name" = refs/heads/main ]; then echo 'main is protected' >&2; exit 1; fi
    printf 'Create a pull request:\n  https://git.example.com/new/%s\n' "${name#refs/heads/}" >&2
done"#;

/// Merges a branch as servers do by default for small teams: one new commit, and the branch is deleted.
fn squash(repository: &Repository, branch: &str) {
    let git = |arguments: &[&str]| repository.git(arguments).expect("Git").trim().to_owned();
    let tree = git(&["merge-tree", "--write-tree", "main", branch]);
    let commit = git(&["commit-tree", &tree, "-p", "main", "-m", "Squashed"]);
    git(&["update-ref", "refs/heads/main", &commit]);
    git(&["update-ref", "-d", &format!("refs/heads/{branch}")]);
}

/// Returns the last line that is a command.
fn last_command(output: &str) -> Vec<String> {
    let line = output.lines().rfind(|line| line.contains("kubectl carvelflux")).expect("a command");
    line.split_whitespace().skip(2).map(str::to_owned).collect()
}

fn deliver_and_remove(testbed: &Testbed) {
    let user = User::new(testbed, "pull-request");
    user.bootstrap().expect_code(0);
    let repository = user.workspace.repository();
    repository.judge_pushes(PROTECTED).expect("a hook");
    let before = user.state();
    let complete = user.add_cluster_arguments("prod1", "prod1");
    user.run(&complete).expect_code(1).says("--push-branch BRANCH");

    let with_branch = [&complete[..], &["--push-branch", "deliver", "--set", "hostname=fake-secret"]].concat();
    let pushed = user
        .run(&with_branch)
        .expect_code(0)
        .says("branch deliver")
        .says("https://git.example.com/new/deliver")
        .says("hello-app.default.tap on prod1  committed")
        .does_not_say("fake-secret")
        .does_not_say("created");
    let finish = last_command(&pushed.stderr);
    let finish: Vec<&str> = finish.iter().map(String::as_str).collect();
    let count = || repository.git(&["rev-list", "--count", "main..deliver"]).expect("Git").trim().to_owned();
    assert_eq!(count(), "1");
    let again = user.run(&with_branch).expect_code(0).says("nothing to change");
    assert_eq!((count().as_str(), last_command(&again.stderr)), ("1", last_command(&pushed.stderr)));
    user.run(&[&finish[..], &["--timeout", "5s"]].concat())
        .expect_code(3)
        .says("hello-app.default.tap/prod1")
        .says("merge it, then run the same command again");
    user.run(&[&finish[..], &["--dry-run"]].concat()).expect_code(3).says("does not hold");
    assert_eq!(before, user.state(), "something was written");

    let (mut child, mut said) = user.start(&finish);
    said.find(|line| line.contains("waiting for the merge")).expect("the wait for the merge");
    repository.commit(&[("README.md", Some("# Ours\n"))], "Meanwhile").expect("a commit");
    squash(repository, "deliver");
    let rest: Vec<String> = said.collect();
    assert!(child.wait().expect("its end").success(), "{rest:#?}");
    user.assert_replicas(2);
    user.run(&finish).expect_code(0).says("nothing to change");

    let before = user.state();
    let remove = ["remove-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--yes"];
    let with_branch = [&remove[..], &["--push-branch", "clean-up"]].concat();
    user.run(&with_branch).expect_code(0).says("https://git.example.com/new/clean-up").says("prod1  committed");
    user.run(&with_branch).expect_code(0).says("nothing to change").says("--yes --wait-for-merge");
    let finish = [&remove[..], &["--wait-for-merge"]].concat();
    user.run(&[&finish[..], &["--timeout", "5s"]].concat()).expect_code(3).says(INSTALL_FILE);
    assert_eq!(before, user.state(), "something was written");
    repository.git(&["update-ref", "refs/heads/main", "refs/heads/clean-up"]).expect("a merge");
    user.run(&finish).expect_code(0).says("removed");
    assert_eq!(repository.read(INSTALL_FILE).expect("Git"), None);
}

fn one_for_several_deliveries(testbed: &Testbed) {
    let user = many::with_two_packages(testbed, "pull-request-list", Variant::Works);
    let repository = user.workspace.repository();
    repository.judge_pushes(PROTECTED).expect("a hook");
    many::write_list(&user, &["prod1"]);
    let pushed = user
        .run(&[&many::ADD[..], &["--push-branch", "deliver", "--yes"]].concat())
        .expect_code(0)
        .says("https://git.example.com/new/deliver");
    let finish = last_command(&pushed.stderr);
    let finish: Vec<&str> = finish.iter().map(String::as_str).collect();
    user.run(&[&finish[..], &["--timeout", "5s"]].concat())
        .expect_code(3)
        .says(&format!("in {PACKAGE}/prod1, {}/prod1", many::OTHER));
    squash(repository, "deliver");
    let merged = user.run(&finish).expect_code(0);
    assert_eq!(merged.stdout.matches("on prod1  ready").count(), 2, "{merged}");
}
