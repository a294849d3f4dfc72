use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use kube::Config;
use kube::api::{Api, DeleteParams, PostParams};

use super::super::client::{Route, client};
use super::*;
use k8s_openapi::api::core::v1::ConfigMap;

const BUSY: Outcome = Outcome::Status(StatusCode::TOO_MANY_REQUESTS);
const DOWN: Outcome = Outcome::Status(StatusCode::SERVICE_UNAVAILABLE);

#[test]
fn what_is_not_idempotent_is_only_repeated_when_it_was_not_processed() {
    assert!(pause(false, BUSY, 1, None, 0.0).is_some());
    for outcome in [DOWN, Outcome::Interrupted] {
        assert_eq!(pause(false, outcome, 1, None, 0.0), None, "{outcome:?}");
        assert!(pause(true, outcome, 1, None, 0.0).is_some(), "{outcome:?}");
    }
}

#[test]
fn only_what_passes_is_repeated() {
    for status in [500, 502, 503, 504] {
        let outcome = Outcome::Status(StatusCode::from_u16(status).expect("a status"));
        assert!(pause(true, outcome, 1, None, 0.0).is_some(), "{status}");
    }
    for status in [400, 401, 403, 404, 409, 410, 422, 501] {
        let outcome = Outcome::Status(StatusCode::from_u16(status).expect("a status"));
        assert_eq!(pause(true, outcome, 1, None, 0.0), None, "{status}");
    }
}

#[test]
fn pauses_grow_and_come_to_an_end() {
    let longest: Vec<u128> = (1..=TRIES)
        .filter_map(|attempt| pause(true, DOWN, attempt, None, 1.0))
        .map(|pause| pause.as_millis())
        .collect();
    assert_eq!(longest, [200, 400, 800, 1600]);
    assert_eq!(pause(true, DOWN, 1, None, 0.0), Some(Duration::from_millis(100)));
}

#[test]
fn what_the_server_asks_for_is_honoured_within_reason() {
    let asked = |seconds| pause(true, BUSY, 1, Some(Duration::from_secs(seconds)), 0.0);
    assert_eq!(asked(3), Some(Duration::from_secs(3)));
    assert_eq!(asked(60), None);
}

#[test]
fn idempotent_is_what_can_be_sent_twice() {
    let is_idempotent = |method: Method, path: &str, query: &str, content_type: &str, body: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().expect("a value"));
        is_idempotent(&method, path, query, &headers, body.as_bytes())
    };
    let (json, merge) = ("application/json", "application/merge-patch+json");
    let secret = "/api/v1/namespaces/a/secrets/b";
    let token = "/api/v1/namespaces/a/serviceaccounts/b/token";
    let review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    assert!(is_idempotent(Method::GET, secret, "", json, ""));
    assert!(is_idempotent(Method::POST, review, "", json, "{}"));
    assert!(is_idempotent(Method::PATCH, secret, "fieldManager=x", "application/apply-patch+yaml", "{}"));
    let versioned = r#"{"metadata":{"resourceVersion":"7"}}"#;
    assert!(!is_idempotent(Method::PATCH, secret, "fieldManager=x", "application/apply-patch+yaml", versioned));
    assert!(is_idempotent(Method::PATCH, secret, "", merge, "{\"data\":{}}"));
    assert!(is_idempotent(Method::DELETE, secret, "", json, "{\"preconditions\":{\"uid\":\"1\"}}"));
    assert!(is_idempotent(Method::DELETE, secret, "", json, "{\"dryRun\":[\"All\"]}"));
    assert!(is_idempotent(Method::POST, token, "dryRun=All", json, "{}"));
    assert!(is_idempotent(Method::POST, token, "", json, "{}"));
    assert!(!is_idempotent(Method::POST, "/api/v1/namespaces/a/serviceaccounts", "", json, "{}"));
    assert!(!is_idempotent(Method::DELETE, secret, "", json, "{}"));
    assert!(!is_idempotent(Method::PATCH, secret, "", merge, "{\"metadata\":{\"resourceVersion\":\"1\"}}"));
}

/// What a server does with one connection.
#[derive(Clone, Copy)]
enum Act {
    /// Reads the request and answers with a status, further headers and a body.
    Answer(u16, &'static str, &'static str),
    /// Reads the request and closes the connection.
    Close,
    /// Answers with less than it announced.
    CutShort,
}

const FOUND: Act = Act::Answer(200, "", r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}"#);

/// Serves one act per connection and returns how many requests came in at the end.
fn server(acts: &'static [Act]) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let serve = move || {
        for act in acts {
            let (mut connection, _) = listener.accept().expect("a connection");
            // Requests of these tests fit in one read.
            let read = connection.read(&mut [0; 8192]).expect("a request");
            assert!(read > 0);
            let text = match act {
                Act::Answer(status, headers, body) => {
                    let length = body.len();
                    format!(
                        "HTTP/1.1 {status} X\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                    )
                }
                Act::Close => String::new(),
                Act::CutShort => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"api".to_owned(),
            };
            connection.write_all(text.as_bytes()).expect("an answer");
        }
    };
    (address, std::thread::spawn(serve))
}

fn config_maps(address: SocketAddr, limit: Option<Duration>) -> Api<ConfigMap> {
    let config = Config::new(format!("http://{address}").parse().expect("a URL"));
    let route = Route { config, proxy: None };
    let clock = ServerClock::default();
    Api::namespaced(client(&route, None, limit, &clock).expect("a client"), "default")
}

#[tokio::test]
async fn a_read_survives_a_busy_and_flapping_server() {
    const BUSY: Act = Act::Answer(429, "retry-after: 1\r\n", "");
    let (address, server) = server(&[BUSY, Act::Answer(503, "", "down"), Act::Close, Act::CutShort, FOUND]);
    let started = Instant::now();
    config_maps(address, None).get("x").await.expect("the last try succeeds");
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After was not honoured");
    server.join().expect("five requests");
}

#[tokio::test]
async fn the_last_answer_is_told_with_its_message() {
    const REFUSED: Act = Act::Answer(
        500,
        "",
        r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":500,"message":"failed calling webhook"}"#,
    );
    let (address, server) = server(&[REFUSED; TRIES as usize]);
    let error = config_maps(address, None).get("x").await.expect_err("it never succeeds");
    assert!(error.to_string().contains("failed calling webhook"), "{error}");
    server.join().expect("all tries");
}

#[tokio::test]
async fn what_is_not_idempotent_is_sent_once() {
    let (address, server) = server(&[Act::Answer(503, "", "down"), Act::Close]);
    let api = config_maps(address, None);
    api.create(&PostParams::default(), &ConfigMap::default()).await.expect_err("it is refused");
    api.delete("x", &DeleteParams::default()).await.expect_err("it is interrupted");
    server.join().expect("two requests");
}

#[tokio::test]
async fn no_pause_outlasts_the_time_of_a_request() {
    let (address, server) = server(&[Act::Answer(429, "retry-after: 5\r\n", "")]);
    let error = config_maps(address, Some(Duration::from_secs(2))).get("x").await.expect_err("it is refused");
    assert!(matches!(error, kube::Error::Api(status) if status.code == 429));
    server.join().expect("one request");
}
