//! `add-cluster`: delivers a package to a run cluster.
//!
//! Read downward: flags and questions ([`ask`], [`walk`]) lead to a [`request`] and two [`clusters`]; what is found out about it ([`gather`])
//! are the [`facts`]; from both follows the [`mod@plan`], whose objects are built in [`manifests`]. Flags that had another meaning
//! are in [`renamed`].

mod ask;
mod clusters;
mod facts;
mod gather;
mod manifests;
mod package_request;
mod plan;
mod renamed;
mod request;
mod walk;

use std::time::Duration;

use self::clusters::Clusters;
use self::request::Request;
use super::preview::{self, Previewed};
use super::{outcome, repeat};
use crate::cli::AddClusterArgs;
use crate::cluster::Connection;
use crate::error::{Error, Result};
use crate::flux::{Kustomization, kustomization_resource};
use crate::gitops::checkout::Checkout;
use crate::gitops::credentials::GitCredentials;
use crate::observe::Selection;
use crate::observe::delivery::find;
use crate::observe::wait::{WaitRequest, wait};
use crate::plan::execute::{Executor, confirm_and_execute};
use crate::plan::export::Contents;
use crate::plan::{Plan, Preview};
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
    let asked = ask::ask(ui, &mut connection, namespace, &mut arguments, credentials).await?;
    let result = deliver(ui, asked.request, asked.clusters, &arguments, &words).await;
    repeat::tell(ui, &words, &asked.answers);
    result
}

/// Plans, previews, confirms, carries out, and waits.
async fn deliver(
    ui: Ui,
    request: Request,
    clusters: Clusters,
    arguments: &AddClusterArgs,
    words: &[String],
) -> Result<()> {
    if let Some(commit) = &arguments.wait_for_merge {
        let timeout = if arguments.preview.mode().is_some() { Duration::ZERO } else { arguments.timeout };
        Box::pin(gather::wait_for_merge(ui, &request, &clusters, commit, timeout)).await?;
    }
    let (facts, checkout) = Box::pin(gather::gather(ui, &request, &clusters)).await?;
    let plan = Plan { timeout: Some(arguments.timeout), ..plan::plan(&request, &facts) };
    let plan = if arguments.confirm.wait { plan } else { plan.without_waiting() };
    let executor =
        Executor { build: &clusters.build, run: Some(&clusters.run), checkouts: std::slice::from_ref(&checkout), ui };
    let preview = Preview::of(&plan, &facts.live, executor).await?;
    if let Some(mode) = arguments.preview.mode() {
        let previewed = Previewed { plan: &plan, preview: &preview, executor, run_cluster: &request.run_cluster };
        return preview::report(ui, &mode, &[previewed], Contents::Wanted).await;
    }
    confirm_and_execute(&plan, &preview, executor, arguments.confirm.yes).await?;
    if request.commit.is_held_back() {
        let delivery = format!("{} on {}", facts.package.name, request.run_cluster);
        return outcome::report_committed(ui, &delivery, next_commands(&checkout, &checkout.revision().await?, words));
    }
    if !arguments.confirm.wait {
        let delivery = format!("{} on {}", facts.package.name, request.run_cluster);
        return outcome::report_applied(ui, &delivery, None);
    }

    let kustomizations: Vec<Kustomization> =
        clusters.build.list(&kustomization_resource(facts.versions.kustomization), &request.namespace).await?;
    let user_context = facts.needs_user_context_to_read().then(|| clusters.run.context().to_owned());
    let ours = Selection {
        namespace: Some(request.namespace.clone()),
        packages: vec![facts.package.name.clone()],
        run_clusters: vec![request.run_cluster.clone()],
        run_contexts: user_context.into_iter().map(|context| (request.run_cluster.clone(), context)).collect(),
    };
    let deliveries = ours.of(find(&kustomizations));
    if deliveries.is_empty() {
        return Err(Error::new("the Kustomizations that were just applied are gone")
            .hint(format!("see who deleted them: kubectl -n {} get events", request.namespace)));
    }
    let wait_request = WaitRequest {
        deliveries: deliveries.clone(),
        run_contexts: ours.run_contexts,
        connection: clusters.run_connection.clone(),
        timeout: arguments.timeout,
        commit: None,
        requests_fetch: true,
        fails_fast: false,
        endpoint_change: plan::endpoint_change(&plan, &preview),
    };
    let outcomes = wait(&clusters.build, facts.versions, wait_request, progress::reporter(ui).as_mut()).await?;
    outcome::report(ui, &deliveries, &outcomes)
}

/// Returns the commands that finish what a commit has begun which Flux does not follow yet.
fn next_commands(checkout: &Checkout, revision: &str, words: &[String]) -> Vec<String> {
    let command = |left_out: &[(&str, bool)]| repeat::without(words, &[&repeat::OF_FILES, left_out].concat());
    match checkout.push_command() {
        Some(push) => vec![push, command(&[("--no-push", false)])],
        None => vec![format!("{} --wait-for-merge {revision}", command(&repeat::OF_COMMITS))],
    }
}
