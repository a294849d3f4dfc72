//! Git is asked whether the commit that a source has came after the awaited one.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::gitops::checkout::is_ancestor;

/// Two commits of which git is asked whether the second came after the first.
pub(super) type Pair = (String, String);

/// Whether the second commit of a pair has the first in its history.
pub(super) struct Proof {
    pair: Pair,
    is_descendant: bool,
}

/// What git was asked, and said: one process for each pair of commits, however many sources show it, and how often.
#[derive(Default)]
pub(super) struct Ancestry {
    known: BTreeMap<Pair, Option<bool>>,
    asked: FuturesUnordered<BoxFuture<'static, Proof>>,
}

impl Ancestry {
    /// Tells whether git has proven that the second commit came after the first; it is asked where it has not been yet.
    pub(super) fn is_proven(&mut self, pair: Pair) -> bool {
        if self.begin(&pair) {
            self.asked.push(Box::pin(async move {
                let is_descendant = is_ancestor(&pair.0, &pair.1).await;
                Proof { pair, is_descendant }
            }));
            return false;
        }
        self.known(&pair) == Some(true)
    }

    /// Returns the next of git's answers; `None` while nothing is asked.
    pub(super) async fn next(&mut self) -> Option<Proof> {
        self.asked.next().await
    }

    /// Handles what git said, and tells whether it proves anything.
    pub(super) fn take(&mut self, proof: Proof) -> bool {
        self.known.insert(proof.pair, Some(proof.is_descendant));
        proof.is_descendant
    }

    /// Returns what is known about a pair; nothing while git is being asked.
    fn known(&self, pair: &Pair) -> Option<bool> {
        self.known.get(pair).copied().flatten()
    }

    /// Takes note that git is to be asked about a pair, and tells whether it has not been asked yet.
    fn begin(&mut self, pair: &Pair) -> bool {
        let is_new = !self.known.contains_key(pair);
        self.known.entry(pair.clone()).or_default();
        is_new
    }
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
        assert!(!ancestry.take(Proof { pair: pair("bbbbbbb"), is_descendant: false }));
        assert!(!ancestry.begin(&pair("bbbbbbb")), "git has answered");
        assert_eq!(ancestry.known(&pair("bbbbbbb")), Some(false));
        assert!(ancestry.begin(&pair("ccccccc")));
        assert!(ancestry.take(Proof { pair: pair("ccccccc"), is_descendant: true }));
        assert!(ancestry.is_proven(pair("ccccccc")));
    }
}
