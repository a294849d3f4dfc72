//! What `bootstrap` may ask about, and in which order. Pure.

use crate::conversation::Conversation;
use crate::error::Error;
use crate::gitops::url::GitUrl;

/// What is asked about, named as the flags are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands::bootstrap) enum Topic {
    Context,
    Namespace,
    GitUrl,
    GitUsername,
    GitPassword,
    SshKeyFile,
    Branch,
    Package,
}

impl Topic {
    /// Returns the flag or argument that answers it.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Context => "--context",
            Self::Namespace => "--namespace",
            Self::GitUrl => "--git-url",
            Self::GitUsername => "--git-username",
            Self::GitPassword => "--git-password-file",
            Self::SshKeyFile => "--ssh-key-file",
            Self::Branch => "--branch",
            Self::Package => "PACKAGE",
        }
    }
}

impl Topic {
    /// Returns the answers that may be the cause of what a check has found, the likeliest first.
    pub(super) fn blamed_by(failure: &Error) -> &'static [Self] {
        match failure.check().unwrap_or_default() {
            "Flux" => &[Self::Context],
            "GitOps repository" | "Git credentials" if matches!(failure.status(), Some(401 | 403)) => {
                &[Self::GitUsername, Self::SshKeyFile, Self::GitUrl]
            }
            "GitOps repository" => &[Self::Package, Self::Branch, Self::GitUrl],
            "Git credentials" | "SSH key" => &[Self::SshKeyFile, Self::GitUsername, Self::GitUrl],
            "URL of the repository" => &[Self::GitUrl],
            // Who may not look there has chosen the wrong namespace.
            "GitRepository" if failure.status() == Some(403) => &[Self::Namespace, Self::Context],
            // One of that name reads another repository.
            "GitRepository" => &[Self::GitUrl, Self::Package, Self::Namespace],
            name if name.starts_with("permissions on the build cluster") => &[Self::Namespace, Self::Context],
            name if name.starts_with("namespace ") => &[Self::Namespace],
            _ => &[],
        }
    }
}

/// What decides, beside the answers, which question comes next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Situation {
    /// Whether nothing is named at all, so that nothing goes without saying.
    pub(super) leads: bool,
    /// Whether the kubeconfig has contexts to choose from.
    pub(super) has_contexts: bool,
    /// Whether the server of the repository asks for a user name and a password that no flag gives.
    pub(super) asks_for_login: bool,
}

/// Returns what is asked next.
pub(super) fn next(conversation: &Conversation<Topic>, situation: Situation) -> Option<Topic> {
    let is_ssh = conversation.asked(Topic::GitUrl).is_some_and(|url| GitUrl::parse(url).is_ssh());
    let has_username = conversation.text(Topic::GitUsername).is_some_and(|name| !name.is_empty());
    [
        (Topic::Context, situation.leads && situation.has_contexts),
        (Topic::Namespace, situation.leads),
        (Topic::GitUrl, true),
        (Topic::GitUsername, situation.asks_for_login),
        (Topic::GitPassword, situation.asks_for_login && has_username),
        (Topic::SshKeyFile, is_ssh),
        (Topic::Branch, true),
        (Topic::Package, true),
    ]
    .into_iter()
    .find_map(|(topic, matters)| (matters && !conversation.knows(topic)).then_some(topic))
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
