//! The same registry behind basic authentication, on a port of its own.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::basic_authentication::{credentials, plain, unauthorized};
use crate::error::Result;
use crate::service::Service;

const USERNAME: &str = "puller";
const PASSWORD: &str = "fake-registry-password";

/// A proxy that lets only one user read from the registry; it runs on a thread of this process.
#[derive(Debug)]
pub struct PrivateRegistry {
    service: Service,
}

impl PrivateRegistry {
    /// Starts it in front of the registry at `upstream`, such as `127.0.0.1:20123`.
    pub(crate) fn start(upstream: String) -> Result<Self> {
        let application = axum::Router::new().fallback(serve).with_state(Arc::new(upstream));
        let service = Service::start("private registry", |listener| axum::serve(listener, application).into_future())?;
        Ok(Self { service })
    }

    /// Returns its address, such as `127.0.0.1:20456`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.service.port())
    }

    /// Returns the name of the user who may read.
    #[must_use]
    pub fn username(&self) -> &'static str {
        USERNAME
    }

    /// Returns that user's password.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }
}

async fn serve(State(upstream): State<Arc<String>>, request: Request) -> Response<Body> {
    if credentials(request.headers()).is_none_or(|(user, password)| user != USERNAME || password != PASSWORD) {
        return unauthorized();
    }
    match forward(&upstream, head(&upstream, &request)).await {
        Ok(response) => response,
        Err(problem) => plain(StatusCode::BAD_GATEWAY, &format!("the registry behind it failed: {problem}\n")),
    }
}

/// Writes a reading request in HTTP 1.0, whose answers end with the connection.
fn head(upstream: &str, request: &Request) -> String {
    let accept: Vec<&str> =
        request.headers().get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    format!(
        "{} {} HTTP/1.0\r\nHost: {upstream}\r\nAccept: {}\r\n\r\n",
        request.method(),
        request.uri(),
        accept.join(", ")
    )
}

async fn forward(upstream: &str, head: String) -> std::io::Result<Response<Body>> {
    let mut connection = tokio::net::TcpStream::connect(upstream).await?;
    connection.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    parse(&answer).ok_or_else(|| std::io::Error::other("its answer is no HTTP"))
}

fn parse(answer: &[u8]) -> Option<Response<Body>> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(answer.get(..end)?).ok()?.lines();
    let code: u16 = lines.next()?.split_whitespace().nth(1)?.parse().ok()?;
    let mut response = Response::builder().status(code);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if !name.eq_ignore_ascii_case("connection") {
            response = response.header(name, value.trim());
        }
    }
    response.body(Body::from(answer.get(end + 4..)?.to_vec())).ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_answer_is_passed_on_with_its_headers() {
        let response = parse(b"HTTP/1.0 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        assert_eq!(response.map(|response| (response.status().as_u16(), response.headers().len())), Some((404, 1)));
        assert!(parse(b"garbage").is_none());
    }
}
