use serde_json::json;

use super::*;

fn kubeconfig() -> Kubeconfig {
    let text = json!({
        "current-context": "build",
        "contexts": [
            {"name": "build", "context": {"cluster": "build", "user": "me", "namespace": "dev"}},
            {"name": "bare", "context": {"cluster": "plain", "user": "nobody"}},
        ],
        "clusters": [
            {"name": "build", "cluster": {
                "server": "https://build.example:6443", "certificate-authority-data": "ZmFrZQ==", "tls-server-name": "kubernetes",
            }},
            {"name": "plain", "cluster": {"server": "plain.example:8080"}},
        ],
        "users": [{"name": "me", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "login", "interactiveMode": "Never",
            "provideClusterInfo": true,
        }}}],
    });
    serde_json::from_value(text).expect("a kubeconfig")
}

/// A flag that is given.
fn some(value: &str) -> Option<String> {
    value.to_owned().into()
}

fn entries(connection: &Connection) -> Entries {
    Entries::of(&Role::Build, connection, &kubeconfig()).expect("entries")
}

#[test]
fn without_flags_the_entries_of_the_context_count() {
    let entries = entries(&Connection::default());
    assert_eq!((entries.context.as_str(), entries.namespace.as_deref()), ("build", Some("dev")));
    let config = entries.config(&Role::Build).expect("a configuration");
    assert_eq!(config.cluster_url.to_string(), "https://build.example:6443/");
    assert_eq!(config.tls_server_name.as_deref(), Some("kubernetes"));
    let exec = config.auth_info.exec.expect("a plugin");
    assert_eq!(exec.cluster.expect("its cluster").server.as_deref(), Some("https://build.example:6443"));
}

#[test]
fn flags_replace_what_belongs_together() {
    let server = entries(&Connection { server: some("https://other.example"), ..Connection::default() });
    assert_eq!(server.cluster.server.as_deref(), Some("https://other.example"));
    assert_eq!(server.cluster.tls_server_name, None);
    assert!(server.cluster.certificate_authority_data.is_some());

    let authority = entries(&Connection { certificate_authority: some("ca.pem"), ..Connection::default() });
    assert_eq!(authority.cluster.certificate_authority.as_deref(), Some("ca.pem"));
    assert_eq!(authority.cluster.certificate_authority_data, None);

    let insecure = entries(&Connection { insecure_skip_tls_verify: true, ..Connection::default() });
    assert_eq!(insecure.cluster.insecure_skip_tls_verify, Some(true));
    assert_eq!(insecure.cluster.certificate_authority_data, None);

    let token = entries(&Connection { token: Some("fake-token".into()), ..Connection::default() });
    assert!(token.user.token.is_some() && token.user.exec.is_none());
}

#[test]
fn a_server_without_tls_gets_no_credential() {
    let connection = Connection {
        context: some("bare"),
        token: Some("fake-token".into()),
        impersonate: some("jane"),
        ..Connection::default()
    };
    let config = entries(&connection).config(&Role::Build).expect("a configuration");
    assert_eq!(config.cluster_url.to_string(), "http://plain.example:8080/");
    assert!(config.auth_info.token.is_none());
    assert_eq!(config.auth_info.impersonate.as_deref(), Some("jane"));
    let secure = Connection { insecure_skip_tls_verify: true, ..connection };
    let config = entries(&secure).config(&Role::Build).expect("a configuration");
    assert_eq!(config.cluster_url.scheme_str(), Some("https"));
    assert!(config.auth_info.token.is_some());
}

#[test]
fn what_contradicts_itself_or_is_not_there_is_refused() {
    let refused = |connection: Connection| match Entries::of(&Role::Build, &connection, &kubeconfig()) {
        Ok(_) => panic!("{connection:?} is accepted"),
        Err(error) => error.to_string(),
    };
    let default = Connection::default;
    assert!(refused(Connection { context: some("x"), ..default() }).contains("no context `x`"));
    assert!(refused(Connection { cluster: some("x"), ..default() }).contains("no cluster `x`"));
    assert!(refused(Connection { user: some("x"), ..default() }).contains("no user `x`"));
    assert!(refused(Connection { impersonate_groups: vec!["x".to_owned()], ..default() }).contains("no user"));
    let both = Connection { certificate_authority: some("ca.pem"), insecure_skip_tls_verify: true, ..default() };
    assert!(refused(both).contains("certificate authority"));
}

#[test]
fn without_a_kubeconfig_a_flag_may_name_the_server() {
    let nothing = Kubeconfig::default();
    let entries = |connection: &Connection| Entries::of(&Role::Build, connection, &nothing).expect("entries");
    assert!(entries(&Connection::default()).names_no_server());
    let named = entries(&Connection { server: some("https://build.example"), ..Connection::default() });
    assert!(!named.names_no_server());
    assert_eq!(named.config(&Role::Build).expect("a configuration").default_namespace, "default");
}
