//! `remove-cluster`: the reverse of `add-cluster`, in the order that leaves nothing behind.
//!
//! What is asked lives in [`answers`]; what is found out in [`gather`], from [`build_side`], [`run_side`], [`identities`] with
//! [`doomed`], and [`repository`]; what is refused in [`guard`]; what follows from it all in [`removal_plan`]. [`record`] is what an
//! interrupted removal goes on from, [`users`] what keeps a credential, [`orphans`] what `--force` leaves, and [`diagnosis`] what is
//! said where a deletion does not come to an end.

mod answers;
mod build_side;
mod diagnosis;
mod doomed;
mod gather;
mod guard;
mod identities;
mod orphans;
mod record;
mod removal_plan;
mod repository;
mod run_side;
mod users;

use self::answers::Answers;
use self::gather::Facts;
use super::outcome;
use crate::cli::RemoveClusterArgs;
use crate::cluster::Connection;
use crate::error::{ErrorKind, Result};
use crate::observe::Delivery;
use crate::plan::Preview;
use crate::plan::execute::{Executor, confirm_and_execute};
use crate::ui::Ui;
use crate::ui::events::Removal;

pub(super) async fn run(
    ui: Ui,
    mut connection: Connection,
    namespace: Option<String>,
    arguments: RemoveClusterArgs,
) -> Result<()> {
    super::choose_context(ui, &mut connection)?;
    let answers = answers::ask(ui, connection, namespace, &arguments).await?;

    let facts = gather::gather(&answers).await?;
    let plan = removal_plan::plan(&answers, &facts)?;
    let executor = Executor {
        build: &answers.build,
        run: answers.run.as_ref().map(|(run, _)| run),
        checkouts: &facts.repositories.checkouts,
        ui,
    };
    let preview = Preview::of(&plan, executor).await?;
    if let Err(error) = confirm_and_execute(&plan, &preview, executor, arguments.confirm.yes).await {
        return Err(match error.kind() {
            ErrorKind::Timeout => diagnosis::explain(&answers, &facts, error).await,
            _ => error,
        });
    }
    outcome::report_removed(ui, &removal(&answers, &facts))
}

/// Says what is gone, and what is not.
fn removal(answers: &Answers, facts: &Facts) -> Removal {
    let deliveries: Vec<Delivery> =
        facts.build.leaving.iter().map(|leaving| leaving.delivery(&answers.namespace, &answers.run_cluster)).collect();
    let left = facts.belongings.iter().flat_map(|one| &one.left);
    let credentials = orphans::credentials(answers, &facts.build, &facts.identities);
    Removal::new(
        &answers.namespace,
        &answers.run_cluster,
        &deliveries,
        answers.keeps_workloads,
        facts.identities.left.iter().chain(left).chain(&facts.repositories.left).cloned().collect(),
        orphans::applied(answers, &facts.build).into_iter().chain(credentials).collect(),
    )
}
