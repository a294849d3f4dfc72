//! What a Git revision asks of a delivery.

/// The revisions that count, and what the source must have answered before any does.
///
/// The version and the values that a revision asks for are not kept here: they are read on the run cluster once the
/// revision has been applied, because Flux's apply is what puts them there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The reconcile request that the source must have answered; `None` where it could not be asked.
    pub request: Option<String>,
    /// What the source had been asked before: its answer is older than our request.
    pub earlier: Option<String>,
    /// The commit that must be reached first; `None` where whatever the source has counts.
    pub commit: Option<String>,
    /// The expected revision and those that the source was seen with after it, such as `main@sha1:0123…`.
    revisions: Vec<String>,
}

impl Expectation {
    /// Expects whatever revision the source has once it has answered `request`.
    #[must_use]
    pub fn after_request(request: Option<String>) -> Self {
        Self { request, ..Self::default() }
    }

    /// Records the source's revision, and tells whether it counts: with a commit to be reached, that one and every
    /// revision that the source is seen with after it.
    pub fn reaches(&mut self, revision: &str) -> bool {
        let is_awaited = self.commit.as_ref().is_none_or(|commit| commit_of(revision).starts_with(commit.as_str()));
        if is_awaited || !self.revisions.is_empty() {
            self.saw(revision);
        }
        self.accepts(revision)
    }

    /// Adds a revision that the source was seen with: the expected one first, then later ones, which count as well.
    pub fn saw(&mut self, revision: &str) {
        if !self.accepts(revision) {
            self.revisions.push(revision.to_owned());
        }
    }

    /// Adds what another copy of it has seen.
    pub fn merge(&mut self, other: &Self) {
        other.revisions.iter().for_each(|revision| self.saw(revision));
    }

    /// Tells whether a revision is the expected one or was seen after it.
    #[must_use]
    pub fn accepts(&self, revision: &str) -> bool {
        self.revisions.iter().any(|known| known == revision)
    }

    /// Returns the newest revision that counts.
    #[must_use]
    pub fn newest(&self) -> Option<&str> {
        self.revisions.last().map(String::as_str)
    }
}

/// Returns the commit of a revision such as `main@sha1:0123…`.
#[must_use]
pub fn commit_of(revision: &str) -> &str {
    revision.rsplit_once(':').map_or(revision, |(_, commit)| commit)
}

/// Shortens `main@sha1:0123456789…` for people.
#[must_use]
pub fn short_revision(revision: &str) -> String {
    match revision.rsplit_once(':') {
        Some((prefix, commit)) if commit.is_char_boundary(8.min(commit.len())) => {
            format!("{prefix}:{}", &commit[..8.min(commit.len())])
        }
        _ => revision.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_revisions_count_and_earlier_ones_do_not() {
        let mut expectation = Expectation::after_request(None);
        expectation.saw("main@sha1:b");
        expectation.saw("main@sha1:c");
        assert!(!expectation.accepts("main@sha1:a"));
        assert!(expectation.accepts("main@sha1:b") && expectation.accepts("main@sha1:c"));
        assert_eq!(expectation.newest(), Some("main@sha1:c"));
    }

    #[test]
    fn a_named_commit_must_be_reached_before_later_ones_count() {
        let mut expectation = Expectation { commit: Some("bbbbbbb".to_owned()), ..Expectation::default() };
        assert!(!expectation.reaches("main@sha1:aaaaaaaa"));
        assert!(!expectation.reaches("main@sha1:cccccccc"), "it may be older, or of another history");
        assert!(expectation.reaches("main@sha1:bbbbbbbb"));
        assert!(expectation.reaches("main@sha1:cccccccc"));
    }

    #[test]
    fn revisions_are_shortened() {
        assert_eq!(short_revision("main@sha1:0123456789abcdef"), "main@sha1:01234567");
        assert_eq!(short_revision("main@sha1:ab"), "main@sha1:ab");
        assert_eq!(short_revision("odd"), "odd");
    }
}
