//! How the plugin changes files that people have written, and in checkouts that they work in: what it does not have to change
//! stays as it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use testbed::Testbed;

use crate::Test;
use crate::support::{INSTALL_FILE, PACKAGE, User, VALUES_FILE};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("files::single_values_leave_the_rest_as_it_is_written", single_values),
    ("files::in_a_checkout_of_the_users_own", own_checkout),
    ("files::in_a_sparse_checkout_with_hooks", sparse_checkout),
];

/// Runs Git as a person would, with nothing of the machine's configuration.
fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(directory).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
}

/// Returns the URL with which Git itself gets in.
fn url_with_password(user: &User<'_>) -> String {
    let repository = user.workspace.repository();
    repository.url().replace("://", &format!("://{}:{}@", repository.username(), repository.password()))
}

/// Clones the repository into the user's working directory, and begins something there.
fn clone(user: &User<'_>) -> PathBuf {
    let readme = user.write("README.md", "# Ours\n");
    let directory = readme.with_file_name("gitops");
    git(readme.parent().expect("a directory"), &["clone", "--quiet", &url_with_password(user), "gitops"]);
    git(&directory, &["remote", "set-url", "origin", user.workspace.repository().url()]);
    std::fs::copy(readme, directory.join("README.md")).expect("a copy");
    git(&directory, &["add", "README.md"]);
    directory
}

/// Values as a person writes them.
const VALUES: &str = "# Who it is.
workload_name: 'hello-app' # as in the guide

replicas: 2 # two will do
hostname: \"5\"
";

fn single_values(testbed: &Testbed) {
    let user = User::new(testbed, "as-written");
    user.bootstrap().expect_code(0);
    user.write("values.yaml", VALUES);
    user.add_cluster("prod1").expect_code(0).says("ready");
    let before = user.workspace.repository().read(VALUES_FILE).expect("Git").expect("the values");

    let complete = user.add_cluster_arguments("prod1", "prod1");
    let at = complete.iter().position(|argument| *argument == "--values").expect("the flag is given");
    let set = [&complete[..at], &complete[at + 2..], &["--set", "replicas=1"]].concat();
    user.run(&set).expect_code(0).says("ready");
    user.assert_replicas(1);
    let after = user.workspace.repository().read(VALUES_FILE).expect("Git").expect("the values");
    let without_name = |text: &str| {
        text.lines()
            .filter(|line| !line.contains("name: hello-app.default.tap-values"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(without_name(&before.replace("replicas: 2", "replicas: 1")), without_name(&after));
    user.run(&set).expect_code(0).says("nothing to change");
}

fn own_checkout(testbed: &Testbed) {
    let user = User::new(testbed, "own-checkout");
    user.bootstrap().expect_code(0);
    let directory = clone(&user);
    let begun = || git(&directory, &["diff", "--cached", "--stat"]);
    let begun_before = begun();
    let complete = user.add_cluster_arguments("prod1", "prod1");
    let add = [&complete[..], &["--repo-dir", "gitops"]].concat();

    let before = user.state();
    user.run(&[&add[..], &["--no-push", "--set", "hostname=fake-secret"]].concat())
        .expect_code(0)
        .says("hello-app.default.tap on prod1  committed")
        .says("gitops push origin main")
        .says("kubectl carvelflux add-cluster prod1")
        .does_not_say("fake-secret")
        .does_not_say("created");
    assert_eq!(before, user.state(), "nothing but the commit was made");
    user.run(&add).expect_code(1).says("has commits on main that").says("gitops push origin main");
    assert_eq!(before, user.state(), "something was written");
    git(&directory, &["push", "--quiet", &url_with_password(&user), "main"]);
    user.run(&add).expect_code(0).says("ready");
    assert_eq!(git(&directory, &["rev-parse", "HEAD"]), user.workspace.repository().head().expect("Git"));
    assert_eq!(begun_before, begun());

    std::fs::write(directory.join(INSTALL_FILE), "# begun\n").expect("a file");
    let constraints = ["--version-constraints", ">=1.0.0"];
    user.run(&[&add[..], &constraints].concat())
        .expect_code(1)
        .says("holds changes that are not committed")
        .says(INSTALL_FILE);
    git(&directory, &["restore", INSTALL_FILE]);
    user.run(&[&add[..], &constraints].concat()).expect_code(0).says("pushed").says("ready");
    git(&directory, &["switch", "--quiet", "--create", "topic"]);
    user.run(&add).expect_code(2).says("on the branch topic, and not on main").says("gitops switch main");
    git(&directory, &["switch", "--quiet", "main"]);

    let remove = ["remove-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--yes"];
    user.run(&[&remove[..], &["--repo-dir", "gitops"]].concat()).expect_code(0).says("removed");
    assert_eq!(git(&directory, &["rev-parse", "HEAD"]), user.workspace.repository().head().expect("Git"));
    assert!(!directory.join(INSTALL_FILE).exists() && directory.join("README.md").exists());
    assert_eq!(begun_before, begun());
}

/// Has Git run a script at a point of each commit.
fn hook(directory: &Path, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let hook = directory.join(".git/hooks").join(name);
    std::fs::create_dir_all(hook.parent().expect("a directory")).expect("a directory");
    std::fs::write(&hook, format!("#!/bin/sh\n{script}\n")).expect("a hook");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("a hook that can run");
}

fn sparse_checkout(testbed: &Testbed) {
    let user = User::new(testbed, "sparse");
    user.bootstrap().expect_code(0);
    let directory = clone(&user);
    git(&directory, &["sparse-checkout", "set", "docs"]);
    assert!(!directory.join(PACKAGE).exists(), "the checkout leaves the package out");
    let begun = || git(&directory, &["status", "--porcelain"]);
    let begun_before = begun();
    let complete = user.add_cluster_arguments("prod1", "prod1");
    let add = [&complete[..], &["--repo-dir", "gitops"]].concat();

    let before = user.state();
    hook(&directory, "pre-commit", "echo 'not on a Sunday' >&2; exit 1");
    user.run(&add).expect_code(1).says("git refuses the commit; nothing was pushed").says("not on a Sunday");
    assert_eq!((before, begun_before.clone()), (user.state(), begun()), "something was written");
    hook(&directory, "pre-commit", "exit 0");
    hook(&directory, "commit-msg", "printf '\\nTicket: OPS-7\\n' >> \"$1\"");
    user.run(&add).expect_code(0).says("ready");
    assert!(git(&directory, &["log", "-1", "--format=%B"]).contains("Ticket: OPS-7"));
    let repository = user.workspace.repository();
    assert_eq!(git(&directory, &["rev-parse", "HEAD"]), repository.head().expect("Git"));
    assert_eq!(begun_before, begun());

    let remove = ["remove-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--yes"];
    user.run(&[&remove[..], &["--repo-dir", "gitops", "--no-push"]].concat())
        .expect_code(0)
        .says("removed")
        .says("gitops push origin main");
    assert!(repository.read(INSTALL_FILE).expect("Git").is_some(), "nothing was pushed");
    git(&directory, &["push", "--quiet", &url_with_password(&user), "main"]);
    assert_eq!(repository.read(INSTALL_FILE).expect("Git"), None);
    assert_eq!(begun_before, begun());
}
