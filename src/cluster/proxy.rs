//! Which proxy the way to a server leads through, by the rules of Go's programs. Pure; the environment is read once.
//!
//! They are those of golang.org/x/net `http/httpproxy/proxy.go` (v0.53), of k8s.io/apimachinery `pkg/util/net/http.go`
//! (`NewProxierWithNoProxyCIDR`, v0.36) and, for `proxy-url` of a kubeconfig, of client-go `clientcmd/client_config.go`.
//! hyper-util's matcher goes by curl's: `NO_PROXY` has no ports there, `.example` names `example` itself as well, `ALL_PROXY`
//! counts, and a server on the machine itself is no exception. How a connection is made is not here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use http::Uri;
use secrecy::SecretString;

use super::go_url::{GoUrl, split_host_port};

/// A proxy, and what it asks for.
#[derive(Clone)]
pub struct Proxy {
    /// How it is spoken to: `http`, `https`, `socks5` or `socks5h`; Go takes what is none of these for `http`.
    pub scheme: String,
    /// Its name or address, an IPv6 one without brackets.
    pub host: String,
    /// Its port; that of the scheme where the URL has none.
    pub port: String,
    /// Who logs in there.
    pub login: Option<(String, SecretString)>,
    /// What it was named by, such as `HTTPS_PROXY`.
    pub named_by: &'static str,
}

impl fmt::Display for Proxy {
    /// Shows the address without the login.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = self.host.contains(':');
        let (open, close) = if bracketed { ("[", "]") } else { ("", "") };
        write!(formatter, "{}://{open}{}{close}:{}", self.scheme, self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self} ({})", self.named_by)
    }
}

impl Proxy {
    /// Reads the `proxy-url` of a kubeconfig; the error says what is wrong without showing the URL, which may hold a password.
    pub fn of_kubeconfig(text: &str) -> Result<Self, &'static str> {
        let url = GoUrl::parse(text).ok_or("it is no URL")?;
        if !matches!(url.scheme.as_str(), "http" | "https" | "socks5") {
            return Err("its scheme is none of http, https and socks5");
        }
        Ok(Self::of(url, "proxy-url of the kubeconfig"))
    }

    /// Reads a variable of the environment. Go ignores one that is no URL, and takes a mere address for one with `http`.
    fn of_environment(text: &str, named_by: &'static str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let url = GoUrl::parse(text);
        let is_whole = url.as_ref().is_some_and(|url| !url.scheme.is_empty() && !url.authority.is_empty());
        let completed = if is_whole { None } else { GoUrl::parse(&format!("http://{text}")) };
        completed.or(url).map(|url| Self::of(url, named_by))
    }

    fn of(url: GoUrl, named_by: &'static str) -> Self {
        let (host, port) = url.host_and_port();
        let port = match (port, url.scheme.as_str()) {
            ("", scheme) => default_port(scheme),
            (port, _) => port,
        };
        let (host, port) = (host.to_owned(), port.to_owned());
        Self { scheme: url.scheme, host, port, login: url.login, named_by }
    }
}

fn default_port(scheme: &str) -> &'static str {
    match scheme {
        "http" => "80",
        "https" => "443",
        "socks5" | "socks5h" => "1080",
        _ => "",
    }
}

/// The rules of an environment.
#[derive(Clone, Debug, Default)]
pub struct ProxyRules {
    http: Option<Proxy>,
    https: Option<Proxy>,
    exempts_all: bool,
    /// Read as apimachinery does: without trimming, and with zeros in front of numbers.
    loose_networks: Vec<Network>,
    networks: Vec<Network>,
    addresses: Vec<(IpAddr, String)>,
    domains: Vec<Domain>,
}

#[derive(Clone, Copy, Debug)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A domain of `NO_PROXY`, and the port it is limited to.
#[derive(Clone, Debug)]
struct Domain {
    /// With a dot in front.
    suffix: String,
    includes_itself: bool,
    port: String,
}

impl ProxyRules {
    /// Reads the variables of the environment, in upper case or else in lower case.
    #[must_use]
    pub fn of_environment() -> Self {
        let first = |names: [&str; 2]| {
            let values = names.into_iter().filter_map(|name| std::env::var(name).ok());
            values.into_iter().find(|value| !value.is_empty()).unwrap_or_default()
        };
        Self::new(
            &first(["HTTP_PROXY", "http_proxy"]),
            &first(["HTTPS_PROXY", "https_proxy"]),
            &first(["NO_PROXY", "no_proxy"]),
        )
    }

    /// Reads the values of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    #[must_use]
    pub fn new(http: &str, https: &str, no: &str) -> Self {
        let mut rules = Self {
            http: Proxy::of_environment(http, "HTTP_PROXY"),
            https: Proxy::of_environment(https, "HTTPS_PROXY"),
            loose_networks: no.split(',').filter_map(|entry| Network::parse(entry, loose_address)).collect(),
            ..Self::default()
        };
        for entry in no.split(',') {
            rules.exempt(&entry.trim().to_lowercase());
        }
        rules
    }

    fn exempt(&mut self, entry: &str) {
        if entry == "*" {
            self.exempts_all = true;
            return;
        }
        if let Some(network) = Network::parse(entry, |text| text.parse().ok()) {
            self.networks.push(network);
            return;
        }
        let (host, port) = split_host_port(entry).unwrap_or((entry, ""));
        if let Ok(address) = host.parse::<IpAddr>() {
            self.addresses.push((address.to_canonical(), port.to_owned()));
            return;
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        if host.is_empty() {
            return;
        }
        let includes_itself = !host.starts_with('.');
        let suffix = if includes_itself { format!(".{host}") } else { host.to_owned() };
        self.domains.push(Domain { suffix, includes_itself, port: port.to_owned() });
    }

    /// Returns the proxy on the way to a server, if there is one.
    #[must_use]
    pub fn proxy_for(&self, server: &Uri) -> Option<&Proxy> {
        let (proxy, port) = match server.scheme_str() {
            Some("https") => (self.https.as_ref()?, "443"),
            Some("http") => (self.http.as_ref()?, "80"),
            _ => return None,
        };
        let host = server.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = server.port().map_or_else(|| port.to_owned(), |port| port.as_str().to_owned());
        (!self.is_exempt(host, &port)).then_some(proxy)
    }

    fn is_exempt(&self, host: &str, port: &str) -> bool {
        let is_in = |networks: &[Network], address: IpAddr| networks.iter().any(|network| network.contains(address));
        if loose_address(host).is_some_and(|address| is_in(&self.loose_networks, address)) {
            return true;
        }
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        if self.exempts_all || host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        let is_port = |limit: &str| limit.is_empty() || limit == port;
        let is_address = address.is_some_and(|address| {
            is_in(&self.networks, address)
                || self.addresses.iter().any(|(known, limit)| *known == address && is_port(limit))
        });
        let host = host.to_lowercase();
        is_address
            || self.domains.iter().any(|domain| {
                let has_suffix = host.ends_with(&domain.suffix);
                let is_itself = domain.includes_itself && host == domain.suffix[1..];
                (has_suffix || is_itself) && is_port(&domain.port)
            })
    }
}

impl Network {
    fn parse(text: &str, parse_address: impl Fn(&str) -> Option<IpAddr>) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address = parse_address(address)?;
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let prefix: u8 = prefix.parse().ok()?;
        match (address, address.to_canonical()) {
            (IpAddr::V4(_), _) if prefix > 32 => None,
            (IpAddr::V6(_), _) if prefix > 128 => None,
            // An IPv4 network in the notation of IPv6.
            (IpAddr::V6(_), canonical @ IpAddr::V4(_)) if prefix >= 96 => {
                Some(Self { address: canonical, prefix: prefix - 96 })
            }
            _ => Some(Self { address, prefix }),
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or_default();
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or_default();
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// Reads an address whose numbers may have zeros in front, as Go did once (k8s.io/utils `net/parse.go`, `ParseIPSloppy`).
fn loose_address(text: &str) -> Option<IpAddr> {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != 4 || parts.iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_digit())) {
        return text.parse().ok();
    }
    let octets: Vec<u8> = parts.iter().filter_map(|part| part.parse::<u8>().ok()).collect();
    <[u8; 4]>::try_from(octets).ok().map(|octets| IpAddr::V4(Ipv4Addr::from(octets)))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_login_is_not_shown() {
        let url = "http://me:fake-password@proxy.example:3128";
        let rules = ProxyRules::new(url, url, "");
        assert!(!format!("{rules:?}").contains("fake-password"));
        let proxy = Proxy::of_kubeconfig(url).expect("a proxy");
        assert_eq!(proxy.to_string(), "http://proxy.example:3128");
        let (user, password) = proxy.login.as_ref().expect("a login");
        assert_eq!((user.as_str(), password.expose_secret()), ("me", "fake-password"));
        for bad in ["ftp://me:fake-password@proxy", "proxy:3128", "http://me:fake password@proxy"] {
            assert!(Proxy::of_kubeconfig(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_on_the_machine_itself_is_reached_directly() {
        let proxies = |no: &str, server: &str| {
            let rules = ProxyRules::new("", "proxy:3128", no);
            rules.proxy_for(&server.parse().expect("a URL")).map(ToString::to_string)
        };
        for no in ["", "127.0.0.1", "localhost,", "127.0.0.0/8"] {
            for server in ["https://127.0.0.1:6443", "https://localhost:6443", "https://[::1]"] {
                assert_eq!(proxies(no, server), None, "{no} {server}");
            }
            let proxy = Some("http://proxy:3128".to_owned());
            assert_eq!(proxies(no, "https://prod.example:6443"), proxy);
            assert_eq!(proxies(no, "http://prod.example"), None);
        }
    }
}
