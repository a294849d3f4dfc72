//! How long `add-cluster` takes to find out that there is nothing to do, and how many requests each API server gets for it.
//!
//! Its own work ends with the line that says so. What follows is the wait, which lasts as long as Flux takes to fetch.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking, and says so")]

#[path = "../shared/mod.rs"]
mod shared;
#[allow(dead_code, reason = "shared with the tests on real clusters")]
#[path = "../../tests/clusters/support.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::{Times, in_sandbox, milliseconds, print_table, progress, row};
use support::User;
use testbed::{BUILD, Behaviour, Gateway, Options, Testbed};

const RUNS: usize = 10;
const RUN_CLUSTER: &str = "prod1";

/// What one run took: its own work, and everything until it ended.
struct Run {
    own: Taken,
    all: Taken,
}

/// How long something took, and how many requests to the build and the run cluster.
struct Taken {
    time: Duration,
    requests: [usize; 2],
}

fn main() -> ExitCode {
    in_sandbox(|| {
        let testbed = Testbed::start(&Options { run_clusters: 1, ..Options::default() }).expect("a testbed");
        let mut user = User::new(&testbed, "second-run");
        // Flux does not go through the gateway.
        let direct = [user.server_of(RUN_CLUSTER), user.authority_of(RUN_CLUSTER).display().to_string()];
        let gateways = [BUILD, RUN_CLUSTER].map(|context| put_before(&mut user, context));
        progress("making a delivery");
        user.bootstrap().expect_code(0);
        let mut arguments = user.add_cluster_arguments(RUN_CLUSTER, RUN_CLUSTER);
        arguments.extend(["--flux-server", &direct[0], "--flux-certificate-authority", &direct[1]]);
        user.run(&arguments).expect_code(0);
        let runs: Vec<Run> = (1..=RUNS).map(|number| measure(&user, &arguments, &gateways, number)).collect();
        let cells = |taken: fn(&Run) -> &Taken| -> Vec<Vec<String>> {
            let times = Times::new(runs.iter().map(|run| taken(run).time).collect()).cells();
            let requests = [0, 1].map(|cluster| {
                let mut counts: Vec<usize> = runs.iter().map(|run| taken(run).requests[cluster]).collect();
                counts.sort_unstable();
                [counts[0], counts[RUNS / 2], counts[RUNS - 1]].map(|count| count.to_string())
            });
            [times].into_iter().chain(requests).map(Vec::from).collect()
        };
        let mut rows = vec![row(["", "minimum", "median", "maximum"])];
        for (what, cells) in
            [("until nothing is to be changed", cells(|run| &run.own)), ("until the exit", cells(|run| &run.all))]
        {
            for (unit, cells) in
                ["time", "requests to the build cluster", "requests to the run cluster"].iter().zip(cells)
            {
                rows.push([format!("{unit} {what}")].into_iter().chain(cells).collect());
            }
        }
        print_table(&format!("{RUNS} further runs of `add-cluster` for a delivery that is complete"), &rows);
    })
}

/// Runs the plugin once, and counts what it asks for.
fn measure(user: &User<'_>, arguments: &[&str], gateways: &[Gateway; 2], number: usize) -> Run {
    let before = gateways.each_ref().map(Gateway::requests);
    let started = Instant::now();
    let taken = || {
        let now = gateways.each_ref().map(Gateway::requests);
        Taken { time: started.elapsed(), requests: [now[0] - before[0], now[1] - before[1]] }
    };
    let (mut plugin, lines) = user.start(arguments);
    let mut own = None;
    for line in lines {
        if line.contains("nothing to change") {
            own = Some(taken());
        }
    }
    assert!(plugin.wait().expect("the plugin ends").success(), "add-cluster fails");
    let run = Run { own: own.expect("it says that there is nothing to change"), all: taken() };
    progress(&format!("run {number}: {}, {:?} requests", milliseconds(run.own.time), run.own.requests));
    run
}

/// Puts a gateway that counts before a cluster of the user's kubeconfig.
fn put_before(user: &mut User<'_>, context: &str) -> Gateway {
    let authority = std::fs::read_to_string(user.authority_of(context)).expect("PEM");
    let gateway =
        Gateway::start(&user.server_of(context), &authority, Behaviour::Unreliable(usize::MAX)).expect("a gateway");
    let file = user.variable("KUBECONFIG").expect("a kubeconfig").to_owned();
    let text = std::fs::read_to_string(file).expect("a kubeconfig");
    let mut kubeconfig: Value = serde_yaml::from_str(&text).expect("YAML");
    let pem = user.write(&format!("{context}-gateway.pem"), gateway.authority());
    let clusters = kubeconfig["clusters"].as_array_mut().expect("a list");
    let entry = clusters.iter_mut().find(|entry| entry["name"] == context).expect("an entry");
    entry["cluster"] = json!({"server": gateway.server(), "certificate-authority": pem});
    let file = user.write("kubeconfig-of-gateways.json", &kubeconfig.to_string());
    user.set("KUBECONFIG", &file.display().to_string());
    gateway
}
