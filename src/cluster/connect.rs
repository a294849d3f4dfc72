//! Makes the client of a cluster: from kubeconfig files and flags, from one kubeconfig as Flux does, or as the account of a pod.

use std::sync::Arc;
use std::time::Duration;

use kube::config::{AuthInfo, Kubeconfig};
use secrecy::{ExposeSecret, SecretString};

use super::client::{Route, client};
use super::connection::{Connection, describe, find_kubeconfig, load_kubeconfig};
use super::entries::{Entries, withhold_credentials};
use super::exec_plugin::Plugin;
use super::pod::Pod;
use super::{Cluster, Role, ServerClock};
use crate::error::{Error, Result};
use crate::kubeconfig::Endpoint;

/// Time to establish a connection; an unreachable cluster is reported after it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one request may take where the user says nothing else; watches are not concerned.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

impl Connection {
    /// Returns the namespace that the kubeconfig's context or the pod has; `None` where neither says one.
    pub fn namespace(&self) -> Result<Option<String>> {
        let kubeconfig = find_kubeconfig(self.kubeconfig.as_deref())?;
        let context = self.context.as_ref().or(kubeconfig.as_ref().and_then(|read| read.current_context.as_ref()));
        let named = kubeconfig.iter().flat_map(|read| &read.contexts).find(|entry| Some(&entry.name) == context);
        let namespace = named.and_then(|entry| entry.context.as_ref()?.namespace.clone());
        Ok(namespace.filter(|namespace| !namespace.is_empty()).or_else(|| Pod::current().map(|pod| pod.namespace())))
    }
}

impl Cluster {
    /// Makes a client from kubeconfig files and flags; in a pod without either, as its service account. No request is sent yet.
    pub async fn connect(role: Role, connection: &Connection) -> Result<Self> {
        let limit = Some(connection.request_timeout.unwrap_or(REQUEST_TIMEOUT)).filter(|limit| !limit.is_zero());
        let kubeconfig = find_kubeconfig(connection.kubeconfig.as_deref())?;
        let entries = Entries::of(&role, connection, &kubeconfig.clone().unwrap_or_default())?;
        if entries.names_no_server() && entries.context.is_empty() {
            if let Some(pod) = Pod::current() {
                return Self::from_config(role, String::new(), Route::of(pod.config(connection)?, None)?, limit, None)
                    .await;
            }
            if kubeconfig.is_none() {
                load_kubeconfig(connection.kubeconfig.as_deref())?;
            }
        }
        entries.refuse_removed_provider()?;
        let mut route = Route::of(entries.config(&role)?, entries.cluster.proxy_url.as_deref())?;
        let user = &route.config.auth_info;
        if connection.runs_no_plugin && (user.exec.is_some() || user.auth_provider.is_some()) {
            return Err(Error::new(format!("a login would be needed for {}", describe(&role))));
        }
        if entries.namespace.is_none()
            && let Some(pod) = Pod::current()
        {
            route.config.default_namespace = pod.namespace();
        }
        Self::from_config(role, entries.context, route, limit, connection.login_timeout).await
    }

    /// Makes a client from one self-contained kubeconfig, as Flux does from a Secret.
    pub async fn from_kubeconfig(role: Role, kubeconfig: Kubeconfig, impersonate: Option<String>) -> Result<Self> {
        let mut route = self_contained(&role, &kubeconfig)?;
        route.config.auth_info.impersonate = impersonate;
        Self::from_config(role, String::new(), route, Some(REQUEST_TIMEOUT), None).await
    }

    /// Makes a client as a user may be configured: with a credential plugin, which is run here unless it was already.
    async fn from_config(
        role: Role,
        context: String,
        route: Route,
        limit: Option<Duration>,
        login_limit: Option<Duration>,
    ) -> Result<Self> {
        let plugin = Plugin::of(&route.config.auth_info);
        if let Some(plugin) = &plugin {
            plugin.prepare(login_limit).await.map_err(|error| {
                let place = match context.as_str() {
                    "" => describe(&role),
                    context => format!("{} (context `{context}`)", describe(&role)),
                };
                error.behind(Error::of_kind(error.kind(), format!("no credential could be obtained for {place}")))
            })?;
        }
        Self::assemble(role, context, route, plugin, limit)
    }

    fn assemble(
        role: Role,
        context: String,
        mut route: Route,
        plugin: Option<Arc<Plugin>>,
        request_timeout: Option<Duration>,
    ) -> Result<Self> {
        route.config.connect_timeout = Some(CONNECT_TIMEOUT);
        let server = route.config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let default_namespace = route.config.default_namespace.clone();
        let clock = ServerClock::default();
        let client = client(&route, plugin, request_timeout, &clock).map_err(|error| {
            error.behind(Error::usage(format!("no client can be made for {} at {server}", describe(&role))))
        })?;
        Ok(Self {
            role,
            context,
            server,
            default_namespace,
            route: Arc::new(route),
            client,
            clock,
            request_timeout,
            forces_conflicts: false,
        })
    }

    /// Reaches the same API server in the same way, but with a token instead of the user's own credential, and perhaps
    /// impersonating another user with it.
    pub fn with_token(&self, token: &SecretString, impersonate: Option<&str>) -> Result<Self> {
        let mut route = Route::clone(&self.route);
        route.config.auth_info =
            AuthInfo { token: Some(token.clone()), impersonate: impersonate.map(str::to_owned), ..AuthInfo::default() };
        withhold_credentials(&mut route.config);
        Self::assemble(self.role.clone(), String::new(), route, None, self.request_timeout)
    }

    /// Reaches an API server in the way that Flux is told to, but with the user's own credential.
    pub async fn through(&self, endpoint: &Endpoint) -> Result<Self> {
        let text = endpoint.kubeconfig("run-cluster", "user", &SecretString::default());
        let unreadable = |_| Error::new("the kubeconfig that was built cannot be read");
        let kubeconfig: Kubeconfig = serde_yaml::from_str(text.expose_secret()).map_err(unreadable)?;
        let mut route = self_contained(&self.role, &kubeconfig)?;
        route.config.auth_info = self.route.config.auth_info.clone();
        withhold_credentials(&mut route.config);
        Self::from_config(self.role.clone(), self.context.clone(), route, self.request_timeout, None).await
    }
}

/// Takes from one self-contained kubeconfig how a cluster is reached.
fn self_contained(role: &Role, kubeconfig: &Kubeconfig) -> Result<Route> {
    let entries = Entries::of(role, &Connection::default(), kubeconfig)?;
    Route::of(entries.config(role)?, entries.cluster.proxy_url.as_deref())
}
