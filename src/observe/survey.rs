//! A look at all deliveries as they are now: the same reading as a wait's, all run clusters in parallel.
//!
//! An unreachable run cluster is shown as such, beside what Flux says, and hides nothing of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use kube::ResourceExt;

use super::delivery::{Delivery, RunClusterKey, package_installs};
use super::expectation::Expectation;
use super::following::{Event, Following};
use super::observation::{Installs, Observation, Targets, read_targets};
use super::reach::reach;
use super::selection::Selection;
use super::target::Target;
use super::verdict::{FluxObjects, assess};
use super::{Stage, Verdict};
use crate::carvel::PACKAGE_VERSION_ANNOTATION;
use crate::carvel::selection::select;
use crate::carvel::version::Version;
use crate::cluster::{Cluster, Connection};
use crate::conditions;
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Kustomization};
use crate::shell::quoted;
use crate::waiting;

/// How many run clusters are read at a time.
const AT_A_TIME: usize = 32;

/// How long a run cluster may take to answer.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// What to look at.
#[derive(Clone, Debug)]
pub struct SurveyRequest {
    /// Which deliveries.
    pub selection: Selection,
    /// Whether names that no delivery has are accepted.
    pub accepts_unknown: bool,
    /// The kubeconfig flags, for the contexts of the selection.
    pub connection: Connection,
}

/// One delivery as it was seen.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The delivery.
    pub delivery: Delivery,
    /// The revision that the source has.
    pub revision: Option<String>,
    /// Flux's own `Ready` of the two Kustomizations, such as `True` or `False HealthCheckFailed`.
    pub flux: [String; 2],
    /// The verdict on the source's revision.
    pub verdict: Verdict,
    /// The versions, where the run cluster could be read.
    pub versions: Option<Versions>,
}

/// Which versions of a package there are, and which one is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// What the revision that Flux has applied offers, the highest first.
    pub offered: Vec<String>,
    /// The constraints.
    pub constraints: String,
    /// What they select now.
    pub selected: Option<String>,
    /// What was installed at the last reconcile.
    pub installed: Option<String>,
    /// When the last reconcile ended: how it is now is not claimed.
    pub reconciled: Option<Timestamp>,
}

/// Looks at deliveries once, or again and again; what is known not to have changed is not read again.
pub struct Survey {
    build: Cluster,
    versions: FluxVersions,
    request: SurveyRequest,
    observation: Observation,
    groups: BTreeMap<RunClusterKey, Group>,
    following: Following,
}

/// The deliveries of one run cluster.
#[derive(Default)]
struct Group {
    deliveries: Vec<Delivery>,
    /// The run cluster, by the number that it is followed by, or why it cannot be reached; `None` until somebody tried.
    run_cluster: Option<Result<usize, Verdict>>,
    /// The resourceVersions of the Flux objects that were read before the targets: only what is read after them counts.
    parents: Vec<Option<String>>,
}

impl Survey {
    /// Prepares to look.
    #[must_use]
    pub fn new(build: &Cluster, versions: FluxVersions, request: SurveyRequest) -> Self {
        let following = Following::new(build, &request.connection);
        let (observation, groups) = (Observation::default(), BTreeMap::new());
        Self { build: build.clone(), versions, request, observation, groups, following }
    }

    /// Looks at all deliveries: at Flux's objects always, at a run cluster where nothing is known of it.
    pub async fn look(&mut self) -> Result<Vec<Surveyed>> {
        let namespace = self.request.selection.namespace.as_deref();
        let flux = Observation::list(&self.build, self.versions, namespace).await?;
        let all = flux.deliveries();
        if !self.request.accepts_unknown {
            self.request.selection.refuse_unknown(&all)?;
        }
        let chosen = self.request.selection.of(all);
        self.regroup(chosen, flux);
        self.read().await;
        if self.renew().await {
            self.read().await;
        }
        let deliveries = self.groups.values().flat_map(|group| group.deliveries.iter().map(move |one| (group, one)));
        let mut surveyed: Vec<Surveyed> =
            deliveries.map(|(group, delivery)| judge(&self.observation, group, delivery)).collect();
        surveyed.sort_by(|left, right| sort_key(&left.delivery).cmp(&sort_key(&right.delivery)));
        Ok(surveyed)
    }

    /// Reads what is not known of the run clusters, all of them in parallel.
    async fn read(&mut self) {
        let (build, request, observation, following) = (&self.build, &self.request, &self.observation, &self.following);
        let reads = stream::iter(&self.groups).map(|(key, group)| async move {
            let mut missing = observation.installs(&group.deliveries);
            missing.retain(|namespace, _| observation.target(key, namespace).is_none());
            // Lists take no more than a watch does: whoever may list may look, whether or not there is only one install.
            missing.values_mut().for_each(BTreeSet::clear);
            (key.clone(), group.read(build, request, following, missing).await)
        });
        let read: Vec<_> = reads.buffer_unordered(AT_A_TIME).collect().await;
        for (key, (reached, targets)) in read {
            if let (Some(reached), Some(group)) = (reached, self.groups.get_mut(&key)) {
                group.run_cluster = Some(reached.map(|cluster| self.following.add(cluster)));
            }
            self.observation.take_targets(key, targets);
        }
    }

    /// Reads Flux's credential again where this one is refused, and tells whether there is anything to read with a new one.
    async fn renew(&mut self) -> bool {
        let is_refused = |target: &Result<Target>| target.as_ref().is_err_and(|error| error.status() == Some(401));
        for (key, group) in &self.groups {
            let (Some(Ok(index)), Some(first)) = (&group.run_cluster, group.deliveries.first()) else { continue };
            if self.observation.targets(key).any(|(_, target)| is_refused(target)) {
                self.following.renew(*index, first);
            }
        }
        let mut is_renewed = false;
        while let Some(renewal) = self.following.next_renewal().await {
            match renewal.outcome {
                Ok(()) => {
                    is_renewed = true;
                    self.forget(renewal.index);
                }
                Err(verdict) => {
                    self.following.remove(renewal.index);
                    let group = self.groups.values_mut().find(|group| group.run_cluster == Some(Ok(renewal.index)));
                    if let Some(group) = group {
                        group.run_cluster = Some(Err(verdict));
                    }
                }
            }
        }
        is_renewed
    }

    /// Puts the deliveries into the groups of their run clusters, and goes on from a new reading of Flux's objects.
    fn regroup(&mut self, deliveries: Vec<Delivery>, mut flux: Observation) {
        let mut known = std::mem::take(&mut self.groups);
        for delivery in deliveries {
            let group = self.groups.entry(delivery.run_cluster_key()).or_insert_with_key(|key| {
                let group = known.remove(key).unwrap_or_default();
                Group { deliveries: Vec::new(), ..group }
            });
            group.deliveries.push(delivery);
        }
        for gone in known.into_values() {
            if let Some(Ok(index)) = gone.run_cluster {
                self.following.remove(index);
            }
        }
        let mut current = Vec::new();
        for (key, group) in &mut self.groups {
            let parents =
                group.deliveries.iter().flat_map(|delivery| resource_versions(flux.flux(delivery).ok())).collect();
            if group.parents == parents {
                current.push(key);
            }
            group.parents = parents;
        }
        flux.keep_targets(std::mem::take(&mut self.observation), |key| current.contains(&key));
        self.observation = flux;
    }

    /// Begins to watch Flux's objects.
    pub(crate) fn watch_flux(&mut self) {
        let namespace = self.request.selection.namespace.as_deref();
        self.following.watch_flux(self.versions, [namespace], [namespace]);
    }

    /// Waits until something may have changed, and forgets what was read of it. What was read on run clusters is watched, with the
    /// credentials that work now; nothing else is.
    pub(crate) async fn changed(&mut self) {
        for (key, group) in &self.groups {
            let Some(Ok(index)) = &group.run_cluster else { continue };
            let namespaces = self.observation.targets(key).map(|(namespace, _)| namespace.as_str()).collect();
            self.following.watch(*index, &namespaces);
        }
        if let Some(event) = self.following.next().await {
            self.take(event);
        }
    }

    /// Takes in what has happened since, without waiting.
    pub(crate) fn take_changes(&mut self) {
        while let Some(Some(event)) = self.following.next().now_or_never() {
            self.take(event);
        }
    }

    /// Forgets what an event shows to be out of date. Flux's objects are read again with every look, and what was read before them
    /// is forgotten.
    fn take(&mut self, event: Event) {
        let changed = match event {
            Event::Update(update) => update.changed_run_cluster(),
            Event::Renewed(renewal) => Some(renewal.index),
        };
        if let Some(index) = changed {
            self.forget(index);
        }
    }

    /// Forgets what was read on a run cluster.
    fn forget(&mut self, index: usize) {
        let changed = self.groups.iter().find(|(_, group)| group.run_cluster == Some(Ok(index)));
        if let Some((changed, _)) = changed {
            self.observation.forget(|key, _| key == changed);
        }
    }

    /// Forgets what could not be read, so that it is tried again.
    pub fn forget_unreadable(&mut self) {
        self.groups.values_mut().for_each(|group| drop(group.run_cluster.take_if(|run| run.is_err())));
        self.observation.forget(|_, target| target.is_err());
    }
}

impl Group {
    /// Reads target namespaces; returns how the run cluster was reached where it had not been yet.
    async fn read(
        &self,
        build: &Cluster,
        request: &SurveyRequest,
        following: &Following,
        installs: Installs,
    ) -> (Option<Result<Cluster, Verdict>>, Targets) {
        let Some(first) = self.deliveries.first().filter(|_| !installs.is_empty()) else {
            return (None, Targets::new());
        };
        match &self.run_cluster {
            Some(Ok(index)) => match following.cluster(*index) {
                Some(cluster) => (None, read_in_time(cluster, installs).await),
                None => (None, Targets::new()),
            },
            Some(Err(_)) => (None, Targets::new()),
            None => {
                let reached = reach(build, first, &request.selection.run_contexts, &request.connection).await;
                let targets = match &reached {
                    Ok(cluster) => read_in_time(cluster, installs).await,
                    Err(_) => Targets::new(),
                };
                (Some(reached), targets)
            }
        }
    }
}

/// Reads target namespaces, one after the other; one that does not answer is not waited for.
async fn read_in_time(cluster: &Cluster, installs: Installs) -> Targets {
    let mut targets = Targets::new();
    for (namespace, names) in installs {
        let read = read_targets(cluster, Installs::from([(namespace.clone(), names)]));
        let no_answer = || Err(Error::new(format!("no answer within {} s", READ_TIMEOUT.as_secs())));
        let read = waiting::within(READ_TIMEOUT, read).await;
        targets.extend(read.unwrap_or_else(|| Targets::from([(namespace, no_answer())])));
    }
    targets
}

/// Judges a delivery on the revision that its source has.
fn judge(observation: &Observation, group: &Group, delivery: &Delivery) -> Surveyed {
    let objects = match observation.flux(delivery) {
        Ok(objects) => objects,
        Err(error) => {
            let hint = error.hints().first().cloned().unwrap_or_default();
            let verdict = Verdict::Unknown { why: error.to_string(), hint };
            let flux = ["Unknown".to_owned(), "Unknown".to_owned()];
            return Surveyed { delivery: delivery.clone(), revision: None, flux, verdict, versions: None };
        }
    };
    let run_cluster = delivery.run_cluster_key();
    let names = objects.installs.map(package_installs).unwrap_or_default();
    let installed = |namespace: &str, name: &str| observation.installed(&run_cluster, (namespace, name), |_| false);
    let verdict = assess(delivery, objects, &mut Expectation::default(), installed).verdict;
    let unknown = match &group.run_cluster {
        Some(Err(verdict)) => Some(verdict.clone()),
        _ => observation.unreadable(delivery).map(|error| unreadable(error, delivery)),
    };
    let verdict = match (verdict, unknown) {
        // What Flux has yet to do is known also where the run cluster is not.
        (verdict @ (Verdict::Failed(_) | Verdict::Pending { stage: Stage::Source | Stage::Packages, .. }), Some(_))
            if names.is_empty() =>
        {
            verdict
        }
        (_, Some(unknown)) => unknown,
        (verdict, None) => verdict,
    };
    let first = names
        .first()
        .and_then(|(namespace, name)| versions(observation.target(&run_cluster, namespace)?.as_ref().ok()?, name));
    Surveyed {
        revision: objects.source.and_then(|source| Some(source.status.as_ref()?.artifact.as_ref()?.revision.clone())),
        flux: [ready_word(objects.packages), ready_word(objects.installs)],
        versions: first,
        verdict,
        delivery: delivery.clone(),
    }
}

fn unreadable(error: &Error, delivery: &Delivery) -> Verdict {
    Verdict::Unknown {
        why: format!("unreachable from here: {error}"),
        hint: format!("read it with a credential of your own: --run-context {}=CONTEXT", quoted(&delivery.run_cluster)),
    }
}

/// Returns Flux's own `Ready`, with the reason where it is not `True`.
fn ready_word(kustomization: Option<&Kustomization>) -> String {
    let Some(kustomization) = kustomization else { return "missing".to_owned() };
    let status = kustomization.status.as_ref();
    let ready = status.and_then(|status| conditions::find(&status.conditions, "Ready"));
    match ready {
        Some(ready) if ready.is_true() => "True".to_owned(),
        Some(ready) => format!("{} {}", ready.status, ready.reason),
        None => "Unknown".to_owned(),
    }
}

/// Says which versions of an install's package there are.
fn versions(target: &Target, name: &str) -> Option<Versions> {
    let reference = &target.install(name)?.spec.package_ref;
    let mut offered: Vec<Version> = target
        .packages
        .iter()
        .filter(|package| package.ref_name == reference.ref_name)
        .filter_map(|package| package.version.parse().ok())
        .collect();
    offered.sort();
    let app = target.app(name);
    let status = app.and_then(|app| app.status.as_ref());
    let deploy = status.and_then(|status| status.deploy.as_ref());
    let is_deployed = deploy.is_some_and(|deploy| deploy.finished && deploy.exit_code == 0);
    Some(Versions {
        constraints: reference.version_selection.constraints.clone(),
        selected: select(&offered, &reference.version_selection).ok().map(|version| version.to_string()),
        offered: offered.iter().rev().map(ToString::to_string).collect(),
        installed: app
            .filter(|_| is_deployed)
            .and_then(|app| app.annotations().get(PACKAGE_VERSION_ANNOTATION).cloned()),
        reconciled: deploy.and_then(|deploy| deploy.updated_at),
    })
}

/// Returns the resourceVersions of a delivery's objects.
fn resource_versions(objects: Option<FluxObjects<'_>>) -> [Option<String>; 3] {
    let Some(objects) = objects else { return [None, None, None] };
    [
        objects.source.and_then(ResourceExt::resource_version),
        objects.packages.and_then(ResourceExt::resource_version),
        objects.installs.and_then(ResourceExt::resource_version),
    ]
}

fn sort_key(delivery: &Delivery) -> (&str, &str, &str) {
    (&delivery.namespace, &delivery.run_cluster, &delivery.package)
}
