//! What Flux would do with a part of a kubeconfig, and the list such findings are collected in.

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Flux cannot use the kubeconfig at all.
    Refused,
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

    pub(super) fn entry(&self) -> &str {
        &self.entry
    }

    pub(super) fn refused(&mut self, field: &str, effect: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Refused, field, effect.into(), hint.into());
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
