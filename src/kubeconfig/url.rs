//! URLs as Go's `net/url` (1.26, `url.go`) reads and writes them, as far as client-go looks at them. Pure.
//!
//! client-go decides by the parsed URL whether a server is secure, and thus whether it gets any credential.

use std::net::Ipv6Addr;

use super::escape::{Part, escape, unescape, written};

/// A parsed URL; percent escapes are decoded, so parts are bytes.
#[derive(Default)]
pub(super) struct Url {
    pub(super) scheme: String,
    opaque: String,
    user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    host: Vec<u8>,
    path: Vec<u8>,
    /// The path as it was written.
    raw_path: String,
    has_query_mark: bool,
    query: String,
    fragment: Vec<u8>,
    raw_fragment: String,
    omits_host: bool,
}

/// Whether a URL is read for itself or from a request line, which has no fragment and is never relative.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Any,
    Request,
}

impl Url {
    /// Parses a URL, perhaps a relative one (`url.Parse`).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut url = Self::parse_form(rest, Form::Any)?;
        url.fragment = unescape(fragment, Part::Fragment)?;
        fragment.clone_into(&mut url.raw_fragment);
        Some(url)
    }

    /// Finds the URL that requests to a server go to; without a scheme that is plain HTTP (client-go
    /// `rest/url_utils.go`, `DefaultServerURL`, before any certificate is known).
    pub(super) fn of_server(server: &str) -> Option<Self> {
        if let Some(url) = Self::parse(server).filter(|url| !url.scheme.is_empty() && !url.host.is_empty()) {
            return Some(url);
        }
        Self::parse(&format!("http://{server}")).filter(|url| url.path.is_empty() || url.path == b"/")
    }

    /// Writes a server as client-go keeps it: a URL with a path loses its query (`clientcmd/client_config.go`,
    /// `ClientConfig`), everything else stays.
    pub(super) fn normalised_server(server: &str) -> String {
        match Self::parse_form(server, Form::Request) {
            Some(mut url) if url.opaque.is_empty() && url.path.len() > 1 => {
                url.query.clear();
                url.to_text()
            }
            _ => server.to_owned(),
        }
    }

    /// Returns whether requests have somewhere to go; a port needs no host, but it must be there (`net/http`,
    /// `removeEmptyPort`).
    pub(super) fn has_host(&self) -> bool {
        !matches!(self.host.as_slice(), b"" | b":")
    }

    /// Returns the host without the port, and an IPv6 address without brackets and zone.
    pub(super) fn host_name(&self) -> Option<String> {
        let host = std::str::from_utf8(&self.host).ok()?;
        let name = match host.strip_prefix('[') {
            Some(address) => address.split([']', '%']).next()?,
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        Some(name.to_owned()).filter(|name| !name.is_empty())
    }

    /// Returns where requests go: host, port and path; names of hosts are the same in lower and upper case.
    pub(super) fn destination(&self) -> Option<(String, String, Vec<u8>)> {
        let host = std::str::from_utf8(&self.host).ok()?;
        let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty() && !port.contains(']'));
        let port = port.unwrap_or(if self.scheme == "https" { "443" } else { "80" });
        let end = self.path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        Some((self.host_name()?.to_ascii_lowercase(), port.to_owned(), self.path[..end].to_vec()))
    }

    /// Returns whether the URL carries a user name or password of its own.
    pub(super) fn has_user(&self) -> bool {
        self.user.is_some()
    }

    fn parse_form(text: &str, form: Form) -> Option<Self> {
        let is_refused =
            text.bytes().any(|byte| byte < b' ' || byte == 0x7f) || (text.is_empty() && form == Form::Request);
        if is_refused {
            return None;
        }
        let mut url = Self::default();
        if text == "*" {
            url.path = b"*".to_vec();
            return Some(url);
        }
        let (scheme, rest) = split_scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let rest = match rest.split_once('?') {
            Some((rest, "")) => {
                url.has_query_mark = true;
                rest
            }
            Some((rest, query)) => {
                query.clone_into(&mut url.query);
                rest
            }
            None => rest,
        };
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                rest.clone_into(&mut url.opaque);
                return Some(url);
            }
            if form == Form::Request || rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
                return None;
            }
        }
        let may_have_host = !url.scheme.is_empty() || (form == Form::Any && !rest.starts_with("///"));
        let path = match rest.strip_prefix("//") {
            Some(rest) if may_have_host => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                url.read_authority(authority)?;
                path
            }
            _ => {
                url.omits_host = !url.scheme.is_empty() && rest.starts_with('/');
                rest
            }
        };
        url.path = unescape(path, Part::Path)?;
        path.clone_into(&mut url.raw_path);
        Some(url)
    }

    fn read_authority(&mut self, authority: &str) -> Option<()> {
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        self.host = read_host(&self.scheme, host)?;
        if let Some(user) = user {
            let is_valid =
                user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte));
            if !is_valid {
                return None;
            }
            let (name, password) = match user.split_once(':') {
                Some((name, password)) => (name, Some(unescape(password, Part::User)?)),
                None => (user, None),
            };
            self.user = Some((unescape(name, Part::User)?, password));
        }
        Some(())
    }

    /// Writes the URL (`URL.String`).
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        if !self.scheme.is_empty() {
            text = format!("{}:", self.scheme);
        }
        if self.opaque.is_empty() {
            if !self.omits_host && (!self.scheme.is_empty() || !self.host.is_empty() || self.user.is_some()) {
                if !self.host.is_empty() || !self.path.is_empty() || self.user.is_some() {
                    text.push_str("//");
                }
                if let Some((name, password)) = &self.user {
                    text.push_str(&escape(name, Part::User));
                    if let Some(password) = password {
                        text.push(':');
                        text.push_str(&escape(password, Part::User));
                    }
                    text.push('@');
                }
                text.push_str(&escape(&self.host, Part::Host));
            }
            text.push_str(&written(&self.path, &self.raw_path, Part::Path));
        } else {
            text.push_str(&self.opaque);
        }
        if self.has_query_mark || !self.query.is_empty() {
            text.push('?');
            text.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            text.push('#');
            text.push_str(&written(&self.fragment, &self.raw_fragment, Part::Fragment));
        }
        text
    }
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' => return (index > 0).then(|| (&text[..index], &text[index + 1..])),
            _ => break,
        }
    }
    Some(("", text))
}

fn read_host(scheme: &str, host: &str) -> Option<Vec<u8>> {
    match host.rfind('[') {
        Some(0) => {
            let (address, port) = host[1..].rsplit_once(']')?;
            let (address, zone) = address.split_at(address.find("%25").unwrap_or(address.len()));
            let mut inner = unescape(address, Part::Host)?;
            inner.extend(unescape(zone, Part::Zone)?);
            let text = std::str::from_utf8(&inner).ok()?;
            let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
            let is_address = address.parse::<Ipv6Addr>().is_ok() && zone != Some("");
            (is_port(port) && is_address).then(|| format!("[{text}]{port}").into_bytes())
        }
        Some(_) => None,
        None => {
            // Only these two insist on one colon (https://go.dev/issue/75223).
            let colon = if matches!(scheme, "http" | "https") { host.find(':') } else { host.rfind(':') };
            colon.is_none_or(|colon| is_port(&host[colon..])).then_some(())?;
            unescape(host, Part::Host)
        }
    }
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}
