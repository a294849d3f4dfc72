//! Keeps what the watches bring, judges the deliveries that it concerns, and has final verdicts confirmed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kube::runtime::watcher::Event;

use super::confirm::{Confirmation, Inquiry};
use super::track::{Next, Retry, Track};
use super::{FluxVersions, Outcome, Reporter, WaitRequest};
use crate::carvel::{App, PackageInstall};
use crate::cluster::{Cluster, ObjectReference, Remedy, WatchFailure};
use crate::error::{Error, Result};
use crate::flux::{
    GitRepository, Kustomization, RECONCILE_REQUESTED_AT, git_repository_resource, kustomization_resource,
};
use crate::gitops::ancestry::is_ancestor;
use crate::observe::delivery::{Delivery, RunAccess};
use crate::observe::expectation::{Expectation, commit_of};
use crate::observe::install::Installed;
use crate::observe::verdict::{Assessment, FluxObjects, FluxPart, assess, assess_flux, package_installs};
use crate::observe::watch::{self, Store, Update, Updates};
use crate::observe::{Cause, Failure, Patience, Stage, Verdict, reach};

/// How long an App must stay unchanged before the run that new values start is taken to have been made: kapp-controller
/// starts it at once, and shows it when it deploys, or ends (`pkg/app/app.go`, v0.53.1, throttles what it writes before).
const SETTLED: Duration = Duration::from_secs(10);

/// The pause before a request to fetch is sent again.
const REQUEST_PAUSE: Duration = Duration::from_secs(2);

/// A run cluster as one or more deliveries reach it.
struct RunView {
    cluster: Cluster,
    installs: Store<PackageInstall>,
    apps: Store<App>,
    /// What keeps it from being watched.
    broken: Option<String>,
    /// Since when its watches have been refused, without a pause.
    refused: Option<Instant>,
}

impl RunView {
    /// Takes note that a watch works: a list that only begins proves nothing yet.
    fn mend<K>(&mut self, event: &Event<K>) {
        if !matches!(event, Event::Init) {
            self.broken = None;
            self.refused = None;
        }
    }
}

/// Whether a source's revision has the awaited commit in its history.
pub(super) struct Proof {
    source: (String, String),
    revision: String,
    is_descendant: bool,
}

/// Everything that a wait knows.
pub(super) struct Follower {
    build: Cluster,
    versions: FluxVersions,
    pub(super) updates: Updates,
    pub(super) confirmations: FuturesUnordered<BoxFuture<'static, Confirmation>>,
    /// Requests on their way; each yields the delivery whose request was refused, if it was.
    pub(super) requests: FuturesUnordered<BoxFuture<'static, Option<usize>>>,
    pub(super) proofs: FuturesUnordered<BoxFuture<'static, Proof>>,
    sources: Store<GitRepository>,
    kustomizations: Store<Kustomization>,
    expectations: BTreeMap<(String, String), Expectation>,
    views: Vec<RunView>,
    tracks: Vec<Track>,
    /// Since when watches of the build cluster have been refused, without a pause.
    refused: Option<Instant>,
}

impl Follower {
    /// Asks every source to fetch, reaches every run cluster, and starts the watches.
    pub(super) async fn begin(
        build: &Cluster,
        versions: FluxVersions,
        request: &WaitRequest,
        reporter: &mut dyn Reporter,
    ) -> Result<Self> {
        let mut follower = Self {
            build: build.clone(),
            versions,
            updates: Updates::new(),
            confirmations: FuturesUnordered::new(),
            requests: FuturesUnordered::new(),
            proofs: FuturesUnordered::new(),
            sources: Store::default(),
            kustomizations: Store::default(),
            expectations: BTreeMap::new(),
            views: Vec::new(),
            tracks: Vec::new(),
            refused: None,
        };
        follower.follow_sources(request, reporter).await;
        let namespaces: BTreeSet<&String> = request.deliveries.iter().map(|delivery| &delivery.namespace).collect();
        for namespace in namespaces {
            watch::watch_kustomizations(&mut follower.updates, build, versions.kustomization, namespace);
        }
        follower.follow_run_clusters(request).await;
        for (index, track) in follower.tracks.iter().enumerate() {
            reporter.changed(index, track.outcome.as_ref().unwrap_or(&track.shown), track.outcome.is_some());
        }
        Ok(follower)
    }

    /// Asks each source once to look for new commits, and watches them, one watch per namespace.
    async fn follow_sources(&mut self, request: &WaitRequest, reporter: &mut dyn Reporter) {
        let sources: BTreeSet<&(String, String)> = request.deliveries.iter().map(|delivery| &delivery.source).collect();
        for source in &sources {
            let mut expectation = if request.requests_fetch {
                self.request_fetch(source, reporter).await
            } else {
                Expectation::default()
            };
            expectation.commit.clone_from(&request.commit);
            self.expectations.insert((*source).clone(), expectation);
        }
        let namespaces: BTreeSet<&String> = sources.iter().map(|(namespace, _)| namespace).collect();
        for namespace in namespaces {
            watch::watch_sources(&mut self.updates, &self.build, self.versions.source, namespace);
        }
    }

    /// Asks a source to look for new commits now; where that is forbidden, what it has counts.
    async fn request_fetch(&self, source: &(String, String), reporter: &mut dyn Reporter) -> Expectation {
        let token = token();
        let reference = ObjectReference {
            resource: git_repository_resource(self.versions.source),
            namespace: Some(source.0.clone()),
            name: source.1.clone(),
        };
        reporter.detail(&format!("asking Flux to look for new commits in {}", reference.display()));
        loop {
            match self.build.annotate(&reference, RECONCILE_REQUESTED_AT, &token).await {
                Ok(()) => return Expectation::after_request(Some(token)),
                // A source that does not exist is judged as such.
                Err(error) if error.status() == Some(404) => return Expectation::default(),
                Err(error) if error.status() == Some(403) => {
                    reporter.notice(&format!("{error}; a commit that Flux has not fetched yet is not waited for"));
                    return Expectation::default();
                }
                Err(error) => {
                    reporter.notice(&format!("{error}; retrying"));
                    tokio::time::sleep(REQUEST_PAUSE).await;
                }
            }
        }
    }

    /// Reaches each run cluster once, and watches each target namespace on it once.
    async fn follow_run_clusters(&mut self, request: &WaitRequest) {
        let mut reached: BTreeMap<(String, RunAccess, String), Result<usize, Verdict>> = BTreeMap::new();
        let mut watched: BTreeSet<(usize, String)> = BTreeSet::new();
        for delivery in &request.deliveries {
            let key = (delivery.namespace.clone(), delivery.access.clone(), delivery.run_cluster.clone());
            let view = if let Some(view) = reached.get(&key) {
                view.clone()
            } else {
                let reached_now = reach::reach(&self.build, delivery, &request.run_contexts, &request.connection).await;
                let view = reached_now.map(|cluster| {
                    self.views.push(RunView {
                        cluster,
                        installs: Store::default(),
                        apps: Store::default(),
                        broken: None,
                        refused: None,
                    });
                    self.views.len() - 1
                });
                reached.insert(key, view.clone());
                view
            };
            if let Ok(index) = view
                && watched.insert((index, delivery.target_namespace.clone()))
            {
                let cluster = self.views[index].cluster.clone();
                watch::watch_run_cluster(&mut self.updates, &cluster, index, &delivery.target_namespace);
            }
            self.tracks.push(Track::new(delivery.clone(), view, Instant::now()));
        }
    }

    /// Tells whether every delivery is decided, or one has failed and that is enough.
    pub(super) fn is_decided(&self, fails_fast: bool) -> bool {
        let is_failed =
            |track: &Track| track.outcome.as_ref().is_some_and(|outcome| !matches!(outcome, Verdict::Ready { .. }));
        self.tracks.iter().all(|track| track.outcome.is_some()) || (fails_fast && self.tracks.iter().any(is_failed))
    }

    /// Asks git whether a source's revision came after the awaited commit.
    fn request_proof(&self, names: &watch::Names) {
        for (source, expectation) in &self.expectations {
            let Some(commit) = &expectation.commit else { continue };
            let revision = self.sources.get(&source.0, &source.1).and_then(|object| {
                let status = object.status.as_ref()?;
                Some(status.artifact.as_ref()?.revision.clone())
            });
            let Some(revision) = revision.filter(|revision| !expectation.accepts(revision)) else { continue };
            if !names.contains(&source.0, &source.1) || expectation.newest().is_some() {
                continue;
            }
            let (source, commit) = (source.clone(), commit.clone());
            self.proofs.push(Box::pin(async move {
                let is_descendant = is_ancestor(&commit, commit_of(&revision)).await;
                Proof { source, revision, is_descendant }
            }));
        }
    }

    /// Takes note that a retry could not be requested.
    pub(super) fn requested(&mut self, refused: Option<usize>) {
        if let Some(index) = refused {
            self.tracks[index].is_retry_refused = true;
        }
    }

    /// Takes in what git said.
    pub(super) fn proven(&mut self, proof: Proof) {
        let Proof { source, revision, is_descendant } = proof;
        if let Some(expectation) = self.expectations.get_mut(&source).filter(|_| is_descendant) {
            expectation.saw(&revision);
            self.touch(Instant::now(), |track| track.delivery.source == source);
        }
    }

    /// Returns how each delivery ended.
    pub(super) fn outcomes(self) -> Vec<Outcome> {
        self.tracks
            .into_iter()
            .map(|track| track.outcome.map_or(Outcome::TimedOut(track.shown), Outcome::Decided))
            .collect()
    }

    /// Takes in what a watch brought, and marks the deliveries that it concerns.
    pub(super) fn take(&mut self, update: Update, reporter: &mut dyn Reporter) {
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
                        let Delivery { namespace, packages_kustomization, installs_kustomization, .. } =
                            &track.delivery;
                        names.contains(namespace, packages_kustomization)
                            || names.contains(namespace, installs_kustomization)
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
                if let Some(names) = self.views[view].apps.apply(&namespace, event, now) {
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
        let remedy = match failure.remedy {
            Remedy::Lists => "reading lists every few seconds instead",
            Remedy::Time | Remedy::Grant => "retrying",
        };
        reporter.notice(&format!("{}; {remedy}", failure.error));
        if failure.remedy == Remedy::Grant {
            let refused = view.map_or(&mut self.refused, |view| &mut self.views[view].refused);
            if now.duration_since(*refused.get_or_insert(now)) >= Patience::Short.duration() {
                self.give_up(view, &failure.error, reporter);
            }
        }
        let Some(view) = view else { return };
        if failure.remedy != Remedy::Lists {
            self.views[view].broken = Some(failure.error.to_string());
            self.touch(now, |track| track.view == Some(view));
        }
    }

    fn touch(&mut self, now: Instant, concerns: impl Fn(&Track) -> bool) {
        self.tracks.iter_mut().filter(|track| concerns(track)).for_each(|track| track.touch(now));
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
            if !is_concerned
                || (view.is_some() && self.assess_watched_flux(index) != (FluxPart::Applied { is_checking: false }))
            {
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
        let is_fluxs = track.view.is_some_and(|view| self.views[view].cluster.context().is_empty());
        match &track.delivery.access {
            RunAccess::Kubeconfig { secret, .. } if is_fluxs && error.status() == Some(401) => {
                Verdict::Failed(Failure {
                    cause: Cause::CredentialRefused,
                    stage: Stage::Install,
                    object: format!("Secret {}/{}", track.delivery.namespace, secret.name),
                    message: error.to_string(),
                    hint: format!(
                        "the credential in Secret {}/{} is expired or revoked; store a new one",
                        track.delivery.namespace, secret.name
                    ),
                    patience: Patience::None,
                })
            }
            _ => Verdict::Unknown { why: error.to_string(), hint },
        }
    }

    fn assess_watched_flux(&self, index: usize) -> FluxPart {
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

    /// Asks a Kustomization that failed at the expected revision to try again: its failure may be older than the remedy.
    fn request_retry(&mut self, index: usize, kustomization: String, reporter: &mut dyn Reporter) {
        let token = token();
        let track = &mut self.tracks[index];
        reporter.detail(&format!("asking Flux to try {kustomization} again"));
        let reference = ObjectReference {
            resource: kustomization_resource(self.versions.kustomization),
            namespace: Some(track.delivery.namespace.clone()),
            name: kustomization.clone(),
        };
        track.retry = Some((Retry { kustomization, token: token.clone() }, Instant::now()));
        let build = self.build.clone();
        self.requests.push(Box::pin(async move {
            build.annotate(&reference, RECONCILE_REQUESTED_AT, &token).await.is_err().then_some(index)
        }));
    }
}

fn show(index: usize, track: &mut Track, verdict: Verdict, reporter: &mut dyn Reporter) {
    if verdict != track.shown {
        reporter.changed(index, &verdict, false);
        track.shown = verdict;
    }
}

/// Returns a token that no earlier request used.
fn token() -> String {
    jiff::Timestamp::now().to_string()
}
