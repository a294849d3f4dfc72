//! A checkout of the user's own in which commits are made: with its identity, its signing, its hooks and its settings.
//!
//! What is read is a copy of its newest commit, because Flux knows commits only: what lies around in the checkout neither counts nor
//! is touched, in the index as little as in the files.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::clone::{Checkout, OwnCheckout, with_branches};
use super::failure;
use super::git::{Git, GitAccess, Output};
use super::side_branch::refuse_followed;
use super::temporary::Temporary;
use crate::error::{Error, Result};
use crate::gitops::tree::{self, FileChange};
use crate::gitops::url::GitUrl;
use crate::shell::quoted;

/// The directory of the copy inside the temporary one.
const COPY: &str = "copy";

/// What becomes of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publication {
    /// It is pushed.
    Pushed,
    /// It is pushed to this branch, for a pull request.
    Branch(String),
    /// It stays where it was made.
    Local,
}

impl Checkout {
    /// Takes a checkout of the user's own, which must be one of the repository at `url`, on the branch that is pushed to and, where
    /// something is going to be pushed, at the newest commit of the server.
    pub async fn open(
        directory: &Path,
        url: &GitUrl,
        branch: &str,
        access: &GitAccess,
        publication: &Publication,
    ) -> Result<Self> {
        let (branch, followed) = match publication {
            Publication::Branch(other) => (other.as_str(), Some(branch.to_owned())),
            Publication::Pushed | Publication::Local => (branch, None),
        };
        if let Some(followed) = &followed {
            refuse_followed(url, followed, branch)?;
        }
        if !directory.is_dir() {
            return Err(no_checkout(directory, url));
        }
        let git = Git::new(access, url).with_settings_of_user();
        let top = git.run(directory, &["rev-parse", "--show-toplevel"]).await?;
        if !top.success {
            return Err(no_checkout(directory, url).because(failure::last_lines(&top.stderr)));
        }
        let directory = PathBuf::from(top.stdout.trim_end_matches(['\r', '\n']));
        let (remote, address) = remote(&git, &directory, url).await?;
        // The credentials are for the server that is really asked.
        let git = Git::new(access, &address).with_settings_of_user();
        let is_sparse = git.run(&directory, &["config", "--type=bool", "core.sparseCheckout"]).await?;
        let temporary =
            Temporary::new().map_err(|error| Error::new("cannot make a temporary directory").because(error))?;
        let checkout = Self {
            root: temporary.path().join(COPY),
            url: url.clone(),
            branch: branch.to_owned(),
            followed,
            replaced: None,
            remote,
            own: Some(OwnCheckout {
                directory,
                is_sparse: is_sparse.stdout.trim() == "true",
                is_pushed: *publication != Publication::Local,
            }),
            git,
            temporary,
        };
        checkout.check_branch().await?;
        let head = checkout.revision().await?;
        if *publication != Publication::Local {
            checkout.check_is_newest(&head).await?;
        }
        checkout.copy(&head).await?;
        Ok(checkout)
    }

    /// Returns the command that pushes what was committed and not pushed; `None` where nothing is left to push.
    #[must_use]
    pub fn push_command(&self) -> Option<String> {
        let own = self.own.as_ref().filter(|own| !own.is_pushed)?;
        Some(format!("{} push {} {}", own.command(), quoted(&self.remote), quoted(&self.branch)))
    }

    /// Refuses changes to files that hold something in the checkout which is not committed. What an interrupted run has left is
    /// no obstacle: it is what is wanted.
    pub async fn check_untouched(&self, changes: &[FileChange]) -> Result<()> {
        let Some(own) = &self.own else { return Ok(()) };
        if changes.is_empty() {
            return Ok(());
        }
        let mut arguments =
            vec!["--literal-pathspecs", "status", "--porcelain=v1", "--no-renames", "--untracked-files=all"];
        arguments.extend(["--ignored=traditional", "-z", "--"]);
        arguments.extend(changes.iter().map(path));
        let status = self.read(&arguments, "read the state of").await?;
        let touched: Vec<&str> =
            status.split_terminator('\0').filter_map(|entry| touched(own, entry, changes)).collect();
        if touched.is_empty() {
            return Ok(());
        }
        let command = own.command();
        let paths: Vec<String> = touched.iter().map(|path| quoted(path)).collect();
        let error = Error::new(format!("{} holds changes that are not committed", own.directory.display()))
            .because(format!("the same files would be changed: {}", touched.join(", ")));
        Err(error.hint(format!(
            "commit them, or set them aside: {command} stash push --include-untracked -- {}",
            paths.join(" ")
        )))
    }

    /// Commits changes in the user's own checkout, and nothing else of it; says whether there was anything to commit. On an
    /// error everything is as it was.
    pub(super) async fn commit_in(&self, own: &OwnCheckout, changes: &[FileChange], message: &str) -> Result<bool> {
        self.check_untouched(changes).await?;
        let committed = self.try_to_commit(own, changes, message).await;
        if committed.is_err() {
            self.restore(own, changes).await;
        }
        committed
    }

    async fn try_to_commit(&self, own: &OwnCheckout, changes: &[FileChange], message: &str) -> Result<bool> {
        for change in changes {
            tree::apply(&own.directory, change)?;
        }
        let sparse: &[&str] = if own.is_sparse { &["--sparse"] } else { &[] };
        let (written, removed): (Vec<&FileChange>, Vec<&FileChange>) =
            changes.iter().partition(|change| change.content.is_some());
        for (command, changes) in [
            // A `.gitignore` is about files that lie around by accident, and names with `*` in them are names.
            (&["--literal-pathspecs", "add", "--all", "--force"][..], written),
            (&["--literal-pathspecs", "rm", "--cached", "--quiet", "--ignore-unmatch"][..], removed),
        ] {
            if !changes.is_empty() {
                let paths: Vec<&str> = changes.into_iter().map(path).collect();
                self.read(&[command, sparse, &["--"], &paths].concat(), "add files to").await?;
            }
        }
        let paths: Vec<&str> = changes.iter().map(path).collect();
        let compare =
            ["--literal-pathspecs", "diff-index", "--cached", "--name-only", "--no-renames", "-z", "HEAD", "--"];
        let differing = self.read(&[&compare[..], &paths].concat(), "compare").await?;
        let paths: Vec<&str> = differing.split_terminator('\0').collect();
        if paths.is_empty() {
            return Ok(false);
        }
        // Only these paths: what else is in the index stays there for the user's own commit.
        let message = format!("--message={message}");
        let commit = ["--literal-pathspecs", "commit", "--quiet", "--only", &message, "--"];
        let output = self.run(&[&commit[..], &paths].concat()).await?;
        if output.success { Ok(true) } else { Err(self.uncommitted(&output)) }
    }

    /// Brings the files of changes back to what the newest commit holds. What cannot be done is seen by the next run.
    async fn restore(&self, own: &OwnCheckout, changes: &[FileChange]) {
        let paths: Vec<&str> = changes.iter().map(path).collect();
        let _ = self.run(&[&["--literal-pathspecs", "reset", "--quiet", "HEAD", "--"][..], &paths].concat()).await;
        for change in changes {
            let file = own.directory.join(path(change));
            let checkout = ["--literal-pathspecs", "checkout", "--quiet", "--ignore-skip-worktree-bits", "HEAD", "--"];
            let is_back = self.run(&[&checkout[..], &[path(change)]].concat()).await.is_ok_and(|output| output.success);
            if !is_back && change.before.is_none() && fs::remove_file(&file).is_ok() {
                // Directories that were made for it go as well; one that holds something stays.
                let parents = file.ancestors().skip(1).take_while(|parent| **parent != own.directory);
                for parent in parents {
                    if fs::remove_dir(parent).is_err() {
                        break;
                    }
                }
            }
        }
    }

    /// Says of a failed push what is left in the user's checkout, and how it gets to the server.
    pub(super) fn with_commit_that_stays(&self, own: &OwnCheckout, error: Error) -> Error {
        let (command, remote, branch) = (own.command(), quoted(&self.remote), quoted(&self.branch));
        error.because(format!("the commit stays in {}", own.directory.display())).hint(format!(
            "push it, then run the same command again: {command} pull --rebase {remote} {branch} && {command} push {remote} {branch}"
        ))
    }

    /// Refuses a checkout that is on another branch.
    async fn check_branch(&self) -> Result<()> {
        let Some(own) = &self.own else { return Ok(()) };
        let head = self.run(&["symbolic-ref", "--quiet", "--short", "HEAD"]).await?;
        let current = head.stdout.trim();
        if head.success && current == self.branch {
            return Ok(());
        }
        let is_known = self.run(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{}", self.branch)]).await?;
        let create = if is_known.success || self.followed.is_none() { "" } else { "--create " };
        let is_on = if head.success { format!("on the branch {current}") } else { "on no branch".to_owned() };
        Err(Error::usage(format!("{} is {is_on}, and not on {}", own.directory.display(), self.branch)).hint(format!(
            "switch to it, then run the command again: {} switch {create}{}",
            own.command(),
            quoted(&self.branch)
        )))
    }

    /// Refuses a checkout that holds more or less than the branch of the server: files would be read that are not there yet, or
    /// commits be pushed that nobody asked to push.
    async fn check_is_newest(&self, head: &str) -> Result<()> {
        let Some(own) = &self.own else { return Ok(()) };
        let tip = match self.tip(&self.branch).await? {
            None => self.tip(self.followed()).await?,
            tip => tip,
        };
        let Some(newest) = tip else {
            let error = Error::new(format!("{} has no branch {}", self.url, self.followed()));
            return Err(with_branches(error, &self.git, &own.directory, &self.url).await);
        };
        if newest == head {
            return Ok(());
        }
        let (command, remote, branch) = (own.command(), quoted(&self.remote), quoted(&self.branch));
        let directory = own.directory.display();
        Err(if self.run(&["merge-base", "--is-ancestor", &newest, head]).await?.success {
            Error::new(format!("{directory} has commits on {} that {} does not have yet", self.branch, self.url))
                .hint(format!("push them, then run the command again: {command} push {remote} {branch}"))
        } else {
            Error::new(format!("{directory} does not have the newest commit of {} branch {}", self.url, self.branch))
                .hint(format!("fetch it, then run the command again: {command} pull --rebase {remote} {branch}"))
        })
    }

    /// Copies the files of a commit into the temporary directory, byte by byte, those that the checkout leaves out as well.
    async fn copy(&self, revision: &str) -> Result<()> {
        let Some(own) = &self.own else { return Ok(()) };
        fs::create_dir(&self.root).map_err(|error| Error::new("cannot make a temporary directory").because(error))?;
        let index = self.temporary.path().join("index");
        let git = self.git.clone().with_settings_of_clone().with_variable("GIT_INDEX_FILE", index.as_os_str());
        let prefix = format!("--prefix={}/", self.root.display());
        let failed = |output: &Output| {
            Error::new(format!("git could not copy the newest commit of {}", own.directory.display()))
                .because(failure::last_lines(&output.stderr))
        };
        for arguments in [&["read-tree", revision][..], &["checkout-index", "--all", "--quiet", &prefix]] {
            git.read(&own.directory, arguments, failed).await?;
        }
        Ok(())
    }
}

impl OwnCheckout {
    /// Returns the beginning of commands in it.
    fn command(&self) -> String {
        format!("git -C {}", quoted(&self.directory.display().to_string()))
    }
}

fn path(change: &FileChange) -> &str {
    change.path.strip_prefix("./").unwrap_or(&change.path)
}

/// Returns the path of an entry of `git status` that holds something else than what is wanted.
fn touched<'status>(own: &OwnCheckout, entry: &'status str, changes: &[FileChange]) -> Option<&'status str> {
    let (state, name) = (entry.get(..2)?, entry.get(3..)?);
    let wanted = changes.iter().find(|change| path(change) == name).map(|change| change.content.as_ref());
    let has_one_change = state.contains(' ') || matches!(state, "??" | "!!");
    let is_wanted = match (wanted, fs::read(own.directory.join(name))) {
        (Some(Some(content)), Ok(bytes)) => bytes == content.expose_secret().as_bytes(),
        (Some(None), Err(_)) => true,
        _ => false,
    };
    (!(is_wanted && has_one_change)).then_some(name)
}

/// Finds the server that is the repository, by name and address: all of its URLs must be, or a push would go elsewhere.
async fn remote(git: &Git, directory: &Path, url: &GitUrl) -> Result<(String, GitUrl)> {
    // The user may have other words for it: url.*.insteadOf.
    let expanded = git.run(directory, &["ls-remote", "--get-url", &url.to_string()]).await?;
    let expanded = GitUrl::parse(expanded.stdout.trim());
    let listed = git.run(directory, &["remote", "--verbose"]).await?;
    let remotes: Vec<(&str, GitUrl)> = listed
        .stdout
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, address)| (name, GitUrl::parse(address.rsplit_once(" (").map_or(address, |(address, _)| address))))
        .collect();
    let is_same = |one: &GitUrl| one.is_same_repository(url) || one.is_same_repository(&expanded);
    let found = remotes.iter().find(|(name, address)| {
        is_same(address) && remotes.iter().filter(|(other, _)| other == name).all(|(_, address)| is_same(address))
    });
    if let Some((name, address)) = found {
        return Ok(((*name).to_owned(), address.clone()));
    }
    let mut known: Vec<String> = remotes.iter().map(|(name, address)| format!("{name} {address}")).collect();
    known.dedup();
    let known = if known.is_empty() { "it has no remote".to_owned() } else { format!("it has {}", known.join(", ")) };
    Err(no_checkout(directory, url).because(known))
}

fn no_checkout(directory: &Path, url: &GitUrl) -> Error {
    Error::usage(format!("{} is no checkout of {url}", directory.display()))
        .hint("name one, --repo-dir DIR; or leave --repo-dir out for a temporary clone")
}
