//! What the user asks of `bootstrap`, from flags and answers.

use std::time::Duration;

use kube::api::DynamicObject;

use super::credential::{self, SshRequest};
use crate::cli::BootstrapArgs;
use crate::cluster::Connection;
use crate::commands::{context, git};
use crate::conversation::Question;
use crate::error::Result;
use crate::flux::git_repository_resource;
use crate::gitops::credentials::GitCredentials;
use crate::gitops::flux_credential::{FluxCredential, SshKey};
use crate::gitops::url::GitUrl;
use crate::names;
use crate::object::ObjectReference;
use crate::ui::Ui;
use crate::ui::prompt;

/// What the user asks for, from flags and answers alone; named as the flags are.
pub(super) struct Request {
    pub(super) package: String,
    pub(super) git_url: GitUrl,
    pub(super) branch: String,
    pub(super) namespace: String,
    pub(super) credentials: Option<GitCredentials>,
    /// The SSH key that is asked for, and the one that came of it.
    pub(super) ssh: Option<SshRequest>,
    pub(super) ssh_key: Option<SshKey>,
    pub(super) git_ca: Option<String>,
    pub(super) labels: Vec<(String, String)>,
    pub(super) timeout: Duration,
    /// Whether nothing is written and nobody asked.
    pub(super) is_preview: bool,
}

impl Request {
    /// Names the GitRepository of the package.
    pub(super) fn git_repository(&self, version: &str) -> ObjectReference {
        let name = names::git_repository(names::of_package(&self.package));
        ObjectReference::namespaced(&git_repository_resource(version), &self.namespace, &name)
    }

    /// Tells whether something is given that Flux reads the repository with.
    pub(super) fn gives_credential(&self) -> bool {
        self.credentials.is_some() || self.ssh.is_some() || self.ssh_key.is_some() || self.git_ca.is_some()
    }

    /// Returns what Flux is to read the repository with, where something of it is given; what is not stays as in the Secret.
    pub(super) fn flux_credential(&self, secret: Option<&DynamicObject>) -> Option<FluxCredential> {
        let Self { credentials, ssh_key, git_ca, .. } = self;
        let given = FluxCredential { login: credentials.clone(), ssh: ssh_key.clone(), authority: git_ca.clone() };
        let whole = |given: FluxCredential| match secret {
            Some(secret) => given.or_as_in(secret),
            None => given,
        };
        (!given.is_empty()).then(|| whole(given))
    }

    /// Names the Secret with the Git credentials.
    pub(super) fn credentials_secret(&self) -> ObjectReference {
        ObjectReference::secret(&self.namespace, &names::git_credentials(names::of_package(&self.package)))
    }
}

/// Takes what flags say, and asks for the rest.
pub(super) async fn ask(
    ui: Ui,
    connection: &Connection,
    namespace: Option<String>,
    arguments: &BootstrapArgs,
) -> Result<Request> {
    prompt::require(
        ui,
        &[
            ("PACKAGE", arguments.package.is_some()),
            ("--git-url", arguments.git_url.is_some()),
            ("--branch", arguments.branch.is_some()),
            ("--yes", arguments.preview.or_confirmed(&arguments.confirm)),
        ],
    )?;
    let namespace = context::namespace(ui, connection, namespace).await?;
    let package = if let Some(package) = &arguments.package {
        package.clone()
    } else {
        let question = Question::text("Package (its directory in the GitOps repository)", "PACKAGE");
        let check = |path: &str| names::check_package(names::of_package(names::normalised_path(path)));
        prompt::text(question.checked(check)).await?
    };
    let package = names::normalised_path(&package).to_owned();
    let url = if let Some(url) = &arguments.git_url {
        url.clone()
    } else {
        let question = Question::text("URL of the GitOps repository", "--git-url");
        prompt::text(question.checked(|url| GitUrl::parse(url).check())).await?
    };
    let url = GitUrl::parse(&url);
    let branch = match &arguments.branch {
        Some(branch) => branch.clone(),
        None => prompt::text(Question::text("Branch", "--branch").or("main")).await?,
    };
    let is_complete = arguments.package.is_some() && arguments.git_url.is_some() && arguments.branch.is_some();
    let (ssh, git_ca) = credential::given(ui, &arguments.flux_credentials, &url).await?;
    let credentials = match git::given(ui, &arguments.credentials).await? {
        // Who gave all flags but these has a public repository, or a Secret in place.
        None if ui.is_interactive && !is_complete && !url.is_ssh() => git::ask().await?,
        given => given,
    };
    credential::check(&url, credentials.is_some(), ssh.is_some(), git_ca.is_some())?;
    let (labels, timeout) = (arguments.write.labels.clone(), arguments.timeout);
    let is_preview = arguments.preview.mode().is_some();
    Ok(Request {
        package,
        git_url: url,
        branch,
        namespace,
        credentials,
        ssh,
        ssh_key: None,
        git_ca,
        labels,
        timeout,
        is_preview,
    })
}
