//! A branch for a pull request, beside the one that Flux follows, and whether it is merged.
//!
//! Merged is what is the same in both branches: a squash or a rebase makes other commits of it.

use super::clone::Checkout;
use super::failure::{self, Failure};
use crate::error::{Error, Result};
use crate::gitops::layout::PACKAGES;
use crate::gitops::sops::RULES_FILE;
use crate::gitops::url::GitUrl;

/// More commits than any history has, also one that is complete already.
const ALL: &str = "--depth=2147483647";

impl Checkout {
    /// Goes on with another branch of the server: with what it holds, where that is not merged yet; else it will begin here.
    ///
    /// Refuses one that holds anything but deliveries: it is about something else.
    pub async fn toward(mut self, branch: &str) -> Result<Self> {
        refuse_followed(&self.url, &self.branch, branch)?;
        let tip = self.tip(branch).await?;
        let here = self.revision().await?;
        let followed = std::mem::replace(&mut self.branch, branch.to_owned());
        let theirs = self.tracking();
        let ours = format!("refs/remotes/{}/{followed}", self.remote);
        let references = [format!("+refs/heads/{followed}:{ours}"), format!("+refs/heads/{branch}:{theirs}")];
        self.followed = Some(followed);
        let Some(tip) = tip.filter(|tip| *tip != here) else { return Ok(self) };

        // Where the two have parted, their whole histories tell.
        let [followed, other] = &references;
        self.read(&["fetch", "--progress", "--no-tags", ALL, &self.remote, followed, other], "fetch into").await?;
        if self.run(&["merge-base", "--is-ancestor", &tip, &here]).await?.success {
            return Ok(self);
        }
        let base = self.run(&["merge-base", &here, &tip]).await?;
        if !base.success {
            return Err(self.about_something_else("it has no commit in common with the one that Flux follows"));
        }
        let compare = ["diff-tree", "-r", "--no-renames", "--name-only", "-z", base.stdout.trim(), &tip];
        let changed = self.read(&compare, "compare").await?;
        let changed: Vec<&str> = changed.split_terminator('\0').collect();
        let others: Vec<&str> = changed.iter().copied().filter(|path| !self.is_of_a_delivery(path)).collect();
        if !others.is_empty() {
            return Err(self.about_something_else(&format!("it changes {}", others.join(", "))));
        }
        if self.is_same(&here, &tip, &changed).await? {
            // All of it was merged, by a squash: nothing is lost with its commits.
            self.replaced = Some(tip);
        } else {
            self.read(&["reset", "--quiet", "--hard", &tip], "update").await?;
        }
        Ok(self)
    }

    /// Returns the branch that Flux follows.
    #[must_use]
    pub fn followed(&self) -> &str {
        self.followed.as_ref().unwrap_or(&self.branch)
    }

    /// Fetches a commit to be compared with.
    pub async fn fetch_commit(&self, commit: &str) -> Result<()> {
        let output = self.run(&["fetch", "--progress", "--no-tags", "--depth=1", &self.remote, commit]).await?;
        if output.success {
            return Ok(());
        }
        Err(match Failure::of(&output) {
            Failure::BranchNotFound | Failure::Other => {
                Error::new(format!("{} does not have the commit {commit}", self.url))
                    .because(failure::last_lines(&output.stderr))
                    .hint("if its pull request is merged, leave --wait-for-merge out")
                    .hint("else push it again: --push-branch BRANCH in place of --wait-for-merge")
            }
            failure => failure.error("read the commit from", &self.url, &self.branch, &output),
        })
    }

    /// Tells whether the newest commit of the branch holds the same in these directories as a commit that was fetched.
    pub async fn holds_what(&self, commit: &str, directories: &[&str]) -> Result<bool> {
        let tracking = self.tracking();
        let fetched = format!("+refs/heads/{}:{tracking}", self.branch);
        let output = self.run(&["fetch", "--progress", "--no-tags", "--depth=1", &self.remote, &fetched]).await?;
        if !output.success {
            return Err(Failure::of(&output).error("fetch from", &self.url, &self.branch, &output));
        }
        self.is_same(commit, &tracking, directories).await
    }

    /// Tells whether the branch of the server is at another commit than this checkout.
    pub async fn has_moved(&self) -> Result<bool> {
        let (tip, revision) = (self.tip(&self.branch).await?, self.revision().await?);
        Ok(tip.is_some_and(|tip| tip != revision))
    }

    /// Returns the newest commit of a branch of the server; `None` where there is no such branch.
    pub(super) async fn tip(&self, branch: &str) -> Result<Option<String>> {
        let output = self.run(&["ls-remote", &self.remote, &format!("refs/heads/{branch}")]).await?;
        if !output.success {
            return Err(Failure::of(&output).error("read", &self.url, branch, &output));
        }
        Ok(output.stdout.split_whitespace().next().map(str::to_owned))
    }

    /// Tells whether two commits hold the same at some paths.
    async fn is_same(&self, one: &str, other: &str, paths: &[&str]) -> Result<bool> {
        let compare = ["--literal-pathspecs", "diff-tree", "-r", "--name-only", "-z", one, other, "--"];
        Ok(self.read(&[&compare[..], paths].concat(), "compare").await?.is_empty())
    }

    /// Tells whether a path is in the directory of a run cluster: one beside the package's versions.
    fn is_of_a_delivery(&self, path: &str) -> bool {
        let is_below_package = |(at, _): (usize, &str)| {
            let (package, rest) = (&path[..at], &path[at + 1..]);
            let is_version = rest.starts_with(PACKAGES) && rest[PACKAGES.len()..].starts_with('/');
            rest.contains('/') && !is_version && self.root.join(package).join(PACKAGES).is_dir()
        };
        path == RULES_FILE || path.match_indices('/').any(is_below_package)
    }

    fn about_something_else(&self, why: &str) -> Error {
        Error::new(format!("the branch {} of {} is about something else", self.branch, self.url))
            .because(why)
            .hint("name another one for the pull request: --push-branch BRANCH")
    }
}

/// Refuses the branch that Flux follows as that of a pull request.
pub(super) fn refuse_followed(url: &GitUrl, followed: &str, branch: &str) -> Result<()> {
    if branch != followed {
        return Ok(());
    }
    Err(Error::usage(format!("{branch} is the branch of {url} that Flux follows"))
        .hint("name another one for the pull request: --push-branch BRANCH; or leave it out to push without one"))
}
