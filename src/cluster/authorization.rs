//! How requests get the credential of a user entry of a kubeconfig, as a header.
//!
//! Which one counts is decided in [`super::login`], a token file read in [`super::token_file`], a credential plugin run in
//! [`super::exec_plugin`], a client certificate presented in [`super::tls`]. kube's own layer for all of these brings a parser of
//! `JSONPath` along, for a provider that client-go has removed.

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use kube::config::AuthInfo;
use secrecy::ExposeSecret;

use super::login::{Login, basic, bearer};
use super::token_file::TokenFile;
use crate::error::{Error, Result};

/// What puts the credential of a user into requests; a plugin does so itself.
#[derive(Clone)]
pub(super) enum Authorization {
    Header(HeaderValue),
    File(TokenFile),
}

impl Authorization {
    /// Reads the credential of a user; `None` where there is none, or it comes from a plugin.
    pub(super) fn of(user: &AuthInfo) -> Result<Option<Self>> {
        let header = match Login::of(user) {
            None | Some(Login::Plugin(_)) => return Ok(None),
            Some(Login::TokenFile(path, token)) => match (TokenFile::read(path), token) {
                (Err(_), Some(token)) => bearer(token.expose_secret()),
                (file, _) => return file.map(|file| Some(Self::File(file))),
            },
            Some(Login::Token(token)) => bearer(token.expose_secret()),
            Some(Login::Password(name, password)) => basic(name, password.expose_secret()),
            Some(Login::Provider(provider)) => match provider.config.get("id-token") {
                Some(token) => bearer(token),
                None => {
                    return Err(Error::usage("the auth-provider `oidc` of the kubeconfig has no token")
                        .because("it holds no id-token, and one is refreshed by kubectl alone")
                        .hint("run kubectl once, which logs in, or have the kubeconfig written with a credential plugin, such as kubelogin"));
                }
            },
        };
        let header = header.ok_or_else(|| {
            Error::usage("the user's credential cannot be used")
                .because("the token holds characters that no token has")
                .hint("look for line ends and spaces around it in the kubeconfig or after --token")
        })?;
        Ok(Some(Self::Header(header)))
    }

    /// Adds the credential to a request.
    pub(super) fn authorize<B>(&self, mut request: Request<B>) -> Request<B> {
        let header = match self {
            Self::Header(header) => header.clone(),
            Self::File(file) => file.current(),
        };
        request.headers_mut().insert(AUTHORIZATION, header);
        request
    }
}

#[cfg(test)]
mod tests {
    use kube::config::AuthProviderConfig;

    use super::*;

    fn header(user: &AuthInfo) -> String {
        let authorization = Authorization::of(user).expect("a credential").expect("a header");
        let request = authorization.authorize(Request::new(()));
        let header = &request.headers()[AUTHORIZATION];
        assert!(header.is_sensitive());
        header.to_str().expect("a text").to_owned()
    }

    #[test]
    fn a_provider_comes_before_a_password_that_before_a_file_and_that_before_a_token() {
        let mut user = AuthInfo { token: Some("fake-token".into()), ..AuthInfo::default() };
        assert_eq!(header(&user), "Bearer fake-token");
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("token");
        user.token_file = Some(file.display().to_string());
        assert_eq!(header(&user), "Bearer fake-token");
        std::fs::write(&file, "fake-token-of-the-file\n").expect("a file");
        user.exec = serde_json::from_value(serde_json::json!({"command": "no-such-plugin"})).expect("a plugin");
        assert_eq!(header(&user), "Bearer fake-token-of-the-file");
        user.username = Some("jane".to_owned());
        assert_eq!(header(&user), "Bearer fake-token-of-the-file");
        user.password = Some("fake-password".into());
        assert_eq!(header(&user), "Basic amFuZTpmYWtlLXBhc3N3b3Jk");
        let config = [("id-token".to_owned(), "fake-id-token".to_owned())].into();
        user.auth_provider = Some(AuthProviderConfig { name: "oidc".to_owned(), config, other: [].into() });
        assert_eq!(header(&user), "Bearer fake-id-token");
        assert!(Authorization::of(&AuthInfo::default()).expect("nothing wrong").is_none());
    }

    #[test]
    fn what_is_no_header_is_refused_without_being_shown() {
        let refused = |user: &AuthInfo| Authorization::of(user).err().expect("it is refused").to_string();
        let user = AuthInfo { token: Some("fake\ntoken".into()), ..AuthInfo::default() };
        assert_eq!(
            refused(&user),
            "the user's credential cannot be used: the token holds characters that no token has"
        );
        let provider = AuthProviderConfig { name: "oidc".to_owned(), config: [].into(), other: [].into() };
        let user = AuthInfo { auth_provider: Some(provider), ..AuthInfo::default() };
        assert!(refused(&user).ends_with("and one is refreshed by kubectl alone"));
    }
}
