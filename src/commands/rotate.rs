//! `rotate`: gives run clusters new credentials, and revokes the old ones once Flux uses the new.
//!
//! Which run clusters are meant lives in [`targets`], what is found out about each in [`gather`], what must be allowed in [`permissions`], and what follows from it in
//! [`rotation_plan`]. Each run cluster is rotated for itself: one that fails does not keep the others from theirs.

mod gather;
mod permissions;
mod rotation_plan;
mod targets;

use futures::future::join_all;

use self::gather::Facts;
use self::targets::{Answers, Target};
use super::outcome;
use crate::cli::RotateArgs;
use crate::cluster::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::object::ObjectReference;
use crate::plan::execute::{Executor, execute, show};
use crate::plan::{Plan, Preview};
use crate::ui::events::Rotation;
use crate::ui::{Ui, prompt};

pub(super) async fn run(
    ui: Ui,
    mut connection: Connection,
    namespace: Option<String>,
    arguments: RotateArgs,
) -> Result<()> {
    super::choose_context(ui, &mut connection)?;
    let answers = targets::ask(ui, &connection, namespace, &arguments).await?;

    let prepared = join_all(answers.targets.iter().map(|target| prepare(&answers, target))).await;
    let is_confirmed = arguments.confirm.yes;
    for Prepared { facts, plan, preview } in prepared.iter().flatten() {
        let _ = show(plan, preview, executor(&answers, facts), is_confirmed);
    }
    if !is_confirmed && prepared.iter().any(Result::is_ok) {
        prompt::confirm()?;
    }
    let results = join_all(prepared.iter().map(|prepared| rotate(&answers, prepared))).await;
    let rotations: Vec<Rotation> =
        answers.targets.iter().zip(&results).map(|(target, result)| conclusion(&answers, target, result)).collect();
    let failures: Vec<Error> = results.into_iter().filter_map(Result::err).collect();
    let failure = (!failures.is_empty()).then(|| ErrorKind::of_all(&failures));
    outcome::report_rotated(ui, &rotations, failure)?;
    let Some(kind) = failure else { return Ok(()) };
    let message = format!("{} of {} run clusters not rotated", failures.len(), rotations.len());
    Err(Error::several(kind, message, failures).reported())
}

/// A rotation that can begin.
struct Prepared {
    facts: Facts,
    plan: Plan,
    preview: Preview,
}

/// Finds out everything about one run cluster, and plans its rotation. Nothing is written.
async fn prepare(answers: &Answers, target: &Target) -> Result<Prepared> {
    let facts = gather::gather(answers, target).await?;
    permissions::check(answers, &facts, rotation_plan::lifetime(answers, &facts).is_some()).await?;
    let plan = rotation_plan::plan(answers, &facts);
    let preview = Preview::of(&plan, executor(answers, &facts)).await?;
    Ok(Prepared { facts, plan, preview })
}

/// Carries the plan out, and returns what is stored then.
async fn rotate(answers: &Answers, prepared: &Result<Prepared>) -> Result<Rotated> {
    let Prepared { facts, plan, preview } = prepared.as_ref().map_err(Clone::clone)?;
    execute(plan, preview, executor(answers, facts)).await?;
    let stored = answers.build.get_metadata(&answers.secret_of(&facts.run_cluster)).await?;
    let annotations = stored.and_then(|secret| secret.metadata.annotations).unwrap_or_default();
    Ok(Rotated {
        expires: annotations.get(crate::labels::EXPIRES).cloned(),
        suspended: facts.suspended.iter().map(ObjectReference::display).collect(),
    })
}

/// What is so after a rotation.
struct Rotated {
    /// When the new credential ends.
    expires: Option<String>,
    /// The Kustomizations that will use it once they are resumed.
    suspended: Vec<String>,
}

fn executor<'a>(answers: &'a Answers, facts: &'a Facts) -> Executor<'a> {
    Executor { build: &answers.build, run: Some(&facts.run), checkouts: &[], ui: answers.ui }
}

fn conclusion(answers: &Answers, target: &Target, result: &Result<Rotated>) -> Rotation {
    match result {
        Ok(rotated) => {
            Rotation::done(&answers.namespace, &target.run_cluster, rotated.expires.clone(), rotated.suspended.clone())
        }
        Err(error) => Rotation::failed(&answers.namespace, &target.run_cluster, error),
    }
}
