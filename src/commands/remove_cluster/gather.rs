//! What `remove-cluster` finds out before it plans: both clusters, the repository, and what must not be deleted. Reads only.

use futures::future::join_all;
use kube::ResourceExt;

use super::build_cluster::BuildCluster;
use super::clusters::{Clusters, RunCluster};
use super::flux_objects::FluxObjects;
use super::identities::{BuildAccounts, Identities, RunIdentities};
use super::preconditions;
use super::removal_record::RemovedDelivery;
use super::repository::Repositories;
use super::request::Request;
use super::run_cluster::{self, RunObjects};
use crate::check::{self, Checks, Skipped, known};
use crate::error::Result;
use crate::gitops::checkout::Checkout;
use crate::object::ObjectReference;
use crate::ui::Ui;

/// What was found out.
pub(super) struct Facts {
    pub(super) build: BuildCluster,
    /// `None` where it is gone for good.
    pub(super) run: Option<RunFacts>,
    pub(super) identities: Identities,
    pub(super) repositories: Repositories,
    /// The accounts on the build cluster without which Flux would not delete what it applied as them.
    pub(super) missing_accounts: Vec<ObjectReference>,
    /// Whether a run cluster that is said to be gone still answers.
    pub(super) is_alive: bool,
}

/// What was found out about the run cluster.
pub(super) struct RunFacts {
    /// The run cluster, as messages name it.
    pub(super) display: String,
    pub(super) uid: String,
    /// What each removed delivery has there, in their order.
    pub(super) objects: Vec<RunObjects>,
}

/// Gathers and checks everything; all findings are reported together, before anything is deleted. Returns the checkouts of
/// the repositories as well.
pub(super) async fn gather(
    request: &Request,
    clusters: &Clusters,
    flux: FluxObjects,
    ui: Ui,
) -> Result<(Facts, Vec<Checkout>)> {
    let build = BuildCluster::read(request, clusters, flux).await?;
    let mut checks = Checks::default();
    let (accounts, repositories, run, build_uid, missing_accounts, is_alive) = futures::join!(
        BuildAccounts::read(request, &clusters.build, &build),
        Repositories::read(request, clusters, &build, ui),
        read_run_cluster(&mut checks, request, clusters, &build),
        clusters.build.uid(),
        preconditions::missing_accounts(request, clusters, &build),
        async { request.force && preconditions::still_answers(request, clusters, &build).await },
    );
    let accounts = checks.take("credentials", accounts);
    let repositories = checks.take("repository", repositories);
    let build_uid = checks.take("build cluster", build_uid);
    let missing_accounts = checks.take("impersonated accounts", missing_accounts);
    let identities = async {
        let mut identities = Identities::on_build_cluster(request, &build, known(&accounts)?);
        if let (Some(run), Some(facts)) = (&clusters.run, known(&run)?) {
            let read = RunIdentities::read(request, &run.cluster, &build, &facts.objects).await;
            let read = checks.take("identities", read)?;
            identities.add_on_run_cluster(request, &build, known(&build_uid)?, &read, &facts.objects);
            let deletable = identities.leave_undeletable(&run.cluster, &read.elsewhere).await;
            checks.take("identities", deletable)?;
        }
        Ok(identities)
    }
    .await;
    let read = || Ok((run?, identities?, repositories?, missing_accounts?));
    let (run, identities, (repositories, checkouts), missing_accounts) = checks.finish(read())?;
    Ok((Facts { build, run, identities, repositories, missing_accounts, is_alive }, checkouts))
}

/// Reads the run cluster, and refuses where the deletion would go wrong there; `None` where it is gone for good.
async fn read_run_cluster(
    checks: &mut Checks,
    request: &Request,
    clusters: &Clusters,
    build: &BuildCluster,
) -> Result<Option<RunFacts>, Skipped> {
    let Some(run) = &clusters.run else { return Ok(None) };
    let uid = preconditions::same_cluster(request, clusters, build, &run.cluster).await;
    let uid = checks.take("run cluster", uid)?;
    let reads = build.removed.iter().map(|removed| read_objects(request, build, run, removed));
    let mut objects = Vec::new();
    for read in join_all(reads).await {
        objects.push(checks.take("what is on the run cluster", read)?);
    }
    let kustomizations: Vec<_> = build
        .removed
        .iter()
        .flat_map(|removed| build.flux.kustomizations_of(removed).map(|one| (removed, one)))
        .filter_map(|(removed, kustomization)| Some((removed, kustomization?)))
        .filter(|(_, kustomization)| !build.is_shared(&kustomization.name_any()))
        .collect();
    let by_flux = kustomizations
        .iter()
        .map(|(removed, kustomization)| preconditions::flux_may_delete(request, clusters, removed, kustomization));
    let owned = objects.iter().flat_map(|one| one.installs.iter().chain(&one.packages));
    let by_kapp_controller = owned.map(|object| preconditions::kapp_controller_may_delete(&run.cluster, object));
    let (by_flux, by_kapp_controller) = futures::join!(join_all(by_flux), join_all(by_kapp_controller));
    for ((_, kustomization), may_delete) in kustomizations.iter().zip(by_flux) {
        checks.check("pruning", preconditions::deletes_what_it_applied(&request.namespace, kustomization));
        checks.check("Flux's permissions", may_delete);
    }
    for may_delete in by_kapp_controller {
        checks.check("installer", may_delete);
    }
    Ok(Some(RunFacts { display: run.cluster.display(), uid, objects }))
}

/// Reads what a delivery has on the run cluster.
async fn read_objects(
    request: &Request,
    build: &BuildCluster,
    run: &RunCluster,
    removed: &RemovedDelivery,
) -> Result<RunObjects> {
    if let Some(namespace) = removed.namespaces.first() {
        // Whatever kapp-controller holds would not be deleted while it does not answer.
        check::kapp_controller(&run.cluster, &run.served, namespace).await?;
    }
    let kustomizations = build.flux.kustomizations_of(removed);
    let shares_packages = build.is_shared(&removed.packages_kustomization);
    let keeps_workloads = request.keep_workloads;
    run_cluster::read(&run.cluster, &request.namespace, removed, kustomizations, keeps_workloads, shares_packages).await
}
