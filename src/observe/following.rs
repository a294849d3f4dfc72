//! What `wait` and `status --watch` follow: Flux's objects on the build cluster, and installs on run clusters, each with the
//! credential that works. What the watches bring is kept and judged by those who follow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::{self, AbortHandle, FuturesUnordered};

use super::Verdict;
use super::delivery::Delivery;
use super::reach::reach;
use super::watch::{self, Update, Updates};
use crate::cluster::{Cluster, Connection};
use crate::flux::FluxVersions;

/// The pause between two readings of Flux's credential for one run cluster.
const PAUSE: Duration = Duration::from_secs(5);

/// All watches of a command, and the run clusters that they are on, by number.
pub(crate) struct Following {
    build: Cluster,
    /// The kubeconfig flags.
    connection: Connection,
    updates: Updates,
    run_clusters: BTreeMap<usize, RunCluster>,
    /// How many run clusters there have been: no number is given twice.
    count: usize,
    /// Readings of Flux's credential on their way.
    renewals: FuturesUnordered<LocalBoxFuture<'static, (usize, Result<Cluster, Verdict>)>>,
}

/// What has happened to what is followed.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each lives only from the stream to the store")]
pub(crate) enum Event {
    /// A watch has brought something.
    Update(Update),
    /// The credential for the run cluster with this number was read again; its watches begin from the start.
    Renewed(Renewal),
}

/// What came of reading Flux's credential for a run cluster again.
#[derive(Debug)]
pub(crate) struct Renewal {
    /// The number of the run cluster.
    pub(crate) index: usize,
    /// Why it cannot be reached any more; it is then still followed with the credential of before.
    pub(crate) outcome: Result<(), Verdict>,
}

/// A run cluster that is followed.
struct RunCluster {
    cluster: Cluster,
    watches: BTreeMap<String, Watch>,
    /// When Flux's credential was last read again, because this one is refused.
    renewed: Option<Instant>,
}

/// The watches of a namespace, which end with it.
struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Following {
    /// Begins without a watch.
    pub(crate) fn new(build: &Cluster, connection: &Connection) -> Self {
        Self {
            build: build.clone(),
            connection: connection.clone(),
            updates: Updates::new(),
            run_clusters: BTreeMap::new(),
            count: 0,
            renewals: FuturesUnordered::new(),
        }
    }

    /// Watches the sources and the Kustomizations of namespaces, each `None` for all.
    pub(crate) fn watch_flux<'a>(
        &mut self,
        versions: FluxVersions,
        sources: impl IntoIterator<Item = Option<&'a str>>,
        kustomizations: impl IntoIterator<Item = Option<&'a str>>,
    ) {
        for namespace in sources {
            watch::watch_sources(&mut self.updates, &self.build, versions.source, namespace);
        }
        for namespace in kustomizations {
            watch::watch_kustomizations(&mut self.updates, &self.build, versions.kustomization, namespace);
        }
    }

    /// Takes a run cluster in, and returns its number: the first is 0.
    pub(crate) fn add(&mut self, cluster: Cluster) -> usize {
        let index = self.count;
        self.count += 1;
        self.run_clusters.insert(index, RunCluster { cluster, watches: BTreeMap::new(), renewed: None });
        index
    }

    /// Lets a run cluster go; its watches end.
    pub(crate) fn remove(&mut self, index: usize) {
        self.run_clusters.remove(&index);
    }

    /// Returns a run cluster as it is reached now.
    pub(crate) fn cluster(&self, index: usize) -> Option<&Cluster> {
        self.run_clusters.get(&index).map(|run| &run.cluster)
    }

    /// Tells whether a run cluster is reached as Flux does, and not through a context of the user.
    pub(crate) fn is_as_flux(&self, index: usize) -> bool {
        self.cluster(index).is_some_and(|cluster| cluster.context().is_empty())
    }

    /// Watches the installs of these namespaces of a run cluster, and of no other.
    pub(crate) fn watch(&mut self, index: usize, namespaces: &BTreeSet<&str>) {
        let Some(run) = self.run_clusters.get_mut(&index) else { return };
        run.watches.retain(|watched, _| namespaces.contains(watched.as_str()));
        for namespace in namespaces {
            if !run.watches.contains_key(*namespace) {
                run.watch(&mut self.updates, index, namespace);
            }
        }
    }

    /// Has Flux's credential read again for a run cluster that refuses this one: Flux may have a new one by now, as after
    /// `rotate`. Who named a context has no other.
    ///
    /// Not again within a few seconds: returns whether it is read.
    pub(crate) fn renew(&mut self, index: usize, delivery: &Delivery) -> bool {
        let is_as_flux = self.is_as_flux(index);
        let Some(run) = self.run_clusters.get_mut(&index) else { return false };
        let is_recent = run.renewed.is_some_and(|renewed| renewed.elapsed() < PAUSE);
        if !is_as_flux || is_recent {
            return false;
        }
        run.renewed = Some(Instant::now());
        let (build, delivery, connection) = (self.build.clone(), delivery.clone(), self.connection.clone());
        self.renewals.push(Box::pin(async move { (index, reach(&build, &delivery, &[], &connection).await) }));
        true
    }

    /// Returns what happens next; `None` where nothing is followed.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let renewed = tokio::select! {
            Some(update) = self.updates.next() => return Some(Event::Update(update)),
            Some(renewed) = self.renewals.next() => renewed,
            else => return None,
        };
        Some(Event::Renewed(self.take_renewal(renewed)))
    }

    /// Returns what comes of the next credential that is being read; `None` where none is.
    pub(crate) async fn next_renewal(&mut self) -> Option<Renewal> {
        let renewed = self.renewals.next().await?;
        Some(self.take_renewal(renewed))
    }

    /// Goes on with the new credential, and with watches of its own.
    fn take_renewal(&mut self, (index, reached): (usize, Result<Cluster, Verdict>)) -> Renewal {
        let outcome = reached.map(|cluster| {
            if let Some(run) = self.run_clusters.get_mut(&index) {
                run.cluster = cluster;
                // Those of before are refused for ever.
                for namespace in std::mem::take(&mut run.watches).into_keys() {
                    run.watch(&mut self.updates, index, &namespace);
                }
            }
        });
        Renewal { index, outcome }
    }
}

impl RunCluster {
    fn watch(&mut self, updates: &mut Updates, index: usize, namespace: &str) {
        let mut own = Updates::new();
        watch::watch_run_cluster(&mut own, &self.cluster, index, namespace);
        let (own, handle) = stream::abortable(own);
        updates.push(own.boxed());
        self.watches.insert(namespace.to_owned(), Watch(handle));
    }
}

#[cfg(test)]
mod tests {
    use kube::config::Kubeconfig;

    use super::*;
    use crate::cluster::Role;
    use crate::flux::KubeConfigReference;
    use crate::observe::RunAccess;

    /// A cluster that nobody asks for anything.
    async fn cluster(role: Role) -> Cluster {
        let kubeconfig = Kubeconfig::from_yaml(
            "{clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}], current-context: c}",
        );
        Cluster::from_kubeconfig(role, kubeconfig.expect("a kubeconfig"), None).await.expect("a client")
    }

    fn delivery() -> Delivery {
        Delivery {
            package: "hello".to_owned(),
            run_cluster: "prod1".to_owned(),
            namespace: "dev".to_owned(),
            source: ("dev".to_owned(), "hello-gitops-repo".to_owned()),
            packages_kustomization: "packages".to_owned(),
            installs_kustomization: "installs".to_owned(),
            target_namespace: "apps".to_owned(),
            access: RunAccess::Kubeconfig { secret: KubeConfigReference::default(), impersonate: None },
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(future)
    }

    fn handles(following: &Following, index: usize) -> BTreeMap<String, AbortHandle> {
        let watches = &following.run_clusters[&index].watches;
        watches.iter().map(|(namespace, watch)| (namespace.clone(), watch.0.clone())).collect()
    }

    #[test]
    fn the_watches_of_a_credential_that_was_replaced_end_and_others_begin() {
        block_on(async {
            let run = || cluster(Role::Run("prod1".to_owned()));
            let mut following = Following::new(&cluster(Role::Build).await, &Connection::default());
            let index = following.add(run().await);
            following.watch(index, &BTreeSet::from(["apps", "other"]));
            let old = handles(&following, index);
            assert!(old.len() == 2 && old.values().all(|watch| !watch.is_aborted()));
            let renewal = following.take_renewal((index, Ok(run().await)));
            assert_eq!(renewal.outcome, Ok(()));
            let new = handles(&following, index);
            assert!(old.values().all(AbortHandle::is_aborted), "the API server refuses them for ever");
            assert!(new.keys().eq(old.keys()) && new.values().all(|watch| !watch.is_aborted()));
            following.watch(index, &BTreeSet::from(["apps"]));
            assert!(new["other"].is_aborted() && !new["apps"].is_aborted(), "nobody looks there any more");
            following.remove(index);
            assert!(new["apps"].is_aborted());
        });
    }

    #[test]
    fn a_credential_is_not_read_again_and_again() {
        block_on(async {
            let mut following = Following::new(&cluster(Role::Build).await, &Connection::default());
            let index = following.add(cluster(Role::Run("prod1".to_owned())).await);
            assert!(following.renew(index, &delivery()));
            assert!(!following.renew(index, &delivery()), "it was read a moment ago");
            assert!(!following.renew(index + 1, &delivery()), "nobody follows it");
        });
    }
}
