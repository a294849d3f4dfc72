//! Begins to follow, keeps what they bring, judges the deliveries that it concerns, and has final verdicts confirmed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, LocalBoxFuture};
use futures::stream::FuturesUnordered;

use super::ancestry::{Ancestry, Proof};
use super::confirm::{Answer, Confirmation, Inquiry, Question};
use super::fetches::{self, Fetches, token};
use super::reaching::{Arrivals, reach_all, unread};
use super::request::{Outcome, Reporter, WaitRequest};
use super::track::{Evidence, Next, Retry, Track};
use super::view::RunView;
use crate::cluster::Cluster;
use crate::flux::{FluxVersions, GitRepository, Kustomization, RECONCILE_REQUESTED_AT, kustomization_resource};
use crate::object::ObjectReference;
use crate::observe::delivery::Delivery;
use crate::observe::expectation::{Expectation, commit_of};
use crate::observe::following::Following;
use crate::observe::install::Installed;
use crate::observe::verdict::{Assessment, DependencyState, FluxObjects, FluxPart, assess, assess_flux};
use crate::observe::watch::{Names, Store};
use crate::observe::{Key, Stage, Verdict};

/// How long an App must stay unchanged before the run that new values start is taken to have been made: kapp-controller
/// starts it at once, and shows it when it deploys, or ends (`pkg/app/app.go`, v0.53.1, throttles what it writes before).
const SETTLED: Duration = Duration::from_secs(10);

/// How many run clusters are read again at a time.
const AT_A_TIME: usize = 8;

/// Everything that a wait knows.
pub(super) struct Follower {
    pub(super) build: Cluster,
    pub(super) versions: FluxVersions,
    pub(super) following: Following,
    /// The run clusters that are being reached.
    pub(super) arrivals: Arrivals,
    pub(super) confirmations: FuturesUnordered<LocalBoxFuture<'static, Confirmation>>,
    /// The deliveries whose verdicts are to be confirmed, by the view that they are read through.
    pub(super) unconfirmed: BTreeMap<Option<usize>, BTreeSet<usize>>,
    /// The views that are being read through: one at a time for each, so that what comes meanwhile is read together.
    pub(super) asked: BTreeSet<Option<usize>>,
    /// Requests on their way; each yields the delivery whose request was refused, if it was.
    pub(super) requests: FuturesUnordered<BoxFuture<'static, Option<usize>>>,
    pub(super) sources: Store<GitRepository>,
    pub(super) kustomizations: Store<Kustomization>,
    pub(super) ancestry: Ancestry,
    pub(super) fetches: Fetches,
    /// The commit that the sources must reach.
    pub(super) commit: Option<String>,
    pub(super) expectations: BTreeMap<Key, Expectation>,
    /// The run clusters that are followed, by number.
    pub(super) views: Vec<RunView>,
    pub(super) tracks: Vec<Track>,
    /// Since when watches of the build cluster have been refused, without a pause.
    pub(super) refused: Option<Instant>,
}

impl Follower {
    /// Asks every source to fetch, begins to reach every run cluster, and watches Flux's objects.
    pub(super) fn begin(
        build: &Cluster,
        versions: FluxVersions,
        request: &WaitRequest,
        reporter: &mut dyn Reporter,
    ) -> Self {
        let mut follower = Self {
            build: build.clone(),
            versions,
            following: Following::new(build, &request.connection),
            arrivals: reach_all(build, request),
            confirmations: FuturesUnordered::new(),
            unconfirmed: BTreeMap::new(),
            asked: BTreeSet::new(),
            requests: FuturesUnordered::new(),
            ancestry: Ancestry::default(),
            fetches: Fetches::new(build, versions.source),
            commit: request.commit.clone(),
            sources: Store::default(),
            kustomizations: Store::default(),
            expectations: BTreeMap::new(),
            views: Vec::new(),
            tracks: request.deliveries.iter().map(|delivery| track(delivery, request)).collect(),
            refused: None,
        };
        follower.follow_sources(request, reporter);
        for (index, track) in follower.tracks.iter().enumerate() {
            reporter.changed(index, &track.shown, false);
        }
        follower
    }

    /// Watches Flux's objects, one watch per namespace and kind, and asks each source once to look for new commits.
    fn follow_sources(&mut self, request: &WaitRequest, reporter: &mut dyn Reporter) {
        let sources: BTreeSet<Key> = request.deliveries.iter().map(|delivery| delivery.source.clone()).collect();
        let of_sources: BTreeSet<&str> = sources.iter().map(|(namespace, _)| namespace.as_str()).collect();
        let own: BTreeSet<&str> = request.deliveries.iter().map(|delivery| delivery.namespace.as_str()).collect();
        self.following.watch_flux(self.versions, of_sources.into_iter().map(Some), own.into_iter().map(Some));
        if request.requests_fetch {
            self.fetches.request(sources, reporter);
        } else {
            for source in sources {
                self.expect(source, Expectation::default());
            }
        }
    }

    /// Handles what came of a request to look for new commits.
    pub(super) fn fetch_requested(&mut self, answer: fetches::Answer, reporter: &mut dyn Reporter) {
        match self.fetches.take(answer, reporter) {
            (source, Some(expectation)) => self.expect(source, expectation),
            (source, None) => self.touch(Instant::now(), |track| track.delivery.source == source),
        }
    }

    /// Begins to judge a source by an expectation.
    fn expect(&mut self, source: Key, mut expectation: Expectation) {
        expectation.commit.clone_from(&self.commit);
        self.expectations.insert(source.clone(), expectation);
        self.touch(Instant::now(), |track| track.delivery.source == source);
        self.request_proof(&Names::One(source));
    }

    /// Asks git whether the revisions of sources came after the awaited commit.
    pub(super) fn request_proof(&mut self, names: &Names) {
        for (source, expectation) in &mut self.expectations {
            let Some(commit) = &expectation.commit else { continue };
            if !names.contains(&source.0, &source.1) || expectation.newest().is_some() {
                continue;
            }
            let Some(revision) = self.sources.get(&source.0, &source.1).and_then(revision) else { continue };
            if self.ancestry.is_proven((commit.clone(), commit_of(revision).to_owned())) {
                expectation.saw(revision);
            }
        }
    }

    /// Handles what git said, for all sources that it concerns.
    pub(super) fn proven(&mut self, proof: Proof) {
        if self.ancestry.take(proof) {
            self.request_proof(&Names::All);
            self.touch(Instant::now(), |_| true);
        }
    }

    /// Marks deliveries that are to be judged again.
    pub(super) fn touch(&mut self, now: Instant, concerns: impl Fn(&Track) -> bool) {
        self.tracks.iter_mut().filter(|track| concerns(track)).for_each(|track| track.touch(now));
    }

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
            all: &self.kustomizations,
        }
    }

    /// Judges the deliveries that are due by what the watches brought, and has final verdicts confirmed.
    pub(super) fn look(&mut self, now: Instant, reporter: &mut dyn Reporter) {
        for index in 0..self.tracks.len() {
            if !self.tracks[index].is_due(now) {
                continue;
            }
            let Assessment { verdict, dependency, .. } = self.assess_watched(index);
            let track = &mut self.tracks[index];
            track.is_dirty = false;
            track.dependency = dependency;
            let shown = track.presentable(&verdict);
            show(index, track, shown, reporter);
            // What is in no watched namespace is read again and again.
            if verdict.is_decided() || dependency == DependencyState::NotRead {
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
        if let Some(why) = self.fetches.unanswered(&delivery.source) {
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
        let Some(view) = view else { return unread(assessment) };
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

    /// Has everything read again about the deliveries that wait for it, the ones of a run cluster together.
    fn confirm(&mut self, now: Instant, reporter: &mut dyn Reporter) {
        while self.asked.len() < AT_A_TIME {
            let free = self.unconfirmed.keys().find(|view| !self.asked.contains(view)).copied();
            let Some((view, indices)) = free.and_then(|view| self.unconfirmed.remove_entry(&view)) else { return };
            self.asked.insert(view);
            let inquiry = self.inquiry(view, &indices, now);
            for question in &inquiry.questions {
                reporter.detail(&format!("reading everything about {} again", question.delivery.display()));
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
            cluster: view.and_then(|view| self.following.cluster(view)).cloned(),
            questions: indices.iter().map(question).collect(),
            settled: run.map(|view| view.apps.unchanged_for(SETTLED, now)).unwrap_or_default(),
        }
    }

    /// Handles the result of fresh reads.
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
        let pending = match assessment {
            Err(error) => {
                reporter.detail(&format!("{error}; retrying"));
                let (view, pending) = (track.view, track.unreadable(&error.to_string(), now));
                if let (Some(view), Some(401)) = (view, error.status()) {
                    self.renew(view);
                }
                pending
            }
            Ok(assessment) => {
                let is_stale = track.view.is_some_and(|view| self.views[view].is_stale(&assessment.verdict));
                match track.conclude(assessment, Evidence { is_answered, is_stale }, now) {
                    Next::Decided(verdict) => {
                        reporter.changed(index, &verdict, true);
                        track.outcome = Some(verdict);
                        return;
                    }
                    Next::Retry(kustomization, pending) => {
                        self.request_retry(index, kustomization, reporter);
                        pending
                    }
                    Next::Wait(pending) => pending,
                }
            }
        };
        show(index, &mut self.tracks[index], pending, reporter);
    }

    /// Asks a Kustomization that failed at the expected revision to try again: its failure may be older than the remedy.
    fn request_retry(&mut self, index: usize, kustomization: Key, reporter: &mut dyn Reporter) {
        let token = token();
        let track = &mut self.tracks[index];
        reporter.detail(&format!("asking Flux to try {} again", kustomization.1));
        let resource = kustomization_resource(self.versions.kustomization);
        let reference = ObjectReference::namespaced(&resource, &kustomization.0, &kustomization.1);
        track.retry = Some((Retry { kustomization, token: token.clone() }, Instant::now()));
        let build = self.build.clone();
        self.requests.push(Box::pin(async move {
            build.annotate(&reference, RECONCILE_REQUESTED_AT, &token).await.is_err().then_some(index)
        }));
    }

    /// Has Flux's credential read again for a view that refuses this one, while anything is still read through it.
    pub(super) fn renew(&mut self, view: usize) {
        let track = self.tracks.iter().find(|track| track.view == Some(view) && track.outcome.is_none());
        if let Some(track) = track {
            self.following.renew(view, &track.delivery);
        }
    }

    /// Takes note that a retry could not be requested.
    pub(super) fn requested(&mut self, refused: Option<usize>) {
        if let Some(index) = refused {
            self.tracks[index].is_retry_refused = true;
        }
    }
}

/// Begins to follow a delivery, whose run cluster has yet to be reached.
fn track(delivery: &Delivery, request: &WaitRequest) -> Track {
    let mut track = Track::new(delivery.clone(), Instant::now());
    track.endpoint_change = request.endpoint_changes.get(&delivery.run_cluster).copied().unwrap_or_default();
    track
}

/// Returns the revision that a source has.
fn revision(source: &GitRepository) -> Option<&str> {
    Some(&source.status.as_ref()?.artifact.as_ref()?.revision)
}

fn show(index: usize, track: &mut Track, verdict: Verdict, reporter: &mut dyn Reporter) {
    if verdict != track.shown {
        reporter.changed(index, &verdict, false);
        track.shown = verdict;
    }
}
