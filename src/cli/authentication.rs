//! The flags that say how Flux authenticates on a run cluster; clap knows which of them exclude each other.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How Flux authenticates on the run cluster.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "How Flux authenticates on the run cluster")]
pub struct AuthenticationArgs {
    /// Way to authenticate: token, of an account that is made for it (default: what the run cluster was added with, else token)
    #[arg(long, value_name = "WAY", hide_possible_values = true)]
    pub auth: Option<AuthenticationWay>,
    /// Kubeconfig of your own for Flux, taken as it is; `-` reads standard input. A new one replaces the old one
    #[arg(long, value_name = "FILE", conflicts_with = "auth")]
    pub kubeconfig_file: Option<PathBuf>,
    /// Take the content of the files in that the kubeconfig names: Flux cannot read them
    #[arg(long, requires = "kubeconfig_file")]
    pub inline_files: bool,
    /// Have Flux impersonate this service account, of the namespace called like the build namespace, for each request
    #[arg(long = "impersonate", value_name = "SERVICE_ACCOUNT")]
    pub impersonated: Option<String>,
}

/// The ways that are chosen by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuthenticationWay {
    /// A token of the deployer's service account, stored in a kubeconfig.
    Token,
}
