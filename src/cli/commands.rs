//! The flags of each command but `add-cluster`, which has the most of them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::parse::{parse_commit, parse_duration, parse_run_context, parse_token_duration};
use super::preview::PreviewArgs;
use super::shared::{
    CommitArgs, ConfirmArgs, DocumentFormat, FluxCredentialArgs, GitCredentialArgs, OUTPUT, OutputArgs, OutputFormat,
    SelectionArgs, WriteArgs,
};

/// Arguments of `bootstrap`.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("timeout", |timeout| timeout.default_value("2m").help("Time to wait until the source is fetched, such as 90s, 10m or 1h")))]
pub struct BootstrapArgs {
    /// Directory of the package in the GitOps repository, such as hello-app.default.tap
    #[arg(value_name = "PACKAGE")]
    pub package: Option<String>,
    /// URL of the GitOps repository (https://, http:// or ssh://)
    #[arg(long, value_name = "URL", env = "CARVELFLUX_GIT_URL", hide_env_values = true)]
    pub git_url: Option<String>,
    /// Branch of the GitOps repository
    #[arg(long, value_name = "BRANCH", env = "CARVELFLUX_BRANCH", hide_env_values = true)]
    pub branch: Option<String>,
    /// Preview.
    #[command(flatten)]
    pub preview: PreviewArgs,
    /// Credentials.
    #[command(flatten)]
    pub credentials: GitCredentialArgs,
    /// Credentials that only Flux uses.
    #[command(flatten)]
    pub flux_credentials: FluxCredentialArgs,
    /// How objects are written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// Confirmation.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Run clusters, by short name (default: all that have deliveries)
    #[arg(value_name = "RUN_CLUSTER")]
    pub run_clusters: Vec<String>,
    /// Look at a run cluster through a kubeconfig context as well, for what Flux's credential may not read; may be repeated
    #[arg(long = "run-context", value_name = "NAME=CONTEXT", value_parser = parse_run_context)]
    pub run_contexts: Vec<(String, String)>,
    /// The run clusters of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Show every check of more than five run clusters, too, and not only what needs attention
    #[arg(long)]
    pub all: bool,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs<DocumentFormat>,
}

/// Arguments of `rotate`.
#[derive(Args, Debug)]
#[command(mut_arg("timeout", |timeout| timeout.default_value("5m").help("Time to wait until Flux uses the new credentials, such as 90s, 10m or 1h")))]
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
    #[arg(long, value_name = "FILE", env = "CARVELFLUX_RUN_KUBECONFIG", hide_env_values = true)]
    pub run_kubeconfig: Option<PathBuf>,
    /// Time after which the new token expires, such as 24h or 720h (default: as it was granted before, or never)
    #[arg(long, value_name = "DURATION", value_parser = parse_token_duration)]
    pub token_duration: Option<Duration>,
    /// Take the stored kubeconfig over from whoever else has changed it
    #[arg(long)]
    pub force_conflicts: bool,
    /// Preview.
    #[command(flatten)]
    pub preview: PreviewArgs,
    /// Confirmation.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `remove-cluster`.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(mut_arg("timeout", |timeout| timeout.help("One deadline for everything that is deleted to be gone, such as 90s, 10m or 1h")))]
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
    #[arg(long, value_name = "FILE", env = "CARVELFLUX_RUN_KUBECONFIG", hide_env_values = true)]
    pub run_kubeconfig: Option<PathBuf>,
    /// Leave running what kapp-controller has deployed, without PackageInstall and App
    #[arg(long)]
    pub keep_workloads: bool,
    /// Leave the files in the GitOps repository; without Flux they have no effect
    #[arg(long, conflicts_with_all = ["commit_message", "repo_dir", "push_branch"])]
    pub keep_git: bool,
    /// The run cluster is gone for good: clear the build cluster and Git, and list what stays behind
    // A kubeconfig of the run clusters, which a variable may name, is of no use then, and does no harm.
    #[arg(long, conflicts_with_all = ["run_context", "keep_workloads"])]
    pub force: bool,
    /// Preview.
    #[command(flatten)]
    pub preview: PreviewArgs,
    /// Credentials.
    #[command(flatten)]
    pub credentials: GitCredentialArgs,
    /// Commits.
    #[command(flatten)]
    pub commit: CommitArgs,
    /// Commit nothing: wait until a pull request has removed the files from the branch that Flux follows, then do the rest
    #[arg(
        long,
        help_heading = "Git commits",
        conflicts_with_all = ["commit_message", "repo_dir", "no_push", "push_branch", "keep_git"]
    )]
    pub wait_for_merge: bool,
    /// Confirmation.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `wait`.
#[derive(Args, Debug)]
pub struct WaitArgs {
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
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10m",
        value_parser = parse_duration,
        env = "CARVELFLUX_TIMEOUT",
        hide_env_values = true
    )]
    pub timeout: Duration,
    /// Which deliveries.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How `status` shows what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// A tree: sources, run clusters, deliveries.
    // What other commands call their lines for people, so that one variable is right for all.
    #[default]
    #[value(alias = "text")]
    Tree,
    /// A table, a line per delivery.
    Wide,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// The names only.
    Name,
}

impl OutputFormat for StatusFormat {
    const HELP: &'static str = "Format: tree, wide, json, yaml or name";
    const DEFAULT: &'static str = "tree";
}

/// Arguments of `status`.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Show it again with every change, until interrupted
    #[arg(short, long)]
    pub watch: bool,
    /// Show every delivery of more than five run clusters, too, and not only what needs attention
    #[arg(long)]
    pub all: bool,
    /// Which deliveries.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs<StatusFormat>,
}

/// How `values` shows what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ValuesFormat {
    /// A table of what can be set.
    Table,
    /// A file of values.
    Yaml,
    /// The schema, or the values that Git holds.
    Json,
}

/// The heading of the flags about where packages are read.
const SOURCE: &str = "Where packages are read (default: from what `bootstrap` made known to Flux)";

/// Arguments of `values`.
#[derive(Args, Debug)]
pub struct ValuesArgs {
    /// Directory of the package in the GitOps repository, such as hello-app.default.tap (default: list all packages)
    #[arg(value_name = "PACKAGE")]
    pub package: Option<String>,
    /// Version whose values are shown (default: the highest release; with --run-cluster the selected one)
    #[arg(long, value_name = "VERSION", requires = "package")]
    pub version: Option<String>,
    /// Print the values that Git holds for the delivery to this run cluster
    #[arg(long, value_name = "RUN_CLUSTER", requires = "package")]
    pub run_cluster: Option<String>,
    /// URL of the GitOps repository
    #[arg(long, value_name = "URL", requires = "branch", help_heading = SOURCE)]
    pub git_url: Option<String>,
    /// Branch of the GitOps repository
    #[arg(long, value_name = "BRANCH", requires = "git_url", help_heading = SOURCE)]
    pub branch: Option<String>,
    /// Directory with a checkout of the GitOps repository, read as it is
    #[arg(long, value_name = "DIR", conflicts_with_all = ["git_url", "branch"], help_heading = SOURCE)]
    pub repo_dir: Option<PathBuf>,
    /// Credentials.
    #[command(flatten)]
    pub credentials: GitCredentialArgs,
    /// Format: table, yaml or json (default: table; with --run-cluster yaml)
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true, help_heading = OUTPUT)]
    pub output: Option<ValuesFormat>,
}

/// What `completion` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompletionTarget {
    /// Put the file where kubectl finds it that it runs for TAB after the plugin's name
    Install,
    /// Print the script for bash, which completes kubectl-carvelflux itself
    Bash,
    /// Print the script for zsh
    Zsh,
    /// Print the script for fish
    Fish,
    /// Print the script for PowerShell
    Powershell,
}

/// Arguments of `completion`.
#[derive(Args, Debug)]
pub struct CompletionArgs {
    /// What to do
    #[arg(value_name = "TARGET")]
    pub target: CompletionTarget,
    /// With install: the directory to write into, one of PATH (default: where kubectl finds the plugin)
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

/// Arguments of `version`.
#[derive(Args, Debug)]
pub struct VersionCommandArgs {
    /// Print also which API versions the build cluster serves, and each run cluster that has deliveries there
    #[arg(long)]
    pub clusters: bool,
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs<DocumentFormat>,
}
