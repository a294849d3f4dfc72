//! What a plan proves: what must hold, and pure judgements over what was seen, each with the error that it fails with.
//!
//! Who tries it, how often and for how long lives in [`super::execute`].

use std::fmt;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};
use kube::core::PartialObjectMeta;
use secrecy::{ExposeSecret, SecretString};

use crate::cluster::User;
use crate::error::{Error, Result};
use crate::flux::{WorkloadIdentity, is_left_alone};
use crate::kubeconfig::{Endpoint, claims};
use crate::labels;
use crate::object::ObjectReference;
use crate::shell::quoted;

/// A workload identity that a run cluster must know, before Flux is told to use it.
#[derive(Debug)]
pub(crate) struct IdentityKnown {
    /// The run cluster's short name.
    pub(crate) run_cluster: String,
    /// The namespace of the service account.
    pub(crate) namespace: String,
    /// What Flux is told.
    pub(crate) identity: WorkloadIdentity,
    /// Whom the run cluster must take it for: the roles are that user's.
    pub(crate) user: String,
    /// The user that Flux impersonates with it, if any.
    pub(crate) impersonate: Option<String>,
    /// The namespace in which it must work.
    pub(crate) target_namespace: String,
}

/// A Secret on the build cluster that must still hold the credential which the plan has stored, right before others are
/// revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CredentialUnchanged {
    /// The Secret.
    pub(crate) secret: ObjectReference,
    /// The name of the Secret on the run cluster that the credential lives in or is bound to.
    pub(crate) token_secret: String,
}

/// Tokens that must not authenticate any more.
pub(crate) struct TokensRevoked {
    /// The run cluster's short name.
    pub(crate) run_cluster: String,
    /// Where Flux reaches it.
    pub(crate) endpoint: Endpoint,
    /// The namespace to try them in.
    pub(crate) namespace: String,
    /// The tokens.
    pub(crate) tokens: Vec<SecretString>,
}

/// Kustomizations that are gone, and of which nothing may be left on the run cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoOrphans {
    /// The Kustomizations, as namespace and name.
    pub(crate) kustomizations: Vec<(String, String)>,
    /// The namespaces on the run cluster to look in.
    pub(crate) namespaces: Vec<String>,
    /// The kinds to look for.
    pub(crate) resources: Vec<ApiResource>,
}

impl IdentityKnown {
    /// Judges whom the run cluster takes the identity for; `None` where it does not tell.
    pub(super) fn judge(&self, user: Option<&User>) -> Result<()> {
        let Some(user) = user.filter(|user| user.name != self.user) else { return Ok(()) };
        Err(Error::new(format!(
            "the run cluster `{}` takes the identity for the user `{}`",
            self.run_cluster, user.name
        ))
        .because(format!("the roles are bound to `{}`", self.user))
        .hint(format!("bind them to the right one: --identity-user {}", user.name)))
    }

    /// Says that the run cluster refuses the build cluster's tokens.
    pub(super) fn untrusted(&self, token: &SecretString, refusal: Option<Error>) -> Error {
        let issuer = claim(token, "iss").unwrap_or_else(|| "of the build cluster".to_owned());
        let audiences = self.identity.token_audiences().join(", ");
        let error =
            Error::new(format!("the run cluster `{}` does not trust the build cluster's tokens", self.run_cluster));
        refusal
            .into_iter()
            .fold(error, Error::because)
            .hint(format!(
                "let its API server trust the issuer {issuer} for the audience {audiences}, with --authentication-config; docs/authentication.md has an example"
            ))
            .hint("if it does, can it reach the issuer's keys, and does it ask for another --audience?")
    }
}

/// Reads a claim of a token; which ones there are is no secret.
fn claim(token: &SecretString, name: &str) -> Option<String> {
    claims(token.expose_secret())?[name].as_str().map(str::to_owned)
}

impl CredentialUnchanged {
    /// Judges the Secret as it is now. Whoever has stored another credential may have stored one that is about to be revoked.
    ///
    /// `build` names the build cluster.
    pub(super) fn judge(&self, secret: Option<&PartialObjectMeta<DynamicObject>>, build: &str) -> Result<()> {
        let stored = secret.and_then(|secret| secret.annotations().get(labels::TOKEN_SECRET));
        if stored == Some(&self.token_secret) {
            return Ok(());
        }
        Err(Error::new(format!("{} on {build} was modified concurrently", self.secret.display()))
            .because("it no longer holds the new credential; the old credential was not revoked")
            .hint("let the other command end first"))
    }
}

impl fmt::Debug for TokensRevoked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TokensRevoked({}, {} tokens)", self.run_cluster, self.tokens.len())
    }
}

impl TokensRevoked {
    /// Says that a token was not refused within `limit`: it still authenticates, or could not be tried, which is `error`.
    ///
    /// `context` is that of the run cluster.
    pub(super) fn not_refused(&self, error: Option<Error>, limit: Duration, context: &str) -> Error {
        if let Some(error) = error {
            return error
                .because(format!("so it is not proven that the old credential for {} is refused", self.run_cluster));
        }
        Error::new(format!(
            "the old credential for {} still authenticates {} s after revocation",
            self.run_cluster,
            limit.as_secs()
        ))
        .because("its Secret is deleted, and the API server accepts the token all the same")
        .hint(format!(
            "what tokens are left? kubectl --context {context} get secrets -A --field-selector type=kubernetes.io/service-account-token"
        ))
    }
}

impl NoOrphans {
    /// Judges an object that carries the labels of one of the Kustomizations: an orphan, unless Flux is told to keep it.
    pub(super) fn is_orphan(object: &PartialObjectMeta<DynamicObject>) -> bool {
        !is_left_alone(object)
    }

    /// Judges the orphans that were found. Nobody would delete them any more, so that waiting would not help.
    ///
    /// `run` names the run cluster, `context` is its context.
    pub(super) fn judge(orphans: &[ObjectReference], run: &str, context: &str) -> Result<()> {
        let Some(first) = orphans.first() else { return Ok(()) };
        let names: Vec<String> = orphans.iter().map(ObjectReference::display).collect();
        Err(Error::new(format!("Flux has left objects behind on {run}: {}", names.join(", ")))
            .because("they carry the labels of a Kustomization that is gone, so nobody deletes them any more")
            .hint(format!(
                "delete them: kubectl --context {} -n {} delete {} {}",
                quoted(context),
                first.namespace.as_deref().unwrap_or_default(),
                first.resource.plural,
                first.name
            )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flux::Provider;
    use crate::ui::errors::assert_printed;
    use serde_json::{Value, json};

    #[test]
    fn the_issuer_is_read_from_a_token() {
        let token = SecretString::from("e30.eyJpc3MiOiJodHRwczovL2J1aWxkPz8_In0.fake");
        assert_eq!(claim(&token, "iss").as_deref(), Some("https://build???"));
        assert_eq!(claim(&SecretString::from("fake"), "iss"), None);
    }

    #[test]
    fn only_the_user_that_the_roles_are_bound_to_will_do() {
        let proof = IdentityKnown {
            run_cluster: "prod1".to_owned(),
            namespace: "dev".to_owned(),
            identity: WorkloadIdentity {
                provider: Provider::Generic,
                cluster: None,
                address: None,
                certificate_authority: None,
                audiences: vec!["prod1".to_owned()],
                service_account: None,
            },
            user: "flux".to_owned(),
            impersonate: None,
            target_namespace: "apps".to_owned(),
        };
        let user = |name: &str| User { name: name.to_owned(), uid: None };
        assert!(proof.judge(Some(&user("flux"))).is_ok());
        assert!(proof.judge(None).is_ok(), "the API server does not tell");
        let error = proof.judge(Some(&user("build:flux"))).expect_err("another user");
        assert!(error.hints().iter().any(|hint| hint.contains("--identity-user build:flux")), "{error:?}");
        let untrusted = proof.untrusted(&SecretString::from("not-a-real-token"), Some(Error::new("Unauthorized")));
        assert!(untrusted.to_string().contains("Unauthorized"), "{untrusted}");
        assert!(untrusted.hints().iter().any(|hint| hint.contains("for the audience prod1")), "{untrusted:?}");
    }

    #[test]
    fn a_token_that_could_not_be_tried_is_not_said_to_authenticate() {
        let tokens = vec![SecretString::from("not-a-real-token")];
        let endpoint = Endpoint {
            server: "https://prod1.example:6443".to_owned(),
            certificate_authority_data: None,
            tls_server_name: None,
            proxy_url: None,
        };
        let proof = TokensRevoked { run_cluster: "prod1".to_owned(), endpoint, namespace: "apps".to_owned(), tokens };
        let error = |error| proof.not_refused(error, Duration::from_mins(1), "prod1-admin");
        assert_printed("token_that_still_authenticates", &error(None));
        let untried = error(Some(Error::new("connection refused"))).to_string();
        assert!(untried.contains("connection refused") && !untried.contains("still authenticates"), "{untried}");
        assert!(!format!("{proof:?}").contains("not-a-real-token"));
    }

    #[test]
    fn a_secret_that_names_another_token_holds_another_credential() {
        let expected = CredentialUnchanged {
            secret: ObjectReference::secret("dev", "prod1-kubeconfig"),
            token_secret: "new".to_owned(),
        };
        let judged = |annotations: Value| {
            let secret =
                serde_json::from_value(json!({"metadata": {"name": "prod1-kubeconfig", "annotations": annotations}}));
            expected.judge(Some(&secret.expect("metadata")), "the build cluster")
        };
        assert!(judged(json!({labels::TOKEN_SECRET: "new"})).is_ok());
        for other in [judged(json!({labels::TOKEN_SECRET: "old"})), judged(json!({})), expected.judge(None, "it")] {
            let error = other.expect_err("another credential");
            assert!(error.message().contains("was modified concurrently"), "{error}");
        }
        let error = judged(json!({labels::TOKEN_SECRET: "old"})).expect_err("another credential");
        assert_printed("modified_concurrently", &error);
    }

    #[test]
    fn orphans_are_named_with_the_command_that_deletes_them() {
        let orphan = ObjectReference::secret("apps", "hello-values");
        let judge = |orphans: &[ObjectReference]| NoOrphans::judge(orphans, "the run cluster", "prod1");
        assert!(judge(&[]).is_ok());
        assert_printed("orphans", &judge(&[orphan]).expect_err("an orphan"));
    }
}
