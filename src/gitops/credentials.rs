//! How a user's credentials reach `git`.
//!
//! Neither argument lists nor files nor URLs that `git` is given ever hold a secret. Running `git` lives in [`super::checkout`].

use std::ffi::OsString;

use secrecy::{ExposeSecret, SecretString};

use super::url::GitUrl;

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
    /// Takes those that an HTTP(S) URL carries, if it carries both.
    pub(super) fn in_url(url: &GitUrl) -> Option<Self> {
        Some(Self { username: url.username()?.expose_secret().to_owned(), password: url.password()? })
    }

    /// Returns the environment that makes `git` use these credentials, and only these, for the host of `url`.
    ///
    /// `configured` is the value of `GIT_CONFIG_COUNT` so far: what a user configures through the environment stays in force.
    /// Needs Git 2.31; an older one ignores it and fails to authenticate.
    pub(super) fn environment(&self, url: &GitUrl, configured: Option<&str>) -> Vec<(String, OsString)> {
        // An empty helper clears the user's own, which might answer first or store what is meant for this command only.
        // The second is bound to the host, so that a redirect elsewhere gets nothing.
        let settings = [("credential.helper".to_owned(), ""), (format!("credential.{}.helper", url.origin()), HELPER)];
        let mut environment = settings_in_environment(&settings, configured);
        environment.push((USERNAME.to_owned(), OsString::from(&self.username)));
        environment.push((PASSWORD.to_owned(), OsString::from(self.password.expose_secret())));
        environment
    }
}

/// Returns the environment that makes `git` ask its own credential helpers for the password of the user that `url` names.
pub(super) fn username_in_environment(url: &GitUrl, configured: Option<&str>) -> Vec<(String, OsString)> {
    let Some(username) = url.username() else { return Vec::new() };
    settings_in_environment(&[(format!("credential.{}.username", url.origin()), username.expose_secret())], configured)
}

/// Appends settings to those that the environment has already.
fn settings_in_environment(settings: &[(String, &str)], configured: Option<&str>) -> Vec<(String, OsString)> {
    let first: usize = configured.and_then(|count| count.parse().ok()).unwrap_or(0);
    let mut environment = vec![("GIT_CONFIG_COUNT".to_owned(), OsString::from((first + settings.len()).to_string()))];
    for (index, (key, value)) in settings.iter().enumerate() {
        environment.push((format!("GIT_CONFIG_KEY_{}", first + index), key.into()));
        environment.push((format!("GIT_CONFIG_VALUE_{}", first + index), value.into()));
    }
    environment
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
        let environment = credentials().environment(&GitUrl::parse("https://host:8443/a/b.git"), None);
        let settings = environment.iter().filter(|(name, _)| name != PASSWORD);
        assert!(!format!("{:?}", settings.collect::<Vec<_>>()).contains("hunter2"));
    }

    #[test]
    fn settings_are_appended_to_those_there_are() {
        let environment = credentials().environment(&GitUrl::parse("https://host:8443/a/b.git"), Some("3"));
        let get =
            |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_str().unwrap());
        assert_eq!(get("GIT_CONFIG_COUNT"), Some("5"));
        assert_eq!((get("GIT_CONFIG_KEY_3"), get("GIT_CONFIG_VALUE_3")), (Some("credential.helper"), Some("")));
        assert_eq!(get("GIT_CONFIG_KEY_4"), Some("credential.https://host:8443.helper"));
        assert_eq!(get("GIT_CONFIG_KEY_0"), None);
        assert_eq!(get(PASSWORD), Some("hunter2"));
    }
}
