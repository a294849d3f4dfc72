//! One repository of the Git server, and changes to it that need no clone and no network.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use super::State;
use crate::command::{output_of, output_with_input};
use crate::error::{Error, Result};

const BRANCH: &str = "refs/heads/main";

/// A private repository with the default branch `main`.
#[derive(Debug, Clone)]
pub struct Repository {
    name: String,
    url: String,
    directory: PathBuf,
    state: Arc<State>,
    /// One commit at a time: each builds on the one before.
    committing: Arc<Mutex<()>>,
}

impl Repository {
    pub(super) fn create(name: &str, url: String, directory: PathBuf, state: Arc<State>) -> Result<Self> {
        let repository = Self { name: name.to_owned(), url, directory, state, committing: Arc::new(Mutex::new(())) };
        output_of(plain_git().args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&repository.directory))?;
        repository.git(&["config", "http.receivepack", "true"])?;
        Ok(repository)
    }

    /// Returns the repository's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the URL to clone from, without credentials.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the user who may read and write.
    #[must_use]
    pub fn username(&self) -> String {
        self.account(|accounts| accounts.username.clone())
    }

    /// Returns the current password of the user who may read and write.
    #[must_use]
    pub fn password(&self) -> String {
        self.account(|accounts| accounts.password.clone())
    }

    /// Returns the user who may only read.
    #[must_use]
    pub fn read_only_username(&self) -> String {
        self.account(|accounts| accounts.read_only_username.clone())
    }

    /// Returns the password of the user who may only read.
    #[must_use]
    pub fn read_only_password(&self) -> String {
        self.account(|accounts| accounts.read_only_password.clone())
    }

    /// Changes the password of the user who may read and write; the old one stops to work.
    pub fn change_password(&self, password: &str) {
        if let Some(accounts) = self.state.accounts().get_mut(&self.name) {
            password.clone_into(&mut accounts.password);
        }
    }

    /// Lets those have access over SSH who have the private key of one of these: pairs of `read` or `write` and a public key, as
    /// `ssh-keygen` writes it.
    pub fn set_deploy_keys(&self, keys: &[(&str, &str)]) -> Result<()> {
        let lines: Vec<String> = keys.iter().map(|(may, key)| format!("{may} {}", key.trim())).collect();
        let path = self.directory.join("deploy-keys");
        std::fs::write(&path, lines.join("\n")).map_err(Error::file("write", &path))
    }

    fn account(&self, get: impl FnOnce(&super::Accounts) -> String) -> String {
        self.state.accounts().get(&self.name).map(get).unwrap_or_default()
    }

    /// Commits files to `main`, where `None` removes one, and returns the new revision.
    pub fn commit(&self, files: &[(&str, Option<&str>)], message: &str) -> Result<String> {
        let _one_at_a_time = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may push in between; then the branch has moved and the update is refused.
        for _ in 0..4 {
            let parent = self.head().ok();
            let commit = self.write_commit(files, message, parent.as_deref())?;
            let old = parent.as_deref().unwrap_or("");
            if self.git(&["update-ref", BRANCH, &commit, old]).is_ok() {
                return Ok(commit);
            }
        }
        Err(Error::failed(format!("the branch main of {} kept moving while a commit was made", self.name)))
    }

    fn write_commit(&self, files: &[(&str, Option<&str>)], message: &str, parent: Option<&str>) -> Result<String> {
        let scratch =
            tempfile::tempdir_in(&self.directory).map_err(Error::file("create a directory in", &self.directory))?;
        let index = scratch.path().join("index");
        let git = |arguments: &[&str]| {
            let mut command = self.git_command();
            command.args(arguments).env("GIT_INDEX_FILE", &index);
            command
        };
        output_of(&mut parent.map_or_else(|| git(&["read-tree", "--empty"]), |parent| git(&["read-tree", parent])))?;
        let mut changes = Vec::new();
        for (path, content) in files {
            let line = if let Some(content) = content {
                let blob = output_with_input(&mut git(&["hash-object", "-w", "--stdin"]), content.as_bytes())?;
                format!("100644 {}\t{path}", blob.trim())
            } else {
                format!("0 {}\t{path}", "0".repeat(40))
            };
            let _ = writeln!(changes, "{line}");
        }
        output_with_input(&mut git(&["update-index", "--index-info"]), &changes)?;
        let tree = output_of(&mut git(&["write-tree"]))?;
        let mut command = git(&["commit-tree", tree.trim(), "-m", message]);
        if let Some(parent) = parent {
            command.args(["-p", parent]);
        }
        Ok(output_of(&mut command)?.trim().to_owned())
    }

    /// Returns the revision of `main`.
    pub fn head(&self) -> Result<String> {
        self.git(&["rev-parse", "--verify", "--quiet", BRANCH]).map(|revision| revision.trim().to_owned())
    }

    /// Returns a file of `main`, if there is one.
    pub fn read(&self, path: &str) -> Result<Option<String>> {
        if self.files()?.iter().any(|file| file == path) {
            self.git(&["show", &format!("{BRANCH}:{path}")]).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Returns the paths of all files of `main`.
    pub fn files(&self) -> Result<Vec<String>> {
        if self.head().is_err() {
            return Ok(Vec::new());
        }
        let listing = self.git(&["ls-tree", "-r", "-z", "--name-only", BRANCH])?;
        Ok(listing.split('\0').filter(|path| !path.is_empty()).map(ToOwned::to_owned).collect())
    }

    /// Returns the subjects of the commits on `main`, the newest first.
    pub fn log(&self) -> Result<Vec<String>> {
        let log = self.git(&["log", "--format=%s", BRANCH])?;
        Ok(log.lines().map(ToOwned::to_owned).collect())
    }

    /// Lets a shell script judge each push, as the hook `pre-receive`: it reads lines of old commit, new commit and branch.
    #[cfg(unix)]
    pub fn judge_pushes(&self, script: &str) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let hook = self.directory.join("hooks/pre-receive");
        let directory = self.directory.join("hooks");
        std::fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
        std::fs::write(&hook, format!("#!/bin/sh\n{script}\n")).map_err(Error::file("write", &hook))?;
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).map_err(Error::file("change", &hook))
    }

    /// Runs `git` on the server's own, bare copy, for what the other functions do not offer.
    pub fn git(&self, arguments: &[&str]) -> Result<String> {
        output_of(self.git_command().args(arguments))
    }

    fn git_command(&self) -> Command {
        let mut command = plain_git();
        command.arg("--git-dir").arg(&self.directory);
        command
    }
}

/// Returns `git` without the configuration of the machine and of its user.
fn plain_git() -> Command {
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Supply Chain");
        command.env(format!("GIT_{role}_EMAIL"), "supply-chain@example.com");
    }
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(variable);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::super::GitServer;
    use crate::error::{Error, Result};

    #[test]
    fn commits_add_change_and_remove_files() -> Result<()> {
        let root = tempfile::tempdir().map_err(Error::file("create", std::path::Path::new("a directory")))?;
        let repository = GitServer::start(root.path())?.create_repository("example")?;
        let first = repository.commit(&[("a/b.yaml", Some("one\n")), ("c", Some("two"))], "first")?;
        assert_eq!(repository.head()?, first);
        repository.commit(&[("a/b.yaml", Some("three\n")), ("c", None)], "second")?;
        assert_eq!(repository.read("a/b.yaml")?.as_deref(), Some("three\n"));
        assert_eq!(repository.read("c")?, None);
        assert_eq!(repository.log()?, ["second", "first"]);
        Ok(())
    }
}
