//! Watches of Flux's and kapp-controller's objects, merged into one stream: one watch per kind, cluster and namespace.

use std::collections::BTreeMap;

use futures::stream::{BoxStream, SelectAll, StreamExt};
use kube::ResourceExt;
use kube::runtime::watcher::Event;

use crate::carvel::{App, PackageInstall, app_resource, package_install_resource};
use crate::cluster::{Cluster, WatchFailure};
use crate::flux::{GitRepository, Kustomization, git_repository_resource, kustomization_resource};

/// Something that a watch brought.
#[derive(Debug)]
pub enum Update {
    /// A GitRepository changed.
    Source(Event<GitRepository>),
    /// A Kustomization changed.
    Kustomization(Event<Kustomization>),
    /// A PackageInstall of the run cluster with this index changed.
    Install(usize, Event<PackageInstall>),
    /// An App of the run cluster with this index changed.
    App(usize, Event<App>),
    /// A watch broke: of the run cluster with this index, or of the build cluster.
    Broken(Option<usize>, WatchFailure),
}

/// All watches of a command.
pub type Updates = SelectAll<BoxStream<'static, Update>>;

/// Watches the Flux objects of one namespace.
pub fn watch_sources(updates: &mut Updates, build: &Cluster, version: &str, namespace: &str) {
    let stream = build.watch::<GitRepository>(&git_repository_resource(version), namespace);
    updates.push(stream.map(|event| map(event, None, Update::Source)).boxed());
}

/// Watches the Kustomizations of one namespace.
pub fn watch_kustomizations(updates: &mut Updates, build: &Cluster, version: &str, namespace: &str) {
    let stream = build.watch::<Kustomization>(&kustomization_resource(version), namespace);
    updates.push(stream.map(|event| map(event, None, Update::Kustomization)).boxed());
}

/// Watches the PackageInstalls and Apps of one namespace of a run cluster.
pub fn watch_run_cluster(updates: &mut Updates, cluster: &Cluster, index: usize, namespace: &str) {
    let installs = cluster.watch::<PackageInstall>(&package_install_resource(), namespace);
    updates.push(installs.map(move |event| map(event, Some(index), |event| Update::Install(index, event))).boxed());
    let apps = cluster.watch::<App>(&app_resource(), namespace);
    updates.push(apps.map(move |event| map(event, Some(index), |event| Update::App(index, event))).boxed());
}

fn map<K>(
    event: Result<Event<K>, WatchFailure>,
    index: Option<usize>,
    update: impl Fn(Event<K>) -> Update,
) -> Update {
    match event {
        Ok(event) => update(event),
        Err(failure) => Update::Broken(index, failure),
    }
}

/// The objects of one watch, by namespace and name.
#[derive(Debug)]
pub struct Store<K> {
    objects: BTreeMap<(String, String), K>,
    /// Objects of a list in progress; they replace the others when it is complete.
    listing: BTreeMap<(String, String), K>,
}

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), listing: BTreeMap::new() }
    }
}

impl<K: ResourceExt> Store<K> {
    /// Takes in an event.
    pub fn apply(&mut self, event: Event<K>) {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(object) => {
                let (key, object) = slim(object);
                self.listing.insert(key, object);
            }
            Event::InitDone => self.objects = std::mem::take(&mut self.listing),
            Event::Apply(object) => {
                let (key, object) = slim(object);
                self.objects.insert(key, object);
            }
            Event::Delete(object) => {
                self.objects.remove(&key(&object));
            }
        }
    }

    /// Returns an object.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&K> {
        self.objects.get(&(namespace.to_owned(), name.to_owned()))
    }
}

fn key<K: ResourceExt>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// Drops what no verdict reads and would be kept for every object.
fn slim<K: ResourceExt>(mut object: K) -> ((String, String), K) {
    object.meta_mut().managed_fields = None;
    (key(&object), object)
}
