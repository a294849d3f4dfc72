//! Keeps what the watches bring, judges the deliveries that it concerns, and has final verdicts confirmed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, LocalBoxFuture};
use futures::stream::{FuturesUnordered, LocalBoxStream, SelectAll};

use super::confirm::{Answer, Confirmation, Inquiry, Question};
use super::renewal::Renewal;
use super::requests::{Ancestry, Proof};
use super::track::{Evidence, Next, Track};
use super::view::RunView;
use super::{Outcome, Reporter, fetches};
use crate::cluster::{Cluster, Connection};
use crate::flux::{FluxVersions, GitRepository, Kustomization};
use crate::observe::delivery::Delivery;
use crate::observe::expectation::Expectation;
use crate::observe::install::Installed;
use crate::observe::verdict::{Assessment, FluxObjects, FluxPart, assess, assess_flux};
use crate::observe::watch::{Store, Updates};
use crate::observe::{Stage, Verdict};

/// How long an App must stay unchanged before the run that new values start is taken to have been made: kapp-controller
/// starts it at once, and shows it when it deploys, or ends (`pkg/app/app.go`, v0.53.1, throttles what it writes before).
const SETTLED: Duration = Duration::from_secs(10);

/// How many run clusters are read afresh at a time.
const AT_A_TIME: usize = 8;

/// Everything that a wait knows.
pub(super) struct Follower {
    pub(super) build: Cluster,
    pub(super) versions: FluxVersions,
    /// The kubeconfig flags.
    pub(super) connection: Connection,
    pub(super) updates: Updates,
    pub(super) confirmations: FuturesUnordered<LocalBoxFuture<'static, Confirmation>>,
    /// The deliveries whose verdicts are to be confirmed, by the view that they are read through.
    pub(super) unconfirmed: BTreeMap<Option<usize>, BTreeSet<usize>>,
    /// The views that are being read through: one at a time for each, so that what comes meanwhile is read together.
    pub(super) asked: BTreeSet<Option<usize>>,
    /// Requests on their way; each yields the delivery whose request was refused, if it was.
    pub(super) requests: FuturesUnordered<BoxFuture<'static, Option<usize>>>,
    pub(super) renewals: FuturesUnordered<LocalBoxFuture<'static, Renewal>>,
    pub(super) proofs: FuturesUnordered<BoxFuture<'static, Proof>>,
    pub(super) sources: Store<GitRepository>,
    pub(super) kustomizations: Store<Kustomization>,
    pub(super) ancestry: Ancestry,
    /// Requests to look for new commits on their way.
    pub(super) fetches: SelectAll<LocalBoxStream<'static, fetches::Answer>>,
    /// The sources whose request is not answered yet, and how it stands, in words.
    pub(super) unanswered: BTreeMap<(String, String), String>,
    /// The commit that the sources must reach.
    pub(super) commit: Option<String>,
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

    /// Returns how each delivery ended; `is_late` tells that the deadline has passed.
    pub(super) fn outcomes(self, is_late: bool) -> Vec<Outcome> {
        let open = if is_late { Outcome::TimedOut } else { Outcome::Stopped };
        self.tracks.into_iter().map(|track| track.into_outcome(open)).collect()
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
                self.unconfirmed.entry(track.view).or_default().insert(index);
            }
        }
        self.confirm(now, reporter);
    }

    fn assess_watched(&mut self, index: usize) -> Assessment {
        let track = &self.tracks[index];
        let delivery = &track.delivery;
        let namespace = &delivery.namespace;
        if !self.sources.is_complete(&delivery.source.0) || !self.kustomizations.is_complete(namespace) {
            return track.shown.clone().into();
        }
        if let Some(why) = self.unanswered.get(&delivery.source) {
            return Verdict::pending(Stage::Source, why).into();
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

    /// Has everything read afresh about the deliveries that wait for it, the ones of a run cluster together.
    fn confirm(&mut self, now: Instant, reporter: &mut dyn Reporter) {
        while self.asked.len() < AT_A_TIME {
            let free = self.unconfirmed.keys().find(|view| !self.asked.contains(view)).copied();
            let Some((view, indices)) = free.and_then(|view| self.unconfirmed.remove_entry(&view)) else { return };
            self.asked.insert(view);
            let inquiry = self.inquiry(view, &indices, now);
            for question in &inquiry.questions {
                reporter.detail(&format!("reading everything about {} afresh", question.delivery.display()));
            }
            self.confirmations.push(Box::pin(inquiry.make()));
        }
    }

    fn inquiry(&self, view: Option<usize>, indices: &BTreeSet<usize>, now: Instant) -> Inquiry {
        let question = |index: &usize| {
            let track = &self.tracks[*index];
            Question {
                index: *index,
                delivery: track.delivery.clone(),
                expectation: self.expectations.get(&track.delivery.source).cloned().unwrap_or_default(),
                retry: track.retry.as_ref().map(|(retry, _)| retry.clone()),
            }
        };
        let run = view.map(|view| &self.views[view]);
        Inquiry {
            view,
            build: self.build.clone(),
            versions: self.versions,
            cluster: run.map(|view| view.cluster.clone()),
            questions: indices.iter().map(question).collect(),
            settled: run.map(|view| view.apps.unchanged_for(SETTLED, now)).unwrap_or_default(),
        }
    }

    /// Takes in what was read afresh.
    pub(super) fn confirmed(&mut self, confirmation: Confirmation, reporter: &mut dyn Reporter) {
        self.asked.remove(&confirmation.view);
        for answer in confirmation.answers {
            self.conclude(answer, reporter);
        }
    }

    fn conclude(&mut self, answer: Answer, reporter: &mut dyn Reporter) {
        let Answer { index, assessment, is_answered, expectation } = answer;
        let now = Instant::now();
        let track = &mut self.tracks[index];
        self.expectations.entry(track.delivery.source.clone()).or_default().merge(&expectation);
        if track.outcome.is_some() {
            return;
        }
        let standing = match assessment {
            Err(error) => {
                reporter.detail(&format!("{error}; retrying"));
                let (view, standing) = (track.view, track.unreadable(&error.to_string(), now));
                if let (Some(view), Some(401)) = (view, error.status()) {
                    self.renew(view, now);
                }
                standing
            }
            Ok(assessment) => {
                let is_stale = track.view.is_some_and(|view| self.views[view].is_stale(&assessment.verdict));
                match track.conclude(assessment, Evidence { is_answered, is_stale }, now) {
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
                }
            }
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
