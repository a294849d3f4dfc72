//! The command line: the commands' names, and the flags of all of them; only here and below is clap used. What a command does
//! lives in [`crate::commands`].

mod add_cluster;
mod commands;
mod completion;
mod connection;
mod environment;
mod examples;
mod parse;
mod preview;
mod shared;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use self::add_cluster::{
    AddClusterArgs, AuthenticationArgs, AuthenticationMethod, Encryption, EncryptionArgs, EndpointArgs, InstallerArgs,
    PackageValuesArgs, VersionArgs, WorkloadIdentityArgs,
};
pub use self::commands::{
    BootstrapArgs, CheckArgs, CompletionArgs, CompletionTarget, RemoveClusterArgs, RotateArgs, StatusArgs,
    StatusFormat, ValuesArgs, ValuesFormat, VersionCommandArgs, WaitArgs,
};
pub use self::completion::{CommandLine, Lookup, ValueKind, script as completion_script};
pub use self::connection::ConnectionArgs;
pub use self::preview::PreviewMode;
pub use self::shared::{CommitArgs, DocumentFormat, FluxCredentialArgs, GitCredentialArgs, OutputArgs, SelectionArgs};
use crate::error::{Error, ErrorKind};
use crate::invocation::PROGRAM;
use crate::ui::{self, Format, Verbosity};

/// Deliver Carvel packages from a GitOps repository to run clusters with Flux
#[derive(Debug, Parser)]
#[command(name = "kubectl-carvelflux", version, arg_required_else_help = true, max_term_width = 110)]
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
        let words: Vec<OsString> = std::env::args_os().collect();
        let read = environment::matches(command, &words).and_then(|mut matches| {
            Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command()))
        });
        read.map_err(|answer| answer_without_command(&answer))
    }

    /// Returns the deadline of the command; `None` where it has none.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        match &self.command {
            Command::AddCluster(arguments) => Some(arguments.confirm.timeout),
            Command::Bootstrap(BootstrapArgs { confirm, .. })
            | Command::RemoveCluster(RemoveClusterArgs { confirm, .. })
            | Command::Rotate(RotateArgs { confirm, .. }) => Some(confirm.timeout),
            Command::Wait(arguments) => Some(arguments.timeout),
            Command::Status(_)
            | Command::Check(_)
            | Command::Values(_)
            | Command::Completion(_)
            | Command::Version(_) => None,
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
            | Command::Version(_) => None,
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
            Command::Status(StatusArgs { output: OutputArgs { output: StatusFormat::Json }, .. })
            | Command::Check(CheckArgs { output: OutputArgs { output: DocumentFormat::Json }, .. })
            | Command::Values(ValuesArgs { output: Some(ValuesFormat::Json), .. })
            | Command::Version(VersionCommandArgs { output: OutputArgs { output: DocumentFormat::Json }, .. }) => {
                Format::Json
            }
            Command::Status(_)
            | Command::Check(_)
            | Command::Values(_)
            | Command::Completion(_)
            | Command::Version(_) => Format::Text,
        }
    }
}

/// How much to say beside the result; with each command after the format of the result.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = shared::OUTPUT)]
pub struct VerbosityArgs {
    /// Print only results and errors
    #[arg(short, long, global = true, display_order = 101, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print also retries and reads; twice: also the controllers' own words in full
    #[arg(short, long, global = true, display_order = 102, action = ArgAction::Count)]
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
    ///
    /// Writes a GitRepository and, for a private repository, a Secret with a credential for it, after trying both. Run again with
    /// another credential, it replaces the one that is there.
    Bootstrap(BootstrapArgs),
    /// Deliver a package to a run cluster, and wait until it is installed
    ///
    /// Makes an account for Flux with narrow roles on the run cluster, stores a kubeconfig for it, commits the PackageInstall
    /// and its values, and applies the Flux resources. Everything is checked before anything is written; on a terminal, what is
    /// missing is asked.
    AddCluster(Box<AddClusterArgs>),
    /// Check that everything holds that deliveries need, on the build cluster and on run clusters
    ///
    /// Looks at Flux, at credentials with their age and expiry, at permissions and at kapp-controller, and says what to do about
    /// what fails. Nothing is written.
    Check(CheckArgs),
    /// Give Flux new credentials for run clusters, and revoke the old ones
    ///
    /// A new token is made and tried, stored, and seen in use by every Kustomization that reads it; only then the old one is
    /// revoked. Interrupted at any point, Flux has a credential that works, and the same command completes the rest.
    Rotate(RotateArgs),
    /// Remove a package, or all, from a run cluster, in the order that leaves nothing behind
    ///
    /// Flux deletes the PackageInstall, kapp-controller the application; then go the Packages and, when nothing is left, accounts,
    /// roles, tokens and the directory in Git. What others use stays and is named.
    RemoveCluster(RemoveClusterArgs),
    /// Wait until deliveries have installed what the GitOps repository asks for
    ///
    /// Goes on where Flux's Ready ends, by fresh reads on the run clusters: the selected version is installed, with the current
    /// values, and its resources are deployed. It says what is awaited, and why something failed.
    Wait(WaitArgs),
    /// Show all deliveries as they are now, on all run clusters
    ///
    /// What is offered, selected and installed, and what is wrong, as Flux reaches each run cluster. Nothing is written, and no
    /// controller is asked to do anything.
    Status(StatusArgs),
    /// Show which values a package takes, or which ones Git holds for a delivery
    ///
    /// The repository is read, and no cluster but the build cluster, which knows where it is. Values are secret, and shown only
    /// of the delivery that --run-cluster names.
    Values(ValuesArgs),
    /// Complete commands, flags and values when TAB is pressed
    ///
    /// kubectl runs the file that `install` writes; Flux asks the plugin itself. Clusters are asked for 300 ms at most, and never
    /// with a credential that needs a login.
    Completion(CompletionArgs),
    /// Print the version
    ///
    /// The version, and of a release the commit that it was built from. With --clusters also which versions of the APIs the
    /// clusters serve that deliveries are made of: Kubernetes, Flux and kapp-controller.
    Version(VersionCommandArgs),
}

/// The help of the program itself: its commands, on one screen. Their flags stand in the help of each.
const OVERVIEW: &str = "{about-with-newline}\n{usage-heading} {usage}\n\nCommands:\n{subcommands}{after-help}";

/// Returns the command line as the program is called, with the examples that the help of each command shows.
fn command() -> clap::Command {
    let program = PROGRAM.to_string();
    let flags = format!(
        "Flags, kubectl's own of the connection among them, and examples:\n  {program} COMMAND --help\n\nExit codes: 0 done, \
         1 failed, 2 usage, 3 timeout, 130 interrupted, 141 standard output closed. Of --diff: 1 something differs, 4 failed."
    );
    Cli::command().bin_name(&program).help_template(OVERVIEW).after_help(flags).mut_subcommands(|subcommand| {
        match examples::help(subcommand.get_name(), &program) {
            Some(examples) => subcommand.after_help(examples),
            None => subcommand,
        }
    })
}

/// Answers what may come next on a command line, if this process was started for that.
pub fn complete(lookup: Lookup) -> Option<ExitCode> {
    completion::answer(command, lookup)
}

/// Prints the help that was asked for, or what is wrong with the command line, which a program is told in its own format.
fn answer_without_command(answer: &clap::Error) -> ExitCode {
    let _ = answer.print();
    if !answer.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if asks_for_json(std::env::args_os(), std::env::var_os(OUTPUT)) {
        let text = answer.render().to_string();
        let message = text.lines().next().unwrap_or_default();
        let error =
            Error::usage(message.trim_start_matches("error: ")).hint(format!("see the flags: {PROGRAM} --help"));
        ui::end_events(Format::Json, &error);
    }
    ErrorKind::Usage.into()
}

/// The variable that names the format of the result.
const OUTPUT: &str = "CARVELFLUX_OUTPUT";

/// Tells whether a command line that cannot be parsed asks for JSON; where it names no format, `variable` does.
fn asks_for_json(arguments: impl IntoIterator<Item = OsString>, variable: Option<OsString>) -> bool {
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let given = match text.as_ref() {
            "-o" | "--output" => arguments.next().map(|next| next.to_string_lossy().into_owned()),
            text if text.starts_with("--output=") => text.split_once('=').map(|(_, format)| format.to_owned()),
            text if text.starts_with("-o") => text.get(2..).map(|format| format.trim_start_matches('=').to_owned()),
            _ => continue,
        };
        return given.is_some_and(|format| format == "json");
    }
    variable.is_some_and(|format| format == "json")
}

#[cfg(test)]
#[path = "cli/examples_tests.rs"]
mod examples_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn each_command_explains_itself() {
        let mut cli = command().term_width(80);
        cli.build();
        assert_help(&mut cli);
        cli.get_subcommands_mut().filter(|command| command.get_name() != "help").for_each(assert_help);
    }

    /// Compares `docs/commands.md` with what the commands say of themselves; `INSTA_UPDATE=always` rewrites it.
    #[test]
    fn the_command_reference_is_up_to_date() {
        let mut cli = command().term_width(100);
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
        let is_ours = |command: &clap::Command| !command.is_hide_set() && command.get_name() != "help";
        cli.get_subcommands_mut().filter(|command| is_ours(command)).for_each(&mut add);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
        if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
            std::fs::write(path, &reference).expect("the reference can be written");
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), reference, "docs/commands.md is out of date");
    }

    /// Compares what a command's `--help` prints on a terminal of 80 columns with its snapshot in `tests/help/`.
    fn assert_help(command: &mut clap::Command) {
        let help = command.render_long_help().to_string();
        for line in help.lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= 80, "wider than 80 columns: {line}");
        }
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
        let asks = |line: &str| asks_for_json(line.split(' ').map(OsString::from), None);
        for line in ["wait --bad -o json", "wait -ojson --bad", "-o=json", "--output json", "--output=json -x"] {
            assert!(asks(line), "{line}");
        }
        for line in ["wait --bad", "wait json -o", "--package json"] {
            assert!(!asks(line), "{line}");
        }
        let with_variable = |line: &str| asks_for_json(line.split(' ').map(OsString::from), Some("json".into()));
        assert!(with_variable("wait --bad") && !with_variable("wait --bad -o text"));
    }
}
