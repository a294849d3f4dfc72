//! How long `wait` takes to end once the API servers have reported the last success.
//!
//! A watch of the benchmark's own sees every event of the two Kustomizations, the PackageInstall and the App, and takes the
//! time when it arrives. The last success is the latest change of one of them to what the new commit asks for.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking, and says so")]

#[path = "../shared/mod.rs"]
mod shared;
#[allow(dead_code, reason = "shared with the tests on real clusters")]
#[path = "../../tests/clusters/support.rs"]
mod support;

use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use carvelflux::testing::{app_resource, kustomization_resource, package_install_resource};
use futures::StreamExt;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::Value;
use shared::{Times, client, in_sandbox, milliseconds, print_table, progress, row};
use support::{PACKAGE, User};
use testbed::{BUILD, Options, Testbed};

const UPDATES: usize = 10;
const RUN_CLUSTER: &str = "prod1";

/// An object as an event brought it, and when.
type Event = (Instant, DynamicObject);

fn main() -> ExitCode {
    in_sandbox(|| {
        let testbed = Testbed::start(&Options { run_clusters: 1, ..Options::default() }).expect("a testbed");
        let user = User::new(&testbed, "latency");
        progress("making a delivery");
        user.bootstrap().expect_code(0);
        user.add_cluster(RUN_CLUSTER).expect_code(0);
        let witness = Witness::new(&user);
        let times: Vec<Duration> = (1..=UPDATES).map(|number| update(&user, &witness, number)).collect();
        let [minimum, median, maximum] = Times::new(times).cells();
        let rows = [
            row(["", "minimum", "median", "maximum", "target"]),
            row(["from the last success to the exit of `wait`", &minimum, &median, &maximum, "200 ms"]),
        ];
        print_table(&format!("{UPDATES} updates of a delivery, each waited for by a process of its own"), &rows);
    })
}

/// Changes the values, waits with the plugin, and returns how long it took to end after the last success.
fn update(user: &User<'_>, witness: &Witness, number: usize) -> Duration {
    let commit = change_values(user, number);
    let mut command = user.command();
    command.args(["wait", "--timeout", "5m"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = command.spawn().expect("the plugin starts").wait_with_output().expect("the plugin ends");
    let ended = Instant::now();
    assert!(output.status.success(), "wait fails: {}", String::from_utf8_lossy(&output.stderr));
    // The witness's own watches may lag.
    std::thread::sleep(Duration::from_secs(1));
    let succeeded = witness.last_success(&commit);
    let took = ended.saturating_duration_since(succeeded);
    progress(&format!("update {number}: {}", milliseconds(took)));
    took
}

/// Commits other values in a Secret of another name, as the plugin does; returns the commit.
fn change_values(user: &User<'_>, number: usize) -> String {
    let repository = user.workspace.repository();
    let files = ["params.yaml", "packageinstall.yaml"].map(|name| format!("{PACKAGE}/{RUN_CLUSTER}/{name}"));
    let prefix = format!("{PACKAGE}-values-");
    let changed = files.each_ref().map(|path| {
        let text = repository.read(path).expect("Git").expect("the delivery's file");
        let known = text.split_once(&prefix).map(|(_, rest)| rest.split('\n').next().unwrap_or_default());
        let known = format!("{prefix}{}", known.expect("the name of the values Secret").trim_end_matches('"'));
        let replicas = |number: usize| format!("replicas: {}", 2 + number % 2);
        text.replace(&known, &format!("{prefix}{number}")).replace(&replicas(number - 1), &replicas(number))
    });
    let [values, install] = changed.each_ref().map(|text| Some(text.as_str()));
    repository.commit(&[(&files[0], values), (&files[1], install)], &format!("Update {number}")).expect("a commit")
}

/// Watches everything that decides about the delivery, independently of the plugin.
struct Witness {
    events: Arc<Mutex<Vec<Event>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Witness {
    fn new(user: &User<'_>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let kubeconfig = user.testbed.kubeconfig();
        let (build, run) =
            runtime.block_on(async { (client(kubeconfig, BUILD).await, client(kubeconfig, RUN_CLUSTER).await) });
        let events = Arc::default();
        let (flux, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
        for (client, namespace, resource) in [
            (build, flux, kustomization_resource("v1")),
            (run.clone(), target, package_install_resource()),
            (run, target, app_resource()),
        ] {
            runtime.spawn(record(client, namespace.to_owned(), resource, Arc::clone(&events)));
        }
        Self { events, _runtime: runtime }
    }

    /// Returns when the last of the objects came to be what the commit asks for.
    fn last_success(&self, commit: &str) -> Instant {
        let events = self.events.lock().expect("no panic while recording");
        let name = |suffix: &str| format!("{PACKAGE}-{RUN_CLUSTER}-{suffix}");
        let (packages, installs) = (name("packages"), name("packageinstalls"));
        let objects = [
            ("Kustomization", packages.as_str()),
            ("Kustomization", &installs),
            ("PackageInstall", PACKAGE),
            ("App", PACKAGE),
        ];
        let since = objects.iter().map(|(kind, name)| {
            let of_object = events.iter().filter(|(_, object)| {
                object.name_any() == *name && object.types.as_ref().is_some_and(|types| types.kind == *kind)
            });
            let mut since = None;
            for (time, object) in of_object {
                since = if is_successful(object, commit) { since.or(Some(*time)) } else { None };
            }
            since.unwrap_or_else(|| {
                panic!("the witness does not see that {kind} {name} is ready, but `wait` says it is")
            })
        });
        since.max().expect("four objects")
    }
}

async fn record(client: Client, namespace: String, resource: ApiResource, events: Arc<Mutex<Vec<Event>>>) {
    let api = Api::<DynamicObject>::namespaced_with(client, &namespace, &resource);
    let mut objects = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff().applied_objects());
    while let Some(object) = objects.next().await {
        let now = Instant::now();
        if let Ok(mut object) = object {
            // Objects of a list do not name their kind.
            object.types =
                Some(kube::api::TypeMeta { api_version: resource.api_version.clone(), kind: resource.kind.clone() });
            events.lock().expect("no panic while reading").push((now, object));
        }
    }
}

/// Tells whether a Kustomization is ready at the commit, and whether a PackageInstall or App has reconciled its generation.
fn is_successful(object: &DynamicObject, commit: &str) -> bool {
    let status = &object.data["status"];
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_true = |kind: &str| {
        conditions.iter().find(|condition| condition["type"] == kind).filter(|condition| condition["status"] == "True")
    };
    let is_at = |field: &str| status[field].as_str().is_some_and(|revision| revision.ends_with(commit));
    let observes = |value: &Value| value["observedGeneration"].as_i64() == object.metadata.generation;
    match is_true("Ready") {
        Some(ready) => observes(ready) && is_at("lastAppliedRevision") && is_at("lastAttemptedRevision"),
        None => is_true("ReconcileSucceeded").is_some() && observes(status),
    }
}
