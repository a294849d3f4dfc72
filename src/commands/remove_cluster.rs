//! `remove-cluster`: the reverse of `add-cluster`, in the order that leaves nothing behind.
//!
//! What the user asks for lives in [`request`]; what is found out in [`gather`], from [`build_cluster`] with [`flux_objects`],
//! [`mod@run_cluster`], [`identities`] with [`unreferenced`], and [`repository`]; what is refused in [`preconditions`]; what
//! follows from it all in [`mod@plan`]. [`removal_record`] is what an interrupted removal goes on from, [`left_behind`] what
//! `--force` leaves on the run cluster.

mod build_cluster;
mod clusters;
#[cfg(test)]
mod fixtures;
mod flux_objects;
mod gather;
mod identities;
mod left_behind;
mod plan;
mod preconditions;
mod removal_record;
mod repository;
mod request;
mod run_cluster;
mod unreferenced;

use std::time::Duration;

use self::build_cluster::BuildCluster;
use self::clusters::Clusters;
use self::flux_objects::FluxObjects;
use self::gather::Facts;
use self::request::Request;
use super::namespace::with_deliveries;
use super::preview::{self, Previewed};
use super::{context, outcome, repeat};
use crate::cli::{PreviewMode, RemoveClusterArgs};
use crate::cluster::{Cluster, Connection, Role};
use crate::error::{ErrorKind, Result};
use crate::gitops::checkout::Checkout;
use crate::observe::Delivery;
use crate::plan::Preview;
use crate::plan::execute::{Executor, confirm_and_execute};
use crate::plan::export::Contents;
use crate::ui::Ui;
use crate::ui::events::Removal;

pub(super) async fn run(
    ui: Ui,
    mut connection: Connection,
    namespace: Option<String>,
    arguments: RemoveClusterArgs,
) -> Result<()> {
    context::choose(ui, &mut connection).await?;
    request::require(ui, &arguments)?;
    let (is_confirmed, waits, mode) = (arguments.confirm.yes, arguments.confirm.wait, arguments.preview.mode());
    let build = Cluster::connect(Role::Build, &connection).await?;
    // A removal that was interrupted may have left no delivery behind.
    let namespace = if arguments.run_cluster.is_some() {
        context::namespace(ui, &connection, namespace).await?
    } else {
        with_deliveries(ui, &build, namespace).await?
    };
    let flux = FluxObjects::read(&build, &namespace).await?;
    let request = Request::ask(ui, &connection, namespace, arguments, &flux.delivered()).await?;
    let clusters = Clusters::reach(&request, build, connection).await?;
    let flux = if request.commit.is_merged {
        wait_for_merge(ui, &request, &clusters, flux, mode.as_ref()).await?
    } else {
        flux
    };

    let (facts, checkouts) = Box::pin(gather::gather(&request, &clusters, flux, ui)).await?;
    let plan = plan::plan(&request, &facts);
    let all = plan.steps.len();
    let plan = if waits { plan } else { plan.without_waiting() };
    let run = clusters.run.as_ref().map(|run| &run.cluster);
    let executor = Executor { build: &clusters.build, run, checkouts: &checkouts, ui };
    let preview = Preview::of(&plan, &facts.build.live, executor).await?;
    if let Some(mode) = mode {
        let previewed = Previewed { plan: &plan, preview: &preview, executor, run_cluster: &request.run_cluster };
        return preview::report(ui, &mode, &[previewed], Contents::Removed).await;
    }
    if let Err(error) = confirm_and_execute(&plan, &preview, executor, is_confirmed).await {
        return Err(match error.kind() {
            ErrorKind::Timeout => preconditions::explain_timeout(&request, &clusters, &facts.build, error).await,
            _ => error,
        });
    }
    if request.commit.push_branch.is_some() {
        let command = repeat::without(&repeat::words(), &repeat::OF_COMMITS);
        return outcome::report_committed(ui, &request.run_cluster, vec![format!("{command} --wait-for-merge")]);
    }
    if plan.steps.len() < all {
        let remaining = format!(
            "the removal of `{}` has begun: the same command does what comes next, without --wait=false all of it",
            request.run_cluster
        );
        return outcome::report_applied(ui, &request.run_cluster, Some(&remaining));
    }
    for command in checkouts.iter().filter_map(Checkout::push_command) {
        ui.proposal(&format!("The commit was not pushed, and nothing reads the files any more; to push it: {command}"));
    }
    outcome::report_removed(ui, &removal(&request, &facts))
}

/// Waits for the merge of a pull request, and reads again what there is by then.
async fn wait_for_merge(
    ui: Ui,
    request: &Request,
    clusters: &Clusters,
    flux: FluxObjects,
    mode: Option<&PreviewMode>,
) -> Result<FluxObjects> {
    let timeout = if mode.is_some() { Duration::ZERO } else { request.timeout };
    let build = BuildCluster::read(request, clusters, flux).await?;
    Box::pin(repository::wait_for_merge(ui, request, clusters, &build, timeout)).await?;
    FluxObjects::read(&clusters.build, &request.namespace).await
}

/// Says what is gone, and what is not.
fn removal(request: &Request, facts: &Facts) -> Removal {
    let Facts { build, run, identities, repositories, .. } = facts;
    let delivery =
        |removed: &removal_record::RemovedDelivery| removed.delivery(&request.namespace, &request.run_cluster);
    let deliveries: Vec<Delivery> = build.removed.iter().map(delivery).collect();
    let left = run.iter().flat_map(|run| &run.objects).flat_map(|objects| &objects.left);
    let credentials = left_behind::credentials(request, build, identities);
    Removal::new(
        &request.namespace,
        &request.run_cluster,
        &deliveries,
        request.keep_workloads,
        identities.left.iter().chain(left).chain(&repositories.left).cloned().collect(),
        left_behind::applied(request, build).into_iter().chain(credentials).collect(),
    )
}
