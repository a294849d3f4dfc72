//! What an API server's authorization refuses: the rule that is missing and whom it is missing for, or the rules that somebody
//! may not grant. Pure.
//!
//! Refusals of admission, such as an exceeded quota, say "forbidden" too, and hold no rule.

use std::fmt;

use super::unescaped;
use crate::shell::quoted;

/// A permission that somebody lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingRule {
    /// The user as the API server knows it, such as `system:serviceaccount:apps:installer`.
    pub(crate) user: String,
    /// What was tried.
    pub(crate) verb: String,
    /// The kind of object in the plural, with its subresource if any.
    pub(crate) resource: String,
    /// The API group; empty for the core group.
    pub(crate) api_group: String,
    /// The namespace; `None` means the whole cluster.
    pub(crate) namespace: Option<String>,
}

impl MissingRule {
    /// Finds the first refusal of k8s.io/apiserver `pkg/endpoints/handlers/responsewriters/errors.go` (`forbiddenMessage`) in a
    /// text.
    #[must_use]
    pub(crate) fn find(text: &str) -> Option<Self> {
        unescaped(text).split("User \"").skip(1).find_map(parse)
    }

    /// Returns namespace and name of the service account, if it is one.
    #[must_use]
    pub(crate) fn service_account(&self) -> Option<(&str, &str)> {
        self.user.strip_prefix("system:serviceaccount:")?.split_once(':')
    }

    /// Says where the rule belongs: into which kind of role, and in which namespace.
    #[must_use]
    pub(crate) fn place(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("a Role of {} in namespace {namespace}", self.user),
            None => format!("a ClusterRole of {}", self.user),
        }
    }

    /// Returns the command that shows what the user may do there.
    #[must_use]
    pub(crate) fn review(&self) -> String {
        let group = if self.api_group.is_empty() { String::new() } else { format!(".{}", self.api_group) };
        let (resource, subresource) = match self.resource.split_once('/') {
            Some((resource, subresource)) => (resource, format!(" --subresource={subresource}")),
            None => (self.resource.as_str(), String::new()),
        };
        let namespace = self.namespace.as_ref().map(|namespace| format!("-n {namespace} ")).unwrap_or_default();
        format!(
            "kubectl {namespace}auth can-i {} {resource}{group}{subresource} --as={}",
            self.verb,
            quoted(&self.user)
        )
    }
}

impl fmt::Display for MissingRule {
    /// Writes the rule as it stands in a Role.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{{apiGroups: [\"{}\"], resources: [\"{}\"], verbs: [\"{}\"]}}",
            self.api_group, self.resource, self.verb
        )
    }
}

/// Permissions that somebody tried to grant without holding them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Escalation {
    /// Who tried, as the API server knows them.
    pub(crate) user: String,
    /// The rules that they do not hold, as the API server writes them.
    pub(crate) rules: Vec<String>,
}

impl Escalation {
    /// Finds the refusal of k8s.io/kubernetes `pkg/registry/rbac/validation/rule.go` (`ConfirmNoEscalation`) in a message.
    pub(crate) fn find(message: &str) -> Option<Self> {
        let message = unescaped(message);
        let (before, rules) = message.split_once("is attempting to grant RBAC permissions not currently held:")?;
        let user = before.rsplit_once("user \"")?.1.split('"').next()?.to_owned();
        let rules = rules.lines().map(str::trim).filter(|line| line.starts_with('{')).map(str::to_owned).collect();
        Some(Self { user, rules })
    }
}

/// Reads the sentence behind `User "`.
fn parse(rest: &str) -> Option<MissingRule> {
    let (user, rest) = rest.split_once("\" cannot ")?;
    let (verb, rest) = rest.split_once(" resource \"")?;
    let (resource, rest) = rest.split_once("\" in API group \"")?;
    let (api_group, rest) = rest.split_once('"')?;
    let namespace = match rest.strip_prefix(" in the namespace \"") {
        Some(rest) => Some(rest.split_once('"')?.0.to_owned()),
        None => None,
    };
    Some(MissingRule {
        user: user.to_owned(),
        verb: verb.to_owned(),
        resource: resource.to_owned(),
        api_group: api_group.to_owned(),
        namespace,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_in_a_namespace_is_read() {
        let text = "kapp: Error: Creating app: configmaps is forbidden: User \"system:serviceaccount:apps:installer\" cannot \
                    create resource \"configmaps\" in API group \"\" in the namespace \"apps\" (reason: Forbidden)";
        let rule = MissingRule::find(text).expect("it holds a rule");
        assert_eq!(rule.to_string(), "{apiGroups: [\"\"], resources: [\"configmaps\"], verbs: [\"create\"]}");
        assert_eq!(rule.place(), "a Role of system:serviceaccount:apps:installer in namespace apps");
        assert_eq!(rule.service_account(), Some(("apps", "installer")));
        assert_eq!(
            rule.review(),
            "kubectl -n apps auth can-i create configmaps --as=system:serviceaccount:apps:installer"
        );
    }

    #[test]
    fn a_rule_for_the_whole_cluster_is_read() {
        let text = "namespaces is forbidden: User \\\"jane\\\" cannot list resource \\\"pods/log\\\" in API group \\\"x.y\\\" at the cluster scope";
        let rule = MissingRule::find(text).expect("it holds a rule");
        assert_eq!((rule.namespace.as_deref(), rule.service_account()), (None, None));
        assert_eq!(rule.place(), "a ClusterRole of jane");
        assert_eq!(rule.review(), "kubectl auth can-i list pods.x.y --subresource=log --as=jane");
    }

    #[test]
    fn refusals_of_admission_hold_no_rule() {
        for text in ["pods \"x\" is forbidden: exceeded quota: compute", "User \"x\" cannot get path \"/version\"", ""]
        {
            assert_eq!(MissingRule::find(text), None, "{text}");
        }
    }

    #[test]
    fn user_and_rules_are_found() {
        let message = "roles.rbac.authorization.k8s.io \"x\" is forbidden: user \"jane\" (groups=[\"a\"]) is attempting to grant \
            RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\"]}\n\
            {APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}; resolution errors: [clusterroles not found]";
        let escalation = Escalation::find(message).expect("it is one");
        assert_eq!(escalation.user, "jane");
        assert_eq!(escalation.rules.len(), 2);
        assert_eq!(escalation.rules[0], "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\"]}");
        assert_eq!(Escalation::find("roles is forbidden: User \"jane\" cannot create resource"), None);
    }
}
