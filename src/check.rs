//! What must hold before a plan may run: named checks, all of which are made before the first write.
//!
//! Here the findings are collected, and refuse together. What is checked of any cluster lives in [`prerequisites`],
//! what Flux must be allowed on a run cluster in [`mod@flux_access`]; checks
//! that only one command needs live with that command.

mod accounts;
mod capacity;
mod flux_access;
mod other_names;
pub mod permissions;
mod prerequisites;

pub use accounts::{over_privileged, privileges_of};
pub use capacity::capacity;
pub use flux_access::flux_access;
pub use other_names::{of_one_cluster, other_names};
pub use prerequisites::{flux, kapp_controller, namespace};

use crate::error::{Error, ErrorKind, Result};
use crate::wording::listed;

/// Collects the findings of checks.
#[derive(Debug, Default)]
pub struct Checks {
    findings: Vec<Finding>,
}

/// A check failed, and what depends on it is skipped. Why it failed is among the findings: only [`Checks`] can make this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped(());

/// Lends what was found, for several checks that depend on it.
pub fn known<T>(found: &Result<T, Skipped>) -> Result<&T, Skipped> {
    found.as_ref().map_err(|skipped| *skipped)
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was checked, in a few words.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a check.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It holds; the text, which may be empty, says what was found.
    Passed(String),
    /// What would have to be read may not be; the text says what that is.
    Unknown(String),
    /// It holds, with a warning.
    Warned(Error),
    /// It does not hold.
    Failed(Error),
}

/// How many subjects of a finding are named.
const NAMED: usize = 3;

impl Finding {
    fn says_the_same(&self, other: &Self) -> bool {
        let is_same = |one: &Error, other: &Error| one.to_string() == other.to_string() && one.hints() == other.hints();
        match (&self.outcome, &other.outcome) {
            (Outcome::Failed(one), Outcome::Failed(other)) | (Outcome::Warned(one), Outcome::Warned(other)) => {
                is_same(one, other)
            }
            _ => false,
        }
    }

    /// Says what it is about.
    fn about(self, subjects: &[String]) -> Self {
        let names = listed(subjects, NAMED);
        let outcome = match self.outcome {
            unchanged @ (Outcome::Passed(_) | Outcome::Unknown(_)) => unchanged,
            Outcome::Warned(warning) => Outcome::Warned(warning.about(&names)),
            Outcome::Failed(failure) => Outcome::Failed(failure.about(&names)),
        };
        Self { name: self.name, outcome }
    }
}

impl Checks {
    /// Records the result of a check, and returns what it found; what depends on a check that failed is skipped, with `?`.
    pub fn take<T>(&mut self, name: impl Into<String>, result: Result<T>) -> Result<T, Skipped> {
        let name = name.into();
        let found = self.take_silently(name.clone(), result)?;
        self.pass(name, "");
        Ok(found)
    }

    /// Records only the failure of a check that is judged further where it has a result.
    pub fn take_silently<T>(&mut self, name: impl Into<String>, result: Result<T>) -> Result<T, Skipped> {
        result.map_err(|error| {
            self.fail(name, error);
            Skipped(())
        })
    }

    /// Records the result of a check that nothing depends on.
    pub fn check(&mut self, name: impl Into<String>, result: Result<()>) {
        match result {
            Ok(()) => self.pass(name, ""),
            Err(error) => self.fail(name, error),
        }
    }

    /// Records a check that failed.
    pub fn fail(&mut self, name: impl Into<String>, error: Error) {
        let name = name.into();
        let error = error.found_by(&name);
        self.add(name, Outcome::Failed(error));
    }

    /// Records a failure that may join several, each of which then counts for itself.
    pub(crate) fn fail_with(&mut self, name: &str, error: Error) {
        match error.parts() {
            [] => self.fail(name, error),
            parts => parts.iter().for_each(|part| self.fail(name, part.clone())),
        }
    }

    /// Adds a check that passed, with what it found.
    pub fn pass(&mut self, name: impl Into<String>, detail: impl Into<String>) {
        self.add(name, Outcome::Passed(detail.into()));
    }

    /// Adds a check that could not be made, and why.
    pub fn unknown(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        self.add(name, Outcome::Unknown(reason.into()));
    }

    /// Adds a warning.
    pub fn warn(&mut self, name: impl Into<String>, warning: Error) {
        self.add(name, Outcome::Warned(warning));
    }

    fn add(&mut self, name: impl Into<String>, outcome: Outcome) {
        self.findings.push(Finding { name: name.into(), outcome });
    }

    /// Makes checks apart from others, so that both can be made at the same time; see [`Self::take_in`].
    pub(crate) async fn apart<T>(check: impl AsyncFnOnce(&mut Self) -> T) -> (Self, T) {
        let mut checks = Self::default();
        let found = check(&mut checks).await;
        (checks, found)
    }

    /// Adds the findings of other checks after those that are there: the order is the same in each run.
    pub(crate) fn take_in<T>(&mut self, (apart, found): (Self, T)) -> T {
        self.findings.extend(apart.findings);
        found
    }

    /// Adds the findings of several subjects. Failures and warnings name theirs, those that are the same of several are told once;
    /// of a single subject they stay as they are.
    pub(crate) fn take_in_all(&mut self, mut subjects: Vec<(String, Self)>) {
        if subjects.len() == 1 {
            return self.findings.extend(subjects.pop().into_iter().flat_map(|(_, checks)| checks.findings));
        }
        let mut told: Vec<(Finding, Vec<String>)> = Vec::new();
        for (subject, checks) in subjects {
            for finding in checks.findings {
                match told.iter_mut().find(|(known, _)| known.says_the_same(&finding)) {
                    Some((_, subjects)) => subjects.push(subject.clone()),
                    None => told.push((finding, vec![subject.clone()])),
                }
            }
        }
        self.findings.extend(told.into_iter().map(|(finding, subjects)| finding.about(&subjects)));
    }

    /// Records a check that failed in the place of failures that it explains.
    pub fn fail_for(&mut self, name: impl Into<String>, error: Error, is_explained: impl Fn(&Error) -> bool) {
        self.findings.retain(|finding| !matches!(&finding.outcome, Outcome::Failed(error) if is_explained(error)));
        self.fail(name, error);
    }

    /// Returns everything that was found, in the order of the checks.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Skips what is vain once a check has failed: nobody should be asked for something for nothing.
    pub fn none_failed(&self) -> Result<(), Skipped> {
        let has_failed = self.findings.iter().any(|finding| matches!(finding.outcome, Outcome::Failed(_)));
        if has_failed { Err(Skipped(())) } else { Ok(()) }
    }

    /// Returns the warnings, each as one text.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let warnings = self.findings.iter().filter_map(|finding| match &finding.outcome {
            Outcome::Warned(warning) => Some(warning),
            Outcome::Passed(_) | Outcome::Unknown(_) | Outcome::Failed(_) => None,
        });
        warnings.map(|warning| [&[warning.to_string()], warning.hints()].concat().join("; ")).collect()
    }

    /// Returns what was found if no check failed; else names all that did, each with its own hints.
    pub fn finish<T>(self, found: Result<T, Skipped>) -> Result<T> {
        match (found, self.into_failures()) {
            (Ok(found), failures) if failures.is_empty() => Ok(found),
            // Only a check that failed makes a `Skipped`.
            (_, failures) => Err(joined(failures)),
        }
    }

    /// Returns what failed, in the order of the checks.
    #[must_use]
    pub fn into_failures(self) -> Vec<Error> {
        let failures = self.findings.into_iter().filter_map(|finding| match finding.outcome {
            Outcome::Failed(error) => Some(error),
            Outcome::Passed(_) | Outcome::Unknown(_) | Outcome::Warned(_) => None,
        });
        failures.collect()
    }

    /// Refuses to go on if any check failed, and names all that did, each with its own hints.
    pub fn refuse_if_failed(self) -> Result<()> {
        let failures = self.into_failures();
        if failures.is_empty() { Ok(()) } else { Err(joined(failures)) }
    }
}

/// Returns the only failure, or one that names all.
fn joined(mut failures: Vec<Error>) -> Error {
    if failures.len() == 1 {
        return failures.remove(0);
    }
    let is_usage = failures.iter().all(|failure| failure.kind() == ErrorKind::Usage);
    let kind = if is_usage { ErrorKind::Usage } else { ErrorKind::Failed };
    Error::several(kind, format!("{} checks failed; nothing was changed", failures.len()), failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_failures_are_named_at_once_and_keep_their_hints() {
        let mut checks = Checks::default();
        let one = checks.take("one", Ok(1));
        assert_eq!(one, Ok(1));
        let two = checks.take::<u8>("two", Err(Error::new("first").hint("do this")));
        checks.fail("three", Error::usage("second").because("why").hint("do that"));
        let error = checks.finish((|| Ok((one?, two?)))()).expect_err("two failed");
        assert_eq!(error.to_string(), "2 checks failed; nothing was changed: first; second: why");
        let hints: Vec<&[String]> = error.parts().iter().map(Error::hints).collect();
        assert_eq!(hints, [["do this"], ["do that"]]);
        let checks: Vec<Option<&str>> = error.parts().iter().map(Error::check).collect();
        assert_eq!(checks, [Some("two"), Some("three")]);
        assert_eq!(error.kind(), ErrorKind::Failed);
    }

    #[test]
    fn a_failure_stands_for_those_that_it_explains() {
        let mut checks = Checks::default();
        let one = checks.take::<u8>("one", Err(Error::new("may not list").with_status(403)));
        let two = checks.take::<u8>("two", Err(Error::new("not reachable")));
        checks.fail_for("permissions", Error::new("not permitted"), |failure| failure.status() == Some(403));
        let error = checks.finish((|| Ok((one?, two?)))()).expect_err("two failed");
        assert_eq!(error.to_string(), "2 checks failed; nothing was changed: not reachable; not permitted");
    }

    #[test]
    fn a_warning_does_not_refuse() {
        let mut checks = Checks::default();
        checks.warn("one", Error::new("careful").because("of this").hint("do that"));
        assert_eq!(checks.warnings(), ["careful: of this; do that"]);
        assert!(checks.refuse_if_failed().is_ok());
    }
}
