//! What is given for Flux to read the repository with, read from its files: an SSH key, certificates and a token.

use std::path::Path;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};

use crate::cli::FluxCredentialArgs;
use crate::error::{Error, Result};
use crate::gitops::checkout::{KeyType, public_key};
use crate::gitops::flux_credential::{ClientCertificate, FluxCredential};
use crate::gitops::url::GitUrl;
use crate::ui::Ui;
use crate::ui::prompt;

/// Which SSH key is asked for.
#[derive(Debug)]
pub(super) struct SshRequest {
    pub(super) key: KeyRequest,
    /// The host keys of the server, as lines of `known_hosts`; `None` for those that are stored, or that somebody confirms.
    pub(super) known_hosts: Option<String>,
}

/// Where an SSH key comes from.
#[derive(Debug)]
pub(super) enum KeyRequest {
    /// From a file.
    Given {
        identity: SecretString,
        /// Its public key.
        public: String,
    },
    /// The one that is stored, else a new one of this type.
    Generate(KeyType),
}

impl SshRequest {
    /// Tells whether nothing has to be confirmed or made.
    pub(super) fn is_complete(&self) -> bool {
        self.known_hosts.is_some() && matches!(self.key, KeyRequest::Given { .. })
    }
}

/// Reads the files that the flags name, but for an SSH key; standard input can be read only once.
pub(super) async fn over_http(arguments: &FluxCredentialArgs) -> Result<FluxCredential> {
    let certificate_authority = match &arguments.git_ca_file {
        Some(path) => Some(certificates(path).await?),
        None => None,
    };
    let bearer = match &arguments.git_token_file {
        Some(path) => Some(prompt::secret_file(path, "the token").await?),
        None => None,
    };
    let certificate = match (&arguments.git_client_cert_file, &arguments.git_client_key_file) {
        (Some(certificate), Some(key)) => {
            Some(ClientCertificate { certificate: certificates(certificate).await?, key: private_key(key).await? })
        }
        _ => None,
    };
    Ok(FluxCredential { bearer, certificate, certificate_authority, ..FluxCredential::default() })
}

/// Reads the SSH key that the flags ask for, and the host keys.
pub(super) async fn over_ssh(ui: Ui, arguments: &FluxCredentialArgs, url: &GitUrl) -> Result<Option<SshRequest>> {
    let key = match (&arguments.ssh_key_file, arguments.generate_deploy_key) {
        (Some(file), _) => {
            let identity = SecretString::from(read(file).await?);
            let public = public_key(&identity, &file.display().to_string()).await?;
            if url.is_ssh() {
                ui.status(&format!("Flux reads {url} with the key {public}"));
            }
            KeyRequest::Given { identity, public }
        }
        (None, Some(key_type)) => KeyRequest::Generate(key_type),
        (None, None) => return Ok(None),
    };
    let known_hosts = match &arguments.known_hosts_file {
        Some(file) => Some(read(file).await?),
        None => None,
    };
    Ok(Some(SshRequest { key, known_hosts }))
}

/// Refuses what is of no use for the repository.
pub(super) fn check(url: &GitUrl, has_login: bool, has_ssh_key: bool, given: &FluxCredential) -> Result<()> {
    if has_ssh_key && !url.is_ssh() {
        return Err(Error::usage(format!("an SSH key is of no use for {url}"))
            .hint("give the ssh:// URL, or leave out --ssh-key-file, --generate-deploy-key and --known-hosts-file"));
    }
    if has_ssh_key && has_login {
        return Err(Error::usage("a user name and a password are of no use over SSH")
            .hint("leave out --git-username, --git-password-file, GIT_USERNAME and GIT_PASSWORD"));
    }
    if has_login && given.bearer.is_some() {
        return Err(Error::usage("a user name and a password are of no use beside a bearer token").hint(
            "leave out --git-username, --git-password-file, GIT_USERNAME and GIT_PASSWORD, or --git-token-file",
        ));
    }
    let of_tls = [
        ("a certificate authority", "--git-ca-file", given.certificate_authority.is_some()),
        ("a client certificate", "--git-client-cert-file and --git-client-key-file", given.certificate.is_some()),
        ("a bearer token", "--git-token-file", given.bearer.is_some() && !url.is_http()),
    ];
    match of_tls.into_iter().find(|(_, _, is_given)| *is_given && !url.is_https()) {
        Some((what, flags, _)) => Err(Error::usage(format!("{what} is of no use for {url}"))
            .hint(format!("give the https:// URL, or leave out {flags}"))),
        None => Ok(()),
    }
}

async fn private_key(path: &Path) -> Result<SecretString> {
    let text = SecretString::from(read(path).await?);
    if PrivateKeyDer::from_pem_slice(text.expose_secret().as_bytes()).is_ok() {
        return Ok(text);
    }
    Err(Error::usage(format!("{} holds no private key that works without a passphrase", path.display()))
        .hint("give it in PEM: it begins with -----BEGIN PRIVATE KEY-----"))
}

/// Reads certificates of CAs, or that of a client.
async fn certificates(path: &Path) -> Result<String> {
    let text = read(path).await?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    if certificates.is_empty() || certificates.iter().any(std::result::Result::is_err) {
        return Err(Error::usage(format!("{} holds no certificate", path.display()))
            .hint("give the certificate in PEM: it begins with -----BEGIN CERTIFICATE-----"));
    }
    Ok(text)
}

async fn read(path: &Path) -> Result<String> {
    prompt::file(path).await.map_err(|error| Error::usage(format!("cannot read {}", path.display())).because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_no_use_for_the_repository_is_refused() {
        let refused = |url: &str, login: bool, key: bool, certificate_authority: bool| {
            let given = FluxCredential {
                certificate_authority: certificate_authority.then(|| "fake".to_owned()),
                ..FluxCredential::default()
            };
            check(&GitUrl::parse(url), login, key, &given).is_err()
        };
        let (ssh, https, http) = ("ssh://git@host/a", "https://host/a", "http://host/a");
        assert!(refused(https, false, true, false) && refused(http, false, true, false));
        assert!(refused(ssh, true, true, false));
        assert!(refused(ssh, false, true, true) && refused(http, true, false, true));
        assert!(
            !refused(ssh, false, true, false)
                && !refused(https, true, false, true)
                && !refused(http, true, false, false)
        );
        let token = FluxCredential { bearer: Some("fake-token".into()), ..FluxCredential::default() };
        let refused = |url: &str, login: bool| check(&GitUrl::parse(url), login, false, &token).is_err();
        assert!(refused(https, true) && refused(ssh, false) && !refused(https, false) && !refused(http, false));
        let certificate = ClientCertificate { certificate: "fake".to_owned(), key: "fake-key".into() };
        let certificate = FluxCredential { certificate: Some(certificate), ..FluxCredential::default() };
        assert!(check(&GitUrl::parse(http), false, false, &certificate).is_err());
    }
}
