//! `add-cluster`: delivers packages to run clusters.
//!
//! Read downward: flags and questions ([`ask`], [`walk`]) lead to a [`request`] for each delivery and the [`clusters`] it is about;
//! what is found out about them ([`gather`]) are the [`facts`]; from both follows the [`mod@plan`], whose objects are built in
//! [`manifests`] and which is carried out in [`stages`]. What is asked of one of several packages is in [`packages`] and
//! [`package_request`]; flags that had another meaning are in [`renamed`].

mod ask;
mod clusters;
mod facts;
mod gather;
mod list;
mod listed;
mod manifests;
mod package_request;
mod packages;
mod plan;
mod renamed;
mod request;
mod stages;
mod targets;
mod unprepared;
mod walk;

use std::time::Duration;

use self::clusters::Target;
use self::facts::Facts;
use self::gather::Gathered;
use self::plan::Delivery;
use self::stages::Prepared;
use super::walk::lead_back;
use super::{outcome, preview, repeat};
use crate::check;
use crate::cli::AddClusterArgs;
use crate::cluster::Connection;
use crate::error::{Error, Result};
use crate::flux::{Kustomization, kustomization_resource};
use crate::gitops::checkout::Checkout;
use crate::gitops::credentials::GitCredentials;
use crate::observe::delivery::find;
use crate::observe::wait::{WaitRequest, wait};
use crate::plan::export::Contents;
use crate::ui::{Ui, progress};

/// Delivers a package; `words` are what was typed for it, `credentials` those that the repository is known to take.
pub(super) async fn run(
    ui: Ui,
    mut connection: Connection,
    namespace: Option<String>,
    mut arguments: AddClusterArgs,
    words: Vec<String>,
    credentials: Option<GitCredentials>,
) -> Result<()> {
    renamed::check(ui, &connection, &arguments)?;
    let mut led = None;
    let (asked, gathered) = loop {
        let asked =
            ask::ask(ui, &mut connection, namespace.clone(), &mut arguments, credentials.clone(), &mut led).await?;
        let gathered = find_out(ui, &asked.targets, &arguments).await;
        match gathered {
            // What was answered is not lost: only what is wrong is asked again.
            Err(error) if lead_back(ui, led.as_mut(), &error) => {}
            gathered => break (asked, gathered),
        }
    };
    let result = match gathered {
        Ok(gathered) => deliver(ui, &asked.targets, &arguments, &words, gathered).await,
        Err(error) => Err(error),
    };
    repeat::tell(ui, &words, &asked.answers);
    result
}

/// Waits for a merge where that is asked for, and finds out and checks everything.
async fn find_out(ui: Ui, targets: &[Target], arguments: &AddClusterArgs) -> Result<Gathered> {
    if let Some(commit) = &arguments.wait_for_merge {
        let timeout = if arguments.preview.mode().is_some() { Duration::ZERO } else { arguments.confirm.timeout };
        Box::pin(gather::wait_for_merge(ui, targets, commit, timeout)).await?;
    }
    Box::pin(gather::gather(ui, targets)).await
}

/// Plans, previews, confirms, carries out, and waits.
async fn deliver(
    ui: Ui,
    targets: &[Target],
    arguments: &AddClusterArgs,
    words: &[String],
    gathered: Gathered,
) -> Result<()> {
    let Gathered { facts, checkouts, warnings } = gathered;
    let Some(first) = targets.first() else { return Ok(()) };
    let (request, clusters) = (first.first(), &first.clusters);
    let deliveries: Vec<Vec<Delivery<'_>>> = targets
        .iter()
        .zip(&facts)
        .map(|(target, facts)| {
            target.deliveries().zip(facts).map(|(request, facts)| Delivery { request, facts }).collect()
        })
        .collect();
    let names = names_of(&deliveries);
    let prepared = Prepared::of(ui, &clusters.build, targets, &deliveries, &checkouts, warnings, arguments).await?;
    if let Some(mode) = arguments.preview.mode() {
        return preview::report(ui, &mode, &prepared.previewed(), Contents::Wanted).await;
    }
    let failed = prepared.confirm_and_execute(arguments.confirm.yes).await?;
    if request.commit.is_held_back() {
        let mut next = Vec::new();
        for checkout in &checkouts {
            next.extend(next_commands(checkout, &checkout.revision().await?, words));
        }
        return outcome::report_committed(ui, &names, next);
    }
    if !arguments.confirm.wait {
        unprepared::refuse(&failed)?;
        return outcome::report_applied(ui, &names, None);
    }

    let versions = check::flux(&clusters.build, &clusters.build_served)?;
    let kustomizations: Vec<Kustomization> =
        clusters.build.list(&kustomization_resource(versions.kustomization), &request.namespace).await?;
    let mut found = find(&kustomizations);
    let prepared_deliveries = deliveries.iter().zip(&failed).filter(|(_, failed)| failed.is_none());
    let prepared_deliveries: Vec<&Delivery<'_>> = prepared_deliveries.flat_map(|(of_target, _)| of_target).collect();
    found.retain(|found| prepared_deliveries.iter().any(|delivery| delivery.is(found)));
    if found.is_empty() && !prepared_deliveries.is_empty() {
        return Err(Error::new("the Kustomizations that were just applied are gone")
            .hint(format!("see who deleted them: kubectl -n {} get events", request.namespace)));
    }
    let run_contexts = targets.iter().zip(&facts).filter_map(|(target, facts)| {
        let is_needed = facts.iter().any(Facts::needs_user_context_to_read);
        is_needed.then(|| (target.first().run_cluster.clone(), target.clusters.run.context().to_owned()))
    });
    let wait_request = WaitRequest {
        deliveries: found.clone(),
        run_contexts: run_contexts.collect(),
        connection: clusters.run_connection.clone(),
        timeout: arguments.confirm.timeout,
        commit: None,
        requests_fetch: true,
        fails_fast: false,
        endpoint_changes: prepared.endpoint_changes(),
    };
    let mut outcomes = wait(&clusters.build, versions, wait_request, progress::reporter(ui).as_mut()).await?;
    for (delivery, outcome) in unprepared::outcomes(targets, &failed) {
        found.push(delivery);
        outcomes.push(outcome);
    }
    outcome::report(ui, &found, &outcomes)
}

/// Names the deliveries of a command.
fn names_of(deliveries: &[Vec<Delivery<'_>>]) -> String {
    deliveries.iter().flatten().map(|delivery| delivery.request.display()).collect::<Vec<_>>().join(", ")
}

/// Returns the commands that finish what a commit has begun which Flux does not follow yet.
fn next_commands(checkout: &Checkout, revision: &str, words: &[String]) -> Vec<String> {
    let command = |left_out: &[(&str, bool)]| repeat::without(words, &[&repeat::OF_FILES, left_out].concat());
    match checkout.push_command() {
        Some(push) => vec![push, command(&[("--no-push", false)])],
        None => vec![format!("{} --wait-for-merge {revision}", command(&repeat::OF_COMMITS))],
    }
}
