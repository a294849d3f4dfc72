//! What must be there: Flux's APIs, kapp-controller's, namespaces.

use crate::carvel::{DATA_PACKAGING_GROUP, KAPP_CONTROLLER_GROUP, PACKAGING_GROUP, Package, package_resource};
use crate::cluster::{Cluster, ServedVersions};
use crate::error::{Error, Result};
use crate::flux::{API_VERSIONS, FluxVersions, GIT_REPOSITORY_GROUP, KUSTOMIZATION_GROUP};
use crate::object::{ObjectReference, api_resource};
use crate::shell::quoted;

/// Checks that the build cluster serves Flux's APIs, and in which versions.
pub fn flux(build: &Cluster, served: &ServedVersions) -> Result<FluxVersions> {
    let find = |group: &str, kind: &str, controller: &str| {
        served.first_of(group, API_VERSIONS).ok_or_else(|| {
            Error::new(format!("Flux is not complete on {}: it serves no {kind}", build.display()))
                .because(format!(
                    "no version of the API group {group} that is spoken here: {}",
                    API_VERSIONS.join(", ")
                ))
                .hint(format!(
                    "install Flux with its {controller}: flux install; or name another cluster with --context"
                ))
        })
    };
    Ok(FluxVersions {
        source: find(GIT_REPOSITORY_GROUP, "GitRepository", "source-controller")?,
        kustomization: find(KUSTOMIZATION_GROUP, "Kustomization", "kustomize-controller")?,
    })
}

/// Checks that a run cluster serves kapp-controller's APIs, its own API server's included.
pub async fn kapp_controller(run: &Cluster, served: &ServedVersions, namespace: &str) -> Result<()> {
    for group in [PACKAGING_GROUP, KAPP_CONTROLLER_GROUP, DATA_PACKAGING_GROUP] {
        if served.first_of(group, &[crate::carvel::CARVEL_VERSION]).is_none() {
            return Err(Error::new(format!("kapp-controller is not installed on {}", run.display()))
                .because(format!("it does not serve {group}/{}", crate::carvel::CARVEL_VERSION))
                .hint("install kapp-controller: https://carvel.dev/kapp-controller/docs/latest/install/"));
        }
    }
    // The group is listed even while kapp-controller's API server does not answer.
    run.list::<Package>(&package_resource(), namespace).await.map(drop).map_err(|error| match error.status() {
        Some(401 | 403) => error,
        _ => error.hint(
            "is kapp-controller's API server available? kubectl get apiservice v1alpha1.data.packaging.carvel.dev",
        ),
    })
}

/// Tells whether a namespace exists; for a user who may not read namespaces it does, and the dry run finds out.
pub async fn has_namespace(cluster: &Cluster, name: &str) -> bool {
    let reference =
        ObjectReference { resource: api_resource("", "v1", "Namespace"), namespace: None, name: name.to_owned() };
    !matches!(cluster.get(&reference).await, Ok(None))
}

/// Checks that a namespace exists.
pub async fn namespace(cluster: &Cluster, name: &str) -> Result<()> {
    if has_namespace(cluster, name).await {
        return Ok(());
    }
    Err(Error::new(format!("{} has no namespace `{name}`", cluster.display())).hint(format!(
        "create it: kubectl --context {} create namespace {}",
        quoted(cluster.context()),
        quoted(name)
    )))
}
