//! Keeps what the watches bring, judges the deliveries that it concerns, and has final verdicts confirmed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kube::runtime::watcher::Event;

use super::confirm::{Confirmation, Inquiry};
use super::requests::Proof;
use super::track::{Next, Track};
use super::{FluxVersions, Outcome, Reporter};
use crate::carvel::{App, PackageInstall};
use crate::cluster::Cluster;
use crate::flux::{GitRepository, Kustomization};
use crate::observe::delivery::Delivery;
use crate::observe::expectation::Expectation;
use crate::observe::install::Installed;
use crate::observe::verdict::{Assessment, FluxObjects, FluxPart, assess, assess_flux};
use crate::observe::watch::{Store, Updates};
use crate::observe::{Stage, Verdict};

/// How long an App must stay unchanged before the run that new values start is taken to have been made: kapp-controller
/// starts it at once, and shows it when it deploys, or ends (`pkg/app/app.go`, v0.53.1, throttles what it writes before).
const SETTLED: Duration = Duration::from_secs(10);

/// A run cluster as one or more deliveries reach it.
pub(super) struct RunView {
    pub(super) cluster: Cluster,
    pub(super) installs: Store<PackageInstall>,
    pub(super) apps: Store<App>,
    /// What keeps it from being watched.
    pub(super) broken: Option<String>,
    /// Since when its watches have been refused, without a pause.
    pub(super) refused: Option<Instant>,
}

impl RunView {
    /// Takes note that a watch works: a list that only begins proves nothing yet.
    pub(super) fn mend<K>(&mut self, event: &Event<K>) {
        if !matches!(event, Event::Init) {
            self.broken = None;
            self.refused = None;
        }
    }
}

/// Everything that a wait knows.
pub(super) struct Follower {
    pub(super) build: Cluster,
    pub(super) versions: FluxVersions,
    pub(super) updates: Updates,
    pub(super) confirmations: FuturesUnordered<BoxFuture<'static, Confirmation>>,
    /// Requests on their way; each yields the delivery whose request was refused, if it was.
    pub(super) requests: FuturesUnordered<BoxFuture<'static, Option<usize>>>,
    pub(super) proofs: FuturesUnordered<BoxFuture<'static, Proof>>,
    pub(super) sources: Store<GitRepository>,
    pub(super) kustomizations: Store<Kustomization>,
    pub(super) expectations: BTreeMap<(String, String), Expectation>,
    pub(super) views: Vec<RunView>,
    pub(super) tracks: Vec<Track>,
    /// Since when watches of the build cluster have been refused, without a pause.
    pub(super) refused: Option<Instant>,
}

impl Follower {
    /// Tells whether every delivery is decided, or one has failed and that is enough.
    pub(super) fn is_decided(&self, fails_fast: bool) -> bool {
        let is_failed =
            |track: &Track| track.outcome.as_ref().is_some_and(|outcome| !matches!(outcome, Verdict::Ready { .. }));
        self.tracks.iter().all(|track| track.outcome.is_some()) || (fails_fast && self.tracks.iter().any(is_failed))
    }

    /// Returns how each delivery ended.
    pub(super) fn outcomes(self) -> Vec<Outcome> {
        self.tracks
            .into_iter()
            .map(|track| track.outcome.map_or(Outcome::TimedOut(track.shown), Outcome::Decided))
            .collect()
    }

    pub(super) fn assess_watched_flux(&self, index: usize) -> FluxPart {
        let delivery = &self.tracks[index].delivery;
        let mut expectation = self.expectations.get(&delivery.source).cloned().unwrap_or_default();
        assess_flux(delivery, self.flux_objects(delivery), &mut expectation)
    }

    fn flux_objects(&self, delivery: &Delivery) -> FluxObjects<'_> {
        let namespace = &delivery.namespace;
        FluxObjects {
            source: self.sources.get(&delivery.source.0, &delivery.source.1),
            packages: self.kustomizations.get(namespace, &delivery.packages_kustomization),
            installs: self.kustomizations.get(namespace, &delivery.installs_kustomization),
        }
    }

    /// Judges the deliveries that are due by what the watches brought, and has final verdicts confirmed.
    pub(super) fn look(&mut self, now: Instant, reporter: &mut dyn Reporter) {
        for index in 0..self.tracks.len() {
            if !self.tracks[index].is_due(now) {
                continue;
            }
            let verdict = self.assess_watched(index).verdict;
            let track = &mut self.tracks[index];
            track.is_dirty = false;
            let shown = track.presentable(&verdict);
            show(index, track, shown, reporter);
            if verdict.is_decided() {
                track.is_confirming = true;
                reporter.detail(&format!("reading everything about {} afresh", track.delivery.display()));
                self.confirm(index, now);
            }
        }
    }

    fn assess_watched(&mut self, index: usize) -> Assessment {
        let track = &self.tracks[index];
        let delivery = &track.delivery;
        let namespace = &delivery.namespace;
        if !self.sources.is_complete(&delivery.source.0) || !self.kustomizations.is_complete(namespace) {
            return track.shown.clone().into();
        }
        let objects = self.flux_objects(delivery);
        let view = track.view.map(|view| &self.views[view]);
        let installed = |namespace: &str, name: &str| Installed {
            install: view.and_then(|view| view.installs.get(namespace, name)),
            app: view.and_then(|view| view.apps.get(namespace, name)),
            ..Installed::default()
        };
        let mut expectation = self.expectations.get(&delivery.source).cloned().unwrap_or_default();
        let assessment = assess(delivery, objects, &mut expectation, installed);
        self.expectations.insert(delivery.source.clone(), expectation);
        let Some(view) = view else { return assessment };
        let target = &delivery.target_namespace;
        match &assessment.verdict {
            // Flux has done its part; what it applied cannot be read yet.
            Verdict::Pending { stage, .. } if *stage >= Stage::Install => match &view.broken {
                Some(why) => Verdict::pending(Stage::Install, why).into(),
                None if !view.installs.is_complete(target) || !view.apps.is_complete(target) => {
                    Verdict::pending(Stage::Install, "reading the run cluster").into()
                }
                None => assessment,
            },
            _ => assessment,
        }
    }

    /// Has everything about one delivery read afresh.
    fn confirm(&self, index: usize, now: Instant) {
        let track = &self.tracks[index];
        let view = track.view.map(|view| &self.views[view]);
        let inquiry = Inquiry {
            index,
            build: self.build.clone(),
            versions: self.versions,
            delivery: track.delivery.clone(),
            cluster: view.map(|view| view.cluster.clone()),
            expectation: self.expectations.get(&track.delivery.source).cloned().unwrap_or_default(),
            retry: track.retry.as_ref().map(|(retry, _)| retry.clone()),
            settled: view.map(|view| view.apps.unchanged_for(SETTLED, now)).unwrap_or_default(),
        };
        self.confirmations.push(Box::pin(inquiry.make()));
    }

    /// Takes in what was read afresh.
    pub(super) fn confirmed(&mut self, confirmation: Confirmation, reporter: &mut dyn Reporter) {
        let Confirmation { index, assessment, is_answered, expectation } = confirmation;
        let now = Instant::now();
        let track = &mut self.tracks[index];
        self.expectations.entry(track.delivery.source.clone()).or_default().merge(&expectation);
        if track.outcome.is_some() {
            return;
        }
        let standing = match assessment {
            Err(error) => {
                reporter.detail(&format!("{error}; retrying"));
                track.unreadable(&error.to_string(), now)
            }
            Ok(assessment) => match track.conclude(assessment, is_answered, now) {
                Next::Decided(verdict) => {
                    reporter.changed(index, &verdict, true);
                    track.outcome = Some(verdict);
                    return;
                }
                Next::Retry(kustomization, standing) => {
                    self.request_retry(index, kustomization, reporter);
                    standing
                }
                Next::Wait(standing) => standing,
            },
        };
        show(index, &mut self.tracks[index], standing, reporter);
    }
}

fn show(index: usize, track: &mut Track, verdict: Verdict, reporter: &mut dyn Reporter) {
    if verdict != track.shown {
        reporter.changed(index, &verdict, false);
        track.shown = verdict;
    }
}
