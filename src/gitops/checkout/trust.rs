//! Whether `git` accepts a server's certificate because of settings of its user, which Flux does not have.

use std::path::Path;

use super::failure::Failure;
use super::git::{Git, GitAccess};
use super::isolated::BUNDLES;
use super::temporary::Temporary;
use crate::error::{Error, Result};
use crate::gitops::url::GitUrl;

/// Who vouches for a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A certificate authority that this machine trusts anyway, or nobody has to.
    Public,
    /// A certificate authority that only the settings of the user's `git` name, or nobody: then it is not checked at all.
    Private,
    /// The user's `git` has such settings, but what they are needed for cannot be told.
    Unknown,
}

/// The variables of `git` and of the libraries below it about certificates.
const VARIABLES: [&str; 5] = ["GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Finds out who vouches for the certificate of a repository's server.
pub async fn trust(url: &GitUrl, access: &GitAccess) -> Result<Trust> {
    if !url.is_https() {
        return Ok(Trust::Public);
    }
    let temporary = Temporary::new().map_err(|error| Error::new("cannot make a temporary directory").because(error))?;
    let address = url.to_string();
    let settings = Git::new(access, url).run(temporary.path(), &["config", "--get-urlmatch", "http", &address]).await?;
    let is_unchecked = std::env::var_os("GIT_SSL_NO_VERIFY").is_some();
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !is_unchecked && !decides_on_certificates(&settings.stdout) && !VARIABLES.iter().any(is_set) {
        return Ok(Trust::Public);
    }
    let Some(bundle) = BUNDLES.iter().find(|bundle| Path::new(bundle).is_file()).filter(|_| !is_unchecked) else {
        return Ok(Trust::Unknown);
    };
    // The same once more, with the CAs of this machine alone.
    let mut access = access.clone();
    let empty = temporary.path().join("no-certificates");
    std::fs::create_dir(&empty).map_err(|error| Error::new("cannot make a temporary directory").because(error))?;
    for name in ["GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
        access.environment.push((name.into(), bundle.into()));
    }
    for name in ["GIT_SSL_CAPATH", "SSL_CERT_DIR"] {
        access.environment.push((name.into(), empty.clone().into()));
    }
    let checked = [format!("http.{address}.sslVerify=true"), "http.sslVerify=true".to_owned()];
    let arguments = ["-c", &checked[0], "-c", &checked[1], "ls-remote", "--heads", "--quiet", "--", &address];
    let output = Git::new(&access, url).run(temporary.path(), &arguments).await?;
    Ok(match Failure::of(&output) {
        _ if output.success => Trust::Public,
        Failure::Certificate => Trust::Private,
        _ => Trust::Unknown,
    })
}

/// Tells whether the settings of `git` for a URL say whose certificates are accepted.
fn decides_on_certificates(settings: &str) -> bool {
    let mut settings = settings.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
    settings.any(|(key, value)| match key.to_ascii_lowercase().as_str() {
        "http.sslcainfo" | "http.sslcapath" => !value.is_empty(),
        "http.sslverify" => matches!(value.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_about_certificates_are_told_from_others() {
        for settings in
            ["http.sslcainfo /etc/company.pem", "http.extraheader x\nhttp.sslverify False", "http.sslCAPath /x"]
        {
            assert!(decides_on_certificates(settings), "{settings}");
        }
        for settings in ["", "http.sslverify true", "http.proxy http://proxy:3128\nhttp.sslcert /me.pem"] {
            assert!(!decides_on_certificates(settings), "{settings}");
        }
    }
}
