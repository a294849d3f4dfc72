//! What bad input gets: a sentence that names the thing and the next step, and not a single write.

use testbed::Testbed;

use crate::Test;
use crate::support::{Output, PACKAGE, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("bad_input::wrong_context", wrong_context),
    ("bad_input::unreachable_cluster", unreachable_cluster),
    ("bad_input::missing_flux", missing_flux),
    ("bad_input::missing_kapp_controller", missing_kapp_controller),
    ("bad_input::package_that_is_not_in_the_repository", unknown_package),
    ("bad_input::run_cluster_names", run_cluster_names),
    ("bad_input::bad_git_password", bad_git_password),
    ("bad_input::values_that_are_no_mapping", values_that_are_no_mapping),
    ("bad_input::constraints_that_match_nothing", constraints_that_match_nothing),
    ("bad_input::missing_answers_are_named_at_once", missing_answers),
    ("bad_input::missing_namespaces", missing_namespaces),
    ("bad_input::unknown_deliveries", unknown_deliveries),
    ("bad_input::passwords_of_several_lines", passwords_of_several_lines),
    ("bad_input::paths_and_names_that_kapp_controller_refuses", paths_and_names),
    ("bad_input::an_empty_repository", empty_repository),
    ("bad_input::a_protected_branch", protected_branch),
];

/// Runs something that must be refused, and proves that nothing was written anywhere.
pub(crate) fn refused(user: &User<'_>, arguments: &[&str], code: i32) -> Output {
    let before = user.state();
    let output = user.run(arguments).expect_code(code).says("Error:").says("Hint:").does_not_say("✔");
    assert_eq!(before, user.state(), "{output}");
    output
}

fn bootstrapped<'a>(testbed: &'a Testbed, name: &str) -> User<'a> {
    let user = User::new(testbed, name);
    user.bootstrap().expect_code(0);
    user
}

/// Replaces one argument of a complete `add-cluster`.
fn add_cluster_with<'a>(user: &'a User<'_>, flag: &str, value: &'a str) -> Vec<&'a str> {
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    let at = arguments.iter().position(|argument| *argument == flag).expect("the flag is given");
    arguments[at + 1] = value;
    arguments
}

fn wrong_context(testbed: &Testbed) {
    let user = bootstrapped(testbed, "context");
    let url = user.workspace.repository().url();
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", url, "--branch", "main", "--yes", "--context", "nowhere"];
    refused(&user, &bootstrap, 2).says("no context `nowhere`").says("build, prod1, prod2");
    refused(&user, &add_cluster_with(&user, "--run-context", "nowhere"), 2).says("--run-context").says("prod1");
    refused(&user, &["wait", "--context", "nowhere"], 2).says("no context `nowhere`");
}

fn unreachable_cluster(testbed: &Testbed) {
    let user = bootstrapped(testbed, "unreachable");
    let kubeconfig = std::fs::read_to_string(user.workspace.kubeconfig()).expect("the kubeconfig");
    let mut document: serde_json::Value = serde_yaml::from_str(&kubeconfig).expect("YAML");
    for cluster in document["clusters"].as_array_mut().expect("clusters") {
        // Nothing listens on the discard port.
        cluster["cluster"]["server"] = "https://127.0.0.1:9".into();
    }
    let path = user.write("unreachable.yaml", &document.to_string());
    let path = path.to_str().expect("UTF-8");
    let url = user.workspace.repository().url();
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", url, "--branch", "main", "--yes", "--kubeconfig", path];
    refused(&user, &bootstrap, 1).says("the build cluster (context `build`) is not reachable at https://127.0.0.1:9");
    let mut add = user.add_cluster_arguments("prod1", "prod1");
    add.extend(["--run-kubeconfig", path]);
    refused(&user, &add, 1).says("the run cluster `prod1` (context `prod1`) is not reachable").says("refused");
}

fn missing_flux(testbed: &Testbed) {
    let user = User::new(testbed, "no-flux");
    let url = user.workspace.repository().url();
    let namespace = user.workspace.target_namespace();
    let bootstrap =
        ["bootstrap", PACKAGE, "--git-url", url, "--branch", "main", "--yes", "--context", "prod1", "-n", namespace];
    refused(&user, &bootstrap, 1)
        .says("Flux is not complete on the build cluster (context `prod1`)")
        .says("flux install");
}

fn missing_kapp_controller(testbed: &Testbed) {
    let user = bootstrapped(testbed, "no-kapp");
    let mut arguments = add_cluster_with(&user, "--run-context", "build");
    let at = arguments.iter().position(|argument| *argument == "--target-namespace").expect("the flag is given");
    arguments[at + 1] = user.workspace.build_namespace();
    refused(&user, &arguments, 1).says("kapp-controller is not installed on the run cluster `prod1` (context `build`)");
}

fn unknown_package(testbed: &Testbed) {
    let user = User::new(testbed, "no-package");
    let url = user.workspace.repository().url();
    refused(&user, &["bootstrap", "helo-app.default.tap", "--git-url", url, "--branch", "main", "--yes"], 1)
        .says("helo-app.default.tap")
        .says(PACKAGE);
    refused(&user, &["bootstrap", PACKAGE, "--git-url", url, "--branch", "trunk", "--yes"], 1).says("trunk");
}

fn run_cluster_names(testbed: &Testbed) {
    let user = bootstrapped(testbed, "names");
    refused(&user, &user.add_cluster_arguments("packages", "prod1"), 2).says("cannot be named `packages`");
    let long = "r".repeat(47 - PACKAGE.len());
    refused(&user, &user.add_cluster_arguments(&long, "prod1"), 2)
        .says("would have 64 characters")
        .says("at least 1 character");
    refused(&user, &user.add_cluster_arguments("Prod_1", "prod1"), 2).says("`Prod_1`");
}

fn bad_git_password(testbed: &Testbed) {
    let mut user = User::new(testbed, "password");
    let url = user.workspace.repository().url().to_owned();
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main", "--yes"];
    user.set("GIT_PASSWORD", "fake-wrong-password");
    refused(&user, &bootstrap, 1).says("--git-password-file").does_not_say("fake-wrong-password");
    user.set("GIT_USERNAME", "");
    user.set("GIT_PASSWORD", "");
    refused(&user, &bootstrap, 1).says("--git-username");

    user.set("GIT_USERNAME", &user.workspace.repository().username());
    let password = user.workspace.repository().password();
    let mut arguments = bootstrap.to_vec();
    arguments.extend(["--git-password-file", "-"]);
    user.run_with_input(&arguments, &format!("{password}\n")).expect_code(0).says("fetched");

    user.set("GIT_PASSWORD", "fake-wrong-password");
    refused(&user, &user.add_cluster_arguments("prod1", "prod1"), 1).says("--git-password-file");
    user.set("GIT_USERNAME", &user.workspace.repository().read_only_username());
    user.set("GIT_PASSWORD", &user.workspace.repository().read_only_password());
    refused(&user, &user.add_cluster_arguments("prod1", "prod1"), 1).says("push");
}

fn values_that_are_no_mapping(testbed: &Testbed) {
    let user = bootstrapped(testbed, "values");
    for (name, content) in [("list.yaml", "- fake-secret\n"), ("broken.yaml", "a: [fake-secret\n"), ("empty.yaml", "")]
    {
        user.write(name, content);
        refused(&user, &add_cluster_with(&user, "--values", name), 2).says(name).does_not_say("fake-secret");
    }
    refused(&user, &add_cluster_with(&user, "--values", "absent.yaml"), 2).says("absent.yaml");
}

fn constraints_that_match_nothing(testbed: &Testbed) {
    let user = bootstrapped(testbed, "constraints");
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--version-constraints", "20261122120000.0.0"]);
    refused(&user, &arguments, 2).says("20261122120000.0.0+build.abc1234").says("--version-constraints");
    let at = arguments.len() - 1;
    arguments[at] = "=>";
    refused(&user, &arguments, 2).says("invalid");
}

fn missing_answers(testbed: &Testbed) {
    let user = User::new(testbed, "answers");
    refused(&user, &["bootstrap"], 2).says("PACKAGE, --git-url, --branch, --yes");
    refused(&user, &["add-cluster"], 2).says("RUN_CLUSTER, --package, --run-context, --target-namespace, --yes");
}

fn missing_namespaces(testbed: &Testbed) {
    let user = bootstrapped(testbed, "namespaces");
    refused(&user, &add_cluster_with(&user, "--target-namespace", "nowhere"), 1)
        .says("has no namespace `nowhere`")
        .says("create namespace nowhere");
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["-n", "elsewhere"]);
    refused(&user, &arguments, 1).says("elsewhere");
}

fn unknown_deliveries(testbed: &Testbed) {
    let user = bootstrapped(testbed, "unknown");
    refused(&user, &["wait"], 1).says("there are no deliveries in namespace").says("add-cluster");
    refused(&user, &["wait", "--run-cluster", "prod9"], 2).says("no delivery to prod9");
}

fn passwords_of_several_lines(testbed: &Testbed) {
    let mut user = User::new(testbed, "lines");
    let url = user.workspace.repository().url().to_owned();
    let password = user.workspace.repository().password();
    user.set("GIT_PASSWORD", "");
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main", "--yes", "--git-password-file"];
    let with = |file| [&bootstrap[..], &[file]].concat();
    user.write("two-lines", &format!("{password}\nfake-second-line\n"));
    refused(&user, &with("two-lines"), 2).says("line break").does_not_say("fake-second-line");
    user.write("blank-lines", &format!("{password}\r\n\n"));
    user.run(&with("blank-lines")).expect_code(0).says("fetched");
}

fn paths_and_names(testbed: &Testbed) {
    let user = User::new(testbed, "paths");
    let repository = user.workspace.repository();
    let file =
        repository.files().expect("Git").into_iter().find(|file| file.contains("/packages/")).expect("a package");
    let package = repository.read(&file).expect("Git").expect("a file");
    let two_segments = package.replace(PACKAGE, "hello.tap");
    repository
        .commit(
            &[(&format!("deep/er/{file}"), Some(&package)), ("hello.tap/packages/one.yaml", Some(&two_segments))],
            "Add packages elsewhere",
        )
        .expect("a commit");
    let url = repository.url();
    let deep = format!("./deep/er/{PACKAGE}/");
    user.run(&["bootstrap", &deep, "--git-url", url, "--branch", "main", "--yes"]).expect_code(0);
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    let at = arguments.iter().position(|argument| *argument == "--package").expect("the flag is given") + 1;
    arguments[at] = &deep;
    user.run(&arguments).expect_code(0).says("ready");
    user.run(&arguments).expect_code(0).says("nothing to change");

    user.run(&["bootstrap", "hello.tap", "--git-url", url, "--branch", "main", "--yes"]).expect_code(0);
    arguments[at] = "hello.tap";
    refused(&user, &arguments, 1).says("fewer than three segments");
    arguments[at] = &deep;
    arguments.extend(["--version-constraints", " "]);
    refused(&user, &arguments, 2).says("--version-constraints is empty");
}

fn empty_repository(testbed: &Testbed) {
    let user = User::new(testbed, "empty");
    let repository = user.workspace.repository();
    repository.git(&["update-ref", "-d", "refs/heads/main"]).expect("Git");
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", repository.url(), "--branch", "main", "--yes"];
    refused(&user, &bootstrap, 1)
        .says(&format!("{} has no branch main", repository.url()))
        .says("the repository is empty: let the supply chain push a package first");
    refused(&user, &["values", "--git-url", repository.url(), "--branch", "main"], 1).says("the repository is empty");
}

fn protected_branch(testbed: &Testbed) {
    let user = bootstrapped(testbed, "protected");
    let repository = user.workspace.repository();
    let said = "GitLab: You are not allowed to push code to protected branches on this project.";
    repository.judge_pushes(&format!("echo '{said}' >&2; exit 1")).expect("a hook");
    let head = repository.head().expect("Git");
    refused(&user, &user.add_cluster_arguments("prod1", "prod1"), 1)
        .says(&format!("{} refuses changes to the branch main; nothing was pushed", repository.url()))
        .says(&format!("the server says: {said}"))
        .says("nothing was written on a cluster")
        .says("let Flux follow a branch that you may push to");
    assert_eq!(head, repository.head().expect("Git"));
}
