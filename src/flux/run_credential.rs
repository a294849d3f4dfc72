//! What a Kustomization or HelmRelease reaches a run cluster with: a Secret with a kubeconfig, or the ConfigMap of a workload identity.

use serde::{Deserialize, Serialize};

use super::git_repository::LocalReference;
use crate::object::{ObjectReference, api_resource};

/// Where the credential for the run cluster is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeConfig {
    /// A Secret with a kubeconfig.
    pub secret_ref: Option<KubeConfigReference>,
    /// A ConfigMap that names a workload identity.
    pub config_map_ref: Option<LocalReference>,
}

/// A kubeconfig in a Secret of the same namespace.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(default)]
pub struct KubeConfigReference {
    /// The name of the Secret.
    pub name: String,
    /// The key; `None` means `value`, then `value.yaml`.
    pub key: Option<String>,
}

impl KubeConfig {
    /// Returns the name of the object of this kind that is named.
    #[must_use]
    pub fn name_in(&self, credential: RunCredential) -> Option<&str> {
        match credential {
            RunCredential::Secret => self.secret_ref.as_ref().map(|secret| secret.name.as_str()),
            RunCredential::ConfigMap => self.config_map_ref.as_ref().map(|config_map| config_map.name.as_str()),
        }
    }
}

/// The kind of object on the build cluster that Flux reaches a run cluster with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunCredential {
    /// A Secret with a kubeconfig.
    Secret,
    /// A ConfigMap that names a workload identity.
    ConfigMap,
}

impl RunCredential {
    /// Returns the field of `spec.kubeConfig` that names the object.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Secret => "secretRef",
            Self::ConfigMap => "configMapRef",
        }
    }

    /// Names the object.
    #[must_use]
    pub fn reference(self, namespace: &str, name: &str) -> ObjectReference {
        let kind = match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        };
        ObjectReference {
            resource: api_resource("", "v1", kind),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        }
    }
}
