//! What comes of a kubeconfig, in the oracle's words, and what must be said about it.

use carvelflux::testing::{Effective, Finding};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::oracle::hash;

/// Writes what we connect with as the oracle does.
pub(crate) fn describe(ours: &Effective) -> Value {
    let exposed = |secret: &Option<SecretString>| secret.as_ref().map(|secret| secret.expose_secret().to_owned());
    json!({
        "host": ours.host,
        "certificateAuthority": hash(ours.certificate_authority.as_deref()),
        "clientCertificate": hash(ours.client_certificate.as_deref()),
        "clientKey": hash(ours.client_key.as_ref().map(ExposeSecret::expose_secret)),
        "token": hash(exposed(&ours.token).as_deref().map(str::as_bytes)),
        "username": ours.username.clone().unwrap_or_default(),
        "password": hash(exposed(&ours.password).as_deref().map(str::as_bytes)),
        "serverName": ours.tls_server_name.clone().unwrap_or_default(),
        "proxy": exposed(&ours.proxy_url).unwrap_or_default(),
        "disableCompression": ours.disable_compression,
        "insecure": false,
        "exec": false,
        "impersonates": false,
    })
}

/// Asserts that there is a finding for each field of the used entries that Go does not connect with.
pub(crate) fn assert_drops_are_found(text: &str, answer: &Value, findings: &[Finding], context: &str) {
    const OUTCOMES: [(&str, &str); 17] = [
        ("certificate-authority", ""),
        ("certificate-authority-data", "certificateAuthority"),
        ("insecure-skip-tls-verify", ""),
        ("tls-server-name", "serverName"),
        ("token", "token"),
        ("tokenFile", ""),
        ("client-certificate", ""),
        ("client-certificate-data", "clientCertificate"),
        ("client-key", ""),
        ("client-key-data", "clientKey"),
        ("username", "username"),
        ("password", "password"),
        ("exec", ""),
        ("auth-provider", ""),
        ("as", ""),
        ("as-uid", ""),
        ("as-groups", ""),
    ];
    let Ok(document) = serde_yaml::from_str::<Value>(text) else { return };
    let has = |field: &str| findings.iter().any(|finding| finding.field == field);
    for (list, entry, name) in [("clusters", "cluster", "prod"), ("users", "user", "me")] {
        let entries = document[list].as_array().into_iter().flatten();
        let Some(used) = entries.clone().find(|each| each["name"] == name) else { continue };
        // Of an entry that the current context does not lead to, that is said of the whole.
        let label = format!("{entry} `{name}`");
        if findings.iter().any(|finding| finding.entry == label && finding.effect.contains("does not use it")) {
            continue;
        }
        for (field, outcome) in OUTCOMES {
            let is_set = !matches!(&used[entry][field], Value::Null | Value::Bool(false))
                && ![json!(""), json!([])].contains(&used[entry][field]);
            if is_set && (outcome.is_empty() || answer[outcome] == "") {
                assert!(has(field) || has("server"), "nothing tells that {field} is dropped: {findings:#?}\n{context}");
            }
        }
    }
}
