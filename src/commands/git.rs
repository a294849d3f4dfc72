//! How commands reach the GitOps repository: the credentials that a user gives or is asked for, and the checkout to commit in.

use std::path::PathBuf;
use std::sync::Arc;

use kube::ResourceExt;

use crate::cli::{CommitArgs, GitCredentialArgs};
use crate::cluster::Cluster;
use crate::conversation::{Answer, Conversation, Question, Reply};
use crate::error::{Error, Result};
use crate::flux::{Followed, GitRepository};
use crate::gitops::checkout::{Attempt, Checkout, GitAccess, Isolated, Publication, Snapshot};
use crate::gitops::credentials::GitCredentials;
use crate::gitops::flux_credential::FluxCredential;
use crate::gitops::message::MessageTemplate;
use crate::gitops::url::GitUrl;
use crate::object::ObjectReference;
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
    /// The branch for a pull request that is pushed to; `None` for the one that Flux follows.
    pub(super) push_branch: Option<String>,
    /// Whether a pull request brings the change, so that nothing is committed.
    pub(super) is_merged: bool,
}

impl CommitRequest {
    /// Takes the flags.
    pub(super) fn of(arguments: &CommitArgs) -> Self {
        Self {
            message: arguments.commit_message.clone(),
            repo_dir: arguments.repo_dir.clone(),
            no_push: arguments.no_push,
            push_branch: arguments.push_branch.clone(),
            is_merged: false,
        }
    }

    /// Tells whether the files do not reach the branch that Flux follows, so that nothing on a cluster may point at them.
    pub(super) fn is_held_back(&self) -> bool {
        self.no_push || self.push_branch.is_some()
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

/// Clones the branch that Flux follows, or takes the user's own checkout of it, and proves that what will be written can be
/// written: a committer, commits that Flux accepts and, where something is pushed, the permission to.
///
/// Where the user's own `git` cannot push, and nothing else is given, the credential that Flux has is tried. Where a pull request
/// brings the change, nothing has to be written.
pub(super) async fn writable_checkout(
    ui: Ui,
    build: &Cluster,
    repository: &GitRepository,
    access: &GitAccess,
    commit: &CommitRequest,
) -> Result<Checkout> {
    let url = GitUrl::parse(&repository.spec.url);
    let branch = branch_to_push_to(repository)?;
    if commit.is_merged {
        return readable(ui, build, repository, access).await;
    }
    let checkout = match &commit.repo_dir {
        Some(directory) => {
            let publication = match &commit.push_branch {
                Some(branch) => Publication::Branch(branch.clone()),
                None if commit.no_push => Publication::Local,
                None => Publication::Pushed,
            };
            let open = async |access: &GitAccess| Checkout::open(directory, &url, branch, access, &publication).await;
            let checkout = or_ask(ui, &mut access.clone(), open).await?;
            if publication != Publication::Local {
                checkout.check_can_push().await?;
            }
            checkout
        }
        None if access.credentials.is_some() && url.is_http() => pushable(ui, &url, branch, access).await?,
        None => with_own_or_lent(ui, build, repository, branch, access).await?,
    };
    let checkout = match (&commit.push_branch, &commit.repo_dir) {
        (Some(branch), None) => checkout.toward(branch).await?,
        _ => checkout,
    };
    checkout.check_identity().await?;
    // What is merged, the server may sign.
    if commit.push_branch.is_none() && repository.spec.verifies_commits() && !checkout.signs_commits().await? {
        return Err(Error::new(format!("Flux would refuse commits to {url} that are not signed"))
            .because(format!("GitRepository {} has spec.verify, and your git signs none", repository.name_any()))
            .hint("let git sign your commits: `git config --global commit.gpgSign true`, with user.signingKey; the key must be in the Secret of spec.verify"));
    }
    Ok(checkout)
}

/// Clones the branch that Flux follows to be read only: with what is given or the user's own `git` has, else with what Flux has.
pub(super) async fn readable(
    ui: Ui,
    build: &Cluster,
    repository: &GitRepository,
    access: &GitAccess,
) -> Result<Checkout> {
    let url = GitUrl::parse(&repository.spec.url);
    let branch = branch_to_push_to(repository)?;
    let own = match Checkout::clone(&url, branch, access).await {
        Err(error) if access.credentials.is_none() => error,
        Err(_) => return checkout(ui, &url, branch, &mut access.clone()).await,
        cloned => return cloned,
    };
    match lent(build, repository, &url, access).await? {
        Some((_, lent)) => Checkout::clone(&url, branch, &lent).await.map_err(|_| own),
        None => checkout(ui, &url, branch, &mut access.clone()).await,
    }
}

/// Clones a branch that can be pushed to, and asks for credentials as [`checkout`] does.
async fn pushable(ui: Ui, url: &GitUrl, branch: &str, access: &GitAccess) -> Result<Checkout> {
    let checkout = checkout(ui, url, branch, &mut access.clone()).await?;
    checkout.check_can_push().await?;
    Ok(checkout)
}

/// Clones a branch that can be pushed to with what the user's own `git` has, else with what Flux has.
async fn with_own_or_lent(
    ui: Ui,
    build: &Cluster,
    repository: &GitRepository,
    branch: &str,
    access: &GitAccess,
) -> Result<Checkout> {
    let url = GitUrl::parse(&repository.spec.url);
    let own = match Checkout::clone_to_push(&url, branch, access).await? {
        Attempt::Cloned(checkout) => return Ok(*checkout),
        Attempt::NotYet(error) => error,
    };
    match lent(build, repository, &url, access).await? {
        None if own.status() == Some(401) && ui.is_interactive => pushable(ui, &url, branch, access).await,
        None => Err(own),
        Some((secret, access)) => match Checkout::clone_to_push(&url, branch, &access).await {
            Ok(Attempt::Cloned(checkout)) => {
                let because = own.message();
                ui.status(&format!("commits are pushed with the credential that Flux has, of {secret}: {because}"));
                Ok(*checkout)
            }
            Ok(Attempt::NotYet(error)) | Err(error) => Err(neither(&url, &own, &secret, &error)),
        },
    }
}

/// Returns the Secret that Flux reads a repository with, and how `git` uses it; `None` where the user may not read it, or it holds
/// neither a login nor a key.
async fn lent(
    build: &Cluster,
    repository: &GitRepository,
    url: &GitUrl,
    access: &GitAccess,
) -> Result<Option<(String, GitAccess)>> {
    let Some(secret) = &repository.spec.secret_ref else { return Ok(None) };
    let reference = ObjectReference::secret(&repository.namespace().unwrap_or_default(), &secret.name);
    let secret = match build.get(&reference).await {
        Err(error) if error.status() == Some(403) => return Ok(None),
        read => read?,
    };
    let Some(secret) = secret else { return Ok(None) };
    let credential = FluxCredential::in_secret(&secret);
    let is_of_use = if url.is_ssh() { credential.ssh.is_some() } else { credential.login.is_some() };
    if !is_of_use {
        return Ok(None);
    }
    let lent = Some(Arc::new(Isolated::with(&credential, url)?));
    let access = GitAccess { credentials: credential.login, limits: access.limits, lent, ..GitAccess::default() };
    Ok(Some((reference.display(), access)))
}

/// Says that neither the user's own `git` nor the credential that Flux has can push.
fn neither(url: &GitUrl, own: &Error, secret: &str, error: &Error) -> Error {
    let error = Error::new(format!("neither your own git nor the credential that Flux has can push to {url}"))
        .because(own)
        .because(format!("of {secret}: {error}"));
    let error = if url.is_ssh() {
        error.hint(format!("give the deploy key write access at the Git server: identity.pub of {secret}"))
    } else {
        error.hint("use credentials with the right to push: --git-username and --git-password-file")
    };
    own.hints().iter().fold(error, Error::hint)
}
