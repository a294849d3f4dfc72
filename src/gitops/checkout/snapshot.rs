//! One commit of a repository in a temporary directory, to be read only: what a tag or a pull request is at.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::git::{Git, GitAccess};
use super::temporary::Temporary;
use crate::error::{Error, Result};
use crate::gitops::url::GitUrl;

/// The files of one commit, in a directory that goes away with this value.
#[derive(Debug)]
pub struct Snapshot {
    root: PathBuf,
    /// Removes the directory in the end.
    _temporary: Temporary,
}

impl Snapshot {
    /// Fetches a commit that some branch, tag or other reference of the repository has in its history.
    pub async fn fetch(url: &GitUrl, commit: &str, access: &GitAccess) -> Result<Self> {
        let temporary =
            Temporary::new().map_err(|error| Error::new("cannot make a temporary directory").because(error))?;
        let git = Git::new(access, url);
        let root = temporary.path().join("repository");
        let address = url.to_string();
        let failed =
            |output: &_| Failure::of(output).error(&format!("read the commit {commit} of"), url, commit, output);
        git.read(temporary.path(), &["init", "--quiet", "repository"], failed).await?;
        let fetch = ["fetch", "--progress", "--depth=1", "--no-tags", "--", &address, commit];
        git.read(&root, &fetch, failed).await?;
        git.read(&root, &["checkout", "--quiet", "--detach", "FETCH_HEAD"], failed).await?;
        Ok(Self { root, _temporary: temporary })
    }

    /// Returns the directory of the files.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}
