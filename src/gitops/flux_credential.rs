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
    /// The token, over HTTP(S), where it is no password.
    pub bearer: Option<SecretString>,
    /// The certificate that the client shows, over HTTPS.
    pub certificate: Option<ClientCertificate>,
    /// The key, over SSH.
    pub ssh: Option<SshKey>,
    /// The certificates (PEM) of certificate authorities that are trusted beside the public ones.
    pub certificate_authority: Option<String>,
}

/// A certificate of a client, and its private key; both in PEM.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate, and those of authorities between.
    pub certificate: String,
    /// The private key, without a passphrase.
    pub key: SecretString,
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
        let Self { login, bearer, certificate, ssh, certificate_authority } = self;
        login.is_none() && bearer.is_none() && certificate.is_none() && ssh.is_none() && certificate_authority.is_none()
    }

    /// Tells whether it is a user name and a password, and nothing else.
    #[must_use]
    pub fn is_login(&self) -> bool {
        let Self { login, bearer, certificate, ssh, certificate_authority } = self;
        let has_more = bearer.is_some() || certificate.is_some() || ssh.is_some() || certificate_authority.is_some();
        login.is_some() && !has_more
    }

    /// Reads what a Secret holds, under the names that source-controller knows (fluxcd/pkg `git/options.go`); a token counts
    /// before a password there.
    #[must_use]
    pub fn in_secret(secret: &DynamicObject) -> Self {
        let text = |key: &str| text(secret, key);
        let login = || Some(GitCredentials { username: text("username")?, password: text("password")?.into() });
        let bearer = text("bearerToken").map(SecretString::from);
        Self {
            login: login().filter(|_| bearer.is_none()),
            bearer,
            certificate: text("tls.crt")
                .and_then(|certificate| Some(ClientCertificate { certificate, key: text("tls.key")?.into() })),
            ssh: SshKey::in_secret(secret),
            certificate_authority: text("ca.crt").or_else(|| text("caFile")),
        }
    }

    /// Takes what is not given from the Secret that is there: who gives a CA keeps the login, and the other way round.
    #[must_use]
    pub fn or_as_in(mut self, secret: &DynamicObject) -> Self {
        if self.ssh.is_some() {
            return self;
        }
        let stored = Self::in_secret(secret);
        if self.login.is_none() && self.bearer.is_none() {
            (self.login, self.bearer) = (stored.login, stored.bearer);
        }
        self.certificate = self.certificate.or(stored.certificate);
        self.certificate_authority = self.certificate_authority.or(stored.certificate_authority);
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
        if let Some(token) = &self.bearer {
            add("bearerToken", token.expose_secret());
        }
        if let Some(ClientCertificate { certificate, key }) = &self.certificate {
            add("tls.crt", certificate);
            add("tls.key", key.expose_secret());
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
        let bearer = FluxCredential { bearer: Some("fake-token".into()), ..FluxCredential::default() };
        assert_eq!(keys(&bearer.clone().or_as_in(&secret(&both))), ["bearerToken", "ca.crt"]);
        assert_eq!(keys(&both.clone().or_as_in(&secret(&bearer))), ["ca.crt", "password", "username"]);
        let certificate = ClientCertificate { certificate: "fake".to_owned(), key: "fake-key".into() };
        let with_certificate = FluxCredential { certificate: Some(certificate), ..FluxCredential::default() };
        let all = with_certificate.or_as_in(&secret(&both));
        assert_eq!(keys(&all), ["ca.crt", "password", "tls.crt", "tls.key", "username"]);
        assert_eq!(keys(&FluxCredential::in_secret(&secret(&all))), keys(&all));
        assert!(!format!("{all:?}{bearer:?}").contains("fake-key") && !format!("{bearer:?}").contains("fake-token"));
        assert!(!format!("{both:?}").contains("not-a-real-password"));
    }
}
