//! What is asked of others while waiting: of Flux to try again, of git whether a commit came after another.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Reporter;
use super::follower::Follower;
use super::track::Retry;
use crate::flux::{GitRepository, RECONCILE_REQUESTED_AT, kustomization_resource};
use crate::gitops::checkout::is_ancestor;
use crate::object::ObjectReference;
use crate::observe::expectation::commit_of;
use crate::observe::{Key, watch};

/// Two commits of which git is asked whether the second came after the first.
type Pair = (String, String);

/// Whether the second commit of a pair has the first in its history.
pub(super) struct Proof {
    pair: Pair,
    is_descendant: bool,
}

/// What git was asked, and said: one process for each pair of commits, however many sources show it, and how often.
#[derive(Debug, Default)]
pub(super) struct Ancestry(BTreeMap<Pair, Option<bool>>);

impl Ancestry {
    /// Returns what is known about a pair; nothing while git is being asked.
    fn known(&self, pair: &Pair) -> Option<bool> {
        self.0.get(pair).copied().flatten()
    }

    /// Takes note that git is to be asked about a pair, and tells whether it has not been asked yet.
    fn begin(&mut self, pair: &Pair) -> bool {
        let is_new = !self.0.contains_key(pair);
        self.0.entry(pair.clone()).or_default();
        is_new
    }
}

impl Follower {
    /// Asks git whether the revisions of sources came after the awaited commit.
    pub(super) fn request_proof(&mut self, names: &watch::Names) {
        for (source, expectation) in &mut self.expectations {
            let Some(commit) = &expectation.commit else { continue };
            if !names.contains(&source.0, &source.1) || expectation.newest().is_some() {
                continue;
            }
            let Some(revision) = self.sources.get(&source.0, &source.1).and_then(revision) else { continue };
            let pair = (commit.clone(), commit_of(revision).to_owned());
            if self.ancestry.known(&pair) == Some(true) {
                expectation.saw(revision);
            } else if self.ancestry.begin(&pair) {
                self.proofs.push(Box::pin(async move {
                    let is_descendant = is_ancestor(&pair.0, &pair.1).await;
                    Proof { pair, is_descendant }
                }));
            }
        }
    }

    /// Takes note that a retry could not be requested.
    pub(super) fn requested(&mut self, refused: Option<usize>) {
        if let Some(index) = refused {
            self.tracks[index].is_retry_refused = true;
        }
    }

    /// Takes in what git said, for all sources that it concerns.
    pub(super) fn proven(&mut self, proof: Proof) {
        let Proof { pair, is_descendant } = proof;
        self.ancestry.0.insert(pair, Some(is_descendant));
        if is_descendant {
            self.request_proof(&watch::Names::All);
            self.touch(Instant::now(), |_| true);
        }
    }

    /// Asks a Kustomization that failed at the expected revision to try again: its failure may be older than the remedy.
    pub(super) fn request_retry(&mut self, index: usize, kustomization: Key, reporter: &mut dyn Reporter) {
        let token = token();
        let track = &mut self.tracks[index];
        reporter.detail(&format!("asking Flux to try {} again", kustomization.1));
        let reference = ObjectReference {
            resource: kustomization_resource(self.versions.kustomization),
            namespace: Some(kustomization.0.clone()),
            name: kustomization.1.clone(),
        };
        track.retry = Some((Retry { kustomization, token: token.clone() }, Instant::now()));
        let build = self.build.clone();
        self.requests.push(Box::pin(async move {
            build.annotate(&reference, RECONCILE_REQUESTED_AT, &token).await.is_err().then_some(index)
        }));
    }
}

/// Returns the revision that a source has.
fn revision(source: &GitRepository) -> Option<&str> {
    Some(&source.status.as_ref()?.artifact.as_ref()?.revision)
}

/// Returns a token that no earlier request used.
pub(super) fn token() -> String {
    jiff::Timestamp::now().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_is_asked_once_about_a_pair_of_commits() {
        let pair = |descendant: &str| ("aaaaaaa".to_owned(), descendant.to_owned());
        let mut ancestry = Ancestry::default();
        assert!(ancestry.begin(&pair("bbbbbbb")));
        assert!(!ancestry.begin(&pair("bbbbbbb")), "git is being asked");
        assert_eq!(ancestry.known(&pair("bbbbbbb")), None);
        ancestry.0.insert(pair("bbbbbbb"), Some(false));
        assert!(!ancestry.begin(&pair("bbbbbbb")), "git has answered");
        assert_eq!(ancestry.known(&pair("bbbbbbb")), Some(false));
        assert!(ancestry.begin(&pair("ccccccc")));
    }
}
