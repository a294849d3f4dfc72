//! What the user asks of `add-cluster`, from flags, the files that they name, and answers to prompts alone; fields are
//! named as the flags are.
//!
//! Nothing here knows a cluster or a repository: the prompts and the clusters they lead to live in [`super::ask`], what is
//! read because of a request in [`super::facts`].

use std::path::Path;
use std::time::Duration;

use kube::config::Kubeconfig;
use secrecy::{ExposeSecret, SecretString};

use super::package_request::{EncryptionRequest, InstallRequest, ValuesRequest};
use crate::cli::{AuthenticationArgs, AuthenticationMethod, EndpointArgs, InstallerArgs, WorkloadIdentityArgs};
use crate::commands::git::CommitRequest;
use crate::error::{Error, Result};
use crate::flux::{Provider, RunCredential};
use crate::identities::Preset;
use crate::identities::role_file::{self, RoleFile};
use crate::kubeconfig::{self, EndpointOverrides, Fitness};
use crate::names;
use crate::object::ObjectReference;
use crate::ui::prompt;

/// What is delivered where, and how.
#[derive(Clone)]
pub(super) struct Request {
    /// The short name of the run cluster.
    pub(super) run_cluster: String,
    /// The package's directory in the repository, which may lie in another.
    pub(super) package: String,
    /// The namespace of the Flux objects on the build cluster.
    pub(super) namespace: String,
    /// The namespace on the run cluster.
    pub(super) target_namespace: String,
    /// Which versions may be installed; `None` keeps what the repository has.
    pub(super) version_constraints: Option<String>,
    /// What else the PackageInstall says.
    pub(super) install: InstallRequest,
    /// The package's values.
    pub(super) values: ValuesRequest,
    /// Whether and how the values are encrypted in Git.
    pub(super) encryption: EncryptionRequest,
    /// How Flux authenticates; `None` keeps what is stored.
    pub(super) authentication: Option<AuthenticationRequest>,
    /// The service account that Flux impersonates; `None` keeps that of the delivery.
    pub(super) impersonate: Option<String>,
    /// As whom the package is installed; `None` keeps what it was made with.
    pub(super) installer: Option<InstallerRequest>,
    /// The Secret on the run cluster with the registry's credentials.
    pub(super) registry_secret: Option<String>,
    /// Whether a missing target namespace is created.
    pub(super) create_namespace: bool,
    /// What replaces parts of Flux's endpoint: server, proxy, TLS server name, certificate authority.
    pub(super) endpoint: EndpointOverrides,
    /// Whether Flux may be given an address of its own machine.
    pub(super) allow_loopback: bool,
    /// Labels of the Flux objects.
    pub(super) labels: Vec<(String, String)>,
    /// Whether fields and objects of other managers may be changed.
    pub(super) force_conflicts: bool,
    /// How the files are committed.
    pub(super) commit: CommitRequest,
}

impl Request {
    /// Returns a request that asks for nothing but the defaults.
    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self {
            run_cluster: "prod1".to_owned(),
            package: "apps/hello.default.tap".to_owned(),
            namespace: "dev".to_owned(),
            target_namespace: "web".to_owned(),
            version_constraints: None,
            install: InstallRequest::default(),
            values: ValuesRequest::default(),
            encryption: EncryptionRequest::default(),
            authentication: None,
            impersonate: None,
            installer: None,
            registry_secret: None,
            create_namespace: false,
            endpoint: EndpointOverrides::default(),
            allow_loopback: false,
            labels: Vec::new(),
            force_conflicts: false,
            commit: CommitRequest::default(),
        }
    }

    /// Returns the package's name: the last segment of its directory.
    pub(super) fn package_name(&self) -> &str {
        names::of_package(&self.package)
    }

    /// Returns the delivery as messages name it.
    pub(super) fn display(&self) -> String {
        format!("{} on {}", self.package_name(), self.run_cluster)
    }

    /// Names the object on the build cluster that holds Flux's credential.
    pub(super) fn credential_reference(&self, kind: RunCredential) -> ObjectReference {
        kind.reference(&self.namespace, &names::kubeconfig(&self.run_cluster))
    }
}

/// How Flux is to authenticate on the run cluster.
#[derive(Clone, Debug)]
pub(super) enum AuthenticationRequest {
    /// With a token of a service account that the plugin creates.
    Token {
        /// How long the token is valid; `None` means that it does not expire.
        duration: Option<Duration>,
    },
    /// With a kubeconfig of the user's own.
    KubeconfigFile(KubeconfigFile),
    /// With a workload identity.
    WorkloadIdentity(WorkloadIdentityRequest),
}

/// The flags of a workload identity; what they leave open stays as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WorkloadIdentityRequest {
    /// Whose identity it is.
    pub(super) provider: Option<Provider>,
    /// The audiences of its tokens.
    pub(super) audiences: Vec<String>,
    /// The service account on the build cluster.
    pub(super) identity_service_account: Option<String>,
    /// The user that the run cluster's API server takes it for.
    pub(super) identity_user: Option<String>,
    /// The run cluster's name in its cloud.
    pub(super) cluster_resource: Option<String>,
}

/// A kubeconfig that Flux can use.
#[derive(Clone, Debug)]
pub(super) struct KubeconfigFile {
    /// What Flux gets: as it was given, or with the content of files inlined.
    pub(super) text: SecretString,
    /// Where it was read, as messages name it.
    pub(super) source: String,
    /// What Flux will do with it that may not be meant.
    pub(super) warnings: Vec<Error>,
}

/// As whom the package is to be installed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum InstallerRequest {
    /// As an account of the plugin's with a preset of rules.
    Preset(Preset),
    /// As an account of the plugin's with these rules.
    Rules(RoleFile),
    /// As an existing account.
    ServiceAccount(String),
}

impl AuthenticationRequest {
    /// Reads the flags, and the file that they name; `None` where they leave it open.
    pub(super) async fn of(arguments: &AuthenticationArgs) -> Result<Option<Self>> {
        if let Some(path) = &arguments.kubeconfig_file {
            return KubeconfigFile::read(path, arguments.inline_files).await.map(Self::KubeconfigFile).map(Some);
        }
        match (arguments.auth, arguments.token_duration) {
            (Some(AuthenticationMethod::WorkloadIdentity), Some(_)) => {
                Err(Error::usage("--token-duration is for tokens that are stored")
                    .hint("leave it out: the tokens of a workload identity always expire, after an hour"))
            }
            (Some(AuthenticationMethod::WorkloadIdentity), None) => {
                Ok(Some(Self::WorkloadIdentity(WorkloadIdentityRequest::of(&arguments.identity))))
            }
            _ if arguments.identity.is_given() => Err(Error::usage(
                "the flags of a workload identity, such as --provider and --audience, require --auth workload-identity",
            )
            .hint("add --auth workload-identity, or leave these flags out")),
            (Some(AuthenticationMethod::Token), duration) | (None, duration @ Some(_)) => {
                Ok(Some(Self::Token { duration }))
            }
            (None, None) => Ok(None),
        }
    }
}

impl WorkloadIdentityRequest {
    fn of(arguments: &WorkloadIdentityArgs) -> Self {
        Self {
            provider: arguments.provider,
            audiences: arguments.audiences.clone(),
            identity_service_account: arguments.identity_service_account.clone(),
            identity_user: arguments.identity_user.clone(),
            cluster_resource: arguments.cluster_resource.clone(),
        }
    }
}

impl KubeconfigFile {
    /// Reads a kubeconfig from a file, or from standard input for `-`, and refuses what Flux cannot use.
    ///
    /// With `inline_files`, only what the current context needs is kept, with the content of the files it names.
    async fn read(path: &Path, inline_files: bool) -> Result<Self> {
        let is_input = path == Path::new("-");
        let source = if is_input {
            "the kubeconfig on standard input".to_owned()
        } else {
            format!("the kubeconfig {}", path.display())
        };
        let read = prompt::file(path).await;
        let mut text =
            SecretString::from(read.map_err(|error| Error::usage(format!("cannot read {source}")).because(error))?);
        if inline_files {
            // kubectl takes relative paths from the kubeconfig's directory.
            let directory = path.parent().filter(|_| !is_input).unwrap_or(Path::new(""));
            text = kubeconfig::inline_files(text.expose_secret(), |file| std::fs::read(directory.join(file)))?;
        }
        let fitness = Fitness::of(text.expose_secret());
        if let Some(refusal) = fitness.refusal(&source) {
            return Err(if fitness.names_files() && !inline_files {
                refusal.hint("or inline the content of the files: --inline-files")
            } else {
                refusal
            });
        }
        Ok(Self { text, source, warnings: fitness.warnings() })
    }

    /// Returns what Flux makes of it.
    pub(super) fn as_flux_reads_it(&self) -> Result<Kubeconfig> {
        kubeconfig::as_flux_reads_it(self.text.expose_secret())
    }
}

impl InstallerRequest {
    /// Reads the flags, and a file that they name. `None` where they leave it open.
    pub(super) async fn of(arguments: &InstallerArgs) -> Result<Option<Self>> {
        if let Some(preset) = arguments.installer {
            return Ok(Some(Self::Preset(preset)));
        }
        if let Some(path) = &arguments.installer_role_file {
            let text = prompt::file(path).await.map_err(|error| {
                Error::usage(format!("cannot read the role file {}", path.display()))
                    .because(error)
                    .hint("name a file with a list of RBAC rules: --installer-role-file FILE")
            })?;
            return Ok(Some(Self::Rules(role_file::read(&text, &path.display().to_string())?)));
        }
        Ok(arguments.installer_service_account.clone().map(Self::ServiceAccount))
    }

    /// Returns the warnings about the rules of a file.
    pub(super) fn warnings(&self) -> &[String] {
        match self {
            Self::Rules(role) => &role.warnings,
            Self::Preset(_) | Self::ServiceAccount(_) => &[],
        }
    }
}

/// Reads the flags that replace parts of the endpoint.
pub(super) fn endpoint_overrides(arguments: &EndpointArgs) -> Result<EndpointOverrides> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).map_err(|error| {
            Error::usage(format!("cannot read the certificate authority {}", path.display())).because(error)
        })
    };
    let overrides = EndpointOverrides {
        server: arguments.flux_server.clone(),
        proxy_url: arguments.flux_proxy_url.clone(),
        tls_server_name: arguments.flux_tls_server_name.clone(),
        certificate_authority: arguments.flux_certificate_authority.as_ref().map(read).transpose()?,
    };
    overrides.check()?;
    Ok(overrides)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::assert_printed;

    async fn refusal(arguments: AuthenticationArgs) -> Error {
        AuthenticationRequest::of(&arguments).await.expect_err("the flags contradict each other")
    }

    #[tokio::test]
    async fn flags_of_different_methods_are_refused() {
        let identity = WorkloadIdentityArgs { provider: Some(Provider::Aws), ..WorkloadIdentityArgs::default() };
        let provider_alone = AuthenticationArgs { identity, ..AuthenticationArgs::default() };
        assert_printed("provider_without_auth", &refusal(provider_alone).await);
        let with_duration = AuthenticationArgs {
            auth: Some(AuthenticationMethod::WorkloadIdentity),
            token_duration: Some(Duration::from_hours(24)),
            ..AuthenticationArgs::default()
        };
        assert_printed("token_duration_of_a_workload_identity", &refusal(with_duration).await);
    }
}
