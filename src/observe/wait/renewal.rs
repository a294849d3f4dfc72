//! A run cluster refuses the credential while deliveries are waited for: Flux may have a new one by now, as after `rotate`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::follower::Follower;
use crate::cluster::Cluster;
use crate::observe::{Verdict, reach, watch};

/// The pause between two readings of Flux's credential.
const PAUSE: Duration = Duration::from_secs(5);

/// A run cluster that was reached anew, in the place of the view with this index.
pub(super) struct Renewal {
    view: usize,
    cluster: Result<Cluster, Verdict>,
}

impl Follower {
    /// Reads Flux's credential anew for a view whose own is refused. Who named a context has no other.
    pub(super) fn renew(&mut self, view: usize, now: Instant) {
        let is_recent = self.views[view].renewed.is_some_and(|renewed| now.duration_since(renewed) < PAUSE);
        let track = self.tracks.iter().find(|track| track.view == Some(view) && track.outcome.is_none());
        let (Some(track), true, false) = (track, self.views[view].cluster.context().is_empty(), is_recent) else {
            return;
        };
        self.views[view].renewed = Some(now);
        let (build, delivery, connection) = (self.build.clone(), track.delivery.clone(), self.connection.clone());
        self.renewals.push(Box::pin(async move {
            Renewal { view, cluster: reach::reach(&build, &delivery, &[], &connection).await }
        }));
    }

    /// Goes on with the new credential: with watches of its own, because those of the old one are refused for ever.
    pub(super) fn take_renewal(&mut self, renewal: Renewal) {
        let Renewal { view, cluster: Ok(cluster) } = renewal else { return };
        let successor = self.views.len();
        self.views.push(self.views[view].successor(cluster.clone()));
        let mut namespaces = BTreeSet::new();
        let now = Instant::now();
        for track in self.tracks.iter_mut().filter(|track| track.view == Some(view)) {
            track.view = Some(successor);
            track.touch(now);
            namespaces.insert(track.delivery.target_namespace.clone());
        }
        for namespace in namespaces {
            watch::watch_run_cluster(&mut self.updates, &cluster, successor, &namespace);
        }
    }

    /// Tells whether anything that is waited for is still read through a view.
    pub(super) fn is_in_use(&self, view: usize) -> bool {
        self.tracks.iter().any(|track| track.view == Some(view) && track.outcome.is_none())
    }
}
