//! What is being removed from a run cluster, as it is recorded on the build cluster while it lasts.
//!
//! Once a Kustomization is gone, nothing else tells which target namespace or which directory was its own. So a ConfigMap
//! holds it from the first step to the last, and the same command goes on wherever it was interrupted.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::flux::{KubeConfigReference, impersonated_user};
use crate::labels;
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::observe::{Delivery, RunAccess};

/// The key of the ConfigMap.
const KEY: &str = "deliveries";

/// What is being removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RemovalRecord {
    /// The UID of the run cluster, once it is known.
    pub(super) run_cluster_uid: Option<String>,
    /// The deliveries that are removed.
    pub(super) deliveries: Vec<RemovedDelivery>,
}

/// A delivery that is removed, with all that must be known of it once its Kustomizations are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemovedDelivery {
    /// The package.
    pub(super) package: String,
    /// The namespace that Flux puts objects into; empty where they name their own.
    pub(super) target_namespace: String,
    /// All namespaces of the run cluster that hold something of it.
    pub(super) namespaces: BTreeSet<String>,
    /// The Kustomization that applies the Packages.
    pub(super) packages_kustomization: String,
    /// The Kustomization that applies the PackageInstall.
    pub(super) installs_kustomization: String,
    /// The GitRepository, as namespace and name.
    pub(super) source: (String, String),
    /// Its directory in the repository, such as `hello-app.default.tap/prod1`.
    pub(super) directory: String,
    /// The Secret or ConfigMap with which Flux reaches the run cluster.
    pub(super) credential: String,
    /// The key of the Secret that holds the kubeconfig.
    #[serde(default)]
    pub(super) key: Option<String>,
    /// Whether it is the ConfigMap of a workload identity.
    #[serde(default)]
    pub(super) is_workload_identity: bool,
    /// The service account that Flux impersonates.
    #[serde(default)]
    pub(super) service_account: Option<String>,
    /// What Flux has applied on the run cluster, as messages name it; kept for `--force`.
    #[serde(default)]
    pub(super) applied: BTreeSet<String>,
}

impl RemovedDelivery {
    /// Describes a delivery that exists.
    pub(super) fn of(delivery: &Delivery, directory: &str, service_account: Option<String>) -> Self {
        let (credential, key, is_workload_identity) = match &delivery.access {
            RunAccess::Kubeconfig { secret, .. } => (secret.name.clone(), secret.key.clone(), false),
            RunAccess::WorkloadIdentity { config_map, .. } => (config_map.clone(), None, true),
        };
        let namespaces = Some(&delivery.target_namespace).filter(|namespace| !namespace.is_empty());
        Self {
            package: delivery.package.clone(),
            target_namespace: delivery.target_namespace.clone(),
            namespaces: namespaces.into_iter().cloned().collect(),
            packages_kustomization: delivery.packages_kustomization.clone(),
            installs_kustomization: delivery.installs_kustomization.clone(),
            source: delivery.source.clone(),
            directory: names::normalised_path(directory).to_owned(),
            credential,
            key,
            is_workload_identity,
            service_account,
            applied: BTreeSet::new(),
        }
    }

    /// Describes it as the delivery that it was.
    pub(super) fn delivery(&self, namespace: &str, run_cluster: &str) -> Delivery {
        let impersonate = self.service_account.as_ref().map(|account| impersonated_user(namespace, account));
        let access = if self.is_workload_identity {
            RunAccess::WorkloadIdentity { config_map: self.credential.clone(), impersonate }
        } else {
            let secret = KubeConfigReference { name: self.credential.clone(), key: self.key.clone() };
            RunAccess::Kubeconfig { secret, impersonate }
        };
        Delivery {
            package: self.package.clone(),
            run_cluster: run_cluster.to_owned(),
            namespace: namespace.to_owned(),
            source: self.source.clone(),
            packages_kustomization: self.packages_kustomization.clone(),
            installs_kustomization: self.installs_kustomization.clone(),
            target_namespace: self.target_namespace.clone(),
            access,
        }
    }

    /// Returns the Secret or ConfigMap with which Flux reaches the run cluster.
    pub(super) fn credential_reference(&self, namespace: &str) -> ObjectReference {
        let kind = if self.is_workload_identity { "ConfigMap" } else { "Secret" };
        ObjectReference::namespaced(&api_resource("", "v1", kind), namespace, &self.credential)
    }

    /// Returns the names of its two Kustomizations, that of the PackageInstall first.
    pub(super) fn kustomizations(&self) -> [&str; 2] {
        [&self.installs_kustomization, &self.packages_kustomization]
    }
}

impl RemovalRecord {
    /// Names the ConfigMap.
    pub(super) fn reference(namespace: &str, run_cluster: &str) -> ObjectReference {
        ObjectReference::namespaced(&api_resource("", "v1", "ConfigMap"), namespace, &names::removal(run_cluster))
    }

    /// Reads the ConfigMap.
    pub(super) fn read(object: &DynamicObject) -> Result<Self> {
        let text = object.data.pointer(&format!("/data/{KEY}")).and_then(Value::as_str).unwrap_or("[]");
        let deliveries = serde_json::from_str(text).map_err(|error| {
            let display = format!("ConfigMap {}/{}", object.namespace().unwrap_or_default(), object.name_any());
            Error::new(format!("{display} does not say what was being removed"))
                .because(error)
                .hint("it was edited, or written by a newer version of this plugin; delete it to start over")
        })?;
        Ok(Self { run_cluster_uid: object.annotations().get(labels::RUN_CLUSTER_UID).cloned(), deliveries })
    }

    /// Builds the ConfigMap.
    pub(super) fn manifest(&self, namespace: &str, run_cluster: &str) -> Value {
        let deliveries = json!(self.deliveries).to_string();
        let mut manifest = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": names::removal(run_cluster),
                "namespace": namespace,
                "labels": labels::managed(),
            },
            "data": {KEY: deliveries},
        });
        if let Some(uid) = &self.run_cluster_uid {
            manifest["metadata"]["annotations"] = json!({labels::RUN_CLUSTER_UID: uid});
        }
        manifest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_read_again() {
        let delivery = Delivery {
            package: "hello".to_owned(),
            run_cluster: "prod1".to_owned(),
            namespace: "dev".to_owned(),
            source: ("dev".to_owned(), "hello-gitops-repo".to_owned()),
            packages_kustomization: "hello-prod1-packages".to_owned(),
            installs_kustomization: "hello-prod1-packageinstalls".to_owned(),
            target_namespace: "apps".to_owned(),
            access: RunAccess::WorkloadIdentity { config_map: "prod1".to_owned(), impersonate: None },
        };
        let record = RemovalRecord {
            run_cluster_uid: Some("1234".to_owned()),
            deliveries: vec![RemovedDelivery::of(&delivery, "./sub/hello/prod1/", None)],
        };
        assert_eq!(record.deliveries[0].directory, "sub/hello/prod1");
        assert_eq!(record.deliveries[0].delivery("dev", "prod1"), delivery);
        let manifest = record.manifest("dev", "prod1");
        let object: DynamicObject = serde_json::from_value(manifest).expect("a ConfigMap");
        assert_eq!(RemovalRecord::read(&object).expect("a record"), record);
    }
}
