//! What Flux connects with after it has sanitised a kubeconfig, and how that is written down again. Pure.

use std::fmt;
use std::io;

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::{Value, json};

use super::base64;
use super::cluster::Server;
use super::finding::{Finding, Severity};
use super::lint::{FluxBehaviour, examine};
use super::url::Url;
use super::user::Credentials;
use crate::error::{Error, Result};

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
    /// The proxy on the way, whose URL may hold a password.
    pub proxy_url: Option<SecretString>,
    /// Whether responses are asked for uncompressed.
    pub disable_compression: bool,
}

/// Finds out what Flux connects with, or why it refuses the kubeconfig.
///
/// `read_file` reads from the controller's disk; only [`FluxBehaviour::ReadsFiles`] looks there.
pub fn effective(
    text: &str,
    behaviour: FluxBehaviour,
    read_file: impl Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<Effective> {
    let examination = examine(text, behaviour, &read_file);
    examination.effective.ok_or_else(|| error_of(&examination.findings, Severity::Refused))
}

/// Makes an error of the findings that are at least so bad.
pub(super) fn error_of(findings: &[Finding], least: Severity) -> Error {
    let mut error = Error::new("Flux cannot use this kubeconfig as it is");
    for finding in findings.iter().filter(|finding| finding.severity <= least) {
        let field = if finding.field.is_empty() { String::new() } else { format!(", {}", finding.field) };
        error = error.because(format!("{}{field}: {}", finding.entry, finding.effect)).hint(&finding.hint);
    }
    error
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

    /// Writes a minimal kubeconfig, which Flux and everyone else read alike.
    pub(super) fn document(&self, cluster_name: &str, user_name: &str) -> Value {
        let server = Url::of_server(&self.host).map_or_else(|| self.host.clone(), |url| url.to_text());
        let mut cluster = json!({"server": server});
        let mut user = json!({});
        let put = |entry: &mut Value, key: &str, value: Option<String>| {
            if let Some(value) = value {
                entry[key] = json!(value);
            }
        };
        put(&mut cluster, "certificate-authority-data", self.certificate_authority.as_deref().map(base64::encode));
        put(&mut cluster, "tls-server-name", self.tls_server_name.clone());
        put(&mut cluster, "proxy-url", self.proxy_url.as_ref().map(|url| url.expose_secret().to_owned()));
        if self.disable_compression {
            cluster["disable-compression"] = json!(true);
        }
        put(&mut user, "token", self.token.as_ref().map(|token| token.expose_secret().to_owned()));
        if let (Some(certificate), Some(key)) = (&self.client_certificate, &self.client_key) {
            put(&mut user, "client-certificate-data", Some(base64::encode(certificate)));
            put(&mut user, "client-key-data", Some(base64::encode(key.expose_secret())));
        }
        if let Some(username) = &self.username {
            put(&mut user, "username", Some(username.clone()));
            let password = self.password.as_ref().map_or("", |password| password.expose_secret());
            put(&mut user, "password", Some(password.to_owned()));
        }
        super::document_of(cluster_name, user_name, &cluster, &user)
    }
}

impl fmt::Debug for Effective {
    /// Shows what is there; of credentials, and of URLs that may hold one, only that they are.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_user = Url::of_server(&self.host).is_some_and(|url| url.has_user());
        formatter
            .debug_struct("Effective")
            .field("host", if has_user { &"[REDACTED]" } else { &self.host })
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
