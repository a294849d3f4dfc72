//! Asking controllers for something: the patches of a plan's requests.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::flux::RECONCILE_REQUESTED_AT;
use crate::object::ObjectReference;
use crate::plan::executor::Executor;
use crate::plan::steps::{Freshness, NoopDelete, Request};
use crate::waiting::{Look, Outlook, outlook};

/// The pause before a request is sent again that failed in a way that may pass.
const PAUSE: Duration = Duration::from_secs(3);

impl Executor<'_> {
    /// Makes a request. Flux names `token` when it has answered.
    pub(super) async fn request(self, request: &Request, token: &str, deadline: Instant) -> Result<()> {
        match request {
            Request::Fetch { source, freshness } => {
                let asked = self.ask(source, token, deadline).await;
                match asked {
                    // What Flux has fetched unasked will do.
                    Err(error) if *freshness == Freshness::CurrentSpec && is_refused(&error) => Ok(()),
                    Err(error) if is_refused(&error) => Err(cannot_ask(source, &error)),
                    asked => asked,
                }
            }
            Request::Reconcile { kustomization } => match self.ask(kustomization, token, deadline).await {
                // One that is gone needs no reconciliation.
                Err(error) if outlook(&error) == Outlook::Missing => Ok(()),
                asked => asked.map_err(not_revoked),
            },
            Request::NoopDelete(noop_delete) => {
                let applied = self.run_cluster()?.apply(&noop_delete.manifest(), false).await;
                applied.map(drop).map_err(NoopDelete::explain)
            }
            Request::Suspend { kustomization } => self.suspend(kustomization, &request.patch(token)).await,
        }
    }

    /// Asks Flux to reconcile an object, again where the failure may pass; it will answer with `token`.
    async fn ask(self, object: &ObjectReference, token: &str, deadline: Instant) -> Result<()> {
        let what = format!("{} to take a request for {}", self.build.display(), object.display());
        let asked = self.until(deadline, PAUSE, &what, async || {
            self.build.annotate(object, RECONCILE_REQUESTED_AT, token).await.map(Look::Found)
        });
        asked.await?.or(|| {
            let what = format!("{} was not asked to reconcile in time", object.display());
            Error::of_kind(ErrorKind::Timeout, what)
        })
    }

    /// Suspends a Kustomization; one that is gone already is no failure.
    async fn suspend(self, kustomization: &ObjectReference, patch: &Value) -> Result<()> {
        match self.build.merge(kustomization, patch, false).await {
            Err(error) if outlook(&error) == Outlook::Missing => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                self.ui.done(&format!("suspended {} on {}", kustomization.display(), self.build.display()));
                Ok(())
            }
        }
    }
}

/// Tells whether a request to an object that exists is refused for good, as by an admission policy or webhook, or for want of
/// a permission.
fn is_refused(error: &Error) -> bool {
    outlook(error) == Outlook::Refused
}

/// Says that Flux cannot be asked, in the words of whoever refuses it.
fn cannot_ask(source: &ObjectReference, refusal: &Error) -> Error {
    let error = Error::new(format!("Flux cannot be asked to look for new commits in {}", source.display()))
        .because(refusal)
        .with_status(refusal.status().unwrap_or_default());
    let error = refusal.hints().iter().fold(error, Error::hint);
    error.hint(format!(
        "allow the annotation {RECONCILE_REQUESTED_AT}, or run the command again once Flux has fetched with its interval"
    ))
}

/// Says what a failure leaves behind, where Flux was to use a credential that a step before has stored.
pub(super) fn not_revoked(error: Error) -> Error {
    error.hint("the new credential is stored, and the old one is not revoked")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flux::git_repository_resource;

    #[test]
    fn a_refusal_names_the_policy_and_the_way_out() {
        let source = ObjectReference::namespaced(&git_repository_resource("v1"), "dev", "hello");
        let refusal = Error::new("cannot annotate").because("denied by policy: nobody hurries Flux").with_status(422);
        assert!(is_refused(&refusal));
        let error = cannot_ask(&source, &refusal);
        assert!(error.to_string().contains("nobody hurries Flux"), "{error}");
        assert!(error.hints().iter().any(|hint| hint.contains(RECONCILE_REQUESTED_AT)), "{error:?}");
    }
}
