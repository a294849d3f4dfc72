//! What the user asks `remove-cluster` for: from flags, and from the answers to what the flags leave open. Nothing that was
//! read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::RemoveClusterArgs;
use crate::cluster::{Connection, load_kubeconfig};
use crate::commands::git::CommitRequest;
use crate::commands::{context, git};
use crate::conversation::{Choice, Question};
use crate::error::Result;
use crate::gitops::credentials::GitCredentials;
use crate::names;
use crate::ui::Ui;
use crate::ui::prompt;

/// The answer that no package is called like: their names have dots.
const ALL: &str = "all";

/// What is asked for, named as the flags are.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The namespace of the Flux objects.
    pub(super) namespace: String,
    pub(super) run_cluster: String,
    /// The packages to remove, by name or path; none means all.
    pub(super) packages: Vec<String>,
    /// The context of the run cluster; `None` with `force`.
    pub(super) run_context: Option<String>,
    pub(super) run_kubeconfig: Option<PathBuf>,
    pub(super) keep_workloads: bool,
    pub(super) keep_git: bool,
    /// The run cluster is gone for good.
    pub(super) force: bool,
    pub(super) credentials: Option<GitCredentials>,
    /// How the files are committed.
    pub(super) commit: CommitRequest,
    /// How long all the waiting together may take.
    pub(super) timeout: Duration,
}

/// Refuses to go on without a terminal where something must be asked for.
pub(super) fn require(ui: Ui, arguments: &RemoveClusterArgs) -> Result<()> {
    prompt::require(
        ui,
        &[
            ("RUN_CLUSTER", arguments.run_cluster.is_some()),
            ("--run-context", arguments.run_context.is_some() || arguments.force),
            ("--yes", arguments.preview.or_confirmed(&arguments.confirm)),
        ],
    )
}

impl Request {
    /// Takes the flags, and asks for what they leave open; `delivered` are the run clusters with the packages that go to each.
    pub(super) async fn ask(
        ui: Ui,
        connection: &Connection,
        namespace: String,
        arguments: RemoveClusterArgs,
        delivered: &BTreeMap<String, BTreeSet<String>>,
    ) -> Result<Self> {
        let mut packages = arguments.packages;
        let run_cluster = if let Some(name) = arguments.run_cluster {
            name
        } else {
            let names: Vec<String> = delivered.keys().cloned().collect();
            let chosen = prompt::text(Question::one_of_names("Run cluster to remove", "RUN_CLUSTER", &names)).await?;
            if packages.is_empty() {
                packages = ask_packages(&chosen, delivered.get(&chosen)).await?;
            }
            chosen
        };
        let run_context = match arguments.run_context {
            None if !arguments.force => {
                Some(ask_context(connection, arguments.run_kubeconfig.as_ref(), &run_cluster).await?)
            }
            given => given,
        };
        let credentials = if arguments.keep_git { None } else { git::given(ui, &arguments.credentials).await? };
        Ok(Self {
            namespace,
            run_cluster,
            packages,
            run_context,
            run_kubeconfig: arguments.run_kubeconfig,
            keep_workloads: arguments.keep_workloads,
            keep_git: arguments.keep_git,
            force: arguments.force,
            credentials,
            commit: CommitRequest { is_merged: arguments.wait_for_merge, ..CommitRequest::of(&arguments.commit) },
            timeout: arguments.confirm.timeout,
        })
    }

    /// Tells whether the deliveries of a package are to be removed.
    pub(super) fn includes(&self, package: &str) -> bool {
        self.packages.is_empty() || self.packages.iter().any(|name| names::of_package(name) == package)
    }
}

/// Asks which of several packages is removed; none means all.
async fn ask_packages(run_cluster: &str, packages: Option<&BTreeSet<String>>) -> Result<Vec<String>> {
    let Some(packages) = packages.filter(|packages| packages.len() > 1) else { return Ok(Vec::new()) };
    let all = Choice::new(ALL, format!("the {} packages on {run_cluster}", packages.len()));
    let choices = std::iter::once(all).chain(packages.iter().map(|package| Choice::new(package, ""))).collect();
    let chosen = prompt::text(Question::one_of("Package to remove", "--package", choices)).await?;
    Ok(if chosen == ALL { Vec::new() } else { vec![chosen] })
}

async fn ask_context(connection: &Connection, run_kubeconfig: Option<&PathBuf>, run_cluster: &str) -> Result<String> {
    let kubeconfig = load_kubeconfig(connection.of_run_clusters(run_kubeconfig).kubeconfig.as_deref())?;
    let mut names = context::names(&kubeconfig);
    // The context that is named like the run cluster is the likely one.
    names.sort_by_key(|name| name != run_cluster);
    prompt::text(Question::one_of_names("Context of the run cluster", "--run-context", &names)).await
}
