//! The flags of `add-cluster`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse::parse_duration;
use super::{AuthenticationArgs, ConfirmArgs, EndpointArgs, GitCredentialArgs, InstallerArgs, OutputArgs, WriteArgs};

/// Arguments of `add-cluster`.
#[derive(Args, Debug)]
pub struct AddClusterArgs {
    /// Short name of the run cluster, such as prod1
    #[arg(value_name = "RUN_CLUSTER")]
    pub run_cluster: Option<String>,
    /// Package to deliver
    #[arg(long, value_name = "PACKAGE")]
    pub package: Option<String>,
    /// Kubeconfig context of the run cluster
    #[arg(long, value_name = "CONTEXT")]
    pub run_context: Option<String>,
    /// Kubeconfig file that holds the run cluster's context (default: the one of the build cluster)
    #[arg(long, value_name = "FILE")]
    pub run_kubeconfig: Option<PathBuf>,
    /// Namespace on the run cluster where the package is installed
    #[arg(long, value_name = "NAMESPACE")]
    pub target_namespace: Option<String>,
    /// Versions to choose from, as in `versionSelection.constraints` (default: the highest)
    #[arg(long, value_name = "CONSTRAINTS")]
    pub version_constraints: Option<String>,
    /// File with the package's values, a YAML mapping
    #[arg(long, value_name = "FILE")]
    pub values: Option<PathBuf>,
    /// As whom the package is installed.
    #[command(flatten)]
    pub installer: InstallerArgs,
    /// How Flux authenticates.
    #[command(flatten)]
    pub authentication: AuthenticationArgs,
    /// How Flux reaches the run cluster.
    #[command(flatten)]
    pub endpoint: EndpointArgs,
    /// Credentials.
    #[command(flatten)]
    pub credentials: GitCredentialArgs,
    /// How objects are written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// Confirmation.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// Time to wait until the package is installed, such as 90s, 10m or 1h
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs,
}
