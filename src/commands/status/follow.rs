//! `status --watch`: the status again with every change, of which the watches tell. What has not changed is not read anew.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, AbortHandle};
use futures::{FutureExt, StreamExt};
use kube::runtime::watcher::Event;

use super::render;
use crate::cli::StatusFormat;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::flux::FluxVersions;
use crate::observe::survey::{GroupKey, Survey, Surveyed};
use crate::observe::watch::{self, Update, Updates};
use crate::ui::Ui;

/// How long changes are collected before they are shown together.
const COLLECT: Duration = Duration::from_millis(300);

/// How often ages are shown anew, and what cannot be read is tried again.
const REFRESH: Duration = Duration::from_secs(10);

/// Shows what was surveyed, and again whenever something changes, until interrupted.
pub(super) async fn follow(
    ui: Ui,
    build: &Cluster,
    versions: FluxVersions,
    namespace: Option<&str>,
    format: StatusFormat,
    mut survey: Survey,
    mut surveyed: Vec<Surveyed>,
) -> Result<()> {
    let mut watches = Watches::default();
    watch::watch_sources(&mut watches.updates, build, versions.source, namespace);
    watch::watch_kustomizations(&mut watches.updates, build, versions.kustomization, namespace);
    let mut trouble = None;
    let mut shown = Vec::new();
    loop {
        watches.add_run_clusters(&survey);
        let mut lines = render(format, &surveyed)?;
        lines.extend(trouble.take());
        if lines != shown {
            ui.screen(&lines)?;
            shown = lines;
        }
        tokio::select! {
            Some(update) = watches.updates.next() => {
                watches.take(&mut survey, update);
                tokio::time::sleep(COLLECT).await;
            }
            () = tokio::time::sleep(REFRESH) => survey.forget_unreadable(),
        }
        while let Some(Some(update)) = watches.updates.next().now_or_never() {
            watches.take(&mut survey, update);
        }
        match survey.look().await {
            Ok(looked) => surveyed = looked,
            // What was read last stays on the screen.
            Err(error) => trouble = Some(format!("{error}; retrying")),
        }
    }
}

/// The watches, and what they have told already.
#[derive(Default)]
struct Watches {
    updates: Updates,
    /// The run clusters that are watched; updates name them by index.
    groups: Vec<GroupKey>,
    watched: Watched,
}

/// What is watched, with which credential, and how each watch is ended.
#[derive(Default)]
struct Watched(BTreeMap<(GroupKey, String), (usize, AbortHandle)>);

impl Watched {
    /// Tells whether a namespace of a run cluster is watched with this credential.
    fn is_current(&self, place: &(GroupKey, String), credential: usize) -> bool {
        self.0.get(place).is_some_and(|(known, _)| *known == credential)
    }

    /// Takes note of a new watch, and ends the one that it takes the place of: its credential is refused for ever.
    fn replace(&mut self, place: (GroupKey, String), credential: usize, handle: AbortHandle) {
        if let Some((_, earlier)) = self.0.insert(place, (credential, handle)) {
            earlier.abort();
        }
    }
}

impl Watches {
    /// Watches run clusters that are not watched yet, or not with the credential that works now.
    fn add_run_clusters(&mut self, survey: &Survey) {
        for (key, cluster, credential, namespaces) in survey.places() {
            for namespace in namespaces {
                let place = (key.clone(), namespace.clone());
                if self.watched.is_current(&place, credential) {
                    continue;
                }
                self.groups.push(key.clone());
                let mut updates = Updates::new();
                watch::watch_run_cluster(&mut updates, cluster, self.groups.len() - 1, namespace);
                let (updates, handle) = stream::abortable(updates);
                self.updates.push(updates.boxed());
                self.watched.replace(place, credential, handle);
            }
        }
    }

    /// Makes the survey forget what an update shows to be out of date.
    fn take(&mut self, survey: &mut Survey, update: Update) {
        match update {
            // Flux's objects are read anew with every look, and what was read before them is forgotten.
            Update::Source(..) | Update::Kustomization(..) | Update::Broken(None, _) => {}
            Update::Install(index, _, event) => {
                if is_change(&event) {
                    survey.forget(&self.groups[index]);
                }
            }
            Update::App(index, _, event) => {
                if is_change(&event) {
                    survey.forget(&self.groups[index]);
                }
            }
            Update::Broken(Some(index), _) => survey.forget(&self.groups[index]),
        }
    }
}

/// Tells whether an event says that something has changed. A first list counts as well: it may have changed before the watch
/// began.
fn is_change<K>(event: &Event<K>) -> bool {
    !matches!(event, Event::Init | Event::InitApply(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::RunAccess;

    #[test]
    fn the_watch_of_a_credential_that_was_replaced_ends() {
        let access = RunAccess::WorkloadIdentity { config_map: "prod1".to_owned(), impersonate: None };
        let place = (("dev".to_owned(), access, "prod1".to_owned()), "apps".to_owned());
        let (first, _) = AbortHandle::new_pair();
        let (second, _) = AbortHandle::new_pair();
        let mut watched = Watched::default();
        watched.replace(place.clone(), 1, first.clone());
        assert!(watched.is_current(&place, 1) && !first.is_aborted());
        assert!(!watched.is_current(&place, 2));
        watched.replace(place.clone(), 2, second.clone());
        assert!(watched.is_current(&place, 2));
        assert!(first.is_aborted() && !second.is_aborted());
    }
}
