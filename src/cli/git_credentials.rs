//! The flags of the commands that read or write the GitOps repository.

use std::path::PathBuf;

use clap::Args;

/// Credentials for the GitOps repository; never a secret in an argument.
#[derive(Args, Debug)]
#[command(next_help_heading = "Git credentials")]
pub struct GitCredentialArgs {
    /// User name for the GitOps repository
    #[arg(long, env = "GIT_USERNAME", value_name = "NAME", hide_env_values = true)]
    pub git_username: Option<String>,
    /// File with the password or access token for the GitOps repository; `-` reads standard input (default: the variable `GIT_PASSWORD`)
    #[arg(long, value_name = "FILE")]
    pub git_password_file: Option<PathBuf>,
}
