//! How commands reach the GitOps repository: the credentials that a user gives or is asked for, and the checkout to commit in.

use std::path::PathBuf;

use kube::ResourceExt;

use crate::cli::{CommitArgs, GitCredentialArgs};
use crate::conversation::{Answer, Conversation, Question, Reply};
use crate::error::{Error, Result};
use crate::flux::{Followed, GitRepository};
use crate::gitops::checkout::{Checkout, GitAccess, Publication, Snapshot};
use crate::gitops::credentials::GitCredentials;
use crate::gitops::message::MessageTemplate;
use crate::gitops::url::GitUrl;
use crate::ui::Ui;
use crate::ui::prompt;

/// How a commit is made, and where; fields are named as the flags are.
#[derive(Clone, Debug, Default)]
pub(super) struct CommitRequest {
    /// The message; `None` for the plugin's own words.
    pub(super) message: Option<MessageTemplate>,
    /// The checkout of the user's own; `None` for a temporary clone.
    pub(super) repo_dir: Option<PathBuf>,
    /// Whether the commit stays in that checkout.
    pub(super) no_push: bool,
}

impl CommitRequest {
    /// Takes the flags.
    pub(super) fn of(arguments: &CommitArgs) -> Self {
        Self {
            message: arguments.commit_message.clone(),
            repo_dir: arguments.repo_dir.clone(),
            no_push: arguments.no_push,
        }
    }

    /// Tells whether the files do not reach the branch that Flux follows, so that nothing on a cluster may point at them.
    pub(super) fn is_held_back(&self) -> bool {
        self.no_push
    }
}

/// Takes the credentials from flags, files and the environment; `None` where none are given.
pub(super) async fn given(ui: Ui, arguments: &GitCredentialArgs) -> Result<Option<GitCredentials>> {
    let username = arguments.git_username.clone().filter(|name| !name.is_empty());
    let password = match &arguments.git_password_file {
        Some(path) => Some(prompt::secret_file(path, "the Git password").await?),
        None => match std::env::var("GIT_PASSWORD") {
            Ok(password) if !password.is_empty() => {
                Some(prompt::single_line(&password, "the Git password in GIT_PASSWORD")?)
            }
            _ => None,
        },
    };
    match (username, password) {
        (Some(username), Some(password)) => Ok(Some(GitCredentials { username, password })),
        (Some(username), None) if ui.is_interactive => {
            let password =
                prompt::password(format!("Password or access token of {username} for the GitOps repository")).await?;
            Ok(Some(GitCredentials { username, password }))
        }
        (Some(_), None) => Err(Error::usage("a Git user name is given, but no password")
            .hint("give --git-password-file FILE, `--git-password-file -` for standard input, or $GIT_PASSWORD")),
        (None, Some(_)) => Err(Error::usage("a Git password is given, but no user name")
            .hint("give --git-username NAME or $GIT_USERNAME; with an access token any name will do")),
        (None, None) => Ok(None),
    }
}

/// Asks for credentials; an empty user name means none. From the password, one can go back to the user name.
pub(super) async fn ask() -> Result<Option<GitCredentials>> {
    loop {
        let username = prompt::text(username_question()).await?;
        if username.is_empty() {
            return Ok(None);
        }
        if let Reply::Answer(Answer::Secret(password)) = prompt::ask(password_question()).await? {
            return Ok(Some(GitCredentials { username, password }));
        }
    }
}

/// Asks for the user name; an empty one means that none is needed.
pub(super) fn username_question() -> Question {
    Question::text("User name for the GitOps repository, empty if it is public", "--git-username").or("")
}

/// Asks for the password that belongs to the user name.
pub(super) fn password_question() -> Question {
    Question::hidden("Password or access token", "--git-password-file")
}

/// Returns what was answered to both questions.
pub(super) fn asked_login<Topic: Copy + PartialEq>(
    conversation: &Conversation<Topic>,
    username: Topic,
    password: Topic,
) -> Option<GitCredentials> {
    let username = conversation.text(username)?.to_owned();
    Some(GitCredentials { username, password: conversation.secret(password)?.clone() })
}

/// Returns the branch that Flux follows: no commit reaches it in another way.
pub(super) fn branch_to_push_to(repository: &GitRepository) -> Result<&str> {
    let followed = repository.spec.reference.followed();
    match followed {
        Followed::Branch(branch) => Ok(branch),
        pinned => Err(Error::new(format!(
            "Flux follows {pinned} of {}, to which nothing can be pushed",
            GitUrl::parse(&repository.spec.url)
        ))
        .because("files get to a run cluster through the branch that the GitRepository follows")
        .hint(format!(
            "let GitRepository {} follow a branch: spec.ref.branch, without tag, semver, name and commit",
            repository.name_any()
        ))),
    }
}

/// Clones a branch; where credentials are missing or wrong, asks for them until they are accepted or none are given.
pub(super) async fn checkout(ui: Ui, url: &GitUrl, branch: &str, access: &mut GitAccess) -> Result<Checkout> {
    or_ask(ui, access, async |access| Checkout::clone(url, branch, access).await).await
}

/// Fetches a commit to be read, and asks for credentials as [`checkout`] does.
pub(super) async fn snapshot(ui: Ui, url: &GitUrl, commit: &str, access: &mut GitAccess) -> Result<Snapshot> {
    or_ask(ui, access, async |access| Snapshot::fetch(url, commit, access).await).await
}

async fn or_ask<T>(ui: Ui, access: &mut GitAccess, read: impl AsyncFn(&GitAccess) -> Result<T>) -> Result<T> {
    loop {
        let error = match read(access).await {
            Err(error) if error.status() == Some(401) && ui.is_interactive => error,
            result => return result,
        };
        ui.warning(error.message());
        let Some(credentials) = ask().await? else { return Err(error) };
        access.credentials = Some(credentials);
        access.environment.clear();
    }
}

/// Clones a branch, or takes the user's own checkout of it, and proves that what will be written can be written: a committer and,
/// where something is pushed, the permission to.
pub(super) async fn writable_checkout(
    ui: Ui,
    url: &GitUrl,
    branch: &str,
    access: &GitAccess,
    commit: &CommitRequest,
) -> Result<Checkout> {
    let publication = if commit.no_push { Publication::Local } else { Publication::Pushed };
    let mut access = access.clone();
    let checkout = or_ask(ui, &mut access, async |access| match &commit.repo_dir {
        Some(directory) => Checkout::open(directory, url, branch, access, publication).await,
        None => Checkout::clone(url, branch, access).await,
    });
    let checkout = checkout.await?;
    checkout.check_identity().await?;
    if publication == Publication::Pushed {
        checkout.check_can_push().await?;
    }
    Ok(checkout)
}
