//! How a wait begins: every source is asked to fetch, every run cluster is reached, the watches start.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::stream::{self, FuturesUnordered, StreamExt};

use super::follower::Follower;
use super::requests::token;
use super::track::Track;
use super::view::RunView;
use super::{Reporter, WaitRequest};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::flux::{FluxVersions, RECONCILE_REQUESTED_AT, git_repository_resource};
use crate::object::ObjectReference;
use crate::observe::delivery::Delivery;
use crate::observe::expectation::Expectation;
use crate::observe::watch::{Store, Updates};
use crate::observe::{Verdict, reach, watch};

/// How many sources are asked, and run clusters reached, at a time.
const AT_A_TIME: usize = 16;

/// The pause before a request to fetch is sent again.
const REQUEST_PAUSE: Duration = Duration::from_secs(2);

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
            connection: request.connection.clone(),
            updates: Updates::new(),
            confirmations: FuturesUnordered::new(),
            unconfirmed: BTreeMap::new(),
            asked: BTreeSet::new(),
            requests: FuturesUnordered::new(),
            renewals: FuturesUnordered::new(),
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
            watch::watch_kustomizations(&mut follower.updates, build, versions.kustomization, Some(namespace));
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
        // Every request may have something to say.
        let reporter = RefCell::new(reporter);
        let expectations: Vec<_> = stream::iter(&sources)
            .map(|&source| async {
                let mut expectation = if request.requests_fetch {
                    self.request_fetch(source, &reporter).await
                } else {
                    Expectation::default()
                };
                expectation.commit.clone_from(&request.commit);
                (source.clone(), expectation)
            })
            .buffered(AT_A_TIME)
            .collect()
            .await;
        self.expectations.extend(expectations);
        let namespaces: BTreeSet<&String> = sources.iter().map(|(namespace, _)| namespace).collect();
        for namespace in namespaces {
            watch::watch_sources(&mut self.updates, &self.build, self.versions.source, Some(namespace));
        }
    }

    /// Asks a source to look for new commits now; where that is forbidden, what it has counts.
    async fn request_fetch(&self, source: &(String, String), reporter: &RefCell<&mut dyn Reporter>) -> Expectation {
        let token = token();
        let reference = ObjectReference {
            resource: git_repository_resource(self.versions.source),
            namespace: Some(source.0.clone()),
            name: source.1.clone(),
        };
        reporter.borrow_mut().detail(&format!("asking Flux to look for new commits in {}", reference.display()));
        loop {
            match self.build.annotate(&reference, RECONCILE_REQUESTED_AT, &token).await {
                Ok(()) => return Expectation::after_request(Some(token)),
                // A source that does not exist is judged as such.
                Err(error) if error.status() == Some(404) => return Expectation::default(),
                Err(error) if error.status() == Some(403) => {
                    reporter
                        .borrow_mut()
                        .notice(&format!("{error}; a commit that Flux has not fetched yet is not waited for"));
                    return Expectation::default();
                }
                Err(error) => {
                    reporter.borrow_mut().notice(&format!("{error}; retrying"));
                    tokio::time::sleep(REQUEST_PAUSE).await;
                }
            }
        }
    }

    /// Reaches each run cluster once, and watches each target namespace on it once.
    async fn follow_run_clusters(&mut self, request: &WaitRequest) {
        let key =
            |delivery: &Delivery| (delivery.namespace.clone(), delivery.access.clone(), delivery.run_cluster.clone());
        let first: BTreeMap<_, &Delivery> =
            request.deliveries.iter().rev().map(|delivery| (key(delivery), delivery)).collect();
        let build = &self.build;
        let reached: Vec<_> = stream::iter(first)
            .map(|(key, delivery)| async move {
                (key, reach::reach(build, delivery, &request.run_contexts, &request.connection).await)
            })
            .buffered(AT_A_TIME)
            .collect()
            .await;
        let mut views: BTreeMap<_, Result<usize, Verdict>> = BTreeMap::new();
        for (key, cluster) in reached {
            let view = cluster.map(|cluster| {
                self.views.push(RunView::new(cluster));
                self.views.len() - 1
            });
            views.insert(key, view);
        }
        let mut watched: BTreeSet<(usize, &String)> = BTreeSet::new();
        for delivery in &request.deliveries {
            let Some(view) = views.get(&key(delivery)) else { continue };
            if let Ok(index) = view
                && watched.insert((*index, &delivery.target_namespace))
            {
                let cluster = self.views[*index].cluster.clone();
                watch::watch_run_cluster(&mut self.updates, &cluster, *index, &delivery.target_namespace);
            }
            let mut track = Track::new(delivery.clone(), view.clone(), Instant::now());
            track.way = request.way;
            self.tracks.push(track);
        }
    }
}
