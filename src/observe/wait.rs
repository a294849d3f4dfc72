//! Follows deliveries until every one is decided, or the deadline passes.
//!
//! Watches say when to look and how far things are. What is final is decided by fresh reads, parents before children:
//! watches of different objects lag differently, and a child that was read before its parent proves nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};

use super::delivery::{Delivery, RunAccess};
use super::expectation::Expectation;
use super::install::Installed;
use super::reach;
use super::verdict::{Assessment, FluxObjects, assess, package_installs};
use super::watch::{self, Store, Update, Updates};
use super::{Stage, Verdict};
use crate::carvel::{App, PackageInstall};
use crate::cluster::{Cluster, Connection, ObjectReference};
use crate::error::{Error, Result};
use crate::flux::{
    GitRepository, Kustomization, RECONCILE_REQUESTED_AT, git_repository_resource, kustomization_resource,
};

/// How long a failure that may pass by itself is given.
const GRACE: Duration = Duration::from_secs(15);

/// The pause between two looks at what no watch announces: the passing of grace, a verdict to be confirmed again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The versions of the Flux APIs that the build cluster serves.
#[derive(Clone, Copy, Debug)]
pub struct FluxVersions {
    /// Of GitRepository.
    pub source: &'static str,
    /// Of Kustomization.
    pub kustomization: &'static str,
}

/// What to wait for.
#[derive(Debug)]
pub struct WaitRequest {
    /// The deliveries, all of one namespace.
    pub deliveries: Vec<Delivery>,
    /// Contexts to reach run clusters through, instead of Flux's credential.
    pub run_contexts: Vec<(String, String)>,
    /// The kubeconfig flags, for these contexts.
    pub connection: Connection,
    /// The time for everything together.
    pub timeout: Duration,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was decided.
    Decided(Verdict),
    /// The deadline passed; the last verdict says what it waited for.
    TimedOut(Verdict),
}

/// Shows what happens while waiting.
pub trait Reporter {
    /// Begins with these deliveries; later calls name them by index.
    fn began(&mut self, deliveries: &[Delivery]);
    /// Says something that concerns all of them.
    fn notice(&mut self, text: &str);
    /// Says something that only helps to find out why it takes so long.
    fn detail(&mut self, _text: &str) {}
    /// Shows a new verdict on a delivery; `is_final` once it is decided.
    fn changed(&mut self, index: usize, verdict: &Verdict, is_final: bool);
    /// Gives the chance to show that time passes.
    fn tick(&mut self);
    /// Ends, and leaves the screen as it was found.
    fn ended(&mut self);
    /// Returns why there is nobody left to report to, which ends the wait.
    fn failure(&mut self) -> Option<Error> {
        None
    }
}

/// Follows the deliveries of the request until each is decided, and returns the outcomes in the same order.
pub async fn wait(
    build: &Cluster,
    versions: FluxVersions,
    request: WaitRequest,
    reporter: &mut dyn Reporter,
) -> Result<Vec<Outcome>> {
    reporter.began(&request.deliveries);
    let deadline = Instant::now() + request.timeout;
    let mut follower = Follower::begin(build, versions, request, reporter).await?;
    loop {
        follower.look(reporter);
        if let Some(failure) = reporter.failure() {
            return Err(failure);
        }
        if follower.tracks.iter().all(|track| track.outcome.is_some()) {
            break;
        }
        let pause = tokio::time::sleep(LOOK_AGAIN.min(deadline.saturating_duration_since(Instant::now())));
        tokio::select! {
            Some(update) = follower.updates.next() => follower.take(update, reporter),
            Some(confirmed) = follower.confirmations.next() => follower.confirmed(confirmed, reporter),
            Some(()) = follower.requests.next() => {}
            () = pause => {
                reporter.tick();
                if Instant::now() >= deadline {
                    break;
                }
            }
        }
    }
    reporter.ended();
    Ok(follower
        .tracks
        .into_iter()
        .map(|track| track.outcome.map_or(Outcome::TimedOut(track.verdict), Outcome::Decided))
        .collect())
}

/// A run cluster as one or more deliveries reach it.
struct RunView {
    cluster: Cluster,
    installs: Store<PackageInstall>,
    apps: Store<App>,
}

/// What is known about one delivery.
struct Track {
    delivery: Delivery,
    /// Index of the run cluster's view.
    view: Option<usize>,
    verdict: Verdict,
    outcome: Option<Verdict>,
    is_confirming: bool,
    confirm_after: Instant,
    /// Since when it has been failing without a pause.
    failing_since: Option<Instant>,
    /// The retry that was requested of a Kustomization, and the answer to expect.
    retry: Option<(String, String)>,
}

/// The result of fresh reads for one delivery.
struct Confirmation {
    index: usize,
    assessment: Result<Assessment>,
    expectation: Expectation,
}

struct Follower {
    build: Cluster,
    versions: FluxVersions,
    updates: Updates,
    confirmations: FuturesUnordered<BoxFuture<'static, Confirmation>>,
    requests: FuturesUnordered<BoxFuture<'static, ()>>,
    sources: Store<GitRepository>,
    kustomizations: Store<Kustomization>,
    expectations: BTreeMap<(String, String), Expectation>,
    views: Vec<RunView>,
    tracks: Vec<Track>,
}

impl Follower {
    /// Asks every source to fetch, reaches every run cluster, and starts the watches.
    async fn begin(
        build: &Cluster,
        versions: FluxVersions,
        request: WaitRequest,
        reporter: &mut dyn Reporter,
    ) -> Result<Self> {
        let mut follower = Self {
            build: build.clone(),
            versions,
            updates: Updates::new(),
            confirmations: FuturesUnordered::new(),
            requests: FuturesUnordered::new(),
            sources: Store::default(),
            kustomizations: Store::default(),
            expectations: BTreeMap::new(),
            views: Vec::new(),
            tracks: Vec::new(),
        };
        for delivery in &request.deliveries {
            if !follower.expectations.contains_key(&delivery.source) {
                let expectation = request_fetch(build, versions, &delivery.source, reporter).await;
                let (namespace, name) = delivery.source.clone();
                let is_first = !follower.expectations.keys().any(|(known, _)| *known == namespace);
                follower.expectations.insert((namespace.clone(), name), expectation);
                if is_first {
                    watch::watch_sources(&mut follower.updates, build, versions.source, &namespace);
                }
            }
        }
        if let Some(first) = request.deliveries.first() {
            watch::watch_kustomizations(&mut follower.updates, build, versions.kustomization, &first.namespace);
        }
        let mut known: BTreeMap<(RunAccess, String), Result<usize, Verdict>> = BTreeMap::new();
        let mut watched: Vec<(usize, String)> = Vec::new();
        for delivery in request.deliveries {
            let key = (delivery.access.clone(), delivery.run_cluster.clone());
            let view = if let Some(view) = known.get(&key) {
                view.clone()
            } else {
                let view = reach::reach(build, &delivery, &request.run_contexts, &request.connection).await.map(|cluster| {
                    follower.views.push(RunView { cluster, installs: Store::default(), apps: Store::default() });
                    follower.views.len() - 1
                });
                known.insert(key, view.clone());
                view
            };
            if let Ok(index) = view
                && !watched.contains(&(index, delivery.target_namespace.clone()))
            {
                let cluster = follower.views[index].cluster.clone();
                watch::watch_run_cluster(&mut follower.updates, &cluster, index, &delivery.target_namespace);
                watched.push((index, delivery.target_namespace.clone()));
            }
            follower.tracks.push(Track {
                delivery,
                view: view.as_ref().ok().copied(),
                verdict: Verdict::pending(Stage::Source, "waiting for Flux to look for new commits"),
                outcome: view.err(),
                is_confirming: false,
                confirm_after: Instant::now(),
                failing_since: None,
                retry: None,
            });
        }
        for (index, track) in follower.tracks.iter().enumerate() {
            if let Some(outcome) = &track.outcome {
                reporter.changed(index, outcome, true);
            }
        }
        Ok(follower)
    }

    /// Takes in what a watch brought.
    fn take(&mut self, update: Update, reporter: &mut dyn Reporter) {
        match update {
            Update::Source(event) => self.sources.apply(event),
            Update::Kustomization(event) => self.kustomizations.apply(event),
            Update::Install(view, event) => self.views[view].installs.apply(event),
            Update::App(view, event) => self.views[view].apps.apply(event),
            Update::Broken(_, failure) if failure.is_transient => {
                reporter.notice(&format!("{}; trying again", failure.error));
            }
            Update::Broken(view, failure) => self.give_up(view, &failure.error, reporter),
        }
    }

    /// Ends the deliveries that cannot be observed any more.
    fn give_up(&mut self, view: Option<usize>, error: &Error, reporter: &mut dyn Reporter) {
        let verdict = Verdict::Unknown {
            why: error.to_string(),
            hint: error.hints().first().cloned().unwrap_or_default(),
        };
        for (index, track) in self.tracks.iter_mut().enumerate() {
            if track.outcome.is_none() && (view.is_none() || track.view == view) {
                reporter.changed(index, &verdict, true);
                track.outcome = Some(verdict.clone());
            }
        }
    }

    /// Judges every undecided delivery by what the watches brought, and has final verdicts confirmed.
    fn look(&mut self, reporter: &mut dyn Reporter) {
        for index in 0..self.tracks.len() {
            if self.tracks[index].outcome.is_some() || self.tracks[index].is_confirming {
                continue;
            }
            let assessment = self.assess_watched(index);
            self.request_retry(index, assessment.retry.as_deref(), reporter);
            let track = &mut self.tracks[index];
            let now = Instant::now();
            let is_failing = matches!(assessment.verdict, Verdict::Failed(_));
            track.failing_since = if is_failing { track.failing_since.or(Some(now)) } else { None };
            let in_grace = matches!(&assessment.verdict, Verdict::Failed(failure) if failure.is_transient)
                && track.failing_since.is_some_and(|since| now.duration_since(since) < GRACE);
            let shown = match &assessment.verdict {
                Verdict::Failed(failure) => {
                    let what = if in_grace { "failing, may pass" } else { "failing" };
                    Verdict::pending(failure.stage, format!("{what}: {}", first_line(&failure.message)))
                }
                Verdict::Ready { .. } => Verdict::pending(Stage::Deploy, "confirming"),
                other => other.clone(),
            };
            if shown != track.verdict {
                reporter.changed(index, &shown, false);
                track.verdict = shown;
            }
            if assessment.verdict.is_decided() && !in_grace && now >= track.confirm_after {
                track.is_confirming = true;
                reporter.detail(&format!("reading everything about {} afresh", track.delivery.display()));
                self.confirm(index);
            }
        }
    }

    fn assess_watched(&mut self, index: usize) -> Assessment {
        let track = &self.tracks[index];
        let delivery = &track.delivery;
        let namespace = &delivery.namespace;
        let objects = FluxObjects {
            source: self.sources.get(&delivery.source.0, &delivery.source.1),
            packages: self.kustomizations.get(namespace, &delivery.packages_kustomization),
            installs: self.kustomizations.get(namespace, &delivery.installs_kustomization),
        };
        if objects.source.is_none() || objects.installs.is_none() {
            // The first lists are still on their way.
            return Verdict::pending(Stage::Source, "reading").into();
        }
        let view = track.view.map(|view| &self.views[view]);
        let installed = |namespace: &str, name: &str| Installed {
            install: view.and_then(|view| view.installs.get(namespace, name)).cloned(),
            app: view.and_then(|view| view.apps.get(namespace, name)).cloned(),
            packages: None,
            values: None,
        };
        let mut expectation = self.expectations.get(&delivery.source).cloned().unwrap_or_default();
        let assessment = assess(delivery, objects, &mut expectation, installed);
        self.expectations.insert(delivery.source.clone(), expectation);
        self.await_retry(index, assessment)
    }

    /// Holds a Kustomization's failure back until it has answered the retry that was requested of it.
    fn await_retry(&self, index: usize, assessment: Assessment) -> Assessment {
        let track = &self.tracks[index];
        let Some((name, token)) = &track.retry else { return assessment };
        let answered = self
            .kustomizations
            .get(&track.delivery.namespace, name)
            .and_then(|object| object.status.as_ref()?.last_handled_reconcile_at.as_ref())
            == Some(token);
        match (&assessment.retry, &assessment.verdict) {
            (Some(failed), Verdict::Failed(failure)) if failed == name && !answered => {
                Verdict::pending(failure.stage, format!("trying again: {}", first_line(&failure.message))).into()
            }
            _ => assessment,
        }
    }

    /// Asks a Kustomization that failed at the expected revision to try once more: the failure may be older than its cause.
    fn request_retry(&mut self, index: usize, failed: Option<&str>, reporter: &mut dyn Reporter) {
        let (Some(name), None) = (failed, &self.tracks[index].retry) else { return };
        let token = token();
        self.tracks[index].retry = Some((name.to_owned(), token.clone()));
        reporter.notice(&format!("asking Flux to try {name} once more"));
        let reference = ObjectReference {
            resource: kustomization_resource(self.versions.kustomization),
            namespace: Some(self.tracks[index].delivery.namespace.clone()),
            name: name.to_owned(),
        };
        let build = self.build.clone();
        self.requests.push(Box::pin(async move {
            // Without the permission Flux's own retries must do; the grace period bounds the wait for them.
            let _ = build.annotate(&reference, RECONCILE_REQUESTED_AT, &token).await;
        }));
    }

    /// Reads everything about one delivery afresh, parents before children.
    fn confirm(&mut self, index: usize) {
        let build = self.build.clone();
        let versions = self.versions;
        let track = &self.tracks[index];
        let delivery = track.delivery.clone();
        let cluster = track.view.map(|view| self.views[view].cluster.clone());
        let mut expectation = self.expectations.get(&delivery.source).cloned().unwrap_or_default();
        self.confirmations.push(Box::pin(async move {
            let assessment = read_and_assess(&build, versions, &delivery, cluster.as_ref(), &mut expectation).await;
            Confirmation { index, assessment, expectation }
        }));
    }

    fn confirmed(&mut self, confirmation: Confirmation, reporter: &mut dyn Reporter) {
        let Confirmation { index, assessment, expectation } = confirmation;
        let track = &mut self.tracks[index];
        track.is_confirming = false;
        track.confirm_after = Instant::now() + LOOK_AGAIN;
        self.expectations.insert(track.delivery.source.clone(), expectation);
        match assessment {
            Ok(Assessment { verdict: Verdict::Failed(failure), .. })
                if failure.is_transient
                    && track.failing_since.is_none_or(|since| since.elapsed() < GRACE) =>
            {
                track.failing_since.get_or_insert_with(Instant::now);
            }
            Ok(Assessment { verdict, .. }) if verdict.is_decided() => {
                reporter.changed(index, &verdict, true);
                track.outcome = Some(verdict);
            }
            Ok(Assessment { verdict, .. }) => {
                if verdict != track.verdict {
                    reporter.changed(index, &verdict, false);
                    track.verdict = verdict;
                }
            }
            Err(error) => reporter.notice(&format!("{error}; trying again")),
        }
    }
}

/// Reads source, Kustomizations and installs one after the other, and judges them.
async fn read_and_assess(
    build: &Cluster,
    versions: FluxVersions,
    delivery: &Delivery,
    cluster: Option<&Cluster>,
    expectation: &mut Expectation,
) -> Result<Assessment> {
    let namespace = &delivery.namespace;
    let source: Option<GitRepository> =
        build.read(&git_repository_resource(versions.source), &delivery.source.0, &delivery.source.1).await?;
    let kustomizations = kustomization_resource(versions.kustomization);
    let packages: Option<Kustomization> =
        build.read(&kustomizations, namespace, &delivery.packages_kustomization).await?;
    let installs: Option<Kustomization> =
        build.read(&kustomizations, namespace, &delivery.installs_kustomization).await?;
    let mut installed: BTreeMap<(String, String), Installed> = BTreeMap::new();
    if let (Some(cluster), Some(installs)) = (cluster, &installs) {
        for (namespace, name) in package_installs(installs) {
            let read = reach::read_installed(cluster, &namespace, &name).await?;
            installed.insert((namespace, name), read);
        }
    }
    let objects = FluxObjects { source: source.as_ref(), packages: packages.as_ref(), installs: installs.as_ref() };
    Ok(assess(delivery, objects, expectation, |namespace, name| {
        installed.get(&(namespace.to_owned(), name.to_owned())).cloned().unwrap_or_default()
    }))
}

/// Asks a source to look for new commits now; where that is forbidden, what it has counts.
async fn request_fetch(
    build: &Cluster,
    versions: FluxVersions,
    source: &(String, String),
    reporter: &mut dyn Reporter,
) -> Expectation {
    let token = token();
    let reference = ObjectReference {
        resource: git_repository_resource(versions.source),
        namespace: Some(source.0.clone()),
        name: source.1.clone(),
    };
    reporter.detail(&format!("asking Flux to look for new commits in {}", reference.display()));
    match build.annotate(&reference, RECONCILE_REQUESTED_AT, &token).await {
        Ok(()) => Expectation::after_request(Some(token)),
        Err(error) => {
            reporter.notice(&format!("{error}; a commit that Flux has not fetched yet is not waited for"));
            Expectation::after_request(None)
        }
    }
}

/// Returns a token that no earlier request used.
fn token() -> String {
    jiff::Timestamp::now().to_string()
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim()
}
