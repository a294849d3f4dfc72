//! The credential that Flux gets: where its token comes from, and what is stored. Pure.
//!
//! How it is minted, proven and stored lives in [`super::execute`].

use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::ByteString;
use kube::api::DynamicObject;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::kubeconfig::{self, Endpoint};
use crate::object::ObjectReference;

/// A kubeconfig for Flux, made from a token that may not exist before the plan runs.
#[derive(Debug)]
pub(crate) struct Mint {
    /// The run cluster's short name.
    pub(crate) run_cluster: String,
    /// How Flux reaches it.
    pub(crate) endpoint: Endpoint,
    /// The name of the kubeconfig's user.
    pub(crate) user: String,
    /// Where the token comes from.
    pub(crate) source: TokenSource,
    /// The user that Flux impersonates with it, if any.
    pub(crate) impersonate: Option<String>,
    /// The namespace in which the credential must work.
    pub(crate) target_namespace: String,
    /// The Secret on the build cluster, without its data.
    pub(crate) secret: Value,
}

/// Where the token of a kubeconfig comes from.
#[derive(Debug)]
pub(crate) enum TokenSource {
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

impl TokenSource {
    /// Says what has to be there before the token is, where the plan has yet to make it.
    #[must_use]
    pub(super) fn depends_on(&self) -> Option<String> {
        match self {
            Self::Known(_) | Self::Filled { token: Some(_), .. } => None,
            Self::Filled { secret, token: None } => Some(format!("the token in {}", secret.display())),
            Self::Requested { account, bound_to, .. } => {
                Some(format!("the token of {account}, which is bound to {}", bound_to.display()))
            }
        }
    }
}

impl Mint {
    /// Returns the token, where it exists before the plan runs.
    #[must_use]
    pub(crate) fn known_token(&self) -> Option<&SecretString> {
        match &self.source {
            TokenSource::Known(token) => Some(token),
            TokenSource::Filled { token, .. } => token.as_ref(),
            TokenSource::Requested { .. } => None,
        }
    }

    /// Completes the Secret with a kubeconfig that holds `token`.
    #[must_use]
    pub(crate) fn secret_with(&self, token: &SecretString) -> Value {
        let kubeconfig = self.endpoint.kubeconfig(&self.run_cluster, &self.user, token);
        let mut secret = self.secret.clone();
        secret["data"] = json!({kubeconfig::SECRET_KEY: kubeconfig::base64(kubeconfig.expose_secret().as_bytes())});
        secret
    }
}

/// Takes the token out of a token Secret once the control plane has filled it in.
#[must_use]
pub(crate) fn token_of(secret: &DynamicObject) -> Option<SecretString> {
    let encoded = secret.data.get("data")?.get("token")?;
    let token: ByteString = serde_json::from_value(encoded.clone()).ok()?;
    String::from_utf8(token.0).ok().filter(|token| !token.is_empty()).map(SecretString::from)
}

/// Writes a time span as people do, such as `1h 30m`.
#[must_use]
pub(crate) fn readable(span: Duration) -> String {
    let span = Duration::from_secs(span.as_secs());
    SignedDuration::try_from(span).map_or_else(|_| format!("{}s", span.as_secs()), |span| format!("{span:#}"))
}

/// Says that a token was granted for much less or more time than was requested.
pub(super) fn deviation(requested: Duration, granted: Duration) -> Option<String> {
    let tolerance = requested / 10;
    let limits = requested.saturating_sub(tolerance)..=requested + tolerance;
    (!limits.contains(&granted)).then(|| {
        let word = if granted < requested { "shortened" } else { "extended" };
        let (requested, granted) = (readable(requested), readable(granted));
        format!("the API server has {word} the token's life: {requested} was asked for, {granted} was granted")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_granted_time_that_differs_much_is_a_warning() {
        let hours = Duration::from_hours;
        assert_eq!(deviation(hours(24), hours(24)), None);
        assert_eq!(deviation(hours(24), hours(23)), None);
        let shortened = deviation(hours(24), hours(1)).expect("much shorter");
        assert!(shortened.contains("shortened") && shortened.contains("1h was granted"), "{shortened}");
        assert!(deviation(hours(1), hours(24)).is_some_and(|text| text.contains("extended")));
    }

    #[test]
    fn time_spans_are_readable() {
        assert_eq!(readable(Duration::from_mins(90)), "1h 30m");
        assert_eq!(readable(Duration::from_millis(1500)), "1s");
    }
}
