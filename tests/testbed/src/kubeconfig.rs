//! Kubeconfig files: self-contained, readable by their owner only.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::certificates::Identity;
use crate::error::{Error, Result};

/// One context of a kubeconfig.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) server: String,
    /// The certificate authority, base64-encoded PEM as kubeconfigs hold it.
    pub(crate) authority: String,
    pub(crate) user: Value,
}

/// Returns the `user` of a kubeconfig for a client certificate.
pub(crate) fn certificate_user(identity: &Identity) -> Value {
    json!({
        "client-certificate-data": BASE64_STANDARD.encode(&identity.certificate),
        "client-key-data": BASE64_STANDARD.encode(&identity.key),
    })
}

/// Returns the `user` of a kubeconfig for a bearer token.
pub(crate) fn token_user(token: &str) -> Value {
    json!({ "token": token.trim() })
}

/// Encodes a certificate authority as kubeconfigs hold it.
pub(crate) fn encode_authority(pem: &str) -> String {
    BASE64_STANDARD.encode(pem)
}

/// Writes a kubeconfig whose current context is the first one.
pub(crate) fn write(path: &Path, contexts: &[Context]) -> Result<()> {
    let document = render(contexts);
    let text = serde_yaml::to_string(&document)
        .map_err(|error| Error::failed(format!("cannot write a kubeconfig: {error}")))?;
    write_private(path, &text)
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::file("write", path))?;
    file.write_all(text.as_bytes()).map_err(Error::file("write", path))
}

/// Reads where a context of a kubeconfig leads that [`write`] wrote: the server, and its authority as kubeconfigs hold it.
pub(crate) fn endpoint(path: &Path, context: &str) -> Result<(String, String)> {
    let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
    let document: Value = serde_yaml::from_str(&text)
        .map_err(|error| Error::failed(format!("cannot read the kubeconfig {}: {error}", path.display())))?;
    let clusters = document["clusters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let cluster = clusters.iter().find(|entry| entry["name"] == context).map(|entry| &entry["cluster"]);
    let text = |field: &str| cluster.and_then(|cluster| cluster[field].as_str()).map(str::to_owned);
    text("server")
        .zip(text("certificate-authority-data"))
        .ok_or_else(|| Error::failed(format!("{} has no complete cluster {context}", path.display())))
}

fn render(contexts: &[Context]) -> Value {
    let clusters: Vec<Value> = contexts
        .iter()
        .map(|context| {
            json!({
                "name": context.name,
                "cluster": { "server": context.server, "certificate-authority-data": context.authority },
            })
        })
        .collect();
    let users: Vec<Value> =
        contexts.iter().map(|context| json!({ "name": context.name, "user": context.user })).collect();
    let entries: Vec<Value> = contexts
        .iter()
        .map(|context| {
            json!({
                "name": context.name,
                "context": { "cluster": context.name, "user": context.name, "namespace": context.namespace },
            })
        })
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts.first().map_or("", |context| context.name.as_str()),
        "clusters": clusters,
        "contexts": entries,
        "users": users,
    })
}

#[cfg(test)]
mod tests {
    use super::{Context, render, token_user};

    #[test]
    fn the_first_context_is_the_current_one() {
        let context = |name: &str| Context {
            name: name.to_owned(),
            namespace: "dev".to_owned(),
            server: "https://127.0.0.1:6443".to_owned(),
            authority: "Q0E=".to_owned(),
            user: token_user("token\n"),
        };
        let document = render(&[context("build"), context("prod1")]);
        assert_eq!(document["current-context"], "build");
        assert_eq!(document["contexts"][1]["context"]["user"], "prod1");
        assert_eq!(document["users"][0]["user"]["token"], "token");
    }
}
