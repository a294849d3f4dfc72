//! A `git` that has nothing but a credential for Flux: no configuration, no keys and no certificates of its user.

use std::ffi::OsString;

use secrecy::ExposeSecret;

use super::temporary::Temporary;
use crate::error::{Error, Result};
use crate::gitops::flux_credential::FluxCredential;
use crate::gitops::url::GitUrl;
use crate::shell::quoted;

/// The variables by which a user gives `git`, `ssh` and the libraries below them what Flux does not have. Those of proxies
/// stay: how to get to the server from here is not Flux's way anyway.
pub(super) const OF_USER: &[&str] = &[
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_SYSTEM",
    "GIT_ASKPASS",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_SSL_NO_VERIFY",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSH_ASKPASS",
    "SSH_AUTH_SOCK",
];

/// Where operating systems keep the certificates of the CAs that they trust.
pub(super) const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The files of a credential in a directory of their own, and the variables that make `git` use them.
#[derive(Debug)]
pub struct Isolated {
    /// Those that take all else from the user.
    of_home: Vec<(OsString, OsString)>,
    /// Those that give it the credential.
    pub(super) of_connection: Vec<(OsString, OsString)>,
    /// The host keys that are accepted.
    pub(super) known_hosts: String,
    _temporary: Temporary,
}

impl Isolated {
    /// Writes the credential into files that only the user may read, and that go away with this value.
    pub fn with(credential: &FluxCredential, url: &GitUrl) -> Result<Self> {
        let temporary = Temporary::new().map_err(failed)?;
        let home = temporary.path().as_os_str();
        let mut environment: Vec<(OsString, OsString)> = Vec::new();
        let of_home = vec![
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
            ("GIT_CONFIG_GLOBAL".into(), "/dev/null".into()),
            ("GIT_CONFIG_COUNT".into(), "0".into()),
            // libcurl looks for `.netrc` there.
            ("HOME".into(), home.into()),
            ("XDG_CONFIG_HOME".into(), home.into()),
        ];
        if let Some(ssh) = &credential.ssh {
            let identity = temporary.write("identity", ssh.identity.expose_secret()).map_err(failed)?;
            let known_hosts = temporary.write("known_hosts", &ssh.known_hosts).map_err(failed)?;
            let command = [
                "ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=yes",
                "-o PreferredAuthentications=publickey -o GlobalKnownHostsFile=none -o",
                &quoted(&format!("UserKnownHostsFile=\"{}\"", known_hosts.display())),
                "-i",
                &quoted(&identity.display().to_string()),
            ];
            environment.push(("GIT_SSH_COMMAND".into(), command.join(" ").into()));
        }
        if let Some(certificate) = &credential.certificate {
            let path = temporary.write("client.crt", &certificate.certificate).map_err(failed)?;
            environment.push(("GIT_SSL_CERT".into(), path.into()));
            let path = temporary.write("client.key", certificate.key.expose_secret()).map_err(failed)?;
            environment.push(("GIT_SSL_KEY".into(), path.into()));
        }
        if let Some(token) = &credential.bearer {
            // In a file that only the user may read: the environment of a process may be seen by others of theirs.
            // For this server only, in case it leads elsewhere.
            let escaped = token.expose_secret().replace('\\', "\\\\").replace('"', "\\\"");
            let origin = url.origin();
            let header = format!("[http \"{origin}\"]\n\textraHeader = \"Authorization: Bearer {escaped}\"\n");
            let path = temporary.write("configuration", &header).map_err(failed)?;
            environment.push(("GIT_CONFIG_GLOBAL".into(), path.into()));
        }
        if let Some(certificates) = &credential.certificate_authority {
            // Flux trusts the public ones as well, and this variable replaces them.
            let all = format!("{certificates}\n{}", system_cas());
            let path = temporary.write("certificate-authorities.pem", &all).map_err(failed)?;
            environment.push(("GIT_SSL_CAINFO".into(), path.into()));
        }
        let known_hosts = credential.ssh.as_ref().map(|ssh| ssh.known_hosts.clone()).unwrap_or_default();
        Ok(Self { of_home, of_connection: environment, known_hosts, _temporary: temporary })
    }
}

impl Isolated {
    /// Returns all variables.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        self.of_home.iter().chain(&self.of_connection).cloned().collect()
    }
}

/// Returns the certificates of the CAs that this machine trusts; none where they are not kept in one file.
fn system_cas() -> String {
    BUNDLES.iter().find_map(|bundle| std::fs::read_to_string(bundle).ok()).unwrap_or_default()
}

fn failed(error: std::io::Error) -> Error {
    Error::new("cannot make a temporary file").because(error)
}
