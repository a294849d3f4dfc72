//! The plan of `add-cluster`: identities, credential, files, Kustomizations, in the order in which each finds what it needs.
//!
//! Each part has a file of its own: [`identities`], [`credential`], [`files`], [`kustomizations`].

mod credential;
mod files;
mod flux_user;
mod identities;
mod kustomizations;

use super::answers::Answers;
use super::gather::Facts;
use crate::check::Checks;
use crate::error::Result;
use crate::flux::git_repository_resource;
use crate::names;
use crate::object::ObjectReference;
use crate::plan::{Plan, Step};

/// Computes the plan; asks both clusters what each step would change, and changes nothing.
pub(super) async fn plan(answers: &Answers, facts: &Facts) -> Result<Plan> {
    let package = &facts.package.name;
    let mut plan = Plan {
        purpose: format!("deliver {package} to {}, namespace {}", answers.run.display(), answers.target_namespace),
        warnings: facts.warnings.clone(),
        ..Plan::default()
    };
    // What the API servers refuse is reported together.
    let mut checks = Checks::default();
    identities::add_identities(&mut plan, &mut checks, answers, facts).await?;
    checks.take("credential", credential::add_credential(&mut plan, answers, facts).await);
    plan.steps.extend(checks.take("files", files::commit(answers, facts)).map(Step::Commit));
    plan.steps.push(Step::Fetch {
        source: ObjectReference {
            resource: git_repository_resource(facts.versions.source),
            namespace: Some(answers.namespace.clone()),
            name: names::git_repository(package),
        },
    });
    for manifest in kustomizations::kustomizations(answers, facts) {
        let name = ObjectReference::of(&manifest)?.display();
        let step = kustomizations::apply(answers, manifest).await;
        plan.steps.extend(checks.take(name, step).map(Step::Apply));
    }
    plan.warnings.extend(checks.warnings());
    checks.refuse_if_failed()?;
    Ok(plan)
}
