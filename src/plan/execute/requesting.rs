//! Asking controllers for something: the patches of a plan's requests.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::flux::RECONCILE_REQUESTED_AT;
use crate::object::ObjectReference;
use crate::observe::fetch::{self, Freshness};
use crate::plan::executor::Executor;
use crate::plan::steps::{NoopDelete, Request};
use crate::waiting::{self, Look, Waited};

/// How long Flux may take to fetch a pushed commit.
const FETCH_LIMIT: Duration = Duration::from_secs(90);

/// The pause before a request is sent again that failed in a way that may pass.
const PAUSE: Duration = Duration::from_secs(3);

impl Executor<'_> {
    /// Makes a request. Flux names `token` when it has answered.
    pub(super) async fn request(self, request: &Request, token: &str, deadline: Instant) -> Result<()> {
        match request {
            Request::Fetch { source, freshness } => {
                let limit = fetch_limit(*freshness, deadline);
                fetch::ask(self.build, source, token, *freshness, limit).await.map(drop)
            }
            Request::Reconcile { kustomization } => {
                self.request_reconcile(kustomization, token, deadline).await.map_err(not_revoked)
            }
            Request::NoopDelete(noop_delete) => {
                let applied = self.run_cluster()?.apply(&noop_delete.manifest(), false).await;
                applied.map(drop).map_err(NoopDelete::explain)
            }
            Request::Suspend { kustomization } => self.suspend(kustomization, &request.patch(token)).await,
        }
    }

    /// Asks for a reconciliation; a Kustomization that is gone needs none.
    async fn request_reconcile(self, kustomization: &ObjectReference, token: &str, deadline: Instant) -> Result<()> {
        let requested = waiting::until(deadline, PAUSE, async || {
            match self.build.annotate(kustomization, RECONCILE_REQUESTED_AT, token).await {
                Err(error) if error.status() != Some(404) => Err(error),
                _ => Ok(Look::Found(())),
            }
        });
        match requested.await? {
            Waited::Overdue(Some(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Suspends a Kustomization; one that is gone already is no failure.
    async fn suspend(self, kustomization: &ObjectReference, patch: &Value) -> Result<()> {
        match self.build.merge(kustomization, patch, false).await {
            Err(error) if error.status() == Some(404) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                self.ui.done(&format!("suspended {} on {}", kustomization.display(), self.build.display()));
                Ok(())
            }
        }
    }
}

/// Returns how long Flux may take to fetch.
pub(super) fn fetch_limit(freshness: Freshness, deadline: Instant) -> Duration {
    match freshness {
        Freshness::NewCommits => FETCH_LIMIT,
        Freshness::CurrentSpec => deadline.saturating_duration_since(Instant::now()),
    }
}

/// Says what a failure leaves behind, where Flux was to use a credential that a step before has stored.
pub(super) fn not_revoked(error: Error) -> Error {
    error.hint("the new credential is stored, and the old one is not revoked")
}
