//! The Git server over HTTPS, with a certificate of an authority that nobody trusts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Repository, State, backend};
use crate::certificates::Authority;
use crate::error::Result;
use crate::gateway::acceptor;
use crate::service::{Service, failure};

/// How long a client may take until the connection is encrypted; the next one waits meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// The repositories of the Git server over HTTPS; it runs on a thread of this process.
#[derive(Debug)]
pub struct HttpsGitServer {
    authority: String,
    service: Service,
}

impl HttpsGitServer {
    pub(super) fn start(state: &Arc<State>) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| failure("Git server with TLS", error);
        let own = Authority::generate("git").map_err(|error| failed(&error))?;
        let identity = own.sign("git", None, &["127.0.0.1", "localhost"]).map_err(|error| failed(&error))?;
        let acceptor = acceptor(&identity.certificate, &identity.key).map_err(|error| failed(&error))?;
        let application = axum::Router::new().fallback(backend::serve).with_state(Arc::clone(state));
        let service = Service::start("Git server with TLS", |listener| {
            axum::serve(Encrypted { listener, acceptor }, application).into_future()
        })?;
        Ok(Self { authority: own.certificate, service })
    }

    /// Returns the URL of a repository.
    #[must_use]
    pub fn url(&self, repository: &Repository) -> String {
        format!("https://127.0.0.1:{}/{}.git", self.service.port(), repository.name())
    }

    /// Returns the certificate of its authority, as PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

/// Accepts connections, and encrypts them.
struct Encrypted {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Encrypted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (connection, address) = Listener::accept(&mut self.listener).await;
            // Who does not trust the certificate ends the connection; that is the client's to report.
            if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, self.acceptor.accept(connection)).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
