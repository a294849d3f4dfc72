//! What `add-cluster` finds out before it plans: [`Facts`] of each delivery, and the checkouts that the plan commits to. Reads
//! only.
//!
//! What deliveries share is read once: of the [`build_cluster`], of each [`run_cluster`], of the [`repositories`]; what is left is
//! found out about each [`delivery`]. All that is wrong is reported together, as findings of named checks. Each subject has a file
//! of its own; [`retarget`] and [`permissions`] refuse.

mod access;
mod build_cluster;
mod credential;
mod delivery;
mod encryption;
mod installer;
mod live;
mod merge;
mod permissions;
mod repositories;
mod repository;
mod retarget;
mod run_cluster;
mod values;

use std::cell::OnceCell;

use futures::future::join_all;
use futures::join;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use self::build_cluster::BuildCluster;
use self::delivery::{Context, Found};
pub(super) use self::merge::wait_for_merge;
use self::repositories::Repositories;
use self::run_cluster::RunCluster;
use super::clusters::Target;
use super::facts::{ExistingCredential, Facts};
use super::request::{InstallerRequest, Request};
use crate::check::{self, Checks, Skipped};
use crate::error::Result;
use crate::gitops::checkout::Checkout;
use crate::plan::LiveObjects;
use crate::ui::Ui;

/// How many deliveries are looked at at a time.
const AT_A_TIME: usize = 16;

/// What was found out about all deliveries of a command.
pub(super) struct Gathered {
    /// The facts of the deliveries, for each run cluster in turn.
    pub(super) facts: Vec<Vec<Facts>>,
    /// The checkouts to commit in.
    pub(super) checkouts: Vec<Checkout>,
    pub(super) warnings: Vec<String>,
}

/// Gathers and checks everything; all findings are reported together, before anything is written.
///
/// What needs nothing of another is read at the same time.
pub(super) async fn gather(ui: Ui, targets: &[Target]) -> Result<Gathered> {
    let mut gathered = Box::pin(check_all(ui, targets)).await?;
    live::read(targets, &mut gathered.facts).await?;
    Ok(gathered)
}

/// Reads and checks everything but the objects that the plan is about: which these are is known only then.
async fn check_all(ui: Ui, targets: &[Target]) -> Result<Gathered> {
    let mut checks = Checks::default();
    let Some(first) = targets.first() else {
        return Ok(Gathered { facts: Vec::new(), checkouts: Vec::new(), warnings: Vec::new() });
    };
    let versions = check::flux(&first.clusters.build, &first.clusters.build_served);
    let versions = checks.take("Flux", versions);
    let (build, runs, repositories) = join!(
        Checks::apart(async |checks| {
            Box::pin(BuildCluster::read(checks, &first.clusters, &first.first().namespace, versions)).await
        }),
        join_all(targets.iter().map(|target| Checks::apart(async |checks| RunCluster::read(checks, target).await))),
        // Boxed: it is by far the largest of these futures.
        Checks::apart(async |checks| Box::pin(Repositories::read(checks, ui, targets, versions)).await),
    );
    let build = checks.take_in(build);
    let runs: Vec<RunCluster> = runs.into_iter().map(|run| checks.take_in(run)).collect();
    let repositories = checks.take_in(repositories);
    let found = check_deliveries(&mut checks, targets, &build, &runs, &repositories).await;
    if let Ok(versions) = versions {
        let planned: Vec<_> = targets
            .iter()
            .zip(&runs)
            .zip(&found)
            .filter_map(|((target, run), found)| planned(target, run, found))
            .collect();
        // One that is missing explains some of the other findings.
        permissions::check(&mut checks, versions, &planned).await;
    }
    let about_file = first.first().installer.as_ref().map(InstallerRequest::warnings).unwrap_or_default();
    let warnings = [about_file, checks.warnings().as_slice()].concat();
    let facts = || {
        let of_target =
            |((target, run), found): ((&Target, &RunCluster), Vec<Found>)| facts(target, &build, run, found);
        targets.iter().zip(&runs).zip(found).map(of_target).collect()
    };
    let facts = checks.finish(facts())?;
    Ok(Gathered { facts, checkouts: repositories.into_checkouts(), warnings })
}

/// Looks at all deliveries; where there are several, findings name those that they are about.
async fn check_deliveries(
    checks: &mut Checks,
    targets: &[Target],
    build: &BuildCluster,
    runs: &[RunCluster],
    repositories: &Repositories,
) -> Vec<Vec<Found>> {
    let new_key = OnceCell::new();
    let mut contexts = Vec::new();
    for ((target, run), packages) in targets.iter().zip(runs).zip(repositories.of_deliveries()) {
        let clusters = &target.clusters;
        for (request, repository) in target.deliveries().zip(packages) {
            contexts.push((Context { clusters, request, build, run, new_key: &new_key }, repository));
        }
    }
    let looks = contexts.iter().map(|(context, repository)| {
        Checks::apart(async |checks| Box::pin(delivery::check(checks, *context, *repository)).await)
    });
    let looked: Vec<(Checks, Found)> = stream::iter(looks).buffered(AT_A_TIME).collect().await;
    let (of_each, found): (Vec<Checks>, Vec<Found>) = looked.into_iter().unzip();
    let names = contexts.iter().map(|(context, _)| context.request.display());
    checks.take_in_all(names.zip(of_each).collect());
    let mut found = found.into_iter();
    targets.iter().map(|target| found.by_ref().take(target.deliveries().count()).collect()).collect()
}

/// Says what will be written for the deliveries to a run cluster.
fn planned<'a>(target: &'a Target, run: &'a RunCluster, found: &'a [Found]) -> Option<permissions::Planned<'a>> {
    let authentication = run.authentication.as_ref().ok()?;
    let existing = run.existing();
    let writes = |(number, (request, found)): (usize, (&'a Request, &'a Found))| {
        let writes = permissions::PlannedWrites {
            authentication,
            existing,
            is_led: number != run.leading,
            impersonated: found.access.as_ref().ok().and_then(|(_, impersonated)| impersonated.as_ref()),
            installer: found.content.as_ref().ok().map(|content| &content.installer),
            creates_namespace: run.creates(&request.target_namespace).unwrap_or_default(),
            has_metadata: found.package.as_ref().is_ok_and(|(package, _)| package.has_metadata),
        };
        (request, writes)
    };
    let deliveries = target.deliveries().zip(found).enumerate().map(writes).collect();
    Some(permissions::Planned { clusters: &target.clusters, deliveries })
}

/// Puts the facts of the deliveries to a run cluster together.
fn facts(target: &Target, build: &BuildCluster, run: &RunCluster, found: Vec<Found>) -> Result<Vec<Facts>, Skipped> {
    let now = Timestamp::now();
    let led_by = target.deliveries().nth(run.leading).map(|leading| leading.target_namespace.clone());
    let metadata: Vec<(&str, bool)> = target
        .deliveries()
        .zip(&found)
        .map(|(request, found)| {
            let has_metadata = found.package.as_ref().is_ok_and(|(package, _)| package.has_metadata);
            (request.target_namespace.as_str(), has_metadata)
        })
        .collect();
    let (endpoint, working_token) = run.credential.clone()?;
    let existing_credential: Option<ExistingCredential> = run.existing.clone()?;
    let mut all = Vec::new();
    for (number, (request, found)) in target.deliveries().zip(found).enumerate() {
        let ((package, directory), content) = (found.package?, found.content?);
        let (proof, impersonated) = found.access?;
        found.kustomizations?;
        let namespace = &request.target_namespace;
        all.push(Facts {
            now,
            versions: build.versions?,
            build_uid: build.uid.clone()?,
            run_uid: run.uid.clone()?,
            run_display: target.clusters.run.display(),
            repository: found.repository?,
            shares_metadata: metadata.iter().any(|(of, has_metadata)| of == namespace && *has_metadata),
            package,
            directory,
            version_constraints: content.selected.constraints,
            prereleases: content.selected.prereleases,
            version: content.selected.version,
            values: content.values,
            encryption: content.encryption,
            existing_credential: existing_credential.clone(),
            stored: run.stored.clone(),
            working_token: working_token.clone(),
            authentication: run.authentication.clone()?,
            led_by: led_by.clone().filter(|_| number != run.leading),
            endpoint: endpoint.clone(),
            user_endpoint: target.clusters.user_endpoint.clone(),
            may_read: proof.may_read,
            impersonated,
            user: proof.user,
            installer: content.installer,
            creates_namespace: run.creates(namespace)?,
            live: LiveObjects::default(),
            has_health_check_expressions: true,
        });
    }
    Ok(all)
}
