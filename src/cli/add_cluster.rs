//! The flags of `add-cluster`: of the delivery, of the account that the package is installed as, of how Flux authenticates on
//! the run cluster, and of how Flux reaches it; clap knows which of them exclude each other.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};

use super::environment;
use super::parse::{parse_commit, parse_sync_period, parse_token_duration};
use super::preview::PreviewArgs;
use super::shared::{CommitArgs, ConfirmArgs, GitCredentialArgs, OutputArgs, WriteArgs};
use crate::error::{Error, Result};
use crate::flux::Provider;
use crate::identities::Preset;

/// Arguments of `add-cluster`.
#[derive(Args, Debug)]
#[command(mut_arg("timeout", |timeout| timeout.help("Time to wait until the package is installed, such as 90s, 10m or 1h")))]
pub struct AddClusterArgs {
    /// Short name of the run cluster, such as prod1
    #[arg(value_name = "RUN_CLUSTER")]
    pub run_cluster: Option<String>,
    /// Package to deliver; may be repeated: all are delivered together, with one commit
    #[arg(long = "package", value_name = "PACKAGE")]
    pub packages: Vec<String>,
    /// File with a list of deliveries to one or many run clusters, in place of the flags about a single one; `-` reads standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "run_cluster", "packages", "run_context", "target_namespace", "version_constraints", "values", "set", "set_string", "set_file",
            "values_secret_name", "kubeconfig_file", "flux_server", "flux_tls_server_name"
        ]
    )]
    pub from_file: Option<PathBuf>,
    /// Kubeconfig context of the run cluster
    #[arg(long, value_name = "CONTEXT")]
    pub run_context: Option<String>,
    /// Kubeconfig file that holds the run cluster's context (default: the one of the build cluster)
    #[arg(long, value_name = "FILE", env = "CARVELFLUX_RUN_KUBECONFIG", hide_env_values = true)]
    pub run_kubeconfig: Option<PathBuf>,
    /// Namespace on the run cluster where the package is installed
    #[arg(long, value_name = "NAMESPACE")]
    pub target_namespace: Option<String>,
    /// Versions to choose from, as in `versionSelection.constraints` (default: the highest)
    #[arg(long, value_name = "CONSTRAINTS")]
    pub version_constraints: Option<String>,
    /// Preview.
    #[command(flatten)]
    pub preview: PreviewArgs,
    /// What is installed.
    #[command(flatten)]
    pub selection: VersionArgs,
    /// The values.
    #[command(flatten)]
    pub values: PackageValuesArgs,
    /// How the values are kept in Git.
    #[command(flatten)]
    pub encryption: EncryptionArgs,
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
    /// Commits.
    #[command(flatten)]
    pub commit: CommitArgs,
    /// Commit nothing: wait until a pull request has brought what this commit holds of the delivery to the branch that Flux follows, then do the rest
    #[arg(
        long,
        value_name = "COMMIT",
        help_heading = "Git commits",
        conflicts_with_all = ["commit_message", "repo_dir", "no_push", "push_branch"],
        value_parser = parse_commit
    )]
    pub wait_for_merge: Option<String>,
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

impl AddClusterArgs {
    /// Returns the arguments of a command line that names a package only.
    pub fn of_package(package: &str) -> Result<Self> {
        /// The flags without the names of program and command.
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            arguments: AddClusterArgs,
        }
        let words = ["add-cluster", "--package", package].map(Into::into);
        let alone = environment::matches(Alone::command, &words);
        let alone = alone.and_then(|mut matches| Alone::from_arg_matches_mut(&mut matches));
        alone.map(|alone| alone.arguments).map_err(|error| Error::usage("the package cannot be named").because(error))
    }
}

/// Which versions are chosen from, and when kapp-controller looks.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Which version is installed")]
pub struct VersionArgs {
    /// Accept prereleases: all, or those with one of these identifiers, such as `--prereleases=rc,beta`
    #[arg(long, value_name = "IDENTIFIERS", value_delimiter = ',', num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub prereleases: Option<Vec<String>>,
    /// Let kapp-controller install a lower version than the installed one
    #[arg(long)]
    pub downgradable: bool,
    /// Time after which kapp-controller looks again by itself, such as 10m; at least 30s
    #[arg(long, value_name = "DURATION", value_parser = parse_sync_period)]
    pub sync_period: Option<String>,
}

/// The package's values: checked against its schema, and never shown.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Values of the package (see them with `values PACKAGE`)")]
pub struct PackageValuesArgs {
    /// File with values, a YAML mapping, in place of what Git holds; may be repeated: later ones win
    #[arg(long, value_name = "FILE")]
    pub values: Vec<PathBuf>,
    /// Set one value, read as YAML, and keep what Git holds of the others; may be repeated
    #[arg(long, value_name = "KEY.PATH=VALUE")]
    pub set: Vec<String>,
    /// Set one value to text, whatever it looks like; may be repeated
    #[arg(long, value_name = "KEY.PATH=TEXT")]
    pub set_string: Vec<String>,
    /// Set one value to the text of a file, best for secrets; may be repeated
    #[arg(long, value_name = "KEY.PATH=FILE")]
    pub set_file: Vec<String>,
    /// Name of the Secret that holds the values (default: one that changes with them, so that Flux sees the change)
    #[arg(long, value_name = "NAME")]
    pub values_secret_name: Option<String>,
}

/// How the values are kept in Git.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "How the values are kept in Git (default: as they are there, else in plain text)")]
pub struct EncryptionArgs {
    /// Encrypt the values as Flux decrypts them: with SOPS, for age
    #[arg(long, value_name = "age", hide_possible_values = true)]
    pub encrypt: Option<Encryption>,
    /// Public key that can decrypt, age1…; may be repeated (default: as `.sops.yaml` of the repository says)
    #[arg(long = "age-recipient", value_name = "RECIPIENT", requires = "encrypt")]
    pub recipients: Vec<String>,
    /// Make a key where Flux has none: Secret sops-age, and `.sops.yaml` in the repository
    #[arg(long, requires = "encrypt")]
    pub generate_age_key: bool,
    /// Keep the values in plain text, without a warning
    #[arg(long, conflicts_with = "encrypt")]
    pub allow_plain_values: bool,
}

/// The ways to encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Encryption {
    /// With SOPS, for keys of age.
    Age,
}

/// As whom a package is installed.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "How the package is installed")]
pub struct InstallerArgs {
    /// What the package may install, by its kind: server, web or worker (default: what it was installed with, else server)
    #[arg(long, value_name = "KIND", hide_possible_values = true, group = "as_whom")]
    pub installer: Option<Preset>,
    /// File with what the package may install: a list of RBAC rules, or a Role that has them
    #[arg(long, value_name = "FILE", group = "as_whom")]
    pub installer_role_file: Option<PathBuf>,
    /// Existing service account in the target namespace to install the package as
    #[arg(long, value_name = "NAME", group = "as_whom")]
    pub installer_service_account: Option<String>,
    /// Secret in the target namespace with the credentials of the registry that holds the bundles
    #[arg(long, value_name = "NAME")]
    pub registry_secret: Option<String>,
    /// Create the target namespace if it does not exist
    #[arg(long)]
    pub create_namespace: bool,
}

/// How Flux authenticates on the run cluster.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "How Flux authenticates on the run cluster")]
pub struct AuthenticationArgs {
    /// Authentication method: token, of an account that is made for it, or workload-identity, with nothing stored (default: what the run cluster was added with, else token)
    #[arg(long, value_name = "METHOD", hide_possible_values = true)]
    pub auth: Option<AuthenticationMethod>,
    /// Kubeconfig of your own for Flux, taken as it is; `-` reads standard input. A new one replaces the old one
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["auth", "token_duration", "flux_server", "flux_proxy_url", "flux_tls_server_name", "flux_certificate_authority"]
    )]
    pub kubeconfig_file: Option<PathBuf>,
    /// Inline the files that the kubeconfig names, which Flux cannot read
    #[arg(long, requires = "kubeconfig_file")]
    pub inline_files: bool,
    /// Have Flux impersonate this service account, of the namespace called like the build namespace, for each request
    #[arg(long = "impersonate", value_name = "SERVICE_ACCOUNT")]
    pub impersonated: Option<String>,
    /// Time after which the token expires, such as 24h or 720h; the API server may grant another (default: never)
    #[arg(long, value_name = "DURATION", value_parser = parse_token_duration)]
    pub token_duration: Option<Duration>,
    /// The workload identity.
    #[command(flatten)]
    pub identity: WorkloadIdentityArgs,
}

/// Where Flux reaches the run cluster, where that is not where the user does.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "How Flux reaches the run cluster (default: as it does already, else as you do)")]
pub struct EndpointArgs {
    /// Address of the API server, `https://HOST:PORT`
    #[arg(long, value_name = "URL")]
    pub flux_server: Option<String>,
    /// Proxy to go through (http://, https:// or socks5://); an empty text for none
    #[arg(long, alias = "proxy-url", value_name = "URL")]
    pub flux_proxy_url: Option<String>,
    /// Name in the API server's certificate, where it is not the address's; an empty text for none
    #[arg(long, value_name = "NAME")]
    pub flux_tls_server_name: Option<String>,
    /// File with the certificates of the CA that signed that of the API server
    #[arg(long, value_name = "FILE")]
    pub flux_certificate_authority: Option<PathBuf>,
    /// Let Flux reach the run cluster at an address of its own machine, such as 127.0.0.1
    #[arg(long)]
    pub allow_loopback: bool,
}

/// The methods that are chosen by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuthenticationMethod {
    /// A token of the deployer's service account, stored in a kubeconfig.
    Token,
    /// A token that Flux gets for each use, and that the run cluster trusts.
    WorkloadIdentity,
}

/// The workload identity of `--auth workload-identity`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Workload identity, with --auth workload-identity")]
pub struct WorkloadIdentityArgs {
    /// Who makes the credential: generic, a run cluster that trusts the build cluster's tokens (the default), aws, azure or gcp
    #[arg(long, value_name = "PROVIDER", hide_possible_values = true, requires = "auth")]
    pub provider: Option<Provider>,
    /// Whom the tokens are for, as the run cluster's API server expects it; may be repeated (default: its address)
    #[arg(long = "audience", value_name = "AUDIENCE", requires = "auth")]
    pub audiences: Vec<String>,
    /// Service account in the build namespace whose tokens Flux uses (default: one that is made; in a cloud Flux's own)
    #[arg(long, value_name = "NAME", requires = "auth")]
    pub identity_service_account: Option<String>,
    /// User that the run cluster's API server takes the identity for (default: the service account, without a prefix)
    #[arg(long, value_name = "USER", requires = "auth")]
    pub identity_user: Option<String>,
    /// Full name of the run cluster in the API of its cloud, such as an ARN
    #[arg(long, value_name = "NAME", requires = "auth")]
    pub cluster_resource: Option<String>,
}

impl WorkloadIdentityArgs {
    /// Tells whether any of the flags is given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        *self != Self::default()
    }
}
