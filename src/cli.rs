//! The command line: the commands' names, and the flags of all of them; only here and below is clap used. What a command does
//! lives in [`crate::commands`].

mod add_cluster;
mod commands;
mod completion;
mod connection;
mod parse;
mod preview;
mod shared;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand};

pub use self::add_cluster::{
    AddClusterArgs, AuthenticationArgs, AuthenticationMethod, EncryptionArgs, EndpointArgs, InstallerArgs,
    PackageValuesArgs, VersionArgs, WorkloadIdentityArgs,
};
pub use self::commands::{
    BootstrapArgs, CheckArgs, CheckFormat, CompletionArgs, CompletionTarget, RemoveClusterArgs, RotateArgs, StatusArgs,
    StatusFormat, ValuesArgs, ValuesFormat, WaitArgs,
};
pub use self::completion::{CommandLine, Lookup, ValueKind, script as completion_script};
pub use self::connection::ConnectionArgs;
pub use self::preview::PreviewMode;
pub use self::shared::{FluxCredentialArgs, GitCredentialArgs};
use crate::error::{Error, ErrorKind};
use crate::ui::{self, Format, Verbosity};

/// Deliver Carvel packages from a GitOps repository to run clusters with Flux
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-carvelflux",
    bin_name = "kubectl carvelflux",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 110,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 timeout, 130 interrupted, 141 standard output closed. Of --diff: 1 something differs, 4 failed."
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
    /// Reads the command line of this process. Where it names no command to run, the help that was asked for or what is wrong is
    /// printed, and the error is the exit code.
    pub fn read() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|answer| answer_without_command(&answer))
    }

    /// Returns the deadline of the command; `None` where it has none.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        match &self.command {
            Command::AddCluster(arguments) => Some(arguments.timeout),
            Command::Bootstrap(BootstrapArgs { timeout, .. })
            | Command::RemoveCluster(RemoveClusterArgs { timeout, .. })
            | Command::Rotate(RotateArgs { timeout, .. })
            | Command::Wait(WaitArgs { timeout, .. }) => Some(*timeout),
            Command::Status(_) | Command::Check(_) | Command::Values(_) | Command::Completion(_) | Command::Version => {
                None
            }
        }
    }

    /// Returns how the command previews its plan; `None` where it carries it out or has none.
    #[must_use]
    pub fn preview(&self) -> Option<PreviewMode> {
        match &self.command {
            Command::AddCluster(arguments) => arguments.preview.mode(),
            Command::Bootstrap(BootstrapArgs { preview, .. })
            | Command::RemoveCluster(RemoveClusterArgs { preview, .. })
            | Command::Rotate(RotateArgs { preview, .. }) => preview.mode(),
            Command::Wait(_)
            | Command::Status(_)
            | Command::Check(_)
            | Command::Values(_)
            | Command::Completion(_)
            | Command::Version => None,
        }
    }

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
            | Command::Check(CheckArgs { output: CheckFormat::Json, .. })
            | Command::Values(ValuesArgs { output: Some(ValuesFormat::Json), .. }) => Format::Json,
            Command::Status(_) | Command::Check(_) | Command::Values(_) | Command::Completion(_) | Command::Version => {
                Format::Text
            }
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
    /// Show which values a package takes, or which ones Git holds for a delivery
    Values(ValuesArgs),
    /// Complete commands, flags and values when TAB is pressed: install it for kubectl, or print the script for a shell
    Completion(CompletionArgs),
    /// Print the version
    Version,
}

/// Answers what may come next on a command line, if this process was started for that.
pub fn complete(lookup: Lookup) -> Option<ExitCode> {
    completion::answer(Cli::command, lookup)
}

/// Prints the help that was asked for, or what is wrong with the command line, which a program is told in its own format.
fn answer_without_command(answer: &clap::Error) -> ExitCode {
    let _ = answer.print();
    if !answer.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if asks_for_json(std::env::args_os()) {
        let text = answer.render().to_string();
        let message = text.lines().next().unwrap_or_default();
        let error =
            Error::usage(message.trim_start_matches("error: ")).hint("see the flags: kubectl carvelflux --help");
        ui::end_events(Format::Json, &error);
    }
    ErrorKind::Usage.into()
}

/// Tells whether a command line that cannot be parsed asks for JSON.
fn asks_for_json(arguments: impl IntoIterator<Item = OsString>) -> bool {
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

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_command_explains_itself() {
        let mut cli = Cli::command().term_width(80);
        cli.build();
        assert_help(&mut cli);
        cli.get_subcommands_mut().for_each(assert_help);
    }

    /// Compares `docs/commands.md` with what the commands say of themselves; `INSTA_UPDATE=always` rewrites it.
    #[test]
    fn the_command_reference_is_up_to_date() {
        let mut cli = Cli::command().term_width(100);
        cli.build();
        let mut reference =
            "# Commands\n\nWhat `--help` says of each command. Made by `INSTA_UPDATE=always cargo test --lib`.\n"
                .to_owned();
        let mut add = |command: &mut clap::Command| {
            let help = command.render_long_help().to_string();
            let help: Vec<&str> = help.lines().map(str::trim_end).collect();
            let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
            let help = help.join("\n");
            reference.extend(["\n## ", name, "\n\n```text\n", help.trim_end(), "\n```\n"]);
        };
        add(&mut cli);
        cli.get_subcommands_mut().filter(|command| !command.is_hide_set()).for_each(&mut add);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
        if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
            std::fs::write(path, &reference).expect("the reference can be written");
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), reference, "docs/commands.md is out of date");
    }

    /// Compares what a command's `--help` prints on a terminal of 80 columns with its snapshot in `tests/help/`.
    fn assert_help(command: &mut clap::Command) {
        let help = command.render_long_help().to_string();
        insta::with_settings!({
            snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/help"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(command.get_name(), help);
        });
    }

    #[test]
    fn a_request_for_json_is_recognised_in_a_bad_command_line() {
        let asks = |line: &str| asks_for_json(line.split(' ').map(OsString::from));
        for line in ["wait --bad -o json", "wait -ojson --bad", "-o=json", "--output json", "--output=json -x"] {
            assert!(asks(line), "{line}");
        }
        for line in ["wait --bad", "wait json -o", "--package json"] {
            assert!(!asks(line), "{line}");
        }
    }
}
