//! How objects are named: by kind, namespace and name. Pure.

use kube::api::ApiResource;
use kube::core::GroupVersionKind;
use serde_json::Value;

use crate::error::{Error, Result};

/// Names one object on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectReference {
    /// The kind.
    pub resource: ApiResource,
    /// The namespace; `None` for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectReference {
    /// Names a Secret.
    #[must_use]
    pub fn secret(namespace: &str, name: &str) -> Self {
        Self {
            resource: api_resource("", "v1", "Secret"),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        }
    }

    /// Names an object of a kind in a namespace.
    #[must_use]
    pub fn namespaced(resource: &ApiResource, namespace: &str, name: &str) -> Self {
        Self { resource: resource.clone(), namespace: Some(namespace.to_owned()), name: name.to_owned() }
    }

    /// Names the object that a manifest describes.
    ///
    /// Fails when the manifest lacks `apiVersion`, `kind` or `metadata.name`, which a builder of this crate never leaves out.
    pub fn of(manifest: &Value) -> Result<Self> {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
        let (Some(api_version), Some(kind), Some(name)) = (text("/apiVersion"), text("/kind"), text("/metadata/name"))
        else {
            return Err(Error::new("a manifest lacks apiVersion, kind or metadata.name"));
        };
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Ok(Self {
            resource: api_resource(group, version, kind),
            namespace: text("/metadata/namespace").map(str::to_owned),
            name: name.to_owned(),
        })
    }

    /// Returns the object as messages name it, such as `Secret dev/prod1-kubeconfig`.
    #[must_use]
    pub fn display(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.resource.kind, self.name),
            None => format!("{} {}", self.resource.kind, self.name),
        }
    }
}

/// Returns the resource of a kind; the plurals of all kinds used here are regular.
#[must_use]
pub fn api_resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}
