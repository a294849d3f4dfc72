//! What was found out for `bootstrap` before it plans: build cluster and repository. Data, and what follows from it alone.
//!
//! How it is read lives in [`super::gather`], what is done about it in [`super::plan`].

use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::flux::{Followed, GitRepository};
use crate::gitops::credentials::GitCredentials;
use crate::gitops::flux_credential::SshKey;
use crate::observe::Expectation;
use crate::observe::source::{Source, judge};
use crate::plan::LiveObjects;

/// What was found out.
pub(super) struct Facts {
    /// The version of the source API that the build cluster serves.
    pub(super) version: &'static str,
    /// The Secret that source-controller reads the repository with, and the GitRepository, where they exist.
    pub(super) live: LiveObjects,
    /// Whether the user may read that Secret.
    pub(super) is_secret_readable: bool,
    /// The login that the repository takes: what is asked for, or what somebody gave where its server refused that.
    pub(super) login: Option<GitCredentials>,
    /// The SSH key that came of what is asked for: given, stored already or made.
    pub(super) ssh_key: Option<SshKey>,
}

/// Tells whether Flux follows a branch, however it is written, and has fetched what the GitRepository asks for.
pub(super) fn has_fetched(live: &DynamicObject, branch: &str) -> bool {
    let repository: Option<GitRepository> = live.clone().try_parse().ok();
    repository.as_ref().is_some_and(|read| read.spec.reference.followed() == Followed::Branch(branch))
        && matches!(judge(repository.as_ref(), &live.name_any(), &Expectation::default()), Source::At(_))
}
