//! How long `values` takes to list 200 packages with 20 versions each, and to show one of them.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking, and says so")]

#[path = "../shared/mod.rs"]
mod shared;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use shared::{Times, print_table, row};

const PACKAGES: usize = 200;
const VERSIONS: usize = 20;
const PROPERTIES: usize = 10;
const RUNS: usize = 10;
const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-carvelflux");

fn main() {
    let repository = tempfile::tempdir().expect("a directory");
    for package in 0..PACKAGES {
        let directory = repository.path().join(name(package)).join("packages");
        fs::create_dir_all(&directory).expect("a directory");
        for version in 0..VERSIONS {
            fs::write(directory.join(format!("1.{version}.0.yaml")), manifest(package, version)).expect("a file");
        }
    }
    let mut rows = vec![row(["", "minimum", "median", "maximum", "target"])];
    let package = name(PACKAGES / 2);
    for (title, package) in [("all packages", None), ("one package", Some(package.as_str()))] {
        let times = Times::new((0..RUNS).map(|_| run(repository.path(), package)).collect());
        let [minimum, median, maximum] = times.cells();
        rows.push(row([title, &minimum, &median, &maximum, "1 s"]));
    }
    print_table(&format!("values of {PACKAGES} packages with {VERSIONS} versions each, {RUNS} times"), &rows);
}

fn run(repository: &Path, package: Option<&str>) -> Duration {
    let mut command = Command::new(PLUGIN);
    command.arg("values").args(package).arg("--repo-dir").arg(repository).stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().expect("the plugin starts");
    let took = started.elapsed();
    assert!(status.success(), "the plugin does not show the values");
    took
}

fn name(package: usize) -> String {
    format!("app-{package}.default.tap")
}

/// Writes a version of a package as a supply chain does.
fn manifest(package: usize, version: usize) -> String {
    let name = name(package);
    let mut text = format!(
        "---
apiVersion: data.packaging.carvel.dev/v1alpha1
kind: Package
metadata:
  name: {name}.1.{version}.0
spec:
  refName: {name}
  version: 1.{version}.0
  template:
    spec:
      fetch: [{{imgpkgBundle: {{image: \"registry.example.com/{name}@sha256:{package:064}\"}}}}]
      template: [{{ytt: {{paths: [config]}}}}]
      deploy: [{{kapp: {{}}}}]
  valuesSchema:
    openAPIv3:
      type: object
      additionalProperties: false
      properties:
"
    );
    for property in 0..PROPERTIES {
        let _ = write!(
            text,
            "        property_{property}:
          title: Property {property}
          type: string
          description: What this property is for, in a sentence of some length
          default: \"\"
          minLength: 1
"
        );
    }
    text
}
