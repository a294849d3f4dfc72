//! Applying a manifest; one that is for one version of its object is tried again here.

use std::time::Duration;

use kube::api::DynamicObject;
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::object::ObjectReference;
use crate::plan::executor::Executor;
use crate::waiting::{Look, Waited};

/// The pause before a manifest is applied again that is for one version of its object.
const PAUSE: Duration = Duration::from_millis(500);

impl Executor<'_> {
    /// Applies a manifest, and returns the object.
    ///
    /// What is for one version of an object is not sent again by the client where a server is busy or the connection breaks: it
    /// may have been stored by then, and would be refused as changed by somebody else. So the object is looked at first.
    pub(super) async fn store(self, cluster: &Cluster, manifest: &Value, deadline: Instant) -> Result<DynamicObject> {
        if manifest["metadata"]["resourceVersion"].is_null() {
            return cluster.apply(manifest, false).await;
        }
        let reference = ObjectReference::of(manifest)?;
        let what = format!("{} to be stored on {}", reference.display(), cluster.display());
        let mut is_sent = false;
        let stored = self.until(deadline, PAUSE, &what, async || {
            if is_sent && let Some(stored) = cluster.get(&reference).await?.filter(|stored| is_stored(stored, manifest))
            {
                return Ok(Look::Found(Ok(stored)));
            }
            is_sent = true;
            match cluster.apply(manifest, false).await {
                // The version is another one for good.
                Err(error) if error.status() == Some(409) => Ok(Look::Found(Err(error))),
                applied => applied.map(|applied| Look::Found(Ok(applied))),
            }
        });
        match stored.await? {
            Waited::Found(stored) => stored,
            // In the words of whoever has not stored it.
            Waited::Overdue(Some(error)) => Err(error),
            Waited::Overdue(None) => Err(Error::new(format!("{what} took too long"))),
        }
    }
}

/// Tells whether an object has changed since the version that the manifest is for, and holds all that the manifest says.
fn is_stored(stored: &DynamicObject, manifest: &Value) -> bool {
    let has_changed = stored.metadata.resource_version.as_deref() != manifest["metadata"]["resourceVersion"].as_str();
    let metadata = serde_json::to_value(&stored.metadata).unwrap_or_default();
    has_changed
        && ["annotations", "labels"].iter().all(|field| has_all_of(&metadata[*field], &manifest["metadata"][*field]))
        && manifest.as_object().is_some_and(|fields| {
            let content =
                fields.iter().filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind" | "metadata"));
            content.into_iter().all(|(name, wanted)| has_all_of(&stored.data[name], wanted))
        })
}

/// Tells whether a value has all fields of another with the same values.
fn has_all_of(value: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(fields) => fields.iter().all(|(name, wanted)| has_all_of(&value[name], wanted)),
        wanted => value == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"value.yaml": "ZmFrZQ=="},
            "metadata": {"name": "prod1-kubeconfig", "resourceVersion": "7", "annotations": {"method": "file"}},
        })
    }

    fn stored(change: impl FnOnce(&mut Value)) -> DynamicObject {
        let mut object = manifest();
        object["metadata"]["resourceVersion"] = json!("8");
        object["metadata"]["annotations"]["another"] = json!("stays");
        change(&mut object);
        serde_json::from_value(object).expect("an object")
    }

    #[test]
    fn only_what_holds_all_of_the_manifest_was_stored() {
        assert!(is_stored(&stored(|_| {}), &manifest()));
        assert!(!is_stored(&stored(|object| object["metadata"]["resourceVersion"] = json!("7")), &manifest()));
        assert!(!is_stored(&stored(|object| object["data"]["value.yaml"] = json!("b3RoZXI=")), &manifest()));
        assert!(!is_stored(
            &stored(|object| object["metadata"]["annotations"]["method"] = json!("token")),
            &manifest()
        ));
    }
}
