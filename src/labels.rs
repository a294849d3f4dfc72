//! The labels and annotations the plugin writes. Nothing it reads may depend on them alone: deliveries made without the plugin
//! after the guide have none.

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::cluster::FIELD_MANAGER;

/// The UID of the cluster a kubeconfig Secret points at: that of its namespace `kube-system`.
pub const RUN_CLUSTER_UID: &str = "carvelflux.dev/run-cluster-uid";

/// The namespace of the deployer's ServiceAccount on the run cluster, written on the kubeconfig Secret.
pub const DEPLOYER_NAMESPACE: &str = "carvelflux.dev/deployer-namespace";

/// How Flux authenticates on the run cluster, written on the kubeconfig Secret or on the ConfigMap of a workload identity;
/// [`crate::authentication::Method`] has the values.
pub const AUTHENTICATION: &str = "carvelflux.dev/authentication";

/// The Secret on the run cluster, in the deployer's namespace, whose deletion revokes the credential; written on the
/// kubeconfig Secret.
pub const TOKEN_SECRET: &str = "carvelflux.dev/token-secret";

/// When the credential expires (RFC 3339), written on the kubeconfig Secret; missing where it does not.
pub const EXPIRES: &str = "carvelflux.dev/expires";

/// For how long the credential was granted, such as `86400s`, beside [`EXPIRES`].
pub const TOKEN_DURATION: &str = "carvelflux.dev/token-duration";

/// The service account that a token Secret is for. The control plane fills only those of the type
/// `kubernetes.io/service-account-token`; on others it says whose tokens are bound to them.
pub const SERVICE_ACCOUNT: &str = "kubernetes.io/service-account.name";
/// The user that the run cluster takes a workload identity for, written on its ConfigMap.
pub const IDENTITY_USER: &str = "carvelflux.dev/identity-user";

/// The UID of the build cluster that an object on a run cluster belongs to.
pub const BUILD_CLUSTER_UID: &str = "carvelflux.dev/build-cluster-uid";

/// The namespace on the build cluster that an object on a run cluster belongs to.
pub const BUILD_NAMESPACE: &str = "carvelflux.dev/build-namespace";

/// Who manages an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// What an installer's Role was made with: `server`, `web`, `worker` or `file`.
pub const INSTALLER: &str = "carvelflux.dev/installer";

/// Returns the labels of an object that only this plugin owns.
#[must_use]
pub fn managed() -> Value {
    json!({MANAGED_BY: "carvelflux"})
}

/// Adds labels to a manifest: those that an earlier run of the plugin gave the live object, then `labels`.
///
/// Without the earlier ones, a server-side apply would take them away, and with them the shard that reconciles the object.
pub fn add(manifest: &mut Value, live: Option<&DynamicObject>, labels: &[(String, String)]) {
    let earlier = live.into_iter().flat_map(applied);
    for (key, value) in earlier.chain(labels.iter().cloned()) {
        manifest["metadata"]["labels"][key] = json!(value);
    }
}

/// Returns the labels of an object that the plugin has applied, by the API server's own records.
fn applied(live: &DynamicObject) -> Vec<(String, String)> {
    let entries = live.metadata.managed_fields.as_deref().unwrap_or_default();
    let ours = entries.iter().filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let keys: Vec<&str> = ours
        .filter_map(|entry| entry.fields_v1.as_ref()?.0.pointer("/f:metadata/f:labels")?.as_object())
        .flat_map(|fields| fields.keys().filter_map(|key| key.strip_prefix("f:")))
        .collect();
    let labels = live.labels().iter().filter(|(key, _)| keys.contains(&key.as_str()) && *key != MANAGED_BY);
    labels.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Tells whether an object is one that only this plugin owns.
#[must_use]
pub fn is_managed(object: &impl ResourceExt) -> bool {
    object.labels().get(MANAGED_BY).is_some_and(|manager| manager == FIELD_MANAGER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_earlier_runs_stay_and_others_are_not_taken_over() {
        let live: DynamicObject = serde_json::from_value(json!({
            "metadata": {
                "name": "k",
                "labels": {"a": "ours", "b": "theirs", "c": "ours", MANAGED_BY: "carvelflux"},
                "managedFields": [
                    {"manager": FIELD_MANAGER, "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}, "f:c": {}}}}},
                    {"manager": "somebody", "fieldsV1": {"f:metadata": {"f:labels": {"f:b": {}}}}},
                ],
            },
        }))
        .expect("the fixture is an object");
        let mut manifest = json!({"metadata": {"name": "k", "labels": managed()}});
        add(&mut manifest, Some(&live), &[("c".to_owned(), "new".to_owned())]);
        assert_eq!(manifest["metadata"]["labels"], json!({MANAGED_BY: "carvelflux", "a": "ours", "c": "new"}));
    }
}
