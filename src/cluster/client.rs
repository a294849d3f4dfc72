//! The HTTP client of a cluster: kube's own layers over connections that stay small, directly or through a proxy.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Uri};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::{Client, Config};
use rustls::ClientConfig;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use secrecy::ExposeSecret;
use tower::ServiceBuilder;
use tower::util::MapRequestLayer;

use super::authorization::Authorization;
use super::clock::ServerClock;
use super::exec_plugin::{Plugin, PluginIdentity};
use super::login::basic;
use super::proxy::{Proxy, ProxyRules};
use super::retry::{IDLE_CONNECTIONS, Retry};
use super::tls::tls;
use crate::error::{Error, Result};

/// How much of an answer a connection holds, in bytes: one TLS record. The headers must fit in it.
///
/// hyper's own buffers grow with each long answer and never shrink: with the watches of 100 run clusters to more than 50 MB.
const BUFFER: usize = 16 * 1024;

/// The route to an API server, and as whom it is taken.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) config: Config,
    /// The proxy on it.
    pub(super) proxy: Option<Proxy>,
}

impl Route {
    /// Adds the proxy: that of the kubeconfig, else the environment's.
    pub(super) fn of(mut config: Config, proxy_url: Option<&str>) -> Result<Self> {
        let proxy = match proxy_url.filter(|url| !url.is_empty()) {
            Some(url) => Some(Proxy::of_kubeconfig(url).map_err(|why| {
                Error::usage("the proxy-url in the kubeconfig cannot be used")
                    .because(why)
                    .hint("write it as http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")
            })?),
            None => ProxyRules::of_environment().proxy_for(&config.cluster_url).cloned(),
        };
        let url = &config.cluster_url;
        if let (Some(_), Some("http"), None, Some(host)) = (&proxy, url.scheme_str(), url.port(), url.host()) {
            // The proxy would be asked for port 443.
            let with_port = format!("http://{host}:80{}", url.path()).parse();
            config.cluster_url = with_port.unwrap_or_else(|_| url.clone());
        }
        Ok(Self { config, proxy })
    }
}

/// Makes a client for a cluster.
///
/// Where a credential plugin is given, each request gets its token.
/// A request may take so long as `limit` says, with all its tries. From the answers, `clock` learns the server's time.
pub(super) fn client(
    route: &Route,
    plugin: Option<Arc<Plugin>>,
    limit: Option<Duration>,
    clock: &ServerClock,
) -> Result<Client> {
    let config = &route.config;
    let identity = plugin
        .as_ref()
        .filter(|plugin| plugin.has_certificate())
        .map(|plugin| Arc::new(PluginIdentity(Arc::clone(plugin))) as Arc<dyn ResolvesClientCert>);
    let tls = tls(config, identity)?;
    let name = match &config.tls_server_name {
        Some(name) => Some(ServerName::try_from(name.clone()).map_err(|_| {
            Error::usage(format!("`{name}` cannot be the name in a certificate"))
                .hint("correct --tls-server-name, or tls-server-name in the kubeconfig")
        })?),
        None => None,
    };
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(config.connect_timeout);
    let Some(proxy) = &route.proxy else {
        return assemble(config, secured(tcp, tls, name), plugin, limit, clock);
    };
    let unusable = |_| {
        Error::usage(format!("the proxy of {} has no address that can be used", proxy.named_by))
            .hint("write it as http://HOST:PORT, or leave it out")
    };
    // How a proxy is spoken to is its connector's business; only TLS to it is told by the URL.
    let scheme = if proxy.scheme == "https" { "https" } else { "http" };
    let address: Uri = proxy.to_string().replacen(&proxy.scheme, scheme, 1).parse().map_err(unusable)?;
    if matches!(proxy.scheme.as_str(), "socks5" | "socks5h") {
        // As in Go, the proxy looks names up with both.
        let socks = SocksV5::new(address, tcp);
        let socks = match &proxy.login {
            Some((user, password)) => socks.with_auth(user.clone(), password.expose_secret().to_owned()),
            None => socks,
        };
        return assemble(config, secured(socks, tls, name), plugin, limit, clock);
    }
    let header = proxy.login.as_ref().and_then(|(user, password)| basic(user, password.expose_secret()));
    if scheme == "https" {
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
        let tunnel = tunnel(address, connector.wrap_connector(tcp), header);
        return assemble(config, secured(tunnel, tls, name), plugin, limit, clock);
    }
    assemble(config, secured(tunnel(address, tcp, header), tls, name), plugin, limit, clock)
}

/// Asks a proxy for a connection, with a login where there is one.
fn tunnel<C>(address: Uri, connector: C, login: Option<HeaderValue>) -> Tunnel<C> {
    let tunnel = Tunnel::new(address, connector);
    match login {
        Some(login) => tunnel.with_auth(login),
        None => tunnel,
    }
}

/// Adds TLS for `https://` to a connector.
fn secured<C>(connector: C, tls: ClientConfig, name: Option<ServerName<'static>>) -> HttpsConnector<C> {
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    match name {
        Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)),
        None => builder,
    }
    .enable_http1()
    .wrap_connector(connector)
}

fn assemble<C>(
    config: &Config,
    connector: C,
    plugin: Option<Arc<Plugin>>,
    limit: Option<Duration>,
    clock: &ServerClock,
) -> Result<Client>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let connections = legacy::Client::builder(TokioExecutor::new())
        .http1_read_buf_exact_size(BUFFER)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .build(connector);
    let unusable = |error: kube::Error| Error::usage("the user's credential cannot be used").because(error);
    let authorized = Authorization::of(&config.auth_info)?
        .map(|authorization| MapRequestLayer::new(move |request: Request<Body>| authorization.authorize(request)));
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(authorized)
        .layer(config.extra_headers_layer().map_err(unusable)?)
        .service(Retry::new(connections, limit, plugin, clock));
    Ok(Client::new(service, config.default_namespace.clone()))
}
