//! Flux's way to an API server where it is not the user's own: what flags say about it, and where it cannot lead. Pure.

use std::net::IpAddr;

use super::url::Url;
use super::{Endpoint, base64, certificate};
use crate::error::{Error, Result};

/// What replaces parts of an endpoint; an empty text takes the part away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointOverrides {
    /// The URL of the API server.
    pub server: Option<String>,
    /// The proxy on the way.
    pub proxy_url: Option<String>,
    /// The name in the server's certificate.
    pub tls_server_name: Option<String>,
    /// The certificates that sign the server's, as PEM.
    pub certificate_authority: Option<Vec<u8>>,
}

impl EndpointOverrides {
    /// Checks each part as Flux would, so that nothing is stored that it refuses.
    pub fn check(&self) -> Result<()> {
        if let Some(server) = &self.server {
            let url = Url::parse(server).filter(|url| url.scheme == "https" && url.has_host() && !url.has_user());
            if url.is_none() {
                return Err(Error::usage("--server is no address of an API server")
                    .because(
                        "Flux sends a credential only to https://, and a login in the URL would win over the token",
                    )
                    .hint("write it as https://HOST:PORT"));
            }
        }
        if let Some(proxy) = self.proxy_url.as_ref().filter(|proxy| !proxy.is_empty()) {
            let url = Url::parse(proxy)
                .filter(|url| matches!(url.scheme.as_str(), "http" | "https" | "socks5") && url.has_host())
                .ok_or_else(|| {
                    Error::usage("--proxy-url is no address of a proxy")
                        .hint("write it as http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")
                })?;
            if url.has_user() {
                return Err(Error::usage("--proxy-url holds a login")
                    .because("other users of this machine can read the arguments of a command")
                    .hint("put the URL into the run cluster's context instead: `proxy-url` of its cluster entry"));
            }
        }
        if self.certificate_authority.as_ref().is_some_and(|pem| !certificate::has_authority(pem)) {
            return Err(Error::usage("the file of --certificate-authority holds no certificate authority")
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
                Some(pem) => Some(base64::encode(pem)),
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
    /// Tells whether two ways end at the same server: by host, port and path, and by a certificate authority of its own.
    ///
    /// An authority alone says little: that of a company, or of a proxy before many clusters, signs for all of them. A
    /// public one is in no kubeconfig, and says nothing at all.
    #[must_use]
    pub fn is_same_server(&self, other: &Self) -> bool {
        let destination = |endpoint: &Self| Url::of_server(&endpoint.server).and_then(|url| url.destination());
        self.certificate_authority_data.is_some()
            && self.certificate_authority_data == other.certificate_authority_data
            && destination(self).is_some()
            && destination(self) == destination(other)
    }

    /// Tells whether the way begins at the machine itself: for a controller in a pod, that is the pod.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let first = self.proxy_url.as_ref().unwrap_or(&self.server);
        Url::of_server(first).and_then(|url| url.host_name()).is_some_and(|host| is_loopback(&host))
    }
}

fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback() || address.is_unspecified();
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
