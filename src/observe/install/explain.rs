//! The causes behind the words of vendir, ytt, kapp and the API server, and the next step for each. Pure.

use super::{Cause, Patience, Stage};
use crate::cluster::MissingRule;

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
    "failed calling webhook",
];

/// The App whose stage failed.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) service_account: &'a str,
}

/// Names the cause, how long it may last, and what to do.
pub(super) fn explain(stage: Stage, message: &str, place: Place<'_>) -> (Cause, Patience, String) {
    let Place { namespace, service_account, .. } = place;
    if message.contains("Getting service account")
        || message.contains("serviceaccounts") && message.contains("not found")
    {
        return (
            Cause::NoServiceAccount,
            Patience::Short,
            format!("create the service account: kubectl -n {namespace} create serviceaccount {service_account}"),
        );
    }
    if let Some(rule) = MissingRule::find(message) {
        let hint = format!(
            "add {rule} to {}, or make the installer's again: kubectl carvelflux add-cluster; kapp-controller then tries again by itself. Check: {}",
            rule.place(),
            rule.review()
        );
        return (Cause::Forbidden, Patience::Short, hint);
    }
    match stage {
        Stage::Fetch => fetch(message),
        Stage::Template => template(message, place),
        _ => deploy(message, place),
    }
}

fn fetch(message: &str) -> (Cause, Patience, String) {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let (patience, hint) = if says(&["x509:"]) {
        (Patience::Short, "give kapp-controller the registry's certificate authority: `caCerts` in its configuration")
    } else if says(&["UNAUTHORIZED", "401 Unauthorized", "403 Forbidden", "DENIED"]) {
        (
            Patience::Short,
            "may kapp-controller read the registry? Name a Secret with its credentials in `fetch`, or export one with a SecretExport",
        )
    } else if says(&["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "404 Not Found"]) {
        (Patience::Short, "push the bundle to the registry, or correct the image in `fetch` of the Package")
    } else if says(PASSING) {
        (Patience::Long, "is the registry in `fetch` of the Package reachable from the run cluster?")
    } else {
        (Patience::Short, "is the bundle in the registry, and may kapp-controller read it? See `fetch` in the Package")
    };
    (Cause::FetchFailed, patience, hint.to_owned())
}

fn template(message: &str, place: Place<'_>) -> (Cause, Patience, String) {
    let Place { namespace, name, .. } = place;
    if message.contains("Preparing template values") && message.contains("not found") {
        let hint = format!(
            "add the Secret beside packageinstall.yaml, or correct its `values`; there are: kubectl -n {namespace} get secrets"
        );
        return (Cause::NoValuesSecret, Patience::Short, hint);
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
    (Cause::TemplateFailed, Patience::None, hint)
}

fn deploy(message: &str, place: Place<'_>) -> (Cause, Patience, String) {
    let Place { namespace, name, service_account } = place;
    if message.contains("Ownership errors") {
        let hint = format!(
            "another app of kapp deployed that resource; remove it there, or let this one take it with `rawOptions: [--dangerous-override-ownership-of-existing-resources]` in deploy.kapp of the Package. Who owns what: kubectl -n {namespace} get apps,deployments,configmaps -L kapp.k14s.io/app"
        );
        return (Cause::OwnershipConflict, Patience::Short, hint);
    }
    if message.contains("attempting to grant RBAC permissions not currently held") {
        let hint = format!(
            "nobody may grant what they do not hold: add the listed rules to a Role of the service account {service_account} in namespace {namespace}"
        );
        return (Cause::Forbidden, Patience::Short, hint);
    }
    let see = format!("kubectl -n {namespace} get app {name} -o jsonpath='{{.status.deploy.stdout}}'");
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["exceeded quota"]) {
        let hint = format!("raise the quota or ask for less: kubectl -n {namespace} describe resourcequota");
        return (Cause::DeployFailed, Patience::Short, hint);
    }
    if says(&["violates PodSecurity"]) {
        let hint = "change the pods of the package, or the label pod-security.kubernetes.io/enforce of the namespace";
        return (Cause::DeployFailed, Patience::Short, format!("{hint}: kubectl get namespace {namespace} -o yaml"));
    }
    if says(&["is forbidden"]) {
        let hint = format!("change what the message names, or the policy of namespace {namespace}. All of it: {see}");
        return (Cause::Forbidden, Patience::Short, hint);
    }
    let patience = if says(PASSING) { Patience::Long } else { Patience::Short };
    (Cause::DeployFailed, patience, format!("see the whole output: {see}"))
}

#[cfg(test)]
#[path = "tests/explain.rs"]
mod tests;
