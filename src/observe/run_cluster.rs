//! A run cluster that is watched, by `wait` and by `status --watch`: one watch per namespace, with the credential that works.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream::{self, AbortHandle};

use super::watch::{self, Updates};
use crate::cluster::Cluster;

/// A run cluster, and its watches.
pub(crate) struct RunCluster {
    cluster: Cluster,
    watches: Watches,
}

impl RunCluster {
    /// Begins without a watch.
    pub(crate) fn new(cluster: Cluster) -> Self {
        Self { cluster, watches: Watches::default() }
    }

    /// Returns the cluster as it is reached now.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Watches a namespace that is not watched yet; updates name the cluster by `index`.
    pub(crate) fn watch(&mut self, updates: &mut Updates, index: usize, namespace: &str) {
        if self.watches.has(namespace) {
            return;
        }
        let mut own = Updates::new();
        watch::watch_run_cluster(&mut own, &self.cluster, index, namespace);
        let (own, handle) = stream::abortable(own);
        updates.push(own.boxed());
        self.watches.add(namespace, handle);
    }

    /// Goes on with another credential. The watches of the one before end, because they are refused for ever.
    pub(crate) fn replace(&mut self, cluster: Cluster) {
        *self = Self::new(cluster);
    }
}

/// The watches of a run cluster by namespace, which end with it.
#[derive(Default)]
struct Watches(BTreeMap<String, AbortHandle>);

impl Watches {
    fn has(&self, namespace: &str) -> bool {
        self.0.contains_key(namespace)
    }

    fn add(&mut self, namespace: &str, handle: AbortHandle) {
        self.0.insert(namespace.to_owned(), handle);
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        self.0.values().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watches_of_a_credential_that_was_replaced_end() {
        let (first, _) = AbortHandle::new_pair();
        let (second, _) = AbortHandle::new_pair();
        let mut watches = Watches::default();
        watches.add("apps", first.clone());
        assert!(watches.has("apps") && !watches.has("other") && !first.is_aborted());
        watches = Watches::default();
        assert!(first.is_aborted() && !watches.has("apps"));
        watches.add("apps", second.clone());
        assert!(watches.has("apps") && !second.is_aborted());
    }
}
