//! The clusters that `remove-cluster` works on, and how they are reached.

use super::request::Request;
use crate::cluster::{Cluster, Connection, Role, ServedVersions};
use crate::error::{Error, Result};
use crate::gitops::checkout::{GitAccess, Limits};
use crate::observe::reach::reach;
use crate::observe::{Delivery, Verdict};

/// The clusters.
pub(super) struct Clusters {
    pub(super) build: Cluster,
    /// `None` where it is gone for good.
    pub(super) run: Option<RunCluster>,
    connection: Connection,
}

/// The run cluster, reached with the user's own credential: Flux's may not delete what the plugin made.
pub(super) struct RunCluster {
    pub(super) cluster: Cluster,
    pub(super) served: ServedVersions,
}

impl Clusters {
    /// Reaches the run cluster, unless it is gone for good.
    pub(super) async fn reach(request: &Request, build: Cluster, connection: Connection) -> Result<Self> {
        let run = match &request.run_context {
            Some(context) if !request.force => {
                let connection = connection.of_run_clusters(request.run_kubeconfig.as_ref()).in_context(context);
                let cluster = Cluster::connect(Role::Run(request.run_cluster.clone()), &connection).await?;
                let served = cluster.served_versions().await.map_err(is_it_gone)?;
                Some(RunCluster { cluster, served })
            }
            _ => None,
        };
        Ok(Self { build, run, connection })
    }

    /// Reaches the run cluster of a delivery with the credential that Flux uses.
    pub(super) async fn as_flux(&self, delivery: &Delivery) -> Result<Cluster, Verdict> {
        reach(&self.build, delivery, &[], &self.connection).await
    }

    /// Returns how the repositories are reached.
    pub(super) fn git_access(&self, request: &Request) -> GitAccess {
        GitAccess {
            credentials: request.credentials.clone(),
            limits: Limits::new(self.connection.request_timeout, request.timeout),
            ..GitAccess::default()
        }
    }
}

/// Names the remedy where a run cluster does not answer at all.
fn is_it_gone(error: Error) -> Error {
    if error.status().is_some() {
        return error;
    }
    error.because("nothing was changed").hint(
        "if the run cluster is gone for good: --force clears the build cluster and Git without it, and lists what stays \
         behind on it",
    )
}
