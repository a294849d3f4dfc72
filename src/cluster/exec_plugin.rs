//! Credential plugins of a kubeconfig (`exec`): run once per process, as kubectl does, and without blocking anything else.
//!
//! kube's own would run a plugin twice, block the only thread meanwhile, and put the plugin's output, which may hold a
//! token, into its error. The rules are those of k8s.io/client-go `plugin/pkg/client/auth/exec/exec.go`.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, IsTerminal};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONNECTION};
use http::{HeaderValue, Request};
use jiff::Timestamp;
use kube::client::AuthError;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;
use tower::BoxError;

use super::login::{Login, bearer};
use super::tls::identity;
use crate::error::{Error, ErrorKind, Result};
use crate::waiting;

/// How long before its end a credential is no longer used, so that a request does not arrive with an expired one.
const MARGIN: Duration = Duration::from_mins(1);

/// The plugins that were used, by what they are run with: clusters that share one share its credential.
static PLUGINS: Mutex<Option<HashMap<String, Arc<Plugin>>>> = Mutex::new(None);

/// A credential plugin and what it said last.
pub(super) struct Plugin {
    exec: ExecConfig,
    last: tokio::sync::Mutex<Option<Credential>>,
    /// The client certificate that it gave last, for connections that are made from now on.
    certificate: Mutex<Option<Arc<CertifiedKey>>>,
    runs: AtomicUsize,
    /// Whether an API server refused what it said last, and nothing was accepted since.
    is_refused: AtomicBool,
}

/// What a plugin answers.
#[derive(Clone)]
struct Credential {
    /// A bearer token.
    token: Option<SecretString>,
    /// A client certificate and its key.
    certificate: Option<Arc<CertifiedKey>>,
    expires: Option<Timestamp>,
}

/// Presents the certificate of a plugin to API servers.
pub(super) struct PluginIdentity(pub(super) Arc<Plugin>);

impl fmt::Debug for PluginIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PluginIdentity")
    }
}

impl ResolvesClientCert for PluginIdentity {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.certificate()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Deserialize)]
struct Answer {
    status: Option<AnswerStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerStatus {
    expiration_timestamp: Option<Timestamp>,
    token: Option<SecretString>,
    client_certificate_data: Option<String>,
    client_key_data: Option<SecretString>,
}

impl Plugin {
    /// Returns the plugin that a kubeconfig's user authenticates with; `None` where there is none, or something that has
    /// precedence.
    pub(super) fn of(user: &AuthInfo) -> Option<Arc<Self>> {
        let Some(Login::Plugin(exec)) = Login::of(user) else { return None };
        // The cluster is not part of what kube serialises, but of what the plugin is told.
        let key = format!("{}{}", json!(exec), json!(exec.cluster));
        let mut plugins = PLUGINS.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Self {
                exec: exec.clone(),
                last: tokio::sync::Mutex::default(),
                certificate: Mutex::default(),
                runs: AtomicUsize::default(),
                is_refused: AtomicBool::default(),
            })
        };
        Some(plugins.get_or_insert_default().entry(key).or_insert_with(new).clone())
    }

    /// Has the plugin run where there is no credential yet that lasts a while; it may take so long.
    pub(super) async fn prepare(&self, limit: Option<Duration>) -> Result<()> {
        let Some(limit) = limit else {
            return self.credential().await.map(drop);
        };
        if let Some(credential) = waiting::within(limit, self.credential()).await {
            return credential.map(drop);
        }
        let name = self.exec.command.as_deref().unwrap_or_default();
        let message = format!("the credential plugin `{name}` did not end within {} s", limit.as_secs());
        Err(Error::of_kind(ErrorKind::Timeout, message).hint("log in first, or allow more time with --timeout"))
    }

    /// Tells whether it has given a client certificate.
    pub(super) fn has_certificate(&self) -> bool {
        self.certificate().is_some()
    }

    fn certificate(&self) -> Option<Arc<CertifiedKey>> {
        self.certificate.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns a credential that does not expire at once, and runs the plugin for it where there is none yet.
    async fn credential(&self) -> Result<Credential> {
        // Held while the plugin runs: who comes second waits for the answer to the first.
        let mut last = self.last.lock().await;
        if let Some(credential) = last.as_ref().filter(|credential| credential.is_usable()) {
            return Ok(credential.clone());
        }
        let credential = run(&self.exec).await?;
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.certificate.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&credential.certificate);
        *last = Some(credential.clone());
        Ok(credential)
    }

    /// Adds the token to a request; returns by which run of the plugin it was given.
    pub(super) async fn authorize<B>(&self, request: &mut Request<B>) -> Result<usize, BoxError> {
        // As an error of kube's client it is told as one of the credential, not of the network.
        let failed = |text: String| BoxError::from(kube::Error::Auth(AuthError::AuthExec(text)));
        let credential = self.credential().await.map_err(|error| {
            let causes = error.causes().iter().map(|cause| format!(": {cause}"));
            failed(std::iter::once(error.message().to_owned()).chain(causes).collect())
        })?;
        let runs = self.runs.load(Ordering::Relaxed);
        if let Some(token) = credential.token {
            let value = bearer(token.expose_secret()).ok_or_else(|| {
                failed("the token of the credential plugin has characters that no token has".to_owned())
            })?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        if credential.certificate.is_some() && runs > 1 {
            // A connection that was made with an older certificate is not to be used again.
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(runs)
    }

    /// Notes that an API server knew the user, whatever it answered.
    pub(super) fn accepted(&self) {
        self.is_refused.store(false, Ordering::Relaxed);
    }

    /// Notes that an API server did not know the user, and tells whether it may know the one of the plugin's next run: not
    /// where the last one did not help.
    pub(super) async fn refused(&self, run: usize) -> bool {
        let mut last = self.last.lock().await;
        if self.runs.load(Ordering::Relaxed) > run {
            // Another request has had it run since.
            return true;
        }
        if self.is_refused.swap(true, Ordering::Relaxed) {
            return false;
        }
        *last = None;
        true
    }
}

impl Credential {
    fn is_usable(&self) -> bool {
        self.expires.is_none_or(|expires| Timestamp::now() + MARGIN < expires)
    }
}

/// Runs a plugin and reads what it prints.
async fn run(exec: &ExecConfig) -> Result<Credential> {
    let Some(name) = &exec.command else {
        return Err(Error::usage("the kubeconfig names no command for its credential plugin"));
    };
    let is_terminal = std::io::stdin().is_terminal();
    if exec.interactive_mode == Some(ExecInteractiveMode::Always) && !is_terminal {
        return Err(Error::new(format!(
            "the credential plugin `{name}` needs to prompt, but standard input is not a terminal"
        )));
    }
    // Standard input that is no terminal holds what a flag of this command reads.
    let is_interactive = is_terminal && exec.interactive_mode != Some(ExecInteractiveMode::Never);
    let cluster = exec.cluster.as_ref().filter(|_| exec.provide_cluster_info);
    let mut information =
        json!({"kind": "ExecCredential", "apiVersion": exec.api_version, "spec": {"interactive": is_interactive}});
    if let Some(cluster) = cluster {
        information["spec"]["cluster"] = json!(cluster);
    }
    let mut command = Command::new(name);
    command.args(exec.args.iter().flatten()).env("KUBERNETES_EXEC_INFO", information.to_string());
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    command.stdin(if is_interactive { Stdio::inherit() } else { Stdio::null() });
    command.stderr(if is_interactive { Stdio::inherit() } else { Stdio::piped() });
    command.stdout(Stdio::piped()).kill_on_drop(true);
    let output = match command.spawn() {
        Ok(child) => child.wait_with_output().await,
        Err(error) => Err(error),
    };
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let error = Error::new(format!("executable {name} not found"));
            let error = error.hint(format!(
                "the kubeconfig authenticates with this credential plugin: install it, or put it on PATH; see {}",
                "https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins"
            ));
            match exec.install_hint.as_deref().map(str::trim).filter(|hint| !hint.is_empty()) {
                Some(hint) => error.hint(hint),
                None => error,
            }
        }
        _ => Error::new(format!("the credential plugin `{name}` cannot be run")).because(error),
    })?;
    if !output.status.success() {
        // Its standard output may hold a token.
        return Err(Error::new(format!("the credential plugin `{name}` failed: {}", output.status))
            .because(String::from_utf8_lossy(&output.stderr).trim()));
    }
    // What is wrong with it is not told: the parser would quote it.
    let useless = || Error::new(format!("the credential plugin `{name}` printed no credential"));
    let text = std::str::from_utf8(&output.stdout).map_err(|_| useless())?;
    let answer: Answer = serde_yaml::from_str(text).map_err(|_| useless())?;
    let status = answer.status.ok_or_else(useless)?;
    let token = status.token.filter(|token| !token.expose_secret().is_empty());
    let certificate = match status.client_certificate_data.zip(status.client_key_data) {
        Some((certificate, key)) => {
            let identity = identity(certificate.as_bytes(), key.expose_secret().as_bytes())?;
            Some(Arc::new(identity))
        }
        None => None,
    };
    if token.is_none() && certificate.is_none() {
        return Err(useless());
    }
    Ok(Credential { token, certificate, expires: status.expiration_timestamp })
}

// The plugins are shell scripts.
#[cfg(test)]
#[cfg(unix)]
#[path = "exec_plugin_tests.rs"]
mod tests;
