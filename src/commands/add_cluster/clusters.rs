//! The clusters that `add-cluster` reads from and writes to, connected; how it reaches the repository; and what is delivered
//! to which run cluster.

use kube::config::Kubeconfig;

use super::request::Request;
use crate::cluster::{Cluster, Connection, Role, ServedVersions};
use crate::error::Result;
use crate::gitops::checkout::GitAccess;
use crate::kubeconfig::{Endpoint, EndpointOverrides};

/// The build cluster and the run cluster, and how the user reaches the latter.
pub(super) struct Clusters {
    pub(super) build: Cluster,
    pub(super) build_served: ServedVersions,
    pub(super) run: Cluster,
    pub(super) run_served: ServedVersions,
    /// The kubeconfig and the context of the run cluster.
    pub(super) run_connection: Connection,
    /// The endpoint of the user's own context.
    pub(super) user_endpoint: Endpoint,
    /// How `git` reaches the repository that the build cluster names.
    pub(super) git: GitAccess,
}

/// A cluster that was reached.
#[derive(Clone)]
pub(super) struct Reached {
    pub(super) cluster: Cluster,
    pub(super) served: ServedVersions,
}

impl Reached {
    /// Reaches a cluster.
    pub(super) async fn connect(role: Role, connection: &Connection) -> Result<Self> {
        let cluster = Cluster::connect(role, connection).await?;
        let served = cluster.served_versions().await?;
        Ok(Self { cluster, served })
    }

    /// Takes the cluster that was reached, else reaches it.
    pub(super) async fn or_connect(reached: Option<Self>, role: Role, connection: &Connection) -> Result<Self> {
        match reached {
            Some(reached) => Ok(reached),
            None => Self::connect(role, connection).await,
        }
    }
}

/// A run cluster, and what is delivered to it.
pub(super) struct Target {
    pub(super) clusters: Clusters,
    /// The first delivery: what is asked about the run cluster itself is the same in all of them.
    first: Request,
    others: Vec<Request>,
}

impl Target {
    /// Returns a run cluster with its first delivery.
    pub(super) fn new(clusters: Clusters, first: Request) -> Self {
        Self { clusters, first, others: Vec::new() }
    }

    /// Adds a delivery.
    pub(super) fn add(&mut self, request: Request) {
        self.others.push(request);
    }

    /// Returns the first delivery, for what is asked about the run cluster itself.
    pub(super) fn first(&self) -> &Request {
        &self.first
    }

    /// Returns the deliveries in order.
    pub(super) fn deliveries(&self) -> impl DoubleEndedIterator<Item = &Request> + Clone {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// Returns the endpoint of the user's context. That it does not verify the server's certificate is no obstacle where Flux
/// gets a certificate authority of its own.
pub(super) fn endpoint_of_context(
    kubeconfig: &Kubeconfig,
    context: &str,
    overrides: &EndpointOverrides,
) -> Result<Endpoint> {
    let mut kubeconfig = kubeconfig.clone();
    if overrides.certificate_authority.is_some() {
        for cluster in kubeconfig.clusters.iter_mut().filter_map(|entry| entry.cluster.as_mut()) {
            cluster.insecure_skip_tls_verify = None;
        }
    }
    Endpoint::of_context(&kubeconfig, Some(context), |path| std::fs::read(path))
}
