use std::path::Path;

use kube::config::Kubeconfig;
use serde_json::Value;

use super::super::{Cluster, Role};
use super::*;

/// Connects through a kubeconfig whose user runs a shell script, or what `exec` says instead.
async fn connect(exec: &Value) -> Result<Cluster> {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "users": [{"name": "c", "user": {"exec": exec}}],
    });
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).expect("a kubeconfig");
    Cluster::from_kubeconfig(Role::Build, kubeconfig, None).await
}

fn script(text: &str) -> Value {
    json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": ["-c", text],
        "interactiveMode": "Never",
    })
}

/// Counts its runs in a file and prints a credential that lasts until then.
fn counting(runs: &Path, expires: &str) -> Value {
    script(&format!(
        r#"echo run >> {}; echo '{{"kind":"ExecCredential","status":{{"token":"secret","expirationTimestamp":"{expires}"}}}}'"#,
        runs.display()
    ))
}

fn count(runs: &Path) -> usize {
    std::fs::read_to_string(runs).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn a_plugin_runs_once_for_all_clusters_and_requests() {
    let directory = tempfile::tempdir().expect("a directory");
    let runs = directory.path().join("runs");
    let exec = counting(&runs, "2999-01-01T00:00:00Z");
    for _ in 0..2 {
        let cluster = connect(&exec).await.expect("it has a credential");
        cluster.uid().await.expect_err("nothing listens there");
    }
    assert_eq!(count(&runs), 1);
}

#[tokio::test]
async fn an_expired_credential_is_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    let runs = directory.path().join("runs");
    let cluster = connect(&counting(&runs, "2020-01-01T00:00:00Z")).await.expect("it has a credential");
    cluster.uid().await.expect_err("nothing listens there");
    assert_eq!(count(&runs), 2);
}

#[tokio::test]
async fn a_token_is_sent() {
    let exec = script(r#"echo '{"status":{"token":"secret"}}'"#);
    let user = AuthInfo { exec: serde_json::from_value(exec).expect("a plugin"), ..AuthInfo::default() };
    let plugin = Plugin::of(&user).expect("there is one");
    let mut request = Request::new(());
    plugin.authorize(&mut request).await.expect("it is authorized");
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer secret");
}

#[tokio::test]
async fn what_a_failing_plugin_printed_is_not_shown() {
    for ending in ["exit 3", "exit 0"] {
        let error = connect(&script(&format!("echo token-in-output; echo why >&2; {ending}"))).await.err();
        let text = format!("{:?}", error.expect("there is no credential"));
        assert!(!text.contains("token-in-output"), "{text}");
        assert!(text.contains("the build cluster"), "{text}");
        assert_eq!(text.contains("why"), ending == "exit 3", "{text}");
    }
}

#[tokio::test]
async fn a_missing_plugin_is_named_with_its_hint() {
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "interactiveMode": "Never",
        "installHint": "brew install no-such-plugin",
    });
    let error = connect(&exec).await.err().expect("there is no credential");
    assert!(error.causes().iter().any(|cause| cause == "executable no-such-plugin not found"), "{error:?}");
    assert!(error.hints().iter().any(|hint| hint == "brew install no-such-plugin"), "{error:?}");
}

#[tokio::test]
async fn a_slow_plugin_holds_up_nothing_else() {
    let exec = script("exec sleep 20");
    let limit = Duration::from_millis(200);
    let started = std::time::Instant::now();
    tokio::time::timeout(limit, connect(&exec)).await.err().expect("the deadline holds");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_refused_credential_is_replaced_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let runs = directory.path().join("runs");
    let exec = serde_json::from_value(counting(&runs, "2999-01-01T00:00:00Z")).expect("a plugin");
    let user = AuthInfo { exec: Some(exec), ..AuthInfo::default() };
    let plugin = Plugin::of(&user).expect("there is one");
    let authorize = async || plugin.authorize(&mut Request::new(())).await.expect("it is authorized");
    let first = authorize().await;
    assert!(plugin.refused(first).await);
    let second = authorize().await;
    // Another request with the first one, which was answered later.
    assert!(plugin.refused(first).await);
    assert!(!plugin.refused(second).await);
    authorize().await;
    assert_eq!(count(&runs), 2);
    plugin.accepted();
    assert!(plugin.refused(second).await);
    authorize().await;
    assert_eq!(count(&runs), 3);
}
