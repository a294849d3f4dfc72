//! The methods with which Flux authenticates on a run cluster, as they are recorded on the build cluster.
//!
//! The Secret that holds it lives in [`stored`], which addresses accept a token in [`acceptance`]. Which one `add-cluster` is asked for lives in its own `request`; how each is set up in its plan.

pub mod acceptance;
pub mod stored;

use kube::ResourceExt;
use serde_json::{Value, json};

use crate::flux::WATCH_LABEL;
use crate::invocation::PROGRAM;
use crate::labels;
use crate::names;
use crate::object::ObjectReference;
use crate::shell::quoted;

/// How Flux authenticates on a run cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With a token of the deployer that does not expire.
    Token,
    /// With a token of the deployer that expires.
    BoundedToken,
    /// With a kubeconfig that the user gave.
    KubeconfigFile,
    /// With a workload identity, and no stored credential.
    WorkloadIdentity,
    /// With a kubeconfig that was stored without this plugin.
    Unmanaged,
}

impl Method {
    /// The methods that are recorded.
    const RECORDED: [Self; 4] = [Self::Token, Self::BoundedToken, Self::KubeconfigFile, Self::WorkloadIdentity];

    /// Returns the name with which the method is recorded and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::BoundedToken => "bounded-token",
            Self::KubeconfigFile => "kubeconfig-file",
            Self::WorkloadIdentity => "workload-identity",
            Self::Unmanaged => "unmanaged",
        }
    }

    /// Says how the credential in a Secret on the build cluster is replaced by a new one.
    #[must_use]
    pub fn renewal(self, run_cluster: &str, secret: &ObjectReference) -> String {
        let names = format!("{} -n {}", quoted(run_cluster), quoted(secret.namespace.as_deref().unwrap_or_default()));
        match self {
            Self::Token | Self::BoundedToken => format!("store a new one: {PROGRAM} rotate {names}"),
            Self::KubeconfigFile => {
                format!("give a new one: {PROGRAM} add-cluster {names} --kubeconfig-file FILE")
            }
            Self::WorkloadIdentity => {
                "nothing is stored: the tokens of a workload identity renew themselves".to_owned()
            }
            Self::Unmanaged => format!(
                "replace the kubeconfig in {} yourself; with the label {}={} Flux uses it at once",
                secret.display(),
                WATCH_LABEL.0,
                WATCH_LABEL.1
            ),
        }
    }

    /// Reads the method from the Secret with the kubeconfig, or from the ConfigMap of a workload identity.
    ///
    /// The first versions of the plugin recorded none, and knew only tokens that do not expire.
    #[must_use]
    pub fn of(object: &impl ResourceExt) -> Self {
        let annotations = object.annotations();
        match annotations.get(labels::AUTHENTICATION) {
            Some(name) => Self::RECORDED.into_iter().find(|method| method.name() == name).unwrap_or(Self::Unmanaged),
            None if annotations.contains_key(labels::DEPLOYER_NAMESPACE) => Self::Token,
            None => Self::Unmanaged,
        }
    }
}

/// Builds the Secret or ConfigMap with which Flux reaches a run cluster, without its data.
#[must_use]
pub fn manifest(kind: &str, namespace: &str, run_cluster: &str, run_cluster_uid: &str, method: Method) -> Value {
    let mut labels = labels::managed();
    labels[WATCH_LABEL.0] = json!(WATCH_LABEL.1);
    json!({
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {
            "name": names::kubeconfig(run_cluster),
            "namespace": namespace,
            "labels": labels,
            "annotations": {labels::RUN_CLUSTER_UID: run_cluster_uid, labels::AUTHENTICATION: method.name()},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(annotations: &serde_json::Value) -> Method {
        let object =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "annotations": annotations}});
        Method::of(&serde_json::from_value::<kube::api::DynamicObject>(object).expect("a Secret"))
    }

    #[test]
    fn secrets_of_older_versions_hold_tokens() {
        assert_eq!(method(&json!({})), Method::Unmanaged);
        assert_eq!(method(&json!({labels::DEPLOYER_NAMESPACE: "apps"})), Method::Token);
    }

    #[test]
    fn only_tokens_are_rotated() {
        let secret = ObjectReference::secret("dev", "prod1-kubeconfig");
        let renewal = |method: Method| method.renewal("prod1", &secret);
        assert!(renewal(Method::BoundedToken).ends_with("kubectl carvelflux rotate prod1 -n dev"));
        assert!(renewal(Method::KubeconfigFile).ends_with("add-cluster prod1 -n dev --kubeconfig-file FILE"));
        assert!(renewal(Method::Unmanaged).starts_with("replace the kubeconfig in Secret dev/prod1-kubeconfig"));
    }

    #[test]
    fn what_is_recorded_is_read() {
        for recorded in Method::RECORDED {
            let annotations = json!({labels::AUTHENTICATION: recorded.name(), labels::DEPLOYER_NAMESPACE: "apps"});
            assert_eq!(method(&annotations), recorded);
        }
    }
}
