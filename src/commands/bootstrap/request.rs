//! What the user asks of `bootstrap`, from flags and answers.

use std::time::Duration;

use kube::api::DynamicObject;

use super::credential::{self, SshRequest};
use crate::cli::BootstrapArgs;
use crate::error::Result;
use crate::flux::{GitProvider, git_repository_resource};
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
    /// Which SSH key is to be used, and the host keys of the server.
    pub(super) ssh: Option<SshRequest>,
    /// What else is given for Flux.
    pub(super) given: FluxCredential,
    /// The Secrets that are there already, and who vouches for Flux; `None` keeps what the GitRepository says.
    pub(super) secret: Option<String>,
    pub(super) proxy_secret: Option<String>,
    pub(super) provider: Option<GitProvider>,
    pub(super) labels: Vec<(String, String)>,
    pub(super) timeout: Duration,
    /// Whether nothing is written and nobody asked.
    pub(super) is_preview: bool,
}

impl Request {
    /// Takes flags and answers, and reads the files that they name.
    pub(super) async fn of(
        ui: Ui,
        namespace: String,
        arguments: &BootstrapArgs,
        credentials: Option<GitCredentials>,
        given: FluxCredential,
    ) -> Result<Self> {
        let package = names::normalised_path(arguments.package.as_deref().unwrap_or_default()).to_owned();
        names::check_package(names::of_package(&package))?;
        let git_url = GitUrl::parse(arguments.git_url.as_deref().unwrap_or_default());
        git_url.check()?;
        let for_flux = &arguments.flux_credentials;
        let ssh = credential::over_ssh(ui, for_flux, &git_url).await?;
        let has_login = credentials.is_some() && for_flux.git_secret.is_none();
        credential::check(&git_url, has_login, ssh.is_some(), &given)?;
        Ok(Self {
            package,
            git_url,
            branch: arguments.branch.clone().unwrap_or_default(),
            namespace,
            credentials,
            ssh,
            given,
            secret: for_flux.git_secret.clone(),
            proxy_secret: for_flux.git_proxy_secret.clone(),
            provider: for_flux.provider,
            labels: arguments.write.labels.clone(),
            timeout: arguments.confirm.timeout,
            is_preview: arguments.preview.mode().is_some(),
        })
    }

    /// Names the GitRepository of the package.
    pub(super) fn git_repository(&self, version: &str) -> ObjectReference {
        let name = names::git_repository(names::of_package(&self.package));
        ObjectReference::namespaced(&git_repository_resource(version), &self.namespace, &name)
    }

    /// Tells whether something is given that Flux reads the repository with.
    pub(super) fn gives_credential(&self) -> bool {
        // Beside a Secret of the user's own, a user name and a password are only for reading the repository now.
        self.secret.is_none() && (self.credentials.is_some() || self.ssh.is_some() || !self.given.is_empty())
    }

    /// Returns what Flux is to read the repository with, where something of it is given: a login, the SSH key that came of what
    /// is asked for, and all else. What is not given stays as in the Secret.
    pub(super) fn flux_credential(
        &self,
        login: Option<&GitCredentials>,
        ssh_key: Option<&SshKey>,
        secret: Option<&DynamicObject>,
    ) -> Option<FluxCredential> {
        if self.secret.is_some() {
            return None;
        }
        let given = FluxCredential { login: login.cloned(), ssh: ssh_key.cloned(), ..self.given.clone() };
        (!given.is_empty()).then(|| secret.into_iter().fold(given, FluxCredential::or_as_in))
    }

    /// Names the Secret with the Git credentials.
    pub(super) fn credentials_secret(&self) -> ObjectReference {
        ObjectReference::secret(&self.namespace, &names::git_credentials(names::of_package(&self.package)))
    }
}

#[cfg(test)]
impl Request {
    /// Asks for a repository that everybody may read.
    pub(super) fn fixture() -> Self {
        Self {
            package: "apps/hello.default.tap".to_owned(),
            git_url: GitUrl::parse("https://git.example.com/gitops.git"),
            branch: "main".to_owned(),
            namespace: "dev".to_owned(),
            credentials: None,
            ssh: None,
            given: FluxCredential::default(),
            secret: None,
            proxy_secret: None,
            provider: None,
            labels: Vec::new(),
            timeout: Duration::from_mins(2),
            is_preview: false,
        }
    }
}

/// Refuses to go on without a terminal where something must be asked for.
pub(super) fn require(ui: Ui, arguments: &BootstrapArgs) -> Result<()> {
    prompt::require(
        ui,
        &[
            ("PACKAGE", arguments.package.is_some()),
            ("--git-url", arguments.git_url.is_some()),
            ("--branch", arguments.branch.is_some()),
            ("--yes", arguments.preview.or_confirmed(&arguments.confirm)),
        ],
    )
}
