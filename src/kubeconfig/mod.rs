//! The kubeconfig that Flux gets for a run cluster: minimal, self-contained, built and read as Flux reads it. Pure.
//!
//! Flux copies only the address, CA and credential *data*, TLS server name and proxy (fluxcd/pkg
//! `runtime/client/kubeconfig.go`, v0.110) and drops the rest in silence, so nothing else is ever written. [`lint`] says
//! what would become of any other kubeconfig, [`effective`] what is left of it, [`Fitness`] whether that
//! will do, and [`inline_files`] makes it fit.

mod base64;
mod certificate;
mod cluster;
mod document;
mod effective;
mod endpoint;
mod escape;
mod expiry;
mod finding;
mod fitness;
mod inline;
mod lint;
mod node;
mod scalar;
mod shape;
mod url;
mod user;
mod yaml;

use std::fmt;
use std::io;

use kube::config::{Kubeconfig, NamedCluster};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

pub use self::effective::{Effective, effective};
pub use self::endpoint::EndpointOverrides;
pub use self::finding::{Finding, Severity};
pub use self::fitness::Fitness;
pub use self::inline::inline_files;
pub use self::lint::{FluxBehaviour, lint};
use crate::error::{Error, Result};

/// Reads a file where the kubeconfig is used.
type Disk<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// The key of the Secret that holds the kubeconfig, as the guide names it; Flux looks for `value`, then for this.
pub const SECRET_KEY: &str = "value.yaml";

/// How a run cluster's API server is reached: everything of a kubeconfig's cluster entry that Flux uses.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The URL of the API server.
    pub server: String,
    /// The certificates that sign the server's, PEM in base64; `None` means the controller's system roots.
    pub certificate_authority_data: Option<String>,
    /// The name in the server's certificate, where it differs from the URL's host.
    pub tls_server_name: Option<String>,
    /// The proxy on the way, whose URL may hold a password.
    pub proxy_url: Option<String>,
}

impl fmt::Debug for Endpoint {
    /// Shows of the URLs, which may hold a password, the server's unless it does, and that there is a proxy.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("server", if self.server.contains('@') { &"[REDACTED]" } else { &self.server })
            .field("certificate_authority_data", &self.certificate_authority_data.is_some())
            .field("tls_server_name", &self.tls_server_name)
            .field("proxy_url", &self.proxy_url.is_some())
            .finish()
    }
}

impl Endpoint {
    /// Takes the endpoint from the cluster entry of a context (`None`: the current one).
    ///
    /// `read_file` reads the file of a `certificate-authority`, whose content is taken in.
    pub fn of_context(
        kubeconfig: &Kubeconfig,
        context: Option<&str>,
        read_file: impl Fn(&str) -> std::io::Result<Vec<u8>>,
    ) -> Result<Self> {
        let context = context.or(kubeconfig.current_context.as_deref()).unwrap_or_default();
        let cluster = cluster_of(kubeconfig, context)
            .and_then(|entry| entry.cluster.as_ref())
            .ok_or_else(|| Error::usage(format!("the kubeconfig context `{context}` names no cluster entry")))?;
        let server = cluster
            .server
            .clone()
            .ok_or_else(|| Error::usage(format!("the cluster entry of the context `{context}` has no server")))?;
        if cluster.insecure_skip_tls_verify == Some(true) {
            return Err(Error::usage(format!("the context `{context}` does not verify the API server's certificate"))
                .because("Flux ignores insecure-skip-tls-verify and would refuse the certificate")
                .hint("put the certificate authority into the context: kubectl config set-cluster NAME --certificate-authority=FILE --embed-certs"));
        }
        let certificate_authority_data = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
            (Some(data), _) => Some(data.clone()),
            (None, Some(file)) => {
                let pem = read_file(file).map_err(|error| {
                    Error::usage(format!("cannot read {file}, the certificate authority of the context `{context}`"))
                        .because(error)
                })?;
                Some(base64::encode(&pem))
            }
            (None, None) => None,
        };
        Ok(Self {
            server,
            certificate_authority_data,
            tls_server_name: cluster.tls_server_name.clone(),
            proxy_url: cluster.proxy_url.clone(),
        })
    }

    /// Builds the kubeconfig for `user` with a bearer token.
    #[must_use]
    pub fn kubeconfig(&self, run_cluster: &str, user: &str, token: &SecretString) -> SecretString {
        let mut cluster = json!({"server": self.server});
        let optional = [
            ("certificate-authority-data", &self.certificate_authority_data),
            ("tls-server-name", &self.tls_server_name),
            ("proxy-url", &self.proxy_url),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                cluster[key] = json!(value);
            }
        }
        // JSON is YAML, and needs no quoting rules.
        document_of(run_cluster, user, &cluster, &json!({"token": token.expose_secret()})).to_string().into()
    }
}

/// Writes the kubeconfig of one cluster and one user.
fn document_of(cluster_name: &str, user_name: &str, cluster: &Value, user: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster_name, "cluster": cluster}],
        "users": [{"name": user_name, "user": user}],
        "contexts": [{"name": cluster_name, "context": {"cluster": cluster_name, "user": user_name}}],
        "current-context": cluster_name,
    })
}

/// Reads what Flux connects with from a Secret: from `key` if given, else from `value`, else from `value.yaml`
/// (fluxcd/pkg `runtime/client/impersonator.go`, `getRESTConfigFromSecret`).
///
/// A kubeconfig that needs a file is refused: the controller's disk cannot be seen from here. One that only has such a
/// reference in an unused entry is read, because whether Flux accepts it depends on its version.
pub fn of_secret(secret: &Value, key: Option<&str>) -> Result<Kubeconfig> {
    as_flux_reads_it(text_of_secret(secret, key)?.expose_secret())
}

/// Reads the text that Flux takes for a kubeconfig from a Secret, from the same key as [`of_secret`].
pub fn text_of_secret(secret: &Value, key: Option<&str>) -> Result<SecretString> {
    let keys = match key.filter(|key| !key.is_empty()) {
        Some(key) => vec![key],
        None => vec!["value", SECRET_KEY],
    };
    let encoded = keys
        .iter()
        .find_map(|key| secret.get("data").and_then(|data| data.get(key)).and_then(Value::as_str))
        .ok_or_else(|| Error::new(format!("the Secret has no key `{}`", keys.join("` or `"))))?;
    let content = base64::decode(encoded).ok_or_else(|| Error::new("the Secret's data is not base64"))?;
    String::from_utf8(content).map(SecretString::from).map_err(|_| Error::new("the kubeconfig is not UTF-8"))
}

/// Sanitises a kubeconfig as Flux does, see [`of_secret`].
pub fn as_flux_reads_it(text: &str) -> Result<Kubeconfig> {
    let effective = effective(text, FluxBehaviour::ReadsFiles, |_| Err(io::ErrorKind::NotFound.into()))?;
    // The parser quotes the text around a mistake, which may be the token.
    serde_json::from_value(effective.document("run-cluster", "flux"))
        .map_err(|_| Error::new("the kubeconfig cannot be used from here"))
}

/// Encodes bytes as Kubernetes does in `data` fields.
#[must_use]
pub fn base64(content: &[u8]) -> String {
    base64::encode(content)
}

/// Decodes text from a `data` field or a kubeconfig's `-data` field.
#[must_use]
pub fn decoded(encoded: &str) -> Option<String> {
    String::from_utf8(base64::decode(encoded)?).ok()
}

fn cluster_of<'a>(kubeconfig: &'a Kubeconfig, context: &str) -> Option<&'a NamedCluster> {
    let name = &kubeconfig.contexts.iter().find(|entry| entry.name == context)?.context.as_ref()?.cluster;
    kubeconfig.clusters.iter().find(|entry| &entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "
current-context: admin
contexts: [{name: admin, context: {cluster: prod, user: me}}, {name: open, context: {cluster: insecure, user: me}}]
clusters:
- {name: prod, cluster: {server: 'https://prod.example:6443', certificate-authority: /ca.pem, tls-server-name: kubernetes}}
- {name: insecure, cluster: {server: 'https://open.example', insecure-skip-tls-verify: true}}
users: [{name: me, user: {exec: {command: login, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}}}]
";

    fn read() -> Kubeconfig {
        serde_yaml::from_str(KUBECONFIG).expect("the fixture is a kubeconfig")
    }

    #[test]
    fn only_what_flux_uses_is_written_and_files_are_taken_in() {
        let endpoint = Endpoint::of_context(&read(), None, |_| Ok(b"PEM".to_vec())).expect("the context is complete");
        let written = endpoint.kubeconfig("prod1", "deployer", &"fake-token".into());
        let document: Value = serde_json::from_str(written.expose_secret()).expect("it is JSON");
        assert_eq!(
            document["clusters"],
            json!([{"name": "prod1", "cluster": {
                "server": "https://prod.example:6443", "certificate-authority-data": "UEVN", "tls-server-name": "kubernetes",
            }}])
        );
        assert_eq!(document["users"], json!([{"name": "deployer", "user": {"token": "fake-token"}}]));
    }

    #[test]
    fn debugging_shows_no_password_of_a_url() {
        let endpoint = Endpoint {
            server: "https://me:fake-password@prod.example".to_owned(),
            certificate_authority_data: None,
            tls_server_name: None,
            proxy_url: Some("http://me:fake-password@proxy.example".to_owned()),
        };
        let shown = format!("{endpoint:?}");
        assert!(!shown.contains("fake-password") && shown.contains("proxy_url: true"), "{shown}");
    }

    #[test]
    fn an_unverified_server_is_refused() {
        let error = Endpoint::of_context(&read(), Some("open"), |_| Ok(Vec::new())).expect_err("Flux would refuse it");
        assert!(error.to_string().contains("does not verify"), "{error}");
    }

    #[test]
    fn a_stored_kubeconfig_is_read_as_flux_reads_it() {
        let text = KUBECONFIG.replace("certificate-authority: /ca.pem, ", "");
        let secret = json!({"data": {"value.yaml": base64(text.as_bytes())}});
        let kubeconfig = of_secret(&secret, None).expect("the key is there");
        assert!(kubeconfig.auth_infos[0].auth_info.as_ref().is_some_and(|user| user.exec.is_none()));
        assert!(of_secret(&secret, Some("other")).is_err());
    }
}
