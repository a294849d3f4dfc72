//! What `remove-cluster` finds out before it plans: both clusters, the repository, and what must not be deleted. Reads only.

use kube::ResourceExt;

use super::answers::Answers;
use super::build_side::BuildSide;
use super::guard;
use super::identities::Identities;
use super::repository::Repositories;
use super::run_side::{self, Belongings, Found};
use crate::check::{self, Checks, Skipped};
use crate::cluster::{Cluster, ServedVersions};
use crate::error::Result;
use crate::labels;
use crate::object::{ObjectReference, api_resource};

/// What was found out.
pub(super) struct Facts {
    pub(super) build: BuildSide,
    pub(super) identities: Identities,
    pub(super) repositories: Repositories,
    /// The UID of the run cluster, where it was reached.
    pub(super) run_uid: Option<String>,
    /// What each delivery that goes has on the run cluster, in their order; nothing where that is gone for good.
    pub(super) belongings: Vec<Belongings>,
    /// The accounts on the build cluster without which Flux would not delete what it applied as them.
    pub(super) missing_accounts: Vec<ObjectReference>,
    /// Whether a run cluster that is said to be gone still answers.
    pub(super) is_alive: bool,
}

/// Gathers and checks everything; all findings are reported together, before anything is deleted.
pub(super) async fn gather(answers: &Answers) -> Result<Facts> {
    let build = BuildSide::read(answers).await?;
    let mut checks = Checks::default();
    let identities = checks.take("credentials", Identities::on_build_cluster(answers, &build).await);
    let repositories = checks.take("repository", Repositories::read(answers, &build).await);
    let run_side = match &answers.run {
        Some((run, served)) => read_run_cluster(&mut checks, answers, &build, (run, served)).await,
        None => Ok((None, Vec::new())),
    };
    let is_alive = answers.run.is_none() && guard::answers_still(answers, &build).await;
    let missing_accounts = checks.take("impersonated accounts", missing_accounts(answers, &build).await);
    let mut identities = identities.unwrap_or_default();
    if let (Some((run, _)), Ok((_, belongings))) = (&answers.run, &run_side)
        && let Ok(build_uid) = checks.take("build cluster", answers.build.uid().await)
    {
        let added = identities.add_on_run_cluster(run, answers, &build, &build_uid, belongings).await;
        checks.check("identities", added);
    }
    let read = || Ok((repositories?, run_side?, missing_accounts?));
    let (repositories, (run_uid, belongings), missing_accounts) = checks.finish(read())?;
    for leaving in &build.leaving {
        let accounts =
            belongings.iter().flat_map(|one| &one.installs).filter_map(|found| found.service_account.as_ref());
        for account in accounts {
            let goes = identities.run.iter().any(|delete| delete.reference.name == *account);
            let line =
                format!("ServiceAccount {}/{account} stays: it was not made by this plugin", leaving.target_namespace);
            if !goes && !identities.left.contains(&line) {
                identities.left.push(line);
            }
        }
    }
    let facts = Facts { build, identities, repositories, run_uid, belongings, missing_accounts, is_alive };
    guard::something_is_left(answers, &facts)?;
    Ok(facts)
}

/// Reads the run cluster, and refuses where the deletion would go wrong there.
async fn read_run_cluster(
    checks: &mut Checks,
    answers: &Answers,
    build: &BuildSide,
    (run, served): (&Cluster, &ServedVersions),
) -> Result<(Option<String>, Vec<Belongings>), Skipped> {
    let namespace = &answers.namespace;
    let run_uid = checks.take("run cluster", same_cluster(answers, build, run).await)?;
    let mut belongings = Vec::new();
    for leaving in &build.leaving {
        if let Some(place) = leaving.namespaces.first() {
            // Whatever kapp-controller holds would not go while it does not answer.
            checks.take("kapp-controller", check::kapp_controller(run, served, place).await)?;
        }
        let kustomizations = answers.kustomizations_of(leaving);
        let shares_packages = build.is_shared(&leaving.packages_kustomization);
        let read =
            run_side::read(run, namespace, leaving, kustomizations, answers.keeps_workloads, shares_packages).await;
        belongings.push(checks.take("what is on the run cluster", read)?);
    }
    let found: Vec<Found> =
        belongings.iter().flat_map(|one| one.installs.iter().chain(&one.packages)).cloned().collect();
    for leaving in &build.leaving {
        for kustomization in answers.kustomizations_of(leaving).into_iter().flatten() {
            if !build.is_shared(&kustomization.name_any()) {
                checks.check("pruning", guard::deletes_what_it_applied(namespace, kustomization));
                let may_delete = guard::flux_may_delete(answers, leaving, kustomization).await;
                checks.check("Flux's permissions", may_delete);
            }
        }
    }
    for found in &found {
        checks.check("installer", guard::kapp_controller_may_delete(run, found).await);
    }
    Ok((Some(run_uid), belongings))
}

/// Refuses a run cluster that is not the one that Flux delivers to, and returns its UID.
async fn same_cluster(answers: &Answers, build: &BuildSide, run: &Cluster) -> Result<String> {
    let run_uid = run.uid().await?;
    let recorded = build.record.run_cluster_uid.as_ref();
    if build.credentials.is_empty() {
        guard::same_cluster(answers, run, &run_uid, recorded, None).await?;
    }
    for (reference, object) in build.credentials.values() {
        let leaving = build.leaving.iter().find(|leaving| leaving.credential == reference.name);
        let recorded = object.annotations().get(labels::RUN_CLUSTER_UID).or(recorded);
        guard::same_cluster(answers, run, &run_uid, recorded, leaving).await?;
    }
    Ok(run_uid)
}

/// Finds the accounts that Flux impersonates and that do not exist on the build cluster.
///
/// kustomize-controller looks for them there, although it impersonates them on the run cluster, and where one is missing it
/// lets the Kustomization go without deleting anything (`CanImpersonate`, fluxcd/pkg#959).
async fn missing_accounts(answers: &Answers, build: &BuildSide) -> Result<Vec<ObjectReference>> {
    let mut missing: Vec<ObjectReference> = Vec::new();
    for leaving in &build.leaving {
        let exists = answers.kustomizations_of(leaving).iter().any(Option::is_some);
        let Some(account) = leaving.service_account.as_ref().filter(|_| exists) else { continue };
        let reference =
            ObjectReference::namespaced(&api_resource("", "v1", "ServiceAccount"), &answers.namespace, account);
        if !missing.contains(&reference) && answers.build.get_metadata(&reference).await?.is_none() {
            missing.push(reference);
        }
    }
    Ok(missing)
}
