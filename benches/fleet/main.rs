//! `status` and `wait` on a fleet of 100 run clusters with 10 packages each, beside what kubectl needs for the same.
//!
//! The run clusters are namespaces of a few real API servers, each with its own credential; [`scene`] says how they are made.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking, and says so")]

mod kubectl;
mod layout;
mod plugin;
mod scene;
#[path = "../shared/mod.rs"]
mod shared;
#[allow(dead_code, reason = "shared with the tests on real clusters")]
#[path = "../../tests/clusters/support.rs"]
mod support;
mod template;

use std::process::ExitCode;

use layout::{API_SERVERS, PACKAGES, RUN_CLUSTERS};
use scene::Scene;
use shared::{Times, in_sandbox, milliseconds, print_table, progress, row};
use support::User;
use testbed::{Options, Testbed};

/// How often `status` is measured.
const RUNS: usize = 5;

fn main() -> ExitCode {
    in_sandbox(|| {
        let testbed = Testbed::start(&Options { run_clusters: API_SERVERS, ..Options::default() }).expect("a testbed");
        let user = User::new(&testbed, "template");
        let scene = Scene::make(&testbed, &user);

        let mut rows = vec![row(["", "minimum", "median", "maximum", "target", "kubectl"])];
        progress("measuring kubectl");
        let lists = kubectl::lists(&testbed, &scene);
        let waiting = kubectl::waiting(&testbed, &scene);
        progress("measuring status");
        let statuses: Vec<_> = (0..RUNS).map(|_| plugin::status(&scene)).collect();
        let [minimum, median, maximum] = Times::new(statuses.iter().map(|run| run.took).collect()).cells();
        rows.push(row(["status", &minimum, &median, &maximum, "1 s", &milliseconds(lists)]));
        let [minimum, median, maximum] = Times::new(statuses.iter().map(|run| run.processor_time).collect()).cells();
        rows.push(row(["status, processor time", &minimum, &median, &maximum]));

        progress("measuring wait, all ready");
        let ready = plugin::wait_for_all(&scene);
        rows.push(row(["wait, all ready", "", &milliseconds(ready.took)]));
        rows.push(row(["wait, all ready, processor time", "", &milliseconds(ready.processor_time)]));
        progress("measuring wait, one not ready");
        scene.hold_one_back();
        let watching = plugin::wait_for_one(&testbed, &scene);
        rows.push(row(["wait, one not ready: until the others are decided", "", &milliseconds(watching.others)]));
        rows.push(row(["wait, one not ready: peak memory", "", &watching.peak, "", "60 MB", &waiting.peak]));
        rows.push(row(["wait, one not ready: memory then", "", &watching.memory]));
        rows.push(row(["wait, one not ready: watches", "", &watching.watches, "", "202"]));
        rows.push(row(["wait, one not ready: connections", "", &watching.connections, "", "", &waiting.connections]));
        let title = format!(
            "{RUN_CLUSTERS} run clusters × {PACKAGES} packages, on {API_SERVERS} API servers\nkubectl: get packageinstalls for the same kubeconfigs, eight at a \
             time; one kubectl wait process"
        );
        print_table(&title, &rows);
    })
}
