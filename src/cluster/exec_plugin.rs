//! Credential plugins of a kubeconfig (`exec`): run once per process, as kubectl does, and without blocking anything else.
//!
//! kube's client would run a plugin twice, block the only thread meanwhile, and put the plugin's output, which may hold a
//! token, into its error. The rules are those of k8s.io/client-go `plugin/pkg/client/auth/exec/exec.go`.

use std::collections::HashMap;
use std::io::{ErrorKind, IsTerminal};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use jiff::Timestamp;
use kube::client::AuthError;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;
use tower::BoxError;

use crate::error::{Error, Result};

/// How long before its end a credential is no longer used, so that a request does not arrive with an expired one.
const MARGIN: Duration = Duration::from_mins(1);

/// The plugins that were used, by what they are run with: clusters that share one share its credential.
static PLUGINS: Mutex<Option<HashMap<String, Arc<Plugin>>>> = Mutex::new(None);

/// A credential plugin and what it said last.
pub(super) struct Plugin {
    exec: ExecConfig,
    last: tokio::sync::Mutex<Option<Credential>>,
}

/// What a plugin answers.
#[derive(Clone)]
pub(super) struct Credential {
    /// A bearer token.
    pub(super) token: Option<SecretString>,
    /// A client certificate and its key, in PEM.
    pub(super) certificate: Option<(String, SecretString)>,
    expires: Option<Timestamp>,
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
        let has_other = user.auth_provider.is_some()
            || (user.username.is_some() && user.password.is_some())
            || user.token.is_some()
            || user.token_file.is_some();
        let exec = user.exec.as_ref().filter(|_| !has_other)?;
        // The cluster is not part of what kube serialises, but of what the plugin is told.
        let key = format!("{}{}", json!(exec), json!(exec.cluster));
        let mut plugins = PLUGINS.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Self { exec: exec.clone(), last: tokio::sync::Mutex::default() });
        Some(plugins.get_or_insert_default().entry(key).or_insert_with(new).clone())
    }

    /// Returns a credential that does not expire at once, and runs the plugin for it where there is none yet.
    pub(super) async fn credential(&self) -> Result<Credential> {
        // Held while the plugin runs: who comes second waits for the answer to the first.
        let mut last = self.last.lock().await;
        if let Some(credential) = last.as_ref().filter(|credential| credential.is_usable()) {
            return Ok(credential.clone());
        }
        let credential = run(&self.exec).await?;
        *last = Some(credential.clone());
        Ok(credential)
    }

    /// Adds the token to a request.
    pub(super) async fn authorize<B>(self: Arc<Self>, mut request: Request<B>) -> Result<Request<B>, BoxError> {
        // As an error of kube's client it is told as one of the credential, not of the network.
        let failed = |text: String| BoxError::from(kube::Error::Auth(AuthError::AuthExec(text)));
        let credential = self.credential().await.map_err(|error| {
            let causes = error.causes().iter().map(|cause| format!(": {cause}"));
            failed(std::iter::once(error.message().to_owned()).chain(causes).collect())
        })?;
        if let Some(token) = credential.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(|_| {
                failed("the token of the credential plugin has characters that no token has".to_owned())
            })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
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
        ErrorKind::NotFound => {
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
    let certificate = status.client_certificate_data.zip(status.client_key_data);
    if token.is_none() && certificate.is_none() {
        return Err(useless());
    }
    Ok(Credential { token, certificate, expires: status.expiration_timestamp })
}

#[cfg(test)]
#[path = "exec_plugin_tests.rs"]
mod tests;
