//! Deleting an object that was looked at.

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;

use super::Place;
use super::execute::Executor;
use crate::cluster::{Cluster, ObjectReference};
use crate::error::Result;

/// An object to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// Where.
    pub place: Place,
    /// Which object.
    pub reference: ObjectReference,
    /// Its UID: another object that takes the name is left alone.
    pub uid: String,
    /// What to know about it, shown beside it.
    pub note: Option<String>,
}

impl Delete {
    /// Plans to delete an object that exists, and asks the API server in a dry run whether that is allowed.
    pub async fn checked(
        cluster: &Cluster,
        place: Place,
        reference: &ObjectReference,
        object: &PartialObjectMeta<DynamicObject>,
    ) -> Result<Self> {
        let uid = object.uid().unwrap_or_default();
        cluster.delete(reference, &uid, true).await?;
        Ok(Self { place, reference: reference.clone(), uid, note: None })
    }
}

impl Executor<'_> {
    /// Deletes an object; one that is gone already is no failure.
    pub(super) async fn delete(self, delete: &Delete) -> Result<()> {
        let cluster = self.cluster(delete.place)?;
        if cluster.delete(&delete.reference, &delete.uid, false).await? {
            self.ui.done(&format!("deleted {} on {}", delete.reference.display(), cluster.display()));
        }
        Ok(())
    }
}
