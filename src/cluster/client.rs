//! The HTTP client of a cluster: kube's own layers over connections that stay small.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use tower::ServiceBuilder;
use tower::buffer::BufferLayer;
use tower::filter::AsyncFilterLayer;

use super::clock::ServerClock;
use super::exec_plugin::Plugin;
use super::retry::Retry;

/// How much of an answer a connection holds, in bytes: one TLS record. The headers must fit in it.
///
/// hyper's own buffers grow with each long answer and never shrink: with the watches of 100 run clusters to more than 50 MB.
const BUFFER: usize = 16 * 1024;

/// How many connections that nobody uses are kept for the next request.
const IDLE_CONNECTIONS: usize = 2;

/// How many requests may wait for kube's own client, which cannot be copied; as many as kube lets wait.
const WAITING_REQUESTS: usize = 1024;

/// Makes a client for a cluster.
///
/// Where a credential plugin is given, the configuration names none, and each request gets the plugin's token.
/// A request may take so long as `limit` says, with all its tries. From the answers, `clock` learns the server's time.
pub(super) fn client(
    config: &Config,
    plugin: Option<Arc<Plugin>>,
    limit: Option<Duration>,
    clock: &ServerClock,
) -> kube::Result<Client> {
    let plugin =
        plugin.map(|plugin| AsyncFilterLayer::new(move |request: Request<Body>| plugin.clone().authorize(request)));
    // The ways through proxies are kube's.
    if config.proxy_url.is_some() {
        let builder = ClientBuilder::try_from(config.clone())?;
        let service = ServiceBuilder::new()
            .option_layer(plugin)
            .layer_fn(|inner| Retry::new(inner, limit, clock))
            .layer(BufferLayer::new(WAITING_REQUESTS));
        return Ok(builder.with_layer(&service).build());
    }
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(config.connect_timeout);
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let connections = legacy::Client::builder(TokioExecutor::new())
        .http1_read_buf_exact_size(BUFFER)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(plugin)
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .service(Retry::new(connections, limit, clock));
    Ok(Client::new(service, config.default_namespace.clone()))
}
