//! The HTTP side of the Git server: authentication, and one CGI process per request.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Extracted};
use axum::http::{Response, StatusCode};
use tokio::io::AsyncWriteExt as _;

use super::State;
use crate::basic_authentication::{bearer, credentials, plain, unauthorized};

const BODY_LIMIT: usize = 256 * 1024 * 1024;

/// Answers one request.
pub(super) async fn serve(Extracted(state): Extracted<Arc<State>>, request: Request) -> Response<Body> {
    if !state.available.load(Ordering::Relaxed) {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "this Git server was told to be unavailable\n");
    }
    let user = match authenticate(&state, &request) {
        Ok(user) => user,
        Err(response) => return *response,
    };
    match run_backend(&state, request, &user).await {
        Ok(response) => response,
        Err(problem) => plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("git http-backend failed: {problem}\n")),
    }
}

/// Returns the user who sends a request, if that user may do what it asks for.
fn authenticate(state: &State, request: &Request) -> Result<String, Box<Response<Body>>> {
    let name = request.uri().path().trim_start_matches('/').split(".git").next().unwrap_or_default();
    let accounts = state.accounts().get(name).cloned();
    if let Some(accounts) = &accounts
        && bearer(request.headers()) == Some(&accounts.password)
    {
        return Ok(accounts.username.clone());
    }
    let (Some(accounts), Some((user, password))) = (accounts, credentials(request.headers())) else {
        return Err(Box::new(unauthorized()));
    };
    if user == accounts.username && password == accounts.password {
        return Ok(user);
    }
    if user != accounts.read_only_username || password != accounts.read_only_password {
        return Err(Box::new(unauthorized()));
    }
    let wants_to_push = request.uri().path().ends_with("/git-receive-pack")
        || request.uri().query().is_some_and(|query| query.contains("service=git-receive-pack"));
    if wants_to_push {
        return Err(Box::new(plain(StatusCode::FORBIDDEN, "this user may only read\n")));
    }
    Ok(user)
}

async fn run_backend(state: &State, request: Request, user: &str) -> Result<Response<Body>, String> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    // Read to its end: clients send bodies in chunks, and a CGI program wants to know the length.
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|error| error.to_string())?;
    let mut child = tokio::process::Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &state.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or(""))
        .env("REMOTE_USER", user)
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let stdin = child.stdin.take();
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // The backend may answer without reading everything.
            let _ = stdin.write_all(&body).await;
        }
    };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    let output = output.map_err(|error| error.to_string())?;
    parse(&output.stdout).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Turns what a CGI program wrote into a response.
fn parse(output: &[u8]) -> Option<Response<Body>> {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut response = Response::builder();
    for line in std::str::from_utf8(output.get(..end)?).ok()?.lines() {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("status") {
            let code: u16 = value.split_whitespace().next()?.parse().ok()?;
            response = response.status(code);
        } else {
            response = response.header(name, value.trim());
        }
    }
    response.body(Body::from(output.get(end + 4..)?.to_vec())).ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_cgi_answer_becomes_a_response() {
        let response = parse(b"Status: 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nno");
        let response = response.map(|response| (response.status().as_u16(), response.headers().len()));
        assert_eq!(response, Some((403, 1)));
        assert!(parse(b"garbage").is_none());
    }
}
