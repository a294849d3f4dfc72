//! Kubernetes objects: how they are named, and what is read of those that deliveries consist of. Pure.
//!
//! The kinds themselves live in [`crate::flux`] and [`crate::carvel`]; how objects are read and written in [`crate::cluster`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::api::ApiResource;
use kube::core::{DynamicResourceScope, GroupVersionKind, ObjectMeta};
use serde::{Deserialize, Deserializer, Serialize};
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

/// An object with a spec and a status, for reading only: it has the metadata that is looked at, and no more.
///
/// [`kube::core::Object`] keeps all of it. The managed fields are more than half of such an object, and as parsed JSON
/// many times their text: 13 MB of a wait's peak on 1,000 deliveries were nothing else.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Object<Spec, Status> {
    /// Name, namespace and the like.
    #[serde(deserialize_with = "metadata_in_use")]
    pub metadata: ObjectMeta,
    /// What is wanted. Not every definition requires it, and one object without it must not hide the others.
    #[serde(default)]
    pub spec: Spec,
    /// What is.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

impl<Spec, Status> Resource for Object<Spec, Status> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The fields of [`ObjectMeta`] that are kept.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MetadataInUse {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
}

fn metadata_in_use<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<ObjectMeta, D::Error> {
    let kept = MetadataInUse::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: kept.name,
        namespace: kept.namespace,
        uid: kept.uid,
        resource_version: kept.resource_version,
        generation: kept.generation,
        creation_timestamp: kept.creation_timestamp,
        deletion_timestamp: kept.deletion_timestamp,
        labels: kept.labels,
        annotations: kept.annotations,
        finalizers: kept.finalizers,
        ..ObjectMeta::default()
    })
}
