//! Runs the user's own `git`, with its environment and what it says made safe to show.
//!
//! What a failure means lives in [`super::failure`]; nothing here knows deliveries.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

use super::isolated::{Isolated, OF_USER};
use super::limit::{self, Limits, Passed};
use crate::error::{Error, Result};
use crate::gitops::credentials::{GitCredentials, username_in_environment};
use crate::gitops::url::{GitUrl, without_credentials};
use crate::waiting;

/// The variables by which a running `git`, for example one whose hook we are, binds its children to its own repository, and
/// those that change what `git` reads, compares or prints.
const FOREIGN: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_CONFIG",
    "GIT_GRAFT_FILE",
    "GIT_QUARANTINE_PATH",
    "GIT_ATTR_SOURCE",
    "GIT_DEFAULT_HASH",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_PAGER_IN_USE",
    // Traces go to standard error, where failures are recognised.
    "GIT_TRACE",
    "GIT_TRACE_SETUP",
    "GIT_TRACE_PACKET",
    "GIT_TRACE_CURL",
    "GIT_CURL_VERBOSE",
];

/// What has to be so in every repository.
const ALWAYS: &[&str] = &[
    "core.safecrlf=false",
    "commit.cleanup=whitespace",
    "i18n.commitEncoding=UTF-8",
    // Failures are recognised by their text, without colours in it.
    "color.ui=false",
    "color.push=false",
    "color.remote=false",
    "color.transport=false",
];

/// What a user may have configured for other purposes and would change which files are read, what is committed or what is
/// pushed. Identity, signing, hooks, credentials, connections and `url.*.insteadOf` stay the user's; in a checkout of the user's
/// own everything does.
const OF_CLONE: &[&str] = &[
    // Flux's files are those of the commit, byte by byte.
    "core.autocrlf=false",
    "core.eol=lf",
    // Without them, a link would look like a file that Flux takes.
    #[cfg(unix)]
    "core.symlinks=true",
    "core.attributesFile=/dev/null",
    "core.sparseCheckout=false",
    // Large files are none of a delivery's business, and Git LFS, or what its server wants, may not be there.
    "filter.lfs.process=",
    "filter.lfs.required=false",
    // A file that does not exist ends a commit.
    "diff.orderFile=/dev/null",
    // Neither outlives the directory of the clone.
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "push.recurseSubmodules=no",
    "fetch.prune=false",
    // A server that knows no push options refuses them.
    "push.pushOption=",
    "push.followTags=false",
    // Servers that take no signed pushes refuse them.
    "push.gpgSign=false",
    "clone.rejectShallow=false",
    "rebase.updateRefs=false",
    "rerere.enabled=false",
];

/// Tells whether a command talks to a server that says something all the time: silence then means that nothing moves.
///
/// A real `push` does not: the user's `pre-push` hook and the server's checks may take their time without a word.
fn talks_to_server(arguments: &[&str]) -> bool {
    let mut words = arguments.iter().skip_while(|word| word.starts_with("-c") || word.contains('='));
    match words.next() {
        Some(&"push") => arguments.contains(&"--dry-run"),
        Some(command) => ["clone", "fetch", "ls-remote"].contains(command),
        None => false,
    }
}

/// How `git` is to reach a repository.
#[derive(Clone, Debug, Default)]
pub struct GitAccess {
    /// What to log in with over HTTP(S); without, `git` uses the user's own credential helpers.
    pub credentials: Option<GitCredentials>,
    /// How long each of its commands may take.
    pub limits: Limits,
    /// The credential for Flux that is used alone, without anything that the user has configured.
    pub isolated: Option<Arc<Isolated>>,
    /// The credential for Flux that is used in place of the user's own, with all else that they have configured.
    pub lent: Option<Arc<Isolated>>,
    /// Variables for `git` beside those of this process, which they override.
    pub environment: Vec<(OsString, OsString)>,
}

impl GitAccess {
    /// Switches the user's own credential helpers off.
    #[must_use]
    pub fn without_helpers(mut self) -> Self {
        let settings = [
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "credential.helper"),
            ("GIT_CONFIG_VALUE_0", ""),
            ("GIT_ASKPASS", ""),
        ];
        self.environment = settings.map(|(name, value)| (name.into(), value.into())).to_vec();
        self
    }
}

/// `git` with everything it needs to reach one repository.
#[derive(Clone)]
pub(super) struct Git {
    environment: Vec<(OsString, OsString)>,
    password: Option<SecretString>,
    limits: Limits,
    /// Both keep the files that the environment names.
    isolated: Option<Arc<Isolated>>,
    _lent: Option<Arc<Isolated>>,
    /// Whose settings count beside those that always do: ours for a clone, or only the user's.
    settings: &'static [&'static str],
}

/// What a run of `git` left.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) success: bool,
    /// The limit that passed before it ended.
    pub(super) passed: Option<Passed>,
    pub(super) stdout: String,
    /// Standard error without credentials.
    pub(super) stderr: String,
}

impl fmt::Debug for Git {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment holds the password.
        formatter.debug_struct("Git").finish_non_exhaustive()
    }
}

impl Git {
    pub(super) fn new(access: &GitAccess, url: &GitUrl) -> Self {
        let mut environment = access.isolated.as_ref().map_or_else(Vec::new, |isolated| isolated.environment());
        environment.extend(access.lent.iter().flat_map(|lent| lent.of_connection.iter().cloned()));
        environment.extend(access.environment.iter().cloned());
        // Failures are recognised by their English text.
        environment.push(("LC_ALL".into(), "C".into()));
        // What git asks for would be asked for again by every command.
        environment.push(("GIT_TERMINAL_PROMPT".into(), "0".into()));
        // What a flag or a question says goes before what the URL carries.
        let credentials = access.credentials.clone().filter(|_| url.is_http()).or_else(|| GitCredentials::in_url(url));
        let name = OsStr::new("GIT_CONFIG_COUNT");
        let given = environment.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let count = given.or_else(|| env::var_os(name));
        let configured = count.as_deref().and_then(OsStr::to_str);
        let settings = match &credentials {
            Some(credentials) => credentials.environment(url, configured),
            None => username_in_environment(url, configured),
        };
        environment.extend(settings.into_iter().map(|(key, value)| (key.into(), value)));
        let password = credentials.map(|credentials| credentials.password);
        let (isolated, lent) = (access.isolated.clone(), access.lent.clone());
        Self { environment, password, limits: access.limits, isolated, _lent: lent, settings: OF_CLONE }
    }

    /// Returns the same for a checkout of the user's own, where the user's settings count.
    pub(super) fn with_settings_of_user(self) -> Self {
        Self { settings: &[], ..self }
    }

    /// Returns the same for what is read as in a clone.
    pub(super) fn with_settings_of_clone(self) -> Self {
        Self { settings: OF_CLONE, ..self }
    }

    /// Returns the same with one more variable.
    pub(super) fn with_variable(mut self, name: &str, value: &OsStr) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs `git` in a directory and waits until it ends or a limit passes; only a `git` that cannot be run is an error.
    pub(super) async fn run(&self, directory: &Path, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new("git");
        for name in FOREIGN {
            command.env_remove(name);
        }
        for name in OF_USER.iter().filter(|_| self.isolated.is_some()) {
            command.env_remove(name);
        }
        // Questions, if any, are asked on the terminal itself; standard input is not git's to read.
        let settings = ALWAYS.iter().chain(self.settings);
        command.args(settings.flat_map(|setting| ["-c", setting])).args(arguments);
        command.current_dir(directory).envs(self.environment.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| {
            if error.kind() == ErrorKind::NotFound && directory.is_dir() {
                Error::new("git is not installed")
                    .hint("install Git 2.31 or newer and make sure that `git --version` works")
            } else {
                Error::new("cannot run git").because(error)
            }
        })?;
        let limits = if talks_to_server(arguments) { self.limits } else { self.limits.without_silence() };
        let ended = limit::finish(child, limits).await.map_err(|error| Error::new("cannot run git").because(error))?;
        Ok(Output {
            success: ended.status.is_ok_and(|status| status.success()),
            passed: ended.status.err(),
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            stderr: self.scrub(&String::from_utf8_lossy(&ended.stderr)),
        })
    }

    /// Runs `git` and returns what it printed, without the line end; `failed` makes the error of a failure.
    pub(super) async fn read(
        &self,
        directory: &Path,
        arguments: &[&str],
        failed: impl FnOnce(&Output) -> Error,
    ) -> Result<String> {
        let output = self.run(directory, arguments).await?;
        if output.success { Ok(output.stdout.trim_end().to_owned()) } else { Err(failed(&output)) }
    }

    /// Removes the password, the credentials of any URL, and colours from a text; a coloured password is one, too.
    fn scrub(&self, text: &str) -> String {
        let mut text = console::strip_ansi_codes(text).into_owned();
        if let Some(password) = &self.password
            && !password.expose_secret().is_empty()
        {
            text = text.replace(password.expose_secret(), "***");
        }
        without_credentials(&text)
    }
}

/// Tells whether `descendant` has `ancestor` in its history; no where that cannot be proven from here.
///
/// Asks the user's git in the working directory, which a pipeline that has just pushed usually has.
pub async fn is_ancestor(ancestor: &str, descendant: &str) -> bool {
    let is_commit = |text: &str| text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_commit(ancestor) || !is_commit(descendant) {
        return false;
    }
    let mut command = Command::new("git");
    command.args(["merge-base", "--is-ancestor", ancestor, descendant]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // In a partial clone, it may ask the server for what is missing.
    matches!(waiting::within(limit::LEAST, command.status()).await, Some(Ok(status)) if status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_left_in_what_git_says() {
        let credentials = Some(GitCredentials { username: "me".to_owned(), password: "hunter2".into() });
        let git = Git::new(&GitAccess { credentials, ..GitAccess::default() }, &GitUrl::parse("https://host/a"));
        let text = "remote: \x1b[1;31mtoken\x1b[m hunter2\nfatal: unable to access 'https://me:other@host/a/': no\nssh://git@host/a (fetch)\n";
        let expected = "remote: token ***\nfatal: unable to access 'https://host/a/': no\nssh://git@host/a (fetch)\n";
        assert_eq!(git.scrub(text), expected);
        assert!(!format!("{git:?}").contains("hunter2"), "{git:?}");
    }

    #[test]
    fn credentials_leave_the_settings_of_the_environment_in_force() {
        let credentials = Some(GitCredentials { username: "me".to_owned(), password: "hunter2".into() });
        let environment = vec![("GIT_CONFIG_COUNT".into(), "3".into())];
        let git =
            Git::new(&GitAccess { credentials, environment, ..GitAccess::default() }, &GitUrl::parse("https://host/a"));
        let get = |name: &str| git.environment.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_os_str());
        assert_eq!(get("GIT_CONFIG_COUNT"), Some(OsStr::new("5")));
        assert!(get("GIT_CONFIG_KEY_4").is_some() && get("GIT_CONFIG_KEY_2").is_none());
        assert_eq!(get("GIT_TERMINAL_PROMPT"), Some(OsStr::new("0")));
    }

    #[test]
    fn the_password_of_a_url_is_passed_as_others_are_and_scrubbed() {
        let url = GitUrl::parse("http://me:hunter%32@host/a");
        let git = Git::new(&GitAccess::default(), &url);
        let get = |name: &str| git.environment.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_os_str());
        assert_eq!(get("CARVELFLUX_GIT_USERNAME"), Some(OsStr::new("me")));
        assert_eq!(get("CARVELFLUX_GIT_PASSWORD"), Some(OsStr::new("hunter2")));
        assert_eq!(git.scrub("remote: hunter2\n"), "remote: ***\n");
        let given = Some(GitCredentials { username: "other".to_owned(), password: "given".into() });
        let git = Git::new(&GitAccess { credentials: given, ..GitAccess::default() }, &url);
        assert!(!git.environment.iter().any(|(_, value)| value == "hunter2"));
    }

    #[test]
    fn the_user_of_a_url_is_whom_credential_helpers_are_asked_for() {
        let git = Git::new(&GitAccess::default(), &GitUrl::parse("https://me@host/a"));
        let key = OsStr::new("credential.https://host.username");
        assert!(git.environment.iter().any(|(_, value)| value == key), "{:?}", git.environment);
        assert!(!git.environment.iter().any(|(name, _)| name == "CARVELFLUX_GIT_PASSWORD"));
    }
}
