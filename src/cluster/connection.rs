//! What is asked of a connection, by flags, and the kubeconfig files that say the rest. How it is made is in [`super::connect`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{Kubeconfig, KubeconfigError};
use secrecy::SecretString;

use super::Role;
use crate::error::{Error, Result};

/// Which kubeconfig entries to use, and what flags say instead of them: the meaning of each is kubectl's.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Kubeconfig file; `None` means `$KUBECONFIG`, then `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Context; `None` means the current one.
    pub context: Option<String>,
    /// Cluster entry instead of the context's.
    pub cluster: Option<String>,
    /// User entry instead of the context's.
    pub user: Option<String>,
    /// Address of the API server.
    pub server: Option<String>,
    /// Name in the API server's certificate.
    pub tls_server_name: Option<String>,
    /// File with the certificates of the authority that signed the API server's.
    pub certificate_authority: Option<String>,
    /// Whether the API server's certificate is not verified.
    pub insecure_skip_tls_verify: bool,
    /// Bearer token.
    pub token: Option<SecretString>,
    /// User name for basic authentication.
    pub username: Option<String>,
    /// Password for basic authentication.
    pub password: Option<SecretString>,
    /// File with a client certificate.
    pub client_certificate: Option<String>,
    /// File with the key of the client certificate.
    pub client_key: Option<String>,
    /// User to impersonate.
    pub impersonate: Option<String>,
    /// UID to impersonate.
    pub impersonate_uid: Option<String>,
    /// Groups to impersonate.
    pub impersonate_groups: Vec<String>,
    /// Extra fields to impersonate, each with one value.
    pub impersonate_extra: Vec<(String, String)>,
    /// Longest time for one request: zero means no limit, `None` the default of 30 s.
    pub request_timeout: Option<Duration>,
    /// Longest time for a credential plugin, which may ask its user to log in; `None` means no limit.
    pub login_timeout: Option<Duration>,
    /// Whether a credential is not used that a plugin would have to be run for.
    pub runs_no_plugin: bool,
}

impl Connection {
    /// Returns how run clusters are reached where this is how the build cluster is: through contexts of `file`, else of the
    /// same files. As whom the build cluster is reached says nothing about them.
    #[must_use]
    pub fn of_run_clusters(&self, file: Option<&PathBuf>) -> Self {
        Self {
            kubeconfig: file.or(self.kubeconfig.as_ref()).cloned(),
            request_timeout: self.request_timeout,
            login_timeout: self.login_timeout,
            ..Self::default()
        }
    }

    /// Returns the same for somebody who must not be asked to log in: with a credential that needs a plugin there is no connection.
    #[must_use]
    pub fn without_login(&self) -> Self {
        Self { runs_no_plugin: true, ..self.clone() }
    }

    /// Returns the same with another context.
    #[must_use]
    pub fn in_context(&self, context: &str) -> Self {
        Self { context: Some(context.to_owned()), ..self.clone() }
    }
}

/// Reads and merges kubeconfig files as kubectl does: `path`, else the files of `$KUBECONFIG` that exist, else
/// `~/.kube/config`. The first file that defines a name wins.
pub fn load_kubeconfig(path: Option<&Path>) -> Result<Kubeconfig> {
    find_kubeconfig(path)?.ok_or_else(|| {
        let names: Vec<String> = default_files().iter().map(|file| file.display().to_string()).collect();
        Error::usage(format!("there is no kubeconfig: {} does not exist", names.join(", ")))
            .hint("name one with --kubeconfig or in $KUBECONFIG")
    })
}

/// Does the same; `None` where no file was named and there is none.
pub fn find_kubeconfig(path: Option<&Path>) -> Result<Option<Kubeconfig>> {
    let files = match path {
        Some(path) => vec![path.to_owned()],
        None => default_files(),
    };
    let mut merged: Option<Kubeconfig> = None;
    for file in &files {
        // kube refuses a missing file of $KUBECONFIG; kubectl skips it.
        if path.is_none() && !file.exists() {
            continue;
        }
        let unreadable = |error| {
            let unreadable = Error::usage(format!("cannot read the kubeconfig {}", file.display()));
            match &error {
                KubeconfigError::Parse(error) => unreadable.because(fault(error)),
                error => unreadable.because(error),
            }
        };
        let next = Kubeconfig::read_from(file).map_err(unreadable)?;
        merged = Some(match merged {
            Some(merged) => merged.merge(next).map_err(unreadable)?,
            None => next,
        });
    }
    Ok(merged)
}

/// Says where a kubeconfig is wrong. The parser's own words quote what stands there, which may be a credential.
fn fault(error: &serde_yaml::Error) -> String {
    match error.without_snippet().location() {
        Some(place) => format!("it is no valid kubeconfig at line {}, column {}", place.line(), place.column()),
        None => "it is no valid kubeconfig".to_owned(),
    }
}

fn default_files() -> Vec<PathBuf> {
    match std::env::var_os("KUBECONFIG") {
        Some(value) if !value.is_empty() => {
            std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect()
        }
        _ => std::env::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect(),
    }
}

/// Names a cluster in a message.
pub(super) fn describe(role: &Role) -> String {
    match role {
        Role::Build => "the build cluster".to_owned(),
        Role::Run(name) => format!("the run cluster `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_stands_where_a_kubeconfig_is_wrong_is_not_shown() {
        let refused = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(text.as_bytes()).expect("a file");
            load_kubeconfig(Some(file.path())).expect_err("it is wrong").causes().join("; ")
        };
        // A user entry that is the token itself, and one whose token is indented too little.
        let told = refused("apiVersion: v1\nkind: Config\nusers:\n- name: me\n  user: fake-token\n");
        assert_eq!(told, "it is no valid kubeconfig at line 5, column 9");
        let told = refused("users:\n- name: me\n  user:\n    token:\n   fake-token: [\n");
        assert!(told.starts_with("it is no valid kubeconfig at line ") && !told.contains("fake-token"), "{told}");
    }
}
