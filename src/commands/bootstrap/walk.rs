//! The walk-through of `bootstrap`: what flags leave open is asked, with what cluster and repository offer as choices.
//!
//! What comes next is a pure function of the answers, see [`topics`]; only the choices are looked up.

mod topics;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::ResourceExt;
use kube::api::DynamicObject;

use self::topics::{Situation, Topic, next};
use super::credential;
use crate::check;
use crate::cli::BootstrapArgs;
use crate::cluster::{Cluster, Connection, Role, find_kubeconfig};
use crate::commands::walk::{LIST_TIMEOUT, Walk, Wrong, lead};
use crate::commands::{context, git, packages};
use crate::conversation::{Answer, Choice, Conversation, Question};
use crate::error::{Error, Result};
use crate::flux::{GitRepository, GitRepositorySpec, git_repository_resource};
use crate::gitops::artifact::Artifact;
use crate::gitops::checkout::{Checkout, GitAccess, Isolated, KeyType, Limits, branches};
use crate::gitops::credentials::GitCredentials;
use crate::gitops::flux_credential::FluxCredential;
use crate::gitops::url::GitUrl;
use crate::names;
use crate::object::api_resource;
use crate::ui::Ui;
use crate::waiting::within;

/// What the questions have led to.
pub(super) struct Walked {
    pub(super) namespace: Option<String>,
    /// What the repository is read with; `None` where nothing was given or asked for.
    pub(super) credentials: Option<GitCredentials>,
    /// What else flags give for Flux to read it with, but for an SSH key.
    pub(super) given: FluxCredential,
    /// The answers as flags.
    pub(super) answers: Vec<(&'static str, String)>,
    /// Whether everything was asked, and it is worth going on with what follows.
    pub(super) leads: bool,
}

/// Asks for what the flags leave open, and fills it in; where `led` has a conversation already, only for what was taken back.
pub(super) async fn walk(
    ui: Ui,
    led: &mut Option<Questions>,
    connection: &mut Connection,
    namespace: Option<String>,
    arguments: &mut BootstrapArgs,
) -> Result<Walked> {
    let questions = match led {
        Some(questions) => questions,
        None => led.insert(begin(ui, connection, namespace, arguments).await?),
    };
    lead(ui, questions).await?;
    Ok(questions.fill(connection, arguments))
}

/// Begins the conversation with what flags say.
async fn begin(
    ui: Ui,
    connection: &Connection,
    namespace: Option<String>,
    arguments: &BootstrapArgs,
) -> Result<Questions> {
    let login = git::given(ui, &arguments.credentials).await?;
    let given = credential::over_http(&arguments.flux_credentials).await?;
    // The repository may be that of a variable, which says nothing of what was typed.
    let leads = ui.is_interactive && arguments.package.is_none();
    let text = |given: Option<&String>| given.map(|text| Answer::Text(text.clone()));
    let flux_credentials = &arguments.flux_credentials;
    let is_vouched_for = flux_credentials.git_secret.is_some() || flux_credentials.provider.is_some();
    let gives_key = flux_credentials.ssh_key_file.is_some() || flux_credentials.generate_deploy_key.is_some();
    let key = (gives_key || is_vouched_for).then(|| Answer::from("given"));
    let conversation = Conversation::with([
        (Topic::Context, text(connection.context.as_ref())),
        (Topic::Namespace, text(namespace.as_ref())),
        (Topic::GitUrl, text(arguments.git_url.as_ref())),
        (Topic::SshKeyFile, key),
        (Topic::Branch, text(arguments.branch.as_ref())),
        (Topic::Package, text(arguments.package.as_ref())),
    ]);
    let kubeconfig = find_kubeconfig(connection.kubeconfig.as_deref()).map(Option::unwrap_or_default)?;
    let current = kubeconfig.current_context.clone().unwrap_or_default();
    let mut contexts = context::names(&kubeconfig);
    contexts.sort_by_key(|name| *name != current);
    let has_contexts = connection.server.is_none() && contexts.iter().any(|name| *name != current);
    let limits = Limits::new(connection.request_timeout, arguments.confirm.timeout);
    let situation = Situation { leads, has_contexts, asks_for_login: false };
    if leads {
        ui.proposal("Esc or an empty line goes back; nothing is written before you have seen it and said yes");
    }
    Ok(Questions {
        ui,
        connection: connection.clone(),
        conversation,
        situation,
        contexts,
        login,
        limits,
        given,
        is_vouched_for,
    })
}

/// The questions, with what was answered to them.
pub(super) struct Questions {
    ui: Ui,
    connection: Connection,
    conversation: Conversation<Topic>,
    situation: Situation,
    /// The current one first.
    contexts: Vec<String>,
    /// What flags and the environment give, as long as the server takes it.
    login: Option<GitCredentials>,
    limits: Limits,
    /// What else flags give for Flux.
    given: FluxCredential,
    /// Whether flags name a Secret that is there, or who vouches for Flux: the repository need not be public then.
    is_vouched_for: bool,
}

impl Walk for Questions {
    type Topic = Topic;

    fn depends(later: Topic, topic: Topic) -> bool {
        use Topic::{Branch, Context, GitPassword, GitUrl, GitUsername, Namespace, Package, SshKeyFile};
        match topic {
            Context => later == Namespace,
            GitUrl => matches!(later, GitUsername | GitPassword | SshKeyFile | Branch | Package),
            GitUsername => later == GitPassword,
            Branch => later == Package,
            Namespace | GitPassword | SshKeyFile | Package => false,
        }
    }

    fn blamed_by(failure: &Error) -> &'static [Topic] {
        Topic::blamed_by(failure)
    }

    fn conversation(&mut self) -> &mut Conversation<Topic> {
        &mut self.conversation
    }

    fn next(&self) -> Option<Topic> {
        next(&self.conversation, self.situation)
    }

    async fn question(&mut self, topic: Topic) -> Result<Option<Question>, Wrong<Topic>> {
        let flag = topic.flag();
        Ok(Some(match topic {
            Topic::Context => Question::one_of_names("Context of the build cluster", flag, &self.contexts),
            Topic::Namespace => self.namespace().await?,
            Topic::GitUrl => {
                self.situation.asks_for_login = false;
                Question::text("URL of the GitOps repository", flag).checked(|url| GitUrl::parse(url).check())
            }
            Topic::GitUsername => git::username_question(),
            Topic::GitPassword => git::password_question(),
            Topic::SshKeyFile => {
                let question =
                    Question::text("File with a private SSH key for Flux, empty to have one made", flag).or("");
                question.checked(|path| if path.is_empty() { Ok(()) } else { is_readable(path) })
            }
            Topic::Branch => match branches(&self.url(), &self.access()?).await {
                Ok(branches) => Question::one_of_names("Branch", flag, &branches),
                // Only Flux's key, which may not be made yet, may have access.
                Err(_) if self.url().is_ssh() => Question::text("Branch", flag).or("main"),
                Err(error) => return self.refused(error).map(|()| None),
            },
            Topic::Package => match self.packages().await? {
                Ok(choices) => {
                    let what = "Package (its directory in the GitOps repository)";
                    let check = |path: &str| names::check_package(names::of_package(path));
                    Question::one_of(what, flag, choices).checked(check)
                }
                Err(_) if self.url().is_ssh() => {
                    let check = |path: &str| names::check_package(names::of_package(names::normalised_path(path)));
                    Question::text("Package (its directory in the GitOps repository)", flag).checked(check)
                }
                Err(error) => return self.refused(error).map(|()| None),
            },
        }))
    }
}

impl Questions {
    fn url(&self) -> GitUrl {
        GitUrl::parse(self.conversation.text(Topic::GitUrl).unwrap_or_default())
    }

    fn credentials(&self) -> Option<GitCredentials> {
        let asked = git::asked_login(&self.conversation, Topic::GitUsername, Topic::GitPassword);
        asked.or_else(|| self.login.clone())
    }

    /// Says how the repository is looked at: as Flux will, which has none of the user's settings, unless they say that it is
    /// public or in Flux's reach already.
    fn access(&self) -> Result<GitAccess> {
        let credentials = self.credentials();
        let mut access = GitAccess { credentials, limits: self.limits, ..GitAccess::default() };
        if !self.given.is_empty() && !self.url().is_ssh() {
            let credential = FluxCredential { login: access.credentials.clone(), ..self.given.clone() };
            access.isolated = Some(Arc::new(Isolated::with(&credential, &self.url())?));
        } else if access.credentials.is_none()
            && !self.url().is_ssh()
            && !self.is_vouched_for
            && !self.conversation.knows(Topic::GitUsername)
        {
            access = access.without_helpers();
        }
        Ok(access)
    }

    /// Takes up that the repository could not be looked at: a server that asks for a login gets one.
    fn refused(&mut self, error: Error) -> Result<(), Wrong<Topic>> {
        let is_login = error.status() == Some(401) && !self.url().is_ssh() && self.given.bearer.is_none();
        if is_login && !self.conversation.knows(Topic::GitUsername) {
            self.ui.proposal(&format!("! {}", error.message()));
            self.login = None;
            self.situation.asks_for_login = true;
            return Ok(());
        }
        let topics: &[Topic] = if is_login { &[Topic::GitUsername] } else { &[Topic::GitUrl] };
        Err(Wrong::of(topics, error))
    }

    /// Offers the namespaces of the build cluster, those with deliveries first; any other may be typed.
    async fn namespace(&self) -> Result<Question, Wrong<Topic>> {
        let what = "Namespace on the build cluster";
        let mut connection = self.connection.clone();
        connection.context = self.conversation.text(Topic::Context).map(str::to_owned).or(connection.context);
        let wrong = |error| Wrong::of(&[Topic::Context], error);
        let usual = connection.namespace().map_err(wrong)?.unwrap_or_else(|| "default".to_owned());
        let build = Cluster::connect(Role::Build, &connection).await.map_err(wrong)?;
        let served = build.served_versions().await.map_err(wrong)?;
        let resource = git_repository_resource(check::flux(&build, &served).map_err(wrong)?.source);
        let all_namespaces = api_resource("", "v1", "Namespace");
        let lists = async {
            futures::join!(
                build.list_in::<DynamicObject>(&all_namespaces, None),
                build.list_in::<GitRepository>(&resource, None)
            )
        };
        // Who may not list them, or would wait for long, types the name.
        let Some((Ok(namespaces), repositories)) = within(LIST_TIMEOUT, Box::pin(lists)).await else {
            let question = Question::text(what, Topic::Namespace.flag()).or(usual);
            return Ok(question.checked(names::check_namespace));
        };
        let repositories = repositories.unwrap_or_default();
        let prepared = |name: &str| {
            let is_here = |repository: &&GitRepository| repository.namespace().as_deref() == Some(name);
            repositories
                .iter()
                .filter(is_here)
                .filter(|one| names::package_of_git_repository(&one.name_any()).is_some())
                .count()
        };
        let mut choices: Vec<(usize, String)> =
            namespaces.iter().map(ResourceExt::name_any).map(|name| (prepared(&name), name)).collect();
        choices.sort_by_key(|(count, name)| (*name != usual, std::cmp::Reverse(*count)));
        // That of the context comes first where no other has deliveries.
        choices.sort_by_key(|(count, _)| std::cmp::Reverse((*count).min(1)));
        let choices = choices.into_iter().map(|(count, name)| {
            let note = match count {
                0 => String::new(),
                1 => "1 package".to_owned(),
                _ => format!("{count} packages"),
            };
            Choice::new(name, note)
        });
        let question = Question::one_of(what, Topic::Namespace.flag(), choices.collect()).or_another();
        Ok(question.checked(names::check_namespace))
    }

    /// Offers what the branch holds.
    async fn packages(&self) -> Result<Result<Vec<Choice>>, Wrong<Topic>> {
        let branch = self.conversation.text(Topic::Branch).unwrap_or_default();
        let checkout = match Checkout::clone(&self.url(), branch, &self.access()?).await {
            Ok(checkout) => checkout,
            Err(error) => return Ok(Err(error)),
        };
        let list = || packages::listed(checkout.root(), &Artifact::of(checkout.root(), &GitRepositorySpec::default())?);
        let (packages, unreadable) = list().map_err(|error| Wrong::of(&[Topic::Branch, Topic::GitUrl], error))?;
        for error in unreadable {
            self.ui.warning(&error.to_string());
        }
        let choice = |package: packages::Listed| {
            let highest = package.highest.unwrap_or_default();
            let note = if package.versions > 1 { format!("{highest}, {} versions", package.versions) } else { highest };
            Choice::new(package.path, note)
        };
        Ok(Ok(packages.into_iter().map(choice).collect()))
    }

    /// Fills the answers in.
    fn fill(&self, connection: &mut Connection, arguments: &mut BootstrapArgs) -> Walked {
        let text = |topic| self.conversation.text(topic).map(str::to_owned);
        connection.context = text(Topic::Context).or(connection.context.take());
        arguments.git_url = text(Topic::GitUrl);
        arguments.branch = text(Topic::Branch);
        arguments.package = text(Topic::Package);
        let mut deploy_key = None;
        match self.conversation.asked(Topic::SshKeyFile) {
            Some("") => {
                arguments.flux_credentials.generate_deploy_key = Some(KeyType::Ed25519);
                deploy_key = Some(("--generate-deploy-key", String::new()));
            }
            Some(path) => arguments.flux_credentials.ssh_key_file = Some(expanded(path)),
            None => {}
        }
        let topics = [
            Topic::Package,
            Topic::Context,
            Topic::Namespace,
            Topic::GitUrl,
            Topic::GitUsername,
            Topic::SshKeyFile,
            Topic::Branch,
        ];
        let mut answers = self.conversation.flags(&topics, Topic::flag);
        answers.extend(deploy_key);
        Walked {
            namespace: text(Topic::Namespace),
            credentials: self.credentials(),
            given: self.given.clone(),
            answers,
            leads: self.situation.leads,
        }
    }
}

/// Expands the `~` that a shell would.
fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

fn is_readable(path: &str) -> Result<()> {
    let read = std::fs::File::open(expanded(path));
    read.map(drop).map_err(|error| Error::usage(format!("cannot read {}", Path::new(path).display())).because(error))
}
