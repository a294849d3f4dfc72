//! `--dry-run`, `--diff`, `--export` and `--wait=false`: what a command would do, without a single write, and without secrets.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testbed::Testbed;

use crate::Test;
use crate::kubeconfig_file::{own_kubeconfig, rules_of_the_guide};
use crate::support::{INSTALL_FILE, INSTALLS, PACKAGE, User, VALUES_FILE, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("preview::writes_nothing_and_shows_what_would_change", writes_nothing),
    ("preview::what_is_exported_is_what_a_token_takes", exported_token),
    ("preview::what_is_exported_is_what_impersonation_takes", exported_impersonation),
    ("preview::what_is_exported_is_what_a_kubeconfig_takes", exported_kubeconfig_file),
    ("preview::what_is_exported_is_what_a_workload_identity_takes", exported_identity),
    ("preview::without_waiting", without_waiting),
    ("preview::what_fails_is_no_difference", failures),
];

const SECRET_VALUE: &str = "fake-secret-value-of-the-package";

/// Runs a command in each of its previews, none of which writes anything; returns the diff.
fn previews(user: &User<'_>, arguments: &[&str], differs: bool) -> String {
    let arguments: Vec<&str> = arguments.iter().copied().filter(|argument| *argument != "--yes").collect();
    let before = user.state();
    let run =
        |more: &[&str], code| user.run(&[&arguments[..], more].concat()).expect_code(code).does_not_say(SECRET_VALUE);
    run(&["--dry-run"], 0);
    let diff = run(&["--diff"], i32::from(differs)).stdout;
    run(&["--export"], 0);
    run(&["--export=exported"], 0);
    for (preview, outcome) in [("--dry-run", "previewed"), ("--diff", if differs { "different" } else { "same" })] {
        let output = user.run(&[&arguments[..], &[preview, "-o", "json"]].concat());
        let result: Value = serde_json::from_str(output.stdout.lines().last().unwrap_or_default()).expect("JSON");
        assert_eq!(result["outcome"], outcome, "{output}");
        assert_eq!(result["exitCode"], output.code, "{output}");
        assert_eq!(result["preview"]["changes"].as_array().is_some_and(|changes| !changes.is_empty()), differs);
    }
    assert_eq!(before, user.state(), "a preview of `{}` writes", arguments.join(" "));
    assert_eq!(user.temporary_files(), Vec::<PathBuf>::new());
    diff
}

fn writes_nothing(testbed: &Testbed) {
    let user = User::new(testbed, "preview");
    user.write("values.yaml", &format!("workload_name: hello-app\nhostname: {SECRET_VALUE}\n"));
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", user.workspace.repository().url(), "--branch", "main", "--yes"];
    let diff = previews(&user, &bootstrap, true);
    assert!(diff.contains(&format!("Secret {build}/{PACKAGE}-gitops-auth\n")), "{diff}");
    assert!(diff.contains("+  password: \"*** (after)\"\n"), "{diff}");
    user.run(&bootstrap).expect_code(0);
    assert_eq!(previews(&user, &bootstrap, false), "");

    let add = user.add_cluster_arguments("prod1", "prod1");
    let diff = previews(&user, &add, true);
    assert!(diff.contains("+  values.yml: \"*** (after)\"\n"), "{diff}");
    assert!(diff.contains(&format!("Kustomization {build}/{INSTALLS}\n")), "{diff}");
    assert!(diff.contains(&format!("main: {PACKAGE}/prod1/packageinstall.yaml\n")), "{diff}");
    user.run(&[&add[..], &["--dry-run"]].concat())
        .says(&format!("which is made first: Secret {build}/prod1-kubeconfig"));
    user.run(&add).expect_code(0);
    assert_eq!(previews(&user, &add, false), "");

    user.write("values.yaml", "workload_name: hello-app\nhostname: another-fake-secret-value\n");
    let diff = previews(&user, &add, true);
    assert!(
        diff.contains("-  values.yml: \"*** (before)\"") && diff.contains("+  values.yml: \"*** (after)\""),
        "{diff}"
    );
    assert!(!diff.contains("another-fake"), "{diff}");

    let diff = previews(&user, &["rotate", "prod1"], true);
    assert!(
        diff.contains("-  value.yaml: \"*** (before)\"") && diff.contains("+  value.yaml: \"*** (after)\""),
        "{diff}"
    );
    assert!(diff.contains("reconcile.fluxcd.io/requestedAt: (the time of the request)"), "{diff}");

    let diff = previews(&user, &["remove-cluster", "prod1", "--run-context", "prod1"], true);
    for gone in [
        format!("--- Git {} branch main: {VALUES_FILE}", user.workspace.repository().url()),
        format!("Kustomization {build}/{INSTALLS}\n"),
        format!("PackageInstall {target}/{PACKAGE}\n"),
        format!("Secret {build}/prod1-kubeconfig\n"),
    ] {
        assert!(diff.contains(&gone), "`{gone}` is missing in\n{diff}");
    }
    assert!(!diff.lines().any(|line| line.starts_with('+') && !line.starts_with("+++ /dev/null")), "{diff}");
}

/// Exports what a command would make, applies it as a person would, and returns what is left to do then.
fn export_and_apply(user: &User<'_>, arguments: &[&str], more: &[&str]) -> Value {
    let run = |last: &[&str]| user.run(&[arguments, last].concat());
    let export = [&["--export=exported"], more].concat();
    run(&export).expect_code(0);
    let directory = beside(user, "exported");
    let files = [INSTALL_FILE, VALUES_FILE].map(|path| (path, text(&directory.join("git").join(path))));
    let files: Vec<(&str, Option<&str>)> = files.iter().map(|(path, text)| (*path, Some(text.as_str()))).collect();
    user.workspace.repository().commit(&files, "Deliver by hand").expect("a commit");
    for (cluster, file) in [("prod1", "run-prod1.yaml"), ("build", "build.yaml")] {
        let file = directory.join(file).display().to_string();
        user.testbed.kubectl(cluster, &["apply", "-f", &file]).expect("kubectl apply");
    }
    let output = run(&["--dry-run", "-o", "json"]).expect_code(0);
    let result: Value = serde_json::from_str(&output.stdout).expect("one line of JSON");
    result["preview"]["changes"].clone()
}

/// Returns a path in the user's working directory.
fn beside(user: &User<'_>, name: &str) -> PathBuf {
    user.write("here", "").with_file_name(name)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the names of what would change.
fn names(changes: &Value) -> Vec<&str> {
    changes.as_array().expect("changes").iter().filter_map(|change| change["name"].as_str()).collect()
}

fn exported_token(testbed: &Testbed) {
    let user = User::new(testbed, "export");
    user.bootstrap().expect_code(0);
    let build = user.workspace.build_namespace();
    let arguments = user.add_cluster_arguments("prod1", "prod1");
    // What is redacted is accepted, and of no use.
    user.run(&[&arguments[..], &["--export=redacted"]].concat())
        .expect_code(0)
        .says(&format!("left out: Secret {build}/prod1-kubeconfig: its credential is made when the command runs"))
        .says("its values are redacted");
    let redacted = beside(&user, "redacted").join("git").join(VALUES_FILE);
    assert!(!text(&redacted).contains("workload_name") && text(&redacted).contains("***"), "{}", text(&redacted));

    let left = export_and_apply(&user, &arguments, &["--show-secrets"]);
    assert_eq!(names(&left), [format!("Secret {build}/prod1-kubeconfig")], "{left}");
    let values = beside(&user, "exported").join("git").join(VALUES_FILE);
    let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&values), 0o600, "it holds the values");
    assert_eq!(mode(&values.with_file_name("packageinstall.yaml")) & 0o600, 0o600);
    user.run(&arguments).expect_code(0).says("created Secret").does_not_say("pushed").says("ready");
    user.run(&[&arguments[..], &["--diff"]].concat()).expect_code(0);
}

fn exported_impersonation(testbed: &Testbed) {
    let user = User::new(testbed, "export-as");
    user.bootstrap().expect_code(0);
    user.workspace.allow_impersonation(testbed, "prod1").expect("the permission to grant impersonation");
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--impersonate", "default-ns-sa"]);
    let left = export_and_apply(&user, &arguments, &["--show-secrets"]);
    assert_eq!(names(&left), [format!("Secret {}/prod1-kubeconfig", user.workspace.build_namespace())], "{left}");
    user.run(&arguments).expect_code(0).says("ready");
}

fn exported_kubeconfig_file(testbed: &Testbed) {
    let user = User::new(testbed, "export-file");
    user.bootstrap().expect_code(0);
    let own = own_kubeconfig(&user, "prod1", &rules_of_the_guide());
    user.write("own.yaml", &own.to_string());
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--kubeconfig-file", "own.yaml"]);
    let token = own["users"][0]["user"]["token"].as_str().expect("a token");
    let secret = format!("Secret {}/prod1-kubeconfig", user.workspace.build_namespace());
    user.run(&[&arguments[..], &["--export"]].concat())
        .expect_code(0)
        .says(&format!("{secret}: its data is redacted (value.yaml)"))
        .does_not_say(token);
    let left = export_and_apply(&user, &arguments, &["--show-secrets"]);
    assert_eq!(left, json!([]), "the kubeconfig is the user's own");
    user.run(&arguments).expect_code(0).says("nothing to change").says("ready");
}

fn exported_identity(testbed: &Testbed) {
    let user = User::new(testbed, "export-none");
    user.bootstrap().expect_code(0);
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--auth", "workload-identity", "--audience", "prod1", "--identity-user", "flux"]);
    assert_eq!(export_and_apply(&user, &arguments, &["--show-secrets"]), json!([]), "nothing is stored");
}

fn without_waiting(testbed: &Testbed) {
    let user = User::new(testbed, "no-wait");
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", user.workspace.repository().url(), "--branch", "main", "--yes"];
    user.run(&[&bootstrap[..], &["--wait=false"]].concat()).expect_code(0).says(&format!("{PACKAGE}  applied"));
    user.run(&bootstrap).expect_code(0).says("fetched");
    let add = user.add_cluster_arguments("prod1", "prod1");
    user.run(&[&add[..], &["--wait=false"]].concat()).expect_code(0).says(&format!("{PACKAGE} on prod1  applied"));
    user.run(&["wait"]).expect_code(0).says("ready");

    let rotate = ["rotate", "prod1", "--yes", "--wait=false"];
    user.run(&rotate).expect_code(0).says("prod1  applied").says("the old credentials are still valid");
    let tokens = || user.everything().into_iter().filter(|name| name.contains("deployer-token")).count();
    assert_eq!(tokens(), 2, "the old one is not revoked");
    user.run(&rotate[..3]).expect_code(0).says("rotated");
    assert_eq!(tokens(), 1);

    let remove = ["remove-cluster", "prod1", "--run-context", "prod1", "--yes", "--wait=false"];
    user.run(&remove).expect_code(0).says("the removal of `prod1` has begun");
    eventually("Flux and kapp-controller delete what was installed", || {
        (user.get("prod1", target, "packageinstall", PACKAGE).is_null()
            && user.get("build", build, "kustomization", INSTALLS).is_null())
        .then_some(())
    });
    user.run(&remove[..5]).expect_code(0).says("removed");
    assert!(user.get("build", build, "secret", "prod1-kubeconfig").is_null());
}

fn failures(testbed: &Testbed) {
    let user = User::new(testbed, "no-diff");
    let add = user.add_cluster_arguments("prod1", "prod1");
    let output = user.run(&[&add[..], &["--diff", "-o", "json"]].concat()).expect_code(4);
    let error: Value = serde_json::from_str(output.stdout.lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!((&error["reason"], &error["exitCode"]), (&json!("failed"), &json!(4)), "{output}");
    user.run(&[&add[..], &["--dry-run"]].concat()).expect_code(1);
    user.run(&[&add[..], &["--export", "-o", "json"]].concat()).expect_code(2).says("--export=DIR");
    for conflict in [["--dry-run", "--diff"], ["--diff", "--export"], ["--dry-run", "--export=there"]] {
        user.run(&[&add[..], &conflict].concat()).expect_code(2).says("cannot be used with");
    }
    for preview in ["--diff", "--dry-run"] {
        let output = user.run(&[&add[..], &[preview, "--show-secrets"]].concat());
        output.expect_code(2).says("cannot be used with");
    }
    user.run(&[&add[..], &["--show-secrets"]].concat()).expect_code(2).says("--export");
}
