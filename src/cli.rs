//! The command line: clap types only. What a command does lives in [`crate::commands`].
//!
//! Each command's flags have a file of their own, and so have those that some share; those of all are here. How a flag's text is
//! read lives in `parse`.

mod add_cluster;
mod authentication;
mod bootstrap;
mod check;
mod git_credentials;
mod installer;
mod parse;
mod remove_cluster;
mod rotate;
mod selection;
mod status;
mod wait;
mod workload_identity;
mod write;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

pub use self::add_cluster::AddClusterArgs;
pub use self::authentication::{AuthenticationArgs, AuthenticationWay, EndpointArgs};
pub use self::bootstrap::BootstrapArgs;
pub use self::check::{CheckArgs, CheckFormat};
pub use self::git_credentials::GitCredentialArgs;
pub use self::installer::InstallerArgs;
use self::parse::parse_duration;
pub use self::remove_cluster::RemoveClusterArgs;
pub use self::rotate::RotateArgs;
pub use self::selection::SelectionArgs;
pub use self::status::{StatusArgs, StatusFormat};
pub use self::wait::WaitArgs;
pub use self::workload_identity::WorkloadIdentityArgs;
pub use self::write::WriteArgs;
use crate::ui::{Format, Verbosity};

/// Deliver Carvel packages from a GitOps repository to run clusters with Flux
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-carvelflux",
    bin_name = "kubectl carvelflux",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 110,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 timeout, 130 interrupted, 141 standard output closed."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How much to say.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
    /// How to reach the build cluster.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

impl Cli {
    /// Returns the format of the result.
    #[must_use]
    pub fn format(&self) -> Format {
        match &self.command {
            Command::AddCluster(arguments) => arguments.output.output,
            Command::Bootstrap(BootstrapArgs { output, .. })
            | Command::RemoveCluster(RemoveClusterArgs { output, .. })
            | Command::Rotate(RotateArgs { output, .. })
            | Command::Wait(WaitArgs { output, .. }) => output.output,
            Command::Status(StatusArgs { output: StatusFormat::Json, .. })
            | Command::Check(CheckArgs { output: CheckFormat::Json, .. }) => Format::Json,
            Command::Status(_) | Command::Check(_) | Command::Version => Format::Text,
        }
    }
}

/// How much to say beside the result.
#[derive(Args, Debug, Default)]
pub struct VerbosityArgs {
    /// Print only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print also retries and reads; twice: also the controllers' own words in full
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

impl From<&VerbosityArgs> for Verbosity {
    fn from(arguments: &VerbosityArgs) -> Self {
        match (arguments.quiet, arguments.verbose) {
            (true, _) => Self::Quiet,
            (false, 0) => Self::Normal,
            (false, 1) => Self::Details,
            (false, _) => Self::Everything,
        }
    }
}

/// The format of the result.
#[derive(Args, Debug, Default)]
pub struct OutputArgs {
    /// Format of the result: text, or json for events, one a line, of which the last one is the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub output: Format,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the package's GitOps repository known to Flux, and wait until it is fetched
    Bootstrap(BootstrapArgs),
    /// Deliver a package to a run cluster, and wait until it is installed
    AddCluster(Box<AddClusterArgs>),
    /// Check that everything holds that deliveries need, on the build cluster and on run clusters
    Check(CheckArgs),
    /// Give Flux new credentials for run clusters, and revoke the old ones
    Rotate(RotateArgs),
    /// Remove a package, or all, from a run cluster, in the order that leaves nothing behind
    RemoveCluster(RemoveClusterArgs),
    /// Wait until deliveries have installed what the GitOps repository asks for
    Wait(WaitArgs),
    /// Show all deliveries as they are now, on all run clusters
    Status(StatusArgs),
    /// Print the version
    Version,
}

/// How to reach the build cluster: kubectl's own flags.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Build cluster")]
pub struct ConnectionArgs {
    /// Path of the kubeconfig file (default: $KUBECONFIG, then ~/.kube/config)
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Kubeconfig context of the build cluster
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Kubeconfig cluster of the build cluster
    #[arg(long, global = true, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Kubeconfig user for the build cluster
    #[arg(long, global = true, value_name = "NAME")]
    pub user: Option<String>,
    /// Namespace of the Flux objects on the build cluster
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// User to impersonate on the build cluster
    #[arg(long = "as", global = true, value_name = "USER")]
    pub impersonate: Option<String>,
    /// Group to impersonate on the build cluster; may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub impersonate_groups: Vec<String>,
    /// Time to wait for a single request (such as 10s; 0 means no limit)
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    pub request_timeout: Option<Duration>,
}

/// Flags of the commands that write.
#[derive(Args, Debug)]
pub struct ConfirmArgs {
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
}

/// Tells whether a command line that cannot be parsed asks for JSON.
pub fn asks_for_json(arguments: impl IntoIterator<Item = OsString>) -> bool {
    let mut is_format = false;
    for argument in arguments {
        if is_format && argument == "json" {
            return true;
        }
        is_format = argument == "-o" || argument == "--output";
        if argument == "-ojson" || argument == "-o=json" || argument == "--output=json" {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wish_for_json_is_recognised_in_a_bad_command_line() {
        let asks = |line: &str| asks_for_json(line.split(' ').map(OsString::from));
        for line in ["wait --bad -o json", "wait -ojson --bad", "-o=json", "--output json", "--output=json -x"] {
            assert!(asks(line), "{line}");
        }
        for line in ["wait --bad", "wait json -o", "--package json"] {
            assert!(!asks(line), "{line}");
        }
    }
}
