//! How a wait begins: every source is asked to fetch, every run cluster is reached, the watches start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures::stream::{self, FuturesUnordered, SelectAll, StreamExt};

use super::follower::Follower;
use super::requests::Ancestry;
use super::track::Track;
use super::view::RunView;
use super::{Reporter, WaitRequest};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::flux::FluxVersions;
use crate::observe::delivery::Delivery;
use crate::observe::expectation::Expectation;
use crate::observe::watch::{Store, Updates};
use crate::observe::{Verdict, reach, watch};

/// How many run clusters are reached at a time.
const AT_A_TIME: usize = 16;

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
            ancestry: Ancestry::default(),
            fetches: SelectAll::new(),
            unanswered: BTreeMap::new(),
            commit: request.commit.clone(),
            sources: Store::default(),
            kustomizations: Store::default(),
            expectations: BTreeMap::new(),
            views: Vec::new(),
            tracks: Vec::new(),
            refused: None,
        };
        follower.follow_sources(request, reporter);
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

    /// Watches the sources, one watch per namespace, and asks each once to look for new commits.
    fn follow_sources(&mut self, request: &WaitRequest, reporter: &mut dyn Reporter) {
        let sources: BTreeSet<(String, String)> =
            request.deliveries.iter().map(|delivery| delivery.source.clone()).collect();
        let namespaces: BTreeSet<&String> = sources.iter().map(|(namespace, _)| namespace).collect();
        for namespace in namespaces {
            watch::watch_sources(&mut self.updates, &self.build, self.versions.source, Some(namespace));
        }
        if request.requests_fetch {
            self.request_fetches(sources, reporter);
        } else {
            for source in sources {
                self.expect(source, Expectation::default());
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
