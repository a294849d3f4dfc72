//! What the tests share: running the plugin as a user does, and reading what came of it.

// Benchmarks have these modules, too, at another place.
#[path = "administrator.rs"]
mod administrator;
#[path = "output.rs"]
mod output;
#[path = "state.rs"]
mod state;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::{PackageVersion, Testbed, Workspace};

pub(crate) use output::Output;

pub(crate) const PACKAGE: &str = "hello-app.default.tap";
pub(crate) const VERSION: &str = "20261122120000.0.0+build.abc1234";
pub(crate) const NEXT_VERSION: &str = "20261122130000.0.0+build.def5678";
pub(crate) const VALUES: &str = "workload_name: hello-app\nreplicas: 2\n";

/// A workspace with a published package, and the plugin in the hands of its ordinary user.
pub(crate) struct User<'a> {
    pub(crate) testbed: &'a Testbed,
    pub(crate) workspace: Workspace,
    directory: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

/// The directory for temporary files, in that of the user.
const TEMPORARY: &str = "temporary";

impl<'a> User<'a> {
    /// Makes a workspace whose repository holds one version of the package.
    pub(crate) fn new(testbed: &'a Testbed, name: &str) -> Self {
        let workspace = testbed.workspace(name).expect("a workspace");
        testbed.publish(workspace.repository(), &PackageVersion::new(PACKAGE, VERSION)).expect("a package");
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("values.yaml"), VALUES).expect("a values file");
        let temporary = directory.path().join(TEMPORARY);
        std::fs::create_dir(&temporary).expect("a directory");
        let repository = workspace.repository();
        let environment = [
            ("KUBECONFIG", workspace.kubeconfig().display().to_string()),
            ("GIT_USERNAME", repository.username()),
            ("GIT_PASSWORD", repository.password()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
            ("GIT_AUTHOR_NAME", "Platform Engineer".to_owned()),
            ("GIT_AUTHOR_EMAIL", "engineer@example.com".to_owned()),
            ("GIT_COMMITTER_NAME", "Platform Engineer".to_owned()),
            ("GIT_COMMITTER_EMAIL", "engineer@example.com".to_owned()),
            ("HOME", directory.path().display().to_string()),
            ("TMPDIR", temporary.display().to_string()),
        ];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { testbed, workspace, directory, environment }
    }

    /// Sets a variable of the plugin's environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Returns a variable of the plugin's environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// Writes a file into the user's working directory, and returns its path.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// Lists the plugin's temporary files.
    pub(crate) fn temporary_files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.directory.path().join(TEMPORARY)).expect("a directory");
        files.map(|file| file.expect("a file").path()).collect()
    }

    /// Prepares the plugin with this environment, in the user's working directory.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-carvelflux"));
        command.current_dir(self.directory.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(&self.environment);
        command
    }

    /// Runs a line in a shell with this environment, in the user's working directory.
    pub(crate) fn shell(&self, line: &str) -> std::process::Output {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.directory.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(&self.environment);
        command.stdin(Stdio::null()).output().expect("sh")
    }

    /// Starts the plugin without a terminal, to read what it says while it runs.
    pub(crate) fn start(&self, arguments: &[&str]) -> (Child, impl Iterator<Item = String> + use<>) {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the plugin starts");
        let lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        (child, lines.map(|line| line.expect("UTF-8")))
    }

    /// Runs the plugin without a terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_with_input(arguments, "")
    }

    /// Runs the plugin without a terminal, with standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the plugin starts");
        let mut stdin = child.stdin.take().expect("it has a standard input");
        // A plugin that does not read its input closes the pipe.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("the plugin ends");
        let output = Output {
            arguments: arguments.join(" "),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        };
        let password = self.workspace.repository().password();
        assert!(!format!("{}{}", output.stdout, output.stderr).contains(&password), "the Git password leaks: {output}");
        output
    }

    /// Runs `bootstrap` with everything it needs.
    pub(crate) fn bootstrap(&self) -> Output {
        self.run(&["bootstrap", PACKAGE, "--git-url", self.workspace.repository().url(), "--branch", "main", "--yes"])
    }

    /// Returns the arguments of `add-cluster` with everything it needs.
    pub(crate) fn add_cluster_arguments<'b>(&'b self, run_cluster: &'b str, context: &'b str) -> Vec<&'b str> {
        vec![
            "add-cluster",
            run_cluster,
            "--package",
            PACKAGE,
            "--run-context",
            context,
            "--target-namespace",
            self.workspace.target_namespace(),
            "--values",
            "values.yaml",
            "--yes",
        ]
    }

    /// Runs `add-cluster` with everything it needs.
    pub(crate) fn add_cluster(&self, run_cluster: &str) -> Output {
        self.run(&self.add_cluster_arguments(run_cluster, run_cluster))
    }

    /// Reads an object as an administrator; null if it does not exist.
    pub(crate) fn get(&self, context: &str, namespace: &str, kind: &str, name: &str) -> Value {
        if let Some(read) = administrator::get(self.testbed.kubeconfig(), context, namespace, kind, name) {
            return read;
        }
        let arguments = ["get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found"];
        let text = self.testbed.kubectl(context, &arguments).expect("kubectl get");
        if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }
    }

    /// Gives the user the documented permissions in one more namespace of a run cluster.
    pub(crate) fn allow_in(&self, context: &str, namespace: &str) {
        let target = self.workspace.target_namespace();
        let role = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/permissions/run-cluster.yaml"));
        let role = role.expect("the documented permissions").replace("carvelflux-engineer", "carvelflux-guest");
        let role: String = role.split("---\n").take(2).collect::<Vec<_>>().join("---\n");
        let role =
            role.replace("  name: carvelflux-guest", &format!("  name: carvelflux-guest\n  namespace: {namespace}"));
        self.testbed.apply(context, &role).expect("kubectl apply");
        let binding = format!("guest-{target}");
        let subject = format!("--serviceaccount={target}:{}", testbed::USER);
        let arguments = ["-n", namespace, "create", "rolebinding", &binding, "--role=carvelflux-guest", &subject];
        self.testbed.kubectl(context, &arguments).expect("kubectl create");
    }

    /// Returns the address of a cluster as its administrator reaches it.
    pub(crate) fn server_of(&self, context: &str) -> String {
        self.testbed.endpoint(context).expect("a context").0
    }

    /// Writes a cluster's certificate authority into a file of the user.
    pub(crate) fn authority_of(&self, context: &str) -> PathBuf {
        let (_, encoded) = self.testbed.endpoint(context).expect("a context");
        let pem: k8s_openapi::ByteString = serde_json::from_value(serde_json::json!(encoded)).expect("base64");
        self.write(&format!("{context}.pem"), &String::from_utf8(pem.0).expect("PEM"))
    }

    /// Stores another kubeconfig for `prod1`, as an administrator.
    pub(crate) fn store_kubeconfig(&self, kubeconfig: &Value) {
        let data = serde_json::json!({"stringData": {"value.yaml": kubeconfig.to_string()}});
        self.build(&["patch", "secret", "prod1-kubeconfig", "--type=merge", "-p", &data.to_string()]);
    }

    /// Commits a change to the delivery's files, as a person would.
    pub(crate) fn edit(&self, path: &str, edit: impl Fn(&str) -> String) -> String {
        let repository = self.workspace.repository();
        let before = repository.read(path).expect("Git").unwrap_or_else(|| panic!("{path} is in the repository"));
        let after = edit(&before);
        assert_ne!(before, after, "the edit changes nothing in:\n{before}");
        repository.commit(&[(path, Some(&after))], &format!("Edit {path}")).expect("a commit")
    }

    /// Says what Flux's Ready says of the delivery's Kustomization.
    pub(crate) fn flux_ready(&self, kustomization: &str) -> String {
        let object = self.get("build", self.workspace.build_namespace(), "kustomization", kustomization);
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions
            .iter()
            .find(|condition| condition["type"] == "Ready")
            .map(|ready| {
                format!("{} {}", ready["status"].as_str().unwrap_or("?"), ready["reason"].as_str().unwrap_or("?"))
            })
            .unwrap_or_default()
    }
}

/// Looks again and again until something is so.
pub(crate) fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen within a minute");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The Kustomizations of the delivery to `prod1`.
pub(crate) const PACKAGES: &str = "hello-app.default.tap-prod1-packages";
pub(crate) const INSTALLS: &str = "hello-app.default.tap-prod1-packageinstalls";

/// The files of the delivery to `prod1`.
pub(crate) const INSTALL_FILE: &str = "hello-app.default.tap/prod1/packageinstall.yaml";
pub(crate) const VALUES_FILE: &str = "hello-app.default.tap/prod1/params.yaml";

impl<'a> User<'a> {
    /// Delivers to `prod1`, then makes the Kustomizations the guide's: `wait: true` without health check expressions.
    pub(crate) fn delivered(testbed: &'a Testbed, name: &str) -> Self {
        let user = Self::new(testbed, name);
        user.bootstrap().expect_code(0);
        user.add_cluster("prod1").expect_code(0);
        for kustomization in [INSTALLS, PACKAGES] {
            let patch = r#"[{"op": "remove", "path": "/spec/healthCheckExprs"}]"#;
            user.build(&["patch", "kustomization", kustomization, "--type=json", "-p", patch]);
        }
        user.reconcile_by_flux(&[INSTALLS, PACKAGES]);
        user
    }

    /// Runs kubectl as administrator in the namespace on the build cluster.
    pub(crate) fn build(&self, arguments: &[&str]) -> String {
        let namespace = ["-n", self.workspace.build_namespace()];
        self.testbed.kubectl("build", &[&namespace, arguments].concat()).expect("kubectl")
    }

    /// Runs kubectl as administrator in the target namespace on `prod1`.
    pub(crate) fn target(&self, arguments: &[&str]) -> String {
        let namespace = ["-n", self.workspace.target_namespace()];
        self.testbed.kubectl("prod1", &[&namespace, arguments].concat()).expect("kubectl")
    }

    /// Has Flux reconcile Kustomizations now, and waits until it has.
    pub(crate) fn reconcile_by_flux(&self, kustomizations: &[&str]) {
        let token = format!("test-{:?}", Instant::now());
        for kustomization in kustomizations {
            let request = format!("reconcile.fluxcd.io/requestedAt={token}");
            self.build(&["annotate", "--overwrite", "kustomization", kustomization, &request]);
        }
        for kustomization in kustomizations {
            eventually("Flux's answer", || {
                let object = self.get("build", self.workspace.build_namespace(), "kustomization", kustomization);
                (object["status"]["lastHandledReconcileAt"] == token.as_str()).then_some(())
            });
        }
    }

    /// Deletes the Kustomizations of the delivery to `prod1`, installs first, and asserts that Flux prunes everything.
    pub(crate) fn assert_deleting_prunes(&self) {
        let namespace = self.workspace.target_namespace();
        for (kustomization, kind) in [(INSTALLS, "packageinstalls,apps,deployments"), (PACKAGES, "packages")] {
            self.build(&["delete", "kustomization", kustomization, "--timeout=60s"]);
            eventually("the deletion of what Flux had applied", || {
                self.target(&["get", kind, "-o", "name"]).trim().is_empty().then_some(())
            });
        }
        assert_eq!(self.get("prod1", namespace, "packageinstall", PACKAGE), Value::Null);
    }

    /// Commits other values under the same Secret's name, which changes no generation.
    pub(crate) fn change_replicas(&self, replicas: u32) {
        self.edit(VALUES_FILE, |text| {
            let lines = text.lines().map(|line| match line.split_once("replicas:") {
                Some((indentation, _)) => format!("{indentation}replicas: {replicas}\n"),
                None => format!("{line}\n"),
            });
            lines.collect()
        });
    }

    /// Asserts how many replicas the installed Deployment asks for.
    pub(crate) fn assert_replicas(&self, replicas: u32) {
        let deployment = self.get("prod1", self.workspace.target_namespace(), "deployment", "hello-app");
        assert_eq!(deployment["spec"]["replicas"], replicas, "what was called ready is not deployed: {deployment:#}");
    }
}
