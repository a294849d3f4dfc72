//! What applying a manifest would change, as the API server itself says in a dry run.

use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::error::Result;
use crate::object::ObjectReference;

/// What a step changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: what is there is what is wanted.
    None,
    /// Something new is made.
    Create,
    /// These fields get other values, as paths such as `spec.path`.
    Update(Vec<String>),
}

/// Asks the API server what applying the manifest would change.
pub async fn change_of(cluster: &Cluster, manifest: &Value) -> Result<Change> {
    let live = cluster.get(&ObjectReference::of(manifest)?).await?;
    change_from(cluster, live, manifest).await
}

/// Asks the API server what applying the manifest would change in the live object. It validates and authorizes as for a
/// real write.
pub async fn change_from(cluster: &Cluster, live: Option<DynamicObject>, manifest: &Value) -> Result<Change> {
    let applied = match cluster.apply(manifest, true).await {
        Ok(applied) => applied,
        // The Role that the same plan makes is not there yet, and only what it holds may be bound.
        Err(error) if error.status() == Some(404) && manifest["kind"] == "RoleBinding" => {
            return Ok(if live.is_none() { Change::Create } else { Change::Update(vec!["roleRef".to_owned()]) });
        }
        Err(error) => return Err(error),
    };
    Ok(match live {
        None => Change::Create,
        Some(live) => {
            let mut fields = Vec::new();
            differing(&comparable(&live), &comparable(&applied), "", &mut fields);
            if fields.is_empty() { Change::None } else { Change::Update(fields) }
        }
    })
}

/// Leaves out what the API server writes by itself.
fn comparable(object: &DynamicObject) -> Value {
    let mut value = object.data.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
        fields.insert("labels".to_owned(), serde_json::json!(object.metadata.labels));
        fields.insert("annotations".to_owned(), serde_json::json!(object.metadata.annotations));
    }
    value
}

fn differing(before: &Value, after: &Value, path: &str, fields: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                differing(
                    before.get(key).unwrap_or(&Value::Null),
                    after.get(key).unwrap_or(&Value::Null),
                    &path,
                    fields,
                );
            }
        }
        (before, after) if before == after => {}
        _ => fields.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differing_fields_are_named_by_path() {
        let mut fields = Vec::new();
        let before = json!({"spec": {"path": "./a", "prune": true}, "data": {"x": "1"}});
        let after = json!({"spec": {"path": "./b", "prune": true, "wait": true}, "data": {"x": "1"}});
        differing(&before, &after, "", &mut fields);
        assert_eq!(fields, ["spec.path", "spec.wait"]);
    }
}
