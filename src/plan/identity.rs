//! Proof that a run cluster knows a workload identity, before Flux is told to use it.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::credential::prove;
use super::execute::Executor;
use crate::error::{Error, Result};
use crate::flux::WorkloadIdentity;
use crate::kubeconfig::decoded;
use crate::observe::workload_identity::token;
use crate::waiting::{self, Look, Waited};

/// How long an API server may take to learn an issuer's keys, once it was told to trust it.
const TRUST_LIMIT: Duration = Duration::from_secs(5);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// A workload identity that a run cluster must know.
#[derive(Debug)]
pub struct ProveIdentity {
    /// The run cluster's short name.
    pub run_cluster: String,
    /// The namespace of the service account.
    pub namespace: String,
    /// What Flux is told.
    pub identity: WorkloadIdentity,
    /// Whom the run cluster must take it for: the roles are that user's.
    pub user: String,
    /// The user that Flux impersonates with it, if any.
    pub impersonate: Option<String>,
    /// The namespace in which it must work.
    pub target_namespace: String,
}

impl Executor<'_> {
    /// Goes to the run cluster with a token as Flux gets one. Who may not request tokens is not stopped by that.
    pub(super) async fn prove_identity(self, proof: &ProveIdentity) -> Result<()> {
        let token = match token(self.build, &proof.namespace, &proof.identity).await {
            Ok(token) => token,
            Err(error) => {
                self.ui.warning(&format!("whether the run cluster knows the identity is not known: {error}"));
                return Ok(());
            }
        };
        // In the user's own way: Flux's may not be open to the user.
        let run = self.run_cluster()?;
        let itself = run.with_token(&token, None)?;
        let deadline = tokio::time::Instant::now() + TRUST_LIMIT;
        let mut refusal = None;
        let user = waiting::until(deadline, PAUSE, async || match itself.user().await {
            Ok(user) => Ok(Look::Found(user)),
            Err(error) if error.status() == Some(401) => {
                refusal = Some(error);
                Ok(Look::NotYet)
            }
            Err(error) => Err(error),
        });
        let user = match user.await? {
            Waited::Found(user) => user,
            Waited::Overdue(Some(error)) => return Err(error),
            Waited::Overdue(None) => return Err(untrusted(proof, &token, refusal)),
        };
        if let Some(user) = user.filter(|user| user.name != proof.user) {
            return Err(Error::new(format!(
                "the run cluster `{}` takes the identity for the user `{}`",
                proof.run_cluster, user.name
            ))
            .because(format!("the roles are bound to `{}`", proof.user))
            .hint(format!("bind them to the right one: --identity-user {}", user.name)));
        }
        let as_flux = run.with_token(&token, proof.impersonate.as_deref())?;
        prove(
            &as_flux,
            &proof.target_namespace,
            "the identity does not work on the run cluster; Flux was not told to use it",
        )
        .await
    }
}

fn untrusted(proof: &ProveIdentity, token: &SecretString, refusal: Option<Error>) -> Error {
    let issuer = claim(token, "iss").unwrap_or_else(|| "of the build cluster".to_owned());
    let audiences = proof.identity.token_audiences().join(", ");
    let error =
        Error::new(format!("the run cluster `{}` does not trust the build cluster's tokens", proof.run_cluster));
    refusal
        .into_iter()
        .fold(error, Error::because)
        .hint(format!(
            "let its API server trust the issuer {issuer} for the audience {audiences}, with --authentication-config; docs/authentication.md has an example"
        ))
        .hint("if it does, can it reach the issuer's keys, and does it ask for another --audience?")
}

/// Reads a claim of a token; which ones there are is no secret.
fn claim(token: &SecretString, name: &str) -> Option<String> {
    let payload = token.expose_secret().split('.').nth(1)?.replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - payload.len() % 4) % 4);
    let claims: Value = serde_json::from_str(&decoded(&format!("{payload}{padding}"))?).ok()?;
    claims[name].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_is_read_from_a_token() {
        let token = SecretString::from("e30.eyJpc3MiOiJodHRwczovL2J1aWxkPz8_In0.fake");
        assert_eq!(claim(&token, "iss").as_deref(), Some("https://build???"));
        assert_eq!(claim(&SecretString::from("fake"), "iss"), None);
    }
}
