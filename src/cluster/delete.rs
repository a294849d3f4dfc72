//! How objects are deleted: only the one that was looked at, never another that has taken its name since.

use kube::api::{DeleteParams, Preconditions};

use super::Cluster;
use crate::error::{Error, Result};
use crate::object::ObjectReference;

impl Cluster {
    /// Deletes an object, and says whether there was anything to delete. Finalizers may keep it for a while.
    ///
    /// With a UID only the object that has it: `None` is for objects whose name alone says whose they are.
    /// With `dry_run` the API server authorizes and checks as for a real delete, and keeps everything. Fails where another
    /// object has taken the name since.
    pub async fn delete(&self, reference: &ObjectReference, uid: Option<&str>, dry_run: bool) -> Result<bool> {
        let parameters = DeleteParams {
            dry_run,
            preconditions: uid.map(|uid| Preconditions { resource_version: None, uid: Some(uid.to_owned()) }),
            ..DeleteParams::default()
        };
        let what = format!("cannot delete {}", reference.display());
        let api = self.api(reference);
        let request = api.delete(&reference.name, &parameters);
        let answer = self.call_in(reference.namespace.as_deref(), &what, request).await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) if error.status() == Some(404) => Ok(false),
            Err(error) if error.status() == Some(409) => Err(Error::new(format!("{what} on {}", self.display()))
                .because("it is not the object that was looked at: another one has its name now")
                .with_status(409)
                .hint("run the command again: it reads the object again")),
            Err(error) => Err(error),
        }
    }
}
