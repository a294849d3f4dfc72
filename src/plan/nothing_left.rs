//! The proof that Flux has left nothing behind: nothing carries the labels of a Kustomization that is gone.

use kube::ResourceExt;
use kube::api::ApiResource;

use super::execute::Executor;
use crate::error::{Error, Result};
use crate::flux::{is_left_alone, owner_labels};
use crate::object::ObjectReference;
use crate::shell::quoted;

/// Objects of Kustomizations of which nothing may be left on the run cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NothingLeft {
    /// The Kustomizations, as namespace and name.
    pub kustomizations: Vec<(String, String)>,
    /// The namespaces on the run cluster to look in.
    pub namespaces: Vec<String>,
    /// The kinds to look for.
    pub resources: Vec<ApiResource>,
}

impl Executor<'_> {
    /// Looks for what is left. Nobody would delete it any more, so it is a failure at once.
    pub(super) async fn prove_nothing_left(self, expected: &NothingLeft) -> Result<()> {
        let run = self.run_cluster()?;
        let mut left = Vec::new();
        for (namespace, kustomization) in &expected.kustomizations {
            let labels = owner_labels(namespace, kustomization);
            for place in &expected.namespaces {
                for resource in &expected.resources {
                    let found = run.list_labelled(resource, place, &labels).await?;
                    let found = found.iter().filter(|object| !is_left_alone(*object));
                    left.extend(found.map(|object| ObjectReference::namespaced(resource, place, &object.name_any())));
                }
            }
        }
        let Some(first) = left.first() else {
            self.ui.done(&format!("nothing that Flux applied is left on {}", run.display()));
            return Ok(());
        };
        let names: Vec<String> = left.iter().map(ObjectReference::display).collect();
        Err(Error::new(format!("Flux has left objects behind on {}: {}", run.display(), names.join(", ")))
            .because("they carry the labels of a Kustomization that is gone, so nobody deletes them any more")
            .hint(format!(
                "delete them: kubectl --context {} -n {} delete {} {}",
                quoted(run.context()),
                first.namespace.as_deref().unwrap_or_default(),
                first.resource.plural,
                first.name
            )))
    }
}
