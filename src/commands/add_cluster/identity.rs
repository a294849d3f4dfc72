//! The workload identity that Flux is to use: what the flags say, else what is stored, else what follows from the run
//! cluster's address.

use kube::ResourceExt;
use kube::api::DynamicObject;

use super::answers::Answers;
use super::way;
use crate::cli::WorkloadIdentityArgs;
use crate::error::{Error, Result};
use crate::flux::{Provider, WorkloadIdentity, impersonated_user};
use crate::kubeconfig::decoded;
use crate::labels;
use crate::names;

/// A workload identity, and whom the run cluster takes it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// What Flux is told.
    pub(super) workload: WorkloadIdentity,
    /// The user that the run cluster's API server sees.
    pub(super) user: String,
}

impl Identity {
    /// Follows the flags; what they leave open stays as it is stored.
    pub(super) fn of(
        answers: &Answers,
        arguments: &WorkloadIdentityArgs,
        stored: Option<&DynamicObject>,
    ) -> Result<Self> {
        let stored_user = stored.and_then(|stored| stored.annotations().get(labels::IDENTITY_USER).cloned());
        let known = stored.and_then(|stored| WorkloadIdentity::of(stored).ok()?.endpoint());
        let stored = stored.map(WorkloadIdentity::of).transpose()?.unwrap_or_default();
        let provider = arguments.provider.unwrap_or(stored.provider);
        let is_cloud = provider != Provider::Generic;
        let cluster = arguments.cluster_resource.clone().or(stored.cluster);
        let service_account = arguments
            .identity_service_account
            .clone()
            .or(stored.service_account)
            .or_else(|| (!is_cloud).then(|| names::identity(&answers.run_cluster)));
        let audiences = if arguments.audiences.is_empty() { stored.audiences } else { arguments.audiences.clone() };
        let mut workload =
            WorkloadIdentity { provider, cluster, audiences, service_account, ..WorkloadIdentity::default() };
        // A cloud knows address and authority by the cluster's name, also when they change.
        if workload.cluster.is_none() || !answers.overrides.is_empty() {
            let endpoint = way::endpoint(answers, known.as_ref());
            if endpoint.tls_server_name.is_some() || endpoint.proxy_url.is_some() {
                return Err(Error::usage("Flux cannot use a TLS server name or a proxy with a workload identity")
                    .because(format!("{} is reached with one", endpoint.server))
                    .hint("reach the API server without (an empty --tls-server-name or --proxy-url), or choose another way to authenticate"));
            }
            workload.address = Some(endpoint.server);
            workload.certificate_authority = endpoint.certificate_authority_data.as_deref().and_then(decoded);
        }
        workload.check()?;
        let own_user = || {
            let account = workload.service_account.as_ref().filter(|_| !is_cloud)?;
            Some(impersonated_user(&answers.namespace, account))
        };
        let user = arguments.identity_user.clone().or(stored_user).or_else(own_user).ok_or_else(|| {
            Error::usage(format!("provider {} requires --identity-user", provider.name()))
                .because("the roles on the run cluster are bound to it")
                .hint("name it: --identity-user USER; docs/authentication.md says who it is in each cloud")
        })?;
        Ok(Self { workload, user })
    }
}
