//! The verdict on a GitRepository. Pure.

use kube::ResourceExt;

use super::expectation::{Expectation, short_revision};
use super::unobserved::{self, Kind};
use super::{Cause, Failure, GracePeriod, Stage, Verdict};
use crate::conditions::find;
use crate::flux::{Followed, GitRepository, RECONCILE_REQUESTED_AT};
use crate::gitops::url::{GitUrl, without_credentials};
use crate::invocation::PROGRAM;
use crate::shell::quoted;

/// What a GitRepository says about the expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It has fetched, and has this revision.
    At(String),
    /// Not yet, or never.
    Not(Verdict),
}

/// Judges a GitRepository: it has caught up when it answered our request and its current spec is fetched.
#[must_use]
pub fn judge(object: Option<&GitRepository>, name: &str, expectation: &Expectation) -> Source {
    let Some(object) = object else {
        return Source::Not(Verdict::Failed(failure(
            Cause::SourceNotFetched,
            &format!("GitRepository {name}"),
            "it does not exist".to_owned(),
            &format!("create it: {PROGRAM} bootstrap PACKAGE --git-url URL --branch BRANCH"),
        )));
    };
    let display = format!("GitRepository {}/{}", object.namespace().unwrap_or_default(), object.name_any());
    if object.metadata.deletion_timestamp.is_some() {
        return Source::Not(Verdict::pending(Stage::Source, format!("{display} is being deleted")));
    }
    let status = object.status.clone().unwrap_or_default();
    if object.spec.suspend {
        return Source::Not(Verdict::Failed(failure(
            Cause::Suspended,
            &display,
            "it is suspended, so Flux does not look for new commits".to_owned(),
            &format!("flux resume source git {} -n {}", object.name_any(), object.namespace().unwrap_or_default()),
        )));
    }
    let kind = Kind { name: "GitRepository", controller: "source-controller", stage: Stage::Source };
    if let Some(failure) = unobserved::explain(kind, &object.metadata, &status.conditions, status.observed_generation) {
        return Source::Not(Verdict::Failed(failure));
    }
    if expectation.newest().is_none() && !is_answered(object, status.last_handled_reconcile_at.as_ref(), expectation) {
        return Source::Not(Verdict::pending(Stage::Source, "waiting for Flux to look for new commits"));
    }
    let generation = object.metadata.generation;
    let ready = find(&status.conditions, "Ready").filter(|ready| ready.observed_generation == generation);
    match (ready, status.artifact) {
        (Some(ready), Some(artifact)) if ready.is_true() => Source::At(artifact.revision),
        (Some(ready), _) if ready.is_false() => {
            let (grace_period, hint) = explain(&ready.message, object);
            let failure =
                failure(Cause::SourceNotFetched, &display, shown(ready.message.trim(), &object.spec.url), &hint);
            Source::Not(Verdict::Failed(Failure { grace_period, ..failure }))
        }
        (_, Some(artifact)) => Source::Not(Verdict::pending(
            Stage::Source,
            format!("fetching, {} so far", short_revision(&artifact.revision)),
        )),
        (_, None) => Source::Not(Verdict::pending(Stage::Source, "fetching")),
    }
}

/// Tells whether our request was answered, or a later one of somebody else: only the newest is answered in the end.
fn is_answered(object: &GitRepository, handled: Option<&String>, expectation: &Expectation) -> bool {
    let Some(request) = &expectation.request else { return true };
    let newest =
        object.annotations().get(RECONCILE_REQUESTED_AT).filter(|newest| expectation.earlier.as_ref() != Some(newest));
    handled.is_some_and(|handled| handled == request || newest == Some(handled))
}

/// Says how long a failed fetch may last, and what to do about it.
///
/// The words are go-git's and those of source-controller v1.9.3 (`internal/controller/gitrepository_controller.go`).
fn explain(message: &str, object: &GitRepository) -> (GracePeriod, String) {
    let says = |words: &[&str]| words.iter().any(|word| message.to_lowercase().contains(word));
    let name = object.name_any();
    let namespace = object.namespace().unwrap_or_default();
    let package = name.strip_suffix("-gitops-repo").unwrap_or("PACKAGE");
    let url = &GitUrl::parse(&object.spec.url).to_string();
    let followed = object.spec.reference.followed();
    if says(&["x509:", "certificate signed by"]) {
        let secret = object.spec.secret_ref.as_ref().map_or("NAME", |secret| secret.name.as_str());
        let hint = format!(
            "Flux does not trust the certificate of {url}: put that of its CA into Secret {namespace}/{secret} as ca.crt, and name the Secret in spec.secretRef"
        );
        (GracePeriod::Short, hint)
    } else if says(&["authentication", "authorization", "secret", "unauthorized", "invalid credentials"]) {
        (GracePeriod::Short, working_credentials(object, namespace.as_str(), package))
    } else if says(&[
        "reference not found",
        "couldn't find remote ref",
        "repository is empty",
        "no match found for semver",
        "unable to resolve ref",
        "unable to resolve commit object",
    ]) {
        (
            GracePeriod::Short,
            match followed {
                Followed::Versions(range) => format!(
                    "no tag of {url} is a version in {range}; push one or correct spec.ref of the GitRepository"
                ),
                _ => format!("{followed} of {url} does not exist; push it or correct spec.ref of the GitRepository"),
            },
        )
    } else if says(&["repository not found"]) {
        (GracePeriod::Short, format!("is {url} the repository's address, and may the user in the credentials read it?"))
    } else if says(&[
        "dial tcp",
        "connection refused",
        "no such host",
        "timeout",
        "deadline exceeded",
        " 50",
        "unavailable",
    ]) {
        (GracePeriod::Long, format!("can Flux reach {url}? It tries again by itself"))
    } else {
        (GracePeriod::Short, format!("see the whole status: kubectl -n {namespace} get gitrepository {name} -o yaml"))
    }
}

/// Says how Flux gets working credentials: `bootstrap` writes those for HTTP, and follows a branch.
fn working_credentials(object: &GitRepository, namespace: &str, package: &str) -> String {
    let url = GitUrl::parse(&object.spec.url);
    match object.spec.reference.followed() {
        Followed::Branch(branch) if url.is_http() => format!(
            "give Flux working credentials: {PROGRAM} bootstrap {package} -n {namespace} --git-url {} --branch {} --git-username NAME --git-password-file FILE",
            quoted(&url.to_string()),
            quoted(branch)
        ),
        _ => {
            let secret = object.spec.secret_ref.as_ref().map_or("NAME", |secret| secret.name.as_str());
            let command = if url.is_http() {
                format!(
                    "kubectl -n {namespace} create secret generic {secret} --from-literal=username=NAME --from-file=password=FILE"
                )
            } else {
                let url = quoted(&url.to_string());
                format!("flux create secret git {secret} -n {namespace} --url={url} --private-key-file=FILE")
            };
            format!("give Flux working credentials: {command}")
        }
    }
}

fn failure(cause: Cause, object: &str, message: String, hint: &str) -> Failure {
    Failure {
        cause,
        stage: Stage::Source,
        object: object.to_owned(),
        message,
        hint: hint.to_owned(),
        grace_period: GracePeriod::None,
        attempt: None,
    }
}

/// Removes credentials from Flux's words: those of the source's own URL, however they are written, and of any other.
fn shown(message: &str, url: &str) -> String {
    let message =
        if url.is_empty() { message.to_owned() } else { message.replace(url, &GitUrl::parse(url).to_string()) };
    without_credentials(&message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn repository(status: &Value) -> GitRepository {
        serde_json::from_value(json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "hello-gitops-repo", "namespace": "dev", "generation": 2},
            "spec": {"url": "https://git.example/repo"},
            "status": status,
        }))
        .expect("the fixture is a GitRepository")
    }

    fn status(ready: &str, generation: i64, handled: &str) -> Value {
        json!({
            "conditions": [{"type": "Ready", "status": ready, "observedGeneration": generation, "message": "authentication required"}],
            "artifact": {"revision": "main@sha1:b"},
            "lastHandledReconcileAt": handled,
        })
    }

    fn expectation() -> Expectation {
        Expectation::after_request(Some("now".to_owned()))
    }

    #[test]
    fn a_fetch_from_before_the_request_does_not_count() {
        let verdict = judge(Some(&repository(&status("True", 2, "earlier"))), "dev/x", &expectation());
        assert!(matches!(verdict, Source::Not(Verdict::Pending { .. })), "{verdict:?}");
    }

    #[test]
    fn the_answer_to_an_earlier_request_does_not_count_while_ours_is_not_to_be_seen_yet() {
        let mut object = repository(&status("True", 2, "earlier"));
        object.annotations_mut().insert(RECONCILE_REQUESTED_AT.to_owned(), "earlier".to_owned());
        assert!(matches!(judge(Some(&object), "dev/x", &expectation()), Source::At(_)), "a later one of somebody else");
        let mut ours = expectation();
        ours.earlier = Some("earlier".to_owned());
        let verdict = judge(Some(&object), "dev/x", &ours);
        assert!(matches!(verdict, Source::Not(Verdict::Pending { .. })), "{verdict:?}");
    }

    #[test]
    fn a_fetch_of_an_older_spec_does_not_count() {
        let verdict = judge(Some(&repository(&status("True", 1, "now"))), "dev/x", &expectation());
        assert!(matches!(verdict, Source::Not(Verdict::Pending { .. })), "{verdict:?}");
    }

    #[test]
    fn an_answered_request_yields_the_revision() {
        let verdict = judge(Some(&repository(&status("True", 2, "now"))), "dev/x", &expectation());
        assert_eq!(verdict, Source::At("main@sha1:b".to_owned()));
    }

    #[test]
    fn a_failed_fetch_names_the_cause_although_an_old_artifact_is_there() {
        let verdict = judge(Some(&repository(&status("False", 2, "now"))), "dev/x", &expectation());
        let Source::Not(Verdict::Failed(failure)) = verdict else { panic!("{verdict:?}") };
        assert_eq!((failure.cause, failure.message.as_str()), (Cause::SourceNotFetched, "authentication required"));
        assert!(failure.hint.contains("--git-password-file"), "{}", failure.hint);
    }

    #[test]
    fn the_password_of_a_url_is_in_neither_message_nor_hint() {
        for said in ["authentication required", "repository not found", "connection refused"] {
            let mut object = repository(&json!({"conditions": [{
                "type": "Ready", "status": "False", "observedGeneration": 2,
                "message": format!("unable to list remote for 'https://me:hunter2@git.example/repo': {said}"),
            }]}));
            object.spec.url = "https://me:hunter2@git.example/repo".to_owned();
            let verdict = judge(Some(&object), "dev/x", &Expectation::default());
            assert!(!format!("{verdict:?}").contains("hunter2"), "{verdict:?}");
            assert!(format!("{verdict:?}").contains("'https://git.example/repo'"), "{verdict:?}");
        }
    }

    #[test]
    fn a_password_with_quotes_is_not_shown() {
        let url = "https://me:hun'ter2@git.example/repo";
        let message = format!("unable to list remote for '{url}': authentication required");
        assert_eq!(
            shown(&message, url),
            "unable to list remote for 'https://git.example/repo': authentication required"
        );
        assert_eq!(shown("nothing", ""), "nothing");
    }
}
