//! URLs as the `http` crate reads them, and which of them Go reads alike. Pure.

use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

/// Reads a URL of nothing but scheme, login, host, port and path, none of them escaped or odd.
///
/// Go's `net/url` and client-go make the same of such a URL, and keep it as it is written. `None` for all others: what
/// Flux makes of them cannot be told.
pub(super) fn plain_url(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let (login, address) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
    let is_simple = |text: &str, others: &[u8]| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || others.contains(&byte))
    };
    let (name, password) = login.map_or(("login", ""), |login| login.split_once(':').unwrap_or((login, "")));
    let (host, port) = match address.split_once(']') {
        Some((host, port)) => (host, port),
        None => address.split_at(address.find(':').unwrap_or(address.len())),
    };
    let is_host = match host.strip_prefix('[') {
        Some(host) => host.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && is_simple(host, b"") && !address.contains(']'),
    };
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok());
    let is_plain = !name.is_empty()
        && is_simple(name, b"")
        && is_simple(password, b"")
        && is_host
        && is_port
        && uri.query().is_none()
        && is_simple(uri.path(), b"/:");
    // The crate drops what follows a hash, and writes some schemes in lower case.
    let rest = text.strip_prefix(uri.scheme_str().unwrap_or_default())?;
    let is_whole = match uri.scheme() {
        Some(scheme) => {
            let scheme = scheme.as_str();
            scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                && rest.strip_prefix("://").and_then(|rest| rest.strip_prefix(authority)).is_some_and(is_path_of(&uri))
        }
        None => text == authority,
    };
    (is_plain && is_whole).then_some(uri)
}

fn is_path_of(uri: &Uri) -> impl Fn(&str) -> bool {
    |path| path == uri.path() || (path.is_empty() && uri.path() == "/")
}

/// Tells whether a URL carries a user name or password of its own.
pub(crate) fn has_login(url: &Uri) -> bool {
    url.authority().is_some_and(|authority| authority.as_str().contains('@'))
}

/// Returns where requests to a URL go: host, port and path; names of hosts are the same in lower and upper case.
pub(super) fn destination(url: &str) -> Option<(String, u16, String)> {
    let uri: Uri = url.parse().ok()?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    Some((uri.host()?.to_ascii_lowercase(), port, uri.path().trim_end_matches('/').to_owned()))
}

/// Tells whether a URL names the machine itself.
pub(super) fn is_loopback(url: &str) -> bool {
    let Some(host) = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_ascii_lowercase)) else {
        return false;
    };
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return address.is_loopback() || address.is_unspecified();
    }
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_url_has_nothing_that_readers_differ_in() {
        for plain in [
            "https://prod.example",
            "https://prod.example/",
            "https://prod.example:6443/k8s/clusters/c-1",
            "https://[fd00::1]:6443",
            "http://fake-user:fake-password@proxy.example:3128",
            "socks5://proxy.example",
            "prod.example:6443",
            "10.0.0.1",
        ] {
            assert!(plain_url(plain).is_some(), "{plain}");
        }
        for odd in [
            "",
            "/",
            "*",
            "https://",
            "https:prod.example",
            "HTTPS://prod.example",
            "https://prod example",
            "https://prod.example?",
            "https://prod.example/?query=1",
            "https://prod.example#part",
            "https://prod.example/%2f",
            "https://prod.example:port",
            "https://prod.example:",
            "https://prod.example:1:2",
            "https://[10.0.0.1]",
            "https://[fd00::1%25eth0]",
            "https://a@b@c",
            "https://:@c",
            "https://fake:fake%2Fpassword@c",
            "prod.example/path",
        ] {
            assert!(plain_url(odd).is_none(), "{odd}");
        }
    }
}
