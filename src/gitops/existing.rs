//! What a person or an earlier run has written into the directory of a run cluster: a `PackageInstall`, and Secrets. Pure.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use secrecy::SecretString;
use serde_json::Value;

use super::install::{INSTALL_API_VERSION, values_secret_names};

/// A `PackageInstall` in the repository.
#[derive(Clone, Debug)]
pub struct ExistingInstall {
    /// The file, relative to the root of the repository.
    pub file: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.packageRef.refName`.
    pub ref_name: Option<String>,
    /// `spec.packageRef.versionSelection.constraints`.
    pub constraints: Option<String>,
    /// Whether `spec.packageRef.versionSelection.prereleases` is set.
    pub prereleases: bool,
    /// `spec.packageRef.versionSelection.prereleases.identifiers`.
    pub identifiers: Vec<String>,
    /// `spec.serviceAccountName`.
    pub service_account: Option<String>,
    /// The names in `spec.values[].secretRef`, in order.
    pub values_secrets: Vec<String>,
    /// All of it.
    pub document: Value,
}

/// A Secret in the repository.
#[derive(Clone, Debug)]
pub struct ExistingSecret {
    /// The file, relative to the root of the repository.
    pub file: String,
    /// `metadata.name`.
    pub name: String,
    /// Whether SOPS has encrypted it; the contents are then ciphertext as it stands, until they are decrypted.
    pub encrypted: bool,
    /// Whether the contents were encrypted, and are plain here.
    pub is_decrypted: bool,
    /// The decoded contents per key; `stringData` wins over `data`, and contents that are no text are left out.
    pub contents: BTreeMap<String, SecretString>,
}

impl ExistingInstall {
    pub(super) fn read(file: &str, document: Value) -> Self {
        Self {
            file: file.to_owned(),
            name: text(&document, "/metadata/name").unwrap_or_default(),
            ref_name: text(&document, "/spec/packageRef/refName"),
            constraints: text(&document, "/spec/packageRef/versionSelection/constraints"),
            prereleases: document
                .pointer("/spec/packageRef/versionSelection/prereleases")
                .is_some_and(|value| !value.is_null()),
            identifiers: document
                .pointer("/spec/packageRef/versionSelection/prereleases/identifiers")
                .and_then(Value::as_array)
                .map(|identifiers| identifiers.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                .unwrap_or_default(),
            service_account: text(&document, "/spec/serviceAccountName"),
            values_secrets: values_secret_names(&document),
            document,
        }
    }
}

impl ExistingSecret {
    /// Tells whether the contents are plain here.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        !self.encrypted || self.is_decrypted
    }

    pub(super) fn read(file: &str, document: &Value) -> Self {
        let encrypted = is_encrypted(document);
        let entries = |field: &str| document.get(field).and_then(Value::as_object).into_iter().flatten();
        let decoded = entries("data").filter_map(|(key, value)| {
            let content = if encrypted { value.as_str()?.to_owned() } else { decode(value)? };
            Some((key.clone(), SecretString::from(content)))
        });
        let plain =
            entries("stringData").filter_map(|(key, value)| Some((key.clone(), SecretString::from(value.as_str()?))));
        let name = text(document, "/metadata/name").unwrap_or_default();
        Self { file: file.to_owned(), name, encrypted, is_decrypted: false, contents: decoded.chain(plain).collect() }
    }
}

fn decode(value: &Value) -> Option<String> {
    let ByteString(bytes) = serde_json::from_value(value.clone()).ok()?;
    String::from_utf8(bytes).ok()
}

/// Tells whether a document is a `PackageInstall`.
pub(super) fn is_install(document: &Value) -> bool {
    document.get("apiVersion").and_then(Value::as_str) == Some(INSTALL_API_VERSION)
        && document.get("kind").and_then(Value::as_str) == Some("PackageInstall")
}

/// Tells whether a document is a Secret.
pub(super) fn is_secret(document: &Value) -> bool {
    document.get("apiVersion").and_then(Value::as_str) == Some("v1")
        && document.get("kind").and_then(Value::as_str) == Some("Secret")
}

/// Returns the text at a place of a document.
pub(super) fn text(document: &Value, pointer: &str) -> Option<String> {
    document.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

/// Tells whether SOPS has encrypted a document.
pub(super) fn is_encrypted(document: &Value) -> bool {
    document.get("sops").is_some()
}
