//! The plan of `add-cluster`: identities, credential, files, Kustomizations, in the order in which each finds what it needs.
//!
//! Each part has a file of its own: [`identities`], [`credential`], [`files`], [`kustomizations`].

mod credential;
mod files;
mod flux_user;
mod identities;
mod kustomizations;

pub(super) use self::kustomizations::kustomizations;
use super::answers::Answers;
use super::gather::Facts;
use crate::check::Checks;
use crate::flux::git_repository_resource;
use crate::names;
use crate::object::ObjectReference;
use crate::plan::{Place, Plan, Step};

/// Names the objects whose present state the plan depends on.
pub(super) fn objects(answers: &Answers, facts: &Facts) -> Vec<(Place, ObjectReference)> {
    let on_run_cluster = identities::on_run_cluster(answers, facts).into_iter().map(|manifest| (Place::Run, manifest));
    let on_build_cluster = identities::account_for_pruning(answers, facts)
        .into_iter()
        .chain(credential::service_account(answers, facts))
        .chain(kustomizations::kustomizations(answers, facts))
        .map(|manifest| (Place::Build, manifest));
    let references = on_run_cluster
        .chain(on_build_cluster)
        .filter_map(|(place, manifest)| Some((place, ObjectReference::of(&manifest).ok()?)));
    references.chain(credential::token_secret(answers, facts).map(|secret| (Place::Run, secret))).collect()
}

/// Computes the plan.
#[must_use]
pub(super) fn plan(answers: &Answers, facts: &Facts) -> Plan {
    let package = &facts.package.name;
    let mut plan = Plan {
        purpose: format!("deliver {package} to {}, namespace {}", answers.run.display(), answers.target_namespace),
        warnings: facts.warnings.clone(),
        ..Plan::default()
    };
    let mut checks = Checks::default();
    identities::add_identities(&mut plan, &mut checks, answers, facts);
    checks.check("credential", credential::add_credential(&mut plan, answers, facts));
    if let Ok(commit) = checks.take("files", files::commit(answers, facts))
        && !commit.changes.is_empty()
    {
        plan.steps.push(Step::Commit(commit));
        let source = git_repository_resource(facts.versions.source);
        let source = ObjectReference::namespaced(&source, &answers.namespace, &names::git_repository(package));
        plan.steps.extend(Step::fetch(source));
    }
    plan.steps.extend(kustomizations::applies(answers, facts).map(Step::Apply));
    plan.warnings.extend(checks.warnings());
    plan.refusals = checks.into_failures();
    plan
}
