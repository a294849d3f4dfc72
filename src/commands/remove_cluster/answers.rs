//! What `remove-cluster` must be told: from flags, or asked with what there is as choices.

use std::time::Duration;

use kube::ResourceExt;

use super::record::Leaving;
use super::users::helm_releases;
use crate::check;
use crate::cli::RemoveClusterArgs;
use crate::cluster::{Cluster, Connection, Role, ServedVersions, load_kubeconfig};
use crate::commands::{context_names, git, namespace};
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, HelmRelease, Kustomization, kustomization_resource};
use crate::gitops::checkout::{GitAccess, Limits};
use crate::observe::delivery::find;
use crate::ui::{Ui, prompt};

/// The answers, and the clusters they led to.
pub(super) struct Answers {
    pub(super) ui: Ui,
    pub(super) run_cluster: String,
    /// The packages that go, by name or path; none means all.
    pub(super) packages: Vec<String>,
    pub(super) namespace: String,
    pub(super) versions: FluxVersions,
    pub(super) build: Cluster,
    /// The run cluster and what it serves; `None` where it is gone for good.
    pub(super) run: Option<(Cluster, ServedVersions)>,
    /// All Kustomizations of the namespace.
    pub(super) kustomizations: Vec<Kustomization>,
    /// All HelmReleases of the namespace; `None` where nobody can look at them.
    pub(super) helm_releases: Option<Vec<HelmRelease>>,
    pub(super) keeps_workloads: bool,
    pub(super) keeps_git: bool,
    /// How long all the waiting together may take.
    pub(super) timeout: Duration,
    pub(super) access: GitAccess,
    pub(super) connection: Connection,
}

impl Answers {
    /// Returns the Kustomizations of a delivery, so far as they exist, that of the PackageInstall first.
    pub(super) fn kustomizations_of(&self, leaving: &Leaving) -> [Option<&Kustomization>; 2] {
        leaving.kustomizations().map(|name| self.kustomizations.iter().find(|one| one.name_any() == name))
    }
}

/// Asks for what the flags leave open. Nothing is written.
pub(super) async fn ask(
    ui: Ui,
    connection: Connection,
    given_namespace: Option<String>,
    arguments: &RemoveClusterArgs,
) -> Result<Answers> {
    prompt::require(
        ui,
        &[
            ("RUN_CLUSTER", arguments.run_cluster.is_some()),
            ("--run-context", arguments.run_context.is_some() || arguments.force),
            ("--yes", arguments.confirm.yes),
        ],
    )?;
    let build = Cluster::connect(Role::Build, &connection).await?;
    let served = build.served_versions().await?;
    let versions = check::flux(&build, &served)?;
    let namespace = namespace(ui, &connection, given_namespace)?;
    let kustomizations: Vec<Kustomization> =
        build.list(&kustomization_resource(versions.kustomization), &namespace).await?;
    let helm_releases = helm_releases(&build, &served, &namespace).await?;
    let run_cluster = match &arguments.run_cluster {
        Some(name) => name.clone(),
        None => prompt::choice("Run cluster to remove", &run_clusters(&kustomizations))?,
    };
    let run = if arguments.force { None } else { Some(reach_run_cluster(&connection, &run_cluster, arguments).await?) };
    let credentials = if arguments.keep_git { None } else { git::given(ui, &arguments.credentials).await? };
    Ok(Answers {
        ui,
        run_cluster,
        packages: arguments.packages.clone(),
        namespace,
        versions,
        build,
        run,
        kustomizations,
        helm_releases,
        keeps_workloads: arguments.keep_workloads,
        keeps_git: arguments.keep_git,
        timeout: arguments.timeout,
        access: GitAccess {
            credentials,
            limits: Limits::new(connection.request_timeout, arguments.timeout),
            ..GitAccess::default()
        },
        connection,
    })
}

/// Lists the run clusters that something is delivered to.
fn run_clusters(kustomizations: &[Kustomization]) -> Vec<String> {
    let mut names: Vec<String> = find(kustomizations).into_iter().map(|delivery| delivery.run_cluster).collect();
    names.sort();
    names.dedup();
    names
}

/// Reaches the run cluster with the user's own credential: Flux's may not delete what the plugin made.
async fn reach_run_cluster(
    connection: &Connection,
    run_cluster: &str,
    arguments: &RemoveClusterArgs,
) -> Result<(Cluster, ServedVersions)> {
    let run_connection = connection.of_run_clusters(arguments.run_kubeconfig.as_ref());
    let context = if let Some(context) = &arguments.run_context {
        context.clone()
    } else {
        let mut names = context_names(&load_kubeconfig(run_connection.kubeconfig.as_deref())?);
        // The context that is named like the run cluster is the likely one.
        names.sort_by_key(|name| name != run_cluster);
        prompt::choice("Context of the run cluster", &names)?
    };
    let run_connection = run_connection.in_context(&context);
    let run = Cluster::connect(Role::Run(run_cluster.to_owned()), &run_connection).await?;
    let served = run.served_versions().await.map_err(is_it_gone)?;
    Ok((run, served))
}

/// Names the way out where a run cluster does not answer at all.
fn is_it_gone(error: Error) -> Error {
    if error.status().is_some() {
        return error;
    }
    error.because("nothing was changed").hint(
        "if the run cluster is gone for good: --force clears the build cluster and Git without it, and lists what stays \
         behind on it",
    )
}
