//! What the API server says to somebody who grants more than they hold. Pure.

/// Permissions that somebody tried to grant without holding them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Escalation {
    /// Who tried, as the API server knows them.
    pub(super) user: String,
    /// The rules that they do not hold, as the API server writes them.
    pub(super) rules: Vec<String>,
}

impl Escalation {
    /// Finds the refusal of k8s.io/kubernetes `pkg/registry/rbac/validation/rule.go` (`ConfirmNoEscalation`) in a message.
    pub(super) fn find(message: &str) -> Option<Self> {
        let (before, rules) = message.split_once("is attempting to grant RBAC permissions not currently held:")?;
        let user = before.rsplit_once("user \"")?.1.split('"').next()?.to_owned();
        let rules = rules.lines().map(str::trim).filter(|line| line.starts_with('{')).map(str::to_owned).collect();
        Some(Self { user, rules })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
