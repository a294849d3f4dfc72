//! One commit, from files to the branch of the server, also when others push at the same time.
//!
//! What the commit holds is computed in [`crate::gitops::delivery`].

use super::clone::Checkout;
use super::failure::{self, Failure};
use super::git::Output;
use super::refusal;
use crate::error::{Error, Result};
use crate::gitops::tree::{self, FileChange};

/// How often a push is tried while others are faster.
const ATTEMPTS: u32 = 5;

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushOutcome {
    /// The change is on the branch.
    Pushed {
        /// The full hash of its commit.
        sha: String,
        /// Where the server offers to open a pull request, or shows the one that is open.
        links: Vec<String>,
    },
    /// The change is in the checkout of the user's own, and nowhere else.
    Committed {
        /// The full hash of the commit.
        sha: String,
    },
    /// The branch held it already, at this revision.
    Unchanged {
        /// The full hash of the branch's newest commit.
        sha: String,
    },
}

impl PushOutcome {
    /// Returns the revision that holds the change.
    #[must_use]
    pub fn sha(&self) -> &str {
        match self {
            Self::Pushed { sha, .. } | Self::Committed { sha } | Self::Unchanged { sha } => sha,
        }
    }
}

impl Checkout {
    /// Writes files, commits them and pushes the commit to the branch; in a checkout of the user's own, where that is asked for.
    ///
    /// When others pushed in the meantime, the commit moves on top of theirs, up to five times. On any error the branch of the
    /// server is as it was, unless the error says that this is unknown.
    pub async fn commit_and_push(&self, changes: &[FileChange], message: &str) -> Result<PushOutcome> {
        let is_new = match &self.own {
            Some(own) => self.commit_in(own, changes, message).await?,
            None => self.commit(changes, message).await?,
        };
        match &self.own {
            _ if !is_new => Ok(PushOutcome::Unchanged { sha: self.revision().await? }),
            Some(own) if !own.is_pushed => Ok(PushOutcome::Committed { sha: self.revision().await? }),
            Some(own) => self.push(changes).await.map_err(|error| self.with_commit_that_stays(own, error)),
            None => self.push(changes).await,
        }
    }

    /// Pushes the commit to the branch.
    async fn push(&self, changes: &[FileChange]) -> Result<PushOutcome> {
        let mut attempt = 1;
        loop {
            let mut arguments = vec!["push", "--progress"];
            let lease =
                self.replaced.as_ref().map(|tip| format!("--force-with-lease=refs/heads/{}:{tip}", self.branch));
            arguments.extend(lease.as_deref());
            let target = self.target();
            arguments.extend([self.remote.as_str(), &target]);
            let mut output = self.run(&arguments).await?;
            output.stderr = refusal::without_values(&output.stderr, changes);
            let sha = self.revision().await?;
            let links = if self.followed.is_some() { refusal::links(&output.stderr) } else { Vec::new() };
            if output.success {
                return Ok(PushOutcome::Pushed { sha, links });
            }
            match Failure::of(&output) {
                // What else is on the user's own branch is not moved, and what somebody else begins is not gone on with unseen.
                Failure::Outdated if self.own.is_some() || self.followed.is_some() => {
                    let branch = &self.branch;
                    let error = Error::new(format!(
                        "someone else pushed to the branch {branch} at the same time; nothing was pushed"
                    ));
                    return Err(if self.own.is_some() { error } else { error.hint("run the command again") });
                }
                Failure::Outdated if attempt < ATTEMPTS => {
                    if !self.move_onto_newest().await? {
                        return Ok(PushOutcome::Unchanged { sha: self.revision().await? });
                    }
                }
                Failure::Outdated => return Err(self.busy(&output)),
                // The connection may have broken after the server took the commit.
                failure @ (Failure::Unreachable | Failure::TimedOut(_) | Failure::Other) => {
                    let error = failure.error("push to", &self.url, &self.branch, &output);
                    return match self.holds(&sha).await {
                        Some(true) => Ok(PushOutcome::Pushed { sha, links }),
                        Some(false) => Err(error.because("nothing was pushed")),
                        None => Err(error
                            .because("it is not known whether the commit arrived")
                            .hint("run the command again")),
                    };
                }
                failure => return Err(failure.error("push to", &self.url, &self.branch, &output)),
            }
            attempt += 1;
        }
    }

    /// Commits the changes; says whether there was anything to commit.
    async fn commit(&self, changes: &[FileChange], message: &str) -> Result<bool> {
        let mut paths = Vec::new();
        for change in changes {
            if tree::apply(self.root(), change)? {
                paths.push(change.path.strip_prefix("./").unwrap_or(&change.path));
            }
        }
        if paths.is_empty() {
            return Ok(false);
        }
        // A `.gitignore` is about files that lie around by accident, and names with `*` in them are names.
        let mut arguments = vec!["--literal-pathspecs", "add", "--all", "--force", "--"];
        arguments.extend(paths);
        self.read(&arguments, "add files to").await?;
        if self.run(&["diff-index", "--cached", "--quiet", "--no-ext-diff", "HEAD", "--"]).await?.success {
            return Ok(false);
        }
        let output = self.run(&["commit", "--quiet", &format!("--message={message}")]).await?;
        if output.success { Ok(true) } else { Err(self.uncommitted(&output)) }
    }

    /// Says why there is no commit.
    pub(super) fn uncommitted(&self, output: &Output) -> Error {
        match Failure::of(output) {
            known @ (Failure::Identity | Failure::Signature | Failure::TimedOut(_)) => {
                known.error("commit to", &self.url, &self.branch, output)
            }
            _ => Error::new("git refuses the commit; nothing was pushed")
                .because(failure::last_lines(&output.stderr))
                .hint("if a hook of yours refused it, see `git config --get-all core.hooksPath`"),
        }
    }

    /// Moves the commit onto the newest revision of the branch; says whether anything of it is left.
    async fn move_onto_newest(&self) -> Result<bool> {
        let tracking = self.tracking();
        let fetched = format!("+refs/heads/{}:{tracking}", self.branch);
        // The depth is given again: after a forced push the old commits would bring their whole history along.
        let output = self.run(&["fetch", "--progress", "--no-tags", "--depth=1", &self.remote, &fetched]).await?;
        if !output.success {
            return Err(Failure::of(&output)
                .error("fetch from", &self.url, &self.branch, &output)
                .because("nothing was pushed"));
        }
        // Only our one commit moves; histories that are cut off have no common ancestor to find.
        let output = self.run(&["rebase", "--quiet", "--empty=drop", "--onto", &tracking, "HEAD~1"]).await?;
        if !output.success {
            let files = self.run(&["diff-files", "--name-only", "--diff-filter=U", "-z"]).await?.stdout;
            self.run(&["rebase", "--abort"]).await?;
            return Err(self.conflict(&files, &output));
        }
        Ok(self.revision().await? != self.read(&["rev-parse", "--verify", &tracking], "read").await?)
    }

    /// Says whether the branch of the server is at a revision; none when the server does not answer.
    async fn holds(&self, sha: &str) -> Option<bool> {
        let name = format!("refs/heads/{}", self.branch);
        let output = self.run(&["ls-remote", &self.remote, &name]).await.ok()?;
        output.success.then(|| output.stdout.starts_with(sha))
    }

    fn conflict(&self, files: &str, output: &Output) -> Error {
        let files: Vec<&str> = files.split_terminator('\0').collect();
        if files.is_empty() {
            return Error::new(format!(
                "git could not move the commit onto the newest revision of {}; nothing was pushed",
                self.branch
            ))
            .because(failure::last_lines(&output.stderr))
            .hint("run the command again: it starts from the newest revision");
        }
        Error::new(format!(
            "someone else changed {} on the branch {} at the same time; nothing was pushed",
            files.join(", "),
            self.branch
        ))
        .hint("run the command again: it starts from the newest revision")
    }

    fn busy(&self, output: &Output) -> Error {
        Error::new(format!(
            "others push to the branch {} all the time: {ATTEMPTS} attempts failed, and nothing was pushed",
            self.branch
        ))
        .because(failure::last_lines(&output.stderr))
        .hint("run the command again")
    }
}
