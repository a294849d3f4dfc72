//! The lint: what Flux does with a kubeconfig, field by field. Pure.
//!
//! The rules are those of kustomize-controller: the Secret's key goes through client-go's `clientcmd`, then through
//! fluxcd/pkg `runtime/client` (`kubeconfig.go`, `impersonator.go`). `tests/kubeconfig_lint.rs` compares both verdict
//! and outcome with that code.

use std::io;

use super::Disk;
use super::cluster;
use super::document::{Document, FILE_FIELDS, label};
use super::effective::Effective;
use super::finding::{Finding, Report, Severity};
use super::user;

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

/// Goes through a kubeconfig as Flux does.
pub(super) fn examine(text: &str, behaviour: FluxBehaviour, disk: Disk<'_>) -> Examination {
    let mut findings = Vec::new();
    let mut report = Report::new("kubeconfig", &mut findings);
    let document = Document::read(text, &mut report);
    let effective = document.map(|document| examine_document(&document, behaviour, disk, &mut report));
    let is_refused = findings.iter().any(|finding| finding.severity == Severity::Refused);
    Examination { findings, effective: effective.filter(|_| !is_refused) }
}

/// Goes through a kubeconfig of the right shape; what Flux connects with counts only if nothing is refused.
pub(super) fn examine_document(
    document: &Document,
    behaviour: FluxBehaviour,
    disk: Disk<'_>,
    report: &mut Report<'_>,
) -> Effective {
    let reads_files = behaviour == FluxBehaviour::ReadsFiles;
    check_files(document, reads_files, report);
    let effective = connect(document, reads_files.then_some(disk), report);
    check_unused(document, report);
    effective
}

/// Reports every file reference, of used entries and of others (fluxcd/pkg `kubeconfig.go`, `ValidateKubeConfig`).
fn check_files(document: &Document, reads_files: bool, report: &mut Report<'_>) {
    let used = Used::by(document);
    for (list, field, inline) in FILE_FIELDS {
        for entry in document.entries(list).filter(|entry| !entry.fields.text(field).is_empty()) {
            let mut report = report.about(label(list, entry.name));
            let hint = format!("put the content into `{inline}`, or remove the entry if nothing uses it");
            if !reads_files {
                report.refused(field, "Flux refuses the kubeconfig, because this names a file", hint);
            } else if !used.has(list, entry.name) {
                let effect = "Flux ignores it, but since kustomize-controller 1.9.5 it refuses the kubeconfig for it";
                report.warning(field, effect, hint);
            }
        }
    }
}

/// Follows the current context to a server and credentials (client-go `clientcmd/client_config.go`, `ClientConfig`).
fn connect(document: &Document, disk: Option<Disk<'_>>, report: &mut Report<'_>) -> Effective {
    let used = Used::by(document);
    let context = document.entry("contexts", used.context);
    let has_contexts = document.entries("contexts").next().is_some();
    if context.is_none() && !used.context.is_empty() {
        let effect = "Flux refuses the kubeconfig, because it has no such context";
        report.refused("current-context", effect, "name one of its contexts: kubectl config use-context NAME");
    }
    let server = document
        .entry("clusters", used.cluster)
        .map(|cluster| cluster::read(&cluster, disk, &mut report.about(label("clusters", cluster.name))));
    if server.is_none() && context.is_some() {
        let effect = "Flux refuses the kubeconfig, because it has no such cluster";
        report.about(label("contexts", used.context)).refused("cluster", effect, "name one of its clusters");
    } else if server.is_none() && !has_contexts {
        let effect = "Flux refuses the kubeconfig, because it has no contexts";
        report.refused("contexts", effect, "store one with clusters, users, contexts and current-context");
    } else if server.is_none() && used.context.is_empty() {
        let effect = "Flux refuses the kubeconfig, because it looks only at the current context, and there is none";
        report.refused("current-context", effect, "choose one: kubectl config use-context NAME");
    }
    let server = server.unwrap_or_default();
    let credentials = document
        .entry("users", used.user)
        .map(|user| user::read(&user, &server, disk, &mut report.about(label("users", user.name))));
    if credentials.is_none() && context.is_some() {
        let effect = "Flux connects anonymously, because there is no such user";
        report.about(label("contexts", used.context)).dropped("user", effect, "name one of its users");
    }
    Effective::new(server, credentials.unwrap_or_default())
}

/// Reports entries that Flux never looks at; they are no fault, but what is in the Secret can leak.
fn check_unused(document: &Document, report: &mut Report<'_>) {
    let used = Used::by(document);
    for list in ["contexts", "clusters", "users"] {
        for entry in document.entries(list).filter(|entry| !used.has(list, entry.name)) {
            let effect = "Flux does not use it, because the current context does not lead to it";
            report.about(label(list, entry.name)).warning("", effect, "remove it: kubectl config view --raw --minify");
        }
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
        let name = document.current_context();
        let context = document.entry("contexts", name);
        let field = |field| context.as_ref().map_or("", |context| context.fields.text(field));
        Self { context: name, cluster: field("cluster"), user: field("user") }
    }

    fn has(&self, list: &str, name: &str) -> bool {
        match list {
            "contexts" => self.context == name,
            "clusters" => self.cluster == name,
            _ => self.user == name,
        }
    }
}
