//! What all deliveries of one command share on the build cluster, read once.

use futures::join;

use super::super::clusters::Clusters;
use crate::check::{self, Checks, Skipped};
use crate::flux::{FluxVersions, Kustomization, kustomization_resource};

/// What is known of the build cluster.
pub(super) struct BuildCluster {
    pub(super) versions: Result<FluxVersions, Skipped>,
    pub(super) uid: Result<String, Skipped>,
}

impl BuildCluster {
    /// Reads and checks it; `clusters` are those of any run cluster, `namespace` is that of the Flux objects.
    pub(super) async fn read(
        checks: &mut Checks,
        clusters: &Clusters,
        namespace: &str,
        versions: Result<FluxVersions, Skipped>,
    ) -> Self {
        let build = &clusters.build;
        let (exists, uid, ()) = join!(check::namespace(build, namespace), build.uid(), async {
            if let Ok(versions) = versions {
                advise(checks, clusters, namespace, versions).await;
            }
        });
        checks.check(format!("namespace {namespace}"), exists);
        Self { versions, uid: checks.take("identity of the build cluster", uid) }
    }
}

/// Warns where Flux has no idle workers.
async fn advise(checks: &mut Checks, clusters: &Clusters, namespace: &str, versions: FluxVersions) {
    let resource = kustomization_resource(versions.kustomization);
    let everywhere = clusters.build.list_in::<Kustomization>(&resource, None).await;
    let kustomizations = match everywhere {
        Ok(kustomizations) => kustomizations,
        // Whoever may not read them everywhere sees those of this namespace.
        Err(_) => clusters.build.list(&resource, namespace).await.unwrap_or_default(),
    };
    match check::capacity(&clusters.build, &kustomizations).await {
        Ok(words) => checks.pass("Flux's capacity", words),
        Err(warning) => checks.warn("Flux's capacity", warning),
    }
}
