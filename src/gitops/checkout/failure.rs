//! What `git` means by its error texts, and what a user can do about it.
//!
//! Pure: texts in, [`Error`] out. `git` runs with `LC_ALL=C`, so these are its English texts; those of servers may differ.

use super::git::Output;
use super::limit::Passed;
use super::refusal;
use crate::error::{Error, ErrorKind};
use crate::gitops::url::GitUrl;

/// How many of the last lines of `git` are shown.
const LINES: usize = 4;

/// The kinds of failure that a user can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Authentication,
    Forbidden,
    HostKey,
    Certificate,
    Unreachable,
    BranchNotFound,
    RepositoryNotFound,
    /// Someone else was faster.
    Outdated,
    /// The server refused the update of the branch.
    Refused,
    /// The user's own hook `pre-push` ended the push.
    PrePush,
    Identity,
    Signature,
    /// It did not end in time.
    TimedOut(Passed),
    Other,
}

/// Why a branch is not updated, where somebody else was faster.
const OUTDATED: [&str; 6] = [
    "(fetch first)",
    "(non-fast-forward)",
    "(stale info)",
    "failed to update ref",
    "cannot lock ref",
    "incorrect old value",
];

/// The texts by which a failure is recognised, the most telling first.
const SIGNS: [(Failure, &[&str]); 9] = [
    (Failure::BranchNotFound, &["remote branch ", "couldn't find remote ref"]),
    (
        Failure::Identity,
        &[
            "tell me who you are",
            "empty ident",
            "no email was given",
            "no name was given",
            "auto-detect email",
            "auto-detect name",
        ],
    ),
    (Failure::Signature, &["failed to sign", "gpg failed", "signing failed", "failed to write commit object"]),
    (Failure::HostKey, &["host key verification failed"]),
    (
        Failure::Certificate,
        &[
            "ssl certificate",
            "server certificate",
            "certificate verif",
            "certificate subject",
            "signed certificate",
            "ssl: no alternative",
        ],
    ),
    (
        Failure::Authentication,
        &[
            "authentication failed",
            "could not read username",
            "could not read password",
            "permission denied (",
            "returned error: 401",
            "access denied",
            "terminal prompts disabled",
        ],
    ),
    (
        Failure::Forbidden,
        &[
            "returned error: 403",
            "permission to ",
            "write access",
            "read-only",
            "marked as read only",
            "not allowed to push",
            "no permission",
        ],
    ),
    (
        Failure::Unreachable,
        &[
            "could not resolve",
            "failed to connect",
            "couldn't connect",
            "connection refused",
            "timed out",
            "no route to host",
            "network is unreachable",
            "connection reset",
            "empty reply from server",
            "name or service not known",
            "returned error: 502",
            "returned error: 503",
            "returned error: 504",
        ],
    ),
    (
        Failure::RepositoryNotFound,
        &["not found", "returned error: 404", "does not appear to be a git repository", "does not exist"],
    ),
];

impl Failure {
    /// Recognises what went wrong from the standard error of `git`.
    pub(super) fn of(output: &Output) -> Self {
        if let Some(passed) = output.passed {
            return Self::TimedOut(passed);
        }
        let text = output.stderr.to_lowercase();
        // What git says of the branch counts before the words of hooks and servers, which may be about anything.
        if let Some(line) = text.lines().find(|line| line.trim_start().starts_with("! [")) {
            let is_outdated = OUTDATED.iter().any(|sign| line.contains(sign));
            return if is_outdated { Self::Outdated } else { Self::Refused };
        }
        if is_ended_by_hook(&text) {
            return Self::PrePush;
        }
        let found = SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| text.contains(sign)));
        found.map_or(Self::Other, |(failure, _)| *failure)
    }

    /// Makes the error for a failed attempt to reach a repository; `what` names the attempt, for example `clone`.
    pub(super) fn error(self, what: &str, url: &GitUrl, branch: &str, output: &Output) -> Error {
        let (host_name, ssh) = (url.host(), url.ssh_command());
        let check = format!("git ls-remote {url}");
        let error = match self {
            Self::Authentication if url.is_ssh() => {
                Error::new(format!("{url} does not accept your SSH key")).hint(format!("check it with `{ssh}`"))
            }
            Self::Authentication => Error::new(if output.stderr.contains("could not read") {
                format!("{url} asks for a user name and password")
            } else {
                format!("{url} does not accept the user name and password")
            })
                .with_status(401)
                .hint("use --git-username and --git-password-file, or GIT_USERNAME and GIT_PASSWORD; they need Git 2.31 or newer")
                .hint(format!("without them, `git` uses its own credential helpers; check with `{check}`")),
            Self::Forbidden => Error::new(format!("you are not allowed to {what} {url}"))
                .hint("use credentials with the necessary rights: --git-username and --git-password-file, or GIT_USERNAME and GIT_PASSWORD"),
            Self::HostKey => Error::new(format!("the SSH host key of {host_name} is not known"))
                .hint(format!("connect once with `{ssh}` and compare the key, then try again")),
            Self::Certificate => Error::new(format!("the certificate of {host_name} is not trusted"))
                .hint(format!("check with `{check}`; for a private certificate authority: `git config --global http.https://{host_name}/.sslCAInfo FILE`")),
            Self::Unreachable => Error::new(format!("{host_name} cannot be reached from here")).hint(format!("check with `{check}`")),
            Self::BranchNotFound => Error::new(format!("{url} has no branch {branch}")),
            Self::RepositoryNotFound => Error::new(format!("there is no repository at {url}, or you may not see it"))
                .hint(format!("check the URL and your rights with `{check}`")),
            Self::Refused => return refusal::error(url, branch, &output.stderr),
            Self::PrePush => Error::new("your `pre-push` hook refuses the commit; nothing was pushed")
                .hint("change what it names; where your hooks are: `git config --show-origin --get core.hooksPath`, else `git config --show-origin --get init.templateDir`"),
            Self::Identity => identity(),
            Self::Signature => Error::new("git could not sign the commit; nothing was pushed")
                .hint("try `git commit --allow-empty -m test` in another repository, or `git config --global commit.gpgSign false`"),
            Self::TimedOut(Passed::Silence(limit)) => timeout(format!("git could not {what} {url}: no answer for {limit:?}"))
                .hint(format!("a proxy or firewall may hold the connection back; check with `{check}`"))
                .hint("allow a slow server more time with --request-timeout"),
            Self::TimedOut(Passed::Total(limit)) => timeout(format!("git could not {what} {url} within {limit:?}"))
                .hint(format!("a proxy or firewall may slow the connection down; check with `{check}`"))
                .hint("allow more time with --timeout"),
            Self::Outdated | Self::Other => Error::new(format!("git could not {what} {url}")).hint(format!("check with `{check}`")),
        };
        error.because(last_lines(&output.stderr))
    }
}

impl Failure {
    /// Tells whether the same may work a little later, once somebody has given access or the server answers.
    pub(super) fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Authentication | Self::Forbidden | Self::RepositoryNotFound | Self::Unreachable | Self::TimedOut(_)
        )
    }

    /// Tells whether the same may work for somebody else, who has another credential or trusts the server.
    pub(super) fn depends_on_user(self) -> bool {
        matches!(
            self,
            Self::Authentication | Self::Forbidden | Self::HostKey | Self::Certificate | Self::RepositoryNotFound
        )
    }

    /// Makes the error for a failed attempt to clone with a credential for Flux, where that one alone was used.
    pub(super) fn isolated_error(self, url: &GitUrl, branch: &str, output: &Output) -> Error {
        let host = url.host();
        let error = match self {
            Self::HostKey => {
                return Error::new(format!("the SSH host key of {host} is none of those that Flux is to accept")).hint(format!(
                    "where its operator publishes the new fingerprint, give the key: `{}` > FILE, and bootstrap --known-hosts-file FILE; else somebody may stand between",
                    url.keyscan_command()
                ));
            }
            Self::RepositoryNotFound | Self::Forbidden if url.is_ssh() => {
                Error::new(format!("there is no repository at {url}, or the SSH key may not read it"))
                    .hint("let its public key read the repository, as a deploy key, then run this command again")
            }
            Self::Authentication if url.is_ssh() => Error::new(format!("{url} does not accept the SSH key"))
                .hint("let its public key read the repository, as a deploy key, then run this command again"),
            Self::Certificate => {
                Error::new(format!("the certificate of {host} is not signed by a certificate authority that Flux would trust"))
                    .hint("give the certificate of the one that has signed it: --git-ca-file FILE")
            }
            Self::Unreachable => return self.error("clone", url, branch, output).hint(
                "settings of your own git, such as http.proxy, do not count here, as Flux does not have them; a proxy of the environment does: HTTPS_PROXY",
            ),
            _ => return self.error("clone", url, branch, output),
        };
        error.because(last_lines(&output.stderr))
    }
}

/// Tells whether a push ended before anything was sent: `git` then says nothing about the branch, and nothing about the server
/// (Git v2.39 `transport.c`, `run_pre_push_hook`). What the hook says may be about anything.
fn is_ended_by_hook(text: &str) -> bool {
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    last.is_some_and(|line| line.starts_with("error: failed to push some refs to "))
        && !text.lines().any(|line| line.starts_with("to "))
}

fn timeout(message: String) -> Error {
    Error::of_kind(ErrorKind::Timeout, message)
}

/// Makes the error for a user that `git` does not know.
pub(super) fn identity() -> Error {
    Error::new("git does not know who you are, so it cannot commit")
        .hint("run `git config --global user.name \"Your Name\"` and `git config --global user.email you@example.com`")
}

/// Returns the last lines that say something, in one line.
pub(super) fn last_lines(stderr: &str) -> String {
    let says_something = |line: &&str| {
        let noise = [
            "hint:",
            "Cloning into",
            "To ",
            "From ",
            "Total ",
            "remote: Total ",
            "Delta compression",
            "warning: redirecting",
            "Updating ",
            "Please make sure you have",
            "and the repository exists",
        ];
        // Progress, such as "remote: Counting objects: 100% (5/5), done."
        let is_progress = ["objects: ", "deltas: ", "objects with ", "files: "].iter().any(|what| line.contains(what))
            && (line.contains('%') || line.contains(", done"));
        !line.is_empty() && !is_progress && !noise.iter().any(|prefix| line.starts_with(prefix)) && *line != "remote:"
    };
    let lines: Vec<&str> = stderr.split(['\n', '\r']).map(str::trim).filter(says_something).collect();
    lines[lines.len().saturating_sub(LINES)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_recognised_by_what_git_says() {
        for (stderr, failure) in [
            ("fatal: Authentication failed for 'https://h/a/'", Failure::Authentication),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled", Failure::Authentication),
            (
                "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                Failure::Authentication,
            ),
            ("fatal: unable to access 'https://h/': The requested URL returned error: 403", Failure::Forbidden),
            (
                "remote: Permission to a/b.git denied to me.\nfatal: unable to access: The requested URL returned error: 403",
                Failure::Forbidden,
            ),
            ("fatal: unable to access 'https://h/': Could not resolve host: h", Failure::Unreachable),
            ("ssh: connect to host h port 22: Connection refused", Failure::Unreachable),
            ("fatal: Remote branch x not found in upstream origin", Failure::BranchNotFound),
            ("remote: Repository not found.\nfatal: repository 'https://h/a/' not found", Failure::RepositoryNotFound),
            ("fatal: '/x' does not appear to be a git repository", Failure::RepositoryNotFound),
            (
                "fatal: unable to access 'https://h/': server certificate verification failed. CAfile: none",
                Failure::Certificate,
            ),
            ("Host key verification failed.\nfatal: Could not read from remote repository.", Failure::HostKey),
            (" ! [rejected]        HEAD -> main (fetch first)", Failure::Outdated),
            (" ! [remote rejected] HEAD -> main (failed to update ref)", Failure::Outdated),
            (" ! [remote rejected] HEAD -> main (pre-receive hook declined)", Failure::Refused),
            (
                "fatal: Authentication failed, says the hook\nerror: failed to push some refs to 'https://h/a'",
                Failure::PrePush,
            ),
            ("error: Couldn't load public key /x\n\nfatal: failed to write commit object", Failure::Signature),
            ("fatal: unable to auto-detect email address (got 'root@x.(none)')", Failure::Identity),
            ("error: gpg failed to sign the data", Failure::Signature),
            ("fatal: something else", Failure::Other),
        ] {
            let output = Output { success: false, passed: None, stdout: String::new(), stderr: stderr.to_owned() };
            assert_eq!(Failure::of(&output), failure, "{stderr}");
            let error = failure.error("clone", &GitUrl::parse("https://h/a"), "main", &output);
            assert!(!error.causes().is_empty(), "{error:?}");
        }
    }

    #[test]
    fn the_cause_is_what_git_says_last() {
        let stderr = "Cloning into 'x'...\nremote:\nremote: no\nfatal: a\n\nhint: b\n";
        assert_eq!(last_lines(stderr), "remote: no; fatal: a");
        assert_eq!(last_lines(""), "");
        let progress = "remote: Enumerating objects: 5, done.\nremote: Counting objects:  20% (1/5)\rReceiving objects: 100% (5/5), done.\nfatal: early EOF\n";
        assert_eq!(last_lines(progress), "fatal: early EOF");
    }
}
