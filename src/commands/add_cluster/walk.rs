//! The walk-through of `add-cluster`: what flags leave open is asked, with what clusters and repository offer as choices.
//!
//! What comes next is a pure function of the answers and the situation, see [`topics`]; what is offered lives in [`offers`] and
//! [`proposals`], the questions about the package's values in [`values`] and [`encryption`], what is read for all that in [`reads`].

mod encryption;
mod offers;
mod proposals;
mod reads;
mod topics;
mod values;

pub(super) use self::offers::Offers;
use self::topics::{AGE, PLAIN, Situation, Topic, WORKLOAD_IDENTITY};
use super::clusters::Reached;
use super::package_request::ValuesRequest;
use crate::cli::{AddClusterArgs, AuthenticationMethod, Encryption, EncryptionArgs};
use crate::cluster::Connection;
use crate::commands::walk::lead;
use crate::conversation::{Answer, Conversation};
use crate::error::Result;
use crate::gitops::checkout::Limits;
use crate::gitops::credentials::GitCredentials;
use crate::ui::Ui;

/// What the questions have led to, beside what is filled in for flags.
pub(super) struct Walked {
    pub(super) namespace: Option<String>,
    /// What the repository is read with; `None` where nothing was given or asked for.
    pub(super) credentials: Option<GitCredentials>,
    /// The values, where they were asked for.
    pub(super) values: Option<ValuesRequest>,
    /// Whether the answers, and not flags, say how Flux authenticates.
    pub(super) chooses_authentication: bool,
    /// The clusters, where questions have led to them.
    pub(super) build: Option<Reached>,
    pub(super) run: Option<Reached>,
    /// The answers as flags.
    pub(super) answers: Vec<(&'static str, String)>,
}

/// Asks for what the flags leave open, and fills it in; where `led` has a conversation already, only for what was taken back.
pub(super) async fn walk(
    ui: Ui,
    led: &mut Option<Offers>,
    connection: &mut Connection,
    namespace: Option<String>,
    arguments: &mut AddClusterArgs,
    login: Option<GitCredentials>,
    gives_values: bool,
) -> Result<Walked> {
    let offers = match led {
        Some(offers) => offers,
        None => led.insert(begin(ui, connection, namespace.as_ref(), arguments, login, gives_values)?),
    };
    lead(ui, offers).await?;
    Ok(fill(offers, connection, arguments))
}

/// Begins the conversation with what flags say.
fn begin(
    ui: Ui,
    connection: &Connection,
    namespace: Option<&String>,
    arguments: &AddClusterArgs,
    login: Option<GitCredentials>,
    gives_values: bool,
) -> Result<Offers> {
    let leads = ui.is_interactive
        && arguments.packages.len() < 2
        && arguments.run_cluster.is_none()
        && arguments.run_context.is_none()
        && arguments.target_namespace.is_none();
    let text = |given: Option<&String>| given.map(|text| Answer::Text(text.clone()));
    let conversation = Conversation::with([
        (Topic::Context, text(connection.context.as_ref())),
        (Topic::Namespace, text(namespace)),
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
        gives_values,
        may_encrypt: arguments.encryption.encrypt.is_none() && !arguments.encryption.allow_plain_values,
        needs_credential: authentication.auth.is_none()
            && authentication.kubeconfig_file.is_none()
            && authentication.token_duration.is_none(),
        ..Situation::default()
    };
    let limits = Limits::new(connection.request_timeout, arguments.confirm.timeout);
    Offers::new(ui, connection.clone(), arguments.run_kubeconfig.as_ref(), conversation, situation, login, limits)
}

/// Fills the answers in, also where an earlier answer was filled in before.
fn fill(offers: &Offers, connection: &mut Connection, arguments: &mut AddClusterArgs) -> Walked {
    let values = offers.values();
    let credentials = offers.credentials();
    let conversation = &offers.conversation;
    let text = |topic| conversation.text(topic).map(str::to_owned);
    connection.context = text(Topic::Context).or(connection.context.take());
    if let Some(package) = conversation.asked(Topic::Package) {
        arguments.packages = vec![package.to_owned()];
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
    match conversation.asked(Topic::Encryption) {
        Some(AGE) => {
            arguments.encryption = EncryptionArgs { encrypt: Some(Encryption::Age), ..EncryptionArgs::default() };
            answers.push((Topic::Encryption.flag(), AGE.to_owned()));
            if offers.makes_age_key() {
                arguments.encryption.generate_age_key = true;
                answers.push(("--generate-age-key", String::new()));
            }
        }
        Some(PLAIN) => {
            arguments.encryption = EncryptionArgs { allow_plain_values: true, ..EncryptionArgs::default() };
            answers.push(("--allow-plain-values", String::new()));
        }
        _ => {}
    }
    let chosen = conversation.asked(Topic::Authentication);
    if chosen.is_some() {
        let is_identity = chosen == Some(WORKLOAD_IDENTITY);
        arguments.authentication.auth = is_identity.then_some(AuthenticationMethod::WorkloadIdentity);
        arguments.authentication.kubeconfig_file = conversation.asked(Topic::KubeconfigFile).map(Into::into);
        if is_identity {
            answers.push((Topic::Authentication.flag(), WORKLOAD_IDENTITY.to_owned()));
        }
    }
    let chooses_authentication = chosen.is_some();
    let (build, run) = offers.clusters();
    Walked { namespace: text(Topic::Namespace), credentials, values, build, run, chooses_authentication, answers }
}
