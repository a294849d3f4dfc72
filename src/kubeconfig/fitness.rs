//! Whether a kubeconfig is fit for Flux by the rules of all its versions, in sentences, and how it is made so. Pure.

use std::fmt;
use std::io;

use secrecy::SecretString;

use super::document::{Document, Entry, FILE_FIELDS, label};
use super::finding::{Finding, ReadFile, Report, Severity, error_of};
use super::lint::{FluxBehaviour, examine, examine_document, lint};
use crate::error::{Error, Result};

/// What Flux would do with a kubeconfig that somebody gave, by the rules of all its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fitness {
    /// The findings, worst first, each with the versions of kustomize-controller that it is about.
    findings: Vec<(Finding, Versions)>,
    has_credential: bool,
}

/// The versions of kustomize-controller that a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Versions {
    All,
    Older,
    Newer,
}

impl Fitness {
    /// Finds out what Flux would do; no file is taken to be on the controller's disk.
    ///
    /// `text` is what the Secret's key will hold, YAML or JSON.
    #[must_use]
    pub(crate) fn of(text: &str) -> Self {
        let older = lint(text, FluxBehaviour::ReadsFiles);
        let newer = lint(text, FluxBehaviour::RefusesFiles);
        let is_in = |findings: &[Finding], finding: &Finding| findings.contains(finding);
        let mut findings: Vec<(Finding, Versions)> = newer
            .iter()
            .map(|finding| (finding.clone(), if is_in(&older, finding) { Versions::All } else { Versions::Newer }))
            .collect();
        let only_older = older.iter().filter(|finding| !is_in(&newer, finding));
        findings.extend(only_older.map(|finding| (finding.clone(), Versions::Older)));
        findings.sort_by_key(|(finding, _)| finding.severity);
        let effective = examine(text, FluxBehaviour::ReadsFiles, &no_file).effective;
        Self { findings, has_credential: effective.is_some_and(|effective| effective.has_credential()) }
    }

    /// Tells whether any finding is about a field that names a file.
    #[must_use]
    pub(crate) fn names_files(&self) -> bool {
        self.findings.iter().any(|(finding, _)| FILE_FIELDS.contains(&finding.field.as_str()))
    }

    /// Returns why Flux cannot use the kubeconfig, if it cannot: because a version refuses it, or because what Flux drops
    /// leaves no credential. `what` names the kubeconfig.
    #[must_use]
    pub(crate) fn refusal(&self, what: &str) -> Option<Error> {
        let worst = self.findings.first().map(|(finding, _)| finding.severity);
        let least = if worst == Some(Severity::Refused) {
            Severity::Refused
        } else if !self.has_credential {
            Severity::Dropped
        } else {
            return None;
        };
        let is_undecided = least != Severity::Refused
            && self.findings.iter().any(|(finding, _)| finding.severity == Severity::Undecided);
        let mut error = Error::usage(if is_undecided {
            format!("what Flux makes of {what} cannot be told")
        } else {
            format!("Flux cannot use {what} as it is")
        });
        if !is_undecided && least == Severity::Dropped {
            error = error.because("it holds no credential that Flux uses: no token, client certificate or password");
        }
        for (finding, versions) in self.findings.iter().filter(|(finding, _)| finding.severity <= least) {
            error = error.because(sentence(finding, *versions)).hint(&finding.hint);
        }
        Some(error)
    }

    /// Returns the warnings about a kubeconfig that is not refused.
    #[must_use]
    pub(crate) fn warnings(&self) -> Vec<Error> {
        let findings = self.findings.iter();
        findings.map(|(finding, versions)| Error::new(sentence(finding, *versions)).hint(&finding.hint)).collect()
    }
}

/// Replaces file references by what the files hold, and keeps nothing but what the current context needs.
///
/// Where a field has both, the data counts, as client-go says in its own error. A kubeconfig that relies on something
/// Flux drops, such as an exec plugin, is refused instead of silently losing it. `read_file` gets the paths as they are
/// written; kubectl takes relative ones from the kubeconfig's directory.
pub fn inline_files(text: &str, read_file: impl Fn(&str) -> io::Result<Vec<u8>>) -> Result<SecretString> {
    let mut findings = Vec::new();
    let document = Document::read(text, &mut Report::new("kubeconfig", &mut findings));
    let document = document.ok_or_else(|| error_of(&findings, Severity::Undecided))?;
    let reduced = reduced(&document, &read_file)?;
    let mut findings = Vec::new();
    let mut report = Report::new("kubeconfig", &mut findings);
    let effective = examine_document(&reduced, FluxBehaviour::RefusesFiles, &no_file, &mut report);
    if findings.iter().any(|finding| matches!(finding.severity, Severity::Refused | Severity::Dropped)) {
        return Err(error_of(&findings, Severity::Dropped));
    }
    let cluster = reduced.clusters.first().map_or("", |entry| &entry.name);
    let user = reduced.users.first().map_or("", |entry| &entry.name);
    Ok(effective.document(cluster, user).to_string().into())
}

/// Returns what the current context leads to, with the content of the files that it names.
fn reduced(document: &Document, read_file: ReadFile<'_>) -> Result<Document> {
    let mut cluster = document.cluster().cloned();
    if let Some(entry) = &mut cluster {
        let file = File { entry: label("cluster", &entry.name), field: "certificate-authority", read: read_file };
        let fields = &mut entry.fields;
        file.take_in(&mut fields.certificate_authority, &mut fields.certificate_authority_data.0)?;
    }
    let mut user = document.user().cloned();
    if let Some(Entry { name, fields }) = &mut user {
        let file = |field| File { entry: label("user", name), field, read: read_file };
        file("client-certificate").take_in(&mut fields.client_certificate, &mut fields.client_certificate_data.0)?;
        file("client-key").take_in(&mut fields.client_key, &mut fields.client_key_data.0)?;
        let mut token = std::mem::take(&mut fields.token).into_bytes();
        file("tokenFile").take_in(&mut fields.token_file, &mut token)?;
        let token = String::from_utf8(token).map_err(|_| file("tokenFile").failed("the file is not text"))?;
        // Tokens are written with a line break at the end as often as without.
        token.trim().clone_into(&mut fields.token);
    }
    Ok(Document {
        current_context: document.current_context.clone(),
        clusters: cluster.into_iter().collect(),
        users: user.into_iter().collect(),
        contexts: document.context().cloned().into_iter().collect(),
    })
}

/// A field that names a file.
struct File<'file> {
    entry: String,
    field: &'static str,
    read: ReadFile<'file>,
}

impl File<'_> {
    /// Moves what the file holds into `content`, unless there is something already.
    fn take_in(&self, path: &mut String, content: &mut Vec<u8>) -> Result<()> {
        let path = std::mem::take(path);
        if !path.is_empty() && content.is_empty() {
            *content = (self.read)(&path)
                .map_err(|error| self.failed(error).hint("write the content into the kubeconfig itself"))?;
        }
        Ok(())
    }

    fn failed(&self, cause: impl fmt::Display) -> Error {
        Error::usage(format!("cannot inline what {} names as {}", self.entry, self.field)).because(cause)
    }
}

/// The disk of a controller that has none of the user's files.
fn no_file(_: &str) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::NotFound.into())
}

/// Says what Flux does with a field, and since or until when.
fn sentence(finding: &Finding, versions: Versions) -> String {
    let versions = match versions {
        Versions::All => "",
        Versions::Older => " (up to kustomize-controller 1.9.4)",
        Versions::Newer => " (since kustomize-controller 1.9.5)",
    };
    format!("{}{versions}", finding.sentence())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::assert_printed;

    fn kubeconfig(cluster: &str, user: &str) -> String {
        format!(
            "{{current-context: c, contexts: [{{name: c, context: {{cluster: c, user: u}}}}], \
             clusters: [{{name: c, cluster: {{server: 'https://prod.example', {cluster}}}}}], \
             users: [{{name: u, user: {{{user}}}}}]}}"
        )
    }

    #[test]
    fn a_token_is_fit() {
        let fitness = Fitness::of(&kubeconfig("", "token: fake-token"));
        assert!(fitness.refusal("it").is_none() && fitness.warnings().is_empty(), "{fitness:?}");
    }

    #[test]
    fn what_is_dropped_is_a_warning_where_a_credential_is_left() {
        let fitness = Fitness::of(&kubeconfig("insecure-skip-tls-verify: true", "token: fake-token"));
        assert!(fitness.refusal("it").is_none(), "{fitness:?}");
        assert!(fitness.warnings()[0].message().contains("insecure-skip-tls-verify"), "{fitness:?}");
    }

    #[test]
    fn a_plugin_alone_is_no_credential() {
        let exec = "exec: {command: login, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}";
        let refusal = Fitness::of(&kubeconfig("", exec)).refusal("it").expect("nothing is left");
        assert!(refusal.to_string().contains("no credential that Flux uses"), "{refusal}");
        assert!(refusal.to_string().contains("Flux does not run the plugin"), "{refusal}");
    }

    #[test]
    fn what_flux_may_read_differently_is_a_warning_and_no_verdict() {
        for user in ["token: 1_000", "token: &token fake-token, username: *token"] {
            let fitness = Fitness::of(&kubeconfig("", user));
            let warnings = format!("{:?}", fitness.warnings());
            assert!(warnings.contains("users[0].user") && warnings.contains("may read this differently"), "{warnings}");
            assert!(!fitness.findings.iter().any(|(finding, _)| finding.severity == Severity::Refused), "{fitness:?}");
        }
        let exec = Fitness::of(&kubeconfig("", "exec: {command: !!str login}")).refusal("it").expect("it has nothing");
        assert!(exec.message().contains("what Flux makes of it cannot be told"), "{exec}");
    }

    #[test]
    fn files_are_refused_for_the_sake_of_newer_versions() {
        let fitness = Fitness::of(&kubeconfig("", "token: fake-token, tokenFile: /token"));
        let refusal = fitness.refusal("it").expect("newer versions refuse it");
        assert!(refusal.to_string().contains("(since kustomize-controller 1.9.5)"), "{refusal}");
        assert!(fitness.names_files());
    }

    #[test]
    fn a_refusal_names_each_entry_with_its_remedy() {
        let exec = "exec: {command: login, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}";
        let fitness = Fitness::of(&kubeconfig("certificate-authority: ca.pem", exec));
        let refusal = fitness.refusal("the kubeconfig own.yaml").expect("Flux cannot use it");
        assert_printed("kubeconfig_that_flux_cannot_use", &refusal);
    }
}
