//! Whether the user's `git` goes elsewhere than to a URL as it is written, which Flux does not.

use std::sync::Arc;

use super::failure::{self, Failure};
use super::git::{Git, GitAccess};
use super::isolated::Isolated;
use super::temporary::Temporary;
use crate::error::{Error, Result};
use crate::gitops::flux_credential::FluxCredential;
use crate::gitops::url::GitUrl;

/// A URL that `url.*.insteadOf` of the user's configuration replaces.
#[derive(Debug)]
pub struct Rewritten {
    /// Where the user's `git` goes.
    pub to: GitUrl,
    /// Whether Flux can go where it is written.
    pub reads: Reads,
}

/// Whether a repository can be read.
#[derive(Debug)]
pub enum Reads {
    /// It can.
    Yes,
    /// Its server refuses, in the words of `git`.
    Refused(String),
    /// The server cannot be reached from here, in the words of `git`.
    Unknown(String),
}

/// Finds out where the user's `git` goes instead of to a URL, and whether a credential for Flux works at the URL as it is
/// written; `None` where it goes there.
pub async fn rewritten(url: &GitUrl, access: &GitAccess, credential: &FluxCredential) -> Result<Option<Rewritten>> {
    let temporary = Temporary::new().map_err(|error| Error::new("cannot make a temporary directory").because(error))?;
    let address = url.to_string();
    let output = Git::new(access, url).run(temporary.path(), &["ls-remote", "--get-url", &address]).await?;
    let to = GitUrl::parse(output.stdout.trim());
    // Another user at the same place is still Flux's place.
    if !output.success || (to.place() == url.place() && to.is_ssh() == url.is_ssh()) {
        return Ok(None);
    }
    let access = GitAccess {
        credentials: credential.login.clone(),
        isolated: Some(Arc::new(Isolated::with(credential, url)?)),
        limits: access.limits,
        ..GitAccess::default()
    };
    let arguments = ["ls-remote", "--heads", "--quiet", "--", &address];
    let output = Git::new(&access, url).run(temporary.path(), &arguments).await?;
    let said = failure::last_lines(&output.stderr);
    let reads = match Failure::of(&output) {
        _ if output.success => Reads::Yes,
        Failure::Unreachable | Failure::TimedOut(_) => Reads::Unknown(said),
        _ => Reads::Refused(said),
    };
    Ok(Some(Rewritten { to, reads }))
}
