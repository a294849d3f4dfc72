//! How a refused server-side apply is explained: who manages which field. Pure.

use std::collections::BTreeMap;

use kube::core::Status;

/// Says which other managers hold which fields; `None` where the conflict is of another kind.
///
/// The causes are those of k8s.io/apimachinery `managedfields/internal/conflict.go` (`NewConflictError`):
/// `conflict with "kubectl-client-side-apply" using v1`, and the field as `.spec.interval`.
pub(super) fn conflict(status: &Status) -> Option<String> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut managers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for cause in causes.filter(|cause| cause.reason == "FieldManagerConflict") {
        let manager = cause.message.split('"').nth(1).unwrap_or("another manager");
        managers.entry(manager).or_default().push(&cause.field);
    }
    let managed: Vec<String> =
        managers.iter().map(|(manager, fields)| format!("`{manager}` manages {}", fields.join(", "))).collect();
    (!managed.is_empty()).then(|| managed.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(causes: &serde_json::Value) -> Status {
        serde_json::from_value(
            json!({"status": "Failure", "reason": "Conflict", "code": 409, "details": {"causes": causes}}),
        )
        .expect("the fixture is a Status")
    }

    #[test]
    fn managers_are_named_with_their_fields() {
        let cause = |manager: &str, field: &str| json!({"reason": "FieldManagerConflict", "message": format!("conflict with \"{manager}\" using v1"), "field": field});
        let refused =
            status(&json!([cause("kubectl", ".spec.path"), cause("flux", ".data.a"), cause("kubectl", ".spec.prune")]));
        assert_eq!(
            conflict(&refused).as_deref(),
            Some("`flux` manages .data.a; `kubectl` manages .spec.path, .spec.prune")
        );
    }

    #[test]
    fn another_conflict_is_not_explained() {
        assert_eq!(conflict(&status(&json!([]))), None);
    }
}
