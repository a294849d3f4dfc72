//! The flags that several commands share.
//!
//! A command names those with a heading of their own last: clap puts every flag that follows under the same heading. How the
//! command goes on and what it prints come after what it is about.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::parse::{parse_branch, parse_duration, parse_label, parse_run_context};
use crate::flux::GitProvider;
use crate::gitops::checkout::KeyType;
use crate::gitops::message::MessageTemplate;
use crate::observe::Selection;
use crate::ui::Format;

/// The heading of the flags about confirmation and deadlines.
const COURSE: &str = "Confirmation and waiting";

/// The heading of the flags about what is printed.
pub(super) const OUTPUT: &str = "Output";

/// Which deliveries a command is about, and how their run clusters are reached.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which deliveries (default: all of the namespace)")]
pub struct SelectionArgs {
    /// Package, by name; may be repeated
    #[arg(long = "package", value_name = "PACKAGE")]
    pub packages: Vec<String>,
    /// Run cluster, by short name; may be repeated
    #[arg(long = "run-cluster", value_name = "RUN_CLUSTER")]
    pub run_clusters: Vec<String>,
    /// Reach a run cluster through a kubeconfig context instead of Flux's credential; may be repeated
    #[arg(long = "run-context", value_name = "NAME=CONTEXT", value_parser = parse_run_context)]
    pub run_contexts: Vec<(String, String)>,
    /// The deliveries of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

impl SelectionArgs {
    /// Returns what was chosen, in this namespace unless it is in all.
    #[must_use]
    pub fn in_namespace(self, namespace: String) -> Selection {
        Selection {
            namespace: (!self.all_namespaces).then_some(namespace),
            packages: self.packages,
            run_clusters: self.run_clusters,
            run_contexts: self.run_contexts,
        }
    }
}

/// Credentials for the GitOps repository; never a secret in an argument.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Git credentials")]
pub struct GitCredentialArgs {
    /// User name for the GitOps repository
    #[arg(long, env = "GIT_USERNAME", value_name = "NAME", hide_env_values = true)]
    pub git_username: Option<String>,
    /// File with the password or access token for the GitOps repository; `-` reads standard input (default: the variable `GIT_PASSWORD`)
    #[arg(long, value_name = "FILE")]
    pub git_password_file: Option<PathBuf>,
}

/// What Flux reads the GitOps repository with, beside a user name and a password.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Git credentials")]
pub struct FluxCredentialArgs {
    /// File with the private SSH key that Flux reads the repository with, without a passphrase: a deploy key, for example
    #[arg(long, value_name = "FILE", group = "ssh_key")]
    pub ssh_key_file: Option<PathBuf>,
    /// Make such a key, ed25519 or ecdsa, and store it once somebody has given it access; one that is stored already is kept
    #[arg(
        long,
        value_name = "TYPE",
        group = "ssh_key",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "ed25519",
        hide_possible_values = true
    )]
    pub generate_deploy_key: Option<KeyType>,
    /// File with the SSH host keys of the Git server, as `ssh-keyscan` prints them (default: those that are stored, else they are fetched and confirmed by fingerprint)
    #[arg(long, value_name = "FILE", requires = "ssh_key")]
    pub known_hosts_file: Option<PathBuf>,
    /// File with the certificate (PEM) of the private certificate authority that has signed the Git server's
    #[arg(long, value_name = "FILE")]
    pub git_ca_file: Option<PathBuf>,
    /// File with a token that the Git server takes as a bearer token, and not as a password; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "ssh_key")]
    pub git_token_file: Option<PathBuf>,
    /// File with the certificate (PEM) that Flux shows the Git server as a client
    #[arg(long, value_name = "FILE", requires = "git_client_key_file", conflicts_with = "ssh_key")]
    pub git_client_cert_file: Option<PathBuf>,
    /// File with the private key (PEM) of that certificate, without a passphrase
    #[arg(long, value_name = "FILE", requires = "git_client_cert_file")]
    pub git_client_key_file: Option<PathBuf>,
    /// Secret that Flux reads the repository with; it is there already and stays as it is
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["ssh_key", "git_ca_file", "git_token_file", "git_client_cert_file"]
    )]
    pub git_secret: Option<String>,
    /// Secret with the proxy that Flux reaches the Git server through; it is there already
    #[arg(long, value_name = "NAME")]
    pub git_proxy_secret: Option<String>,
    /// Who vouches for Flux at the Git server: azure, or github for a GitHub App whose key is in the Secret
    #[arg(
        long,
        value_name = "PROVIDER",
        hide_possible_values = true,
        conflicts_with_all = ["ssh_key", "git_token_file"]
    )]
    pub provider: Option<GitProvider>,
}

/// How a commit is made.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Git commits")]
pub struct CommitArgs {
    /// Message of the commit, in which {operation}, {package} and {run-cluster} are filled in, such as 'OPS-7: {operation} {package}' (default: the plugin's own)
    #[arg(long, value_name = "TEXT")]
    pub commit_message: Option<MessageTemplate>,
    /// Commit in this checkout of yours, with its identity, signing, hooks and settings (default: in a temporary clone)
    #[arg(long, value_name = "DIR")]
    pub repo_dir: Option<PathBuf>,
    /// Commit in the checkout of --repo-dir, and do not push: nothing on a cluster then points at these files
    #[arg(long, requires = "repo_dir")]
    pub no_push: bool,
    /// Push to this branch, for a pull request, and write nothing on a cluster; ends with the command that goes on after the merge
    #[arg(long, value_name = "BRANCH", conflicts_with = "no_push", value_parser = parse_branch)]
    pub push_branch: Option<String>,
}

/// How objects are written.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "How objects are written")]
pub struct WriteArgs {
    /// Label of the Flux objects, such as sharding.fluxcd.io/key=shard1; may be repeated (labels of earlier runs stay)
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    pub labels: Vec<(String, String)>,
    /// Take over fields of other managers, and unmanaged objects
    #[arg(long)]
    pub force_conflicts: bool,
}

/// Flags of the commands that write.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = COURSE)]
pub struct ConfirmArgs {
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
    /// Wait for what the controllers make of it; with --wait=false, end after everything that needs no waiting
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set,
        hide_possible_values = true
    )]
    pub wait: bool,
    /// Time to wait; each command says until when, and some allow less
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10m",
        value_parser = parse_duration,
        env = "CARVELFLUX_TIMEOUT",
        hide_env_values = true
    )]
    pub timeout: Duration,
}

/// The formats of a command that shows what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DocumentFormat {
    /// Lines for people.
    Text,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// A format of what a command prints.
pub trait OutputFormat: ValueEnum + Send + Sync + 'static {
    /// What `--help` says of the formats that there are.
    const HELP: &'static str;
    /// The format where none is asked for.
    const DEFAULT: &'static str = "text";
}

impl OutputFormat for Format {
    const HELP: &'static str =
        "Format of the result: text, or json for events, one a line, of which the last one is the result";
}

impl OutputFormat for DocumentFormat {
    const HELP: &'static str = "Format: text, json or yaml";
}

/// In which of its formats a command prints its result.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = OUTPUT)]
pub struct OutputArgs<F: OutputFormat = Format> {
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        help = F::HELP,
        default_value = F::DEFAULT,
        hide_possible_values = true,
        env = "CARVELFLUX_OUTPUT",
        hide_env_values = true
    )]
    pub output: F,
}
