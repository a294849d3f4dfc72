//! The lint: what Flux does with a kubeconfig, field by field. Pure.
//!
//! The rules are those of kustomize-controller: the Secret's key goes through client-go's `clientcmd`, then through
//! fluxcd/pkg `runtime/client` (`kubeconfig.go`, `impersonator.go`). `tests/kubeconfig_lint.rs` compares both verdict
//! and outcome with that code.

use std::io;

use kube::config::Kubeconfig;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::cluster;
use super::document::{Document, label};
use super::effective::Effective;
use super::encoding;
use super::finding::{Finding, ReadFile, Report, Severity, error_of};
use super::user;
use crate::error::{Error, Result};

/// The key of the Secret that holds the kubeconfig, as the guide names it; Flux looks for `value`, then for this.
pub(crate) const SECRET_KEY: &str = "value.yaml";

/// What Flux does with fields that name a file, which changed with fluxcd/pkg `runtime` v0.110.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FluxBehaviour {
    /// Up to kustomize-controller 1.9.4: files are looked for on the controller's disk.
    ReadsFiles,
    /// Since kustomize-controller 1.9.5: a file reference in any entry, used or not, is refused.
    RefusesFiles,
}

/// What was found out about a kubeconfig.
pub(super) struct Examination {
    pub(super) findings: Vec<Finding>,
    /// What Flux connects with, unless it refuses.
    pub(super) effective: Option<Effective>,
}

/// Says what Flux would do with a kubeconfig, worst first; no file is taken to be on the controller's disk.
///
/// `text` is what the Secret's key holds, YAML or JSON.
#[must_use]
pub fn lint(text: &str, behaviour: FluxBehaviour) -> Vec<Finding> {
    let mut findings = examine(text, behaviour, &|_| Err(io::ErrorKind::NotFound.into())).findings;
    findings.sort_by_key(|finding| finding.severity);
    findings
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
    examination.effective.ok_or_else(|| error_of(&examination.findings, Severity::Undecided))
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
pub(crate) fn text_of_secret(secret: &Value, key: Option<&str>) -> Result<SecretString> {
    let keys = match key.filter(|key| !key.is_empty()) {
        Some(key) => vec![key],
        None => vec!["value", SECRET_KEY],
    };
    let encoded = keys
        .iter()
        .find_map(|key| secret.get("data").and_then(|data| data.get(key)).and_then(Value::as_str))
        .ok_or_else(|| Error::new(format!("the Secret has no key `{}`", keys.join("` or `"))))?;
    let content = encoding::decode(encoded).ok_or_else(|| Error::new("the Secret's data is not base64"))?;
    String::from_utf8(content).map(SecretString::from).map_err(|_| Error::new("the kubeconfig is not UTF-8"))
}

/// Sanitises a kubeconfig as Flux does, see [`of_secret`].
pub(crate) fn as_flux_reads_it(text: &str) -> Result<Kubeconfig> {
    let effective = effective(text, FluxBehaviour::ReadsFiles, |_| Err(io::ErrorKind::NotFound.into()))?;
    // The parser quotes the text around a mistake, which may be the token.
    serde_json::from_value(effective.document("run-cluster", "flux"))
        .map_err(|_| Error::new("the kubeconfig cannot be used from here"))
}

/// Goes through a kubeconfig as Flux does.
pub(super) fn examine(text: &str, behaviour: FluxBehaviour, read_file: ReadFile<'_>) -> Examination {
    let mut findings = Vec::new();
    let mut report = Report::new("kubeconfig", &mut findings);
    let document = Document::read(text, &mut report);
    let effective = document.map(|document| examine_document(&document, behaviour, read_file, &mut report));
    let is_refused = report.is_refused();
    // Where one part may be read differently, nothing that follows from it is certain.
    if findings.iter().any(|finding| finding.severity == Severity::Undecided) {
        for finding in findings.iter_mut().filter(|finding| finding.severity == Severity::Refused) {
            finding.severity = Severity::Undecided;
            finding.effect = format!("unless Flux reads it differently: {}", finding.effect);
        }
    }
    Examination { findings, effective: effective.filter(|_| !is_refused) }
}

/// Goes through a kubeconfig of the right shape; what Flux connects with counts only if nothing is refused.
pub(super) fn examine_document(
    document: &Document,
    behaviour: FluxBehaviour,
    read_file: ReadFile<'_>,
    report: &mut Report<'_>,
) -> Effective {
    let reads_files = behaviour == FluxBehaviour::ReadsFiles;
    check_files(document, reads_files, report);
    let effective = connect(document, reads_files.then_some(read_file), report);
    check_unused(document, report);
    effective
}

/// Reports every file reference, of used entries and of others (fluxcd/pkg `kubeconfig.go`, `ValidateKubeConfig`).
fn check_files(document: &Document, reads_files: bool, report: &mut Report<'_>) {
    let used = Used::by(document);
    for entry in &document.clusters {
        let mut report = report.about(label("cluster", &entry.name));
        let files = [("certificate-authority", &entry.fields.certificate_authority, "certificate-authority-data")];
        check_files_of(&files, reads_files, used.cluster == entry.name, &mut report);
    }
    for entry in &document.users {
        let mut report = report.about(label("user", &entry.name));
        let files = [
            ("tokenFile", &entry.fields.token_file, "token"),
            ("client-certificate", &entry.fields.client_certificate, "client-certificate-data"),
            ("client-key", &entry.fields.client_key, "client-key-data"),
        ];
        check_files_of(&files, reads_files, used.user == entry.name, &mut report);
    }
}

/// Reports file references of one entry: the field, the path in it, and the field that holds the content instead.
fn check_files_of(files: &[(&str, &String, &str)], reads_files: bool, is_used: bool, report: &mut Report<'_>) {
    for (field, _, inline) in files.iter().filter(|(_, path, _)| !path.is_empty()) {
        let hint = format!("put the content into `{inline}`, or remove the entry if nothing uses it");
        if !reads_files {
            report.refused(field, "Flux refuses the kubeconfig, because this names a file", hint);
        } else if !is_used {
            let effect = "Flux ignores it, but since kustomize-controller 1.9.5 it refuses the kubeconfig for it";
            report.warning(field, effect, hint);
        }
    }
}

/// Follows the current context to a server and credentials (client-go `clientcmd/client_config.go`, `ClientConfig`).
fn connect(document: &Document, read_file: Option<ReadFile<'_>>, report: &mut Report<'_>) -> Effective {
    let used = Used::by(document);
    let context = document.context();
    if context.is_none() && !used.context.is_empty() {
        let effect = "Flux refuses the kubeconfig, because it has no such context";
        report.refused("current-context", effect, "name one of its contexts: kubectl config use-context NAME");
    }
    let server = document
        .cluster()
        .map(|cluster| cluster::read(cluster, read_file, &mut report.about(label("cluster", &cluster.name))));
    if server.is_none() && context.is_some() {
        let effect = "Flux refuses the kubeconfig, because it has no such cluster";
        report.about(label("context", used.context)).refused("cluster", effect, "name one of its clusters");
    } else if server.is_none() && document.contexts.is_empty() {
        let effect = "Flux refuses the kubeconfig, because it has no contexts";
        report.refused("contexts", effect, "store one with clusters, users, contexts and current-context");
    } else if server.is_none() && used.context.is_empty() {
        let effect = "Flux refuses the kubeconfig, because it looks only at the current context, and there is none";
        report.refused("current-context", effect, "choose one: kubectl config use-context NAME");
    }
    let server = server.unwrap_or_default();
    let credentials =
        document.user().map(|user| user::read(user, &server, read_file, &mut report.about(label("user", &user.name))));
    if credentials.is_none() && context.is_some() {
        let effect = "Flux connects anonymously, because there is no such user";
        report.about(label("context", used.context)).dropped("user", effect, "name one of its users");
    }
    Effective::new(server, credentials.unwrap_or_default())
}

/// Reports entries that Flux never looks at; they are no fault, but what is in the Secret can leak.
fn check_unused(document: &Document, report: &mut Report<'_>) {
    let used = Used::by(document);
    let contexts = document.contexts.iter().map(|entry| ("context", &entry.name, used.context));
    let clusters = document.clusters.iter().map(|entry| ("cluster", &entry.name, used.cluster));
    let users = document.users.iter().map(|entry| ("user", &entry.name, used.user));
    for (kind, name, _) in contexts.chain(clusters).chain(users).filter(|(_, name, used)| name != used) {
        let effect = "Flux does not use it, because the current context does not lead to it";
        report.about(label(kind, name)).warning("", effect, "remove it: kubectl config view --raw --minify");
    }
}

/// The names that the current context leads to.
struct Used<'document> {
    context: &'document str,
    cluster: &'document str,
    user: &'document str,
}

impl<'document> Used<'document> {
    fn by(document: &'document Document) -> Self {
        let (cluster, user) = document
            .context()
            .map_or(("", ""), |context| (context.fields.cluster.as_str(), context.fields.user.as_str()));
        Self { context: &document.current_context, cluster, user }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stored_kubeconfig_is_read_as_flux_reads_it() {
        let text = "{current-context: a, contexts: [{name: a, context: {cluster: b, user: c}}], \
                    clusters: [{name: b, cluster: {server: 'https://prod.example'}}], \
                    users: [{name: c, user: {exec: {command: login, apiVersion: client.authentication.k8s.io/v1, \
                    interactiveMode: Never}}}]}";
        let secret = json!({"data": {"value.yaml": encoding::base64(text.as_bytes())}});
        let kubeconfig = of_secret(&secret, None).expect("the key is there");
        assert!(kubeconfig.auth_infos[0].auth_info.as_ref().is_some_and(|user| user.exec.is_none()));
        assert!(of_secret(&secret, Some("other")).is_err());
    }
}
