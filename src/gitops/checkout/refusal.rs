//! Why a server refuses a commit, told by what it says. Pure.
//!
//! The words are those of Git itself, GitHub, GitLab, Bitbucket, Azure DevOps, Gitea and Gerrit; a hook of one's own says what
//! it likes, so that they decide on the hint only, and are always shown.

use secrecy::ExposeSecret;
use serde_json::Value;

use crate::error::Error;
use crate::gitops::manifest;
use crate::gitops::tree::FileChange;
use crate::gitops::url::GitUrl;

/// How many lines of a server are shown.
const LINES: usize = 12;

/// What a server finds fault with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The identity of author or committer.
    Author,
    Signature,
    Secret,
    Size,
    Message,
    Protection,
    Permission,
    Unknown,
}

/// The words by which a fault is told, the most telling first: a protected branch may be protected against any of the others.
const SIGNS: [(Fault, &[&str]); 7] = [
    (
        Fault::Secret,
        &[
            "push protection",
            "contains secrets",
            "contain secrets",
            "secrets detected",
            "secret detect",
            "one or more secrets",
            "leaked",
            "gitleaks",
        ],
    ),
    (Fault::Signature, &["signature", "must be signed", "signed commit", "unsigned", "not signed", "gpg"]),
    (
        Fault::Size,
        &["file size limit", "large files detected", "larger than", "exceeds", "too large", "maximum allowed size"],
    ),
    (
        Fault::Author,
        &[
            "publish a private email",
            "committer email",
            "author email",
            "committer's email",
            "author's email",
            "is not a member of team",
            "verified emails",
            "unverified",
            "invalid committer",
            "invalid author",
            "e-mail address",
        ],
    ),
    (
        Fault::Message,
        &[
            "commit message",
            "message footer",
            "change-id",
            "message does not",
            "message must",
            "ticket",
            "jira",
            "issue key",
            "issue number",
            "work item",
        ],
    ),
    (
        Fault::Protection,
        &[
            "protected",
            "pull request",
            "merge request",
            "rule violations",
            "gh006",
            "gh013",
            "approving review",
            "status check",
            "review is required",
        ],
    ),
    (
        Fault::Permission,
        &[
            "not allowed to push",
            "permission",
            "not permitted",
            "not authorized",
            "unauthorized",
            "denied",
            "read-only",
            "archived",
        ],
    ),
];

/// Makes the error of a push that the server refused.
pub(super) fn error(url: &GitUrl, branch: &str, stderr: &str) -> Error {
    let lines = remote_lines(stderr);
    let reason = reason(stderr);
    let fault = Fault::of(&lines.join("\n").to_lowercase(), &reason.to_lowercase());
    let error = Error::new(match fault {
        Fault::Protection | Fault::Unknown => {
            format!("{url} refuses changes to the branch {branch}; nothing was pushed")
        }
        Fault::Permission => format!("{url} does not let you push to the branch {branch}; nothing was pushed"),
        fault => format!("{url} refuses the {}; nothing was pushed", fault.subject()),
    });
    let said = if lines.is_empty() { reason.to_owned() } else { format!("the server says: {}", lines.join("; ")) };
    let error = error.because(said);
    match fault {
        Fault::Message => error.hint(
            "give the message that the server asks for: --commit-message 'TICKET-1: {operation} {package} on {run-cluster}'",
        ),
        Fault::Signature => error
            .hint("let git sign your commits: git config --global commit.gpgSign true, with user.signingKey; the key must be known to the server"),
        Fault::Secret => error
            .hint("encrypt the values: --encrypt age --generate-age-key; or ask the repository's owner for an exception"),
        Fault::Size => error.hint("make the file of --values smaller, or ask the repository's owner for a higher limit"),
        Fault::Author => error
            .hint("commit as someone whom the server knows: git config --global user.email you@example.com"),
        Fault::Protection => error
            .hint("push to another branch, for a pull request: --push-branch BRANCH")
            .hint("or ask the branch's owner for the right to push, or let Flux follow a branch that you may push to"),
        Fault::Permission => error
            .hint("use credentials with the right to push: --git-username and --git-password-file, or GIT_USERNAME and GIT_PASSWORD"),
        Fault::Unknown => error
            .hint("if it is about the message: --commit-message TEXT")
            .hint("if the branch is protected, push to another one, for a pull request: --push-branch BRANCH"),
    }
}

impl Fault {
    /// Recognises a fault by the lines of the server, else by the reason in Git's own line.
    fn of(lines: &str, reason: &str) -> Self {
        let of = |text: &str| SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| text.contains(sign)));
        of(lines).or_else(|| of(reason)).map_or(Self::Unknown, |(fault, _)| *fault)
    }

    fn subject(self) -> &'static str {
        match self {
            Self::Message => "commit's message",
            Self::Signature => "commit, which it wants to be signed",
            Self::Secret => "commit, in which it finds secrets",
            Self::Size => "commit, which is too large for it",
            Self::Author => "commit's author or committer",
            Self::Protection | Self::Permission | Self::Unknown => "commit",
        }
    }
}

/// Finds where a server offers to open a pull request, or shows the one that is open: links that say so themselves, or after
/// words that do. GitHub, GitLab, Gitea, Forgejo and Bitbucket do.
pub(super) fn links(stderr: &str) -> Vec<String> {
    let tells = |text: &str| ["pull", "merge request", "merge_request"].iter().any(|sign| text.contains(sign));
    let mut links = Vec::new();
    let mut said = false;
    for line in remote_lines(stderr) {
        let (urls, words): (Vec<&str>, Vec<&str>) =
            line.split_whitespace().partition(|word| word.starts_with("https://") || word.starts_with("http://"));
        if !words.is_empty() {
            said = tells(&words.join(" ").to_lowercase());
        }
        let offered = urls.into_iter().filter(|url| said || tells(url));
        links.extend(offered.map(|url| url.trim_end_matches(['.', ',', ')', '>', '\'', '"']).to_owned()));
    }
    links
}

/// Hides the values that a commit holds in a text of the server: its checks quote what they find fault with.
pub(super) fn without_values(text: &str, changes: &[FileChange]) -> String {
    let contents = changes.iter().filter_map(|change| change.content.as_ref());
    let documents = contents.filter_map(|content| manifest::parse(content.expose_secret()).ok()).flatten();
    let secrets: Vec<Value> = documents.filter(|document| document["kind"] == "Secret").collect();
    let texts = secrets
        .iter()
        .flat_map(|secret| ["stringData", "data"].map(|field| &secret[field]))
        .filter_map(Value::as_object)
        .flat_map(|entries| entries.values().filter_map(Value::as_str));
    let mut values: Vec<&str> = texts.flat_map(str::lines).map(value_of).filter(|value| value.len() >= 6).collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.iter().fold(text.to_owned(), |text, value| without_word(&text, value))
}

/// Returns what a line such as `key: "value"` or `# remark` says.
fn value_of(line: &str) -> &str {
    let line = line.trim().trim_start_matches(['#', ' ']);
    let value = line.split_once(": ").map_or(line, |(_, value)| value).trim().trim_start_matches("- ");
    let unquoted = value.strip_prefix(['"', '\'']).and_then(|value| value.strip_suffix(['"', '\'']));
    unquoted.unwrap_or(value)
}

/// Replaces a word where it is no part of a longer one, such as the name of a file.
fn without_word(text: &str, word: &str) -> String {
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    let goes_on = |after: &str| {
        // A full stop ends a sentence, or stands before the rest of a name.
        after.starts_with(is_part) || after.strip_prefix(['.', '/']).is_some_and(|after| after.starts_with(is_part))
    };
    let mut clean = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let after = &rest[at + word.len()..];
        let is_word = !rest[..at].ends_with(is_part) && !goes_on(after);
        clean.push_str(&rest[..at]);
        clean.push_str(if is_word { "***" } else { word });
        rest = after;
    }
    clean + rest
}

/// Returns what the server says, without the frames and empty lines around it.
fn remote_lines(stderr: &str) -> Vec<String> {
    let lines = stderr.split(['\n', '\r']).filter_map(|line| line.trim().strip_prefix("remote:")).map(str::trim);
    let says_something = |line: &&str| line.chars().any(char::is_alphanumeric) && !is_progress(line);
    let mut said: Vec<String> = Vec::new();
    for line in lines.filter(says_something) {
        if said.iter().all(|earlier| earlier != line) {
            said.push(line.to_owned());
        }
    }
    // A server says first what is wrong, then at length what one may read about it.
    if said.len() > LINES {
        said.truncate(LINES);
        said.push("…".to_owned());
    }
    said
}

/// Tells whether a line is about the transfer, such as `Resolving deltas: 100% (1/1), done.`
fn is_progress(line: &str) -> bool {
    [
        "Resolving deltas:",
        "Counting objects:",
        "Compressing objects:",
        "Enumerating objects:",
        "Total ",
        "Processing changes:",
    ]
    .iter()
    .any(|prefix| line.starts_with(prefix))
}

/// Returns the reason in the line `! [remote rejected] HEAD -> main (reason)`; without it, the whole line.
fn reason(stderr: &str) -> &str {
    let line = stderr.lines().map(str::trim).find(|line| line.starts_with("! ["));
    let line = line.unwrap_or_else(|| stderr.lines().last().unwrap_or_default().trim());
    line.split_once(" (").and_then(|(_, reason)| reason.strip_suffix(')')).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(said: &str) -> Error {
        let remote: Vec<String> = said.lines().map(|line| format!("remote: {line}\n")).collect();
        let remote = remote.concat();
        let stderr = format!(
            "{remote}To https://h/a\n ! [remote rejected] HEAD -> main (pre-receive hook declined)\nerror: failed to push some refs to 'https://h/a'\n"
        );
        error(&GitUrl::parse("https://h/a"), "main", &stderr)
    }

    /// What the servers really say, by their documentation and issue trackers.
    #[test]
    fn the_hint_follows_what_the_server_says() {
        for (said, hint) in [
            ("GitLab: Commit message does not follow the pattern 'OPS-[0-9]+'", "--commit-message"),
            ("error: missing Change-Id in message footer", "--commit-message"),
            ("ERROR: no ticket number", "--commit-message"),
            (
                "error: GH013: Repository rule violations found for refs/heads/main.\n\n- Commits must have verified signatures.",
                "commit.gpgSign",
            ),
            ("GitLab: Commit must be signed with a GPG key", "commit.gpgSign"),
            (
                "error: GH013: Repository rule violations found for refs/heads/main.\n- GITHUB PUSH PROTECTION\n——————\n  - Push cannot contain secrets",
                "encrypt",
            ),
            ("PUSH BLOCKED: Secrets detected in code changes", "encrypt"),
            ("VS403654: The push was rejected because it contains one or more secrets.", "encrypt"),
            (
                "error: GH001: Large files detected.\nerror: File x is 120.00 MB; this exceeds GitHub's file size limit of 100.00 MB",
                "smaller",
            ),
            (
                "GitLab: File \"a\" is larger than the allowed size of 1 MiB. Use Git LFS to manage this file.",
                "smaller",
            ),
            ("error: GH007: Your push would publish a private email address.", "user.email"),
            (
                "GitLab: Committer 'x@example.com' unverified: You can only push commits if the committer email is one of your own verified emails.",
                "user.email",
            ),
            (
                "error: GH006: Protected branch update failed for refs/heads/main.\nerror: At least 1 approving review is required",
                "--push-branch",
            ),
            ("GitLab: You are not allowed to push code to protected branches on this project.", "--push-branch"),
            (
                "TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch.",
                "--push-branch",
            ),
            ("TF401027: You need the Git 'GenericContribute' permission to perform this action.", "credentials"),
            ("no", "if it is about the message"),
        ] {
            let error = refused(said);
            assert!(error.hints()[0].contains(hint), "{said}: {error:?}");
            let first = said.lines().next().unwrap_or_default();
            assert!(error.causes()[0].starts_with(&format!("the server says: {first}")), "{error:?}");
            assert!(error.message().ends_with("nothing was pushed"));
        }
    }

    /// What the servers really say, by their source code and documentation.
    #[test]
    fn the_link_to_a_pull_request_is_told_from_others() {
        for (said, link) in [
            (
                "\nCreate a pull request for 'x' on GitHub by visiting:\n     https://github.com/o/r/pull/new/x\n\nGitHub found 3 vulnerabilities on o/r's default branch. To find out more, visit:\n     https://github.com/o/r/security/dependabot",
                "https://github.com/o/r/pull/new/x",
            ),
            (
                "To create a merge request for x, visit:\n  https://gitlab.com/o/r/-/merge_requests/new?merge_request%5Bsource_branch%5D=x",
                "https://gitlab.com/o/r/-/merge_requests/new?merge_request%5Bsource_branch%5D=x",
            ),
            (
                "Create a new pull request for 'x':\n  https://gitea.example.com/o/r/compare/main...x",
                "https://gitea.example.com/o/r/compare/main...x",
            ),
            (
                "View pull request for x => main:\n  https://bitbucket.example.com/projects/O/repos/r/pull-requests/5",
                "https://bitbucket.example.com/projects/O/repos/r/pull-requests/5",
            ),
        ] {
            let stderr: Vec<String> = said.lines().map(|line| format!("remote: {line}\n")).collect();
            assert_eq!(links(&stderr.concat()), [link]);
        }
        assert!(
            links("remote: This repository moved. Please use the new location:\nremote: https://h/a.git\n").is_empty()
        );
    }

    #[test]
    fn frames_and_repetitions_are_left_out_and_silence_is_filled_by_git() {
        let lines = remote_lines(
            "remote: =====\nremote: no\nremote: \nremote: no\nremote: Resolving deltas: 100% (1/1), done.\n",
        );
        assert_eq!(lines, ["no"]);
        let silent = " ! [remote rejected] HEAD -> main (shallow update not allowed)\n";
        let error = error(&GitUrl::parse("https://h/a"), "main", silent);
        assert_eq!(error.causes(), ["shallow update not allowed"]);
        let long: Vec<String> = (0..30).map(|line| format!("remote: line {line}\n")).collect();
        assert_eq!(remote_lines(&long.concat()).len(), LINES + 1);
    }
}
