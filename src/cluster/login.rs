//! Which credential of a user entry of a kubeconfig counts, and the headers that tokens and passwords become. Pure.

use std::path::Path;

use http::HeaderValue;
use kube::config::{AuthInfo, AuthProviderConfig, ExecConfig};
use secrecy::{ExposeSecret, SecretString};

use crate::kubeconfig::base64;

/// The credential of a user entry that counts: of several, the first of these.
pub(super) enum Login<'a> {
    Provider(&'a AuthProviderConfig),
    Password(&'a str, &'a SecretString),
    /// A file, and the token that counts where it cannot be read (client-go v0.36 `transport/round_trippers.go`).
    TokenFile(&'a Path, Option<&'a SecretString>),
    Token(&'a SecretString),
    Plugin(&'a ExecConfig),
}

impl<'a> Login<'a> {
    /// Returns what counts; `None` where there is nothing of the kind.
    pub(super) fn of(user: &'a AuthInfo) -> Option<Self> {
        if let Some(provider) = &user.auth_provider {
            return Some(Self::Provider(provider));
        }
        if let (Some(name), Some(password)) = (&user.username, &user.password) {
            return Some(Self::Password(name, password));
        }
        match (&user.token_file, &user.token) {
            (Some(file), token) => Some(Self::TokenFile(Path::new(file), token.as_ref())),
            (None, Some(token)) => Some(Self::Token(token)),
            (None, None) => user.exec.as_ref().map(Self::Plugin),
        }
    }
}

/// Makes the header of a token; `None` where it holds characters that no token has.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    sensitive(format!("Bearer {token}"))
}

/// Makes the header of a user name and a password.
pub(super) fn basic(name: &str, password: &str) -> Option<HeaderValue> {
    let login = SecretString::from(format!("{name}:{password}"));
    sensitive(format!("Basic {}", base64(login.expose_secret().as_bytes())))
}

/// Makes a header that no log shows.
fn sensitive(value: String) -> Option<HeaderValue> {
    let value = SecretString::from(value);
    let mut header = HeaderValue::try_from(value.expose_secret()).ok()?;
    header.set_sensitive(true);
    Some(header)
}
