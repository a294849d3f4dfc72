//! `status --watch`: the status again with every change, of which the watches tell. What has not changed is not read anew.

use std::collections::BTreeSet;
use std::time::Duration;

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
    watched: BTreeSet<(GroupKey, String)>,
}

impl Watches {
    /// Watches run clusters that are not watched yet.
    fn add_run_clusters(&mut self, survey: &Survey) {
        for (key, cluster, namespaces) in survey.places() {
            for namespace in namespaces {
                if !self.watched.insert((key.clone(), namespace.clone())) {
                    continue;
                }
                self.groups.push(key.clone());
                watch::watch_run_cluster(&mut self.updates, cluster, self.groups.len() - 1, namespace);
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
