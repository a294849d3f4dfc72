//! Kubeconfigs that differ from another in one field.

use serde_json::{Value, json};

/// Makes one kubeconfig for each field, at any depth, and each change: it is missing, or holds something else.
pub(crate) fn changes(text: &str) -> Vec<String> {
    let document: Value = serde_yaml::from_str(text).unwrap();
    let mut pointers = Vec::new();
    collect(&document, "", &mut pointers);
    let others =
        [json!(null), json!(true), json!(12), json!(""), json!("other"), json!([]), json!(["other"]), json!({})];
    let mut changed = Vec::new();
    for pointer in &pointers {
        for other in &others {
            let mut copy = document.clone();
            *copy.pointer_mut(pointer).unwrap() = other.clone();
            changed.push(copy.to_string());
        }
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let mut copy = document.clone();
        match copy.pointer_mut(parent).unwrap() {
            Value::Object(fields) => drop(fields.remove(key)),
            Value::Array(elements) => drop(elements.remove(key.parse().unwrap())),
            _ => continue,
        }
        changed.push(copy.to_string());
    }
    changed
}

/// Finds everything below a value, as JSON pointers.
fn collect(value: &Value, at: &str, pointers: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (format!("{at}/{key}"), value)).collect(),
        Value::Array(elements) => {
            elements.iter().enumerate().map(|(index, value)| (format!("{at}/{index}"), value)).collect()
        }
        _ => Vec::new(),
    };
    for (pointer, value) in below {
        collect(value, &pointer, pointers);
        pointers.push(pointer);
    }
}
