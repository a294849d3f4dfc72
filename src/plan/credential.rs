//! The credential that Flux gets: read where it was minted, proven to work, then stored.

use std::time::Duration;

use k8s_openapi::ByteString;
use kube::api::DynamicObject;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::Change;
use super::execute::Executor;
use crate::cluster::{Access, Cluster, ObjectReference, Role};
use crate::error::{Error, Result};
use crate::kubeconfig::{self, Endpoint};

/// How long the control plane may take to fill in a token, or to let it in.
const MINT_LIMIT: Duration = Duration::from_secs(30);

/// A kubeconfig for Flux, made from a token that does not exist before the plan runs.
#[derive(Debug)]
pub struct StoreCredential {
    /// The run cluster's short name.
    pub run_cluster: String,
    /// How Flux reaches it.
    pub endpoint: Endpoint,
    /// The name of the kubeconfig's user.
    pub user: String,
    /// The Secret on the run cluster in which the token appears.
    pub token_secret: ObjectReference,
    /// The user that Flux impersonates with it, if any.
    pub impersonate: Option<String>,
    /// The namespace in which the credential must work.
    pub target_namespace: String,
    /// The Secret on the build cluster, without its data.
    pub secret: Value,
    /// What it will change.
    pub change: Change,
}

impl StoreCredential {
    /// Completes the Secret with a kubeconfig that holds `token`.
    #[must_use]
    pub fn secret_with(&self, token: &SecretString) -> Value {
        let kubeconfig = self.endpoint.kubeconfig(&self.run_cluster, &self.user, token);
        let mut secret = self.secret.clone();
        secret["data"] = json!({kubeconfig::SECRET_KEY: kubeconfig::base64(kubeconfig.expose_secret().as_bytes())});
        secret
    }
}

impl Executor<'_> {
    /// Reads the minted token, proves that it works, and stores the kubeconfig.
    pub(super) async fn store_credential(self, store: &StoreCredential) -> Result<()> {
        let run = self.run_cluster()?;
        let token = run.wait_for(&store.token_secret, MINT_LIMIT, token_of).await?;
        let secret = store.secret_with(&token);
        let kubeconfig = kubeconfig::of_secret(&secret, None)?;
        let as_flux =
            Cluster::from_kubeconfig(Role::Run(store.run_cluster.clone()), kubeconfig, store.impersonate.clone())
                .await?;
        prove(&as_flux, &store.target_namespace).await?;
        self.build.apply(&secret, false).await?;
        self.report(&store.change, &ObjectReference::of(&secret)?.display(), self.build);
        Ok(())
    }
}

/// Takes the token out of a token Secret once the control plane has filled it in.
#[must_use]
pub fn token_of(secret: &DynamicObject) -> Option<SecretString> {
    let encoded = secret.data.get("data")?.get("token")?;
    let token: ByteString = serde_json::from_value(encoded.clone()).ok()?;
    String::from_utf8(token.0).ok().filter(|token| !token.is_empty()).map(SecretString::from)
}

/// Proves that a new credential is let in and may do what Flux needs first; both may take the API server a moment.
async fn prove(as_flux: &Cluster, namespace: &str) -> Result<()> {
    let access =
        Access { verb: "patch", group: crate::carvel::PACKAGING_GROUP, resource: "packageinstalls", namespace };
    let deadline = tokio::time::Instant::now() + MINT_LIMIT;
    loop {
        let answer = as_flux.allows(access).await;
        if let Ok(true) = answer {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline {
            let error = Error::new("the new deployer credential does not work on the run cluster; it was not stored");
            return Err(match answer {
                Err(cause) => error.because(cause),
                Ok(_) => {
                    error.because(format!("it may not {} {} in namespace {namespace}", access.verb, access.resource))
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
