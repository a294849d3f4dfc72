//! The flags that say how Flux authenticates on a run cluster; clap knows which of them exclude each other.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::WorkloadIdentityArgs;
use super::parse::parse_token_duration;

/// How Flux authenticates on the run cluster.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "How Flux authenticates on the run cluster")]
pub struct AuthenticationArgs {
    /// Way to authenticate: token, of an account that is made for it, or workload-identity, with nothing stored (default: what the run cluster was added with, else token)
    #[arg(long, value_name = "WAY", hide_possible_values = true)]
    pub auth: Option<AuthenticationWay>,
    /// Kubeconfig of your own for Flux, taken as it is; `-` reads standard input. A new one replaces the old one
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["auth", "token_duration", "server", "proxy_url", "tls_server_name", "certificate_authority"]
    )]
    pub kubeconfig_file: Option<PathBuf>,
    /// Take the content of the files in that the kubeconfig names: Flux cannot read them
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
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "How Flux reaches the run cluster (default: as it does already, else as you do)")]
pub struct EndpointArgs {
    /// Address of the API server, `https://HOST:PORT`
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Proxy on the way (http://, https:// or socks5://); an empty text for none
    #[arg(long, value_name = "URL")]
    pub proxy_url: Option<String>,
    /// Name in the API server's certificate, where it is not the address's; an empty text for none
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// File with the certificates of the authority that signed the API server's
    #[arg(long, value_name = "FILE")]
    pub certificate_authority: Option<PathBuf>,
    /// Let Flux reach the run cluster at an address of its own machine, such as 127.0.0.1
    #[arg(long)]
    pub allow_loopback: bool,
}

/// The ways that are chosen by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuthenticationWay {
    /// A token of the deployer's service account, stored in a kubeconfig.
    Token,
    /// A token that Flux gets for each use, and that the run cluster trusts.
    WorkloadIdentity,
}
