//! The flags of `bootstrap`.

use std::time::Duration;

use clap::Args;

use super::parse::parse_duration;
use super::{ConfirmArgs, GitCredentialArgs, OutputArgs, WriteArgs};

/// Arguments of `bootstrap`.
#[derive(Args, Debug)]
pub struct BootstrapArgs {
    /// Directory of the package in the GitOps repository, such as hello-app.default.tap
    #[arg(value_name = "PACKAGE")]
    pub package: Option<String>,
    /// URL of the GitOps repository (https://, http:// or ssh://)
    #[arg(long, value_name = "URL")]
    pub git_url: Option<String>,
    /// Branch of the GitOps repository
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Credentials.
    #[command(flatten)]
    pub credentials: GitCredentialArgs,
    /// How objects are written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// Confirmation.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// Time to wait until the source is fetched, such as 90s, 10m or 1h
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs,
}
