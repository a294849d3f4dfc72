//! The kubeconfig that Flux gets for a run cluster: minimal, self-contained, built and read as Flux reads it. Pure.
//!
//! Flux copies only the address, CA and credential *data*, TLS server name and proxy (fluxcd/pkg
//! `runtime/client/kubeconfig.go`, v0.110) and drops the rest in silence, so nothing else is ever written.

use kube::config::{Kubeconfig, NamedCluster};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// The key of the Secret that holds the kubeconfig, as the guide names it; Flux looks for `value`, then for this.
pub const SECRET_KEY: &str = "value.yaml";

/// How a run cluster's API server is reached: everything of a kubeconfig's cluster entry that Flux uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The URL of the API server.
    pub server: String,
    /// The certificates that sign the server's, PEM in base64; `None` means the controller's system roots.
    pub certificate_authority_data: Option<String>,
    /// The name in the server's certificate, where it differs from the URL's host.
    pub tls_server_name: Option<String>,
    /// The proxy on the way.
    pub proxy_url: Option<String>,
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
                let content = read_file(file).map_err(|error| {
                    Error::usage(format!("cannot read {file}, the certificate authority of the context `{context}`"))
                        .because(error)
                })?;
                Some(base64(&content))
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
        let document = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": run_cluster, "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token.expose_secret()}}],
            "contexts": [{"name": run_cluster, "context": {"cluster": run_cluster, "user": user}}],
            "current-context": run_cluster,
        });
        // JSON is YAML, and needs no quoting rules.
        document.to_string().into()
    }
}

/// Reads the kubeconfig of a Secret's data as Flux does: `key` if given, else `value`, else `value.yaml`.
pub fn of_secret(secret: &Value, key: Option<&str>) -> Result<Kubeconfig> {
    let keys = match key {
        Some(key) => vec![key],
        None => vec!["value", SECRET_KEY],
    };
    let encoded = keys
        .iter()
        .find_map(|key| secret.get("data").and_then(|data| data.get(key)))
        .ok_or_else(|| Error::new(format!("the Secret has no key `{}`", keys.join("` or `"))))?;
    let content: k8s_openapi::ByteString = serde_json::from_value(encoded.clone())
        .map_err(|_| Error::new("the Secret's data is not base64"))?;
    let text = String::from_utf8(content.0).map_err(|_| Error::new("the kubeconfig is not UTF-8"))?;
    // The parser quotes the text around a mistake, which may be the token.
    let kubeconfig: Kubeconfig =
        serde_yaml::from_str(&text).map_err(|_| Error::new("the Secret's content is no kubeconfig"))?;
    Ok(sanitised(kubeconfig))
}

/// Drops what Flux drops: exec and auth-provider plugins, file references, insecure TLS and impersonation.
fn sanitised(mut kubeconfig: Kubeconfig) -> Kubeconfig {
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|entry| entry.cluster.as_mut()) {
        cluster.insecure_skip_tls_verify = None;
        cluster.certificate_authority = None;
    }
    for user in kubeconfig.auth_infos.iter_mut().filter_map(|entry| entry.auth_info.as_mut()) {
        user.exec = None;
        user.auth_provider = None;
        user.token_file = None;
        user.client_certificate = None;
        user.client_key = None;
        user.impersonate = None;
        user.impersonate_groups = None;
    }
    kubeconfig
}

/// Encodes bytes as Kubernetes does in `data` fields.
#[must_use]
pub fn base64(content: &[u8]) -> String {
    match serde_json::to_value(k8s_openapi::ByteString(content.to_vec())) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
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
users: [{name: me, user: {exec: {command: login, apiVersion: client.authentication.k8s.io/v1}}}]
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
    fn an_unverified_server_is_refused() {
        let error = Endpoint::of_context(&read(), Some("open"), |_| Ok(Vec::new())).expect_err("Flux would refuse it");
        assert!(error.to_string().contains("does not verify"), "{error}");
    }

    #[test]
    fn a_stored_kubeconfig_is_read_as_flux_reads_it() {
        let secret = json!({"data": {"value.yaml": base64(KUBECONFIG.as_bytes())}});
        let kubeconfig = of_secret(&secret, None).expect("the key is there");
        assert!(kubeconfig.auth_infos[0].auth_info.as_ref().is_some_and(|user| user.exec.is_none()));
        assert!(of_secret(&secret, Some("other")).is_err());
    }
}
