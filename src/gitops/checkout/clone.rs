//! One branch of a repository in a temporary directory, and what is asked of it before anything is written.
//!
//! How `git` is run lives in [`super::git`], how a change reaches the branch in [`super::push`].

use std::path::{Path, PathBuf};

use super::failure::{self, Failure};
use super::git::{self, Git, GitAccess};
use super::temporary::Temporary;
use crate::error::{Error, Result};
use crate::gitops::url::GitUrl;

/// The directory of the clone inside the temporary one.
const CLONE: &str = "repository";

/// The name of the server in the clone; one that no user has settings for.
pub(super) const REMOTE: &str = "carvelflux";

/// How many branches an error lists.
const LISTED: usize = 10;

/// One branch of a repository, checked out in a directory that goes away with this value.
#[derive(Debug)]
pub struct Checkout {
    root: PathBuf,
    pub(super) url: GitUrl,
    pub(super) branch: String,
    git: Git,
    /// Removes the directory in the end.
    _temporary: Temporary,
}

impl Checkout {
    /// Clones the newest revision of a branch into a temporary directory that only the user may enter.
    ///
    /// The error says whether the host, the repository,
    /// the branch or the credentials are the problem, in `git`'s own words.
    pub async fn clone(url: &GitUrl, branch: &str, access: &GitAccess) -> Result<Self> {
        let temporary =
            Temporary::new().map_err(|error| Error::new("cannot make a temporary directory").because(error))?;
        let git = Git::new(access, url);
        let named = format!("--branch={branch}");
        let address = url.to_string();
        let origin = format!("--origin={REMOTE}");
        let arguments = [
            "clone",
            "--progress",
            "--depth=1",
            "--single-branch",
            "--no-tags",
            &origin,
            &named,
            "--",
            &address,
            CLONE,
        ];
        let output = git.run(temporary.path(), &arguments).await?;
        if !output.success {
            let failure = Failure::of(&output);
            let error = if access.isolated.is_some() {
                failure.isolated_error(url, branch, &output)
            } else {
                failure.error("clone", url, branch, &output)
            };
            return Err(match failure {
                Failure::BranchNotFound => with_branches(error, &git, temporary.path(), url).await,
                _ => error,
            });
        }
        let root = temporary.path().join(CLONE);
        let checkout = Self { root, url: url.clone(), branch: branch.to_owned(), git, _temporary: temporary };
        // `--branch` takes tags as well, and a tag cannot be pushed to.
        let output = checkout.run(&["rev-parse", "--verify", "--quiet", &checkout.tracking()]).await?;
        if output.success {
            Ok(checkout)
        } else {
            let error = Failure::BranchNotFound.error("clone", url, branch, &output);
            Err(with_branches(error, &checkout.git, &checkout.root, url).await)
        }
    }

    /// Returns the directory of the files.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the URL it was cloned from.
    #[must_use]
    pub fn url(&self) -> &GitUrl {
        &self.url
    }

    /// Returns the branch it is on.
    #[must_use]
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// Returns the repository and the branch, as messages name them.
    #[must_use]
    pub fn display(&self) -> String {
        format!("{} branch {}", self.url, self.branch)
    }

    /// Returns the full hash of the commit that is checked out.
    pub async fn revision(&self) -> Result<String> {
        self.read(&["rev-parse", "--verify", "HEAD"], "read the revision of").await
    }

    /// Checks that a push would be accepted, without changing anything.
    ///
    /// Finds credentials that may only read. A server applies the rules of protected branches and its hooks only to a real push, so these cannot be seen here.
    pub async fn check_can_push(&self) -> Result<()> {
        let output = self.run(&["push", "--dry-run", "--progress", "--no-verify", REMOTE, &self.target()]).await?;
        match Failure::of(&output) {
            _ if output.success => Ok(()),
            // Someone pushed since the clone: whoever learns that has the right to push.
            Failure::Outdated => Ok(()),
            failure => Err(failure.error("push to", &self.url, &self.branch, &output)),
        }
    }

    /// Checks that `git` knows whose commits these would be.
    pub async fn check_identity(&self) -> Result<()> {
        for variable in ["GIT_COMMITTER_IDENT", "GIT_AUTHOR_IDENT"] {
            let output = self.run(&["var", variable]).await?;
            if !output.success {
                return Err(failure::identity().because(failure::last_lines(&output.stderr)));
            }
        }
        Ok(())
    }

    /// Returns the files that `.gitattributes` put into Git LFS, be they there or not.
    pub async fn in_large_file_storage(&self, files: &[String]) -> Result<Vec<String>> {
        let arguments = ["check-attr", "-z", "filter", "--"].into_iter().chain(files.iter().map(String::as_str));
        let arguments: Vec<&str> = arguments.collect();
        let said = self.read(&arguments, "read the attributes of").await?;
        let said: Vec<&str> = said.split('\0').collect();
        let is_stored = |one: &&[&str]| matches!(one, [_, _, "lfs"]);
        Ok(said.chunks(3).filter(is_stored).map(|one| one[0].to_owned()).collect())
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Result<git::Output> {
        self.git.run(&self.root, arguments).await
    }

    /// Runs `git` and returns what it printed; `what` completes the sentence "git could not … the checkout of URL".
    pub(super) async fn read(&self, arguments: &[&str], what: &str) -> Result<String> {
        let failed = |output: &git::Output| {
            Failure::of(output).error(&format!("{what} the checkout of"), &self.url, &self.branch, output)
        };
        self.git.read(&self.root, arguments, failed).await
    }

    /// Returns where `git` notes the branch of the server.
    pub(super) fn tracking(&self) -> String {
        format!("refs/remotes/{REMOTE}/{}", self.branch)
    }

    /// Returns what a push sends where.
    pub(super) fn target(&self) -> String {
        format!("HEAD:refs/heads/{}", self.branch)
    }
}

/// Adds the branches that there are, if the server tells them.
async fn with_branches(error: Error, git: &Git, directory: &Path, url: &GitUrl) -> Error {
    let arguments = ["ls-remote", "--heads", "--quiet", "--", &url.to_string()];
    let Ok(output) = git.run(directory, &arguments).await else { return error };
    let branches: Vec<&str> =
        output.stdout.lines().filter_map(|line| line.split_once("refs/heads/").map(|(_, name)| name)).collect();
    if !output.success {
        return error;
    }
    match branches.len() {
        0 => error.hint("the repository is empty: let the supply chain push a package first"),
        count if count > LISTED => {
            error.hint(format!("it has the branches {} and {} more", branches[..LISTED].join(", "), count - LISTED))
        }
        _ => error.hint(format!("it has these branches: {}", branches.join(", "))),
    }
}
