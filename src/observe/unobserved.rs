//! Flux objects that no controller has ever looked at: it is stopped, busy, or watches other labels. Pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Cause, Failure, GracePeriod, Stage};
use crate::conditions::Condition;

/// The label that shards a Flux installation (Flux documentation, "Sharding and horizontal scaling").
const SHARD_LABEL: &str = "sharding.fluxcd.io/key";

/// Which kind of object it is, and whose work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// The kind, such as `Kustomization`.
    pub(crate) name: &'static str,
    /// The controller that works on this kind.
    pub(crate) controller: &'static str,
    /// The part of a delivery that it stands for.
    pub(crate) stage: Stage,
}

/// Explains an object that no controller has ever looked at; `None` where one has.
///
/// The first thing that a Flux controller does is to add its finalizer; until it writes a status, the default of the API is
/// an `observedGeneration` of -1 (kustomize-controller `api/v1/kustomization_types.go`, v1.9).
#[must_use]
pub(crate) fn explain(
    kind: Kind,
    metadata: &ObjectMeta,
    conditions: &[Condition],
    observed_generation: Option<i64>,
) -> Option<Failure> {
    let has_finalizer = metadata.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty());
    if has_finalizer || !conditions.is_empty() || observed_generation.unwrap_or(-1) != -1 {
        return None;
    }
    let Kind { name: kind, controller, stage } = kind;
    let made = metadata.creation_timestamp.as_ref().map(|time| format!(", made at {}", time.0)).unwrap_or_default();
    Some(Failure {
        cause: Cause::NotObserved,
        stage,
        object: format!(
            "{kind} {}/{}",
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default()
        ),
        message: format!("{controller} has never looked at it{made}; it has {}", labels(metadata.labels.as_ref())),
        hint: format!(
            "is {controller} running, and does its --watch-label-selector, if it has one, select these labels? kubectl get deployments -A -l app.kubernetes.io/part-of=flux -o yaml | grep -E 'watch-label-selector|{controller}|availableReplicas'; on a sharded installation, name the shard with --label {SHARD_LABEL}=SHARD"
        ),
        grace_period: GracePeriod::Turn,
        attempt: None,
    })
}

/// Names the labels that decide which controller looks at an object.
fn labels(labels: Option<&BTreeMap<String, String>>) -> String {
    let labels = labels.cloned().unwrap_or_default();
    let all: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let all = if all.is_empty() { "no labels".to_owned() } else { format!("the labels {}", all.join(", ")) };
    match labels.get(SHARD_LABEL) {
        Some(shard) => format!("{all}, so that only the controller of shard {shard} looks at it"),
        None => format!("{all}, so that a controller of a shard does not look at it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KIND: Kind = Kind { name: "Kustomization", controller: "kustomize-controller", stage: Stage::Install };

    fn metadata(value: &serde_json::Value) -> ObjectMeta {
        serde_json::from_value(value.clone()).expect("the fixture is metadata")
    }

    #[test]
    fn an_object_without_any_trace_of_a_controller_is_explained_with_its_labels() {
        let object = metadata(&json!({
            "name": "k", "namespace": "dev", "creationTimestamp": "2026-11-22T12:00:00Z",
            "labels": {"sharding.fluxcd.io/key": "shard9"},
        }));
        let failure = explain(KIND, &object, &[], Some(-1)).expect("nobody has looked at it");
        assert_eq!((failure.cause, failure.object.as_str()), (Cause::NotObserved, "Kustomization dev/k"));
        assert!(failure.message.contains("2026-11-22T12:00:00Z"), "{}", failure.message);
        assert!(failure.message.ends_with("only the controller of shard shard9 looks at it"), "{}", failure.message);
        assert!(failure.hint.contains("--watch-label-selector"), "{}", failure.hint);
    }

    #[test]
    fn a_finalizer_a_condition_or_a_generation_shows_a_controller() {
        let plain = metadata(&json!({"name": "k"}));
        assert!(explain(KIND, &plain, &[], None).is_some());
        assert!(explain(KIND, &plain, &[Condition::default()], Some(-1)).is_none());
        assert!(explain(KIND, &plain, &[], Some(1)).is_none());
        let finalized = metadata(&json!({"name": "k", "finalizers": ["finalizers.fluxcd.io"]}));
        assert!(explain(KIND, &finalized, &[], None).is_none());
    }
}
