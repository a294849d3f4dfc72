//! Run clusters are reached while the deliveries are followed already: one whose API server or credential plugin does not
//! answer holds no other up.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use super::request::WaitRequest;
use crate::cluster::Cluster;
use crate::observe::delivery::{Delivery, RunClusterKey};
use crate::observe::reach::reach;
use crate::observe::verdict::Assessment;
use crate::observe::{Stage, Verdict};
use crate::waiting;

/// How many run clusters are reached at a time.
const AT_A_TIME: usize = 16;

/// After how long the next one begins, although this one has not been reached: its plugin may wait for a person.
const SLOW: Duration = Duration::from_secs(5);

/// A run cluster that was reached, or why it cannot be.
pub(super) struct Arrival {
    pub(super) run_cluster: RunClusterKey,
    pub(super) reached: Result<Cluster, Verdict>,
}

/// The run clusters that are on their way.
pub(super) type Arrivals = FuturesUnordered<LocalBoxFuture<'static, Arrival>>;

/// Begins to reach each run cluster once.
pub(super) fn reach_all(build: &Cluster, request: &WaitRequest) -> Arrivals {
    let slots = Arc::new(Semaphore::new(AT_A_TIME));
    let mut clusters: BTreeMap<RunClusterKey, &Delivery> = BTreeMap::new();
    for delivery in &request.deliveries {
        clusters.entry(delivery.run_cluster_key()).or_insert(delivery);
    }
    let arrivals = clusters.into_iter().map(|(run_cluster, delivery)| -> LocalBoxFuture<'static, Arrival> {
        let (build, delivery, slots) = (build.clone(), delivery.clone(), slots.clone());
        let (contexts, connection) = (request.run_contexts.clone(), request.connection.clone());
        Box::pin(async move {
            let slot = slots.acquire().await;
            let mut reaching = pin!(reach(&build, &delivery, &contexts, &connection));
            let reached = if let Some(reached) = waiting::within(SLOW, reaching.as_mut()).await {
                reached
            } else {
                drop(slot);
                reaching.await
            };
            Arrival { run_cluster, reached }
        })
    });
    arrivals.collect()
}

/// Judges without the run cluster, which has yet to be reached: what Flux has yet to do is known already.
pub(super) fn unread(assessment: Assessment) -> Assessment {
    match &assessment.verdict {
        Verdict::Pending { stage, .. } if *stage >= Stage::Install => {
            Verdict::pending(Stage::Install, "reaching the run cluster, which has not answered yet").into()
        }
        _ => assessment,
    }
}
