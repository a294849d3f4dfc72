//! How long `kubectl-carvelflux --version` takes, with the binary in the page cache and without.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking, and says so")]

#[path = "../shared/mod.rs"]
mod shared;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use shared::{Times, print_table, row};

const RUNS: usize = 20;
const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-carvelflux");

fn main() {
    let cold = (0..RUNS).map(|_| {
        forget();
        start()
    });
    let cold = Times::new(cold.collect());
    let warm = Times::new((0..RUNS).map(|_| start()).collect());
    let mut rows = vec![row(["", "minimum", "median", "maximum", "target"])];
    for (name, times) in [("cold: the binary is read from disk", cold), ("warm", warm)] {
        let [minimum, median, maximum] = times.cells();
        rows.push(row([name, &minimum, &median, &maximum, "10 ms"]));
    }
    print_table(&format!("kubectl-carvelflux --version, {RUNS} times"), &rows);
}

fn start() -> Duration {
    let mut command = Command::new(PLUGIN);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().expect("the plugin starts");
    let took = started.elapsed();
    assert!(status.success(), "the plugin does not say its version");
    took
}

/// Drops the binary from the page cache.
fn forget() {
    // `count=0` with `nocache` drops the whole file's pages and copies nothing.
    let mut drop = Command::new("dd");
    drop.arg(format!("if={PLUGIN}")).args(["iflag=nocache", "count=0", "status=none"]);
    assert!(drop.status().expect("dd starts").success(), "dd cannot drop the binary from the page cache");
}
