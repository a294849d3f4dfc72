//! Carries a plan out, step by step. Interrupting it at any point and running the command again completes it.

use std::time::Duration;

use tokio::time::Instant;

use super::show::Headings;
use super::{Change, Place, Plan, Preview, Step};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::gitops::checkout::Checkout;
use crate::object::ObjectReference;
use crate::observe::expectation::short_revision;
use crate::observe::fetch::{Freshness, fetch};
use crate::ui::{Ui, prompt};

/// How long Flux may take to fetch a pushed commit.
const FETCH_LIMIT: Duration = Duration::from_secs(90);

/// How long a plan may wait that has no timeout of its own.
const WAIT_LIMIT: Duration = Duration::from_mins(10);

/// What a plan is carried out with.
#[derive(Clone, Copy)]
pub struct Executor<'a> {
    /// The build cluster.
    pub build: &'a Cluster,
    /// The run cluster, where the plan has steps for one.
    pub run: Option<&'a Cluster>,
    /// The checkouts of the repositories that the plan commits to.
    pub checkouts: &'a [Checkout],
    /// Where to report.
    pub ui: Ui,
}

/// Shows the plan, asks, and carries it out; says so where there is nothing to do.
pub async fn confirm_and_execute(
    plan: &Plan,
    preview: &Preview,
    executor: Executor<'_>,
    is_confirmed: bool,
) -> Result<()> {
    if !show(plan, preview, executor, is_confirmed) {
        return Ok(());
    }
    if !is_confirmed {
        prompt::confirm()?;
    }
    execute(plan, preview, executor).await
}

/// Shows the plan, and tells whether there is anything to do; says so where there is not.
#[must_use]
pub fn show(plan: &Plan, preview: &Preview, executor: Executor<'_>, is_confirmed: bool) -> bool {
    let ui = executor.ui;
    for warning in &plan.warnings {
        ui.warning(warning);
    }
    for note in &plan.notes {
        ui.status(note);
    }
    if !preview.changes_something(plan) {
        let objects = plan.steps.iter().filter(|step| step.is_about_an_object()).count();
        ui.done(&format!("nothing to change: {objects} objects are as wanted already"));
        return false;
    }
    for line in super::show::lines(plan, preview, &executor.headings()) {
        // Who is asked must see what about.
        if is_confirmed { ui.status(&line) } else { ui.proposal(&line) }
    }
    true
}

/// Carries a confirmed plan out.
pub async fn execute(plan: &Plan, preview: &Preview, executor: Executor<'_>) -> Result<()> {
    let deadline = Instant::now() + plan.timeout.unwrap_or(WAIT_LIMIT);
    for (step, change) in preview.steps(plan) {
        executor
            .execute(step, change, deadline)
            .await
            .map_err(|error| error.hint("what is done stays; the same command completes the rest"))?;
    }
    Ok(())
}

impl Executor<'_> {
    async fn execute(self, step: &Step, change: &Change, deadline: Instant) -> Result<()> {
        match step {
            Step::Apply(_) | Step::StoreCredential(_) if *change == Change::None => Ok(()),
            Step::Apply(apply) => {
                let cluster = self.cluster(apply.place)?;
                cluster.apply(&apply.manifest, false).await?;
                self.report(change, &ObjectReference::of(&apply.manifest)?.display(), cluster);
                Ok(())
            }
            Step::StoreCredential(store) => self.store_credential(store, change).await,
            Step::Commit(commit) if commit.changes.is_empty() => Ok(()),
            Step::Commit(commit) => {
                let checkout = self.checkouts.iter().find(|checkout| checkout.display() == commit.repository);
                let checkout = checkout.ok_or_else(|| Error::new("the plan has a commit, but no checkout"))?;
                let outcome = checkout.commit_and_push(&commit.changes, &commit.message).await?;
                self.ui.done(&format!(
                    "pushed {} to {}",
                    &outcome.sha()[..8.min(outcome.sha().len())],
                    commit.repository
                ));
                Ok(())
            }
            Step::ProveIdentity(proof) => self.prove_identity(proof).await,
            Step::Fetch { source } => {
                let revision = fetch(self.build, source, Freshness::NewCommits, FETCH_LIMIT).await?;
                self.ui.done(&format!("Flux has fetched {}", short_revision(&revision)));
                Ok(())
            }
            Step::KeepWorkloads(keep) => self.keep_workloads(keep, deadline).await,
            Step::Suspend(suspend) => self.suspend(suspend).await,
            Step::NothingLeft(expected) => self.prove_nothing_left(expected).await,
            Step::Delete(delete) => self.delete(delete).await,
            Step::WaitUntilGone(gone) => self.wait_until_gone(gone, deadline).await,
            Step::SeeUsed(used) => self.see_used(used, deadline).await,
            Step::StillStored(expected) => self.prove_still_stored(expected).await,
            Step::ProveDead(dead) => self.prove_dead(dead).await,
        }
    }

    fn headings(self) -> Headings {
        let heading = |cluster: &Cluster| format!("{} at {}", cluster.display(), cluster.server());
        Headings { build: heading(self.build), run: self.run.map(heading).unwrap_or_default() }
    }

    /// Returns the cluster that a step is about.
    pub(super) fn cluster(&self, place: Place) -> Result<&Cluster> {
        match place {
            Place::Build => Ok(self.build),
            Place::Run => self.run_cluster(),
        }
    }

    pub(super) fn run_cluster(&self) -> Result<&Cluster> {
        self.run.ok_or_else(|| Error::new("the plan has steps for a run cluster, but none is connected"))
    }

    pub(super) fn report(self, change: &Change, what: &str, cluster: &Cluster) {
        let verb = if *change == Change::Create { "created" } else { "updated" };
        self.ui.done(&format!("{verb} {what} on {}", cluster.display()));
    }
}
