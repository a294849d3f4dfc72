//! Letting an application run on without its PackageInstall: kapp-controller is told not to delete it.

use std::time::Duration;

use kube::Resource as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::execute::Executor;
use crate::carvel::app_resource;
use crate::cluster::Cluster;
use crate::conditions::{Condition, find};
use crate::error::{Error, ErrorKind, Result};
use crate::object::ObjectReference;
use crate::waiting::{self, Look, Waited};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// How long kapp-controller may take to copy the field to the App.
const LIMIT: Duration = Duration::from_mins(2);

/// A PackageInstall whose application stays when it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepWorkloads {
    /// The PackageInstall on the run cluster.
    pub install: ObjectReference,
    /// Its UID.
    pub uid: String,
}

impl KeepWorkloads {
    /// Builds what is applied. It names the UID, so that it never makes a new object.
    #[must_use]
    pub fn manifest(&self) -> Value {
        json!({
            "apiVersion": self.install.resource.api_version,
            "kind": self.install.resource.kind,
            "metadata": {"name": self.install.name, "namespace": self.install.namespace, "uid": self.uid},
            "spec": {"noopDelete": true},
        })
    }

    /// Asks the API server in a dry run whether this may be written.
    pub async fn check(&self, run: &Cluster) -> Result<()> {
        run.apply(&self.manifest(), true).await.map(drop).map_err(explain)
    }
}

impl Executor<'_> {
    /// Sets `noopDelete` and waits until the App has it too.
    ///
    /// Flux applies server-side and keeps fields that it does not own. kapp-controller copies the field to the App with each
    /// reconcile, and once more before it deletes the App (`packageinstall.go`, `reconcileDelete`, v0.53.1); so an install
    /// that cannot be reconciled needs no waiting.
    pub(super) async fn keep_workloads(self, keep: &KeepWorkloads, deadline: Instant) -> Result<()> {
        let run = self.run_cluster()?;
        run.apply(&keep.manifest(), false).await.map_err(explain)?;
        let app = ObjectReference { resource: app_resource(), ..keep.install.clone() };
        let deadline = deadline.min(Instant::now() + LIMIT);
        let settled = waiting::until(deadline, PAUSE, async || {
            let install = run.get(&keep.install).await?;
            let is_settled = match (&install, run.get(&app).await?) {
                (None, _) | (_, None) => true,
                (Some(install), Some(app)) => is_kept(&app) || is_refused(install),
            };
            Ok(if is_settled { Look::Found(()) } else { Look::NotYet })
        });
        if let Waited::Overdue(error) = settled.await? {
            let overdue = Error::of_kind(
                ErrorKind::Timeout,
                format!("kapp-controller did not copy spec.noopDelete to {} on {}", app.display(), run.display()),
            )
            .because("nothing was deleted")
            .hint("is kapp-controller running? kubectl -n kapp-controller get pods");
            return Err(error.into_iter().fold(overdue, Error::because));
        }
        self.ui.done(&format!("{} on {} will keep its application", keep.install.display(), run.display()));
        Ok(())
    }
}

/// Tells whether the App will keep what it deployed.
fn is_kept(app: &DynamicObject) -> bool {
    app.data.pointer("/spec/noopDelete") == Some(&Value::Bool(true))
}

/// Tells whether kapp-controller has seen the field and could not reconcile the PackageInstall.
fn is_refused(install: &DynamicObject) -> bool {
    let status = &install.data["status"];
    let conditions: Vec<Condition> = serde_json::from_value(status["conditions"].clone()).unwrap_or_default();
    status["observedGeneration"].as_i64() == install.meta().generation
        && find(&conditions, "ReconcileFailed").is_some_and(Condition::is_true)
}

fn explain(error: Error) -> Error {
    if error.status() == Some(409) {
        return error.hint("where the file in Git says `noopDelete`, change it there, and wait for Flux to apply it");
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(generation: i64, observed: i64, condition: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": {"name": "hello", "generation": generation},
            "status": {"observedGeneration": observed, "conditions": [{"type": condition, "status": "True"}]},
        }))
        .expect("the fixture is an object")
    }

    #[test]
    fn only_a_failure_that_has_seen_the_wish_ends_the_wait() {
        assert!(is_refused(&install(2, 2, "ReconcileFailed")));
        assert!(!is_refused(&install(2, 1, "ReconcileFailed")));
        assert!(!is_refused(&install(2, 2, "Reconciling")));
    }
}
