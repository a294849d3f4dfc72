//! What a schema says of one value, in words for people. Pure.

use serde_json::Value;

use super::scalar::{Scalar, plain};
use crate::carvel::schema::{Kind, Schema};

/// Names the type, as a table shows it.
#[must_use]
pub fn type_name(schema: &Schema) -> String {
    let name = match &schema.kind {
        Kind::Any => return "any".to_owned(),
        Kind::Text => "string",
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::List(items) => &format!("list of {}", type_name(items)),
        Kind::Mapping { .. } => "mapping",
    };
    if schema.is_nullable { format!("{name} or null") } else { name.to_owned() }
}

/// Says what else holds for the value, a few words each.
#[must_use]
pub fn limits(schema: &Schema) -> Vec<String> {
    let limits = &schema.limits;
    let unit = match &schema.kind {
        Kind::List(_) => "items",
        Kind::Mapping { .. } => "keys",
        _ => "bytes",
    };
    let mut words = Vec::new();
    match (limits.shortest, limits.longest) {
        (Some(1), None) if matches!(schema.kind, Kind::Text) => words.push("not empty".to_owned()),
        (Some(shortest), Some(longest)) => words.push(format!("{shortest} to {longest} {unit}")),
        (Some(shortest), None) => words.push(format!("at least {shortest} {unit}")),
        (None, Some(longest)) => words.push(format!("at most {longest} {unit}")),
        (None, None) => {}
    }
    match (&limits.minimum, &limits.maximum) {
        (Some(minimum), Some(maximum)) => words.push(format!("{minimum} to {maximum}")),
        (Some(minimum), None) => words.push(format!("at least {minimum}")),
        (None, Some(maximum)) => words.push(format!("at most {maximum}")),
        (None, None) => {}
    }
    if let Some(allowed) = &limits.allowed {
        words.push(format!("one of {}", allowed.iter().map(in_one_line).collect::<Vec<_>>().join(", ")));
    }
    words
}

/// Writes a value of a schema in one line: text as it is, unless it would read as something else.
#[must_use]
pub fn in_one_line(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && text.trim() == text => match plain(text) {
            Scalar::Text => text.clone(),
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}
