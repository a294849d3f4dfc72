//! How a run cluster is reached: as its user says, else exactly as Flux does.
//!
//! Of workload identities, only those of the provider `generic` can be followed from here: the others' tokens come from a cloud
//! that knows the controller, not the user.

use kube::api::DynamicObject;
use kube::config::Kubeconfig;
use secrecy::{ExposeSecret, SecretString};

use super::delivery::{Delivery, RunAccess};
use super::{Cause, Failure, GracePeriod, Stage, Verdict};
use crate::cluster::{Cluster, Connection, Role};
use crate::error::{Error, Result};
use crate::flux::{Provider, RunCredential, WorkloadIdentity, canonical_address};
use crate::invocation::PROGRAM;
use crate::kubeconfig;
use crate::shell::quoted;

/// Reaches the run cluster of a delivery: through the context that the user named for it, else with the credential that
/// Flux uses, exactly as Flux would use it.
pub(crate) async fn reach(
    build: &Cluster,
    delivery: &Delivery,
    run_contexts: &[(String, String)],
    connection: &Connection,
) -> Result<Cluster, Verdict> {
    let role = Role::Run(delivery.run_cluster.clone());
    let unknown = |why: String| Verdict::Unknown {
        why,
        hint: format!(
            "read the run cluster with your own credential: --run-context {}=CONTEXT",
            quoted(&delivery.run_cluster)
        ),
    };
    if let Some((_, context)) = run_contexts.iter().find(|(name, _)| *name == delivery.run_cluster) {
        let connection = connection.of_run_clusters(None).in_context(context);
        return Cluster::connect(role, &connection).await.map_err(|error| unknown(error.to_string()));
    }
    let (reference, impersonate) = match &delivery.access {
        RunAccess::Kubeconfig { secret, impersonate } => {
            (RunCredential::Secret.reference(&delivery.namespace, &secret.name), impersonate)
        }
        RunAccess::WorkloadIdentity { config_map, impersonate } => {
            (RunCredential::ConfigMap.reference(&delivery.namespace, config_map), impersonate)
        }
    };
    let failed = |message: String| {
        Verdict::Failed(Failure {
            cause: Cause::NoCredential,
            stage: Stage::Install,
            object: reference.display(),
            message,
            hint: format!(
                "store a credential: {PROGRAM} add-cluster {} --package {} -n {}",
                quoted(&delivery.run_cluster),
                quoted(&delivery.package),
                quoted(&delivery.namespace)
            ),
            grace_period: GracePeriod::None,
            attempt: None,
        })
    };
    let object = build.get(&reference).await.map_err(|error| unknown(error.to_string()))?;
    let object = object.ok_or_else(|| failed("it does not exist, so Flux cannot reach the run cluster".to_owned()))?;
    let kubeconfig = match &delivery.access {
        RunAccess::Kubeconfig { secret, .. } => {
            kubeconfig::of_secret(&object.data, secret.key.as_deref()).map_err(|error| failed(error.to_string()))?
        }
        RunAccess::WorkloadIdentity { .. } => {
            workload_identity_kubeconfig(build, &delivery.namespace, &object, &delivery.run_cluster)
                .await
                .map_err(|error| unknown(format!("{}: {error}", reference.display())))?
        }
    };
    Cluster::from_kubeconfig(role, kubeconfig, impersonate.clone()).await.map_err(|error| failed(error.to_string()))
}

/// Builds the kubeconfig that Flux would use without a stored credential: with a token of the service account that the ConfigMap names.
pub(crate) async fn workload_identity_kubeconfig(
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
pub(crate) async fn token(build: &Cluster, namespace: &str, identity: &WorkloadIdentity) -> Result<SecretString> {
    let account = token_account(identity)?;
    build.service_account_token(namespace, account, &identity.token_audiences()).await
}

/// Builds the kubeconfig that Flux would use with this token.
fn kubeconfig_with(identity: &WorkloadIdentity, run_cluster: &str, token: &SecretString) -> Result<Kubeconfig> {
    let mut endpoint = identity.endpoint().ok_or_else(|| Error::new("it names no address"))?;
    endpoint.server = canonical_address(&endpoint.server)?;
    let text = endpoint.kubeconfig(run_cluster, identity.service_account.as_deref().unwrap_or("flux"), token);
    serde_yaml::from_str(text.expose_secret()).map_err(|_| Error::new("the kubeconfig that was built cannot be read"))
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
    use crate::ui::errors::assert_printed;

    #[test]
    fn what_cannot_be_followed_from_here_is_said() {
        let cloud = WorkloadIdentity { provider: Provider::Aws, ..WorkloadIdentity::default() };
        assert_printed("token_of_a_cloud", &token_account(&cloud).expect_err("a cloud's"));
        let own = token_account(&WorkloadIdentity::default()).expect_err("no account").to_string();
        assert!(own.contains("Flux's own controller"), "{own}");
    }
}
