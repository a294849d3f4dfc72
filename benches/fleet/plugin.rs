//! The plugin on the fleet, as processes.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::{BUILD, Testbed};

use crate::layout::{API_SERVERS, DELIVERIES, api_server};
use crate::scene::Scene;
use crate::shared::{connections, memory, processor_time_of_children};

/// How long a wait's memory and connections are given to settle once there is nothing left to do.
const SETTLE: Duration = Duration::from_secs(5);

/// What a run of the plugin took.
pub(crate) struct Run {
    pub(crate) took: Duration,
    pub(crate) processor_time: Duration,
}

/// Shows the fleet once, as a person would see it.
pub(crate) fn status(scene: &Scene) -> Run {
    run(plugin(scene).args(["status", "-o", "wide"]))
}

/// Waits for deliveries that are all ready.
pub(crate) fn wait_for_all(scene: &Scene) -> Run {
    run(plugin(scene).args(["wait", "--no-reconcile", "--timeout", "5m"]))
}

fn run(command: &mut Command) -> Run {
    let before = processor_time_of_children();
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output().expect("the plugin starts");
    let took = started.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Run { took, processor_time: processor_time_of_children().saturating_sub(before) }
}

/// What a wait occupies while one delivery is not ready.
pub(crate) struct Watching {
    /// How long it took until the other deliveries were decided.
    pub(crate) others: Duration,
    pub(crate) peak: String,
    pub(crate) memory: String,
    pub(crate) watches: String,
    pub(crate) connections: String,
}

/// Waits while one delivery is not ready.
pub(crate) fn wait_for_one(testbed: &Testbed, scene: &Scene) -> Watching {
    let watches_before = namespaced_watches(testbed);
    let started = Instant::now();
    let mut command = plugin(scene);
    command.args(["wait", "--no-reconcile", "--timeout", "10m", "-o", "json"]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the plugin starts");
    let decided = count_decided(&mut child, DELIVERIES - 1);
    let others = started.elapsed();
    assert!(decided == DELIVERIES - 1, "the plugin ends after {decided} deliveries");
    std::thread::sleep(SETTLE);
    let process = child.id();
    let watching = Watching {
        others,
        peak: memory(process, "VmHWM"),
        memory: memory(process, "VmRSS"),
        watches: (namespaced_watches(testbed) - watches_before).to_string(),
        connections: connections(process).to_string(),
    };
    child.kill().and_then(|()| child.wait()).expect("the plugin ends");
    watching
}

/// Reads events until so many deliveries are decided.
fn count_decided(child: &mut Child, wanted: usize) -> usize {
    let output = child.stdout.as_mut().expect("its standard output");
    let events = BufReader::new(output).lines().map_while(Result::ok);
    let events = events.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    events.filter(|event| event["kind"] == "decided").take(wanted).count()
}

/// Prepares the plugin in the hands of the fleet's user.
fn plugin(scene: &Scene) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-carvelflux"));
    command.env("KUBECONFIG", scene.workspace.kubeconfig());
    command
}

/// Counts the watches of single namespaces that the API servers hold open, of the kinds that `wait` watches: controllers
/// watch all namespaces at once.
fn namespaced_watches(testbed: &Testbed) -> u64 {
    let kinds = BTreeSet::from(["gitrepositories", "kustomizations", "packageinstalls", "apps"]);
    let count = |context: &str| -> u64 {
        let metrics = testbed.kubectl(context, &["get", "--raw", "/metrics"]).expect("metrics");
        let label = |line: &str, name: &str| {
            line.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split('"').next().map(str::to_owned))
        };
        metrics
            .lines()
            .filter(|line| line.starts_with("apiserver_longrunning_requests{"))
            .filter(|line| label(line, "scope").as_deref() == Some("namespace"))
            .filter(|line| label(line, "verb").as_deref() == Some("WATCH"))
            .filter(|line| label(line, "resource").is_some_and(|resource| kinds.contains(resource.as_str())))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    };
    count(BUILD) + (0..API_SERVERS).map(|server| count(&api_server(server))).sum::<u64>()
}
