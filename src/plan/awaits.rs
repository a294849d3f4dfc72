//! When what a plan waits for holds: pure judgements over objects that were read.
//!
//! Who reads them, how often and for how long lives in [`super::execute`].

use jiff::Timestamp;
use kube::api::DynamicObject;
use kube::{Resource as _, ResourceExt};
use serde_json::Value;

use super::steps::{AwaitedDeletion, CredentialInUse};
use crate::conditions::{Condition, find};
use crate::error::{Error, ErrorKind};
use crate::flux::{Kustomization, RECONCILE_REQUESTED_AT};
use crate::object::ObjectReference;
use crate::observe::expectation::Expectation;
use crate::observe::kustomization::{Applied, judge};
use crate::observe::{Cause, Failure, Stage, Verdict};
use crate::ui::text::headline;

/// What a reconciliation says about the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It got through to the run cluster.
    Seen,
    /// It stopped before it got that far, for this reason. The next one reads the Secret again: none keeps the old credential.
    NotYet(String),
    /// The Kustomization was deleted meanwhile.
    Gone,
}

impl CredentialInUse {
    /// Finds in a Kustomization the answer to a request: whether it got through to the run cluster, or why it never will.
    ///
    /// That applying, pruning or a health check fails for another reason does not matter: Flux reads the Secret with every
    /// reconciliation (fluxcd/pkg `runtime/client/impersonator.go`), so that this one authenticated with the new credential.
    pub(super) fn judge(kustomization: &DynamicObject, request: &str) -> Option<Result<Use, Failure>> {
        let newest = kustomization.annotations().get(RECONCILE_REQUESTED_AT).cloned();
        let kustomization: Kustomization = kustomization.clone().try_parse().ok()?;
        let status = kustomization.status.clone().unwrap_or_default();
        let handled = status.last_handled_reconcile_at.as_deref()?;
        // Somebody else's later request overwrites ours; its answer is as good.
        if handled != request && Some(handled) != newest.as_deref() {
            return None;
        }
        let ready = find(&status.conditions, "Ready");
        if let Some(ready) = ready.filter(|ready| ready.is_false() && stops_before_the_run_cluster(&ready.reason)) {
            return Some(Ok(Use::NotYet(format!("{}: {}", ready.reason, ready.message.trim()))));
        }
        let mut expectation = Expectation::default();
        expectation.saw(&status.last_attempted_revision);
        match judge(Some(&kustomization), &kustomization.name_any(), Stage::Install, &expectation) {
            Applied::Not(Verdict::Failed(failure)) if keeps_flux_out(failure.cause) => Some(Err(failure)),
            Applied::Yes(_) | Applied::Checking(_) | Applied::Not(Verdict::Failed(_)) => Some(Ok(Use::Seen)),
            Applied::Not(_) => None,
        }
    }

    /// Says why Flux cannot use the credential.
    pub(super) fn unusable(failure: Failure) -> Error {
        Error::new(format!("Flux cannot use the new credential: {}", failure.object))
            .because(failure.message)
            .hint(failure.hint)
    }

    /// Says that there was no answer in time but failures that may pass, of which `last` is the last one.
    pub(super) fn overdue(kustomization: &ObjectReference, last: Option<Failure>) -> Error {
        if let Some(failure) = last {
            return Self::unusable(failure);
        }
        Error::of_kind(ErrorKind::Timeout, format!("{} has not reconciled in time", kustomization.display()))
            .because("Flux has not answered the request, or still waits for what it applied to become healthy")
            .hint("is kustomize-controller running? kubectl -n flux-system get pods; or allow more time with --timeout")
    }
}

/// Tells whether Flux ends with this reason before its first request to the run cluster, mostly even before it reads the
/// kubeconfig (kustomize-controller v1.9.3, `internal/controller/kustomization_controller.go`, `Reconcile`, `reconcile`).
fn stops_before_the_run_cluster(reason: &str) -> bool {
    !matches!(reason, "ReconciliationFailed" | "PruneFailed" | "HealthCheckFailed" | "HealthCheckCanceled")
}

/// Tells whether a failure keeps Flux from reaching the run cluster at all, or from authenticating to it.
fn keeps_flux_out(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::NoCredential | Cause::CredentialRefused | Cause::CertificateRefused | Cause::RunClusterUnreachable
    )
}

/// Tells whether a PackageInstall may be deleted without its application, from the PackageInstall and its App.
///
/// kapp-controller copies the field to the App with each reconcile, and once more before it deletes the App
/// (`packageinstall.go`, `reconcileDelete`, v0.53.1); so an install that cannot be reconciled needs no waiting.
pub(super) fn is_noop_delete_copied(install: Option<&DynamicObject>, app: Option<&DynamicObject>) -> bool {
    let (Some(install), Some(app)) = (install, app) else { return true };
    app.data.pointer("/spec/noopDelete") == Some(&Value::Bool(true)) || is_refused(install)
}

/// Tells whether kapp-controller has seen the field and could not reconcile the PackageInstall.
fn is_refused(install: &DynamicObject) -> bool {
    let status = &install.data["status"];
    let conditions: Vec<Condition> = serde_json::from_value(status["conditions"].clone()).unwrap_or_default();
    status["observedGeneration"].as_i64() == install.meta().generation
        && find(&conditions, "ReconcileFailed").is_some_and(Condition::is_true)
}

/// An object that is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remaining {
    /// Which one, and where.
    pub(super) object: String,
    /// Since when it is marked for deletion; `None` where nobody has deleted it yet.
    pub(super) since: Option<Timestamp>,
    /// Who holds it, and its controller's message; or why it could not be read.
    pub(super) messages: Vec<String>,
}

impl AwaitedDeletion {
    /// Judges what has the object's name now: `None` where the object is gone, and be it that another one has its name.
    ///
    /// `object` names it in messages, with where it is.
    pub(super) fn judge(&self, object: String, found: Option<&DynamicObject>) -> Option<Remaining> {
        let found = found.filter(|found| found.metadata.uid.as_ref() == Some(&self.uid))?;
        let since = found.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        let mut messages = Vec::new();
        if since.is_some() && !found.finalizers().is_empty() {
            messages.push(format!("held by {}", found.finalizers().join(", ")));
        }
        messages.extend(controllers_message(found));
        Some(Remaining { object, since, messages })
    }
}

impl Remaining {
    /// Says what is still there, since when, who holds it, and its controller's message.
    pub(super) fn line(&self) -> String {
        let state = match self.since {
            Some(since) => format!("marked for deletion at {since:.0}"),
            None => "not marked for deletion yet".to_owned(),
        };
        let messages = std::iter::once(state).chain(self.messages.iter().cloned()).collect::<Vec<_>>().join("; ");
        format!("{} is still there: {messages}", self.object)
    }

    /// Says that the deletion has taken too long.
    pub(super) fn overdue(remaining: &[Self]) -> Error {
        let error = Error::of_kind(ErrorKind::Timeout, "deletion timed out");
        remaining.iter().fold(error, |error, object| error.because(object.line()))
    }
}

/// Returns what the controller says about a deletion: the tool's message, else that of the condition.
///
/// A Kustomization has none: its conditions are about what was before.
fn controllers_message(object: &DynamicObject) -> Option<String> {
    let status = object.data.get("status")?;
    let useful = status.get("usefulErrorMessage").and_then(Value::as_str).unwrap_or_default();
    if !useful.is_empty() {
        return Some(headline(useful));
    }
    let conditions: Vec<Condition> = serde_json::from_value(status.get("conditions")?.clone()).ok()?;
    let is_about_deletion = |condition: &&Condition| {
        matches!(condition.r#type.as_str(), "Deleting" | "DeleteFailed" | "ReconcileFailed") && condition.is_true()
    };
    let condition = conditions.iter().find(is_about_deletion)?;
    let message = headline(&condition.message);
    Some(if message.is_empty() { condition.r#type.clone() } else { format!("{}: {message}", condition.r#type) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flux::kustomization_resource;
    use crate::plan::steps::Place;
    use crate::ui::errors::assert_printed;
    use serde_json::json;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).expect("the fixture is an object")
    }

    fn kustomization(requested: &str, handled: &str, reason: &str, message: &str) -> DynamicObject {
        let status = if reason == "ReconciliationSucceeded" { "True" } else { "False" };
        object(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {
                "name": "k", "namespace": "dev", "generation": 1,
                "annotations": {RECONCILE_REQUESTED_AT: requested},
            },
            "spec": {"path": "./p", "kubeConfig": {"secretRef": {"name": "prod1-kubeconfig"}}},
            "status": {
                "conditions": [{
                    "type": "Ready", "status": status, "reason": reason, "message": message, "observedGeneration": 1,
                }],
                "lastAttemptedRevision": "main@sha1:a", "lastAppliedRevision": "main@sha1:a",
                "lastHandledReconcileAt": handled,
            },
        }))
    }

    #[test]
    fn only_an_answer_to_this_request_or_a_later_one_counts() {
        let judged = |requested, handled| {
            CredentialInUse::judge(&kustomization(requested, handled, "ReconciliationSucceeded", ""), "2")
        };
        assert_eq!(judged("2", "1"), None);
        assert_eq!(judged("2", "2"), Some(Ok(Use::Seen)));
        assert_eq!(judged("3", "3"), Some(Ok(Use::Seen)));
        assert_eq!(judged("3", "2"), Some(Ok(Use::Seen)));
    }

    #[test]
    fn what_stops_before_the_run_cluster_shows_no_use() {
        for reason in ["ArtifactFailed", "BuildFailed", "DependencyNotReady", "AccessDenied"] {
            let answered = CredentialInUse::judge(&kustomization("2", "2", reason, "words"), "2");
            assert_eq!(answered, Some(Ok(Use::NotYet(format!("{reason}: words")))));
            assert_eq!(CredentialInUse::judge(&kustomization("2", "1", reason, "words"), "2"), None);
        }
    }

    #[test]
    fn only_a_failure_to_authenticate_or_to_connect_counts() {
        let failed = |reason, message| CredentialInUse::judge(&kustomization("2", "2", reason, message), "2");
        let refused = failed("ReconciliationFailed", "the server has asked for the client to provide credentials");
        assert!(matches!(refused, Some(Err(Failure { cause: Cause::CredentialRefused, .. }))), "{refused:?}");
        assert!(matches!(failed("ReconciliationFailed", "dial tcp 10.0.0.1:1: i/o timeout"), Some(Err(_))));
        assert_eq!(failed("HealthCheckFailed", "timeout"), Some(Ok(Use::Seen)));
    }

    #[test]
    fn an_app_that_has_the_field_or_never_will_ends_the_wait() {
        let install = |generation: i64, observed: i64, condition: &str| {
            object(json!({
                "metadata": {"name": "hello", "generation": generation},
                "status": {"observedGeneration": observed, "conditions": [{"type": condition, "status": "True"}]},
            }))
        };
        let app = |spec: Value| object(json!({"metadata": {"name": "hello"}, "spec": spec}));
        let without = app(json!({}));
        let is_copied = |install: &DynamicObject, app: &DynamicObject| is_noop_delete_copied(Some(install), Some(app));
        assert!(is_copied(&install(2, 2, "ReconcileFailed"), &without));
        assert!(!is_copied(&install(2, 1, "ReconcileFailed"), &without));
        assert!(!is_copied(&install(2, 2, "Reconciling"), &without));
        assert!(is_copied(&install(2, 1, "Reconciling"), &app(json!({"noopDelete": true}))));
        assert!(!is_copied(&install(2, 1, "Reconciling"), &app(json!({"noopDelete": false}))));
        assert!(is_noop_delete_copied(None, Some(&without)) && is_noop_delete_copied(Some(&without), None));
    }

    fn judged(found: Option<Value>) -> Option<Remaining> {
        let awaited = AwaitedDeletion {
            place: Place::Run,
            reference: ObjectReference::namespaced(&kustomization_resource("v1"), "dev", "hello"),
            uid: "1".to_owned(),
            note: None,
        };
        awaited.judge("it".to_owned(), found.map(object).as_ref())
    }

    #[test]
    fn an_object_is_gone_once_its_uid_is() {
        assert_eq!(judged(None), None);
        assert_eq!(judged(Some(json!({"metadata": {"name": "hello", "uid": "2"}}))), None);
        assert!(judged(Some(json!({"metadata": {"name": "hello", "uid": "1"}}))).is_some());
    }

    #[test]
    fn what_holds_an_object_is_said_with_its_controllers_message() {
        let line = |value| judged(Some(value)).expect("it is there").line();
        let install = json!({
            "metadata": {
                "name": "hello",
                "uid": "1",
                "deletionTimestamp": "2026-11-22T12:00:00Z",
                "finalizers": ["finalizers.packageinstall.packaging.carvel.dev/delete"],
            },
            "status": {
                "conditions": [{"type": "DeleteFailed", "status": "True", "message": "see usefulErrorMessage"}],
                "usefulErrorMessage": "kapp: Error:\n  deployments.apps is forbidden",
            },
        });
        assert_eq!(
            line(install),
            "it is still there: marked for deletion at 2026-11-22T12:00:00Z; held by \
             finalizers.packageinstall.packaging.carvel.dev/delete; kapp: Error: deployments.apps is forbidden"
        );
        let kustomization = json!({
            "metadata": {"name": "hello", "uid": "1"},
            "status": {"conditions": [{"type": "Ready", "status": "False", "message": "of before"}]},
        });
        assert_eq!(line(kustomization), "it is still there: not marked for deletion yet");
    }

    #[test]
    fn a_deletion_that_takes_too_long_names_what_remains() {
        let remaining = |object: &str, messages: &[&str]| Remaining {
            object: object.to_owned(),
            since: None,
            messages: messages.iter().map(|message| (*message).to_owned()).collect(),
        };
        let error = Remaining::overdue(&[
            remaining("Kustomization dev/hello-prod1-packages on the build cluster", &[]),
            remaining("PackageInstall web/hello on the run cluster `prod1`", &["held by finalizers.example/app"]),
        ]);
        assert_printed("deletion_timed_out", &error);
    }
}
