//! The connection of a pod without kubeconfig: the API server of its own cluster, as its service account.
//!
//! The rules are those of client-go v0.36, `clientcmd/client_config.go` (`inClusterClientConfig`) and `rest/config.go`
//! (`InClusterConfig`).

use std::path::{Path, PathBuf};

use http::Uri;
use kube::Config;
use kube::config::AuthInfo;

use super::connection::Connection;
use super::entries::authorities;
use crate::error::{Error, Result};

/// Where the kubelet puts what belongs to the service account.
const DIRECTORY: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What a pod is told about its cluster.
pub(super) struct Pod {
    host: String,
    port: String,
    directory: PathBuf,
    namespace: Option<String>,
}

impl Pod {
    /// Returns the pod that this process runs in; `None` where it is in none, or in one without a service account's token.
    pub(super) fn current() -> Option<Self> {
        Self::of(Path::new(DIRECTORY), |name| std::env::var(name).ok())
    }

    fn of(directory: &Path, variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        let host = variable("KUBERNETES_SERVICE_HOST")?;
        let port = variable("KUBERNETES_SERVICE_PORT")?;
        directory.join("token").is_file().then(|| Self {
            host,
            port,
            directory: directory.to_owned(),
            namespace: variable("POD_NAMESPACE"),
        })
    }

    /// Returns the pod's namespace.
    pub(super) fn namespace(&self) -> String {
        let file = || std::fs::read_to_string(self.directory.join("namespace")).ok();
        let namespace = self.namespace.clone().or_else(file).unwrap_or_default();
        Some(namespace.trim()).filter(|namespace| !namespace.is_empty()).unwrap_or("default").to_owned()
    }

    /// Makes the configuration of a client; flags may name another token and certificate authority.
    pub(super) fn config(&self, connection: &Connection) -> Result<Config> {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let server: Uri = format!("https://{host}:{}", self.port).parse().map_err(|error| {
            Error::usage("the variables KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name no server")
                .because(error)
        })?;
        let mut config = Config::new(server);
        config.default_namespace = self.namespace();
        let authority =
            connection.certificate_authority.as_ref().map_or_else(|| self.directory.join("ca.crt"), PathBuf::from);
        let pem = std::fs::read(&authority).map_err(|error| {
            Error::usage(format!("cannot read the certificate authority {}", authority.display())).because(error)
        })?;
        config.root_cert = Some(authorities(&pem));
        config.auth_info = match &connection.token {
            Some(token) => AuthInfo { token: Some(token.clone()), ..AuthInfo::default() },
            // The kubelet replaces it; kube reads it again and again.
            None => {
                AuthInfo { token_file: Some(self.directory.join("token").display().to_string()), ..AuthInfo::default() }
            }
        };
        connection.override_impersonation(&mut config.auth_info);
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(name: &str) -> Option<String> {
        match name {
            "KUBERNETES_SERVICE_HOST" => Some("fd00::1".to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some("443".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_pod_is_its_service_account() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, content: &str| std::fs::write(directory.path().join(name), content).expect("a file");
        assert!(Pod::of(directory.path(), variables).is_none());
        write("token", "fake-token");
        write("namespace", "ci\n");
        write("ca.crt", "-----BEGIN CERTIFICATE-----\nZmFrZQ==\n-----END CERTIFICATE-----\n");
        assert!(Pod::of(directory.path(), |_| None).is_none());
        let pod = Pod::of(directory.path(), variables).expect("a pod");
        let config = pod.config(&Connection::default()).expect("a configuration");
        assert_eq!(config.cluster_url.to_string(), "https://[fd00::1]:443/");
        assert_eq!(config.default_namespace, "ci");
        assert_eq!(config.root_cert.as_ref().map(Vec::len), Some(1));
        assert!(Path::new(&config.auth_info.token_file.expect("a file")).ends_with("token"));
        let other = Connection {
            token: Some("fake-token".into()),
            impersonate: Some("jane".to_owned()),
            ..Connection::default()
        };
        let config = pod.config(&other).expect("a configuration");
        assert!(config.auth_info.token.is_some() && config.auth_info.token_file.is_none());
        assert_eq!(config.auth_info.impersonate.as_deref(), Some("jane"));
        let named = |name: &str| if name == "POD_NAMESPACE" { Some("named".to_owned()) } else { variables(name) };
        assert_eq!(Pod::of(directory.path(), named).expect("a pod").namespace(), "named");
    }
}
