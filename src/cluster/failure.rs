//! How an error of the Kubernetes client becomes a sentence with a next step.

use kube::runtime::watcher;

use super::{Cluster, Role};
use crate::error::Error;

/// Why a watch was interrupted.
#[derive(Clone, Debug)]
pub struct WatchFailure {
    /// The failure as a user reads it.
    pub error: Error,
    /// Whether trying again may help: everything but missing credentials, permissions and kinds.
    pub is_transient: bool,
}

impl Cluster {
    /// Turns a client's error into a sentence that names this cluster.
    pub(super) fn failure(&self, what: &str, error: kube::Error) -> Error {
        let place = self.display();
        match error {
            kube::Error::Api(status) => {
                let error = Error::new(sentence(what, &place)).because(&status.message);
                match status.code {
                    401 => error.hint(self.credential_hint()),
                    403 => error.hint(self.permission_hint(&status.message)),
                    _ => error,
                }
            }
            kube::Error::Auth(error) => Error::new(format!("no credential could be obtained for {place}"))
                .because(root_cause(&error))
                .hint(self.credential_hint()),
            error => Error::new(format!("{place} is not reachable at {}", self.server()))
                .because(root_cause(&error))
                .hint(match self.role() {
                    Role::Build => "check the address and the network: kubectl cluster-info",
                    Role::Run(_) => "check the address in the run cluster's kubeconfig context, and the network",
                }),
        }
    }

    /// Turns a watch's error into a sentence, and says whether trying again may help.
    pub(super) fn watch_failure(&self, what: &str, error: watcher::Error) -> WatchFailure {
        let error = match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => error,
            watcher::Error::WatchError(status) => kube::Error::Api(status),
            watcher::Error::NoResourceVersion => {
                let error = Error::new(sentence(what, &self.display())).because("the answer has no resourceVersion");
                return WatchFailure { error, is_transient: false };
            }
        };
        let is_transient = match &error {
            kube::Error::Api(status) => !matches!(status.code, 401 | 403 | 404 | 405),
            kube::Error::Auth(_) => false,
            _ => true,
        };
        WatchFailure { error: self.failure(what, error), is_transient }
    }

    fn credential_hint(&self) -> String {
        match self.role() {
            Role::Run(name) if self.context().is_empty() => format!(
                "the credential that Flux uses for `{name}` is refused; read it through your own with --run-context {name}=CONTEXT"
            ),
            _ => format!("log in again, then try: kubectl --context {} auth whoami", self.context()),
        }
    }

    fn permission_hint(&self, message: &str) -> String {
        match self.role() {
            Role::Build => {
                format!("ask for the permission that is missing (docs/permissions/build-cluster.yaml): {message}")
            }
            Role::Run(_) => {
                format!("ask for the permission that is missing (docs/permissions/run-cluster.yaml): {message}")
            }
        }
    }
}

/// Joins what failed and where, unless the first names the place already.
fn sentence(what: &str, place: &str) -> String {
    if what.starts_with("cannot be") { format!("{place} {what}") } else { format!("{what} on {place}") }
}

/// Returns the innermost message of an error: the outer ones name layers of the client, not causes.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        innermost = error.to_string();
        source = error.source();
    }
    innermost
}
