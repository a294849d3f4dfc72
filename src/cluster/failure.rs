//! How an error of the Kubernetes client becomes a sentence with a next step.

use std::time::Duration;

use kube::core::Status;
use kube::runtime::watcher;
use serde_json::error::Category;

use super::{Cluster, Role};
use crate::error::Error;
use crate::refusal::{Escalation, MissingRule, Refusal};
use crate::shell::quoted;
use crate::waiting::{Outlook, is_busy, outlook};

/// Why a watch was interrupted.
#[derive(Clone, Debug)]
pub struct WatchFailure {
    /// The failure as a user reads it.
    pub error: Error,
    /// What may help.
    pub remedy: Remedy,
}

/// What may help against an interrupted watch, which tries again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Time: a restart, a network, an expired list.
    Time,
    /// Somebody must grant something, or log in again; a grant may also just be in progress.
    Grant,
    /// Lists may be read, but not watched.
    Lists,
}

impl Cluster {
    /// Turns a client's error into a sentence that names this cluster.
    ///
    /// What admission refuses is explained with the commands for `namespace`, the one of the object.
    pub(super) fn failure(&self, namespace: Option<&str>, what: &str, error: kube::Error) -> Error {
        let place = self.display();
        match error {
            kube::Error::Api(status) => {
                if let Some(answer) = foreign_answer(&status) {
                    return self.foreign(&answer);
                }
                self.explain(Error::new(sentence(what, &place)).with_status(status.code), namespace, &status)
            }
            kube::Error::Auth(error) => Error::new(format!("no credential could be obtained for {place}"))
                .with_status(401)
                .because(root_cause(&error))
                .hint(self.credential_hint()),
            kube::Error::SerdeError(error) if matches!(error.classify(), Category::Syntax | Category::Eof) => {
                self.foreign("its answer is no JSON: perhaps a login page, or a redirection to one")
            }
            kube::Error::SerdeError(error) => {
                Error::new(sentence(what, &place)).because(format!("the answer cannot be read: {error}"))
            }
            error => self.unreachable(&error),
        }
    }

    /// Says that something else than the API server answers at its address.
    fn foreign(&self, answer: &str) -> Error {
        Error::new(format!("what answers for {} at {} is no Kubernetes API server", self.display(), self.server()))
            .because(answer)
            .hint("check the address, and what stands before the API server: a login page, a proxy, another server")
            .of_front_door()
    }

    /// Adds to an error what the API server's answer means, and what to do about it.
    fn explain(&self, error: Error, namespace: Option<&str>, status: &Status) -> Error {
        let Some(refusal) = Refusal::of(status) else {
            let error = error.because(&status.message);
            return match status.code {
                409 => error.hint("somebody else changed it at the same time; try again"),
                401 => error.hint(self.credential_hint()),
                // Authorization names the user; what is forbidden to everybody, one of the many admission plugins.
                403 if status.message.contains("is forbidden: ") && !status.message.contains("User \"") => error.hint(
                    "no permission helps: the API server's admission refuses it. Change what the message names, or ask whoever runs the cluster",
                ),
                403 => error.hint(permission_hint(self.role(), None)),
                _ => error,
            };
        };
        let error = match &refusal {
            Refusal::Conflict(managers) => error.because(managers).hint(
                "to take these fields over, give --force-conflicts (with --diff to see first what it changes); or remove them where that manager gets them from",
            ),
            Refusal::Admission(admission) => {
                let context = self.context();
                let kubectl =
                    if context.is_empty() { "kubectl".to_owned() } else { format!("kubectl --context {}", quoted(context)) };
                let remedy = admission.remedy(&kubectl, namespace.unwrap_or_default());
                error.because(admission.sentence()).because(admission.reason()).hint(remedy)
            }
            Refusal::Escalation(Escalation { user, rules }) => error
                .because(format!(
                    "`{user}` is attempting to grant RBAC permissions not currently held: {}",
                    rules.join(", ")
                ))
                .hint(format!(
                    "nobody can grant what they do not hold: let somebody who holds these rules bind them to `{user}` first, or run this command; {}",
                    permission_hint(self.role(), None)
                )),
            Refusal::MissingRule(rule) => {
                error.because(&status.message).hint(permission_hint(self.role(), Some(rule)))
            }
        };
        error.refused(refusal)
    }

    /// Says that a request was not answered in time.
    pub(super) fn no_answer(&self, what: &str, limit: Duration) -> Error {
        Error::new(sentence(what, &self.display()))
            .because(format!("no answer within {} s", limit.as_secs()))
            .hint("check the network, or allow more time with --request-timeout")
    }

    /// Turns a watch's error into a sentence, and says whether trying again may help.
    pub(super) fn watch_failure(&self, what: &str, error: watcher::Error) -> WatchFailure {
        let is_listed = !matches!(error, watcher::Error::InitialListFailed(_));
        let error = match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => error,
            watcher::Error::WatchError(status) => kube::Error::Api(status),
            watcher::Error::NoResourceVersion => {
                let error = Error::new(sentence(what, &self.display())).because("the answer has no resourceVersion");
                return WatchFailure { error, remedy: Remedy::Time };
            }
        };
        let is_watching_refused = is_listed && matches!(&error, kube::Error::Api(status) if status.code == 403);
        let error = self.failure(None, what, error);
        let remedy = match outlook(&error) {
            _ if is_watching_refused => Remedy::Lists,
            Outlook::MayPass => Remedy::Time,
            Outlook::Unauthenticated | Outlook::Missing | Outlook::Refused => Remedy::Grant,
        };
        WatchFailure { error, remedy }
    }

    fn credential_hint(&self) -> String {
        match self.role() {
            Role::Run(name) if self.context().is_empty() => format!(
                "the credential that Flux uses for `{name}` is refused; read it through your own with --run-context {}=CONTEXT",
                quoted(name)
            ),
            _ if self.context().is_empty() => "check the credential: kubectl auth whoami".to_owned(),
            _ => format!("log in again, then try: kubectl --context {} auth whoami", quoted(self.context())),
        }
    }
}

/// What kube says of an answer that refuses, and is no `Status` (kube-client 5.0, `handle_api_errors`).
const NO_STATUS: &str = "Failed to parse error data";

/// Returns the answer of something that is no API server; `None` where it may be one, or something that restarts before it.
fn foreign_answer(status: &Status) -> Option<String> {
    // An API server says so of paths that it does not serve.
    let is_unknown_path = status.code == 404 && status.message == "404 page not found";
    if status.reason != NO_STATUS || status.code == 401 || is_unknown_path || is_busy(status.code) {
        return None;
    }
    let line: String = status.message.lines().next().unwrap_or_default().trim().chars().take(200).collect();
    Some(match line.as_str() {
        "" => format!("it answers with HTTP {}", status.code),
        line if line.starts_with('<') => format!("it answers with HTTP {} and a web page", status.code),
        line => format!("it answers with HTTP {}: {line}", status.code),
    })
}

/// Names the rule that a refusal asks for, where it says one, and the file with all that is needed.
fn permission_hint(role: &Role, missing: Option<&MissingRule>) -> String {
    let missing = missing
        .map_or_else(|| "ask for the missing permission".to_owned(), |rule| format!("add {rule} to {}", rule.place()));
    let file = match role {
        Role::Build => "build-cluster.yaml",
        Role::Run(_) => "run-cluster.yaml",
    };
    format!("{missing}; docs/permissions/{file} has all that is needed")
}

/// Joins what failed and where, unless the first names the place already.
fn sentence(what: &str, place: &str) -> String {
    if what.starts_with("cannot be") { format!("{place} {what}") } else { format!("{what} on {place}") }
}

/// Returns the innermost message of an error: the outer ones name layers of the client, not causes.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        innermost = error.to_string();
        source = error.source();
    }
    innermost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_api_server_says_is_told_from_what_one_says() {
        let said = |code: u16, text: &str| foreign_answer(&Status::failure(text, NO_STATUS).with_code(code));
        assert_eq!(said(401, "Unauthorized"), None);
        assert_eq!(said(404, "404 page not found"), None);
        assert_eq!(said(503, "<html>"), None);
        assert_eq!(foreign_answer(&Status::failure("no", "Forbidden").with_code(403)), None);
        let json = r#"{"type":"error","code":"Forbidden"}"#;
        assert_eq!(
            said(403, json).as_deref(),
            Some(r#"it answers with HTTP 403: {"type":"error","code":"Forbidden"}"#)
        );
        assert_eq!(said(403, "<html>\n<input value=x>").as_deref(), Some("it answers with HTTP 403 and a web page"));
        assert_eq!(said(404, "").as_deref(), Some("it answers with HTTP 404"));
    }

    #[test]
    fn a_refusal_names_the_missing_rule() {
        let refusal = "secrets is forbidden: User \"jane\" cannot list resource \"secrets\" in API group \"\" in the namespace \"dev\"";
        assert_eq!(
            permission_hint(&Role::Build, MissingRule::find(refusal).as_ref()),
            "add {apiGroups: [\"\"], resources: [\"secrets\"], verbs: [\"list\"]} to a Role of jane in namespace dev; \
             docs/permissions/build-cluster.yaml has all that is needed"
        );
    }
}
