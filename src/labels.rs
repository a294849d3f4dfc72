//! The labels and annotations the plugin writes. Nothing it reads may depend on them alone: deliveries made by hand
//! after the guide have none.

use serde_json::{Value, json};

/// The UID of the cluster a kubeconfig Secret points at: that of its namespace `kube-system`.
pub const RUN_CLUSTER_UID: &str = "carvelflux.dev/run-cluster-uid";

/// The namespace of the deployer's ServiceAccount on the run cluster, written on the kubeconfig Secret.
pub const DEPLOYER_NAMESPACE: &str = "carvelflux.dev/deployer-namespace";

/// How Flux authenticates on the run cluster, written on the kubeconfig Secret or on the ConfigMap of a workload identity;
/// [`crate::authentication::Method`] has the values.
pub const AUTHENTICATION: &str = "carvelflux.dev/authentication";

/// The UID of the build cluster that an object on a run cluster belongs to.
pub const BUILD_CLUSTER_UID: &str = "carvelflux.dev/build-cluster-uid";

/// The namespace on the build cluster that an object on a run cluster belongs to.
pub const BUILD_NAMESPACE: &str = "carvelflux.dev/build-namespace";

/// Returns the labels of an object that only this plugin owns.
#[must_use]
pub fn managed() -> Value {
    json!({"app.kubernetes.io/managed-by": "carvelflux"})
}
