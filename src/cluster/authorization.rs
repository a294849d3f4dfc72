//! The credential that a user entry of a kubeconfig holds itself and that is sent as a header.
//!
//! A token file is read in [`super::token_file`], a credential plugin run in [`super::exec_plugin`], a client certificate presented in
//! [`super::tls`]. kube's own layer for all of these brings a parser of `JSONPath` along, for a provider that client-go has removed.

use http::HeaderValue;
use kube::config::AuthInfo;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};
use crate::kubeconfig::base64;

/// Returns the `Authorization` header of a user; `None` where there is no token and no password, or one is in a file or comes from a
/// plugin. Of several, the provider's counts, then the password, then the token.
pub(super) fn authorization(user: &AuthInfo) -> Result<Option<HeaderValue>> {
    let value = if let Some(provider) = &user.auth_provider {
        let Some(token) = provider.config.get("id-token") else {
            return Err(Error::usage("the auth-provider `oidc` of the kubeconfig has no token")
                .because("it holds no id-token, and one is refreshed by kubectl alone")
                .hint("run kubectl once, which logs in, or have the kubeconfig written with a credential plugin, such as kubelogin"));
        };
        SecretString::from(format!("Bearer {token}"))
    } else if let (Some(name), Some(password)) = (&user.username, &user.password) {
        let login = SecretString::from(format!("{name}:{}", password.expose_secret()));
        SecretString::from(format!("Basic {}", base64(login.expose_secret().as_bytes())))
    } else if let Some(token) = &user.token {
        SecretString::from(format!("Bearer {}", token.expose_secret()))
    } else {
        return Ok(None);
    };
    let mut header = HeaderValue::try_from(value.expose_secret()).map_err(|_| {
        Error::usage("the user's credential cannot be used")
            .because("the token holds characters that no token has")
            .hint("look for line ends and spaces around it in the kubeconfig or after --token")
    })?;
    header.set_sensitive(true);
    Ok(Some(header))
}

#[cfg(test)]
mod tests {
    use kube::config::AuthProviderConfig;

    use super::*;

    fn header(user: &AuthInfo) -> String {
        let header = authorization(user).expect("a credential").expect("a header");
        assert!(header.is_sensitive());
        header.to_str().expect("a text").to_owned()
    }

    #[test]
    fn a_provider_comes_before_a_password_and_that_before_a_token() {
        let mut user = AuthInfo { token: Some("fake-token".into()), ..AuthInfo::default() };
        assert_eq!(header(&user), "Bearer fake-token");
        user.username = Some("jane".to_owned());
        assert_eq!(header(&user), "Bearer fake-token");
        user.password = Some("fake-password".into());
        assert_eq!(header(&user), "Basic amFuZTpmYWtlLXBhc3N3b3Jk");
        let config = [("id-token".to_owned(), "fake-id-token".to_owned())].into();
        user.auth_provider = Some(AuthProviderConfig { name: "oidc".to_owned(), config, other: [].into() });
        assert_eq!(header(&user), "Bearer fake-id-token");
        assert!(authorization(&AuthInfo::default()).expect("nothing wrong").is_none());
    }

    #[test]
    fn what_is_no_header_is_refused_without_being_shown() {
        let user = AuthInfo { token: Some("fake\ntoken".into()), ..AuthInfo::default() };
        let error = authorization(&user).expect_err("a line end");
        assert_eq!(
            error.to_string(),
            "the user's credential cannot be used: the token holds characters that no token has"
        );
        let provider = AuthProviderConfig { name: "oidc".to_owned(), config: [].into(), other: [].into() };
        let user = AuthInfo { auth_provider: Some(provider), ..AuthInfo::default() };
        assert!(
            authorization(&user).expect_err("no token").to_string().ends_with("and one is refreshed by kubectl alone")
        );
    }
}
