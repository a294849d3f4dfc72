//! Kubernetes objects of the kinds that deliveries consist of, as they are read: only what is looked at.
//!
//! The kinds themselves live in [`crate::flux`] and [`crate::carvel`]; anything else is a [`kube::api::DynamicObject`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::api::ApiResource;
use kube::core::{DynamicResourceScope, ObjectMeta};
use serde::{Deserialize, Deserializer, Serialize};

/// An object with a spec and a status, and metadata without `managedFields` and `ownerReferences`.
///
/// [`kube::core::Object`] keeps all metadata. The managed fields are more than half of such an object, and as parsed JSON
/// many times their text: 13 MB of a wait's peak on 1,000 deliveries were nothing else.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Object<Spec, Status> {
    /// Name, namespace and the like.
    #[serde(deserialize_with = "metadata_in_use")]
    pub metadata: ObjectMeta,
    /// What is wanted.
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

fn metadata_in_use<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
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
