//! The walk-through of `add-cluster`: what flags leave open is asked, with what clusters and repository offer as choices.
//!
//! What comes next is a pure function of the answers and the [`Situation`]; what is offered lives in [`offers`] and
//! [`proposals`], the questions about the package's values in [`values`].

mod offers;
mod proposals;
mod values;

use self::offers::Offers;
use super::package_request::ValuesRequest;
use crate::cli::AddClusterArgs;
use crate::cluster::Connection;
use crate::commands::walk::lead;
use crate::conversation::{Answer, Conversation};
use crate::error::Result;
use crate::gitops::checkout::Limits;
use crate::gitops::credentials::GitCredentials;
use crate::ui::Ui;

/// What is asked about, named as the flags are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topic {
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
    Authentication,
    KubeconfigFile,
}

impl Topic {
    /// Returns the flag or argument that answers it.
    fn flag(self) -> &'static str {
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
            Self::Authentication => "--auth",
            Self::KubeconfigFile => "--kubeconfig-file",
        }
    }
}

/// The answers to how values are given.
const ASK: &str = "ask";
const EDIT: &str = "edit";
const DEFAULTS: &str = "defaults";

/// The answers to how Flux authenticates.
const TOKEN: &str = "token";
const WORKLOAD_IDENTITY: &str = "workload-identity";
const KUBECONFIG: &str = "kubeconfig";

/// What decides, beside the answers, which question comes next.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, read elsewhere")]
struct Situation {
    /// Whether hardly anything is named, so that also those questions are asked which have a usual answer.
    leads: bool,
    /// Whether the kubeconfig has contexts to choose from.
    has_contexts: bool,
    /// Whether the server of the repository asks for a user name and a password that no flag gives.
    asks_for_login: bool,
    /// Whether there are versions to choose from.
    offers_versions: bool,
    /// Whether the package takes values, and neither flags nor Git hold some.
    needs_values: bool,
    /// How many of the values have no usable default.
    open_values: usize,
    /// Whether Flux has no credential for the run cluster yet, and no flag says which it gets.
    needs_credential: bool,
}

/// Returns what is asked next.
fn next(conversation: &Conversation<Topic>, situation: Situation) -> Option<Topic> {
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
    let last = [
        (Topic::Authentication, leads && situation.needs_credential),
        (Topic::KubeconfigFile, said(Topic::Authentication, KUBECONFIG)),
    ];
    let mut all = first.into_iter().chain(values).chain(last);
    all.find_map(|(topic, matters)| (matters && !conversation.knows(topic)).then_some(topic))
}

/// What the questions have led to, beside what is filled in for flags.
pub(super) struct Walked {
    pub(super) namespace: Option<String>,
    /// What the repository is read with; `None` where nothing was given or asked for.
    pub(super) credentials: Option<GitCredentials>,
    /// The values, where they were asked for.
    pub(super) values: Option<ValuesRequest>,
    /// The answers as flags.
    pub(super) answers: Vec<(&'static str, String)>,
}

/// Asks for what the flags leave open, and fills it in.
pub(super) async fn walk(
    ui: Ui,
    connection: &mut Connection,
    namespace: Option<String>,
    arguments: &mut AddClusterArgs,
    login: Option<GitCredentials>,
    gives_values: bool,
) -> Result<Walked> {
    let leads = ui.is_interactive
        && arguments.packages.len() < 2
        && arguments.run_cluster.is_none()
        && arguments.run_context.is_none()
        && arguments.target_namespace.is_none();
    let text = |given: Option<&String>| given.map(|text| Answer::Text(text.clone()));
    let conversation = Conversation::with([
        (Topic::Context, text(connection.context.as_ref())),
        (Topic::Namespace, text(namespace.as_ref())),
        (Topic::Package, text(arguments.packages.first())),
        (Topic::RunContext, text(arguments.run_context.as_ref())),
        (Topic::RunCluster, text(arguments.run_cluster.as_ref())),
        (Topic::TargetNamespace, text(arguments.target_namespace.as_ref())),
        (Topic::VersionConstraints, text(arguments.version_constraints.as_ref())),
    ]);
    let authentication = &arguments.authentication;
    let situation = Situation {
        leads,
        offers_versions: true,
        needs_values: !gives_values,
        needs_credential: authentication.auth.is_none()
            && authentication.kubeconfig_file.is_none()
            && authentication.token_duration.is_none(),
        ..Situation::default()
    };
    let limits = Limits::new(connection.request_timeout, arguments.timeout);
    let mut offers =
        Offers::new(ui, connection.clone(), arguments.run_kubeconfig.as_ref(), conversation, situation, login, limits)?;
    lead(ui, &mut offers).await?;
    Ok(fill(&offers, connection, arguments))
}

/// Fills the answers in.
fn fill(offers: &Offers, connection: &mut Connection, arguments: &mut AddClusterArgs) -> Walked {
    let values = offers.values();
    let credentials = offers.credentials();
    let conversation = &offers.conversation;
    let text = |topic| conversation.text(topic).map(str::to_owned);
    connection.context = text(Topic::Context).or(connection.context.take());
    if arguments.packages.is_empty() {
        arguments.packages.extend(text(Topic::Package));
    }
    arguments.run_context = text(Topic::RunContext);
    arguments.run_cluster = text(Topic::RunCluster);
    arguments.target_namespace = text(Topic::TargetNamespace);
    arguments.version_constraints = text(Topic::VersionConstraints);
    let topics = [
        Topic::RunCluster,
        Topic::Context,
        Topic::Namespace,
        Topic::Package,
        Topic::RunContext,
        Topic::TargetNamespace,
        Topic::GitUsername,
        Topic::VersionConstraints,
        Topic::KubeconfigFile,
    ];
    let mut answers = conversation.flags(&topics, Topic::flag);
    if offers.is_new_namespace() {
        arguments.installer.create_namespace = true;
        answers.push(("--create-namespace", String::new()));
    }
    match conversation.asked(Topic::Authentication) {
        Some(WORKLOAD_IDENTITY) => {
            arguments.authentication.auth = Some(crate::cli::AuthenticationMethod::WorkloadIdentity);
            answers.push((Topic::Authentication.flag(), WORKLOAD_IDENTITY.to_owned()));
        }
        Some(KUBECONFIG) => {
            arguments.authentication.kubeconfig_file = conversation.text(Topic::KubeconfigFile).map(Into::into);
        }
        _ => {}
    }
    Walked { namespace: text(Topic::Namespace), credentials, values, answers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Reply;
    use Topic::{
        Authentication, Context, EditedValues, KubeconfigFile, Namespace, Package, RunCluster, RunContext,
        TargetNamespace, Value, Values, VersionConstraints,
    };

    const LED: Situation = Situation {
        leads: true,
        has_contexts: true,
        asks_for_login: false,
        offers_versions: true,
        needs_values: true,
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
            conversation.take(topic, Reply::Answer(answer.into()));
        }
        topics
    }

    #[test]
    fn who_names_nothing_is_led_through_everything() {
        let usual = [Context, Namespace, Package, RunContext, RunCluster, TargetNamespace, VersionConstraints, Values];
        let all = asked(&[], LED, ASK, KUBECONFIG);
        assert_eq!(all, [&usual[..], &[Value(0), Value(1), Authentication, KubeconfigFile]].concat());
        assert_eq!(asked(&[], LED, EDIT, TOKEN), [&usual[..], &[EditedValues, Authentication]].concat());
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
}
