//! Who acts on the run cluster: deployer and installer, with their roles.

use serde_json::Value;

use super::credential::deployer_namespace;
use crate::check::Checks;
use crate::cluster::ObjectReference;
use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::gather::Facts;
use crate::commands::add_cluster::guard;
use crate::error::Result;
use crate::identities::{Owner, deployer_rules, installer_rules, role, role_binding, service_account, token_secret};
use crate::names;
use crate::plan::{Apply, Place, Plan, Step, change_from};

/// Adds deployer and installer with their roles on the run cluster.
pub(super) async fn add_identities(
    plan: &mut Plan,
    checks: &mut Checks,
    answers: &Answers,
    facts: &Facts,
) -> Result<()> {
    let owner = Owner { build_cluster_uid: &facts.build_uid, build_namespace: &answers.namespace };
    let namespace = &answers.target_namespace;
    let mut manifests = Vec::new();
    if let Some(account_namespace) = deployer_namespace(answers, facts) {
        let name = names::deployer(&answers.namespace, &answers.run_cluster);
        if account_namespace == *namespace {
            let token = names::deployer_token(&answers.namespace, &answers.run_cluster);
            manifests.push(service_account(owner, namespace, &name));
            manifests.push(token_secret(owner, namespace, &token, &name));
        }
        manifests.push(role(owner, namespace, &name, &deployer_rules()));
        manifests.push(role_binding(owner, namespace, &name, &account_namespace, &name));
    }
    let installer = names::installer(&facts.package.name);
    if service_account_name(facts) == installer {
        manifests.push(service_account(owner, namespace, &installer));
        manifests.push(role(owner, namespace, &installer, &installer_rules()));
        manifests.push(role_binding(owner, namespace, &installer, namespace, &installer));
    }
    for manifest in manifests {
        let name = ObjectReference::of(&manifest)?.display();
        plan.steps.extend(checks.take(name, on_run_cluster(answers, manifest).await).map(Step::Apply));
    }
    Ok(())
}

/// Asks the run cluster what applying an object changes, unless it belongs to somebody else.
async fn on_run_cluster(answers: &Answers, manifest: Value) -> Result<Apply> {
    let live = answers.run.get(&ObjectReference::of(&manifest)?).await?;
    if let Some(live) = &live {
        guard::same_owner(answers, &manifest, live)?;
    }
    let change = change_from(&answers.run, live, &manifest).await?;
    Ok(Apply { place: Place::Run, manifest, change })
}

/// Returns the account that the PackageInstall names: what the repository has is kept.
pub(super) fn service_account_name(facts: &Facts) -> String {
    let existing = facts.directory.install.as_ref().and_then(|install| install.service_account.clone());
    existing.unwrap_or_else(|| names::installer(&facts.package.name))
}
