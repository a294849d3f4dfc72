//! One branch of a repository in a temporary directory, and what is asked of it before anything is written.
//!
//! How `git` is run lives in [`super::git`], how a change reaches the branch in [`super::push`], and how a checkout of the user's own
//! takes part in [`super::own`].

use std::path::{Path, PathBuf};

use super::failure::{self, Failure};
use super::git::{self, Git, GitAccess};
use super::ssh_key::scan;
use super::temporary::Temporary;
use crate::error::{Error, Result};
use crate::gitops::host_keys;
use crate::gitops::url::GitUrl;

/// The directory of the clone inside the temporary one.
const CLONE: &str = "repository";

/// The name of the server in the clone; one that no user has settings for.
pub(super) const REMOTE: &str = "carvelflux";

/// How many branches an error lists.
const LISTED: usize = 10;

/// What came of an attempt with a credential that the server may not know.
#[derive(Debug)]
pub enum Attempt {
    /// It works.
    Cloned(Box<Checkout>),
    /// It does not work: it may with another credential, or once this one has access.
    NotYet(Error),
}

/// One branch of a repository, checked out in a directory that goes away with this value.
#[derive(Debug)]
pub struct Checkout {
    /// Where the files are read.
    pub(super) root: PathBuf,
    pub(super) url: GitUrl,
    pub(super) branch: String,
    /// The branch that Flux follows, where that is another.
    pub(super) followed: Option<String>,
    /// The newest commit of the branch, where another history replaces it.
    pub(super) replaced: Option<String>,
    /// The name of the server, where `git` runs.
    pub(super) remote: String,
    /// The checkout of the user's own in which commits are made instead.
    pub(super) own: Option<OwnCheckout>,
    pub(super) git: Git,
    /// Removes its directory in the end.
    pub(super) temporary: Temporary,
}

/// A checkout of the user's own.
#[derive(Debug)]
pub(super) struct OwnCheckout {
    /// Its directory.
    pub(super) directory: PathBuf,
    /// Whether it leaves files of the repository out.
    pub(super) is_sparse: bool,
    /// Whether what is committed is pushed.
    pub(super) is_pushed: bool,
}

impl Checkout {
    /// Clones the newest revision of a branch into a temporary directory that only the user may enter.
    ///
    /// The error says whether the host, the repository,
    /// the branch or the credentials are the problem, in `git`'s own words.
    pub async fn clone(url: &GitUrl, branch: &str, access: &GitAccess) -> Result<Self> {
        Self::attempt(url, branch, access).await.map_err(|(_, error)| error)
    }

    /// Does the same with a credential that somebody may only be about to give access.
    pub async fn clone_once_granted(url: &GitUrl, branch: &str, access: &GitAccess) -> Result<Attempt> {
        match Self::attempt(url, branch, access).await {
            Ok(checkout) => Ok(Attempt::Cloned(Box::new(checkout))),
            Err((Some(failure), error)) if failure.may_pass() => Ok(Attempt::NotYet(error)),
            Err((_, error)) => Err(error),
        }
    }

    /// Clones a branch and makes sure that it can be pushed to, with a credential that may not be the only one.
    pub async fn clone_to_push(url: &GitUrl, branch: &str, access: &GitAccess) -> Result<Attempt> {
        let checkout = match Self::attempt(url, branch, access).await {
            Ok(checkout) => checkout,
            Err((Some(failure), error)) if failure.depends_on_user() => return Ok(Attempt::NotYet(error)),
            Err((_, error)) => return Err(error),
        };
        match checkout.push_nothing().await? {
            None => Ok(Attempt::Cloned(Box::new(checkout))),
            Some((failure, error)) if failure.depends_on_user() => Ok(Attempt::NotYet(error)),
            Some((_, error)) => Err(error),
        }
    }

    async fn attempt(url: &GitUrl, branch: &str, access: &GitAccess) -> Result<Self, (Option<Failure>, Error)> {
        let unknown = |error: Error| (None, error);
        let temporary = Temporary::new()
            .map_err(|error| unknown(Error::new("cannot make a temporary directory").because(error)))?;
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
        let output = git.run(temporary.path(), &arguments).await.map_err(unknown)?;
        if !output.success {
            let failure = Failure::of(&output);
            let of_flux = access.isolated.as_ref().or(access.lent.as_ref());
            let error = if of_flux.is_some() {
                failure.isolated_error(url, branch, &output)
            } else {
                failure.error("clone", url, branch, &output)
            };
            let error = match (failure, of_flux) {
                (Failure::BranchNotFound, _) => with_branches(error, &git, temporary.path(), url).await,
                (Failure::HostKey, Some(isolated)) => with_fingerprints(error, url, &isolated.known_hosts).await,
                _ => error,
            };
            return Err((Some(failure), error));
        }
        let root = temporary.path().join(CLONE);
        let checkout = Self {
            root,
            url: url.clone(),
            branch: branch.to_owned(),
            followed: None,
            replaced: None,
            remote: REMOTE.to_owned(),
            own: None,
            git,
            temporary,
        };
        // `--branch` takes tags as well, and a tag cannot be pushed to.
        let output =
            checkout.run(&["rev-parse", "--verify", "--quiet", &checkout.tracking()]).await.map_err(unknown)?;
        if output.success {
            Ok(checkout)
        } else {
            let error = Failure::BranchNotFound.error("clone", url, branch, &output);
            Err(unknown(with_branches(error, &checkout.git, &checkout.root, url).await))
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

    /// Returns the repository and the branch, as messages name them.
    #[must_use]
    pub fn display(&self) -> String {
        match &self.own {
            Some(own) if !own.is_pushed => format!("{} branch {}", own.directory.display(), self.branch),
            Some(own) => format!("{} branch {}, committed in {}", self.url, self.branch, own.directory.display()),
            None => format!("{} branch {}", self.url, self.branch),
        }
    }

    /// Returns the full hash of the commit that is checked out.
    pub async fn revision(&self) -> Result<String> {
        self.read(&["rev-parse", "--verify", "HEAD"], "read the revision of").await
    }

    /// Checks that a push would be accepted, without changing anything.
    ///
    /// Finds credentials that may only read. A server applies the rules of protected branches and its hooks only to a real push, so these cannot be seen here.
    pub async fn check_can_push(&self) -> Result<()> {
        match self.push_nothing().await? {
            None => Ok(()),
            Some((_, error)) => Err(error),
        }
    }

    /// Does all of a push but the push; returns what it fails with.
    async fn push_nothing(&self) -> Result<Option<(Failure, Error)>> {
        let output =
            self.run(&["push", "--dry-run", "--progress", "--no-verify", &self.remote, &self.target()]).await?;
        Ok(match Failure::of(&output) {
            _ if output.success => None,
            // Someone pushed since the clone: whoever learns that has the right to push.
            Failure::Outdated => None,
            failure => Some((failure, failure.error("push to", &self.url, &self.branch, &output))),
        })
    }

    /// Tells whether the user's `git` signs commits, as far as its configuration says.
    pub async fn signs_commits(&self) -> Result<bool> {
        let output = self.run(&["config", "--type=bool", "--get", "commit.gpgSign"]).await?;
        Ok(output.success && output.stdout.trim() == "true")
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

    /// Runs `git` where commits are made.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<git::Output> {
        self.git.run(self.directory(), arguments).await
    }

    /// Returns the directory where commits are made.
    fn directory(&self) -> &Path {
        self.own.as_ref().map_or(&self.root, |own| &own.directory)
    }

    /// Runs `git` and returns what it printed; `what` completes the sentence "git could not … the checkout of URL".
    pub(super) async fn read(&self, arguments: &[&str], what: &str) -> Result<String> {
        let failed = |output: &git::Output| {
            Failure::of(output).error(&format!("{what} the checkout of"), &self.url, &self.branch, output)
        };
        self.git.read(self.directory(), arguments, failed).await
    }

    /// Returns where `git` notes the branch of the server.
    pub(super) fn tracking(&self) -> String {
        format!("refs/remotes/{}/{}", self.remote, self.branch)
    }

    /// Returns what a push sends where.
    pub(super) fn target(&self) -> String {
        format!("HEAD:refs/heads/{}", self.branch)
    }
}

/// Adds the fingerprints of the host keys that the server has, if it tells them, and of those that are accepted.
async fn with_fingerprints(error: Error, url: &GitUrl, known_hosts: &str) -> Error {
    let accepted = host_keys::keys_of(known_hosts, url);
    let accepted = if accepted.is_empty() { "none".to_owned() } else { host_keys::fingerprints(&accepted) };
    match scan(url).await {
        Ok(scanned) => {
            let has = host_keys::fingerprints(&host_keys::keys_of(&scanned, url));
            error.because(format!("the server has {has}; accepted for it: {accepted}"))
        }
        Err(_) => error.because(format!("accepted for it: {accepted}")),
    }
}

/// Adds the branches that there are, if the server tells them.
pub(super) async fn with_branches(error: Error, git: &Git, directory: &Path, url: &GitUrl) -> Error {
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
