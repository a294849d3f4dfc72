//! Watches of Flux's and kapp-controller's objects, merged into one stream: one watch per kind, cluster and namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, SelectAll, StreamExt};
use kube::ResourceExt;
use kube::runtime::watcher::Event;

use super::Key;
use super::dependencies::{Known, Kustomizations};
use crate::carvel::{App, PackageInstall, app_resource, package_install_resource};
use crate::cluster::{Cluster, WatchFailure};
use crate::flux::{GitRepository, Kustomization, git_repository_resource, kustomization_resource};

/// Something that a watch brought.
#[derive(Debug)]
pub(crate) enum Update {
    /// A GitRepository of this namespace changed.
    Source(String, Event<GitRepository>),
    /// A Kustomization of this namespace changed.
    Kustomization(String, Event<Kustomization>),
    /// A PackageInstall of the run cluster with this index, in this namespace, changed.
    Install(usize, String, Event<PackageInstall>),
    /// An App of the run cluster with this index, in this namespace, changed.
    App(usize, String, Event<App>),
    /// A watch broke: of the run cluster with this index, or of the build cluster.
    Broken(Option<usize>, WatchFailure),
}

impl Update {
    /// Returns the run cluster on which something has changed, or may have while its watch is broken. A complete first list counts
    /// as well: it may have changed before the watch began.
    pub(crate) fn changed_run_cluster(&self) -> Option<usize> {
        let is_change = match self {
            Self::Install(_, _, event) => !matches!(event, Event::Init | Event::InitApply(_)),
            Self::App(_, _, event) => !matches!(event, Event::Init | Event::InitApply(_)),
            Self::Source(..) | Self::Kustomization(..) | Self::Broken(..) => true,
        };
        match self {
            Self::Install(index, ..) | Self::App(index, ..) | Self::Broken(Some(index), _) if is_change => Some(*index),
            _ => None,
        }
    }
}

/// All watches of a command.
pub(crate) type Updates = SelectAll<BoxStream<'static, Update>>;

/// Watches the GitRepositories of one namespace, or of all; updates then name none.
pub(crate) fn watch_sources(updates: &mut Updates, build: &Cluster, version: &str, namespace: Option<&str>) {
    let stream = build.watch::<GitRepository>(&git_repository_resource(version), namespace);
    let namespace = namespace.unwrap_or_default().to_owned();
    updates.push(stream.map(move |event| map(event, None, |event| Update::Source(namespace.clone(), event))).boxed());
}

/// Watches the Kustomizations of one namespace, or of all; updates then name none.
pub(crate) fn watch_kustomizations(updates: &mut Updates, build: &Cluster, version: &str, namespace: Option<&str>) {
    let stream = build.watch::<Kustomization>(&kustomization_resource(version), namespace);
    let namespace = namespace.unwrap_or_default().to_owned();
    let update = move |event| map(event, None, |event| Update::Kustomization(namespace.clone(), event));
    updates.push(stream.map(update).boxed());
}

/// Watches the PackageInstalls and Apps of one namespace of a run cluster.
pub(crate) fn watch_run_cluster(updates: &mut Updates, cluster: &Cluster, index: usize, namespace: &str) {
    let installs = cluster.watch::<PackageInstall>(&package_install_resource(), Some(namespace));
    let owned = namespace.to_owned();
    let update = move |event| map(event, Some(index), |event| Update::Install(index, owned.clone(), event));
    updates.push(installs.map(update).boxed());
    let apps = cluster.watch::<App>(&app_resource(), Some(namespace));
    let owned = namespace.to_owned();
    let update = move |event| map(event, Some(index), |event| Update::App(index, owned.clone(), slim_app(event)));
    updates.push(apps.map(update).boxed());
}

fn map<K>(event: Result<Event<K>, WatchFailure>, index: Option<usize>, update: impl Fn(Event<K>) -> Update) -> Update {
    match event {
        Ok(event) => update(event),
        Err(failure) => Update::Broken(index, failure),
    }
}

/// Drops what an App is fetched and deployed with, and what the tools of a finished run printed: many kilobytes, which only
/// verdicts of fresh reads look at.
fn slim_app(mut event: Event<App>) -> Event<App> {
    let (Event::Apply(app) | Event::InitApply(app)) = &mut event else { return event };
    (app.spec.fetch, app.spec.deploy) = (Vec::new(), Vec::new());
    if let Some(status) = &mut app.status
        && status.deploy.as_ref().is_none_or(|deploy| deploy.finished)
    {
        for stage in [&mut status.fetch, &mut status.template, &mut status.deploy].into_iter().flatten() {
            stage.stdout = String::new();
        }
    }
    event
}

/// The objects of a kind that one watch per namespace brings, with the time of their last change.
///
/// They are boxed, as half of a map's places are empty.
#[derive(Debug)]
pub(crate) struct Store<K> {
    objects: BTreeMap<Key, (Box<K>, Instant)>,
    /// Objects of lists in progress, which replace those of their namespace when they are complete.
    listing: BTreeMap<Key, Box<K>>,
    /// The namespaces that have been listed.
    complete: BTreeSet<String>,
}

/// The objects that an event concerns.
#[derive(Debug)]
pub(crate) enum Names {
    /// Possibly all.
    All,
    /// This one, by namespace and name.
    One(Key),
}

impl Names {
    /// Tells whether an object is among them.
    #[must_use]
    pub(crate) fn contains(&self, namespace: &str, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::One((known_namespace, known_name)) => known_namespace == namespace && known_name == name,
        }
    }
}

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), listing: BTreeMap::new(), complete: BTreeSet::new() }
    }
}

impl<K: ResourceExt> Store<K> {
    /// Handles an event, and returns what it concerns; nothing while a list is in progress.
    pub(crate) fn apply(&mut self, namespace: &str, event: Event<K>, now: Instant) -> Option<Names> {
        match event {
            Event::Init => {
                self.listing.retain(|(listed, _), _| listed != namespace);
                None
            }
            Event::InitApply(object) => {
                self.listing.insert(key(&object), Box::new(object));
                None
            }
            Event::InitDone => {
                self.replace(namespace, now);
                Some(Names::All)
            }
            Event::Apply(object) => {
                let key = key(&object);
                self.objects.insert(key.clone(), (Box::new(object), now));
                Some(Names::One(key))
            }
            Event::Delete(object) => {
                let key = key(&object);
                self.objects.remove(&key);
                Some(Names::One(key))
            }
        }
    }

    /// Puts the complete list of a namespace in the place of what was there.
    fn replace(&mut self, namespace: &str, now: Instant) {
        let is_here = |key: &Key| key.0 == namespace;
        let before: BTreeMap<Key, (Box<K>, Instant)> = self.objects.extract_if(.., |key, _| is_here(key)).collect();
        let listed: BTreeMap<Key, Box<K>> = self.listing.extract_if(.., |key, _| is_here(key)).collect();
        for (key, object) in listed {
            let since = before
                .get(&key)
                .filter(|(known, _)| known.resource_version() == object.resource_version())
                .map_or(now, |(_, since)| *since);
            self.objects.insert(key, (object, since));
        }
        self.complete.insert(namespace.to_owned());
    }

    /// Tells whether a namespace has been listed.
    #[must_use]
    pub(crate) fn is_complete(&self, namespace: &str) -> bool {
        self.complete.contains(namespace)
    }

    /// Returns an object.
    #[must_use]
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&K> {
        self.objects.get(&(namespace.to_owned(), name.to_owned())).map(|(object, _)| object.as_ref())
    }

    /// Returns all objects.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &K> {
        self.objects.values().map(|(object, _)| object.as_ref())
    }

    /// Returns the objects that have not changed for at least so long, with their resourceVersions.
    #[must_use]
    pub(crate) fn unchanged_for(&self, duration: Duration, now: Instant) -> BTreeMap<Key, Option<String>> {
        self.objects
            .iter()
            .filter(|(_, (_, since))| now.saturating_duration_since(*since) >= duration)
            .map(|(key, (object, _))| (key.clone(), object.resource_version()))
            .collect()
    }
}

impl Kustomizations for Store<Kustomization> {
    fn find(&self, (namespace, name): &Key) -> Known<'_> {
        match self.get(namespace, name) {
            Some(object) => Known::Object(object),
            None if self.is_complete(namespace) => Known::Missing,
            None => Known::NotRead,
        }
    }
}

fn key<K: ResourceExt>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}
