//! Who acts on the run cluster, with their roles: Flux's user, see [`flux_user`], and the installer.

use kube::api::DynamicObject;
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
use crate::object::ObjectReference;
use crate::plan::{Apply, Change, Place, Plan, Step, change_from};

/// Adds Flux's user and the installer with their roles on the run cluster, and what Flux looks up on the build cluster.
pub(super) async fn add_identities(
    plan: &mut Plan,
    checks: &mut Checks,
    answers: &Answers,
    facts: &Facts,
) -> Result<()> {
    let owner = Owner { build_cluster_uid: &facts.build_uid, build_namespace: &answers.namespace };
    let namespace = &answers.target_namespace;
    if facts.makes_namespace {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let change = checks.take("target namespace", change_from(&answers.run, None, &namespace).await);
        plan.steps.extend(change.map(|change| Step::Apply(Apply { place: Place::Run, manifest: namespace, change })));
    }
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
    for manifest in manifests {
        let name = ObjectReference::of(&manifest)?.display();
        plan.steps.extend(checks.take(name, on_run_cluster(answers, facts, manifest).await).map(Step::Apply));
    }
    if let Some(impersonated) = &facts.impersonated {
        let step = account_for_pruning(answers, &impersonated.account).await;
        plan.steps.extend(checks.take("account for pruning", step).flatten().map(Step::Apply));
    }
    Ok(())
}

/// Makes an account without any permission on the build cluster, unless there is one of that name.
///
/// Without it Flux leaves everything on the run cluster behind when a Kustomization is deleted: it looks the account that it
/// is to impersonate up on its own cluster (fluxcd/pkg `runtime/client/impersonator.go`, `CanImpersonate`; fluxcd/pkg#959).
async fn account_for_pruning(answers: &Answers, account: &str) -> Result<Option<Apply>> {
    let manifest = build_account(&answers.namespace, account);
    let live = answers.build.get(&ObjectReference::of(&manifest)?).await?;
    apply_unless_anothers(answers, live, manifest).await
}

/// Applies an object on the build cluster, unless there is one of that name that somebody else looks after.
pub(super) async fn apply_unless_anothers(
    answers: &Answers,
    live: Option<DynamicObject>,
    manifest: Value,
) -> Result<Option<Apply>> {
    if live.as_ref().is_some_and(|live| !labels::is_managed(live)) {
        return Ok(None);
    }
    let change = change_from(&answers.build, live, &manifest).await?;
    Ok(Some(Apply { place: Place::Build, manifest, change }))
}

/// Asks the run cluster what applying an object changes, unless it belongs to somebody else.
async fn on_run_cluster(answers: &Answers, facts: &Facts, manifest: Value) -> Result<Apply> {
    // Nothing can be tried in a namespace that is not there yet.
    if facts.makes_namespace && manifest["metadata"]["namespace"] == answers.target_namespace {
        return Ok(Apply { place: Place::Run, manifest, change: Change::Create });
    }
    let live = answers.run.get(&ObjectReference::of(&manifest)?).await?;
    if let Some(live) = &live {
        guard::same_owner(answers, &manifest, live)?;
    }
    let change = change_from(&answers.run, live, &manifest).await?;
    Ok(Apply { place: Place::Run, manifest, change })
}
