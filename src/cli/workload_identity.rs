//! The flags of a workload identity.

use clap::Args;

use crate::flux::Provider;

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
