//! How single fields of an object that exists are changed, and how objects are found by their labels.

use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use serde_json::Value;

use super::{Cluster, FIELD_MANAGER};
use crate::error::Result;
use crate::object::ObjectReference;

impl Cluster {
    /// Changes the fields that `patch` names, and nothing else, whoever manages them.
    ///
    /// For objects that are applied by somebody else or by another command: a server-side apply would take all fields away
    /// that this field manager applied before and the patch does not name.
    pub async fn merge(&self, reference: &ObjectReference, patch: &Value, dry_run: bool) -> Result<DynamicObject> {
        let parameters =
            PatchParams { dry_run, field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let what = format!("cannot change {}", reference.display());
        self.patch(reference, &what, &parameters, &Patch::Merge(patch)).await
    }

    /// Lists the metadata of the objects of a kind in a namespace that carry labels, and nothing of their content.
    pub async fn list_labelled(
        &self,
        resource: &ApiResource,
        namespace: &str,
        labels: &str,
    ) -> Result<Vec<PartialObjectMeta<DynamicObject>>> {
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, resource);
        let what = format!("cannot list {} in namespace {namespace}", resource.plural);
        let mut found = self.call(&what, api.list_metadata(&ListParams::default().labels(labels))).await?.items;
        // kapp-controller's API server adds the Packages of its global namespace to every list.
        found.retain(|object| object.metadata.namespace.as_deref() == Some(namespace));
        Ok(found)
    }
}
