//! Who acts on the run cluster, with their roles: Flux's user, see [`flux_user`], and the installer.

use serde_json::{Value, json};

use super::flux_user;
use crate::check::Checks;
use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::gather::Facts;
use crate::commands::add_cluster::guard;
use crate::commands::add_cluster::installer::Installer;
use crate::error::Result;
use crate::identities::{Owner, Subject, build_account, role, role_binding, service_account};
use crate::labels;
use crate::names;
use crate::plan::{Apply, Place, Plan, Step};

/// Adds Flux's user and the installer with their roles on the run cluster, and what Flux looks up on the build cluster.
pub(super) fn add_identities(plan: &mut Plan, checks: &mut Checks, answers: &Answers, facts: &Facts) {
    if facts.makes_namespace {
        let manifest = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": answers.target_namespace}});
        plan.steps.push(Step::Apply(Apply { place: Place::Run, manifest }));
    }
    for manifest in on_run_cluster(answers, facts) {
        let step = unless_anothers(answers, facts, manifest);
        plan.steps.extend(checks.take_silently("owner", step).map(Step::Apply));
    }
    let account = account_for_pruning(answers, facts).and_then(|manifest| unless_unmanaged(facts, manifest));
    plan.steps.extend(account.map(Step::Apply));
}

/// Builds what the plan wants on the run cluster, without the namespace.
pub(super) fn on_run_cluster(answers: &Answers, facts: &Facts) -> Vec<Value> {
    let owner = Owner { build_cluster_uid: &facts.build_uid, build_namespace: &answers.namespace };
    let namespace = &answers.target_namespace;
    let mut manifests = flux_user::manifests(answers, facts, owner);
    if let Installer::Own { rules, origin } = &facts.installer {
        let installer = names::installer(&facts.package.name);
        let mut role = role(owner, namespace, &installer, rules);
        role["metadata"]["annotations"][labels::INSTALLER] = json!(origin);
        manifests.push(service_account(owner, namespace, &installer));
        manifests.push(role);
        manifests.push(role_binding(
            owner,
            namespace,
            &installer,
            Subject::ServiceAccount { namespace, name: &installer },
        ));
    }
    manifests
}

/// Builds an account without any permission on the build cluster, where Flux impersonates one on the run cluster.
///
/// Without it Flux leaves everything on the run cluster behind when a Kustomization is deleted: it looks the account that it
/// is to impersonate up on its own cluster (fluxcd/pkg `runtime/client/impersonator.go`, `CanImpersonate`; fluxcd/pkg#959).
pub(super) fn account_for_pruning(answers: &Answers, facts: &Facts) -> Option<Value> {
    let impersonated = facts.impersonated.as_ref()?;
    Some(build_account(&answers.namespace, &impersonated.account))
}

/// Applies an object on the build cluster, unless there is one of that name that somebody else manages.
pub(super) fn unless_unmanaged(facts: &Facts, manifest: Value) -> Option<Apply> {
    let live = facts.live.of(Place::Build, &manifest);
    live.is_none_or(labels::is_managed).then_some(Apply { place: Place::Build, manifest })
}

/// Applies an object on the run cluster; one that belongs to somebody else is refused.
fn unless_anothers(answers: &Answers, facts: &Facts, manifest: Value) -> Result<Apply> {
    if let Some(live) = facts.live.of(Place::Run, &manifest) {
        guard::same_owner(answers, &manifest, live)?;
    }
    Ok(Apply { place: Place::Run, manifest })
}
