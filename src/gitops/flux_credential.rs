//! What source-controller reads a repository with, as the Secret of a GitRepository holds it.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use kube::api::DynamicObject;
use secrecy::{ExposeSecret, SecretString};

use super::credentials::GitCredentials;

/// A credential for Flux, which has nothing else: neither credential helpers nor the keys and certificates of a user
/// (source-controller v1.9.3, `docs/spec/v1/gitrepositories.md`, "Secret reference").
#[derive(Clone, Debug, Default)]
pub struct FluxCredential {
    /// The user name and the password or token, over HTTP(S).
    pub login: Option<GitCredentials>,
    /// The key, over SSH.
    pub ssh: Option<SshKey>,
    /// The certificates (PEM) of certificate authorities that are trusted beside the public ones.
    pub certificate_authority: Option<String>,
}

/// A key pair and the host keys of the server that it is for.
#[derive(Clone, Debug)]
pub struct SshKey {
    /// The private key, without a passphrase.
    pub identity: SecretString,
    /// The public key, as a line of `authorized_keys`.
    pub public: String,
    /// The host keys, as lines of `known_hosts`.
    pub known_hosts: String,
}

impl SshKey {
    /// Takes the key that a Secret holds; none where its private key or its host keys are missing.
    #[must_use]
    pub fn in_secret(secret: &DynamicObject) -> Option<Self> {
        Some(Self {
            identity: text(secret, "identity")?.into(),
            public: text(secret, "identity.pub").unwrap_or_default(),
            known_hosts: text(secret, "known_hosts")?,
        })
    }
}

/// Returns what a Secret holds under a key.
fn text(secret: &DynamicObject, key: &str) -> Option<String> {
    let data: ByteString = serde_json::from_value(secret.data["data"].get(key)?.clone()).ok()?;
    String::from_utf8(data.0).ok()
}

impl FluxCredential {
    /// Tells whether it is none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.login.is_none() && self.ssh.is_none() && self.certificate_authority.is_none()
    }

    /// Takes what is not given from the Secret that is there: who gives a CA keeps the login, and the other way round.
    #[must_use]
    pub fn or_as_in(mut self, secret: &DynamicObject) -> Self {
        if self.ssh.is_some() {
            return self;
        }
        let text = |key: &str| text(secret, key);
        self.login = self.login.or_else(|| {
            Some(GitCredentials { username: text("username")?, password: SecretString::from(text("password")?) })
        });
        self.certificate_authority = self.certificate_authority.or_else(|| text("ca.crt"));
        self
    }

    /// Returns the keys of the Secret and what they hold.
    #[must_use]
    pub fn data(&self) -> BTreeMap<&'static str, ByteString> {
        let mut data = BTreeMap::new();
        let mut add = |key, text: &str| drop(data.insert(key, ByteString(text.as_bytes().to_vec())));
        if let Some(GitCredentials { username, password }) = &self.login {
            add("username", username);
            add("password", password.expose_secret());
        }
        if let Some(SshKey { identity, public, known_hosts }) = &self.ssh {
            add("identity", identity.expose_secret());
            add("identity.pub", public);
            add("known_hosts", known_hosts);
        }
        if let Some(certificates) = &self.certificate_authority {
            add("ca.crt", certificates);
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(credential: &FluxCredential) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "auth"}, "data": credential.data(),
        }))
        .expect("a Secret")
    }

    #[test]
    fn what_is_not_given_stays_as_it_is() {
        let login = GitCredentials { username: "me".to_owned(), password: "not-a-real-password".into() };
        let live = FluxCredential { login: Some(login), ..FluxCredential::default() };
        let given =
            FluxCredential { certificate_authority: Some("fake-authority".to_owned()), ..FluxCredential::default() };
        let keys = |credential: &FluxCredential| credential.data().into_keys().collect::<Vec<_>>();
        let both = given.clone().or_as_in(&secret(&live));
        assert_eq!(keys(&both), ["ca.crt", "password", "username"]);
        assert_eq!(keys(&live.clone().or_as_in(&secret(&given))), ["ca.crt", "password", "username"]);
        let ssh = SshKey { identity: "fake-key".into(), public: "fake".to_owned(), known_hosts: "fake".to_owned() };
        let ssh = FluxCredential { ssh: Some(ssh), ..FluxCredential::default() };
        assert_eq!(keys(&ssh.or_as_in(&secret(&both))), ["identity", "identity.pub", "known_hosts"]);
        assert!(!format!("{both:?}").contains("not-a-real-password"));
    }
}
