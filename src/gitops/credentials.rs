//! How a user's credentials reach `git`, and which URLs may be used at all.
//!
//! Neither argument lists nor files nor URLs ever hold a secret. Running `git` lives in [`super::checkout`].

use std::ffi::OsString;

use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

const USERNAME: &str = "CARVELFLUX_GIT_USERNAME";
const PASSWORD: &str = "CARVELFLUX_GIT_PASSWORD";

/// A credential helper for `git`: shell text that prints two environment variables of the process it runs in.
const HELPER: &str = r#"!f() { test "$1" = get || exit 0; printf 'username=%s\npassword=%s\n' "$CARVELFLUX_GIT_USERNAME" "$CARVELFLUX_GIT_PASSWORD"; }; f"#;

/// A user name and a password or token for an HTTP(S) repository.
#[derive(Clone, Debug)]
pub struct GitCredentials {
    /// The user name; hosts that take tokens often accept any.
    pub username: String,
    /// The password or token.
    pub password: SecretString,
}

impl GitCredentials {
    /// Returns the environment that makes `git` use these credentials, and only these, for the host of `url`.
    ///
    /// `configured` is the value of `GIT_CONFIG_COUNT` so far: what a user configures through the environment stays in force.
    /// Needs Git 2.31; an older one ignores it and fails to authenticate.
    #[must_use]
    pub fn environment(&self, url: &str, configured: Option<&str>) -> Vec<(String, OsString)> {
        let first: usize = configured.and_then(|count| count.parse().ok()).unwrap_or(0);
        // An empty helper clears the user's own, which might answer first or store what is meant for this command only.
        // The second is bound to the host, so that a redirect elsewhere gets nothing.
        let settings = [("credential.helper".to_owned(), ""), (format!("credential.{}.helper", origin(url)), HELPER)];
        let mut environment =
            vec![("GIT_CONFIG_COUNT".to_owned(), OsString::from((first + settings.len()).to_string()))];
        for (index, (key, value)) in settings.into_iter().enumerate() {
            environment.push((format!("GIT_CONFIG_KEY_{}", first + index), key.into()));
            environment.push((format!("GIT_CONFIG_VALUE_{}", first + index), value.into()));
        }
        environment.push((USERNAME.to_owned(), OsString::from(&self.username)));
        environment.push((PASSWORD.to_owned(), OsString::from(self.password.expose_secret())));
        environment
    }
}

/// Checks a repository URL by what Flux accepts, and that it holds no secret.
///
/// The error never repeats a user name or password of the URL.
pub fn check_url(url: &str) -> Result<()> {
    let Some((scheme, rest)) = url.split_once("://") else { return Err(no_url(url)) };
    if !matches!(scheme, "https" | "http" | "ssh") {
        return Err(Error::usage(format!("Flux cannot fetch {}", redact_url(url)))
            .because("a repository URL starts with https://, http:// or ssh://")
            .hint("Use the https:// or ssh:// URL of the repository."));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    if host.is_empty() || host.starts_with(['-', ':']) || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Error::usage(format!("{} is not the URL of a repository", redact_url(url)))
            .hint("Copy the https:// or ssh:// URL from the page of the repository."));
    }
    match user {
        // A token is often put where the user name belongs.
        Some(_) if scheme != "ssh" => Err(Error::usage(format!("the URL {} must not hold a user name or password", redact_url(url)))
            .because("URLs are stored on the cluster and printed; a secret in one is no secret")
            .hint("Give the URL without it, and use --git-username and --git-password-file, or GIT_USERNAME and GIT_PASSWORD.")),
        Some(user) if user.contains(':') => Err(Error::usage(format!("the URL {} must not hold a password", redact_url(url)))
            .hint("Use an SSH key, which `ssh` finds by itself.")),
        _ => Ok(()),
    }
}

fn no_url(url: &str) -> Error {
    let error = Error::usage(format!("{} is not a URL that Flux can fetch", redact_url(url)))
        .because("a repository URL starts with https://, http:// or ssh://");
    // The short form of scp: [user@]host:path, without a slash before the colon.
    match url.split_once(':') {
        Some((host, path)) if !host.is_empty() && !host.contains('/') && !path.contains('@') && !path.is_empty() => {
            error.hint(format!("Write it as ssh://{host}/{}.", path.trim_start_matches('/')))
        }
        _ => error.hint("Use the https:// or ssh:// URL of the repository."),
    }
}

/// Returns a URL fit to be shown: without the user name and password of an HTTP URL, and without the password of any other.
#[must_use]
pub fn redact_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // Without a scheme, what stands before a second colon or an @ may still be `user:secret@host`.
        return match url.rsplit_once('@') {
            Some((user, host)) if user.contains(':') => host.to_owned(),
            _ => url.to_owned(),
        };
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let shown = match authority.rsplit_once('@') {
        Some((user, host)) if scheme == "ssh" && !user.contains(':') => format!("{user}@{host}"),
        Some((_, host)) => host.to_owned(),
        None => authority.to_owned(),
    };
    format!("{scheme}://{shown}{path}")
}

/// Returns scheme and host of a URL as `git` matches them in its configuration.
fn origin(url: &str) -> String {
    let url = redact_url(url);
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    format!("{scheme}://{}", rest.split(['/', '?', '#']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> GitCredentials {
        GitCredentials { username: "me".to_owned(), password: "hunter2".into() }
    }

    #[test]
    fn the_password_is_shown_nowhere() {
        assert!(!format!("{:?}", credentials()).contains("hunter2"));
        let environment = credentials().environment("https://host:8443/a/b.git", None);
        let settings = environment.iter().filter(|(name, _)| name != PASSWORD);
        assert!(!format!("{:?}", settings.collect::<Vec<_>>()).contains("hunter2"));
    }

    #[test]
    fn settings_are_appended_to_those_there_are() {
        let environment = credentials().environment("https://host:8443/a/b.git", Some("3"));
        let get =
            |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_str().unwrap());
        assert_eq!(get("GIT_CONFIG_COUNT"), Some("5"));
        assert_eq!((get("GIT_CONFIG_KEY_3"), get("GIT_CONFIG_VALUE_3")), (Some("credential.helper"), Some("")));
        assert_eq!(get("GIT_CONFIG_KEY_4"), Some("credential.https://host:8443.helper"));
        assert_eq!(get("GIT_CONFIG_KEY_0"), None);
        assert_eq!(get(PASSWORD), Some("hunter2"));
    }

    #[test]
    fn urls_are_those_that_flux_accepts() {
        for url in [
            "https://github.com/a/b",
            "http://10.0.0.1:3000/a/b.git",
            "ssh://git@host/a/b",
            "ssh://host:2222/a",
            "https://[::1]:8443/a",
        ] {
            check_url(url).unwrap();
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
            assert!(check_url(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn secrets_in_urls_are_refused_and_not_repeated() {
        for url in [
            "https://user:hunter2@host/a",
            "https://hunter2@host/a",
            "https://user:p@hunter2@host/a",
            "ssh://git:hunter2@host/a",
            "ftp://user:hunter2@host/a",
            "user:hunter2@host/a",
            "https://:hunter2@host/a",
            "http://user:hunter2@/a",
        ] {
            let error = check_url(url).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn the_short_form_is_spelled_out() {
        let hint = |url: &str| check_url(url).unwrap_err().hints()[0].clone();
        assert_eq!(hint("git@github.com:me/repo.git"), "Write it as ssh://git@github.com/me/repo.git.");
        assert_eq!(hint("host:/srv/repo"), "Write it as ssh://host/srv/repo.");
        assert!(hint("./a:b").starts_with("Use the"));
    }
}
