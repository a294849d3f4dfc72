//! Carries a plan out, step by step. Interrupting it at any point and running the command again completes it, unless it turns
//! out that it never can: then what it has made is taken back.

mod awaiting;
mod fetching;
mod minting;
mod proving;
mod requesting;
mod storing;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use self::minting::MintFailure;
pub(crate) use super::executor::Executor;
use super::preview::Preview;
use super::refusals;
use super::show::Shown;
use super::steps::{Apply, Change, Commit, Delete, Place, Plan, Step};
use crate::authentication::acceptance::Address;
use crate::error::{Error, Result};
use crate::gitops::checkout::PushOutcome;
use crate::object::ObjectReference;
use crate::ui::{Ui, prompt};

/// How long a plan may wait that has no timeout of its own.
const WAIT_LIMIT: Duration = Duration::from_mins(10);

/// Shows the plan, asks, and carries it out; says so where there is nothing to do.
pub(crate) async fn confirm_and_execute(
    plan: &Plan,
    preview: &Preview,
    executor: Executor<'_>,
    is_confirmed: bool,
) -> Result<()> {
    if !show(plan, preview, executor, is_confirmed) {
        return Ok(());
    }
    if !is_confirmed {
        prompt::confirm().await?;
    }
    execute(plan, preview, executor).await
}

/// Shows the plan, and tells whether there is anything to do; says so where there is not.
#[must_use]
pub(crate) fn show(plan: &Plan, preview: &Preview, executor: Executor<'_>, is_confirmed: bool) -> bool {
    show_together(&[(plan, preview, executor.headings())], executor.ui, is_confirmed)
}

/// Does the same for plans that are carried out together.
#[must_use]
pub(crate) fn show_together(plans: &[Shown<'_>], ui: Ui, is_confirmed: bool) -> bool {
    for (plan, ..) in plans {
        advise(plan, ui);
    }
    if !plans.iter().any(|(plan, preview, _)| preview.changes_something(plan)) {
        let steps = plans.iter().flat_map(|(plan, ..)| &plan.steps);
        let objects = steps.filter(|step| step.is_about_an_object()).count();
        ui.done(&match objects {
            0 => "nothing to change".to_owned(),
            _ => format!("nothing to change: {objects} objects are as wanted already"),
        });
        return false;
    }
    for line in super::show::lines(plans) {
        // Who is asked must see what about.
        if is_confirmed { ui.status(&line) } else { ui.proposal(&line) }
    }
    true
}

/// Says what a plan warns of, and what is good to know beside it.
pub(crate) fn advise(plan: &Plan, ui: Ui) {
    for warning in &plan.warnings {
        ui.warning(warning);
    }
    for note in &plan.notes {
        ui.status(note);
    }
}

/// What a plan has come to so far, for the steps that follow.
#[derive(Default)]
struct Progress {
    /// The objects that did not exist before.
    made: Vec<Made>,
    /// Where the credential works that was minted.
    proven_at: Option<Address>,
    /// Whether a commit was pushed.
    has_pushed: bool,
}

impl Progress {
    /// Returns the UID of an object that the plan has made.
    fn uid(&self, place: Place, reference: &ObjectReference) -> Option<&str> {
        let made = self.made.iter().find(|made| made.place == place && made.reference == *reference)?;
        made.uid.as_deref()
    }
}

/// An object that a plan has made.
struct Made {
    place: Place,
    reference: ObjectReference,
    uid: Option<String>,
}

/// Carries a confirmed plan out.
pub(crate) async fn execute(plan: &Plan, preview: &Preview, executor: Executor<'_>) -> Result<()> {
    let deadline = Instant::now() + plan.timeout.unwrap_or(WAIT_LIMIT);
    // What Flux answers with; one will do, since no object is asked twice.
    let token = Timestamp::now().to_string();
    let mut progress = Progress::default();
    let mut done = Vec::new();
    for (step, change) in preview.steps(plan) {
        let result = match step {
            Step::Apply(_) | Step::Mint(_) if *change == Change::None => Ok(()),
            Step::Apply(apply) => executor.apply(apply, change, deadline).await.map(|made| progress.made.extend(made)),
            Step::Delete(delete) => executor.delete(delete, &progress).await,
            Step::Commit(commit) if commit.changes.is_empty() => Ok(()),
            Step::Commit(commit) => executor.commit(commit).await.map(|()| progress.has_pushed = true),
            Step::Mint(mint) => match executor.mint(mint, change, deadline).await {
                Ok(address) => {
                    progress.proven_at = address;
                    Ok(())
                }
                Err(MintFailure::Useless(error)) => return Err(executor.take_back(&progress, error).await),
                Err(MintFailure::Other(error)) => Err(error),
            },
            Step::Request(request) => executor.request(request, &token, deadline).await,
            Step::Await(awaited) => executor.wait_for(awaited, &token, deadline).await,
            Step::Prove(proof) => executor.prove(proof, progress.proven_at, deadline).await,
        };
        result.map_err(|error| with_what_is_done(error, step, &done))?;
        if step.changes_something(change) {
            done.extend(step.object().map(|object| object.display()));
        }
    }
    Ok(())
}

/// Adds what a plan has done that ends with this error.
fn with_what_is_done(error: Error, step: &Step, done: &[String]) -> Error {
    let is_commit = matches!(step, Step::Commit(_));
    if is_commit && done.is_empty() {
        return error.because("nothing was written on a cluster");
    }
    // Of other steps the errors say what they left.
    let error = if is_commit { error.because(format!("done before: {}", done.join(", "))) } else { error };
    error.hint("what is done stays; the same command completes the rest")
}

impl Executor<'_> {
    /// Applies an object, and returns it where it is new.
    async fn apply(self, apply: &Apply, change: &Change, deadline: Instant) -> Result<Option<Made>> {
        let cluster = self.cluster(apply.place)?;
        let applied = self.store(cluster, &apply.manifest, deadline).await;
        let applied = applied.map_err(|error| refusals::with_way_out(error, &apply.manifest))?;
        let reference = ObjectReference::of(&apply.manifest)?;
        self.report_applied(change, &reference.display(), cluster);
        let made = || Made { place: apply.place, reference, uid: applied.metadata.uid };
        Ok((*change == Change::Create).then(made))
    }

    /// Deletes what a plan has made that cannot be carried out, last things first, and returns why with what stays.
    ///
    /// No step lists these deletions: nothing is deleted but what the plan lists as new, and only where it ends here.
    /// A namespace stays: what others have put there since would go with it. So does a commit, on which others may have built.
    async fn take_back(self, progress: &Progress, mut why: Error) -> Error {
        for Made { place, reference, uid } in progress.made.iter().rev() {
            let Ok(cluster) = self.cluster(*place) else { continue };
            let display = format!("{} on {}", reference.display(), cluster.display());
            let deleted = match uid {
                _ if reference.resource.kind == "Namespace" => Err("others may have put something there".to_owned()),
                Some(uid) => cluster.delete(reference, Some(uid), false).await.map_err(|error| error.to_string()),
                None => Err("its UID is not known".to_owned()),
            };
            match deleted {
                Ok(_) => self.ui.done(&format!("took {display} back")),
                Err(reason) => why = why.hint(format!("{display} stays: {reason}")),
            }
        }
        if progress.has_pushed {
            why = why.hint("the commit stays in Git: it has no effect as long as no Kustomization applies it");
        }
        why
    }

    /// Deletes an object; one that is gone already is no failure.
    async fn delete(self, delete: &Delete, progress: &Progress) -> Result<()> {
        let cluster = self.cluster(delete.place)?;
        // The UID of what this plan has made is not known before; only with one is a request that got no answer sent again.
        let uid = delete.uid.as_deref().or_else(|| progress.uid(delete.place, &delete.reference));
        if cluster.delete(&delete.reference, uid, false).await? {
            self.ui.done(&format!("deleted {} on {}", delete.reference.display(), cluster.display()));
        }
        Ok(())
    }

    async fn commit(self, commit: &Commit) -> Result<()> {
        let outcome = self.checkout(commit)?.commit_and_push(&commit.changes, &commit.message).await?;
        let sha = outcome.sha();
        let (sha, repository) = (&sha[..8.min(sha.len())], &commit.repository);
        self.ui.done(&match &outcome {
            PushOutcome::Pushed { .. } | PushOutcome::Unchanged { .. } => format!("pushed {sha} to {repository}"),
            PushOutcome::Committed { .. } => format!("committed {sha} to {repository}"),
        });
        if let PushOutcome::Pushed { links, .. } = &outcome {
            for link in links {
                self.ui.demand(&format!("The Git server offers a pull request: {link}"));
            }
        }
        Ok(())
    }
}
