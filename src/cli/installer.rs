//! The flags that say as whom a package is installed, and with what; clap knows which of them exclude each other.

use std::path::PathBuf;

use clap::Args;

use crate::identities::Preset;

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
