//! Reverse proxies in front of an API server: one that refuses a request now and then, as load balancers do, and one that knows
//! only its own users, as Rancher does. Forward proxies, which clients are configured with, are not here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::certificates::Authority;
use crate::error::Result;
use crate::service::{Service, failure};

/// A reverse proxy with TLS that runs on a thread of this process.
#[derive(Debug)]
pub struct Gateway {
    server: String,
    authority: String,
    state: Arc<State>,
    _service: Service,
}

/// Which requests a gateway lets through.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// All but every so many-th, which is refused in turn with "429 Too Many Requests" and `Retry-After: 1`, "503 Service
    /// Unavailable" and the end of the connection.
    Unreliable(usize),
    /// All but every other write to an object, whose path is given: in turn it is refused with "503 Service Unavailable", and
    /// carried out without an answer.
    UnreliableWrites(String),
    /// Those of its own users below its own path. All others are turned away, tokens of the cluster's included.
    OwnUsers {
        /// The path, such as `/k8s/clusters/c-m-x`.
        prefix: String,
        /// The bearer token of its user.
        token: String,
        /// The bearer token with which the request goes to the API server instead.
        credential: String,
        /// How others are turned away.
        others: Others,
    },
}

/// How a gateway turns those away whom it does not know.
#[derive(Clone, Copy, Debug)]
pub enum Others {
    /// With "401 Unauthorized".
    Unauthorized,
    /// With "403 Forbidden", and an error that is no `Status` of Kubernetes.
    Forbidden,
    /// With a page to log in, and "200 OK".
    Page,
    /// To a page to log in.
    Redirected,
}

#[derive(Debug)]
struct State {
    upstream: String,
    behaviour: Behaviour,
    client: Client<HttpsConnector<HttpConnector>, Incoming>,
    connections: AtomicUsize,
    requests: AtomicUsize,
    refused: AtomicUsize,
}

/// Ends a connection without an answer.
#[derive(Debug)]
struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is reset")
    }
}

impl std::error::Error for Reset {}

impl Gateway {
    /// Starts one in front of the API server at `upstream`, such as `https://127.0.0.1:6443`, whose certificate is signed by
    /// `authority` (PEM).
    pub fn start(upstream: &str, authority: &str, behaviour: Behaviour) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| failure("gateway", error);
        let own = Authority::generate("gateway").map_err(|error| failed(&error))?;
        let identity = own.sign("gateway", None, &["127.0.0.1", "localhost"]).map_err(|error| failed(&error))?;
        let acceptor = acceptor(&identity.certificate, &identity.key).map_err(|error| failed(&error))?;
        let connector = connector(authority).map_err(|error| failed(&error))?;
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            behaviour,
            client: Client::builder(TokioExecutor::new()).build(connector),
            connections: AtomicUsize::default(),
            requests: AtomicUsize::default(),
            refused: AtomicUsize::default(),
        });
        let service = Service::start("gateway", |listener| accept(listener, acceptor, Arc::clone(&state)))?;
        let path = if let Behaviour::OwnUsers { prefix, .. } = &state.behaviour { prefix } else { "" };
        let server = format!("https://127.0.0.1:{}{path}", service.port());
        Ok(Self { server, authority: own.certificate, state, _service: service })
    }

    /// Returns its address.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns the certificate authority of its address, as PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns how many connections it has got.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Returns how many of the requests that it counts it has got.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// Returns how many requests it has refused.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::Relaxed)
    }
}

pub(crate) fn acceptor(certificate: &str, key: &str) -> std::result::Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let configuration = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(configuration)))
}

fn connector(authority: &str) -> std::result::Result<HttpsConnector<HttpConnector>, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let configuration = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(configuration).https_only().enable_http1().build())
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    while let Ok((connection, _)) = listener.accept().await {
        state.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(serve(connection, acceptor.clone(), Arc::clone(&state)));
    }
}

async fn serve(connection: TcpStream, acceptor: TlsAcceptor, state: Arc<State>) {
    // Who does not trust the certificate ends the connection; that is the client's to report.
    let Ok(connection) = acceptor.accept(connection).await else { return };
    let service = hyper::service::service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { state.answer(request).await }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> std::result::Result<Response<Body>, Reset> {
        let every = match &self.behaviour {
            Behaviour::Unreliable(every) => *every,
            Behaviour::UnreliableWrites(path) => {
                let is_write = request.method() != Method::GET
                    && request.uri().path() == path
                    && !request.uri().query().unwrap_or_default().contains("dryRun");
                let count = if is_write { self.requests.fetch_add(1, Ordering::Relaxed) } else { 1 };
                return match count % 4 {
                    0 => Ok(self.refuse(StatusCode::SERVICE_UNAVAILABLE)),
                    2 => {
                        self.forward(request).await;
                        self.refused.fetch_add(1, Ordering::Relaxed);
                        Err(Reset)
                    }
                    _ => Ok(self.forward(request).await),
                };
            }
            Behaviour::OwnUsers { prefix, token, credential, others } => {
                return Ok(match as_other_user(request, prefix, token, credential) {
                    Some(request) => self.forward(request).await,
                    None => self.turn_away(*others),
                });
            }
        };
        let count = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if !count.is_multiple_of(every) {
            return Ok(self.forward(request).await);
        }
        match (count / every) % 3 {
            0 => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(Reset)
            }
            1 => {
                let mut response = self.refuse(StatusCode::TOO_MANY_REQUESTS);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                Ok(response)
            }
            _ => Ok(self.refuse(StatusCode::SERVICE_UNAVAILABLE)),
        }
    }

    fn refuse(&self, code: StatusCode) -> Response<Body> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        plain(code, code.canonical_reason().unwrap_or_default())
    }

    fn turn_away(&self, others: Others) -> Response<Body> {
        let code = match others {
            Others::Unauthorized => return self.refuse(StatusCode::UNAUTHORIZED),
            Others::Forbidden => StatusCode::FORBIDDEN,
            Others::Page => StatusCode::OK,
            Others::Redirected => StatusCode::FOUND,
        };
        let mut response = self.refuse(code);
        match others {
            Others::Redirected => {
                let page = HeaderValue::from_static("https://login.example.com/");
                response.headers_mut().insert(header::LOCATION, page);
                *response.body_mut() = Body::empty();
            }
            Others::Forbidden => *response.body_mut() = Body::from(r#"{"type":"error","code":"Forbidden"}"#),
            _ => *response.body_mut() = Body::from("<html>Log in, please</html>"),
        }
        response
    }

    async fn forward(&self, mut request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        let Ok(uri) = format!("{}{path}", self.upstream).parse::<Uri>() else {
            return plain(StatusCode::BAD_REQUEST, "no path of an API server");
        };
        *request.uri_mut() = uri;
        request.headers_mut().remove(header::HOST);
        match self.client.request(request).await {
            Ok(response) => response.map(Body::new),
            Err(problem) => plain(StatusCode::BAD_GATEWAY, &format!("the API server does not answer: {problem}")),
        }
    }
}

/// Takes the prefix off the path, and swaps the credential; `None` where the request is not that user's.
fn as_other_user(
    mut request: Request<Incoming>,
    prefix: &str,
    token: &str,
    credential: &str,
) -> Option<Request<Incoming>> {
    let given = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    if given != format!("Bearer {token}") {
        return None;
    }
    let path = request.uri().path_and_query()?.as_str().strip_prefix(prefix)?.to_owned();
    *request.uri_mut() = path.parse().ok()?;
    let credential = HeaderValue::from_str(&format!("Bearer {credential}")).ok()?;
    request.headers_mut().insert(header::AUTHORIZATION, credential);
    Some(request)
}

fn plain(code: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = code;
    response
}
