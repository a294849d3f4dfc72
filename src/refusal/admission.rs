//! What an API server's admission refuses although it is permitted: the kind of the refusal, whose it is, and the remedy. Pure.

use super::unescaped;
use crate::shell::quoted;

/// How many lines of a webhook's explanation are quoted.
const QUOTED_LINES: usize = 6;

/// What a quota says whose controller has not counted yet.
const UNCOUNTED: &str = "what is used is not known yet";

/// The kinds that configure webhooks.
const WEBHOOKS: &str = "validatingwebhookconfigurations,mutatingwebhookconfigurations";

/// A refusal by one of the API server's admission plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The namespace is being deleted (k8s.io/apiserver `pkg/admission/plugin/namespace/lifecycle`).
    NamespaceTerminating {
        /// The namespace.
        namespace: String,
    },
    /// A quota is used up, or asks for a limit that is not given (k8s.io/apiserver `pkg/admission/plugin/resourcequota`).
    Quota {
        /// The name of the `ResourceQuota`.
        name: String,
        /// What was requested, used and allowed.
        detail: String,
    },
    /// A request or limit is outside of a `LimitRange`, whose name is not told (kubernetes `plugin/pkg/admission/limitranger`).
    LimitRange {
        /// What is too much or too little.
        detail: String,
    },
    /// A pod is not as the namespace's Pod Security level wants it (k8s.io/pod-security-admission).
    PodSecurity {
        /// The level and its version, such as `restricted:latest`.
        level: String,
        /// What the level does not allow.
        detail: String,
    },
    /// An admission policy says no (k8s.io/apiserver `pkg/admission/plugin/policy`).
    Policy {
        /// `ValidatingAdmissionPolicy` or `MutatingAdmissionPolicy`.
        kind: &'static str,
        /// The name of the policy.
        name: String,
        /// Its own message.
        message: String,
    },
    /// A webhook says no (k8s.io/apiserver `pkg/admission/plugin/webhook/errors`).
    Webhook {
        /// The name of the webhook.
        name: String,
        /// Its own message.
        message: String,
    },
    /// A webhook that must be asked does not answer.
    WebhookUnreachable {
        /// The name of the webhook.
        name: String,
        /// Why it does not.
        message: String,
    },
}

impl Admission {
    /// Finds the first refusal in a text, which may hold more than one, and other words around it.
    pub(crate) fn find(text: &str) -> Option<Self> {
        let text = unescaped(text);
        let text = text.as_ref();
        namespace(text)
            .or_else(|| quota(text))
            .or_else(|| pod_security(text))
            .or_else(|| policy(text))
            .or_else(|| webhook(text))
            .or_else(|| limit_range(text))
    }

    /// Names kind and owner, such as `ResourceQuota compute`.
    pub(crate) fn owner(&self) -> String {
        match self {
            Self::NamespaceTerminating { namespace } => format!("namespace {namespace}, which is being deleted,"),
            Self::Quota { name, .. } => format!("ResourceQuota {name}"),
            Self::LimitRange { .. } => "a LimitRange of the namespace".to_owned(),
            Self::PodSecurity { level, .. } => format!("Pod Security level {level} of the namespace"),
            Self::Policy { kind, name, .. } => format!("{kind} {name}"),
            Self::Webhook { name, .. } | Self::WebhookUnreachable { name, .. } => format!("admission webhook {name}"),
        }
    }

    /// Says what the owner does to objects, as in "`ResourceQuota` compute refuses Pod apps/x".
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::WebhookUnreachable { .. } => "does not answer, and must be asked about",
            _ => "refuses",
        }
    }

    /// Says in the owner's words why it refuses; empty where its kind says all.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::NamespaceTerminating { .. } => "",
            Self::Quota { detail, .. } | Self::LimitRange { detail } | Self::PodSecurity { detail, .. } => detail,
            Self::Policy { message, .. } | Self::Webhook { message, .. } | Self::WebhookUnreachable { message, .. } => {
                message
            }
        }
    }

    /// Says what can be done about it in this namespace; `kubectl` is how the commands begin.
    pub(crate) fn remedy(&self, kubectl: &str, namespace: &str) -> String {
        let namespace = quoted(namespace);
        match self {
            Self::NamespaceTerminating { namespace } => format!(
                "wait until it is gone, and create it again; what holds it: {kubectl} get namespace {} -o jsonpath='{{.status.conditions}}'",
                quoted(namespace)
            ),
            Self::Quota { name, detail } if detail.starts_with("must specify") => format!(
                "give the pods what it asks for, or defaults with a LimitRange: {kubectl} -n {namespace} describe resourcequota {}",
                quoted(name)
            ),
            Self::Quota { name, .. } => {
                format!("raise it or ask for less: {kubectl} -n {namespace} describe resourcequota {}", quoted(name))
            }
            Self::LimitRange { .. } => {
                format!(
                    "change the requests and limits of the pods, or the range: {kubectl} -n {namespace} describe limitrange"
                )
            }
            Self::PodSecurity { .. } => format!(
                "change the pods of the package, or the label pod-security.kubernetes.io/enforce of the namespace: {kubectl} get namespace {namespace} -o yaml"
            ),
            Self::Policy { kind, name, .. } => format!(
                "change what it refuses, or have an exception made; the policy: {kubectl} get {} {} -o yaml",
                kind.to_lowercase(),
                quoted(name)
            ),
            Self::Webhook { .. } => format!(
                "change what it refuses, or ask whoever runs it for an exception; the webhooks: {kubectl} get {WEBHOOKS}"
            ),
            Self::WebhookUnreachable { .. } => {
                format!("repair what serves it, or remove its configuration: {kubectl} get {WEBHOOKS}")
            }
        }
    }

    /// Says who refuses.
    pub(crate) fn sentence(&self) -> String {
        let verb = if matches!(self, Self::WebhookUnreachable { .. }) { "does not answer" } else { "refuses it" };
        format!("{} {verb}", self.owner())
    }

    /// Says in one sentence who refuses, why, and what can be done about it.
    pub(crate) fn hint(&self, namespace: &str) -> String {
        let reason = if self.reason().is_empty() { String::new() } else { format!(" ({})", self.reason()) };
        format!("{}{reason}: {}", self.sentence(), self.remedy("kubectl", namespace))
    }

    /// Tells whether it may pass by itself: what has to answer starts again, a quota is counted, a
    /// namespace goes and comes back.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::WebhookUnreachable { .. } | Self::NamespaceTerminating { .. } => true,
            Self::Quota { detail, .. } => detail.starts_with(UNCOUNTED),
            _ => false,
        }
    }
}

fn namespace(text: &str) -> Option<Admission> {
    let (before, _) = text.split_once(" because it is being terminated")?;
    let (_, namespace) = before.rsplit_once("unable to create new content in namespace ")?;
    Some(Admission::NamespaceTerminating { namespace: namespace.trim_matches('"').to_owned() })
}

fn quota(text: &str) -> Option<Admission> {
    if let Some((_, rest)) = text.split_once("exceeded quota: ") {
        let (name, detail) = split(sentence(rest), ", ");
        return Some(Admission::Quota { name, detail });
    }
    if let Some((_, rest)) = text.split_once("status unknown for quota: ") {
        let (name, detail) = split(sentence(rest), ", ");
        return Some(Admission::Quota { name, detail: format!("{UNCOUNTED}, {detail}") });
    }
    let (_, rest) = text.split_once("failed quota: ")?;
    let (name, detail) = split(sentence(rest), ": ");
    Some(Admission::Quota { name, detail })
}

fn pod_security(text: &str) -> Option<Admission> {
    let (_, rest) = text.split_once("violates PodSecurity \"")?;
    let (level, rest) = rest.split_once('"')?;
    Some(Admission::PodSecurity {
        level: level.to_owned(),
        detail: sentence(rest.trim_start_matches(':').trim_start()).to_owned(),
    })
}

fn policy(text: &str) -> Option<Admission> {
    // The third is how a policy that mutates is quoted when it cannot be evaluated (`policy/generic/policy_dispatcher.go`).
    let kinds = [
        ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicy"),
        ("MutatingAdmissionPolicy", "MutatingAdmissionPolicy"),
        ("policy", "MutatingAdmissionPolicy"),
    ];
    kinds.into_iter().find_map(|(word, kind)| {
        let (_, rest) = text.split_once(&format!("{word} '"))?;
        let (name, rest) = rest.split_once('\'')?;
        let (_, message) = rest.split_once("denied request: ")?;
        Some(Admission::Policy { kind, name: name.to_owned(), message: sentence(message).to_owned() })
    })
}

fn webhook(text: &str) -> Option<Admission> {
    if let Some((_, rest)) = text.split_once("failed calling webhook \"") {
        let (name, rest) = rest.split_once('"')?;
        let message = sentence(rest.trim_start_matches(':').trim_start()).to_owned();
        return Some(Admission::WebhookUnreachable { name: name.to_owned(), message });
    }
    let (_, rest) = text.split_once("admission webhook \"")?;
    let (name, rest) = rest.split_once('"')?;
    let rest = rest.trim_start().strip_prefix("denied the request")?;
    let message = match rest.strip_prefix(':') {
        // Some explain themselves in several lines.
        Some(rest) if rest.lines().next().is_some_and(|line| line.trim().is_empty()) => {
            let lines = rest.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.take(QUOTED_LINES).collect::<Vec<_>>().join(" ")
        }
        Some(rest) => sentence(rest.trim_start()).to_owned(),
        None => "it gives no reason".to_owned(),
    };
    Some(Admission::Webhook { name: name.to_owned(), message })
}

fn limit_range(text: &str) -> Option<Admission> {
    let (_, rest) = text.split_once("is forbidden: ")?;
    let detail = sentence(rest).trim_start_matches('[').trim_end_matches(']');
    let is_bound = detail.starts_with("maximum ")
        || detail.starts_with("minimum ")
        || detail.contains(" max limit to request ratio per ");
    let is_of_range =
        is_bound && [" usage per ", " limit to request ratio per "].iter().any(|words| detail.contains(words));
    is_of_range.then(|| Admission::LimitRange { detail: detail.to_owned() })
}

/// Returns the first line, without what kapp adds to it.
fn sentence(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.split(" (reason: ").next().unwrap_or_default().trim_end()
}

fn split(text: &str, at: &str) -> (String, String) {
    let (name, detail) = text.split_once(at).unwrap_or((text, ""));
    (name.to_owned(), detail.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says owner and reason.
    fn told(text: &str) -> (String, String) {
        let refusal = Admission::find(text).unwrap_or_else(|| panic!("nothing is found in {text}"));
        assert!(refusal.hint("apps").contains(&refusal.owner()), "{refusal:?}");
        (refusal.owner(), refusal.reason().to_owned())
    }

    #[test]
    fn kind_and_owner_are_named() {
        for (text, owner, reason) in [
            (
                "configmaps \"late\" is forbidden: unable to create new content in namespace apps because it is being terminated",
                "namespace apps, which is being deleted,",
                "",
            ),
            (
                "kapp: Error: create pod/x (v1) namespace: apps: Creating resource: API server says: pods \"x\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1 (reason: Forbidden)",
                "ResourceQuota compute",
                "requested: pods=1, used: pods=1, limited: pods=1",
            ),
            (
                "pods \"x\" is forbidden: failed quota: compute: must specify limits.cpu for: c; limits.memory for: c",
                "ResourceQuota compute",
                "must specify limits.cpu for: c; limits.memory for: c",
            ),
            (
                "secrets \"x\" is forbidden: status unknown for quota: few, resources: count/secrets",
                "ResourceQuota few",
                "what is used is not known yet, resources: count/secrets",
            ),
            (
                "policy 'add-team' with binding 'all' denied request: failed to configure binding: no params found",
                "MutatingAdmissionPolicy add-team",
                "failed to configure binding: no params found",
            ),
            (
                "pods \"x\" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Pod is 1Gi, but limit is 2Gi]",
                "a LimitRange of the namespace",
                "maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Pod is 1Gi, but limit is 2Gi",
            ),
            (
                "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"c\" must set securityContext.allowPrivilegeEscalation=false)",
                "Pod Security level restricted:latest of the namespace",
                "allowPrivilegeEscalation != false (container \"c\" must set securityContext.allowPrivilegeEscalation=false)",
            ),
            (
                "ConfigMap/apps/x dry-run failed (Invalid): configmaps \"x\" is forbidden: ValidatingAdmissionPolicy 'no-maps' with binding 'no-maps-here' denied request: nobody needs them\n",
                "ValidatingAdmissionPolicy no-maps",
                "nobody needs them",
            ),
            (
                "admission webhook \"validation.gatekeeper.sh\" denied the request: [labels] you must provide labels: {\"team\"}",
                "admission webhook validation.gatekeeper.sh",
                "[labels] you must provide labels: {\"team\"}",
            ),
            (
                "admission webhook \\\"validate.kyverno.svc-fail\\\" denied the request: \n\nresource Pod/apps/x was blocked due to the following policies\n\nno-latest:\n  tag: no tag latest",
                "admission webhook validate.kyverno.svc-fail",
                "resource Pod/apps/x was blocked due to the following policies no-latest: tag: no tag latest",
            ),
            (
                "admission webhook \"a.b\" denied the request without explanation",
                "admission webhook a.b",
                "it gives no reason",
            ),
            (
                "Internal error occurred: failed calling webhook \"a.b\": failed to call webhook: Post \"https://a.b.svc:443/?timeout=10s\": dial tcp 10.0.0.1:443: connect: connection refused",
                "admission webhook a.b",
                "failed to call webhook: Post \"https://a.b.svc:443/?timeout=10s\": dial tcp 10.0.0.1:443: connect: connection refused",
            ),
        ] {
            assert_eq!(told(text), (owner.to_owned(), reason.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_missing_permission_and_an_invalid_object_are_none() {
        for text in [
            "configmaps is forbidden: User \"jane\" cannot create resource \"configmaps\" in API group \"\" in the namespace \"apps\"",
            "roles \"x\" is forbidden: user \"u\" is attempting to grant RBAC permissions not currently held",
            "ConfigMap \"x\" is invalid: data: Required value",
            "",
        ] {
            assert_eq!(Admission::find(text), None, "{text}");
        }
    }

    #[test]
    fn only_what_may_come_back_may_pass() {
        let may_pass = |text: &str| Admission::find(text).expect("a refusal").may_pass();
        assert!(may_pass("failed calling webhook \"a.b\": timeout"));
        assert!(may_pass("secrets \"x\" is forbidden: status unknown for quota: few, resources: secrets"));
        assert!(!may_pass("pods \"x\" is forbidden: exceeded quota: compute, requested: pods=1"));
    }
}
