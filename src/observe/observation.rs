//! What one reading found of deliveries: Flux's objects, and what target namespaces on run clusters hold. The same for `wait`,
//! `status` and `check`.
//!
//! Parents are read before children: a child that was read before its parent proves nothing. What the objects mean is decided
//! in [`super::verdict`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use futures::StreamExt;
use futures::stream;
use kube::api::ApiResource;
use kube::core::DynamicResourceScope;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::Key;
use super::delivery::{Delivery, RunClusterKey, find, package_installs};
use super::dependencies::{self, Known, Kustomizations};
use super::install::Installed;
use super::target::Target;
use super::verdict::FluxObjects;
use crate::carvel::App;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, GitRepository, Kustomization, git_repository_resource, kustomization_resource};

/// How many objects of a kind are read at a time.
const AT_A_TIME: usize = 8;

/// The installs of a run cluster, by namespace; a namespace without any is read as a whole.
pub(crate) type Installs = BTreeMap<String, BTreeSet<String>>;

/// The target namespaces of a run cluster, as they were read.
pub(crate) type Targets = BTreeMap<String, Result<Target>>;

/// What was read of deliveries.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    sources: BTreeMap<Key, Result<Option<GitRepository>>>,
    kustomizations: BTreeMap<Key, Result<Option<Kustomization>>>,
    targets: BTreeMap<RunClusterKey, Targets>,
}

impl Observation {
    /// Reads all Flux objects of a namespace, or of all, and what they name elsewhere.
    pub(crate) async fn list(build: &Cluster, versions: FluxVersions, namespace: Option<&str>) -> Result<Self> {
        let (source, kustomization) =
            (git_repository_resource(versions.source), kustomization_resource(versions.kustomization));
        let (sources, kustomizations) = futures::join!(
            build.list_in::<GitRepository>(&source, namespace),
            build.list_in::<Kustomization>(&kustomization, namespace),
        );
        let mut observation =
            Self { sources: index(sources?), kustomizations: index(kustomizations?), targets: BTreeMap::new() };
        let deliveries = observation.deliveries();
        observation.read_flux(build, versions, &deliveries).await;
        Ok(observation)
    }

    /// Reads the Flux objects of deliveries that have not been read yet, and what they wait for.
    pub(crate) async fn read_flux<'a>(
        &mut self,
        build: &Cluster,
        versions: FluxVersions,
        deliveries: impl IntoIterator<Item = &'a Delivery> + Clone,
    ) {
        let sources = deliveries.clone().into_iter().map(|delivery| delivery.source.clone());
        read_missing(build, &git_repository_resource(versions.source), sources, &mut self.sources).await;
        let resource = kustomization_resource(versions.kustomization);
        let own = deliveries.into_iter().flat_map(Delivery::kustomizations);
        read_missing(build, &resource, own, &mut self.kustomizations).await;
        loop {
            let waited_for: Vec<Key> = self.kustomizations().flat_map(dependencies::awaited).collect();
            if read_missing(build, &resource, waited_for, &mut self.kustomizations).await == 0 {
                return;
            }
        }
    }

    /// Returns the deliveries that the Kustomizations describe.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        find(self.kustomizations())
    }

    /// Returns all Kustomizations that were read.
    pub(crate) fn kustomizations(&self) -> impl Iterator<Item = &Kustomization> {
        self.kustomizations.values().filter_map(|read| read.as_ref().ok()?.as_ref())
    }

    /// Returns a Kustomization; `None` where it does not exist.
    pub(crate) fn kustomization(&self, key: &Key) -> Result<Option<&Kustomization>> {
        found(&self.kustomizations, key)
    }

    /// Returns a source; `None` where it does not exist.
    pub(crate) fn source(&self, key: &Key) -> Result<Option<&GitRepository>> {
        found(&self.sources, key)
    }

    /// Returns the Flux objects of a delivery, or why one of them cannot be read.
    pub(crate) fn flux(&self, delivery: &Delivery) -> Result<FluxObjects<'_>> {
        let [packages, installs] = delivery.kustomizations();
        Ok(FluxObjects {
            source: self.source(&delivery.source)?,
            packages: self.kustomization(&packages)?,
            installs: self.kustomization(&installs)?,
            all: self,
        })
    }

    /// Returns the installs that Flux has applied for deliveries, in their namespaces; the target namespace of one that has
    /// none yet.
    pub(crate) fn installs<'a>(&self, deliveries: impl IntoIterator<Item = &'a Delivery>) -> Installs {
        let mut installs = Installs::new();
        for delivery in deliveries {
            let applied = self.flux(delivery).ok().and_then(|objects| objects.installs).map(package_installs);
            let applied = applied.unwrap_or_default();
            if applied.is_empty() {
                installs.entry(delivery.target_namespace.clone()).or_default();
            }
            for (namespace, name) in applied {
                installs.entry(namespace).or_default().insert(name);
            }
        }
        installs
    }

    /// Adds what was read of a run cluster.
    pub(crate) fn take_targets(&mut self, run_cluster: RunClusterKey, targets: Targets) {
        self.targets.entry(run_cluster).or_default().extend(targets);
    }

    /// Returns a target namespace of a delivery, or why it cannot be read; `None` where nobody has tried.
    pub(crate) fn target(&self, run_cluster: &RunClusterKey, namespace: &str) -> Option<&Result<Target>> {
        self.targets.get(run_cluster)?.get(namespace)
    }

    /// Returns the target namespaces of a run cluster that were read or tried.
    pub(crate) fn targets(&self, run_cluster: &RunClusterKey) -> impl Iterator<Item = (&String, &Result<Target>)> {
        self.targets.get(run_cluster).into_iter().flatten()
    }

    /// Returns why an install of a delivery cannot be read, where one cannot.
    pub(crate) fn unreadable(&self, delivery: &Delivery) -> Option<&Error> {
        let run_cluster = delivery.run_cluster_key();
        let namespaces = self.installs([delivery]).into_keys();
        namespaces.into_iter().find_map(|namespace| self.target(&run_cluster, &namespace)?.as_ref().err())
    }

    /// Returns what was read of an install; `is_unchanged` tells that its App was seen unchanged for long enough.
    pub(crate) fn installed(
        &self,
        run_cluster: &RunClusterKey,
        (namespace, name): (&str, &str),
        is_unchanged: impl FnOnce(&App) -> bool,
    ) -> Installed<'_> {
        let Some(Ok(target)) = self.target(run_cluster, namespace) else { return Installed::default() };
        target.installed(name, target.app(name).is_some_and(is_unchanged))
    }

    /// Moves what is known of run clusters from an earlier observation, where `holds` says that it still counts.
    pub(crate) fn keep_targets(&mut self, earlier: Self, holds: impl Fn(&RunClusterKey) -> bool) {
        self.targets = earlier.targets;
        self.targets.retain(|run_cluster, _| holds(run_cluster));
    }

    /// Forgets target namespaces that were read, or could not be read.
    pub(crate) fn forget(&mut self, is_concerned: impl Fn(&RunClusterKey, &Result<Target>) -> bool) {
        for (run_cluster, targets) in &mut self.targets {
            targets.retain(|_, target| !is_concerned(run_cluster, target));
        }
    }
}

impl Kustomizations for Observation {
    fn find(&self, key: &Key) -> Known<'_> {
        match self.kustomizations.get(key) {
            Some(Ok(Some(object))) => Known::Object(object),
            Some(Ok(None)) => Known::Missing,
            Some(Err(_)) | None => Known::NotRead,
        }
    }
}

/// Reads namespaces of a run cluster: of a single install what decides about that one, else everything, so that many installs
/// are as cheap as one.
pub(crate) async fn read_targets(cluster: &Cluster, installs: Installs) -> Targets {
    let mut targets = Targets::new();
    for (namespace, names) in installs {
        let target = match names.first() {
            Some(only) if names.len() == 1 => Target::read_one(cluster, &namespace, only).await,
            _ => Target::read(cluster, &namespace).await,
        };
        targets.insert(namespace, target);
    }
    targets
}

/// Reads the objects that are not known yet, and returns how many these were.
async fn read_missing<K>(
    build: &Cluster,
    resource: &ApiResource,
    keys: impl IntoIterator<Item = Key>,
    known: &mut BTreeMap<Key, Result<Option<K>>>,
) -> usize
where
    K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope> + Clone + DeserializeOwned + Debug,
{
    let missing: BTreeSet<Key> = keys.into_iter().filter(|key| !known.contains_key(key)).collect();
    let count = missing.len();
    let reads = stream::iter(missing).map(|key| async move {
        let object = build.read(resource, &key.0, &key.1).await;
        (key, object)
    });
    known.extend(reads.buffer_unordered(AT_A_TIME).collect::<Vec<_>>().await);
    count
}

fn found<'a, K>(objects: &'a BTreeMap<Key, Result<Option<K>>>, key: &Key) -> Result<Option<&'a K>> {
    match objects.get(key) {
        Some(Ok(object)) => Ok(object.as_ref()),
        Some(Err(error)) => Err(error.clone()),
        None => Ok(None),
    }
}

fn index<K: ResourceExt>(objects: Vec<K>) -> BTreeMap<Key, Result<Option<K>>> {
    let key = |object: &K| (object.namespace().unwrap_or_default(), object.name_any());
    objects.into_iter().map(|object| (key(&object), Ok(Some(object)))).collect()
}
