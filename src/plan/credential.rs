//! The credential that Flux gets: minted on the run cluster, proven to work, then stored on the build cluster.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use kube::api::DynamicObject;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::Change;
use super::execute::Executor;
use crate::authentication::stored::note_end;
use crate::cluster::{Access, Cluster, TokenWish};
use crate::error::{Error, Result};
use crate::kubeconfig::{self, Endpoint};
use crate::object::ObjectReference;
use crate::waiting::{self, Look, Waited};

/// How long the control plane may take to fill in a token, or to let it in.
const MINT_LIMIT: Duration = Duration::from_secs(30);

/// The pause between two tries of a new credential.
const PROOF_PAUSE: Duration = Duration::from_millis(200);

/// A kubeconfig for Flux, made from a token that may not exist before the plan runs.
#[derive(Debug)]
pub struct StoreCredential {
    /// The run cluster's short name.
    pub run_cluster: String,
    /// How Flux reaches it.
    pub endpoint: Endpoint,
    /// The name of the kubeconfig's user.
    pub user: String,
    /// Where the token comes from.
    pub source: TokenSource,
    /// The user that Flux impersonates with it, if any.
    pub impersonate: Option<String>,
    /// The namespace in which the credential must work.
    pub target_namespace: String,
    /// The Secret on the build cluster, without its data.
    pub secret: Value,
}

/// Where the token of a kubeconfig comes from.
#[derive(Debug)]
pub enum TokenSource {
    /// It works already, and only what is around it changes.
    Known(SecretString),
    /// The control plane fills it into this Secret, which an earlier step applies.
    Filled {
        /// The Secret.
        secret: ObjectReference,
        /// What it holds already.
        token: Option<SecretString>,
    },
    /// It is requested, and bound to a Secret that an earlier step applies.
    Requested {
        /// The name of the service account, in the Secret's namespace.
        account: String,
        /// The Secret whose deletion revokes it.
        bound_to: ObjectReference,
        /// How long it should live.
        lifetime: Duration,
    },
}

impl StoreCredential {
    /// Returns the token, where it exists before the plan runs.
    #[must_use]
    pub fn known_token(&self) -> Option<&SecretString> {
        match &self.source {
            TokenSource::Known(token) => Some(token),
            TokenSource::Filled { token, .. } => token.as_ref(),
            TokenSource::Requested { .. } => None,
        }
    }

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
    /// Mints the token, proves that it works, and stores the kubeconfig.
    pub(super) async fn store_credential(self, store: &StoreCredential, change: &Change) -> Result<()> {
        let run = self.run_cluster()?;
        let (token, end) = self.mint(store).await?;
        let as_flux = run.with_token(&token, store.impersonate.as_deref())?;
        let refusal = "the new deployer credential does not work on the run cluster; it was not stored";
        prove(&as_flux, &store.target_namespace, refusal).await?;
        if store.endpoint.server != run.server() {
            self.prove_endpoint(store, &token).await?;
        }
        let mut secret = store.secret_with(&token);
        if let Some((expires, lifetime)) = end {
            note_end(&mut secret, expires, lifetime);
        }
        self.build.apply(&secret, false).await?;
        self.report(change, &ObjectReference::of(&secret)?.display(), self.build);
        if let (Some((expires, granted)), TokenSource::Requested { lifetime, .. }) = (end, &store.source) {
            self.ui.status(&format!(
                "the credential for {} was granted for {} and expires at {expires:.0}",
                store.run_cluster,
                readable(granted)
            ));
            if let Some(warning) = differs(*lifetime, granted) {
                self.ui.warning(&warning);
            }
        }
        Ok(())
    }

    /// Returns the token, and when it ends and for how long it was granted if it does.
    async fn mint(self, store: &StoreCredential) -> Result<(SecretString, Option<(Timestamp, Duration)>)> {
        let run = self.run_cluster()?;
        match &store.source {
            TokenSource::Known(token) => Ok((token.clone(), None)),
            TokenSource::Filled { secret, .. } => Ok((run.wait_for(secret, MINT_LIMIT, token_of).await?, None)),
            TokenSource::Requested { account, bound_to, lifetime } => {
                let secret = run
                    .get(bound_to)
                    .await?
                    .ok_or_else(|| Error::new(format!("{} is gone from {}", bound_to.display(), run.display())))?;
                let wish = TokenWish {
                    namespace: bound_to.namespace.as_deref().unwrap_or_default(),
                    account,
                    audiences: &[],
                    lifetime: *lifetime,
                    bound_to: Some(&secret),
                };
                let granted = run.request_token(wish).await?;
                Ok((granted.token, Some((granted.expires, granted.lifetime))))
            }
        }
    }

    /// Refuses an address whose server does not know the token: it is another cluster's. Where it cannot be reached from
    /// here, Flux will find out.
    async fn prove_endpoint(self, store: &StoreCredential, token: &SecretString) -> Result<()> {
        let as_flux = self.run_cluster()?.through(&store.endpoint).await?.with_token(token, None)?;
        if let Ok(false) = as_flux.lets_in(&store.target_namespace).await {
            return Err(Error::new(format!(
                "the server at {} does not accept the deployer's credential; it was not stored",
                store.endpoint.server
            ))
            .because("it belongs to another cluster, or lets only its own users in")
            .hint("name the address of the run cluster's API server: --server https://HOST:PORT"));
        }
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

/// Writes a time span as people do, such as `1h 30m`.
#[must_use]
pub fn readable(span: Duration) -> String {
    let span = Duration::from_secs(span.as_secs());
    SignedDuration::try_from(span).map_or_else(|_| format!("{}s", span.as_secs()), |span| format!("{span:#}"))
}

/// Says that a token was granted for much less or more time than was asked for.
fn differs(asked: Duration, granted: Duration) -> Option<String> {
    let tolerance = asked / 10;
    let limits = asked.saturating_sub(tolerance)..=asked + tolerance;
    (!limits.contains(&granted)).then(|| {
        let word = if granted < asked { "shortened" } else { "extended" };
        let (asked, granted) = (readable(asked), readable(granted));
        format!("the API server has {word} the token's life: {asked} was asked for, {granted} was granted")
    })
}

/// Proves that a new credential is let in and may do what Flux needs first; both may take the API server a moment. `refusal`
/// says what it means if not.
pub(super) async fn prove(as_flux: &Cluster, namespace: &str, refusal: &str) -> Result<()> {
    let access =
        Access { verb: "patch", group: crate::carvel::PACKAGING_GROUP, resource: "packageinstalls", namespace };
    let deadline = tokio::time::Instant::now() + MINT_LIMIT;
    let mut last = None;
    let proven = waiting::until(deadline, PROOF_PAUSE, async || {
        // A refusal, too, may be a server that has not heard of the token or the Role yet.
        last = match as_flux.allows(access).await {
            Ok(true) => return Ok(Look::Found(())),
            Ok(false) => None,
            Err(error) => Some(error),
        };
        Ok(Look::NotYet)
    });
    let Waited::Overdue(_) = proven.await? else { return Ok(()) };
    let denial = || format!("it may not {} {} in namespace {namespace}", access.verb, access.resource);
    Err(Error::new(refusal).because(last.map_or_else(denial, |error| error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_granted_time_that_differs_much_is_a_warning() {
        let hours = Duration::from_hours;
        assert_eq!(differs(hours(24), hours(24)), None);
        assert_eq!(differs(hours(24), hours(23)), None);
        let shortened = differs(hours(24), hours(1)).expect("much shorter");
        assert!(shortened.contains("shortened") && shortened.contains("1h was granted"), "{shortened}");
        assert!(differs(hours(1), hours(24)).is_some_and(|text| text.contains("extended")));
    }

    #[test]
    fn time_spans_are_readable() {
        assert_eq!(readable(Duration::from_mins(90)), "1h 30m");
        assert_eq!(readable(Duration::from_millis(1500)), "1s");
    }
}
