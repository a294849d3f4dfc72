//! How a cluster is reached: kubeconfig files, contexts and kubectl's connection flags.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::Config;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use secrecy::{ExposeSecret, SecretString};

use super::client::client;
use super::exec_plugin::Plugin;
use super::failure::root_cause;
use super::{Cluster, Role, ServerClock};
use crate::error::{Error, Result};
use crate::kubeconfig::{Endpoint, base64};

/// Time to establish a connection; an unreachable cluster is reported after it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one request may take where the user says nothing else; watches are not concerned.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Which kubeconfig entries to use, and as whom.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Kubeconfig file; `None` means `$KUBECONFIG`, then `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Context; `None` means the current one.
    pub context: Option<String>,
    /// Cluster entry instead of the context's.
    pub cluster: Option<String>,
    /// User entry instead of the context's.
    pub user: Option<String>,
    /// User to impersonate.
    pub impersonate: Option<String>,
    /// Groups to impersonate.
    pub impersonate_groups: Vec<String>,
    /// Longest time for one request: zero means no limit, `None` the default of 30 s.
    pub request_timeout: Option<Duration>,
}

impl Connection {
    /// Returns how run clusters are reached where this is how the build cluster is: through contexts of `file`, else of the
    /// same files. As whom the build cluster is reached says nothing about them.
    #[must_use]
    pub fn of_run_clusters(&self, file: Option<&PathBuf>) -> Self {
        Self {
            kubeconfig: file.or(self.kubeconfig.as_ref()).cloned(),
            request_timeout: self.request_timeout,
            ..Self::default()
        }
    }

    /// Returns the same with another context.
    #[must_use]
    pub fn in_context(&self, context: &str) -> Self {
        Self { context: Some(context.to_owned()), ..self.clone() }
    }
}

impl Cluster {
    /// Makes a client from kubeconfig files; no request is sent yet.
    pub async fn connect(role: Role, connection: &Connection) -> Result<Self> {
        let kubeconfig = load_kubeconfig(connection.kubeconfig.as_deref())?;
        let context = connection.context.clone().or_else(|| kubeconfig.current_context.clone()).unwrap_or_default();
        if !context.is_empty() && !kubeconfig.contexts.iter().any(|entry| entry.name == context) {
            return Err(unknown_context(&role, &context, &kubeconfig));
        }
        let options = KubeConfigOptions {
            context: connection.context.clone(),
            cluster: connection.cluster.clone(),
            user: connection.user.clone(),
        };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| {
            Error::usage(format!("the kubeconfig has no usable entry for {}", describe(&role)))
                .because(error)
                .hint("see what there is: kubectl config get-contexts")
        })?;
        if connection.impersonate.is_some() {
            config.auth_info.impersonate.clone_from(&connection.impersonate);
        }
        if !connection.impersonate_groups.is_empty() {
            config.auth_info.impersonate_groups = Some(connection.impersonate_groups.clone());
        }
        let limit = Some(connection.request_timeout.unwrap_or(REQUEST_TIMEOUT)).filter(|limit| !limit.is_zero());
        Self::from_config(role, context, config, limit).await
    }

    /// Makes a client from one self-contained kubeconfig, as Flux does from a Secret.
    pub async fn from_kubeconfig(role: Role, kubeconfig: Kubeconfig, impersonate: Option<String>) -> Result<Self> {
        let mut config = configuration(&role, kubeconfig).await?;
        config.auth_info.impersonate = impersonate;
        Self::from_config(role, String::new(), config, Some(REQUEST_TIMEOUT)).await
    }

    /// Makes a client as a user may be configured: with a credential plugin, which is run here unless it was already.
    async fn from_config(role: Role, context: String, config: Config, limit: Option<Duration>) -> Result<Self> {
        let Some(plugin) = Plugin::of(&config.auth_info) else {
            return Self::assemble(role, context, config, None, limit);
        };
        let credential = plugin.credential().await.map_err(|error| {
            let place = match context.as_str() {
                "" => describe(&role),
                context => format!("{} (context `{context}`)", describe(&role)),
            };
            let outer = Error::new(format!("no credential could be obtained for {place}")).because(error.message());
            let outer = error.causes().iter().fold(outer, Error::because);
            error.hints().iter().fold(outer, Error::hint)
        })?;
        // kube's client would run the plugin as well.
        let mut own = config.clone();
        own.auth_info.exec = None;
        if let Some((certificate, key)) = &credential.certificate {
            own.auth_info.client_certificate_data = Some(base64(certificate.as_bytes()));
            own.auth_info.client_key_data = Some(base64(key.expose_secret().as_bytes()).into());
        }
        let cluster = Self::assemble(role, context, own, credential.token.and(Some(plugin)), limit)?;
        // Another address for the same user needs the plugin again.
        Ok(Self { config: Arc::new(config), ..cluster })
    }

    fn assemble(
        role: Role,
        context: String,
        mut config: Config,
        plugin: Option<Arc<Plugin>>,
        request_timeout: Option<Duration>,
    ) -> Result<Self> {
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // kube would try again for minutes, in silence; what is tried again here says `retry`.
        config.default_retry = false;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let default_namespace = config.default_namespace.clone();
        let clock = ServerClock::default();
        let client = client(&config, plugin, request_timeout, &clock).map_err(|error| {
            Error::new(format!("no client can be made for {} at {server}", describe(&role))).because(root_cause(&error))
        })?;
        Ok(Self {
            role,
            context,
            server,
            default_namespace,
            config: Arc::new(config),
            client,
            clock,
            request_timeout,
            takes_over: false,
        })
    }

    /// Reaches the same API server in the same way, but with a token instead of the user's own credential, and perhaps
    /// impersonating another user with it.
    pub fn with_token(&self, token: &SecretString, impersonate: Option<&str>) -> Result<Self> {
        let mut config = Config::clone(&self.config);
        config.auth_info =
            AuthInfo { token: Some(token.clone()), impersonate: impersonate.map(str::to_owned), ..AuthInfo::default() };
        Self::assemble(self.role.clone(), String::new(), config, None, self.request_timeout)
    }

    /// Reaches an API server in the way that Flux is told to, but with the user's own credential.
    pub async fn through(&self, endpoint: &Endpoint) -> Result<Self> {
        let text = endpoint.kubeconfig("run-cluster", "user", &SecretString::default());
        let unreadable = |_| Error::new("the kubeconfig that was built cannot be read");
        let kubeconfig: Kubeconfig = serde_yaml::from_str(text.expose_secret()).map_err(unreadable)?;
        let mut config = configuration(&self.role, kubeconfig).await?;
        config.auth_info = self.config.auth_info.clone();
        Self::from_config(self.role.clone(), self.context.clone(), config, self.request_timeout).await
    }
}

/// Takes from one self-contained kubeconfig how a cluster is reached.
async fn configuration(role: &Role, kubeconfig: Kubeconfig) -> Result<Config> {
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| Error::new(format!("the kubeconfig for {} is not usable", describe(role))).because(error))
}

/// Reads and merges kubeconfig files as kubectl does: `path`, else the files of `$KUBECONFIG` that exist, else
/// `~/.kube/config`. The first file that defines a name wins.
pub fn load_kubeconfig(path: Option<&Path>) -> Result<Kubeconfig> {
    let files = match path {
        Some(path) => vec![path.to_owned()],
        None => default_files(),
    };
    let mut merged: Option<Kubeconfig> = None;
    for file in &files {
        // kube refuses a missing file of $KUBECONFIG; kubectl skips it.
        if path.is_none() && !file.exists() {
            continue;
        }
        let unreadable = |error| Error::usage(format!("cannot read the kubeconfig {}", file.display())).because(error);
        let next = Kubeconfig::read_from(file).map_err(unreadable)?;
        merged = Some(match merged {
            Some(merged) => merged.merge(next).map_err(unreadable)?,
            None => next,
        });
    }
    merged.ok_or_else(|| {
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        Error::usage(format!("there is no kubeconfig: {} does not exist", names.join(", ")))
            .hint("name one with --kubeconfig or in $KUBECONFIG")
    })
}

fn default_files() -> Vec<PathBuf> {
    match std::env::var_os("KUBECONFIG") {
        Some(value) if !value.is_empty() => {
            std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect()
        }
        _ => std::env::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect(),
    }
}

fn unknown_context(role: &Role, context: &str, kubeconfig: &Kubeconfig) -> Error {
    let names: Vec<&str> = kubeconfig.contexts.iter().map(|entry| entry.name.as_str()).collect();
    let flag = if *role == Role::Build { "--context" } else { "--run-context" };
    Error::usage(format!("the kubeconfig has no context `{context}` for {}", describe(role))).hint(
        if names.is_empty() {
            "it has no contexts at all; name another file with --kubeconfig".to_owned()
        } else {
            format!("name one of these with {flag}: {}", names.join(", "))
        },
    )
}

fn describe(role: &Role) -> String {
    match role {
        Role::Build => "the build cluster".to_owned(),
        Role::Run(name) => format!("the run cluster `{name}`"),
    }
}
