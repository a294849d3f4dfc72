//! The two clusters that `add-cluster` reads from and writes to, connected; and how it reaches the repository.

use kube::config::Kubeconfig;

use crate::cluster::{Cluster, Connection, ServedVersions};
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
