//! The demo: the plugin delivers a package to two run clusters, in front of the reader.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testbed::{Error, PackageVersion, Result, Testbed, Workspace};

const PACKAGE: &str = "hello-app.default.tap";
const VERSION: &str = "20261122120000.0.0+build.abc1234";
const PLUGIN: &str = "kubectl-carvelflux";
const VALUES: &str = "workload_name: hello-app\nreplicas: 2\n";

/// Builds the plugin as tests run it and returns its path: what a release has beyond that takes minutes to make.
pub(crate) fn build_plugin(options: &[&str]) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What cargo tells the testbed of itself is none of the plugin's: build scripts would run again in each demo.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    let output = command
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .args(["build", "--bin", PLUGIN, "--message-format=json-render-diagnostics"])
        .args(options)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| Error::Spawn { program: "cargo".to_owned(), source })?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    let plugin = executables.next_back().filter(|_| output.status.success());
    plugin.ok_or_else(|| Error::Failed(format!("cargo could not build {PLUGIN}: mend what it says above")))
}

/// Runs the demo; the workspace that it returns holds what was delivered.
pub(crate) fn run(testbed: &Testbed, plugin: &Path) -> Result<Workspace> {
    let workspace = testbed.workspace("demo")?;
    let repository = workspace.repository();
    testbed.publish(repository, &PackageVersion::new(PACKAGE, VERSION))?;
    let directory = testbed.work().join("demo");
    std::fs::create_dir_all(directory.join("bin"))
        .and_then(|()| std::os::unix::fs::symlink(plugin, directory.join("bin").join(PLUGIN)))
        .and_then(|()| std::os::unix::fs::symlink(testbed.tools().kubectl(), directory.join("bin/kubectl")))
        .and_then(|()| std::fs::write(directory.join("values.yaml"), VALUES))
        .map_err(|source| Error::File { action: "prepare", path: directory.clone(), source })?;
    let stage = Stage { workspace: &workspace, directory };

    say("The supply chain has published a package; its GitOps repository holds:")?;
    for file in repository.files()? {
        say(&format!("  {file}"))?;
    }
    say(&format!(
        "\n$ export GIT_USERNAME={} GIT_PASSWORD=********\n$ cat values.yaml\n{}",
        repository.username(),
        VALUES.trim_end()
    ))?;
    let url = repository.url();
    stage.run(&["carvelflux", "bootstrap", PACKAGE, "--git-url", url, "--branch", "main", "--yes"])?;
    let namespace = workspace.target_namespace();
    for cluster in testbed.run_clusters() {
        stage.run(&[
            "carvelflux",
            "add-cluster",
            cluster,
            "--package",
            PACKAGE,
            "--run-context",
            cluster,
            "--target-namespace",
            namespace,
            "--values",
            "values.yaml",
            "--yes",
        ])?;
    }
    stage.run(&["carvelflux", "wait"])?;
    for cluster in testbed.run_clusters() {
        stage.run(&["--context", cluster, "get", "packageinstalls"])?;
    }
    for cluster in testbed.run_clusters() {
        stage.run(&["--context", cluster, "get", "deployments"])?;
    }
    Ok(workspace)
}

/// Where the commands of the demo run.
struct Stage<'a> {
    workspace: &'a Workspace,
    directory: PathBuf,
}

impl Stage<'_> {
    /// Shows a kubectl command as it is typed, then runs it with the reader's own terminal.
    fn run(&self, arguments: &[&str]) -> Result<()> {
        say(&format!("\n$ kubectl {}", arguments.join(" ")))?;
        let status = self.command(arguments).status();
        let status = status.map_err(|source| Error::Spawn { program: "kubectl".to_owned(), source })?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::Failed(format!("`kubectl {}` ended with {status}, see above", arguments.join(" "))))
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let repository = self.workspace.repository();
        let mut path = OsString::from(self.directory.join("bin"));
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        let mut command = Command::new("kubectl");
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env("PATH", path)
            .env("KUBECONFIG", self.workspace.kubeconfig())
            .env("KUBECACHEDIR", self.directory.join("kubectl-cache"))
            .env("GIT_USERNAME", repository.username())
            .env("GIT_PASSWORD", repository.password());
        // The machine may have no Git configuration to take a committer from.
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Demo Engineer");
            command.env(format!("GIT_{role}_EMAIL"), "demo@example.com");
        }
        command
    }
}

fn say(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(|source| Error::File {
        action: "write to",
        path: "the terminal".into(),
        source,
    })
}
