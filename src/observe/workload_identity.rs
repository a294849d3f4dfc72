//! How Flux reaches a run cluster without a stored credential, and how the same is done from here.
//!
//! Of the providers, only `generic` can be followed from here: the others' tokens come from a cloud that knows the
//! controller, not the user.

use kube::api::DynamicObject;
use kube::config::Kubeconfig;
use secrecy::{ExposeSecret, SecretString};

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::flux::{Provider, WorkloadIdentity, canonical_address};

/// Builds the kubeconfig that Flux would use: with a token of the service account that the ConfigMap names.
pub async fn kubeconfig(
    build: &Cluster,
    namespace: &str,
    config_map: &DynamicObject,
    run_cluster: &str,
) -> Result<Kubeconfig> {
    let identity = WorkloadIdentity::of(config_map)?;
    let token = token(build, namespace, &identity).await?;
    kubeconfig_with(&identity, run_cluster, &token)
}

/// Requests a token of the service account, for the audiences that Flux requests one for.
pub async fn token(build: &Cluster, namespace: &str, identity: &WorkloadIdentity) -> Result<SecretString> {
    let account = token_account(identity)?;
    build.service_account_token(namespace, account, &identity.token_audiences()).await
}

/// Builds the kubeconfig that Flux would use with this token.
pub fn kubeconfig_with(identity: &WorkloadIdentity, run_cluster: &str, token: &SecretString) -> Result<Kubeconfig> {
    let mut endpoint = identity.endpoint().ok_or_else(|| Error::new("it names no address"))?;
    endpoint.server = canonical_address(&endpoint.server)?;
    let text = endpoint.kubeconfig(run_cluster, identity.service_account.as_deref().unwrap_or("flux"), token);
    serde_yaml::from_str(text.expose_secret()).map_err(|_| Error::new("the kubeconfig that was built cannot be read"))
}

/// Says what to do where a run cluster refuses the tokens of a workload identity.
#[must_use]
pub fn untrusted_identity(namespace: &str, config_map: &str) -> String {
    format!(
        "does the run cluster's API server trust the build cluster as an issuer, for the audiences in ConfigMap {namespace}/{config_map}? docs/authentication.md says how"
    )
}

fn token_account(identity: &WorkloadIdentity) -> Result<&str> {
    if identity.provider != Provider::Generic {
        return Err(Error::new(format!(
            "cannot obtain a token of provider {} from this machine",
            identity.provider.name()
        )));
    }
    identity
        .service_account
        .as_deref()
        .ok_or_else(|| Error::new("cannot obtain the identity of Flux's own controller from this machine"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_followed_from_here_is_said() {
        let cloud = WorkloadIdentity { provider: Provider::Aws, ..WorkloadIdentity::default() };
        assert!(token_account(&cloud).expect_err("a cloud's").to_string().contains("aws"));
        let own = token_account(&WorkloadIdentity::default()).expect_err("no account").to_string();
        assert!(own.contains("Flux's own controller"), "{own}");
    }
}
