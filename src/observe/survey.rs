//! A look at all deliveries as they are now: the same reading as a wait's, all run clusters in parallel.
//!
//! An unreachable run cluster is shown as such, beside what Flux says, and hides nothing of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use kube::ResourceExt;

use super::delivery::{Delivery, RunClusterKey, package_installs};
use super::expectation::Expectation;
use super::observation::{Installs, Observation, Targets, read_targets};
use super::reach::reach;
use super::run_cluster::RunCluster;
use super::selection::Selection;
use super::target::Target;
use super::verdict::{FluxObjects, assess};
use super::watch::Updates;
use super::{Stage, Verdict};
use crate::carvel::PACKAGE_VERSION_ANNOTATION;
use crate::carvel::selection::select;
use crate::carvel::version::Version;
use crate::cluster::{Cluster, Connection};
use crate::conditions;
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Kustomization};
use crate::shell::quoted;

/// How many run clusters are read at a time.
const AT_A_TIME: usize = 32;

/// How long a run cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// Looks at deliveries once, or again and again; what is known not to have changed is not read anew.
pub struct Survey {
    build: Cluster,
    versions: FluxVersions,
    request: SurveyRequest,
    observation: Observation,
    groups: BTreeMap<RunClusterKey, Group>,
    /// How many groups there have been: updates of watches name them by number.
    count: usize,
}

/// The deliveries of one run cluster.
struct Group {
    index: usize,
    deliveries: Vec<Delivery>,
    /// The run cluster, or why it cannot be reached; `None` until somebody tried.
    cluster: Option<Result<RunCluster, Verdict>>,
    /// The resourceVersions of the Flux objects that were read before the targets: only what is read after them counts.
    parents: Vec<Option<String>>,
}

impl Survey {
    /// Prepares to look.
    #[must_use]
    pub fn new(build: &Cluster, versions: FluxVersions, request: SurveyRequest) -> Self {
        let (observation, groups) = (Observation::default(), BTreeMap::new());
        Self { build: build.clone(), versions, request, observation, groups, count: 0 }
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
        let (build, request, observation) = (&self.build, &self.request, &self.observation);
        let reads = stream::iter(&mut self.groups).map(|(key, group)| async move {
            let mut missing = observation.installs(&group.deliveries);
            missing.retain(|namespace, _| observation.target(key, namespace).is_none());
            // Lists take no more than a watch does: whoever may list may look, whether or not there is only one install.
            missing.values_mut().for_each(BTreeSet::clear);
            (key.clone(), group.read(build, request, missing).await)
        });
        let read: Vec<(RunClusterKey, Targets)> = reads.buffer_unordered(AT_A_TIME).collect().await;
        for (key, targets) in read {
            self.observation.take_targets(key, targets);
        }
        let deliveries = self.groups.values().flat_map(|group| group.deliveries.iter().map(move |one| (group, one)));
        let mut surveyed: Vec<Surveyed> =
            deliveries.map(|(group, delivery)| judge(&self.observation, group, delivery)).collect();
        surveyed.sort_by(|left, right| sort_key(&left.delivery).cmp(&sort_key(&right.delivery)));
        Ok(surveyed)
    }

    /// Puts the deliveries into the groups of their run clusters, and goes on from a new reading of Flux's objects.
    fn regroup(&mut self, deliveries: Vec<Delivery>, mut flux: Observation) {
        let mut known = std::mem::take(&mut self.groups);
        for delivery in deliveries {
            let group = self.groups.entry(delivery.run_cluster_key()).or_insert_with_key(|key| {
                let group = known.remove(key).unwrap_or_else(|| {
                    self.count += 1;
                    Group { index: self.count, deliveries: Vec::new(), cluster: None, parents: Vec::new() }
                });
                Group { deliveries: Vec::new(), ..group }
            });
            group.deliveries.push(delivery);
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

    /// Watches what was read on run clusters, with the credentials that work now. Who is not looked at any more is not watched.
    pub(crate) fn watch(&mut self, updates: &mut Updates) {
        for (key, group) in &mut self.groups {
            let Some(Ok(run)) = &mut group.cluster else { continue };
            for (namespace, _) in self.observation.targets(key) {
                run.watch(updates, group.index, namespace);
            }
        }
    }

    /// Forgets what was read on the run cluster that an update names, because it has changed.
    pub(crate) fn forget(&mut self, index: usize) {
        let Some((changed, _)) = self.groups.iter().find(|(_, group)| group.index == index) else { return };
        self.observation.forget(|key, _| key == changed);
    }

    /// Forgets what could not be read, so that it is tried again.
    pub fn forget_unreadable(&mut self) {
        self.groups.values_mut().for_each(|group| drop(group.cluster.take_if(|cluster| cluster.is_err())));
        self.observation.forget(|_, target| target.is_err());
    }
}

impl Group {
    /// Reads target namespaces, with a credential that Flux may have got since.
    async fn read(&mut self, build: &Cluster, request: &SurveyRequest, installs: Installs) -> Targets {
        let Some(first) = self.deliveries.first() else { return Targets::new() };
        let run_contexts = &request.selection.run_contexts;
        if self.cluster.is_none() && !installs.is_empty() {
            self.cluster = Some(reach(build, first, run_contexts, &request.connection).await.map(RunCluster::new));
        }
        let Some(Ok(run)) = &mut self.cluster else { return Targets::new() };
        let targets = read_in_time(run.cluster(), installs.clone()).await;
        let is_refused = targets.values().any(|target| target.as_ref().is_err_and(|error| error.status() == Some(401)));
        if !is_refused {
            return targets;
        }
        let renewed = match reach(build, first, run_contexts, &request.connection).await {
            Ok(renewed) => renewed,
            Err(verdict) => {
                self.cluster = Some(Err(verdict));
                return targets;
            }
        };
        let targets = read_in_time(&renewed, installs).await;
        if targets.values().any(Result::is_ok) {
            run.replace(renewed);
        }
        targets
    }
}

/// Reads target namespaces, one after the other; one that does not answer is not waited for.
async fn read_in_time(cluster: &Cluster, installs: Installs) -> Targets {
    let mut targets = Targets::new();
    for (namespace, names) in installs {
        let read = read_targets(cluster, Installs::from([(namespace.clone(), names)]));
        let no_answer = || Err(Error::new(format!("no answer within {} s", PATIENCE.as_secs())));
        let read = tokio::time::timeout(PATIENCE, read).await;
        targets.extend(read.unwrap_or_else(|_| Targets::from([(namespace, no_answer())])));
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
    let unknown = match &group.cluster {
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
