//! The verdict on a Kustomization: has it applied a revision that counts? Pure.
//!
//! Whether what it applied is healthy is not asked here: Flux cannot tell for a PackageInstall.

mod explain;

use kube::ResourceExt;

pub(super) use self::explain::{explain, renewal, untrusted_identity};
use super::expectation::{Expectation, short_revision};
use super::unobserved::{self, Kind};
use super::{Cause, Failure, GracePeriod, Stage, Verdict};
use crate::conditions::find;
use crate::flux::Kustomization;
use crate::invocation::PROGRAM;

/// What a Kustomization says about the expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It has applied this revision, which counts.
    Yes(String),
    /// It has applied this one, and Flux still waits for what it applied to become healthy.
    Checking(String),
    /// Not yet, or not by itself.
    Not(Verdict),
}

/// Judges a Kustomization.
///
/// A revision is applied when `lastAppliedRevision` says so, or when it was attempted and the outcome at this generation
/// is a health check's: then the apply before it succeeded (kustomize-controller `kustomization_controller.go`, v1.9).
#[must_use]
pub fn judge(object: Option<&Kustomization>, name: &str, stage: Stage, expectation: &Expectation) -> Applied {
    let Some(object) = object else {
        return Applied::Not(Verdict::Failed(Failure {
            cause: Cause::NotApplied,
            stage,
            object: format!("Kustomization {name}"),
            message: "it does not exist: the delivery was only half made, or half removed".to_owned(),
            hint: format!("complete it with the same {PROGRAM} add-cluster command again"),
            grace_period: GracePeriod::Short,
            attempt: None,
        }));
    };
    let display = format!("Kustomization {}/{}", object.namespace().unwrap_or_default(), object.name_any());
    if object.metadata.deletion_timestamp.is_some() {
        return Applied::Not(Verdict::pending(
            stage,
            format!("{display} is being deleted, and what it applied with it"),
        ));
    }
    let status = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation;
    let ready = find(&status.conditions, "Ready").filter(|ready| ready.observed_generation == generation);
    let attempted = expectation.accepts(&status.last_attempted_revision);
    let applied = expectation.accepts(&status.last_applied_revision);
    if let Some(ready) = ready {
        // Flux writes conditions first and the rest in a second request (fluxcd/pkg `runtime/patch/patch.go`, v0.110): in
        // between, only the attempt tells that an old success does not speak of a revision that was applied long ago.
        if ready.is_true() && applied && status.last_attempted_revision == status.last_applied_revision {
            return Applied::Yes(status.last_applied_revision);
        }
        if ready.is_false() && attempted && matches!(ready.reason.as_str(), "HealthCheckFailed" | "HealthCheckCanceled")
        {
            return Applied::Yes(status.last_attempted_revision);
        }
    }
    let newest = short_revision(expectation.newest().unwrap_or("the expected revision"));
    if let Some(failure) = not_reconciled(object, stage, &format!("has not applied {newest}")) {
        return Applied::Not(Verdict::Failed(failure));
    }
    match ready {
        // It tries again by itself as soon as what it depends on is ready; `dependencies` looks at that.
        Some(ready) if ready.is_false() && ready.reason == "DependencyNotReady" => {
            Applied::Not(Verdict::pending(stage, ready.message.trim()))
        }
        // A missing source or path, or a refused one, fails before any revision is attempted.
        Some(ready) if ready.is_false() && (attempted || fails_before_attempt(&ready.reason)) => {
            let (cause, grace_period, hint) = explain(ready, object);
            Applied::Not(Verdict::Failed(Failure {
                cause,
                stage,
                object: display,
                message: ready.message.trim().to_owned(),
                hint,
                grace_period,
                attempt: None,
            }))
        }
        _ if attempted => match find(&status.conditions, "Reconciling") {
            Some(reconciling)
                if reconciling.observed_generation == generation
                    && checks_health_of(&reconciling.message, &status.last_attempted_revision) =>
            {
                Applied::Checking(status.last_attempted_revision)
            }
            Some(reconciling) => Applied::Not(Verdict::pending(stage, &reconciling.message)),
            None => Applied::Not(Verdict::pending(stage, "applying")),
        },
        _ => Applied::Not(Verdict::pending(stage, format!("waiting for Flux to apply {newest}"))),
    }
}

/// Explains a Kustomization that Flux does not reconcile: it is suspended, which `consequence` says more of, or no controller
/// has ever looked at it.
pub(crate) fn not_reconciled(object: &Kustomization, stage: Stage, consequence: &str) -> Option<Failure> {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    if object.spec.suspend {
        return Some(Failure {
            cause: Cause::Suspended,
            stage,
            object: format!("Kustomization {namespace}/{name}"),
            message: format!("it is suspended, and {consequence}"),
            hint: format!("flux resume kustomization {name} -n {namespace}"),
            grace_period: GracePeriod::None,
            attempt: None,
        });
    }
    let status = object.status.clone().unwrap_or_default();
    let kind = Kind { name: "Kustomization", controller: "kustomize-controller", stage };
    unobserved::explain(kind, &object.metadata, &status.conditions, status.observed_generation)
}

/// Tells whether Flux fails for this reason before it attempts a revision.
pub(super) fn fails_before_attempt(reason: &str) -> bool {
    matches!(reason, "ArtifactFailed" | "AccessDenied" | "InvalidCELExpression" | "FeatureGateDisabled")
}

/// Recognises the message that kustomize-controller writes between applying and the health checks (v1.9,
/// `kustomization_controller.go`, `checkHealth`).
fn checks_health_of(message: &str, revision: &str) -> bool {
    message.starts_with(&format!("Running health checks for revision {revision} "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn kustomization(spec: &Value, ready: &Value, attempted: &str, applied: &str) -> Kustomization {
        serde_json::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "k", "namespace": "dev", "generation": 2},
            "spec": spec,
            "status": {"conditions": [ready], "lastAttemptedRevision": attempted, "lastAppliedRevision": applied},
        }))
        .expect("the fixture is a Kustomization")
    }

    fn ready(status: &str, reason: &str, generation: i64) -> Value {
        json!({"type": "Ready", "status": status, "reason": reason, "message": "words", "observedGeneration": generation})
    }

    fn judged(object: &Kustomization) -> Applied {
        let mut expectation = Expectation::after_request(None);
        expectation.saw("main@sha1:b");
        judge(Some(object), "dev/k", Stage::Install, &expectation)
    }

    #[test]
    fn an_older_revision_is_pending_though_flux_says_ready() {
        let object =
            kustomization(&json!({}), &ready("True", "ReconciliationSucceeded", 2), "main@sha1:a", "main@sha1:a");
        assert!(matches!(judged(&object), Applied::Not(Verdict::Pending { .. })));
    }

    #[test]
    fn an_older_generation_is_pending() {
        let object =
            kustomization(&json!({}), &ready("True", "ReconciliationSucceeded", 1), "main@sha1:b", "main@sha1:b");
        assert!(matches!(judged(&object), Applied::Not(Verdict::Pending { .. })));
    }

    #[test]
    fn a_failed_health_check_means_applied() {
        let object = kustomization(&json!({}), &ready("False", "HealthCheckFailed", 2), "main@sha1:b", "main@sha1:a");
        assert_eq!(judged(&object), Applied::Yes("main@sha1:b".to_owned()));
    }

    #[test]
    fn a_build_error_of_an_older_revision_is_not_ours() {
        let object = kustomization(&json!({}), &ready("False", "BuildFailed", 2), "main@sha1:a", "");
        assert!(matches!(judged(&object), Applied::Not(Verdict::Pending { .. })));
    }

    #[test]
    fn one_that_waits_for_another_is_pending() {
        let object = kustomization(&json!({}), &ready("False", "DependencyNotReady", 2), "main@sha1:b", "main@sha1:b");
        assert!(matches!(judged(&object), Applied::Not(Verdict::Pending { why, .. }) if why == "words"));
    }

    #[test]
    fn one_that_is_being_deleted_is_pending_though_flux_says_ready() {
        let mut object =
            kustomization(&json!({}), &ready("True", "ReconciliationSucceeded", 2), "main@sha1:b", "main@sha1:b");
        object.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-22T12:00:00Z")).expect("a time");
        assert!(matches!(judged(&object), Applied::Not(Verdict::Pending { .. })));
    }

    #[test]
    fn a_missing_directory_fails_though_nothing_was_attempted() {
        let object = kustomization(&json!({}), &ready("False", "ArtifactFailed", 2), "main@sha1:a", "main@sha1:a");
        assert!(matches!(judged(&object), Applied::Not(Verdict::Failed(_))));
    }

    #[test]
    fn a_suspended_kustomization_fails_only_with_a_new_revision() {
        let old = kustomization(&json!({"suspend": true}), &ready("True", "", 2), "main@sha1:a", "main@sha1:a");
        assert!(matches!(judged(&old), Applied::Not(Verdict::Failed(Failure { cause: Cause::Suspended, .. }))));
        let current = kustomization(&json!({"suspend": true}), &ready("True", "", 2), "main@sha1:b", "main@sha1:b");
        assert_eq!(judged(&current), Applied::Yes("main@sha1:b".to_owned()));
    }
}
