//! The ways in which Flux authenticates on a run cluster, as they are recorded on the build cluster.
//!
//! The Secret that holds it lives in [`stored`]. Which one `add-cluster` is asked for lives in its own `authentication`; how each is set up in its plan.

pub mod stored;

use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::labels;

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
    ByHand,
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
            Self::ByHand => "by hand",
        }
    }

    /// Reads the method from the Secret with the kubeconfig, or from the ConfigMap of a workload identity.
    ///
    /// The first versions of the plugin recorded none, and knew only tokens that do not expire.
    #[must_use]
    pub fn of(object: &DynamicObject) -> Self {
        let annotations = object.annotations();
        match annotations.get(labels::AUTHENTICATION) {
            Some(name) => Self::RECORDED.into_iter().find(|method| method.name() == name).unwrap_or(Self::ByHand),
            None if annotations.contains_key(labels::DEPLOYER_NAMESPACE) => Self::Token,
            None => Self::ByHand,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn method(annotations: &serde_json::Value) -> Method {
        let object =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "annotations": annotations}});
        Method::of(&serde_json::from_value(object).expect("a Secret"))
    }

    #[test]
    fn secrets_of_older_versions_hold_tokens() {
        assert_eq!(method(&json!({})), Method::ByHand);
        assert_eq!(method(&json!({labels::DEPLOYER_NAMESPACE: "apps"})), Method::Token);
    }

    #[test]
    fn what_is_recorded_is_read() {
        for recorded in Method::RECORDED {
            let annotations = json!({labels::AUTHENTICATION: recorded.name(), labels::DEPLOYER_NAMESPACE: "apps"});
            assert_eq!(method(&annotations), recorded);
        }
    }
}
