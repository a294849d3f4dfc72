//! `rotate`: gives run clusters new credentials, and revokes the old ones once Flux uses the new.
//!
//! What the user asks for lives in [`request`], what is read for all run clusters together in [`build_cluster`], what is found
//! out about each in [`gather`], and what follows from it in [`mod@plan`]. Each run cluster is rotated for itself: one that
//! fails does not keep the others from theirs.

mod build_cluster;
mod gather;
mod plan;
mod request;

use futures::future::join_all;

use self::build_cluster::{BuildCluster, Target};
use self::gather::Facts;
use self::request::Request;
use super::namespace::with_deliveries;
use super::preview::{self, Previewed};
use super::{context, outcome};
use crate::cli::{PreviewMode, RotateArgs};
use crate::cluster::{Cluster, Connection, Role};
use crate::error::{Error, ErrorKind, Result};
use crate::labels;
use crate::object::ObjectReference;
use crate::plan::execute::{Executor, execute, show};
use crate::plan::export::Contents;
use crate::plan::{LiveObjects, Place, Plan, Preview};
use crate::ui::events::Rotation;
use crate::ui::{Ui, prompt};

pub(super) async fn run(
    ui: Ui,
    mut connection: Connection,
    namespace: Option<String>,
    arguments: RotateArgs,
) -> Result<()> {
    context::choose(ui, &mut connection).await?;
    request::require(ui, &arguments)?;
    let (is_confirmed, waits, mode) = (arguments.confirm.yes, arguments.confirm.wait, arguments.preview.mode());
    let build = Cluster::connect(Role::Build, &connection).await?;
    let is_named = arguments.all || !arguments.run_clusters.is_empty();
    let namespace = if is_named {
        context::namespace(ui, &connection, namespace).await?
    } else {
        with_deliveries(ui, &build, namespace).await?
    };
    let read = BuildCluster::read(&build, &namespace).await?;
    let request = Request::ask(namespace, arguments, &read.rotatable()).await?;
    let build = build.forcing_conflicts(request.force_conflicts);
    let targets = read.targets(&build, &request).await?;
    let rotations = Rotations { ui, request, connection, build, read, waits };

    let prepared = join_all(targets.iter().map(|target| rotations.prepare(target))).await;
    if let Some(mode) = mode {
        return rotations.preview(&mode, prepared).await;
    }
    for prepared in prepared.iter().flatten() {
        let _ = show(&prepared.plan, &prepared.preview, rotations.executor(&prepared.run), is_confirmed);
    }
    if !is_confirmed && prepared.iter().any(Result::is_ok) {
        prompt::confirm().await?;
    }
    let results = join_all(prepared.iter().map(|prepared| rotations.rotate(prepared))).await;
    let reported: Vec<Rotation> =
        targets.iter().zip(&results).map(|(target, result)| rotations.conclusion(target, result)).collect();
    let failures: Vec<Error> = results.into_iter().filter_map(Result::err).collect();
    let failure = (!failures.is_empty()).then(|| ErrorKind::of_all(&failures));
    if !waits && failure.is_none() {
        let names: Vec<&str> = targets.iter().map(|target| target.run_cluster.as_str()).collect();
        let remaining = "the old credentials are still valid: the next rotation without --wait=false revokes them";
        return outcome::report_applied(ui, &names.join(", "), Some(remaining));
    }
    outcome::report_rotated(ui, &reported, failure)?;
    let Some(kind) = failure else { return Ok(()) };
    let message = format!("{} of {} run clusters not rotated", failures.len(), reported.len());
    Err(Error::several(kind, message, failures).reported())
}

/// What all rotations of one command share.
struct Rotations {
    ui: Ui,
    request: Request,
    connection: Connection,
    build: Cluster,
    read: BuildCluster,
    /// Whether Flux is seen to use the new credentials, so that the old ones can be revoked.
    waits: bool,
}

/// A rotation that can begin.
struct Prepared {
    run: Cluster,
    facts: Facts,
    plan: Plan,
    preview: Preview,
}

/// What is so after a rotation.
struct Rotated {
    /// When the new credential expires.
    expires: Option<String>,
    /// The Kustomizations that will use it once they are resumed.
    suspended: Vec<String>,
}

impl Rotations {
    /// Finds out everything about one run cluster, and plans its rotation. Nothing is written.
    async fn prepare(&self, target: &Target) -> Result<Prepared> {
        let Self { request, connection, build, read, .. } = self;
        let (run, facts) = gather::gather(request, connection, build, read, target).await?;
        let plan = plan::plan(request, &facts);
        let plan = if self.waits { plan } else { plan.without_waiting() };
        let secret = (Place::Build, request.secret_of(&target.run_cluster), target.secret.clone());
        let preview = Preview::of(&plan, &LiveObjects::new([secret]), self.executor(&run)).await?;
        Ok(Prepared { run, facts, plan, preview })
    }

    /// Shows what the rotations would do; those that cannot begin are failures.
    async fn preview(&self, mode: &PreviewMode, prepared: Vec<Result<Prepared>>) -> Result<()> {
        let (possible, failures): (Vec<_>, Vec<_>) = prepared.into_iter().partition(Result::is_ok);
        let failures: Vec<Error> = failures.into_iter().filter_map(Result::err).collect();
        if !failures.is_empty() {
            let message =
                format!("{} of {} run clusters cannot be rotated", failures.len(), failures.len() + possible.len());
            return Err(Error::several(ErrorKind::of_all(&failures), message, failures));
        }
        let previewed: Vec<Previewed<'_>> = possible
            .iter()
            .flatten()
            .map(|prepared| Previewed {
                plan: &prepared.plan,
                preview: &prepared.preview,
                executor: self.executor(&prepared.run),
                run_cluster: &prepared.facts.run_cluster,
            })
            .collect();
        preview::report(self.ui, mode, &previewed, Contents::Wanted).await
    }

    /// Carries the plan out, and returns what is stored then.
    async fn rotate(&self, prepared: &Result<Prepared>) -> Result<Rotated> {
        let Prepared { run, facts, plan, preview } = prepared.as_ref().map_err(Clone::clone)?;
        execute(plan, preview, self.executor(run)).await?;
        let stored = self.build.get_metadata(&self.request.secret_of(&facts.run_cluster)).await?;
        let annotations = stored.and_then(|secret| secret.metadata.annotations).unwrap_or_default();
        Ok(Rotated {
            expires: annotations.get(labels::EXPIRES).cloned(),
            suspended: facts.suspended.iter().map(ObjectReference::display).collect(),
        })
    }

    fn executor<'a>(&'a self, run: &'a Cluster) -> Executor<'a> {
        Executor { build: &self.build, run: Some(run), checkouts: &[], ui: self.ui }
    }

    fn conclusion(&self, target: &Target, result: &Result<Rotated>) -> Rotation {
        let (namespace, run_cluster) = (&self.request.namespace, &target.run_cluster);
        match result {
            Ok(rotated) => Rotation::done(namespace, run_cluster, rotated.expires.clone(), rotated.suspended.clone()),
            Err(error) => Rotation::failed(namespace, run_cluster, error),
        }
    }
}
