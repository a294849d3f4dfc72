//! URLs of proxies as Go reads them (`net/url`, `Parse`, and `net`, `SplitHostPort`, of Go 1.26). Pure.
//!
//! The `http` crate refuses host names with an underscore and passwords with some marks, and keeps escapes.

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

/// The parts of a URL that say where a proxy is and who logs in there.
pub(super) struct GoUrl {
    /// In lower case; empty where there is none.
    pub(super) scheme: String,
    /// Host and port, without the login; empty where there is none.
    pub(super) authority: String,
    pub(super) login: Option<(String, SecretString)>,
}

impl GoUrl {
    /// Reads a URL; `None` where Go refuses it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        unescaped(fragment)?;
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return None;
        }
        let (scheme, rest) = split_scheme(text)?;
        let scheme = scheme.to_ascii_lowercase();
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        let nothing = |scheme| Some(Self { scheme, authority: String::new(), login: None });
        if !rest.starts_with('/') {
            if !scheme.is_empty() {
                // What follows is opaque: `proxy:3128`.
                return nothing(scheme);
            }
            unescaped(rest)?;
            // The first part of a relative path must not look like a scheme.
            return if rest.split('/').next().unwrap_or_default().contains(':') { None } else { nothing(scheme) };
        }
        let Some(rest) = rest.strip_prefix("//").filter(|rest| !scheme.is_empty() || !rest.starts_with('/')) else {
            unescaped(rest)?;
            return nothing(scheme);
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        unescaped(path)?;
        let (login, authority) = match authority.rsplit_once('@') {
            Some((login, authority)) => (Some(login), authority),
            None => (None, authority),
        };
        let authority = host_of(authority)?;
        let login = match login {
            Some(login) => {
                let is_usual =
                    |character: char| character.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(character);
                if !login.chars().all(is_usual) {
                    return None;
                }
                let (name, password) = login.split_once(':').unwrap_or((login, ""));
                Some((unescaped(name)?, SecretString::from(unescaped(password)?)))
            }
            None => None,
        };
        Some(Self { scheme, authority, login })
    }

    /// Returns the host without brackets, and the port, which may be empty.
    pub(super) fn host_and_port(&self) -> (&str, &str) {
        let authority = self.authority.as_str();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
            _ => (authority, ""),
        };
        (host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host), port)
    }
}

/// Splits the scheme off; `None` where it is empty in front of its colon.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    for (index, character) in text.char_indices() {
        match character {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if index > 0 => {}
            ':' if index == 0 => return None,
            ':' => return Some((&text[..index], &text[index + 1..])),
            _ => break,
        }
    }
    Some(("", text))
}

/// Reads host and port, and takes the escapes out.
fn host_of(authority: &str) -> Option<String> {
    let port = match authority.rfind('[') {
        Some(0) => &authority[authority.rfind(']')? + 1..],
        Some(_) => return None,
        None => authority.find(':').map_or("", |colon| &authority[colon..]),
    };
    let is_port =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    if !is_port {
        return None;
    }
    let is_usual = |character: char| {
        !character.is_ascii() || character.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"%".contains(character)
    };
    // Of ASCII, nothing may be escaped in a host.
    let escapes = authority.split('%').skip(1);
    let is_ascii = |escape: &str| escape.bytes().next().is_none_or(|digit| digit < b'8');
    if !authority.chars().all(is_usual) || escapes.clone().any(is_ascii) {
        return None;
    }
    let host = unescaped(authority)?;
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.split(']').next())
        && address.parse::<std::net::Ipv6Addr>().is_err()
    {
        return None;
    }
    Some(host)
}

/// Takes escapes out; `None` where one is no number.
fn unescaped(text: &str) -> Option<String> {
    let is_number = |escape: &str| escape.len() >= 2 && escape.bytes().take(2).all(|digit| digit.is_ascii_hexdigit());
    text.split('%').skip(1).all(is_number).then(|| percent_decode_str(text).decode_utf8_lossy().into_owned())
}

/// Splits host and port, and takes the brackets off; `None` where there is no port.
pub(super) fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let colon = text.rfind(':')?;
    let (host, rest) = match text.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']')?;
            (host, after.strip_prefix(':').filter(|port| !port.contains(':'))?)
        }
        None => (&text[..colon], &text[colon + 1..]),
    };
    let is_bracketed = text.starts_with('[');
    let is_odd = (!is_bracketed && host.contains(':'))
        || host.contains('[')
        || (!is_bracketed && host.contains(']'))
        || rest.contains(['[', ']']);
    (!is_odd).then_some((host, rest))
}
