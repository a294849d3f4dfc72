//! Which entries of kubeconfig files a connection uses, and what flags say instead, by kubectl's rules.
//!
//! They are those of client-go `clientcmd/client_config.go` (`getContext`, `getCluster`, `getAuthInfo` and `ClientConfig`) and
//! `clientcmd/validation.go`, v0.36. The files are read in [`super::connection`].

use http::Uri;
use kube::Config;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster, Kubeconfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::ExposeSecret;

use super::Role;
use super::connection::{Connection, describe};
use crate::error::{Error, Result};
use crate::kubeconfig::has_login;

/// What counts for one connection.
pub(super) struct Entries {
    /// The name of the context; empty where none is used.
    pub(super) context: String,
    /// The namespace of the context.
    pub(super) namespace: Option<String>,
    pub(super) cluster: Cluster,
    pub(super) user: AuthInfo,
}

impl Entries {
    /// Chooses entries, and puts what flags say over them.
    pub(super) fn of(role: &Role, connection: &Connection, kubeconfig: &Kubeconfig) -> Result<Self> {
        let given = connection.context.as_ref();
        let name = given.or(kubeconfig.current_context.as_ref()).cloned().unwrap_or_default();
        let context = kubeconfig.contexts.iter().find(|entry| entry.name == name);
        if context.is_none() && !name.is_empty() {
            return Err(unknown_context(role, &name, kubeconfig));
        }
        let context = context.and_then(|entry| entry.context.clone()).unwrap_or_default();
        let missing = |flag: &str, kind: &str, name: &str, names: Vec<&str>| {
            Error::usage(format!("the kubeconfig has no {kind} `{name}` for {}", describe(role)))
                .hint(format!("name one of these with {flag}: {}", names.join(", ")))
        };
        let cluster_name = connection.cluster.as_ref().unwrap_or(&context.cluster);
        let cluster = kubeconfig.clusters.iter().find(|entry| entry.name == *cluster_name);
        if let (None, Some(name)) = (cluster, &connection.cluster) {
            let names = kubeconfig.clusters.iter().map(|entry| entry.name.as_str()).collect();
            return Err(missing("--cluster", "cluster", name, names));
        }
        let user_name = connection.user.as_ref().or(context.user.as_ref());
        let user = kubeconfig.auth_infos.iter().find(|entry| Some(&entry.name) == user_name);
        if let (None, Some(name)) = (user, &connection.user) {
            let names = kubeconfig.auth_infos.iter().map(|entry| entry.name.as_str()).collect();
            return Err(missing("--user", "user", name, names));
        }
        let mut cluster = cluster.and_then(|entry| entry.cluster.clone()).unwrap_or_default();
        let mut user = user.and_then(|entry| entry.auth_info.clone()).unwrap_or_default();
        connection.override_cluster(&mut cluster);
        connection.override_user(&mut user);
        refuse_contradictions(&cluster, &user)?;
        let namespace = context.namespace.filter(|namespace| !namespace.is_empty());
        Ok(Self { context: name, namespace, cluster, user })
    }

    /// Tells whether nothing says where the API server is.
    pub(super) fn names_no_server(&self) -> bool {
        self.cluster.server.as_deref().unwrap_or_default().is_empty()
    }

    /// Refuses what client-go has removed in favour of credential plugins (client-go v0.36 `rest/plugin.go`).
    pub(super) fn refuse_removed_provider(&self) -> Result<()> {
        match self.user.auth_provider.as_ref().filter(|provider| provider.name != "oidc") {
            Some(provider) => Err(Error::usage(format!(
                "the auth-provider `{}` of the kubeconfig is no longer supported, neither here nor by kubectl",
                provider.name
            ))
            .hint("have the kubeconfig written again, with a credential plugin, such as gke-gcloud-auth-plugin or kubelogin")),
            None => Ok(()),
        }
    }

    /// Makes the configuration of a client. Which proxy it goes through is decided elsewhere.
    pub(super) fn config(&self, role: &Role) -> Result<Config> {
        let unusable = |cause: String| {
            Error::usage(format!("the kubeconfig has no usable entry for {}", describe(role)))
                .because(cause)
                .hint("see what there is: kubectl config get-contexts")
        };
        if self.names_no_server() {
            return Err(unusable("it names no server".to_owned()));
        }
        let mut cluster = self.cluster.clone();
        if let Some(data) = &mut cluster.certificate_authority_data {
            // As Go does (`encoding/base64`): `base64` breaks lines, and people indent them below the key.
            data.retain(|character| !matches!(character, '\r' | '\n'));
        }
        let authority = ExecAuthCluster::try_from(&cluster).map_err(|error| unusable(error.to_string()))?;
        let mut config = Config::new(server_url(&self.cluster, &self.user).map_err(unusable)?);
        if let Some(namespace) = &self.namespace {
            config.default_namespace.clone_from(namespace);
        }
        config.root_cert =
            authority.certificate_authority_data.as_deref().filter(|pem| !pem.is_empty()).map(authorities);
        config.accept_invalid_certs = self.cluster.insecure_skip_tls_verify == Some(true);
        config.tls_server_name = self.cluster.tls_server_name.clone().filter(|name| !name.is_empty());
        config.auth_info = self.user.clone();
        // An empty text is none, as in Go.
        let user = &mut config.auth_info;
        user.token = user.token.take().filter(|token| !token.expose_secret().is_empty());
        user.token_file = user.token_file.take().filter(|file| !file.is_empty());
        user.username = user.username.take().filter(|name| !name.is_empty());
        user.impersonate = user.impersonate.take().filter(|name| !name.is_empty());
        if let Some(exec) = config.auth_info.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
            exec.cluster = Some(authority);
        }
        withhold_credentials(&mut config);
        Ok(config)
    }
}

/// Reads the certificates of a PEM bundle, without what is none, as Go does (`crypto/x509`, `AppendCertsFromPEM`).
pub(super) fn authorities(pem: &[u8]) -> Vec<Vec<u8>> {
    CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).map(|certificate| certificate.to_vec()).collect()
}

/// Reads the address of an API server. One without a scheme is HTTPS where TLS is configured (client-go `rest/url_utils.go`).
fn server_url(cluster: &Cluster, user: &AuthInfo) -> std::result::Result<Uri, String> {
    let server = cluster.server.as_deref().unwrap_or_default();
    let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let has_tls = has(&cluster.certificate_authority)
        || has(&cluster.certificate_authority_data)
        || has(&user.client_certificate)
        || has(&user.client_certificate_data)
        || cluster.insecure_skip_tls_verify == Some(true);
    let url = match server.split_once("://") {
        Some(_) => server.to_owned(),
        None if has_tls => format!("https://{server}"),
        None => format!("http://{server}"),
    };
    let parsed: Uri = url.parse().map_err(|_| "the server is no URL, such as https://HOST:PORT".to_owned())?;
    if has_login(&parsed) {
        return Err("the server holds a user name or a password, which belong to the user entry".to_owned());
    }
    match (parsed.scheme_str(), parsed.host()) {
        (Some("http" | "https"), Some(_)) => Ok(parsed),
        _ => Err("the server is no URL that begins with https://".to_owned()),
    }
}

/// Sends no credential to a server without TLS.
pub(super) fn withhold_credentials(config: &mut Config) {
    if config.cluster_url.scheme_str() == Some("http") {
        config.auth_info = without_credentials(&config.auth_info);
    }
}

/// Leaves of a user what client-go sends to a server without TLS: whom it impersonates, and no credential.
fn without_credentials(user: &AuthInfo) -> AuthInfo {
    AuthInfo {
        impersonate: user.impersonate.clone(),
        impersonate_uid: user.impersonate_uid.clone(),
        impersonate_groups: user.impersonate_groups.clone(),
        impersonate_user_extra: user.impersonate_user_extra.clone(),
        ..AuthInfo::default()
    }
}

fn refuse_contradictions(cluster: &Cluster, user: &AuthInfo) -> Result<()> {
    let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let has_authority = has(&cluster.certificate_authority) || has(&cluster.certificate_authority_data);
    if has_authority && cluster.insecure_skip_tls_verify == Some(true) {
        return Err(Error::usage("a certificate authority is given, and that no certificate is to be verified")
            .hint("leave one of both out: --certificate-authority or --insecure-skip-tls-verify"));
    }
    let has_groups = user.impersonate_groups.as_ref().is_some_and(|groups| !groups.is_empty());
    let has_extra = user.impersonate_user_extra.as_ref().is_some_and(|extra| !extra.is_empty());
    if !has(&user.impersonate) && (has(&user.impersonate_uid) || has_groups || has_extra) {
        return Err(Error::usage("groups, a UID or extra fields are given, and no user to impersonate")
            .hint("name the user with --as"));
    }
    Ok(())
}

fn unknown_context(role: &Role, context: &str, kubeconfig: &Kubeconfig) -> Error {
    let names: Vec<&str> = kubeconfig.contexts.iter().map(|entry| entry.name.as_str()).collect();
    let flag = if *role == Role::Build { "--context" } else { "--run-context" };
    Error::usage(format!("the kubeconfig has no context `{context}` for {}", describe(role))).hint(
        if names.is_empty() {
            "it has no contexts at all; name another file with --kubeconfig".to_owned()
        } else {
            format!("name one of these with {flag}: {}", names.join(", "))
        },
    )
}

impl Connection {
    /// Puts what flags say over a cluster entry.
    fn override_cluster(&self, cluster: &mut Cluster) {
        if let Some(server) = &self.server {
            cluster.server = Some(server.clone());
            // The name in the certificate of another server is hardly the same.
            cluster.tls_server_name = None;
        }
        if self.tls_server_name.is_some() {
            cluster.tls_server_name.clone_from(&self.tls_server_name);
        }
        if self.certificate_authority.is_some() || self.insecure_skip_tls_verify {
            cluster.certificate_authority_data = None;
            cluster.certificate_authority.clone_from(&self.certificate_authority);
            cluster.insecure_skip_tls_verify = Some(self.insecure_skip_tls_verify);
        }
    }

    /// Puts what flags say over a user entry.
    fn override_user(&self, user: &mut AuthInfo) {
        if self.token.is_some() {
            user.token.clone_from(&self.token);
            user.token_file = None;
            // A token of the command line is meant, whatever else the entry has.
            (user.username, user.password, user.exec, user.auth_provider) = (None, None, None, None);
        }
        if self.username.is_some() {
            user.username.clone_from(&self.username);
            user.password.clone_from(&self.password);
            (user.token, user.token_file, user.exec, user.auth_provider) = (None, None, None, None);
        }
        if self.client_certificate.is_some() {
            user.client_certificate.clone_from(&self.client_certificate);
            user.client_certificate_data = None;
        }
        if self.client_key.is_some() {
            user.client_key.clone_from(&self.client_key);
            user.client_key_data = None;
        }
        self.override_impersonation(user);
    }

    /// Puts the flags of impersonation over a user entry.
    pub(super) fn override_impersonation(&self, user: &mut AuthInfo) {
        if self.impersonate.is_some() {
            user.impersonate.clone_from(&self.impersonate);
        }
        if self.impersonate_uid.is_some() {
            user.impersonate_uid.clone_from(&self.impersonate_uid);
        }
        if !self.impersonate_groups.is_empty() {
            user.impersonate_groups = Some(self.impersonate_groups.clone());
        }
        if !self.impersonate_extra.is_empty() {
            let mut extra = std::collections::HashMap::<String, Vec<String>>::new();
            for (key, value) in &self.impersonate_extra {
                extra.entry(key.clone()).or_default().push(value.clone());
            }
            user.impersonate_user_extra = Some(extra);
        }
    }
}

#[cfg(test)]
#[path = "entries_tests.rs"]
mod tests;
