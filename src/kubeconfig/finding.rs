//! What Flux would do with a part of a kubeconfig, and the list such findings are collected in.

use std::io;

use crate::error::Error;

/// Reads a file where the kubeconfig is used.
pub(super) type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Flux cannot use the kubeconfig at all.
    Refused,
    /// What Flux makes of it cannot be told: this plugin may read it differently.
    Undecided,
    /// Flux ignores the field in silence and connects without it.
    Dropped,
    /// Flux uses the kubeconfig, but it may not do what was meant.
    Warning,
}

/// What Flux does with one field of a kubeconfig. No part of it quotes a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether Flux refuses or drops it, or it is only suspicious.
    pub severity: Severity,
    /// The entry it is about, e.g. ``user `me` ``, or `kubeconfig`.
    pub entry: String,
    /// The field as the kubeconfig spells it; empty where it is about the whole entry.
    pub field: String,
    /// What Flux does, in one sentence.
    pub effect: String,
    /// The next step.
    pub hint: String,
}

impl Finding {
    /// Says what Flux does with which field.
    pub(crate) fn sentence(&self) -> String {
        let field = if self.field.is_empty() { String::new() } else { format!(", {}", self.field) };
        format!("{}{field}: {}", self.entry, self.effect)
    }
}

/// Makes an error of the findings that are at least so bad.
pub(super) fn error_of(findings: &[Finding], least: Severity) -> Error {
    let is_undecided = findings.iter().any(|finding| finding.severity == Severity::Undecided);
    let message = if is_undecided {
        "what Flux makes of this kubeconfig cannot be told"
    } else {
        "Flux cannot use this kubeconfig as it is"
    };
    let findings = findings.iter().filter(|finding| finding.severity <= least);
    findings.fold(Error::new(message), |error, finding| error.because(finding.sentence()).hint(&finding.hint))
}

/// Collects the findings about one entry.
pub(super) struct Report<'all> {
    entry: String,
    findings: &'all mut Vec<Finding>,
}

impl<'all> Report<'all> {
    pub(super) fn new(entry: impl Into<String>, findings: &'all mut Vec<Finding>) -> Self {
        Self { entry: entry.into(), findings }
    }

    /// Reports about another entry into the same list.
    pub(super) fn about(&mut self, entry: impl Into<String>) -> Report<'_> {
        Report::new(entry, self.findings)
    }

    /// Tells whether anything is refused, in this entry or another.
    pub(super) fn is_refused(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Refused)
    }

    pub(super) fn refused(&mut self, field: &str, effect: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Refused, field, effect.into(), hint.into());
    }

    pub(super) fn undecided(&mut self, field: &str, why: &str, hint: impl Into<String>) {
        self.add(Severity::Undecided, field, format!("Flux may read this differently, because {why}"), hint.into());
    }

    pub(super) fn dropped(&mut self, field: &str, effect: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Dropped, field, effect.into(), hint.into());
    }

    pub(super) fn warning(&mut self, field: &str, effect: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Warning, field, effect.into(), hint.into());
    }

    fn add(&mut self, severity: Severity, field: &str, effect: String, hint: String) {
        self.findings.push(Finding { severity, entry: self.entry.clone(), field: field.to_owned(), effect, hint });
    }
}
