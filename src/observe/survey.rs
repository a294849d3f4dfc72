//! A look at all deliveries: the same model as a wait's, all run clusters in parallel.
//!
//! An unreachable run cluster is shown as such, beside what Flux says, and hides nothing of the others.

mod judge;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use kube::ResourceExt;

use self::judge::{Flux, judge};
pub use self::versions::Versions;
use super::Verdict;
use super::delivery::{Delivery, RunAccess};
use super::reach::reach;
use super::selection::Selection;
use super::target::Target;
use crate::cluster::{Cluster, Connection};
use crate::error::Result;
use crate::flux::{FluxVersions, GitRepository, Kustomization, git_repository_resource, kustomization_resource};
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

/// Looks at deliveries once, or again and again; what is known not to have changed is not read anew.
pub struct Survey {
    build: Cluster,
    versions: FluxVersions,
    request: SurveyRequest,
    groups: BTreeMap<GroupKey, Group>,
}

/// What makes deliveries share a run cluster: the namespace of the Flux objects, how Flux reaches it, and its name.
pub type GroupKey = (String, RunAccess, String);

/// The deliveries of one run cluster, and what was read there.
#[derive(Default)]
struct Group {
    deliveries: Vec<Delivery>,
    /// The run cluster, or why it cannot be reached; `None` until somebody tried.
    cluster: Option<Result<Cluster, Verdict>>,
    /// How many credentials have been found to work, one after the other: watches of an earlier one are refused for ever.
    credentials: usize,
    /// Whether the present credential has been found to work.
    is_proven: bool,
    /// What its target namespaces hold.
    targets: BTreeMap<String, Result<Target, Verdict>>,
    /// The resourceVersions of the Flux objects that were read before the targets: only what is read after them counts.
    parents: Vec<Option<String>>,
}

impl Survey {
    /// Prepares to look.
    #[must_use]
    pub fn new(build: &Cluster, versions: FluxVersions, request: SurveyRequest) -> Self {
        Self { build: build.clone(), versions, request, groups: BTreeMap::new() }
    }

    /// Looks at all deliveries: at Flux's objects always, at a run cluster where nothing is known of it.
    pub async fn look(&mut self) -> Result<Vec<Surveyed>> {
        let flux = self.read_flux().await?;
        let mut known = std::mem::take(&mut self.groups);
        let all = flux.deliveries();
        if !self.request.accepts_unknown {
            self.request.selection.refuse_unknown(&all)?;
        }
        for delivery in self.request.selection.of(all) {
            let key = (delivery.namespace.clone(), delivery.access.clone(), delivery.run_cluster.clone());
            let group = self
                .groups
                .entry(key)
                .or_insert_with_key(|key| Group { deliveries: Vec::new(), ..known.remove(key).unwrap_or_default() });
            group.deliveries.push(delivery);
        }
        for group in self.groups.values_mut() {
            let parents = group.deliveries.iter().flat_map(|delivery| flux.versions(delivery)).collect();
            if group.parents != parents {
                group.targets.clear();
                group.parents = parents;
            }
        }
        let (build, request) = (&self.build, &self.request);
        stream::iter(self.groups.values_mut()).for_each_concurrent(AT_A_TIME, |group| group.read(build, request)).await;
        let mut surveyed: Vec<Surveyed> = self
            .groups
            .values()
            .flat_map(|group| group.deliveries.iter().map(|delivery| judge(&flux, &group.targets, delivery)))
            .collect();
        surveyed.sort_by(|left, right| sort_key(&left.delivery).cmp(&sort_key(&right.delivery)));
        Ok(surveyed)
    }

    /// Returns the run clusters that can be reached, each with the number of its credential and its target namespaces.
    pub fn places(&self) -> impl Iterator<Item = (&GroupKey, &Cluster, usize, impl Iterator<Item = &String>)> {
        self.groups.iter().filter_map(|(key, group)| {
            let cluster = group.cluster.as_ref()?.as_ref().ok()?;
            Some((key, cluster, group.credentials, group.targets.keys()))
        })
    }

    /// Forgets what was read on the run cluster of a group, because it has changed.
    pub fn forget(&mut self, key: &GroupKey) {
        if let Some(group) = self.groups.get_mut(key) {
            group.targets.clear();
        }
    }

    /// Forgets what could not be read, so that it is tried again.
    pub fn forget_unreadable(&mut self) {
        for group in self.groups.values_mut() {
            group.cluster.take_if(|cluster| cluster.is_err());
            group.targets.retain(|_, target| target.is_ok());
        }
    }

    async fn read_flux(&self) -> Result<Flux> {
        let namespace = self.request.selection.namespace.as_deref();
        let source = git_repository_resource(self.versions.source);
        let kustomization = kustomization_resource(self.versions.kustomization);
        let (sources, kustomizations) = futures::join!(
            self.build.list_in::<GitRepository>(&source, namespace),
            self.build.list_in::<Kustomization>(&kustomization, namespace),
        );
        let mut flux = Flux { sources: index(sources?), kustomizations: index(kustomizations?) };
        let elsewhere: BTreeSet<(String, String)> = flux
            .deliveries()
            .into_iter()
            .map(|delivery| delivery.source)
            .filter(|key| !flux.sources.contains_key(key))
            .collect();
        for (namespace, name) in elsewhere {
            if let Some(found) = self.build.read(&source, &namespace, &name).await? {
                flux.sources.insert((namespace, name), found);
            }
        }
        Ok(flux)
    }
}

impl Group {
    /// Reads the target namespaces that nothing is known of.
    async fn read(&mut self, build: &Cluster, request: &SurveyRequest) {
        let Some(first) = self.deliveries.first() else { return };
        if self.cluster.is_none() {
            self.is_proven = false;
            self.cluster = Some(reach(build, first, &request.selection.run_contexts, &request.connection).await);
        }
        for delivery in &self.deliveries {
            let namespace = &delivery.target_namespace;
            if self.targets.contains_key(namespace) {
                continue;
            }
            let mut target = read_target(self.cluster.as_ref(), delivery).await;
            if let Err(Refusal { is_credential: true, .. }) = target {
                // Flux may have a new credential since.
                self.is_proven = false;
                self.cluster = Some(reach(build, delivery, &request.selection.run_contexts, &request.connection).await);
                target = read_target(self.cluster.as_ref(), delivery).await;
            }
            if target.is_ok() && !self.is_proven {
                self.is_proven = true;
                self.credentials += 1;
            }
            self.targets.insert(namespace.clone(), target.map_err(|refusal| refusal.verdict));
        }
    }
}

/// Why a target namespace cannot be read.
struct Refusal {
    verdict: Verdict,
    /// Whether the credential is refused.
    is_credential: bool,
}

async fn read_target(cluster: Option<&Result<Cluster, Verdict>>, delivery: &Delivery) -> Result<Target, Refusal> {
    let refuse = |why: &str, is_credential| Err(Refusal { verdict: unreadable(why, delivery), is_credential });
    let cluster = match cluster {
        Some(Ok(cluster)) => cluster,
        Some(Err(verdict)) => return Err(Refusal { verdict: verdict.clone(), is_credential: false }),
        None => return refuse("nobody has tried", false),
    };
    match tokio::time::timeout(PATIENCE, Target::read(cluster, &delivery.target_namespace)).await {
        Ok(Ok(target)) => Ok(target),
        Ok(Err(error)) => refuse(&error.to_string(), error.status() == Some(401)),
        Err(_) => refuse(&format!("no answer within {} s", PATIENCE.as_secs()), false),
    }
}

fn sort_key(delivery: &Delivery) -> (&str, &str, &str) {
    (&delivery.namespace, &delivery.run_cluster, &delivery.package)
}

fn unreadable(why: &str, delivery: &Delivery) -> Verdict {
    Verdict::Unknown {
        why: format!("unreachable from here: {why}"),
        hint: format!("read it with a credential of your own: --run-context {}=CONTEXT", quoted(&delivery.run_cluster)),
    }
}

fn index<K: ResourceExt>(objects: Vec<K>) -> BTreeMap<(String, String), K> {
    objects.into_iter().map(|object| ((object.namespace().unwrap_or_default(), object.name_any()), object)).collect()
}
