//! The address of a Git repository; a user name and a password that it carries are kept apart from what is shown.
//!
//! Pure. What becomes of them, and how credentials reach `git`, lives in `super::credentials`.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

/// The URL of a repository, wherever it comes from: a flag, a GitRepository, or a message of `git`.
///
/// What [`fmt::Display`] writes is also what `git` is given: without the user name and password of an HTTP URL, and without
/// the password of any other.
#[derive(Clone)]
pub struct GitUrl {
    /// Without `://`; empty where the text has none.
    scheme: String,
    /// The user of an SSH URL, which is no secret.
    ssh_user: Option<String>,
    /// The host with its port; where there is no scheme, all of it.
    host: String,
    /// What follows the host, from its first slash.
    path: String,
    /// The user name of any other URL, where tokens are often put.
    username: Option<SecretString>,
    password: Option<SecretString>,
}

impl fmt::Display for GitUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(formatter, "{}://", self.scheme)?;
        }
        if let Some(user) = &self.ssh_user {
            write!(formatter, "{user}@")?;
        }
        write!(formatter, "{}{}", self.host, self.path)
    }
}

impl fmt::Debug for GitUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.to_string())
    }
}

impl GitUrl {
    /// Takes a URL apart; nothing is refused, because a message about a bad URL must not show its password either.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let Some((scheme, rest)) = text.split_once("://") else {
            // Without a scheme, what stands before an @ may still be `user:secret`.
            let (userinfo, place) = match text.rsplit_once('@') {
                Some((userinfo, place)) if userinfo.contains(':') => (Some(userinfo), place),
                _ => (None, text),
            };
            return Self::of_parts("", userinfo, place, "");
        };
        let (authority, path) = rest.split_at(end_of_authority(rest));
        let (userinfo, host) =
            authority.rsplit_once('@').map_or((None, authority), |(userinfo, host)| (Some(userinfo), host));
        Self::of_parts(scheme, userinfo, host, path)
    }

    fn of_parts(scheme: &str, userinfo: Option<&str>, host: &str, path: &str) -> Self {
        let user = userinfo.map(|userinfo| userinfo.split_once(':').map_or(userinfo, |(user, _)| user));
        let password = userinfo.and_then(|userinfo| userinfo.split_once(':')).map(|(_, password)| password);
        let is_ssh = scheme == "ssh";
        Self {
            scheme: scheme.to_owned(),
            ssh_user: user.filter(|_| is_ssh).map(str::to_owned),
            host: host.to_owned(),
            path: path.to_owned(),
            username: user.filter(|_| !is_ssh).map(SecretString::from),
            password: password.map(SecretString::from),
        }
    }

    /// Checks the URL by what Flux accepts, and that it holds no secret.
    pub fn check(&self) -> Result<()> {
        if self.scheme.is_empty() {
            return Err(self.without_scheme());
        }
        if !matches!(self.scheme.as_str(), "https" | "http" | "ssh") {
            return Err(Error::usage(format!("Flux cannot fetch {self}"))
                .because("a repository URL starts with https://, http:// or ssh://")
                .hint("use the https:// or ssh:// URL of the repository"));
        }
        let is_blank = |character: char| character.is_whitespace() || character.is_control();
        let begins_like_an_option = |text: &String| text.starts_with('-');
        if self.host.is_empty()
            || self.host.starts_with(['-', ':'])
            || self.ssh_user.as_ref().is_some_and(begins_like_an_option)
            || self.to_string().contains(is_blank)
        {
            return Err(Error::usage(format!("{self} is not the URL of a repository"))
                .hint("copy the https:// or ssh:// URL from the page of the repository"));
        }
        // A token is often put where the user name belongs.
        if self.username.is_some() {
            return Err(Error::usage(format!("the URL {self} must not hold a user name or password"))
                .because("URLs are stored on the cluster and printed; a secret in one is no secret")
                .hint("give the URL without it, and use --git-username and --git-password-file, or GIT_USERNAME and GIT_PASSWORD"));
        }
        if self.password.is_some() {
            return Err(Error::usage(format!("the URL {self} must not hold a password"))
                .hint("use an SSH key, which `ssh` finds by itself"));
        }
        Ok(())
    }

    fn without_scheme(&self) -> Error {
        let error = Error::usage(format!("{self} is not a URL that Flux can fetch"))
            .because("a repository URL starts with https://, http:// or ssh://");
        // The short form of scp: [user@]host:path, without a slash before the colon.
        match self.host.split_once(':') {
            Some((host, path))
                if !host.is_empty() && !host.contains('/') && !path.contains('@') && !path.is_empty() =>
            {
                error.hint(format!("write it as ssh://{host}/{}", path.trim_start_matches('/')))
            }
            _ => error.hint("use the https:// or ssh:// URL of the repository"),
        }
    }

    /// Tells whether user names and passwords apply.
    #[must_use]
    pub fn is_http(&self) -> bool {
        ["http", "https"].iter().any(|scheme| self.scheme.eq_ignore_ascii_case(scheme))
    }

    /// Tells whether certificates apply.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("https")
    }

    /// Tells whether SSH keys apply.
    #[must_use]
    pub fn is_ssh(&self) -> bool {
        self.scheme == "ssh"
    }

    /// Returns the user name that an HTTP URL carries, which may be a token.
    pub(super) fn username(&self) -> Option<SecretString> {
        self.username.as_ref().filter(|_| self.is_http()).map(|name| decoded(name.expose_secret()).into())
    }

    /// Returns the password that an HTTP URL carries.
    pub(super) fn password(&self) -> Option<SecretString> {
        self.password.as_ref().filter(|_| self.is_http()).map(|password| decoded(password.expose_secret()).into())
    }

    /// Returns scheme and host, as `git` matches them in its configuration.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.host)
    }

    /// Returns the host with its port, or all of it where there is no host.
    #[must_use]
    pub fn host(&self) -> String {
        if self.host.is_empty() { self.to_string() } else { self.host.clone() }
    }

    /// Returns the command that tries to log in at the host of an SSH URL.
    pub(super) fn ssh_command(&self) -> String {
        let user = self.ssh_user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        match self.host_and_port() {
            (host, Some(port)) => format!("ssh -T -p {port} {user}{host}"),
            (host, None) => format!("ssh -T {user}{host}"),
        }
    }

    /// Returns the host without brackets, and the port where one is given.
    pub(super) fn host_and_port(&self) -> (&str, Option<&str>) {
        let (host, port) = match self.host.rsplit_once(':').filter(|(_, port)| is_port(port)) {
            Some((host, port)) => (host, Some(port)),
            None => (self.host.as_str(), None),
        };
        (host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host), port)
    }

    /// Returns how `known_hosts` names the host of an SSH URL: with the port where it is not the usual one.
    pub(super) fn known_hosts_name(&self) -> String {
        match self.host_and_port() {
            (host, Some(port)) if port != "22" => format!("[{host}]:{port}"),
            (host, _) => host.to_owned(),
        }
    }

    /// Returns the command that prints the host keys of an SSH URL, as lines of `known_hosts`.
    #[must_use]
    pub fn keyscan_command(&self) -> String {
        match self.host_and_port() {
            (host, Some(port)) => format!("ssh-keyscan -p {port} {host}"),
            (host, None) => format!("ssh-keyscan {host}"),
        }
    }

    /// Returns where the repository is, however its URL is written: without scheme, user, `.git` and the last slash.
    #[must_use]
    pub fn place(&self) -> String {
        let (host, path) = self.host_and_path();
        let path = path.trim_matches('/');
        format!("{}/{}", host.to_ascii_lowercase(), path.strip_suffix(".git").unwrap_or(path))
    }

    /// Tells whether two URLs are most likely of one repository. Over SSH a server has another port than over HTTP.
    #[must_use]
    pub fn is_same_repository(&self, other: &Self) -> bool {
        let (one, another) = (self.place(), other.place());
        let without_port = |place: &str| match place.split_once('/') {
            Some((host, path)) => {
                let host = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(host, _)| host);
                format!("{host}/{path}")
            }
            None => place.to_owned(),
        };
        one == another || (self.is_http() != other.is_http() && without_port(&one) == without_port(&another))
    }

    /// Splits `host:path`, the short form of scp, as well; the usual ports are left out.
    fn host_and_path(&self) -> (&str, &str) {
        if self.scheme.is_empty() {
            let place = self.host.rsplit_once('@').map_or(self.host.as_str(), |(_, place)| place);
            return place.split_once(':').filter(|(host, _)| !host.contains('/')).unwrap_or(("", place));
        }
        let usual = match self.scheme.to_ascii_lowercase().as_str() {
            "https" => ":443",
            "http" => ":80",
            "ssh" => ":22",
            _ => "",
        };
        (self.host.strip_suffix(usual).unwrap_or(&self.host), &self.path)
    }
}

/// Removes the user names and passwords of all URLs from a text that others wrote, such as a message of `git` or Flux.
#[must_use]
pub fn without_credentials(text: &str) -> String {
    let is_end = |character: char| character.is_whitespace() || matches!(character, '\'' | '"' | '`' | '<' | '>');
    text.split_inclusive(is_end).fold(String::new(), |mut clean, word| {
        let Some(end) = word.find("://") else {
            clean.push_str(word);
            return clean;
        };
        let start = word[..end].rfind(|character: char| !character.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
        clean.push_str(&word[..start]);
        clean.push_str(&GitUrl::parse(&word[start..]).to_string());
        clean
    })
}

/// Finds where user, host and port end and the path begins.
fn end_of_authority(rest: &str) -> usize {
    let from = |start: usize| rest[start..].find(['/', '?', '#']).map_or(rest.len(), |end| start + end);
    let end = from(0);
    let has_odd_port = match rest[..end].rsplit_once(':') {
        Some((_, port)) => !rest[..end].contains('@') && !port.ends_with(']') && !is_port(port),
        None => false,
    };
    // What looks like a port that is none is the beginning of a password with a slash in it.
    if has_odd_port { rest.rfind('@').map_or(end, from) } else { end }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Decodes `%40` and its like; what is no such escape stays.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_that_flux_accepts() {
        for url in [
            "https://github.com/a/b",
            "http://10.0.0.1:3000/a/b.git",
            "ssh://git@host/a/b",
            "ssh://host:2222/a",
            "https://[::1]:8443/a",
            "https://[::1]/a@b",
        ] {
            GitUrl::parse(url).check().unwrap();
            assert_eq!(GitUrl::parse(url).to_string(), url);
        }
        for url in [
            "",
            "/a/b",
            "file:///a",
            "git://host/a",
            "HTTPS://host/a",
            "https:///a",
            "https://",
            "ssh://-oProxyCommand=x/a",
            "https://ho st/a",
            "ext::sh -c x",
            "https://host/a\n",
        ] {
            assert!(GitUrl::parse(url).check().is_err(), "{url:?}");
        }
    }

    #[test]
    fn secrets_in_urls_are_refused_and_never_shown() {
        for (url, shown) in [
            ("https://user:hunter2@host/a", "https://host/a"),
            ("https://hunter2@host/a", "https://host/a"),
            ("HTTPS://user:hunter2@host/a", "HTTPS://host/a"),
            ("https://user:p@hunter2@host/a", "https://host/a"),
            ("https://user:p/hunter2@host/a", "https://host/a"),
            ("ssh://git:hunter2@host/a", "ssh://git@host/a"),
            ("ftp://user:hunter2@host/a", "ftp://host/a"),
            ("user:hunter2@host/a", "host/a"),
            ("https://:hunter2@host/a", "https://host/a"),
            ("http://user:hunter2@/a", "http:///a"),
        ] {
            let parsed = GitUrl::parse(url);
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(format!("{parsed:?}"), format!("{shown:?}"));
            let error = parsed.check().unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn what_a_url_carries_is_decoded() {
        let url = GitUrl::parse("http://me%40here:p%2fa%zz@host:3000/a");
        let (username, password) = (url.username().unwrap(), url.password().unwrap());
        assert_eq!((username.expose_secret(), password.expose_secret()), ("me@here", "p/a%zz"));
        assert_eq!(url.origin(), "http://host:3000");
        assert!(GitUrl::parse("https://me@host/a").password().is_none());
        assert_eq!(GitUrl::parse("https://me@host/a").username().unwrap().expose_secret(), "me");
        assert!(GitUrl::parse("ssh://git:x@host/a").password().is_none());
    }

    #[test]
    fn one_repository_has_many_urls() {
        let place = |url: &str| GitUrl::parse(url).place();
        for url in [
            "https://git.example.com/team/apps",
            "https://me@Git.example.com/team/apps.git/",
            "https://me:p@git.example.com/team/apps",
            "ssh://git@git.example.com/team/apps.git",
            "ssh://git@git.example.com:22/team/apps.git",
            "https://git.example.com:443/team/apps",
            "git@git.example.com:team/apps.git",
            "git.example.com:/team/apps",
        ] {
            assert_eq!(place(url), "git.example.com/team/apps", "{url}");
        }
        assert_ne!(place("https://git.example.com/team/App"), place("https://git.example.com/team/app"));
        assert_eq!(place("/srv/git/apps.git"), place("file:///srv/git/apps"));
        let is_same = |one: &str, other: &str| GitUrl::parse(one).is_same_repository(&GitUrl::parse(other));
        assert!(is_same("https://git.example.com:3000/team/apps", "ssh://git@git.example.com:2222/team/apps"));
        assert!(is_same("https://git.example.com/team/apps", "git@git.example.com:team/apps.git"));
        assert!(!is_same("https://git.example.com:3000/team/apps", "https://git.example.com:3001/team/apps"));
        assert!(!is_same("https://git.example.com/team/apps", "https://git.example.com/fork/apps"));
    }

    #[test]
    fn messages_lose_the_credentials_of_their_urls() {
        let text = "unable to list 'http://me:hunter2@host/a': see https://host/b, (ssh://git@host/c)\nremote: a@b:c\n";
        let clean = "unable to list 'http://host/a': see https://host/b, (ssh://git@host/c)\nremote: a@b:c\n";
        assert_eq!(without_credentials(text), clean);
    }

    #[test]
    fn the_short_form_is_spelled_out() {
        let hint = |url: &str| GitUrl::parse(url).check().unwrap_err().hints()[0].clone();
        assert_eq!(hint("git@github.com:me/repo.git"), "write it as ssh://git@github.com/me/repo.git");
        assert_eq!(hint("host:/srv/repo"), "write it as ssh://host/srv/repo");
        assert!(hint("./a:b").starts_with("use the"));
        assert_eq!(GitUrl::parse("ssh://git@host:2222/a").ssh_command(), "ssh -T -p 2222 git@host");
        assert_eq!(GitUrl::parse("ssh://git@host:2222/a").keyscan_command(), "ssh-keyscan -p 2222 host");
    }
}
