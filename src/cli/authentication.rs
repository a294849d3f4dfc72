//! The flags that say how Flux authenticates on a run cluster; clap knows which of them exclude each other.

use clap::{Args, ValueEnum};

/// How Flux authenticates on the run cluster.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "How Flux authenticates on the run cluster")]
pub struct AuthenticationArgs {
    /// Way to authenticate: token, of an account that is made for it (default: what the run cluster was added with, else token)
    #[arg(long, value_name = "WAY", hide_possible_values = true)]
    pub auth: Option<AuthenticationWay>,
}

/// The ways that are chosen by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuthenticationWay {
    /// A token of the deployer's service account, stored in a kubeconfig.
    Token,
}
