//! How long `add-cluster --from-file` takes for 30 run clusters with 10 packages each, and for a second run.
//!
//! The run clusters are namespaces of a few real API servers. kustomize-controller is stopped, so that nothing is installed: what
//! is measured is the plugin's own work, and not kapp-controller's.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking, and says so")]

#[path = "../shared/mod.rs"]
mod shared;
#[allow(dead_code, reason = "shared with the tests on real clusters")]
#[path = "../../tests/clusters/support.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::{in_sandbox, milliseconds, print_table, progress, row};
use support::{User, VERSION};
use testbed::{BUILD, Options, PackageVersion, Process, Testbed};

const RUN_CLUSTERS: usize = 30;
const PACKAGES: usize = 10;
/// The API servers that hold the namespaces: the testbed's run clusters.
const API_SERVERS: usize = 2;

fn main() -> ExitCode {
    in_sandbox(|| {
        let testbed = Testbed::start(&Options { run_clusters: API_SERVERS, ..Options::default() }).expect("a testbed");
        let mut user = User::new(&testbed, "deliveries");
        // The permissions of an engineer end at one namespace on each cluster.
        user.set("KUBECONFIG", &testbed.kubeconfig().display().to_string());
        let namespace = user.workspace.build_namespace().to_owned();
        make_packages_known(&testbed, &user, &namespace);
        testbed
            .process(&format!("{BUILD}/kustomize-controller"))
            .and_then(Process::stop)
            .expect("a stopped kustomize-controller");
        user.write("deliveries.yaml", &list().to_string());

        let add = ["add-cluster", "--from-file", "deliveries.yaml", "--create-namespace", "-n", &namespace, "--yes"];
        let mut rows = vec![row(["", "time"])];
        for (what, flag) in [
            ("what would be done (--dry-run)", "--dry-run"),
            ("first run (--wait=false)", "--wait=false"),
            ("second run (--wait=false)", "--wait=false"),
        ] {
            progress(&format!("measuring: {what}"));
            rows.push(row([what, &milliseconds(measure(&user, &[&add[..], &[flag]].concat()))]));
        }
        print_table(&format!("{RUN_CLUSTERS} run clusters × {PACKAGES} packages, on {API_SERVERS} API servers"), &rows);
    })
}

fn make_packages_known(testbed: &Testbed, user: &User<'_>, namespace: &str) {
    progress("making the packages known");
    let repository = user.workspace.repository();
    for package in (0..PACKAGES).map(package) {
        testbed.publish(repository, &PackageVersion::new(&package, VERSION)).expect("a package");
        let url = repository.url();
        user.run(&["bootstrap", &package, "-n", namespace, "--git-url", url, "--branch", "main", "--yes"])
            .expect_code(0);
    }
}

fn list() -> Value {
    let name = |number: usize| format!("run-{number:02}");
    let run_clusters: Vec<Value> = (0..RUN_CLUSTERS)
        .map(|number| json!({"name": name(number), "runContext": format!("prod{}", number % API_SERVERS + 1)}))
        .collect();
    let deliveries: Vec<Value> = (0..RUN_CLUSTERS)
        .flat_map(|number| (0..PACKAGES).map(move |package| (name(number), package)))
        .map(|(run_cluster, number)| {
            let values = json!({"workload_name": format!("hello-{number:02}")});
            json!({"runCluster": run_cluster, "package": package(number), "targetNamespace": run_cluster, "values": values})
        })
        .collect();
    json!({"runClusters": run_clusters, "deliveries": deliveries})
}

fn package(number: usize) -> String {
    format!("hello-{number:02}.default.tap")
}

/// Runs the plugin once.
fn measure(user: &User<'_>, arguments: &[&str]) -> Duration {
    let started = Instant::now();
    user.run(arguments).expect_code(0);
    started.elapsed()
}
