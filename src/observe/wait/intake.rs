//! Takes in the run clusters as they are reached. Handles what watches bring, their failures included, and marks the deliveries
//! that it concerns. A credential that is refused is read again.

use std::collections::BTreeSet;
use std::time::Instant;

use super::follower::Follower;
use super::reaching::Arrival;
use super::request::Reporter;
use super::view::RunView;
use crate::cluster::{Remedy, WatchFailure};
use crate::error::Error;
use crate::observe::delivery::{RunAccess, package_installs};
use crate::observe::following::{Event, Renewal};
use crate::observe::kustomization::{renewal, untrusted_identity};
use crate::observe::verdict::{DependencyState, FluxPart};
use crate::observe::watch::Update;
use crate::observe::{Cause, Failure, GracePeriod, Stage, Verdict, watch};

impl Follower {
    /// Watches the target namespaces on a run cluster, each once; where it cannot be reached, its deliveries are decided.
    pub(super) fn arrived(&mut self, arrival: Arrival, reporter: &mut dyn Reporter) {
        let now = Instant::now();
        let Arrival { run_cluster, reached } = arrival;
        let own = self.tracks.iter().filter(|track| track.delivery.run_cluster_key() == run_cluster);
        let namespaces: BTreeSet<&str> = own.map(|track| track.delivery.target_namespace.as_str()).collect();
        let view = reached.map(|cluster| {
            let index = self.following.add(cluster);
            self.following.watch(index, &namespaces);
            self.views.push(RunView::default());
            index
        });
        for (index, track) in self.tracks.iter_mut().enumerate() {
            if track.outcome.is_some() || track.delivery.run_cluster_key() != run_cluster {
                continue;
            }
            match &view {
                Ok(view) => {
                    track.view = Some(*view);
                    track.touch(now);
                }
                Err(verdict) => {
                    reporter.changed(index, verdict, true);
                    track.outcome = Some(verdict.clone());
                }
            }
        }
    }

    /// Takes in what has happened, and marks the deliveries that it concerns.
    pub(super) fn take(&mut self, event: Event, reporter: &mut dyn Reporter) {
        match event {
            Event::Update(update) => self.take_update(update, reporter),
            Event::Renewed(renewal) => self.take_renewal(&renewal),
        }
    }

    fn take_update(&mut self, update: Update, reporter: &mut dyn Reporter) {
        let now = Instant::now();
        match update {
            Update::Source(namespace, event) => {
                self.refused = None;
                if let Some(names) = self.sources.apply(&namespace, event, now) {
                    self.request_proof(&names);
                    self.touch(now, |track| names.contains(&track.delivery.source.0, &track.delivery.source.1));
                }
            }
            Update::Kustomization(namespace, event) => {
                self.refused = None;
                if let Some(names) = self.kustomizations.apply(&namespace, event, now) {
                    self.touch(now, |track| {
                        // What it waits for may be any.
                        track.dependency != DependencyState::None
                            || track
                                .delivery
                                .kustomizations()
                                .iter()
                                .any(|(namespace, name)| names.contains(namespace, name))
                    });
                }
            }
            Update::Install(view, namespace, event) => {
                self.views[view].mend(&event);
                if let Some(names) = self.views[view].installs.apply(&namespace, event, now) {
                    self.touch_view(view, now, &names);
                }
            }
            Update::App(view, namespace, event) => {
                self.views[view].mend(&event);
                let is_first = !self.views[view].apps.is_complete(&namespace);
                if let Some(names) = self.views[view].apps.apply(&namespace, event, now) {
                    if is_first {
                        self.views[view].note_stale(&namespace);
                    }
                    self.touch_view(view, now, &names);
                }
            }
            Update::Broken(view, failure) => self.take_failure(view, &failure, reporter),
        }
    }

    /// Takes note of an interrupted watch. It tries again by itself; what is refused for long ends the deliveries that
    /// depend on it.
    fn take_failure(&mut self, view: Option<usize>, failure: &WatchFailure, reporter: &mut dyn Reporter) {
        let now = Instant::now();
        if let Some(view) = view {
            if !self.is_in_use(view) {
                return;
            }
            if failure.error.status() == Some(401) {
                self.renew(view);
            }
        }
        let remedy = match failure.remedy {
            Remedy::Lists => "reading lists every few seconds instead",
            Remedy::Time | Remedy::Grant => "retrying",
        };
        reporter.notice(&format!("{}; {remedy}", failure.error));
        if failure.remedy == Remedy::Grant {
            let refused = view.map_or(&mut self.refused, |view| &mut self.views[view].refused);
            if now.duration_since(*refused.get_or_insert(now)) >= GracePeriod::Short.duration() {
                self.give_up(view, &failure.error, reporter);
            }
        }
        let Some(view) = view else { return };
        if failure.remedy != Remedy::Lists {
            self.views[view].broken = Some(failure.error.to_string());
            self.touch(now, |track| track.view == Some(view));
        }
    }

    /// Judges what is read with a new credential, from the beginning.
    fn take_renewal(&mut self, renewal: &Renewal) {
        if renewal.outcome.is_ok() {
            self.views[renewal.index].renewed();
            self.touch(Instant::now(), |track| track.view == Some(renewal.index));
        }
    }

    /// Tells whether anything that is waited for is still read through a view.
    fn is_in_use(&self, view: usize) -> bool {
        self.tracks.iter().any(|track| track.view == Some(view) && track.outcome.is_none())
    }

    /// Marks the deliveries whose PackageInstall or App changed on a run cluster.
    fn touch_view(&mut self, view: usize, now: Instant, names: &watch::Names) {
        let kustomizations = &self.kustomizations;
        for track in self.tracks.iter_mut().filter(|track| track.view == Some(view)) {
            let delivery = &track.delivery;
            let installs = kustomizations.get(&delivery.namespace, &delivery.installs_kustomization);
            let known = installs.map(package_installs).unwrap_or_default();
            if known.iter().any(|(namespace, name)| names.contains(namespace, name)) {
                track.touch(now);
            }
        }
    }

    /// Ends the deliveries that cannot be observed any more. Where Flux is not done either, its own words will say more.
    fn give_up(&mut self, view: Option<usize>, error: &Error, reporter: &mut dyn Reporter) {
        for index in 0..self.tracks.len() {
            let track = &self.tracks[index];
            let is_concerned = track.outcome.is_none() && (view.is_none() || track.view == view);
            let is_flux_done = || {
                self.fetches.unanswered(&track.delivery.source).is_none()
                    && self.assess_watched_flux(index) == (FluxPart::Applied { is_checking: false })
            };
            if !is_concerned || (view.is_some() && !is_flux_done()) {
                continue;
            }
            let verdict = self.lost(index, error);
            reporter.changed(index, &verdict, true);
            self.tracks[index].outcome = Some(verdict);
        }
    }

    /// Says why a delivery cannot be observed. Refused with the credential that Flux uses, Flux is refused too.
    fn lost(&self, index: usize, error: &Error) -> Verdict {
        let track = &self.tracks[index];
        let hint = error.hints().first().cloned().unwrap_or_default();
        let is_fluxs = track.view.is_some_and(|view| self.following.is_as_flux(view));
        let namespace = &track.delivery.namespace;
        let (object, remedy) = match &track.delivery.access {
            RunAccess::Kubeconfig { secret, .. } => {
                let object = format!("Secret {namespace}/{}", secret.name);
                let renewal = renewal(&secret.name, namespace);
                let remedy = format!(
                    "the credential in {object} is expired or revoked, or its address knows only its own users; {renewal}"
                );
                (object, remedy)
            }
            RunAccess::WorkloadIdentity { config_map, .. } => {
                (format!("ConfigMap {namespace}/{config_map}"), untrusted_identity(namespace, config_map))
            }
        };
        match error.status() {
            Some(401) if is_fluxs => Verdict::Failed(Failure {
                cause: Cause::CredentialRefused,
                stage: Stage::Install,
                object,
                message: error.to_string(),
                hint: remedy,
                grace_period: GracePeriod::None,
                attempt: None,
            }),
            _ => Verdict::Unknown { why: error.to_string(), hint },
        }
    }
}
