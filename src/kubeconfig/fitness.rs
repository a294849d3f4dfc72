//! Whether a kubeconfig is fit for Flux by the rules of all its versions, in sentences. Pure.

use std::io;

use super::document::FILE_FIELDS;
use super::effective::Effective;
use super::finding::{Finding, Severity};
use super::lint::{FluxBehaviour, examine, lint};
use crate::error::Error;

/// What Flux would do with a kubeconfig that somebody gave, by the rules of all its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitness {
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
    pub fn of(text: &str) -> Self {
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
        let effective = examine(text, FluxBehaviour::ReadsFiles, &|_| Err(io::ErrorKind::NotFound.into())).effective;
        Self { findings, has_credential: effective.is_some_and(|effective| effective.has_credential()) }
    }

    /// Tells whether any finding is about a field that names a file.
    #[must_use]
    pub fn names_files(&self) -> bool {
        self.findings.iter().any(|(finding, _)| FILE_FIELDS.iter().any(|(_, field, _)| finding.field == *field))
    }

    /// Returns why Flux cannot use the kubeconfig, if it cannot: because a version refuses it, or because what Flux drops
    /// leaves no credential. `what` names the kubeconfig.
    #[must_use]
    pub fn refusal(&self, what: &str) -> Option<Error> {
        let worst = self.findings.first().map(|(finding, _)| finding.severity);
        let least = if worst == Some(Severity::Refused) {
            Severity::Refused
        } else if !self.has_credential {
            Severity::Dropped
        } else {
            return None;
        };
        let mut error = Error::usage(format!("Flux cannot use {what} as it is"));
        if least == Severity::Dropped {
            error = error.because("it holds no credential that Flux uses: no token, client certificate or password");
        }
        for (finding, versions) in self.findings.iter().filter(|(finding, _)| finding.severity <= least) {
            error = error.because(sentence(finding, *versions)).hint(&finding.hint);
        }
        Some(error)
    }

    /// Returns what to beware of in a kubeconfig that is not refused.
    #[must_use]
    pub fn warnings(&self) -> Vec<Error> {
        let findings = self.findings.iter();
        findings.map(|(finding, versions)| Error::new(sentence(finding, *versions)).hint(&finding.hint)).collect()
    }
}

impl Effective {
    /// Tells whether Flux has anything to log in with.
    #[must_use]
    pub fn has_credential(&self) -> bool {
        self.token.is_some()
            || self.username.is_some()
            || (self.client_certificate.is_some() && self.client_key.is_some())
    }
}

/// Says what Flux does with a field, and since or until when.
fn sentence(finding: &Finding, versions: Versions) -> String {
    let field = if finding.field.is_empty() { String::new() } else { format!(", {}", finding.field) };
    let versions = match versions {
        Versions::All => "",
        Versions::Older => " (up to kustomize-controller 1.9.4)",
        Versions::Newer => " (since kustomize-controller 1.9.5)",
    };
    format!("{}{field}: {}{versions}", finding.entry, finding.effect)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn files_are_refused_for_the_sake_of_newer_versions() {
        let fitness = Fitness::of(&kubeconfig("", "token: fake-token, tokenFile: /token"));
        let refusal = fitness.refusal("it").expect("newer versions refuse it");
        assert!(refusal.to_string().contains("(since kustomize-controller 1.9.5)"), "{refusal}");
        assert!(fitness.names_files());
    }
}
