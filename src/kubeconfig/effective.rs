//! What Flux connects with after it has sanitised a kubeconfig, until when, and how that is written down again. Pure.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::{Value, json};

use super::certificate::end_of_certificate;
use super::cluster::Server;
use super::encoding::{base64, claims};
use super::endpoint::document_of;
use super::user::Credentials;

/// What is left of a kubeconfig once Flux has sanitised it (fluxcd/pkg `runtime/client` v0.110, `KubeConfig`): all that
/// it connects with. Impersonation is not part of it; Flux adds its own.
pub struct Effective {
    /// The server as client-go keeps it: a URL, or host and port for plain HTTP.
    pub host: String,
    /// The certificates that sign the server's, as PEM; `None` means the controller's system roots.
    pub certificate_authority: Option<Vec<u8>>,
    /// The client certificate as PEM; Flux logs in with it only if the key is there.
    pub client_certificate: Option<Vec<u8>>,
    /// The key of the client certificate as PEM.
    pub client_key: Option<SecretSlice<u8>>,
    /// The bearer token.
    pub token: Option<SecretString>,
    /// The user name for basic authentication.
    pub username: Option<String>,
    /// The password for basic authentication; without a user name Flux does not send it.
    pub password: Option<SecretString>,
    /// The name in the server's certificate, where it differs from the host.
    pub tls_server_name: Option<String>,
    /// The proxy, whose URL may hold a password.
    pub proxy_url: Option<SecretString>,
    /// Whether responses are asked for uncompressed.
    pub disable_compression: bool,
}

impl Effective {
    pub(super) fn new(server: Server, credentials: Credentials) -> Self {
        let some_text = |text: String| Some(text).filter(|text| !text.is_empty());
        let some_bytes = |bytes: Vec<u8>| Some(bytes).filter(|bytes| !bytes.is_empty());
        Self {
            host: server.host,
            certificate_authority: some_bytes(server.certificate_authority),
            client_certificate: some_bytes(credentials.client_certificate),
            client_key: credentials.client_key,
            token: credentials.token,
            username: some_text(credentials.username),
            password: credentials.password,
            tls_server_name: some_text(server.tls_server_name),
            proxy_url: some_text(server.proxy_url).map(SecretString::from),
            disable_compression: server.disable_compression,
        }
    }

    /// Tells whether Flux has anything to log in with.
    #[must_use]
    pub(super) fn has_credential(&self) -> bool {
        self.token.is_some()
            || self.username.is_some()
            || (self.client_certificate.is_some() && self.client_key.is_some())
    }

    /// Returns when Flux cannot log in with it any more; `None` where it does not end, or does not say so.
    ///
    /// The API server takes the token where there is one (client-go `transport`), and the certificate ends on its own.
    #[must_use]
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        let token = self.token.as_ref().and_then(|token| end_of_token(token.expose_secret()));
        let certificate = self.client_certificate.as_ref().and_then(|pem| end_of_certificate(pem));
        token.into_iter().chain(certificate).min()
    }

    /// Writes a minimal kubeconfig, which Flux and everyone else read alike.
    pub(super) fn document(&self, cluster_name: &str, user_name: &str) -> Value {
        let server = if self.host.contains("://") { self.host.clone() } else { format!("http://{}", self.host) };
        let mut cluster = json!({"server": server});
        let mut user = json!({});
        let put = |entry: &mut Value, key: &str, value: Option<String>| {
            if let Some(value) = value {
                entry[key] = json!(value);
            }
        };
        put(&mut cluster, "certificate-authority-data", self.certificate_authority.as_deref().map(base64));
        put(&mut cluster, "tls-server-name", self.tls_server_name.clone());
        put(&mut cluster, "proxy-url", self.proxy_url.as_ref().map(|url| url.expose_secret().to_owned()));
        if self.disable_compression {
            cluster["disable-compression"] = json!(true);
        }
        put(&mut user, "token", self.token.as_ref().map(|token| token.expose_secret().to_owned()));
        if let (Some(certificate), Some(key)) = (&self.client_certificate, &self.client_key) {
            put(&mut user, "client-certificate-data", Some(base64(certificate)));
            put(&mut user, "client-key-data", Some(base64(key.expose_secret())));
        }
        if let Some(username) = &self.username {
            put(&mut user, "username", Some(username.clone()));
            let password = self.password.as_ref().map_or("", |password| password.expose_secret());
            put(&mut user, "password", Some(password.to_owned()));
        }
        document_of(cluster_name, user_name, &cluster, &user)
    }
}

impl fmt::Debug for Effective {
    /// Shows what is there; of credentials, and of URLs that may hold one, only that they are.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Effective")
            .field("host", if self.host.contains('@') { &"[REDACTED]" } else { &self.host })
            .field("certificate_authority", &self.certificate_authority.is_some())
            .field("client_certificate", &self.client_certificate.is_some())
            .field("client_key", &self.client_key.is_some())
            .field("token", &self.token.is_some())
            .field("username", &self.username)
            .field("password", &self.password.is_some())
            .field("tls_server_name", &self.tls_server_name)
            .field("proxy_url", &self.proxy_url.is_some())
            .field("disable_compression", &self.disable_compression)
            .finish()
    }
}

/// Reads the claim `exp` of a JSON Web Token.
fn end_of_token(token: &str) -> Option<Timestamp> {
    Timestamp::from_second(claims(token)?["exp"].as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_when_it_ends() {
        let token = |claims: &str| {
            let payload = base64(claims.as_bytes()).replace('+', "-").replace('/', "_");
            format!("header.{}.signature", payload.trim_end_matches('='))
        };
        let end = "2027-01-01T00:00:00Z".parse().ok();
        assert_eq!(end_of_token(&token("{\"exp\": 1798761600}")), end);
        assert_eq!(end_of_token(&token("{\"exp\": 1798761600, \"x\": \"ÿ>?\"}")), end);
        for endless in [token("{\"sub\": \"x\"}"), "opaque".to_owned(), "a.b.c".to_owned(), String::new()] {
            assert_eq!(end_of_token(&endless), None, "{endless}");
        }
    }
}
