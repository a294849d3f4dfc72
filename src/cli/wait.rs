//! The flags of `wait`.

use std::time::Duration;

use clap::Args;

use super::parse::{parse_commit, parse_duration};
use super::{OutputArgs, SelectionArgs};

/// Arguments of `wait`.
#[derive(Args, Debug)]
pub struct WaitArgs {
    /// Which deliveries.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Wait for this commit, for use right after `git push` (default: what the source has once it has looked)
    #[arg(long, value_name = "COMMIT", value_parser = parse_commit)]
    pub revision: Option<String>,
    /// Only watch: do not ask Flux to look for new commits
    #[arg(long)]
    pub no_reconcile: bool,
    /// End with the first failure, instead of waiting for the others
    #[arg(long)]
    pub fail_fast: bool,
    /// One deadline for everything, such as 90s, 10m or 1h
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs,
}
