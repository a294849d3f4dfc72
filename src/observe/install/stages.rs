//! What the stages of an App say: how far a deploy is, and the causes behind the words of vendir, ytt, kapp and the API server,
//! with the next step for each. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::carvel::AppStatus;
use crate::invocation::PROGRAM;
use crate::observe::{Cause, Failure, GracePeriod, Stage, Verdict, explain_refusal};
use crate::refusal::{Admission, Escalation, MissingRule};

/// Lines of a tool's output that a failure quotes at most.
const QUOTED_LINES: usize = 12;

/// Words that kapp and vendir quote from a network or an API server that is away for a moment.
const PASSING: &[&str] = &[
    "connection refused",
    "connection reset",
    "no such host",
    "i/o timeout",
    "TLS handshake timeout",
    "context deadline exceeded",
    "unable to handle the request",
    "etcdserver:",
    "unexpected EOF",
    "Too Many Requests",
    "Service Unavailable",
    "Bad Gateway",
    "the object has been modified",
];

/// What kapp-controller says of a tool whose end its own reaper of orphans has taken (`cmd/controller/sidecarexec.go`, v0.53.1):
/// that happens now and then, and says nothing of the tool.
const LOST_EXIT: &str = "no child processes";

/// Says how far a reconciling App is, and where it gets no further since the pods of what it waits for are refused.
///
/// kapp waits for a Deployment whose pods are refused as for every other, for 15 minutes unless the Package says otherwise
/// (kapp v0.63.3, `resourcesmisc/apps_v1_deployment.go` and `app/deploy_flags.go`).
pub(super) fn progress(status: &AppStatus, place: Place<'_>) -> Verdict {
    let started = |stage: Option<&crate::carvel::Stage>| stage.and_then(|stage| stage.started_at.or(stage.updated_at));
    let fetch_started = started(status.fetch.as_ref());
    // Stages that began before the last fetch speak of the run before.
    let current = |stage: Option<&crate::carvel::Stage>| started(stage) >= fetch_started && fetch_started.is_some();
    let Some(deploy) = status.deploy.as_ref().filter(|deploy| current(Some(deploy)) && !deploy.finished) else {
        if status.fetch.is_some() && current(status.template.as_ref()) {
            return Verdict::pending(Stage::Template, "rendering the templates");
        }
        return Verdict::pending(Stage::Fetch, "fetching the bundle");
    };
    let Some((resource, refusal)) = refused_pods(&deploy.stdout) else {
        let why = waiting_on(&deploy.stdout).unwrap_or_else(|| "deploying".to_owned());
        let look = where_pods_are_told_of(&deploy.stdout, place.namespace);
        return Verdict::pending(Stage::Deploy, look.map_or_else(|| why.clone(), |look| format!("{why}; {look}")));
    };
    let message = format!("waiting on {resource}, whose pods are refused");
    match explain_refusal(refusal, place.namespace) {
        // While pods are replaced, the old ones may make room for the new ones.
        Some((_, _, hint)) if matches!(Admission::find(refusal), Some(Admission::Quota { .. })) => {
            Verdict::pending(Stage::Deploy, format!("{message}: {hint}"))
        }
        Some((cause, grace_period, hint)) => {
            let object = format!("App {}/{}", place.namespace, place.name);
            Verdict::Failed(Failure { message, grace_period, ..Failure::new(cause, Stage::Deploy, &object, hint) })
        }
        None => Verdict::pending(Stage::Deploy, format!("{message}: {refusal}")),
    }
}

/// Finds in kapp's output a resource that cannot get its pods, and what the API server says to them. kapp repeats from time to
/// time how each resource is that it waits for; only the last time counts.
fn refused_pods(output: &str) -> Option<(&str, &str)> {
    let mut refused = BTreeMap::new();
    let mut current = None;
    for line in output.lines() {
        let after = |word: &str| line.split_once(word).and_then(|(_, action)| action.strip_prefix("reconcile "));
        if let Some(resource) = after("ongoing: ").or_else(|| after("ok: ")) {
            refused.remove(resource);
            current = Some(resource);
        } else if let (Some(resource), Some((_, failure))) = (current, line.split_once("replica failure: ")) {
            let words = failure.split_once("(message: ").and_then(|(_, message)| message.strip_suffix(')'));
            refused.insert(resource, words.unwrap_or(failure));
        }
    }
    refused.into_iter().next()
}

/// Names what tells of the pods of a resource that kapp has waited on for a while: of a `StatefulSet`, a `DaemonSet` and a Job
/// only events say that pods are refused, which kapp does not read (kapp v0.63.3, `resourcesmisc`).
fn where_pods_are_told_of(output: &str, namespace: &str) -> Option<String> {
    let ongoing = |line| str::split_once(line, "ongoing: reconcile ").map(|(_, resource)| resource);
    let resource = output.lines().rev().find_map(ongoing)?;
    let (kind, name) = resource.split_once(' ')?.0.split_once('/')?;
    let is_repeated = output.lines().filter_map(ongoing).filter(|other| *other == resource).nth(1).is_some();
    (is_repeated && matches!(kind, "statefulset" | "daemonset" | "job")).then(|| {
        format!("whether its pods are refused, its events tell: kubectl -n {namespace} describe {kind} {name}")
    })
}

/// Finds in kapp's output what it waits for: its own count, such as `[3/5 done]`, and the resource.
pub(super) fn waiting_on(output: &str) -> Option<String> {
    let lines: Vec<&str> = output.lines().map(str::trim).collect();
    let header = lines.iter().rposition(|line| line.contains("---- waiting on "));
    let count = header.and_then(|at| lines[at].split_once('[')).and_then(|(_, rest)| rest.split_once(" done]"));
    // `L ongoing: waiting on pod/…` below it speaks of a part of the resource; that something is deleted is worth saying.
    let resource = lines.iter().rev().find_map(|line| {
        let (_, action) = line.split_once("ongoing: ")?;
        action.strip_prefix("reconcile ").or_else(|| action.starts_with("delete ").then_some(action))
    });
    match (count, resource) {
        (Some((count, _)), Some(resource)) => Some(format!("[{count} done] waiting on {resource}")),
        (Some((count, _)), None) => Some(format!("[{count} done]")),
        (None, Some(resource)) => Some(format!("waiting on {resource}")),
        (None, None) => None,
    }
}

/// Names the failed stage of an App, with the tool's own last lines.
pub(super) fn failure(status: &AppStatus, place: Place<'_>) -> Failure {
    let object = format!("App {}/{}", place.namespace, place.name);
    let failed = |stage: &Option<crate::carvel::Stage>| {
        stage.as_ref().filter(|stage| stage.exit_code != 0 || !stage.error.is_empty()).cloned()
    };
    let (stage, words) = if let Some(fetch) = failed(&status.fetch) {
        (Stage::Fetch, said(&fetch, status))
    } else if let Some(template) = failed(&status.template) {
        (Stage::Template, without_values(&said(&template, status)))
    } else if let Some(deploy) = failed(&status.deploy) {
        (Stage::Deploy, said(&deploy, status))
    } else {
        (Stage::Deploy, status.useful_error_message.clone())
    };
    let message = if words.trim().is_empty() {
        status.conditions.first().map(|condition| condition.message.clone()).unwrap_or_default()
    } else {
        words
    };
    let (cause, grace_period, hint) = explain(stage, &message, place);
    Failure { cause, stage, object, message: last_lines(&message), hint, grace_period, attempt: attempt(status) }
}

/// Returns when the last run began.
pub(super) fn attempt(status: &AppStatus) -> Option<Timestamp> {
    let began =
        |stage: &Option<crate::carvel::Stage>| stage.as_ref().and_then(|stage| stage.started_at.or(stage.updated_at));
    began(&status.fetch).or_else(|| began(&status.deploy))
}

fn said(stage: &crate::carvel::Stage, status: &AppStatus) -> String {
    [&stage.stderr, &stage.error, &status.useful_error_message]
        .into_iter()
        .find(|words| !words.trim().is_empty())
        .cloned()
        .unwrap_or_default()
}

/// Hides the values in what ytt quotes of the values file, such as `  3 | hostname: secret`: they may be secret.
///
/// Lines of templates, which ytt quotes in the same way, hold code (`#@`) or name their file before.
fn without_values(text: &str) -> String {
    let hidden = |line: &str| {
        let (number, quoted) = line.split_once(" | ")?;
        let is_quote = !number.trim().is_empty() && number.trim().bytes().all(|byte| byte.is_ascii_digit());
        if !is_quote || quoted.contains("#@") {
            return None;
        }
        let name = quoted.split_once(':').map(|(name, _)| format!("{name}:")).unwrap_or_default();
        Some(format!("{number} | {name} (hidden)"))
    };
    text.lines().map(|line| hidden(line).unwrap_or_else(|| line.to_owned())).collect::<Vec<_>>().join("\n")
}

/// Quotes the end of a tool's output.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().filter(|line| !line.trim().is_empty()).collect();
    let skipped = lines.len().saturating_sub(QUOTED_LINES);
    let kept = lines[skipped..].join("\n");
    if skipped == 0 { kept } else { format!("…\n{kept}") }
}

/// The App whose stage failed.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) service_account: &'a str,
}

/// Names the cause, how long it may last, and what to do.
pub(super) fn explain(stage: Stage, message: &str, place: Place<'_>) -> (Cause, GracePeriod, String) {
    let Place { namespace, service_account, .. } = place;
    if message.contains(LOST_EXIT) {
        let cause = match stage {
            Stage::Fetch => Cause::FetchFailed,
            Stage::Template => Cause::TemplateFailed,
            _ => Cause::DeployFailed,
        };
        let hint = "kapp-controller lost sight of a tool that it ran, and tries again by itself; if it goes on, restart it: \
                    kubectl -n kapp-controller rollout restart deployment kapp-controller";
        return (cause, GracePeriod::Long, hint.to_owned());
    }
    if message.contains("Getting service account")
        || message.contains("serviceaccounts") && message.contains("not found")
    {
        return (
            Cause::NoServiceAccount,
            GracePeriod::Short,
            format!("create the service account: kubectl -n {namespace} create serviceaccount {service_account}"),
        );
    }
    if stage != Stage::Template
        && let Some((cause, grace_period, hint)) = explain_refusal(message, namespace)
    {
        let ignore = "; or let kapp pass over it with `rawOptions: [--dangerous-ignore-failing-api-services=true]` in deploy.kapp of the Package";
        let hint = if cause == Cause::ApiUnavailable { hint + ignore } else { hint };
        return (cause, grace_period, hint);
    }
    if let Some(rule) = MissingRule::find(message) {
        let hint = format!(
            "add {rule} to {}, or make the installer's again: {PROGRAM} add-cluster; kapp-controller then tries again by itself. Check: {}",
            rule.place(),
            rule.review()
        );
        return (Cause::Forbidden, GracePeriod::Short, hint);
    }
    match stage {
        Stage::Fetch => fetch(message),
        Stage::Template => template(message, place),
        _ => deploy(message, place),
    }
}

fn fetch(message: &str) -> (Cause, GracePeriod, String) {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let (grace_period, hint) = if says(&["x509:"]) {
        (
            GracePeriod::Short,
            "give kapp-controller the registry's certificate authority: `caCerts` in its configuration",
        )
    } else if says(&["UNAUTHORIZED", "401 Unauthorized", "403 Forbidden", "DENIED"]) {
        (
            GracePeriod::Short,
            "may kapp-controller read the registry? Name a Secret with its credentials in `fetch`, or export one with a SecretExport",
        )
    } else if says(&["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "404 Not Found"]) {
        (GracePeriod::Short, "push the bundle to the registry, or correct the image in `fetch` of the Package")
    } else if says(PASSING) {
        (GracePeriod::Long, "is the registry in `fetch` of the Package reachable from the run cluster?")
    } else {
        (
            GracePeriod::Short,
            "is the bundle in the registry, and may kapp-controller read it? See `fetch` in the Package",
        )
    };
    (Cause::FetchFailed, grace_period, hint.to_owned())
}

fn template(message: &str, place: Place<'_>) -> (Cause, GracePeriod, String) {
    let Place { namespace, name, .. } = place;
    if message.contains("Preparing template values") && message.contains("not found") {
        let hint = format!(
            "add the Secret beside packageinstall.yaml, or correct its `values`; there are: kubectl -n {namespace} get secrets"
        );
        return (Cause::NoValuesSecret, GracePeriod::Short, hint);
    }
    let hint = if message.contains("data value") || message.contains("Data value") {
        format!(
            "correct the values in params.yaml; those that the package takes: kubectl -n {namespace} get packages -o jsonpath='{{.items[*].spec.valuesSchema}}'"
        )
    } else {
        format!(
            "correct the values in params.yaml or the package's templates, in the GitOps repository; all of it: kubectl -n {namespace} get app {name} -o yaml"
        )
    };
    (Cause::TemplateFailed, GracePeriod::None, hint)
}

fn deploy(message: &str, place: Place<'_>) -> (Cause, GracePeriod, String) {
    let Place { namespace, name, service_account } = place;
    if message.contains("Ownership errors") {
        let hint = format!(
            "another app of kapp deployed that resource; remove it there, or let this one take it with `rawOptions: [--dangerous-override-ownership-of-existing-resources]` in deploy.kapp of the Package. Who owns what: kubectl -n {namespace} get apps,deployments,configmaps -L kapp.k14s.io/app"
        );
        return (Cause::OwnershipConflict, GracePeriod::Short, hint);
    }
    if Escalation::find(message).is_some() {
        let hint = format!(
            "nobody may grant what they do not hold: add the listed rules to a Role of the service account {service_account} in namespace {namespace}"
        );
        return (Cause::Forbidden, GracePeriod::Short, hint);
    }
    let see = format!("kubectl -n {namespace} get app {name} -o jsonpath='{{.status.deploy.stdout}}'");
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["is forbidden"]) {
        let hint = format!("change what the message names, or the policy of namespace {namespace}. All of it: {see}");
        return (Cause::Forbidden, GracePeriod::Short, hint);
    }
    let grace_period = if says(PASSING) { GracePeriod::Long } else { GracePeriod::Short };
    (Cause::DeployFailed, grace_period, format!("see the whole output: {see}"))
}

#[cfg(test)]
#[path = "tests/explain.rs"]
mod explain_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kapps_own_count_and_resource_are_found() {
        let output = "\
10:00:01AM: ---- waiting on 3 changes [0/3 done] ----
10:00:02AM: ok: reconcile configmap/hello (v1) namespace: apps
10:00:02AM: ---- waiting on 1 changes [2/3 done] ----
10:00:02AM: ongoing: reconcile deployment/hello (apps/v1) namespace: apps
10:00:02AM:  ^ Waiting for 2 unavailable replicas
10:00:02AM:  L ongoing: waiting on pod/hello-1 (v1) namespace: apps";
        assert_eq!(
            waiting_on(output).as_deref(),
            Some("[2/3 done] waiting on deployment/hello (apps/v1) namespace: apps")
        );
        assert_eq!(waiting_on("Target cluster"), None);
        let deleting = "10:00:01AM: ongoing: delete configmap/hello (v1) namespace: apps";
        assert_eq!(waiting_on(deleting).as_deref(), Some("waiting on delete configmap/hello (v1) namespace: apps"));
    }

    #[test]
    fn pods_that_are_refused_are_no_matter_of_time_unless_for_a_quota() {
        let output = |refusal: &str| {
            format!(
                "10:00:01AM: ---- waiting on 1 changes [2/3 done] ----\n\
                 10:00:02AM: ongoing: reconcile deployment/hello (apps/v1) namespace: apps\n\
                 10:00:02AM:  ^ Deployment has encountered replica failure: FailedCreate (message: pods \"hello-1\" is forbidden: {refusal})\n"
            )
        };
        let judged = |stdout: String| {
            let stage = crate::carvel::Stage { started_at: Some(Timestamp::UNIX_EPOCH), stdout, ..Default::default() };
            let status = AppStatus { fetch: Some(stage.clone()), deploy: Some(stage), ..AppStatus::default() };
            progress(&status, Place { namespace: "apps", name: "hello", service_account: "installer" })
        };
        let security = "violates PodSecurity \"restricted:latest\": runAsNonRoot != true";
        let Verdict::Failed(failure) = judged(output(security)) else { panic!("it is not called refused") };
        assert_eq!(failure.cause, Cause::AdmissionDenied);
        assert!(failure.message.contains("waiting on deployment/hello (apps/v1)"), "{failure:?}");
        let hint = "Pod Security level restricted:latest of the namespace refuses it (runAsNonRoot != true): ";
        assert!(failure.hint.starts_with(hint), "{failure:?}");
        let Verdict::Pending { why, .. } = judged(output("exceeded quota: few, requested: pods=1")) else {
            panic!("a quota may have room later")
        };
        assert!(why.contains("ResourceQuota few refuses it (requested: pods=1)"), "{why}");
        let again = output(security) + "10:01:02AM: ---- waiting on 1 changes [2/3 done] ----\n";
        assert!(matches!(judged(again.clone()), Verdict::Failed(_)));
        let over = again + "10:01:02AM: ongoing: reconcile deployment/hello (apps/v1) namespace: apps\n";
        assert!(matches!(judged(over), Verdict::Pending { .. }));
    }

    #[test]
    fn who_is_waited_for_without_a_word_about_pods_is_to_be_looked_at() {
        let waiting = |resource: &str| {
            format!(
                "10:00:02AM: ongoing: reconcile {resource} namespace: apps\n10:00:02AM:  ^ Waiting for 2 replicas\n"
            )
        };
        let look = |output: &str| where_pods_are_told_of(output, "apps");
        let set = waiting("statefulset/hello (apps/v1)");
        assert_eq!(look(&set), None);
        let command = "whether its pods are refused, its events tell: kubectl -n apps describe statefulset hello";
        assert_eq!(look(&set.repeat(2)).as_deref(), Some(command));
        assert_eq!(look(&waiting("deployment/hello (apps/v1)").repeat(2)), None);
        assert!(look(&waiting("job/hello (batch/v1)").repeat(3)).is_some());
    }

    #[test]
    fn values_that_ytt_quotes_are_hidden_and_code_is_not() {
        let text =
            "values.yml:\n    |\n  3 | hostname: fake-secret\n    |\n config.yml:5 | x: 1\n  7 | y: #@ data.values.y";
        let said = without_values(text);
        assert!(said.contains("  3 | hostname: (hidden)") && !said.contains("fake-secret"), "{said}");
        assert!(said.contains("config.yml:5 | x: 1") && said.contains("#@ data.values.y"), "{said}");
    }

    #[test]
    fn only_the_last_lines_are_quoted() {
        let long: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
        let quoted = last_lines(&long.join("\n"));
        assert!(quoted.starts_with("…\n9\n") && quoted.ends_with("\n20"), "{quoted}");
    }
}
