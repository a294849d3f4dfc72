//! The one policy for requests that fail and may succeed when they are sent again: which, when, and how often.
//!
//! It is a layer below kube's client, because only there the answer's headers are seen. Watches are left alone: the watcher
//! has pauses of its own, and those who follow it are told at once.

use std::error::Error;
use std::hash::BuildHasher;
use std::io::ErrorKind;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Bytes;
use kube::client::Body;
use serde_json::Value;
use tower::{BoxError, Service, ServiceExt};

use super::clock::ServerClock;
use super::exec_plugin::Plugin;
use crate::waiting;

/// How many connections that nobody uses are kept for the next request.
pub(super) const IDLE_CONNECTIONS: usize = 2;

/// How often a request is sent at most.
const TRIES: u32 = 5;

/// The pause after the first try; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest `Retry-After` that is honoured. Who asks for more gets no further request, and the user the answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What is told each further try, in one line.
type Report = Box<dyn Fn(&str) + Send + Sync>;

static REPORT: OnceLock<Report> = OnceLock::new();

/// Has each further try of a request reported, in one line without secrets.
pub fn report_retries(report: impl Fn(&str) + Send + Sync + 'static) {
    // There is one command line per process: a second call would say the same.
    let _ = REPORT.set(Box::new(report));
}

/// How a try ended that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The server, or something before it, answered with this status.
    Status(StatusCode),
    /// The connection was reset or closed before the answer was complete.
    Interrupted,
}

/// Returns how long to pause before the next try; `None` where there is none.
///
/// `jitter` is a random number from 0 to 1, so that clients that failed together do not come back together.
fn pause(
    is_idempotent: bool,
    outcome: Outcome,
    attempt: u32,
    retry_after: Option<Duration>,
    jitter: f64,
) -> Option<Duration> {
    let may_repeat = match outcome {
        // The server refused to process it.
        Outcome::Status(StatusCode::TOO_MANY_REQUESTS) => true,
        Outcome::Status(status) => is_idempotent && waiting::is_busy(status.as_u16()),
        Outcome::Interrupted => is_idempotent,
    };
    if !may_repeat || attempt >= TRIES || retry_after.is_some_and(|asked| asked > LONGEST_PAUSE) {
        return None;
    }
    let backoff = FIRST_PAUSE * 2_u32.pow(attempt.saturating_sub(1));
    Some(match retry_after {
        Some(asked) => asked + FIRST_PAUSE.mul_f64(jitter),
        None => backoff.mul_f64(0.5 + jitter / 2.0),
    })
}

/// Tells whether sending a request twice leaves the cluster as sending it once does.
fn is_idempotent(method: &Method, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let content = || serde_json::from_slice::<Value>(body).unwrap_or_default();
    if query.split('&').any(|pair| pair == "dryRun=All") {
        return true;
    }
    match method.as_str() {
        "GET" | "HEAD" => true,
        // A review is a question, and a token that was requested is stored nowhere.
        "POST" => {
            path.starts_with("/apis/authorization.k8s.io/")
                || path.starts_with("/apis/authentication.k8s.io/")
                || (path.contains("/serviceaccounts/") && path.ends_with("/token"))
        }
        "PATCH" => match headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes) {
            // The same values twice are the same object, unless the patch is for one version of it. kube sends both as JSON.
            Some(b"application/apply-patch+yaml" | b"application/merge-patch+json") => {
                content().pointer("/metadata/resourceVersion").is_none()
            }
            _ => false,
        },
        // Without a UID it could be another object, which has taken the name since.
        "DELETE" => {
            let content = content();
            content.pointer("/preconditions/uid").is_some() || content.get("dryRun").is_some()
        }
        _ => false,
    }
}

/// Tells whether the connection was reset or closed, as opposed to never made: an address where nothing listens, a name that
/// is not known and a certificate that is not trusted do not pass by waiting a second.
fn is_interruption(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let is_io = error.downcast_ref::<std::io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::UnexpectedEof
            )
        });
        let is_http = error
            .downcast_ref::<hyper::Error>()
            .is_some_and(|error| error.is_incomplete_message() || error.is_closed());
        if is_io || is_http {
            return true;
        }
        next = error.source();
    }
    false
}

/// Reads `Retry-After` where it is a number of seconds, as API servers send it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The body of an answer: of a watch as it comes, else read to its end.
type Answer<B> = Either<B, Full<Bytes>>;

/// Sends requests again by the policy.
#[derive(Clone)]
pub(super) struct Retry<S> {
    inner: S,
    /// How long a request may take with all its tries.
    limit: Option<Duration>,
    /// Who gives the credential of each try.
    plugin: Option<Arc<Plugin>>,
    /// What learns the server's time from its answers.
    clock: ServerClock,
}

impl<S> Retry<S> {
    /// Wraps a service whose requests may take so long.
    pub(super) fn new(inner: S, limit: Option<Duration>, plugin: Option<Arc<Plugin>>, clock: &ServerClock) -> Self {
        Self { inner, limit, plugin, clock: clock.clone() }
    }
}

impl<S, B> Service<Request<Body>> for Retry<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Answer<B>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Answer<B>>, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // Each try waits for a copy of the inner service.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

impl<S> Retry<S> {
    async fn send<B>(self, request: Request<Body>) -> Result<Response<Answer<B>>, BoxError>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone,
        S::Error: Into<BoxError>,
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let is_watch = request.uri().query().unwrap_or_default().split('&').any(|pair| pair == "watch=true");
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        if is_watch {
            return Ok(self.answer(&parts, &body).await?.map(Either::Left));
        }
        let started = Instant::now();
        let query = parts.uri.query().unwrap_or_default();
        let is_idempotent = is_idempotent(&parts.method, parts.uri.path(), query, &parts.headers, &body);
        let mut attempt = 1;
        loop {
            // Read whole, so that an interruption in its middle counts as well.
            let answer = match self.answer(&parts, &body).await {
                Ok(answer) => read(answer).await,
                Err(error) => Err(error),
            };
            let (outcome, asked, reason) = match &answer {
                Ok(answer) if !answer.status().is_success() => {
                    let status = answer.status();
                    (Outcome::Status(status), retry_after(answer.headers()), format!("answered {status}"))
                }
                Err(error) if is_interruption(error.as_ref()) => {
                    (Outcome::Interrupted, None, "closed the connection".to_owned())
                }
                _ => return answer.map(whole),
            };
            let pause = pause(is_idempotent, outcome, attempt, asked, random())
                // The user learns more from the answer than from "no answer within 30 s".
                .filter(|pause| self.limit.is_none_or(|limit| started.elapsed() + *pause < limit));
            let Some(pause) = pause else {
                return answer.map(whole);
            };
            if let Some(report) = REPORT.get() {
                let (method, host, path) = (&parts.method, parts.uri.host().unwrap_or_default(), parts.uri.path());
                let pause = pause.as_secs_f32();
                report(&format!("{host} {reason} to {method} {path}; retrying in {pause:.1} s"));
            }
            waiting::pause(pause).await;
            attempt += 1;
        }
    }

    /// Sends a request once, with the credential of the plugin where there is one, and again with its next one where the API
    /// server does not know the user: such a request was not looked at.
    async fn answer<B>(&self, parts: &Parts, body: &Bytes) -> Result<Response<B>, BoxError>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone,
        S::Error: Into<BoxError>,
    {
        let mut refusals = 0;
        loop {
            let mut request = Request::from_parts(parts.clone(), Body::from(body.clone()));
            let run = match &self.plugin {
                Some(plugin) => plugin.authorize(&mut request).await?,
                None => 0,
            };
            let answer = self.inner.clone().oneshot(request).await.map_err(Into::into)?;
            self.clock.learn(answer.headers());
            let Some(plugin) = &self.plugin else { return Ok(answer) };
            if answer.status() != StatusCode::UNAUTHORIZED {
                plugin.accepted();
                return Ok(answer);
            }
            let is_renewed = plugin.refused(run).await;
            // The connections that are kept show an older certificate, where the plugin gives one.
            let is_stale = plugin.has_certificate() && refusals > 0;
            if refusals > IDLE_CONNECTIONS || !(is_renewed || is_stale) {
                return Ok(answer);
            }
            refusals += 1;
        }
    }
}

async fn read<B>(answer: Response<B>) -> Result<Response<Bytes>, BoxError>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let (parts, body) = answer.into_parts();
    let content = body.collect().await.map_err(Into::into)?.to_bytes();
    Ok(Response::from_parts(parts, content))
}

fn whole<B>(answer: Response<Bytes>) -> Response<Answer<B>> {
    answer.map(|content| Either::Right(Full::new(content)))
}

/// Returns a random number from 0 to 1; the standard library's hashers are seeded randomly.
fn random() -> f64 {
    let bits = std::hash::RandomState::new().hash_one(0_u8);
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
