//! No secret comes out: every command at the highest verbosity, going well and going wrong, and everything that it prints or
//! passes on to other programs searched for the secrets that are used.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use testbed::Testbed;

use crate::Test;
use crate::credentials::as_flux;
use crate::kubeconfig_file::{own_kubeconfig, rules_of_the_guide};
use crate::support::{PACKAGE, User, VALUES_FILE, eventually};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("secrets::never_come_out", never_come_out), ("secrets::password_in_the_url_of_a_source", password_in_url)];

const SECRET_VALUE: &str = "fake-secret-value-of-the-package";
const WRONG_PASSWORD: &str = "fake-wrong-password-of-git";
const BROKEN_TOKEN: &str = "fake-token-in-a-broken-kubeconfig";

/// What shows most of what a command would do, with the exit code where it would do something.
const PREVIEWS: [(&str, i32); 2] = [("--diff", 1), ("--export", 0)];

/// A user whose every command is searched for secrets.
struct Searched<'a> {
    user: User<'a>,
    secrets: BTreeSet<String>,
    /// The arguments of every `git` so far, one run a line.
    record: PathBuf,
    path: OsString,
}

impl<'a> Searched<'a> {
    fn new(user: User<'a>) -> Self {
        let (record, path) = recording_git(&user);
        Self { user, secrets: BTreeSet::new(), record, path }
    }

    /// Adds a secret, and its forms in Secrets and in URLs.
    fn add(&mut self, secret: &str) {
        if secret.len() >= 8 {
            self.secrets.insert(carvelflux::testing::base64(secret.as_bytes()));
            self.secrets.insert(secret.to_owned());
        }
    }

    /// Adds the tokens and passwords that are in all Secrets of the two namespaces.
    fn add_stored(&mut self) {
        let places =
            [("build", self.user.workspace.build_namespace()), ("prod1", self.user.workspace.target_namespace())];
        let mut found = Vec::new();
        for (cluster, namespace) in places {
            let text = self.user.testbed.kubectl(cluster, &["-n", namespace, "get", "secrets", "-o", "json"]);
            let list: Value = serde_json::from_str(&text.expect("kubectl get")).expect("JSON");
            for secret in list["items"].as_array().into_iter().flatten() {
                for (key, value) in secret["data"].as_object().into_iter().flatten() {
                    let is_public = ["ca.crt", "namespace", "username"].contains(&key.as_str());
                    found.extend(value.as_str().filter(|_| !is_public).map(str::to_owned));
                }
            }
        }
        for encoded in found {
            let decoded = base64(&encoded);
            // A kubeconfig is not secret as a whole, its token is.
            match serde_json::from_str::<Value>(&decoded) {
                Ok(kubeconfig) => {
                    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap_or_default().to_owned();
                    self.add(&token);
                }
                Err(_) => self.add(&decoded),
            }
            self.secrets.insert(encoded);
        }
    }

    /// Runs a command as verbosely as possible, and searches what it prints and the arguments of every `git`.
    fn run(&mut self, arguments: &[&str], code: i32) {
        self.run_with(arguments, &[], code);
    }

    fn run_with(&mut self, arguments: &[&str], environment: &[(&str, &str)], code: i32) {
        let mut command = self.user.command();
        command.args(arguments).arg("-vv").envs(environment.iter().copied()).env("RUST_LOG", "trace");
        command.env("RUST_BACKTRACE", "full");
        let output = command.stdin(Stdio::null()).env("PATH", &self.path).output().expect("the plugin starts");
        let printed = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8")).concat();
        assert_eq!(output.status.code(), Some(code), "`{}` says:\n{printed}", arguments.join(" "));
        self.add_stored();
        let recorded = std::fs::read_to_string(&self.record).expect("the recording");
        for secret in &self.secrets {
            assert!(!printed.contains(secret.as_str()), "`{}` prints {secret}:\n{printed}", arguments.join(" "));
            let in_arguments = recorded.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(in_arguments, None, "`{}` passes {secret} on", arguments.join(" "));
        }
    }
}

/// Makes a `git` that writes down its arguments and then is the real one; returns the file and the PATH where it comes first.
fn recording_git(user: &User<'_>) -> (PathBuf, OsString) {
    let path = std::env::var_os("PATH").expect("a PATH");
    let real = std::env::split_paths(&path).map(|place| place.join("git")).find(|git| git.is_file()).expect("git");
    let record = user.write("arguments-of-git", "");
    let directory = record.with_file_name("recording");
    std::fs::create_dir(&directory).expect("a directory");
    let script = user.write(
        "recording/git",
        &format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{}'\nexec '{}' \"$@\"\n", record.display(), real.display()),
    );
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).expect("permissions");
    let path = std::env::join_paths(std::iter::once(directory).chain(std::env::split_paths(&path)));
    (record, path.expect("a PATH"))
}

/// Decodes what the API server encodes.
fn base64(encoded: &str) -> String {
    let bytes: k8s_openapi::ByteString = serde_json::from_value(json!(encoded)).expect("base64");
    String::from_utf8_lossy(&bytes.0).into_owned()
}

fn never_come_out(testbed: &Testbed) {
    let user = User::new(testbed, "secrets");
    let (url, password) = (user.workspace.repository().url().to_owned(), user.workspace.repository().password());
    let values = format!("workload_name: hello-app\nhostname: {SECRET_VALUE}\n");
    user.write("values.yaml", &values);
    user.write("bad-values.yaml", &format!("{values}no_such_value: {SECRET_VALUE}\n"));
    user.write("wrong-password", &format!("{WRONG_PASSWORD}\n"));
    let broken = format!("users: [{{name: flux, user: {{token: {BROKEN_TOKEN}\nclusters: {BROKEN_TOKEN}: [\n");
    user.write("broken.yaml", &broken);
    let own = own_kubeconfig(&user, "prod1", &rules_of_the_guide());
    user.write("own.yaml", &own.to_string());
    let own_token = own["users"][0]["user"]["token"].as_str().expect("a token").to_owned();
    let kubeconfig = std::fs::read_to_string(user.workspace.kubeconfig()).expect("the kubeconfig");
    let kubeconfig: Value = serde_yaml::from_str(&kubeconfig).expect("YAML");

    let mut searched = Searched::new(user);
    for secret in [SECRET_VALUE, WRONG_PASSWORD, BROKEN_TOKEN, &own_token, &password] {
        searched.add(secret);
    }
    for entry in kubeconfig["users"].as_array().expect("users") {
        for key in ["token", "client-key-data"] {
            searched.add(entry["user"][key].as_str().unwrap_or_default());
        }
    }

    let bootstrap = ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main", "--yes"];
    searched.run_with(
        &[&bootstrap[..], &["--git-password-file", "wrong-password"]].concat(),
        &[("GIT_PASSWORD", WRONG_PASSWORD)],
        1,
    );
    let with_password = url.replace("://", &format!("://somebody:{WRONG_PASSWORD}@"));
    searched.run(&["bootstrap", PACKAGE, "--git-url", &with_password, "--branch", "main", "--yes"], 2);
    for (preview, code) in PREVIEWS {
        searched.run(&[&bootstrap[..], &[preview]].concat(), code);
    }
    searched.run(&bootstrap, 0);

    let namespace = searched.user.workspace.target_namespace().to_owned();
    let add = |values: &'static str| -> Vec<&'static str> {
        vec![
            "add-cluster",
            "prod1",
            "--package",
            PACKAGE,
            "--run-context",
            "prod1",
            "--values",
            values,
            "--yes",
            "--target-namespace",
        ]
    };
    let added = |values, more: &[&'static str]| -> Vec<String> {
        let mut arguments: Vec<String> = add(values).into_iter().map(str::to_owned).collect();
        arguments.push(namespace.clone());
        arguments.extend(more.iter().map(|one| (*one).to_owned()));
        arguments
    };
    let mut run = |arguments: Vec<String>, environment: &[(&str, &str)], code| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        searched.run_with(&arguments, environment, code);
    };
    run(added("values.yaml", &[]), &[("GIT_PASSWORD", WRONG_PASSWORD)], 1);
    run(added("values.yaml", &["--kubeconfig-file", "broken.yaml"]), &[], 2);
    run(added("bad-values.yaml", &["-o", "json"]), &[], 2);
    for (preview, code) in PREVIEWS {
        run(added("values.yaml", &[preview]), &[], code);
        run(added("values.yaml", &["--kubeconfig-file", "own.yaml", preview]), &[], code);
    }
    run(added("values.yaml", &[]), &[], 0);
    // What only ytt gets to see is committed without the plugin.
    searched.user.edit(VALUES_FILE, |text| text.replace("hostname:", "no_such_value:"));
    searched.run(&["wait", "-o", "json"], 1);
    let mut run = |arguments: Vec<String>, environment: &[(&str, &str)], code| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        searched.run_with(&arguments, environment, code);
    };
    run(added("values.yaml", &[]), &[], 0);
    for format in ["tree", "wide", "json", "yaml", "name"] {
        searched.run(&["status", "-o", format], 0);
    }
    searched.run(&["wait", "-o", "json"], 0);
    searched.run(&["wait", "--run-context", "prod1=no-such-context", "--timeout", "3m"], 1);
    searched.run(&["check"], 0);
    searched.run(&["check", "-o", "json"], 0);
    searched.run(&["rotate", "prod1", "--run-context", "prod1=prod1", "--yes"], 0);
    searched.run(&["rotate", "prod1", "--run-context", "prod1=prod2", "--yes"], 1);
    // What Flux holds is revoked behind its back.
    searched.user.target(&["delete", "secrets", "--field-selector", "type=kubernetes.io/service-account-token"]);
    // API servers remember for some seconds whom they have let in.
    let look = ["-n", namespace.as_str(), "get", "packageinstalls"];
    eventually("the end of the token", || (!as_flux(&searched.user, &look).0).then_some(()));
    searched.run(&["check"], 1);
    searched.run(&["wait", "--timeout", "3m"], 1);
    searched.run(&["rotate", "prod1", "--run-context", "prod1=prod1", "--yes", "-o", "json"], 0);
    for (preview, code) in PREVIEWS {
        searched.run(&["rotate", "prod1", preview], code);
        searched.run(&["remove-cluster", "prod1", "--run-context", "prod1", preview], code);
    }
    searched.run(&["remove-cluster", "prod1", "--run-context", "prod2", "--yes"], 1);
    searched.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes", "-o", "json"], 0);
    let own = {
        let mut arguments = added("values.yaml", &["--kubeconfig-file", "own.yaml"]);
        arguments.extend(["--timeout".to_owned(), "3m".to_owned()]);
        arguments
    };
    searched.run(&own.iter().map(String::as_str).collect::<Vec<_>>(), 0);
    searched.run(&["check", "-o", "yaml"], 0);
    searched.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"], 0);
    assert!(searched.secrets.len() > 10, "too few secrets were searched for: {}", searched.secrets.len());
    let recorded = std::fs::read_to_string(&searched.record).expect("the recording");
    for command in ["clone", "push"] {
        let is_recorded = recorded.lines().any(|line| line.split(' ').any(|word| word == command));
        assert!(is_recorded, "no {command} in the recording:\n{recorded}");
    }
}

/// A GitRepository that was made without the plugin may carry user name and password in its URL.
fn password_in_url(testbed: &Testbed) {
    let mut user = User::new(testbed, "url");
    let repository = user.workspace.repository();
    let (url, username, password) = (repository.url().to_owned(), repository.username(), repository.password());
    user.bootstrap().expect_code(0);
    let with_password = url.replace("://", &format!("://{username}:{password}@"));
    let patch = json!([
        {"op": "replace", "path": "/spec/url", "value": with_password},
        {"op": "remove", "path": "/spec/secretRef"},
    ]);
    let name = format!("{PACKAGE}-gitops-repo");
    user.build(&["patch", "gitrepository", &name, "--type=json", "-p", &patch.to_string()]);
    user.set("GIT_USERNAME", "");
    user.set("GIT_PASSWORD", "");

    let mut searched = Searched::new(user);
    searched.add(&password);
    let namespace = searched.user.workspace.target_namespace().to_owned();
    let add =
        ["add-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--values", "values.yaml", "--yes"];
    searched.run(&[&add[..], &["--target-namespace", &namespace]].concat(), 0);
    searched.run(&["status", "-o", "wide"], 0);
    searched.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"], 0);
    let recorded = std::fs::read_to_string(&searched.record).expect("the recording");
    assert!(recorded.contains(&url), "git was not given the URL without its password:\n{recorded}");

    // A password that is wrong is not shown, either.
    let wrong = url.replace("://", &format!("://{username}:{WRONG_PASSWORD}@"));
    let patch = json!([{"op": "replace", "path": "/spec/url", "value": wrong}]);
    searched.user.build(&["patch", "gitrepository", &name, "--type=json", "-p", &patch.to_string()]);
    searched.add(WRONG_PASSWORD);
    searched.run(&[&add[..], &["--target-namespace", &namespace]].concat(), 1);
}
