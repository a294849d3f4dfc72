//! The flags of `rotate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse::{parse_duration, parse_run_context, parse_token_duration};
use super::{ConfirmArgs, OutputArgs};

/// Arguments of `rotate`.
#[derive(Args, Debug)]
pub struct RotateArgs {
    /// Short names of the run clusters, such as prod1
    #[arg(value_name = "RUN_CLUSTER")]
    pub run_clusters: Vec<String>,
    /// Every run cluster of the namespace whose credential the plugin made
    #[arg(long, conflicts_with = "run_clusters")]
    pub all: bool,
    /// Kubeconfig context of a run cluster (default: the one of the same name); may be repeated
    #[arg(long = "run-context", value_name = "NAME=CONTEXT", value_parser = parse_run_context)]
    pub run_contexts: Vec<(String, String)>,
    /// Kubeconfig file that holds the run clusters' contexts (default: the one of the build cluster)
    #[arg(long, value_name = "FILE")]
    pub run_kubeconfig: Option<PathBuf>,
    /// Time after which the new token expires, such as 24h or 720h (default: as it was granted before, or never)
    #[arg(long, value_name = "DURATION", value_parser = parse_token_duration)]
    pub token_duration: Option<Duration>,
    /// Take the stored kubeconfig over from whoever else has changed it
    #[arg(long)]
    pub force_conflicts: bool,
    /// Confirmation.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// Time to wait until Flux uses the new credentials, such as 90s, 10m or 1h
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs,
}
