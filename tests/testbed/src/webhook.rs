//! An admission webhook that denies everything it is asked about.

use std::convert::Infallible;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::certificates::Authority;
use crate::error::Result;
use crate::gateway::acceptor;
use crate::service::{Service, failure};

/// The longest review that is read.
const LONGEST_REVIEW: usize = 1 << 20;

/// A webhook that runs on a thread of this process.
#[derive(Debug)]
pub struct Webhook {
    url: String,
    authority: String,
    _service: Service,
}

impl Webhook {
    /// Starts one that gives `message` as its reason.
    pub fn start(message: &str) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| failure("webhook", error);
        let own = Authority::generate("webhook").map_err(|error| failed(&error))?;
        let identity = own.sign("webhook", None, &["127.0.0.1"]).map_err(|error| failed(&error))?;
        let acceptor = acceptor(&identity.certificate, &identity.key).map_err(|error| failed(&error))?;
        let message = message.to_owned();
        let service = Service::start("webhook", |listener| accept(listener, acceptor, message))?;
        let url = format!("https://127.0.0.1:{}/deny", service.port());
        Ok(Self { url, authority: own.certificate, _service: service })
    }

    /// Returns its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the certificate authority of its address, as PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, message: String) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(serve(connection, acceptor.clone(), message.clone()));
    }
}

async fn serve(connection: TcpStream, acceptor: TlsAcceptor, message: String) {
    let Ok(connection) = acceptor.accept(connection).await else { return };
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let message = message.clone();
        async move {
            let body = to_bytes(Body::new(request.into_body()), LONGEST_REVIEW).await.unwrap_or_default();
            Ok::<_, Infallible>(denial(&body, &message))
        }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

/// Answers a review as k8s.io/api `admission/v1` wants it.
fn denial(review: &[u8], message: &str) -> Response<Body> {
    let review: Value = serde_json::from_slice(review).unwrap_or_default();
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": review["request"]["uid"], "allowed": false, "status": {"message": message}},
    });
    let mut response = Response::new(Body::from(answer.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
