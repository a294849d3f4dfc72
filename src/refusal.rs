//! What an API server refuses, in its own words: the kind of the refusal, whose it is, and the remedy. Pure.
//!
//! The texts are those that Flux, kapp and kapp-controller quote in their statuses, too. How a refusal of our own requests
//! becomes an error lives in [`crate::cluster`].

mod admission;
mod conflict;
mod rbac;

use std::borrow::Cow;

use kube::core::Status;

pub(crate) use admission::Admission;
pub(crate) use rbac::{Escalation, MissingRule};

/// Why an API server refuses a request that it understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Another manager holds fields; the text says which one, and which fields.
    Conflict(String),
    /// Admission says no, whatever the user may do.
    Admission(Admission),
    /// The user grants more than they hold.
    Escalation(Escalation),
    /// The user lacks a permission.
    MissingRule(MissingRule),
}

impl Refusal {
    /// Finds out what an answer of the API server means; `None` where it is no refusal that is known.
    pub(crate) fn of(status: &Status) -> Option<Self> {
        let message = status.message.as_str();
        // A policy's own message may speak of users and permissions: whoever quotes it comes first.
        conflict::conflict(status)
            .map(Self::Conflict)
            .or_else(|| Admission::find(message).map(Self::Admission))
            .or_else(|| Escalation::find(message).map(Self::Escalation))
            .or_else(|| MissingRule::find(message).map(Self::MissingRule))
    }

    /// Returns the rule that is missing, if that is why.
    pub(crate) fn missing_rule(&self) -> Option<&MissingRule> {
        match self {
            Self::MissingRule(rule) => Some(rule),
            _ => None,
        }
    }

    /// Returns what admission says, if that is why.
    pub(crate) fn admission(&self) -> Option<&Admission> {
        match self {
            Self::Admission(admission) => Some(admission),
            _ => None,
        }
    }
}

/// Finds the aggregated APIs that do not answer, each as `group/version`, in what client-go says of its discovery
/// (`discovery_client.go`, `ErrGroupDiscoveryFailed`): whoever lists all APIs fails with any of them.
pub(crate) fn unavailable_apis(text: &str) -> Vec<String> {
    let Some((_, failures)) = text.split_once("complete list of server APIs: ") else { return Vec::new() };
    let failures = failures.lines().next().unwrap_or_default();
    let is_name = |text: &str| {
        text.split_once('/').is_some_and(|(group, version)| {
            version.starts_with('v')
                && !group.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'/'))
        })
    };
    let names = failures.split(", ").filter_map(|failure| failure.split_once(": ")).map(|(name, _)| name);
    names.filter(|name| is_name(name)).map(str::to_owned).collect()
}

/// Names the `APIService` of an API that is written `group/version`.
pub(crate) fn api_service(api: &str) -> String {
    api.split_once('/').map_or_else(|| api.to_owned(), |(group, version)| format!("{version}.{group}"))
}

/// Undoes the quoting of a sentence that some layers put inside of a quoted one.
fn unescaped(text: &str) -> Cow<'_, str> {
    if text.contains("\\\"") { Cow::Owned(text.replace("\\\"", "\"")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str) -> Option<Refusal> {
        Refusal::of(&Status { message: message.to_owned(), ..Status::default() })
    }

    #[test]
    fn each_kind_of_refusal_is_told_from_the_others() {
        let rule = "User \"jane\" cannot create resource \"secrets\" in API group \"\" in the namespace \"dev\"";
        assert!(of(&format!("secrets is forbidden: {rule}")).is_some_and(|refusal| refusal.missing_rule().is_some()));
        let policy = format!(
            "secrets \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: {rule}"
        );
        assert!(of(&policy).is_some_and(|refusal| refusal.admission().is_some()));
        let escalation = "roles \"x\" is forbidden: user \"jane\" (groups=[]) is attempting to grant RBAC permissions not currently held:\n{}";
        assert!(matches!(of(escalation), Some(Refusal::Escalation(_))));
        assert_eq!(of("secrets \"x\" is forbidden: node selector conflict"), None);
    }

    #[test]
    fn the_api_that_is_down_is_named() {
        let said = "unable to retrieve the complete list of server APIs: custom.metrics.k8s.io/v1beta2: stale GroupVersion discovery: \
                    custom.metrics.k8s.io/v1beta2, metrics.k8s.io/v1beta1: the server is currently unable to handle the request";
        assert_eq!(unavailable_apis(said), ["custom.metrics.k8s.io/v1beta2", "metrics.k8s.io/v1beta1"]);
        assert_eq!(api_service("metrics.k8s.io/v1beta1"), "v1beta1.metrics.k8s.io");
        assert!(unavailable_apis("the server is currently unable to handle the request").is_empty());
    }
}
