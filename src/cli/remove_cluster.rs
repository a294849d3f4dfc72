//! The flags of `remove-cluster`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse::parse_duration;
use super::{ConfirmArgs, GitCredentialArgs, OutputArgs};

/// Arguments of `remove-cluster`.
#[derive(Args, Debug)]
pub struct RemoveClusterArgs {
    /// Short name of the run cluster, such as prod1
    #[arg(value_name = "RUN_CLUSTER")]
    pub run_cluster: Option<String>,
    /// Package to remove from it; may be repeated (default: all)
    #[arg(long = "package", value_name = "PACKAGE")]
    pub packages: Vec<String>,
    /// Kubeconfig context of the run cluster
    #[arg(long, value_name = "CONTEXT")]
    pub run_context: Option<String>,
    /// Kubeconfig file that holds the run cluster's context (default: the one of the build cluster)
    #[arg(long, value_name = "FILE")]
    pub run_kubeconfig: Option<PathBuf>,
    /// Leave running what kapp-controller has deployed, without PackageInstall and App
    #[arg(long)]
    pub keep_workloads: bool,
    /// Leave the files in the GitOps repository; without Flux they have no effect
    #[arg(long)]
    pub keep_git: bool,
    /// The run cluster is gone for good: clear the build cluster and Git, and list what stays behind
    #[arg(long, conflicts_with_all = ["run_context", "run_kubeconfig", "keep_workloads"])]
    pub force: bool,
    /// Credentials.
    #[command(flatten)]
    pub credentials: GitCredentialArgs,
    /// Confirmation.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// One deadline for everything that is deleted to be gone, such as 90s, 10m or 1h
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs,
}
