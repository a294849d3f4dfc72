//! The endpoint through which Flux reaches an API server: from a context, with what flags replace, and what it cannot be. Pure.

use std::fmt;
use std::io;

use kube::config::{Kubeconfig, NamedCluster};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::certificate::{Problem, check_authority};
use super::encoding::base64;
use super::url::{destination, has_login, is_loopback, plain_url};
use crate::error::{Error, Result};

/// How a run cluster's API server is reached: everything of a kubeconfig's cluster entry that Flux uses.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The URL of the API server.
    pub server: String,
    /// The certificates that sign the server's, PEM in base64; `None` means the controller's system roots.
    pub certificate_authority_data: Option<String>,
    /// The name in the server's certificate, where it differs from the URL's host.
    pub tls_server_name: Option<String>,
    /// The proxy, whose URL may hold a password.
    pub proxy_url: Option<String>,
}

impl fmt::Debug for Endpoint {
    /// Shows of the URLs, which may hold a password, the server's unless it does, and that there is a proxy.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("server", &shown(&self.server))
            .field("certificate_authority_data", &self.certificate_authority_data.is_some())
            .field("tls_server_name", &self.tls_server_name)
            .field("proxy_url", &self.proxy_url.is_some())
            .finish()
    }
}

/// Returns a URL as it may be shown: not where it holds a login.
fn shown(url: &str) -> &str {
    if url.contains('@') { "[REDACTED]" } else { url }
}

impl Endpoint {
    /// Takes the endpoint from the cluster entry of a context (`None`: the current one).
    ///
    /// `read_file` reads the file of a `certificate-authority`, whose content is inlined.
    pub fn of_context(
        kubeconfig: &Kubeconfig,
        context: Option<&str>,
        read_file: impl Fn(&str) -> io::Result<Vec<u8>>,
    ) -> Result<Self> {
        let context = context.or(kubeconfig.current_context.as_deref()).unwrap_or_default();
        let cluster = cluster_of(kubeconfig, context)
            .and_then(|entry| entry.cluster.as_ref())
            .ok_or_else(|| Error::usage(format!("the kubeconfig context `{context}` names no cluster entry")))?;
        let server = cluster
            .server
            .clone()
            .ok_or_else(|| Error::usage(format!("the cluster entry of the context `{context}` has no server")))?;
        if server.parse().is_ok_and(|url| has_login(&url)) {
            return Err(Error::usage(format!("the server of the context `{context}` holds a user name or a password"))
                .because("Flux would use them instead of its own credential")
                .hint("put them into the user entry: kubectl config set-credentials NAME --username=… --password=…"));
        }
        if cluster.insecure_skip_tls_verify == Some(true) {
            return Err(Error::usage(format!("the context `{context}` does not verify the API server's certificate"))
                .because("Flux ignores insecure-skip-tls-verify and would refuse the certificate")
                .hint("put the certificate authority into the context: kubectl config set-cluster NAME --certificate-authority=FILE --embed-certs"));
        }
        let certificate_authority_data = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
            (Some(data), _) => Some(data.clone()),
            (None, Some(file)) => {
                let pem = read_file(file).map_err(|error| {
                    Error::usage(format!("cannot read {file}, the certificate authority of the context `{context}`"))
                        .because(error)
                })?;
                Some(base64(&pem))
            }
            (None, None) => None,
        };
        Ok(Self {
            server,
            certificate_authority_data,
            tls_server_name: cluster.tls_server_name.clone(),
            proxy_url: cluster.proxy_url.clone(),
        })
    }

    /// Builds the kubeconfig for `user` with a bearer token.
    #[must_use]
    pub fn kubeconfig(&self, run_cluster: &str, user: &str, token: &SecretString) -> SecretString {
        let mut cluster = json!({"server": self.server});
        let optional = [
            ("certificate-authority-data", &self.certificate_authority_data),
            ("tls-server-name", &self.tls_server_name),
            ("proxy-url", &self.proxy_url),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                cluster[key] = json!(value);
            }
        }
        // JSON is YAML, and needs no quoting rules.
        document_of(run_cluster, user, &cluster, &json!({"token": token.expose_secret()})).to_string().into()
    }
}

/// Writes the kubeconfig of one cluster and one user.
pub(super) fn document_of(cluster_name: &str, user_name: &str, cluster: &Value, user: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster_name, "cluster": cluster}],
        "users": [{"name": user_name, "user": user}],
        "contexts": [{"name": cluster_name, "context": {"cluster": cluster_name, "user": user_name}}],
        "current-context": cluster_name,
    })
}

fn cluster_of<'a>(kubeconfig: &'a Kubeconfig, context: &str) -> Option<&'a NamedCluster> {
    let name = &kubeconfig.contexts.iter().find(|entry| entry.name == context)?.context.as_ref()?.cluster;
    kubeconfig.clusters.iter().find(|entry| &entry.name == name)
}

/// What replaces parts of an endpoint; an empty text takes the part away.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EndpointOverrides {
    /// The URL of the API server.
    pub server: Option<String>,
    /// The proxy.
    pub proxy_url: Option<String>,
    /// The name in the server's certificate.
    pub tls_server_name: Option<String>,
    /// The certificates that sign the server's, as PEM.
    pub certificate_authority: Option<Vec<u8>>,
}

impl fmt::Debug for EndpointOverrides {
    /// Shows no more of the URLs than [`Endpoint`] does.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EndpointOverrides")
            .field("server", &self.server.as_ref().map(|server| shown(server)))
            .field("proxy_url", &self.proxy_url.is_some())
            .field("tls_server_name", &self.tls_server_name)
            .field("certificate_authority", &self.certificate_authority.is_some())
            .finish()
    }
}

impl EndpointOverrides {
    /// Checks each part as Flux would, so that nothing is stored that it refuses.
    pub fn check(&self) -> Result<()> {
        if let Some(server) = &self.server {
            let url = plain_url(server).filter(|url| url.scheme_str() == Some("https") && !has_login(url));
            if url.is_none() {
                return Err(Error::usage("invalid --flux-server: expected https://HOST:PORT, without credentials")
                    .because(
                        "Flux sends a credential only to https://, and a login in the URL would win over the token",
                    ));
            }
        }
        if let Some(proxy) = self.proxy_url.as_ref().filter(|proxy| !proxy.is_empty()) {
            if proxy.contains('@') {
                return Err(Error::usage("--flux-proxy-url must not contain credentials")
                    .because("other users of this machine can read the arguments of a command")
                    .hint("put the URL into the run cluster's context instead: `proxy-url` of its cluster entry"));
            }
            let url = plain_url(proxy);
            if !url.is_some_and(|url| matches!(url.scheme_str(), Some("http" | "https" | "socks5"))) {
                return Err(Error::usage(
                    "invalid --flux-proxy-url: expected http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT",
                ));
            }
        }
        if self.certificate_authority.as_deref().is_some_and(is_no_authority) {
            return Err(Error::usage("the file of --flux-certificate-authority contains no certificate")
                .hint("name a file with PEM blocks that begin with -----BEGIN CERTIFICATE-----"));
        }
        Ok(())
    }

    /// Returns the endpoint with the parts replaced.
    #[must_use]
    pub fn apply(&self, endpoint: Endpoint) -> Endpoint {
        let replaced = |given: &Option<String>, current: Option<String>| match given {
            Some(given) => Some(given.clone()).filter(|given| !given.is_empty()),
            None => current,
        };
        Endpoint {
            server: self.server.clone().unwrap_or(endpoint.server),
            certificate_authority_data: match &self.certificate_authority {
                Some(pem) => Some(base64(pem)),
                None => endpoint.certificate_authority_data,
            },
            tls_server_name: replaced(&self.tls_server_name, endpoint.tls_server_name),
            proxy_url: replaced(&self.proxy_url, endpoint.proxy_url),
        }
    }

    /// Tells whether nothing is replaced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Endpoint {
    /// Tells whether two endpoints are the same server: by host, port and path, and by a certificate authority of its own.
    ///
    /// A certificate authority alone says little: that of a company, or of a proxy before many clusters, signs for all of them. A
    /// public one is in no kubeconfig, and says nothing at all.
    #[must_use]
    pub fn is_same_server(&self, other: &Self) -> bool {
        self.certificate_authority_data.is_some()
            && self.certificate_authority_data == other.certificate_authority_data
            && self.leads_to(&other.server)
    }

    /// Tells whether the way ends at this URL, which may be written in another way.
    #[must_use]
    pub fn leads_to(&self, server: &str) -> bool {
        destination(&self.server).is_some() && destination(&self.server) == destination(server)
    }

    /// Tells whether the address is the machine's own: for a controller in a pod, that is the pod.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.proxy_url.as_ref().unwrap_or(&self.server))
    }
}

fn is_no_authority(pem: &[u8]) -> bool {
    matches!(check_authority(pem), Err(Problem::Refused(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::assert_printed;

    const KUBECONFIG: &str = "
current-context: admin
contexts: [{name: admin, context: {cluster: prod, user: me}}, {name: open, context: {cluster: insecure, user: me}}]
clusters:
- {name: prod, cluster: {server: 'https://prod.example:6443', certificate-authority: /ca.pem, tls-server-name: kubernetes}}
- {name: insecure, cluster: {server: 'https://open.example', insecure-skip-tls-verify: true}}
users: [{name: me, user: {exec: {command: login, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}}}]
";

    fn read() -> Kubeconfig {
        serde_yaml::from_str(KUBECONFIG).expect("the fixture is a kubeconfig")
    }

    #[test]
    fn only_what_flux_uses_is_written_and_files_are_taken_in() {
        let endpoint = Endpoint::of_context(&read(), None, |_| Ok(b"PEM".to_vec())).expect("the context is complete");
        let written = endpoint.kubeconfig("prod1", "deployer", &"fake-token".into());
        let document: Value = serde_json::from_str(written.expose_secret()).expect("it is JSON");
        assert_eq!(
            document["clusters"],
            json!([{"name": "prod1", "cluster": {
                "server": "https://prod.example:6443", "certificate-authority-data": "UEVN", "tls-server-name": "kubernetes",
            }}])
        );
        assert_eq!(document["users"], json!([{"name": "deployer", "user": {"token": "fake-token"}}]));
    }

    #[test]
    fn debugging_shows_no_password_of_a_url() {
        let endpoint = Endpoint {
            server: "https://me:fake-password@prod.example".to_owned(),
            certificate_authority_data: None,
            tls_server_name: None,
            proxy_url: Some("http://me:fake-password@proxy.example".to_owned()),
        };
        let shown = format!("{endpoint:?}");
        assert!(!shown.contains("fake-password") && shown.contains("proxy_url: true"), "{shown}");
        let overrides = EndpointOverrides {
            server: Some(endpoint.server),
            proxy_url: endpoint.proxy_url,
            ..EndpointOverrides::default()
        };
        let shown = format!("{overrides:?}");
        assert!(!shown.contains("fake-password") && shown.contains("proxy_url: true"), "{shown}");
    }

    #[test]
    fn an_unverified_server_is_refused() {
        let error = Endpoint::of_context(&read(), Some("open"), |_| Ok(Vec::new())).expect_err("Flux would refuse it");
        assert!(error.to_string().contains("does not verify"), "{error}");
    }

    fn endpoint(server: &str, proxy: Option<&str>) -> Endpoint {
        Endpoint {
            server: server.to_owned(),
            certificate_authority_data: Some("UEVN".to_owned()),
            tls_server_name: Some("kubernetes".to_owned()),
            proxy_url: proxy.map(str::to_owned),
        }
    }

    #[test]
    fn one_authority_may_sign_for_many_servers() {
        let ours = endpoint("https://prod.example:443/k8s/clusters/a", None);
        assert!(ours.is_same_server(&endpoint("https://PROD.example/k8s/clusters/a/", None)));
        for other in [
            "https://test.example/k8s/clusters/a",
            "https://prod.example:6443/k8s/clusters/a",
            "https://prod.example/k8s/clusters/b",
        ] {
            assert!(!ours.is_same_server(&endpoint(other, None)), "{other}");
        }
        let mut unsigned = endpoint("https://prod.example", None);
        unsigned.certificate_authority_data = None;
        assert!(!unsigned.is_same_server(&unsigned.clone()));
    }

    #[test]
    fn addresses_of_the_machine_itself_are_recognised() {
        for server in [
            "https://127.0.0.1:6443",
            "https://127.8.9.10",
            "https://[::1]:6443",
            "https://localhost:6443/path",
            "https://LOCALHOST.",
            "https://kind.localhost",
            "https://0.0.0.0:6443",
            "https://[::]:6443",
            "localhost:8080",
        ] {
            assert!(endpoint(server, None).is_loopback(), "{server}");
        }
        for server in ["https://128.0.0.1", "https://[fd00::1]:6443", "https://localhost.example:6443", "https://prod1"]
        {
            assert!(!endpoint(server, None).is_loopback(), "{server}");
        }
    }

    #[test]
    fn with_a_proxy_the_way_begins_there() {
        assert!(endpoint("https://prod1", Some("socks5://127.0.0.1:1080")).is_loopback());
        assert!(!endpoint("https://127.0.0.1:6443", Some("http://proxy.example:3128")).is_loopback());
    }

    #[test]
    fn an_empty_text_takes_a_part_away_and_the_rest_stays() {
        let overrides = EndpointOverrides {
            server: Some("https://inner:6443".to_owned()),
            tls_server_name: Some(String::new()),
            ..EndpointOverrides::default()
        };
        let replaced = overrides.apply(endpoint("https://outer", Some("http://proxy")));
        let expected = Endpoint { tls_server_name: None, ..endpoint("https://inner:6443", Some("http://proxy")) };
        assert_eq!(replaced, expected);
        assert_eq!(EndpointOverrides::default().apply(expected.clone()), expected);
    }

    #[test]
    fn what_flux_would_refuse_is_refused() {
        let server = |server: &str| EndpointOverrides { server: Some(server.to_owned()), ..Default::default() }.check();
        assert!(server("https://10.0.0.1:6443/k8s/clusters/c-1").is_ok());
        for bad in ["", "10.0.0.1:6443", "http://10.0.0.1", "https://", "https://me:fake@host", "ftp://host"] {
            assert!(server(bad).is_err(), "{bad}");
        }
        let proxy = |proxy: &str| EndpointOverrides { proxy_url: Some(proxy.to_owned()), ..Default::default() }.check();
        for good in ["", "http://proxy:3128", "socks5://proxy"] {
            assert!(proxy(good).is_ok(), "{good}");
        }
        for bad in ["proxy:3128", "http://me:fake@proxy", "http://"] {
            let error = proxy(bad).expect_err(bad);
            assert!(!format!("{error:?}").contains("fake"), "{error:?}");
        }
        let overrides = EndpointOverrides { certificate_authority: Some(b"PEM".to_vec()), ..Default::default() };
        assert!(overrides.check().is_err());
    }

    #[test]
    fn flags_that_are_no_address_are_refused() {
        let refusal = |overrides: EndpointOverrides| overrides.check().expect_err("it cannot be used");
        let with_server =
            |server: &str| EndpointOverrides { server: Some(server.to_owned()), ..EndpointOverrides::default() };
        let with_proxy =
            |url: &str| EndpointOverrides { proxy_url: Some(url.to_owned()), ..EndpointOverrides::default() };
        assert_printed("invalid_server", &refusal(with_server("http://prod1.example")));
        assert_eq!(
            refusal(with_server("https://me:fake-password@prod1.example")).message(),
            refusal(with_server("http://prod1.example")).message()
        );
        assert_printed("credentials_in_proxy_url", &refusal(with_proxy("http://me:fake-password@proxy.example:3128")));
        assert_printed("invalid_proxy_url", &refusal(with_proxy("proxy.example:3128")));
    }
}
