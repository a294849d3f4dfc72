//! What is asked of others while waiting: of Flux to try again, of git whether a commit came after another.

use std::time::Instant;

use super::Reporter;
use super::follower::Follower;
use super::track::Retry;
use crate::flux::{RECONCILE_REQUESTED_AT, kustomization_resource};
use crate::gitops::ancestry::is_ancestor;
use crate::object::ObjectReference;
use crate::observe::expectation::commit_of;
use crate::observe::watch;

/// Whether a source's revision has the awaited commit in its history.
pub(super) struct Proof {
    source: (String, String),
    revision: String,
    is_descendant: bool,
}

impl Follower {
    /// Asks git whether a source's revision came after the awaited commit.
    pub(super) fn request_proof(&self, names: &watch::Names) {
        for (source, expectation) in &self.expectations {
            let Some(commit) = &expectation.commit else { continue };
            let revision = self.sources.get(&source.0, &source.1).and_then(|object| {
                let status = object.status.as_ref()?;
                Some(status.artifact.as_ref()?.revision.clone())
            });
            let Some(revision) = revision.filter(|revision| !expectation.accepts(revision)) else { continue };
            if !names.contains(&source.0, &source.1) || expectation.newest().is_some() {
                continue;
            }
            let (source, commit) = (source.clone(), commit.clone());
            self.proofs.push(Box::pin(async move {
                let is_descendant = is_ancestor(&commit, commit_of(&revision)).await;
                Proof { source, revision, is_descendant }
            }));
        }
    }

    /// Takes note that a retry could not be requested.
    pub(super) fn requested(&mut self, refused: Option<usize>) {
        if let Some(index) = refused {
            self.tracks[index].is_retry_refused = true;
        }
    }

    /// Takes in what git said.
    pub(super) fn proven(&mut self, proof: Proof) {
        let Proof { source, revision, is_descendant } = proof;
        if let Some(expectation) = self.expectations.get_mut(&source).filter(|_| is_descendant) {
            expectation.saw(&revision);
            self.touch(Instant::now(), |track| track.delivery.source == source);
        }
    }

    /// Asks a Kustomization that failed at the expected revision to try again: its failure may be older than the remedy.
    pub(super) fn request_retry(&mut self, index: usize, kustomization: String, reporter: &mut dyn Reporter) {
        let token = token();
        let track = &mut self.tracks[index];
        reporter.detail(&format!("asking Flux to try {kustomization} again"));
        let reference = ObjectReference {
            resource: kustomization_resource(self.versions.kustomization),
            namespace: Some(track.delivery.namespace.clone()),
            name: kustomization.clone(),
        };
        track.retry = Some((Retry { kustomization, token: token.clone() }, Instant::now()));
        let build = self.build.clone();
        self.requests.push(Box::pin(async move {
            build.annotate(&reference, RECONCILE_REQUESTED_AT, &token).await.is_err().then_some(index)
        }));
    }
}

/// Returns a token that no earlier request used.
pub(super) fn token() -> String {
    jiff::Timestamp::now().to_string()
}
