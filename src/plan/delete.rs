//! Deleting an object that was looked at.

use kube::core::ObjectMeta;

use super::Place;
use super::execute::Executor;
use crate::error::Result;
use crate::object::ObjectReference;

/// An object to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// Where.
    pub place: Place,
    /// Which object.
    pub reference: ObjectReference,
    /// Its UID: another object that takes the name is left alone. `None` where the plan itself makes the object.
    pub uid: Option<String>,
    /// What to know about it, shown beside it.
    pub note: Option<String>,
}

impl Delete {
    /// Plans to delete an object that was read.
    #[must_use]
    pub fn of(place: Place, reference: &ObjectReference, metadata: &ObjectMeta) -> Self {
        Self { place, reference: reference.clone(), uid: metadata.uid.clone(), note: None }
    }
}

impl Executor<'_> {
    /// Deletes an object; one that is gone already is no failure.
    pub(super) async fn delete(self, delete: &Delete) -> Result<()> {
        let cluster = self.cluster(delete.place)?;
        if cluster.delete(&delete.reference, delete.uid.as_deref(), false).await? {
            self.ui.done(&format!("deleted {} on {}", delete.reference.display(), cluster.display()));
        }
        Ok(())
    }
}
