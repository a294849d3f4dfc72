//! Seeing Flux use what it was just given: every Kustomization that reads it is asked to reconcile, and answers.

use std::time::Duration;

use futures::future::try_join_all;
use kube::ResourceExt;
use kube::api::DynamicObject;
use tokio::time::Instant;

use super::execute::Executor;
use crate::conditions::find;
use crate::error::{Error, ErrorKind, Result};
use crate::flux::{Kustomization, RECONCILE_REQUESTED_AT};
use crate::object::ObjectReference;
use crate::observe::expectation::Expectation;
use crate::observe::kustomization::{Applied, judge};
use crate::observe::{Cause, Failure, Stage, Verdict};
use crate::waiting::{self, Look, Waited};

/// The pause before a Kustomization is asked again whose failure may pass.
const PAUSE: Duration = Duration::from_secs(3);

/// Kustomizations that read a credential which was just stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenByFlux {
    /// The run cluster's short name.
    pub run_cluster: String,
    /// The Kustomizations that work.
    pub kustomizations: Vec<ObjectReference>,
}

/// What a reconciliation says about the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Use {
    /// It got through to the run cluster.
    Seen,
    /// It stopped before it got that far, for this reason. The next one reads the Secret anew: none holds the old credential.
    NotYet(String),
    /// There is nobody to use it any more.
    Gone,
}

impl Executor<'_> {
    /// Waits until each Kustomization has reconciled with the new credential, or stops before it needs any.
    pub(super) async fn see_used(self, used: &SeenByFlux, deadline: Instant) -> Result<()> {
        self.ui.notice(&format!("waiting for Flux to use the new credential for {}", used.run_cluster));
        let answers =
            try_join_all(used.kustomizations.iter().map(|reference| self.see_reconciled(reference, deadline)))
                .await
                .map_err(|error| error.hint("the new credential is stored, and the old one is not revoked"))?;
        for (reference, answer) in used.kustomizations.iter().zip(&answers) {
            if let Use::NotYet(why) = answer {
                self.ui.warning(&format!(
                    "{} is not seen to use the new credential yet: {why}; it reads it with its next try",
                    reference.display()
                ));
            }
        }
        if answers.contains(&Use::Seen) {
            self.ui.done(&format!("Flux uses the new credential for {}", used.run_cluster));
        }
        Ok(())
    }

    async fn see_reconciled(self, reference: &ObjectReference, deadline: Instant) -> Result<Use> {
        let began = Instant::now();
        let mut last: Option<Failure> = None;
        let answer = waiting::until(deadline, PAUSE, async || {
            let token = jiff::Timestamp::now().to_string();
            match self.build.annotate(reference, RECONCILE_REQUESTED_AT, &token).await {
                Ok(()) => {}
                // A Kustomization that was deleted meanwhile uses no credential any more.
                Err(error) if error.status() == Some(404) => return Ok(Look::Found(Ok(Use::Gone))),
                Err(error) => return Err(error),
            }
            let limit = deadline.saturating_duration_since(Instant::now());
            let answer = self.build.wait_for(reference, limit, |object| answer(object, &token)).await;
            let failure = match answer {
                Ok(Ok(answer)) => return Ok(Look::Found(Ok(answer))),
                Ok(Err(failure)) => failure,
                // What it said before says more than that it has not said anything since.
                Err(error) if error.kind() == ErrorKind::Timeout => {
                    return Ok(Look::Found(Err(last.take().map_or_else(|| unanswered(reference), unusable))));
                }
                Err(error) => return Err(error),
            };
            if began.elapsed() >= failure.patience.duration() {
                return Ok(Look::Found(Err(unusable(failure))));
            }
            last = Some(failure);
            Ok(Look::NotYet)
        });
        match answer.await? {
            Waited::Found(answer) => answer,
            Waited::Overdue(Some(error)) => Err(error),
            Waited::Overdue(None) => Err(last.map_or_else(|| unanswered(reference), unusable)),
        }
    }
}

fn unusable(failure: Failure) -> Error {
    Error::new(format!("Flux cannot use the new credential: {}", failure.object))
        .because(failure.message)
        .hint(failure.hint)
}

fn unanswered(reference: &ObjectReference) -> Error {
    Error::of_kind(ErrorKind::Timeout, format!("{} has not reconciled in time", reference.display()))
        .because("Flux has not answered the request, or still waits for what it applied to become healthy")
        .hint("is kustomize-controller running? kubectl -n flux-system get pods; or allow more time with --timeout")
}

/// Finds in a Kustomization the answer to a request: whether it got through to the run cluster. Pure.
///
/// That applying, pruning or a health check fails for another reason does not matter: Flux reads the Secret with every
/// reconciliation (fluxcd/pkg `runtime/client/impersonator.go`), so that this one was let in with the new credential.
fn answer(object: &DynamicObject, token: &str) -> Option<Result<Use, Failure>> {
    let newest = object.annotations().get(RECONCILE_REQUESTED_AT).cloned();
    let kustomization: Kustomization = object.clone().try_parse().ok()?;
    let status = kustomization.status.clone().unwrap_or_default();
    let handled = status.last_handled_reconcile_at.as_deref()?;
    // Somebody else's later request overwrites ours; its answer is as good.
    if handled != token && Some(handled) != newest.as_deref() {
        return None;
    }
    let ready = find(&status.conditions, "Ready");
    if let Some(ready) = ready.filter(|ready| ready.is_false() && stops_before_the_run_cluster(&ready.reason)) {
        return Some(Ok(Use::NotYet(format!("{}: {}", ready.reason, ready.message.trim()))));
    }
    let mut expectation = Expectation::default();
    expectation.saw(&status.last_attempted_revision);
    match judge(Some(&kustomization), &kustomization.name_any(), Stage::Install, &expectation) {
        Applied::Not(Verdict::Failed(failure)) if is_about_the_way(failure.cause) => Some(Err(failure)),
        Applied::Yes(_) | Applied::Checking(_) | Applied::Not(Verdict::Failed(_)) => Some(Ok(Use::Seen)),
        Applied::Not(_) => None,
    }
}

/// Tells whether Flux ends with this reason before its first request to the run cluster, mostly even before it reads the
/// kubeconfig (kustomize-controller v1.9.3, `internal/controller/kustomization_controller.go`, `Reconcile`, `reconcile`).
fn stops_before_the_run_cluster(reason: &str) -> bool {
    !matches!(reason, "ReconciliationFailed" | "PruneFailed" | "HealthCheckFailed" | "HealthCheckCanceled")
}

/// Tells whether a failure keeps Flux from getting into the run cluster at all.
fn is_about_the_way(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::NoCredential | Cause::CredentialRefused | Cause::CertificateRefused | Cause::RunClusterUnreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kustomization(requested: &str, handled: &str, reason: &str, message: &str) -> DynamicObject {
        let status = if reason == "ReconciliationSucceeded" { "True" } else { "False" };
        serde_json::from_value(json!({
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
        .expect("the fixture is a Kustomization")
    }

    #[test]
    fn only_an_answer_to_this_request_or_a_later_one_counts() {
        let succeeded = |requested, handled| kustomization(requested, handled, "ReconciliationSucceeded", "");
        assert_eq!(answer(&succeeded("2", "1"), "2"), None);
        assert_eq!(answer(&succeeded("2", "2"), "2"), Some(Ok(Use::Seen)));
        assert_eq!(answer(&succeeded("3", "3"), "2"), Some(Ok(Use::Seen)));
        assert_eq!(answer(&succeeded("3", "2"), "2"), Some(Ok(Use::Seen)));
    }

    #[test]
    fn what_stops_before_the_run_cluster_shows_no_use() {
        for reason in ["ArtifactFailed", "BuildFailed", "DependencyNotReady", "AccessDenied"] {
            let answered = answer(&kustomization("2", "2", reason, "words"), "2");
            assert_eq!(answered, Some(Ok(Use::NotYet(format!("{reason}: words")))));
            assert_eq!(answer(&kustomization("2", "1", reason, "words"), "2"), None);
        }
    }

    #[test]
    fn only_a_failure_to_get_in_counts() {
        let failed = |reason, message| answer(&kustomization("2", "2", reason, message), "2");
        let refused = failed("ReconciliationFailed", "the server has asked for the client to provide credentials");
        assert!(matches!(refused, Some(Err(Failure { cause: Cause::CredentialRefused, .. }))), "{refused:?}");
        assert!(matches!(failed("ReconciliationFailed", "dial tcp 10.0.0.1:1: i/o timeout"), Some(Err(_))));
        assert_eq!(failed("HealthCheckFailed", "timeout"), Some(Ok(Use::Seen)));
    }
}
