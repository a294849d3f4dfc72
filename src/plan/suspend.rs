//! Suspending a Kustomization: kustomize-controller then lets it go without touching what it has applied.

use serde_json::json;

use super::execute::Executor;
use crate::error::Result;
use crate::object::ObjectReference;

/// A Kustomization on the build cluster to be suspended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspend {
    /// Which one.
    pub kustomization: ObjectReference,
}

impl Executor<'_> {
    /// Suspends a Kustomization; one that is gone already is no failure.
    pub(super) async fn suspend(self, suspend: &Suspend) -> Result<()> {
        let patch = json!({"spec": {"suspend": true}});
        match self.build.merge(&suspend.kustomization, &patch, false).await {
            Err(error) if error.status() == Some(404) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                let display = suspend.kustomization.display();
                self.ui.done(&format!("suspended {display} on {}", self.build.display()));
                Ok(())
            }
        }
    }
}
