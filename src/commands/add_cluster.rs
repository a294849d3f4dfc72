//! `add-cluster`: delivers a package to a run cluster.
//!
//! What is asked lives in [`answers`], how Flux is to authenticate in [`authentication`] and where it connects in [`way`],
//! what is found out in [`gather`] and [`live`], what is refused in [`guard`], and what follows from it all in [`delivery_plan`].

mod answers;
mod authentication;
mod circumstances;
mod comparison;
mod delivery_plan;
mod gather;
mod guard;
mod identity;
mod impersonation;
mod installer;
mod kubeconfig_file;
mod live;
mod permissions;
mod proof;
mod registry;
mod repository;
mod way;

use super::outcome;
use crate::cli::AddClusterArgs;
use crate::cluster::Connection;
use crate::error::{Error, Result};
use crate::flux::{Kustomization, kustomization_resource};
use crate::observe::Selection;
use crate::observe::delivery::find;
use crate::observe::wait::{WaitRequest, wait};
use crate::plan::Preview;
use crate::plan::execute::{Executor, confirm_and_execute};
use crate::ui::{Ui, progress};

pub(super) async fn run(
    ui: Ui,
    mut connection: Connection,
    namespace: Option<String>,
    arguments: AddClusterArgs,
) -> Result<()> {
    super::choose_context(ui, &mut connection)?;
    let answers = answers::ask(ui, &connection, namespace, &arguments).await?;

    let mut facts = Box::pin(gather::gather(&answers)).await?;
    live::read(&answers, &mut facts).await?;
    let plan = delivery_plan::plan(&answers, &facts);
    let executor = Executor {
        build: &answers.build,
        run: Some(&answers.run),
        checkouts: std::slice::from_ref(&facts.checkout),
        ui,
    };
    let preview = Preview::of(&plan, executor).await?;
    confirm_and_execute(&plan, &preview, executor, arguments.confirm.yes).await?;

    let kustomizations: Vec<Kustomization> =
        answers.build.list(&kustomization_resource(facts.versions.kustomization), &answers.namespace).await?;
    let ours = Selection {
        namespace: Some(answers.namespace.clone()),
        packages: vec![facts.package.name.clone()],
        run_clusters: vec![answers.run_cluster.clone()],
        run_contexts: way::run_contexts(&answers, &facts),
    };
    let deliveries = ours.of(find(&kustomizations));
    if deliveries.is_empty() {
        return Err(Error::new("the Kustomizations that were just applied are gone")
            .hint(format!("see who deleted them: kubectl -n {} get events", answers.namespace)));
    }
    let request = WaitRequest {
        deliveries: deliveries.clone(),
        run_contexts: ours.run_contexts,
        connection: answers.run_connection.clone(),
        timeout: arguments.timeout,
        commit: None,
        requests_fetch: true,
        fails_fast: false,
        way: way::novelty(&plan, &preview),
    };
    let outcomes = wait(&answers.build, facts.versions, request, progress::reporter(ui).as_mut()).await?;
    outcome::report(ui, &deliveries, &outcomes)
}
