//! What must be there: Flux's APIs, kapp-controller's, namespaces.

use kube::api::DynamicObject;
use serde_json::Value;

use crate::carvel::{DATA_PACKAGING_GROUP, KAPP_CONTROLLER_GROUP, PACKAGING_GROUP, Package, package_resource};
use crate::cluster::{Cluster, ServedVersions};
use crate::error::{Error, Result};
use crate::flux::{API_VERSIONS, FluxVersions, GIT_REPOSITORY_GROUP, KUSTOMIZATION_GROUP};
use crate::object::{ObjectReference, api_resource};
use crate::refusal::Admission;
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

/// Checks that a namespace exists and stays: in one that is being deleted nothing can be created. The status of the error is
/// 404 where there is none. For a user who may not read namespaces it holds, and the dry run finds out.
pub async fn namespace(cluster: &Cluster, name: &str) -> Result<()> {
    let reference =
        ObjectReference { resource: api_resource("", "v1", "Namespace"), namespace: None, name: name.to_owned() };
    let kubectl = format!("kubectl --context {}", quoted(cluster.context()));
    match cluster.get(&reference).await {
        Ok(None) => Err(Error::new(format!("{} has no namespace `{name}`", cluster.display()))
            .with_status(404)
            .hint(format!("create it: {kubectl} create namespace {}", quoted(name)))),
        Ok(Some(found)) if found.metadata.deletion_timestamp.is_some() => {
            let terminating = Admission::NamespaceTerminating { namespace: name.to_owned() };
            let error = Error::new(format!("namespace `{name}` of {} is being deleted", cluster.display()));
            let error = what_holds(&found).into_iter().fold(error, Error::because);
            Err(error.hint(terminating.remedy(&kubectl, name)))
        }
        _ => Ok(()),
    }
}

/// Returns what keeps a namespace from being gone, in the words of Kubernetes
/// (kubernetes `pkg/controller/namespace/deletion/status_condition_utils.go`).
fn what_holds(namespace: &DynamicObject) -> Vec<String> {
    let conditions = namespace.data.pointer("/status/conditions").and_then(Value::as_array);
    let holds = |condition: &&Value| {
        condition["status"] == "True" && condition["type"].as_str().is_some_and(|name| name.ends_with("Remaining"))
    };
    let messages = conditions.into_iter().flatten().filter(holds).filter_map(|condition| condition["message"].as_str());
    messages.map(str::to_owned).collect()
}
