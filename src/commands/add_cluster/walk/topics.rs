//! What `add-cluster` may ask about, and in which order. Pure.

use crate::conversation::Conversation;
use crate::error::Error;

/// What is asked about, named as the flags are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands::add_cluster) enum Topic {
    Context,
    Namespace,
    Package,
    RunContext,
    RunCluster,
    TargetNamespace,
    GitUsername,
    GitPassword,
    VersionConstraints,
    /// How values are given.
    Values,
    /// One of those that have no usable default.
    Value(usize),
    /// All of them, in an editor.
    EditedValues,
    /// Whether they are encrypted in Git.
    Encryption,
    Authentication,
    KubeconfigFile,
}

impl Topic {
    /// Returns the flag or argument that answers it.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Context => "--context",
            Self::Namespace => "--namespace",
            Self::Package => "--package",
            Self::RunContext => "--run-context",
            Self::RunCluster => "RUN_CLUSTER",
            Self::TargetNamespace => "--target-namespace",
            Self::GitUsername => "--git-username",
            Self::GitPassword => "--git-password-file",
            Self::VersionConstraints => "--version-constraints",
            Self::Values | Self::EditedValues => "--values",
            Self::Value(_) => "--set",
            Self::Encryption => "--encrypt",
            Self::Authentication => "--auth",
            Self::KubeconfigFile => "--kubeconfig-file",
        }
    }
}

impl Topic {
    /// Returns the answers that may be the cause of what a check has found, the likeliest first.
    pub(super) fn blamed_by(failure: &Error) -> &'static [Self] {
        match failure.check().unwrap_or_default() {
            "GitOps repository" if matches!(failure.status(), Some(401 | 403)) => &[Self::GitUsername],
            "GitOps repository" | "Packages" => &[Self::Package, Self::Namespace],
            // Who may not look there has chosen the wrong namespace rather than the wrong cluster.
            "kapp-controller" if failure.status() == Some(403) => &[Self::TargetNamespace, Self::RunContext],
            "kapp-controller"
            | "identity of the run cluster"
            | "address of the run cluster"
            | "credential of the run cluster" => &[Self::RunContext],
            "run cluster's name" | "other deliveries with the kubeconfig" => &[Self::RunCluster, Self::RunContext],
            "Kustomizations" | "PackageInstall" => &[Self::TargetNamespace, Self::RunCluster, Self::Package],
            "installer" => &[Self::TargetNamespace, Self::RunContext],
            "version" => &[Self::VersionConstraints],
            "values" => &[Self::EditedValues, Self::Values],
            "encryption" => &[Self::Encryption, Self::Values],
            "authentication" | "kubeconfig" => &[Self::KubeconfigFile, Self::Authentication],
            name if name.starts_with("permissions on the build cluster") => &[Self::Namespace, Self::Context],
            name if name.starts_with("permissions on ") => &[Self::TargetNamespace, Self::RunContext],
            name if name.starts_with("namespace ") => &[Self::Namespace],
            name if name.starts_with("target namespace ") => &[Self::TargetNamespace],
            _ => &[],
        }
    }

    /// Tells whether an answer means nothing any more once that to another topic has changed.
    pub(super) fn depends_on(self, other: Self) -> bool {
        let is_login = matches!(self, Self::GitUsername | Self::GitPassword);
        let is_of_values = matches!(self, Self::Values | Self::Value(_) | Self::EditedValues | Self::Encryption);
        let is_of_package = is_login || is_of_values || self == Self::VersionConstraints;
        match other {
            Self::Context => matches!(self, Self::Namespace | Self::Package) || is_of_package,
            Self::Namespace => self == Self::Package || is_of_package,
            Self::Package => is_of_package,
            Self::RunContext => self == Self::TargetNamespace,
            Self::GitUsername => self == Self::GitPassword,
            // Another version may take other values.
            Self::VersionConstraints => is_of_values,
            Self::Values => is_of_values && self != Self::Values,
            Self::Authentication => self == Self::KubeconfigFile,
            Self::RunCluster
            | Self::TargetNamespace
            | Self::GitPassword
            | Self::Value(_)
            | Self::EditedValues
            | Self::Encryption
            | Self::KubeconfigFile => false,
        }
    }
}

/// The answers to how values are given.
pub(super) const ASK: &str = "ask";
pub(super) const EDIT: &str = "edit";
pub(super) const DEFAULTS: &str = "defaults";

/// The answers to whether values are encrypted.
pub(super) const AGE: &str = "age";
pub(super) const PLAIN: &str = "plain";

/// The answers to how Flux authenticates.
pub(super) const TOKEN: &str = "token";
pub(super) const WORKLOAD_IDENTITY: &str = "workload-identity";
pub(super) const KUBECONFIG: &str = "kubeconfig";

/// What decides, beside the answers, which question comes next.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, read elsewhere")]
pub(super) struct Situation {
    /// Whether hardly anything is named, so that also those questions are asked which have a usual answer.
    pub(super) leads: bool,
    /// Whether the kubeconfig has contexts to choose from.
    pub(super) has_contexts: bool,
    /// Whether the server of the repository asks for a user name and a password that no flag gives.
    pub(super) asks_for_login: bool,
    /// Whether there are versions to choose from.
    pub(super) offers_versions: bool,
    /// Whether the package takes values, and neither flags nor Git hold some.
    pub(super) needs_values: bool,
    /// Whether flags give values.
    pub(super) gives_values: bool,
    /// Whether nothing says yet whether values are encrypted: neither flags nor what Git holds.
    pub(super) may_encrypt: bool,
    /// How many of the values have no usable default.
    pub(super) open_values: usize,
    /// Whether Flux has no credential for the run cluster yet, and no flag says which it gets.
    pub(super) needs_credential: bool,
}

/// Returns what is asked next.
pub(super) fn next(conversation: &Conversation<Topic>, situation: Situation) -> Option<Topic> {
    let leads = situation.leads;
    let said = |topic: Topic, answer: &str| conversation.text(topic) == Some(answer);
    let has_username = conversation.text(Topic::GitUsername).is_some_and(|name| !name.is_empty());
    let first = [
        (Topic::Context, leads && situation.has_contexts),
        (Topic::Namespace, leads),
        (Topic::Package, true),
        (Topic::RunContext, true),
        (Topic::RunCluster, true),
        (Topic::TargetNamespace, true),
        (Topic::GitUsername, situation.asks_for_login),
        (Topic::GitPassword, situation.asks_for_login && has_username),
        (Topic::VersionConstraints, leads && situation.offers_versions),
        (Topic::Values, leads && situation.needs_values),
        (Topic::EditedValues, said(Topic::Values, EDIT)),
    ];
    let asked = if said(Topic::Values, ASK) { situation.open_values } else { 0 };
    let values = (0..asked).map(|index| (Topic::Value(index), true));
    let gives_values = situation.gives_values || said(Topic::Values, ASK) || said(Topic::Values, EDIT);
    let last = [
        (Topic::Encryption, leads && gives_values && situation.may_encrypt),
        (Topic::Authentication, leads && situation.needs_credential),
        (Topic::KubeconfigFile, said(Topic::Authentication, KUBECONFIG)),
    ];
    let mut all = first.into_iter().chain(values).chain(last);
    all.find_map(|(topic, matters)| (matters && !conversation.knows(topic)).then_some(topic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Reply;
    use Topic::{
        Authentication, Context, EditedValues, Encryption, KubeconfigFile, Namespace, Package, RunCluster, RunContext,
        TargetNamespace, Value, Values, VersionConstraints,
    };

    const LED: Situation = Situation {
        leads: true,
        has_contexts: true,
        asks_for_login: false,
        offers_versions: true,
        needs_values: true,
        gives_values: false,
        may_encrypt: true,
        open_values: 2,
        needs_credential: true,
    };

    /// Answers until all is known, and returns what was asked.
    fn asked(given: &[Topic], situation: Situation, values: &str, authentication: &str) -> Vec<Topic> {
        let mut conversation = Conversation::with(given.iter().map(|topic| (*topic, Some("given".into()))));
        let mut topics = Vec::new();
        while let Some(topic) = next(&conversation, situation) {
            topics.push(topic);
            let answer = match topic {
                Values => values,
                Authentication => authentication,
                _ => "answer",
            };
            conversation.take(topic, Reply::Answer(answer.into()), |later| later.depends_on(topic));
        }
        topics
    }

    #[test]
    fn who_names_nothing_is_led_through_everything() {
        let usual = [Context, Namespace, Package, RunContext, RunCluster, TargetNamespace, VersionConstraints, Values];
        let all = asked(&[], LED, ASK, KUBECONFIG);
        assert_eq!(all, [&usual[..], &[Value(0), Value(1), Encryption, Authentication, KubeconfigFile]].concat());
        assert_eq!(asked(&[], LED, EDIT, TOKEN), [&usual[..], &[EditedValues, Encryption, Authentication]].concat());
        assert_eq!(asked(&[], LED, DEFAULTS, TOKEN), [&usual[..], &[Authentication]].concat());
    }

    #[test]
    fn who_names_something_is_asked_only_what_is_missing() {
        let some = Situation { leads: false, ..LED };
        let given = [RunCluster, TargetNamespace];
        assert_eq!(asked(&given, some, ASK, TOKEN), [Package, RunContext]);
        assert_eq!(asked(&[RunCluster, TargetNamespace, Package, RunContext], some, ASK, TOKEN), []);
    }

    #[test]
    fn after_bootstrap_nothing_is_asked_twice() {
        let all = asked(&[Context, Namespace, Package], LED, DEFAULTS, TOKEN);
        assert_eq!(all, [RunContext, RunCluster, TargetNamespace, VersionConstraints, Values, Authentication]);
    }

    #[test]
    fn values_of_flags_may_be_encrypted_too() {
        let with_values = Situation { needs_values: false, gives_values: true, ..LED };
        let all = asked(&[Context, Namespace, Package], with_values, DEFAULTS, TOKEN);
        assert_eq!(all, [RunContext, RunCluster, TargetNamespace, VersionConstraints, Encryption, Authentication]);
    }

    #[test]
    fn a_wrong_answer_costs_only_those_that_depend_on_it() {
        let all = asked(&[], LED, ASK, KUBECONFIG);
        let lost = |topic: Topic| all.iter().copied().filter(|later| later.depends_on(topic)).collect::<Vec<_>>();
        assert_eq!(lost(Package), [VersionConstraints, Values, Value(0), Value(1), Encryption]);
        assert_eq!(lost(RunContext), [TargetNamespace]);
        assert_eq!(lost(Values), [Value(0), Value(1), Encryption]);
        assert_eq!(
            [lost(RunCluster), lost(TargetNamespace), lost(Value(0)), lost(Encryption)],
            [const { Vec::new() }; 4]
        );
    }
}
