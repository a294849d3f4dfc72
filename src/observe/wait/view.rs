//! A run cluster as it is seen while waiting: what its watches bring, and whether they work.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::watcher::Event;

use crate::carvel::{App, PackageInstall};
use crate::observe::Verdict;
use crate::observe::install::failed_attempt;
use crate::observe::watch::Store;

/// A run cluster as one or more deliveries reach it.
#[derive(Default)]
pub(super) struct RunView {
    pub(super) installs: Store<PackageInstall>,
    pub(super) apps: Store<App>,
    /// What keeps it from being watched.
    pub(super) broken: Option<String>,
    /// Since when its watches have been refused, without a pause.
    pub(super) refused: Option<Instant>,
    /// The Apps that had failed before anybody looked, as messages name them, and when the failed attempt began.
    stale: BTreeMap<String, Timestamp>,
    /// Whether this is not the first credential: what had failed before anybody looked has been noted.
    is_renewed: bool,
}

impl RunView {
    /// Begins again with another credential, whose watches have yet to bring everything.
    pub(super) fn renewed(&mut self) {
        (self.installs, self.apps) = (Store::default(), Store::default());
        self.broken = None;
        self.is_renewed = true;
    }

    /// Takes note of the Apps of a namespace that have failed already, when they are seen for the first time.
    pub(super) fn note_stale(&mut self, namespace: &str) {
        if self.is_renewed {
            return;
        }
        for app in self.apps.iter().filter(|app| app.namespace().as_deref() == Some(namespace)) {
            if let Some(attempt) = failed_attempt(app) {
                self.stale.insert(format!("App {namespace}/{}", app.name_any()), attempt);
            }
        }
    }

    /// Tells whether a failure is that of an attempt that had ended before anybody looked.
    pub(super) fn is_stale(&self, verdict: &Verdict) -> bool {
        let Verdict::Failed(failure) = verdict else { return false };
        failure.attempt.is_some() && self.stale.get(&failure.object) == failure.attempt.as_ref()
    }

    /// Takes note that a watch works: a list that only begins proves nothing yet.
    pub(super) fn mend<K>(&mut self, event: &Event<K>) {
        if !matches!(event, Event::Init) {
            self.broken = None;
            self.refused = None;
        }
    }
}
