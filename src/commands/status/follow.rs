//! `status --watch`: the status again with every change, of which the watches tell. What has not changed is not read anew.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use kube::runtime::watcher::Event;

use super::render;
use crate::cli::StatusFormat;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::flux::FluxVersions;
use crate::observe::survey::{Survey, Surveyed};
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
    let mut updates = Updates::new();
    watch::watch_sources(&mut updates, build, versions.source, namespace);
    watch::watch_kustomizations(&mut updates, build, versions.kustomization, namespace);
    let mut trouble = None;
    let mut shown = Vec::new();
    loop {
        survey.watch(&mut updates);
        let mut lines = render(format, &surveyed)?;
        lines.extend(trouble.take());
        if lines != shown {
            ui.screen(&lines)?;
            shown = lines;
        }
        tokio::select! {
            Some(update) = updates.next() => {
                take(&mut survey, update);
                tokio::time::sleep(COLLECT).await;
            }
            () = tokio::time::sleep(REFRESH) => survey.forget_unreadable(),
        }
        while let Some(Some(update)) = updates.next().now_or_never() {
            take(&mut survey, update);
        }
        match survey.look().await {
            Ok(looked) => surveyed = looked,
            // What was read last stays on the screen.
            Err(error) => trouble = Some(format!("{error}; retrying")),
        }
    }
}

/// Makes the survey forget what an update shows to be out of date. Flux's objects are read anew with every look, and what was
/// read before them is forgotten.
fn take(survey: &mut Survey, update: Update) {
    match update {
        Update::Install(index, _, event) if is_change(&event) => survey.forget(index),
        Update::App(index, _, event) if is_change(&event) => survey.forget(index),
        Update::Broken(Some(index), _) => survey.forget(index),
        _ => {}
    }
}

/// Tells whether an event says that something has changed. A first list counts as well: it may have changed before the watch
/// began.
fn is_change<K>(event: &Event<K>) -> bool {
    !matches!(event, Event::Init | Event::InitApply(_))
}
