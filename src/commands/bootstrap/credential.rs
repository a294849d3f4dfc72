//! The SSH key and the CA's certificate that are given for Flux, read from their files.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::SecretString;

use crate::cli::FluxCredentialArgs;
use crate::error::{Error, Result};
use crate::gitops::checkout::{KeyType, public_key};
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

/// Reads the files that the flags name.
pub(super) async fn given(
    ui: Ui,
    arguments: &FluxCredentialArgs,
    url: &GitUrl,
) -> Result<(Option<SshRequest>, Option<String>)> {
    let certificate_authority = match &arguments.git_ca_file {
        Some(path) => Some(certificates(path).await?),
        None => None,
    };
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
        (None, None) => return Ok((None, certificate_authority)),
    };
    let known_hosts = match &arguments.known_hosts_file {
        Some(file) => Some(read(file).await?),
        None => None,
    };
    Ok((Some(SshRequest { key, known_hosts }), certificate_authority))
}

/// Refuses what is of no use for the repository.
pub(super) fn check(url: &GitUrl, has_login: bool, has_ssh_key: bool, has_certificate_authority: bool) -> Result<()> {
    if has_ssh_key && !url.is_ssh() {
        return Err(Error::usage(format!("an SSH key is of no use for {url}"))
            .hint("give the ssh:// URL, or leave out --ssh-key-file, --generate-deploy-key and --known-hosts-file"));
    }
    if has_ssh_key && has_login {
        return Err(Error::usage("a user name and a password are of no use over SSH")
            .hint("leave out --git-username, --git-password-file, GIT_USERNAME and GIT_PASSWORD"));
    }
    if has_certificate_authority && !url.is_https() {
        return Err(Error::usage(format!("a certificate authority is of no use for {url}"))
            .hint("give the https:// URL, or leave out --git-ca-file"));
    }
    Ok(())
}

/// Reads the certificates of certificate authorities.
async fn certificates(path: &Path) -> Result<String> {
    let text = read(path).await?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    if certificates.is_empty() || certificates.iter().any(std::result::Result::is_err) {
        return Err(Error::usage(format!("{} holds no certificate", path.display()))
            .hint("give the CA's certificate in PEM: it begins with -----BEGIN CERTIFICATE-----"));
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
            check(&GitUrl::parse(url), login, key, certificate_authority).is_err()
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
    }
}
