//! The plan of `add-cluster`: identities, credential, files, Kustomizations, in the order in which each finds what it needs.
//!
//! Each part has a file of its own: [`identities`], [`credential`], [`files`], [`kustomizations`].

mod credential;
mod files;
mod identities;
mod kustomizations;

use super::answers::Answers;
use super::gather::Facts;
use crate::cluster::ObjectReference;
use crate::error::Result;
use crate::flux::git_repository_resource;
use crate::names;
use crate::plan::{Apply, Place, Plan, Step, change_of};

/// Computes the plan; asks both clusters what each step would change, and changes nothing.
pub(super) async fn plan(answers: &Answers, facts: &Facts) -> Result<Plan> {
    let package = &facts.package.name;
    let mut plan = Plan {
        purpose: format!("deliver {package} to {}, namespace {}", answers.run.display(), answers.target_namespace),
        ..Plan::default()
    };
    identities::add_identities(&mut plan, answers, facts).await?;
    credential::add_credential(&mut plan, answers, facts).await?;
    plan.steps.push(Step::Commit(files::commit(answers, facts)?));
    plan.steps.push(Step::Fetch {
        source: ObjectReference {
            resource: git_repository_resource(facts.versions.source),
            namespace: Some(answers.namespace.clone()),
            name: names::git_repository(package),
        },
    });
    for manifest in kustomizations::kustomizations(answers, facts) {
        let manifest = kustomizations::without_unknown_fields(&answers.build, manifest).await?;
        let change = change_of(&answers.build, &manifest).await?;
        plan.steps.push(Step::Apply(Apply { place: Place::Build, manifest, change }));
    }
    Ok(plan)
}
