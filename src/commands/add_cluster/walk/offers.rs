//! What the questions of `add-cluster` offer to choose from: contexts, namespaces, packages, versions, values.

use std::path::PathBuf;

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::config::Kubeconfig;

use super::encryption::{self, Recipients};
use super::proposals::{selected, short_name, versions};
use super::reads::{Reads, Repository, check_kubeconfig};
use super::topics::{ASK, EDIT, KUBECONFIG, Situation, TOKEN, Topic, WORKLOAD_IDENTITY, next};
use super::values::PackageValues;
use crate::carvel::schema::ValuesSchema;
use crate::check;
use crate::cluster::{Connection, Role, load_kubeconfig};
use crate::commands::add_cluster::clusters::Reached;
use crate::commands::add_cluster::package_request::{ValuesFile, ValuesRequest};
use crate::commands::walk::{LIST_TIMEOUT, Walk, Wrong};
use crate::commands::{age_keys, context, git};
use crate::conversation::{Answer, Choice, Conversation, Question, Reply};
use crate::error::{Error, Result};
use crate::flux::{GitRepository, git_repository_resource};
use crate::gitops::artifact::Artifact;
use crate::gitops::checkout::{Checkout, GitAccess, Limits};
use crate::gitops::credentials::GitCredentials;
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::sops::{RULES_FILE, Rule, creation_rule};
use crate::gitops::url::GitUrl;
use crate::invocation::PROGRAM;
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::ui::Ui;
use crate::waiting::within;

/// The conversation with all that it is about.
pub(in crate::commands::add_cluster) struct Offers {
    ui: Ui,
    connection: Connection,
    run_connection: Connection,
    kubeconfig: Kubeconfig,
    pub(super) conversation: Conversation<Topic>,
    /// What is so before anything was read.
    flags: Situation,
    situation: Situation,
    /// What flags and the environment give, as long as the server takes it.
    login: Option<GitCredentials>,
    limits: Limits,
    reads: Reads,
    package_values: Option<PackageValues>,
    /// For whom values would be encrypted.
    recipients: Option<Recipients>,
}

impl Offers {
    pub(super) fn new(
        ui: Ui,
        connection: Connection,
        run_kubeconfig: Option<&PathBuf>,
        conversation: Conversation<Topic>,
        mut situation: Situation,
        login: Option<GitCredentials>,
        limits: Limits,
    ) -> Result<Self> {
        let run_connection = connection.of_run_clusters(run_kubeconfig);
        let kubeconfig = load_kubeconfig(run_connection.kubeconfig.as_deref())?;
        let current = kubeconfig.current_context.clone().unwrap_or_default();
        situation.has_contexts =
            connection.server.is_none() && kubeconfig.contexts.iter().any(|context| context.name != current);
        Ok(Self {
            ui,
            connection,
            run_connection,
            kubeconfig,
            conversation,
            flags: situation,
            situation,
            login,
            limits,
            reads: Reads::default(),
            package_values: None,
            recipients: None,
        })
    }

    /// Returns what the repository is read with.
    pub(super) fn credentials(&self) -> Option<GitCredentials> {
        let asked = git::asked_login(&self.conversation, Topic::GitUsername, Topic::GitPassword);
        asked.or_else(|| self.login.clone())
    }

    /// Tells whether the target namespace is one that is not there yet.
    pub(super) fn is_new_namespace(&self) -> bool {
        let chosen = self.conversation.asked(Topic::TargetNamespace);
        let namespaces = self.reads.namespaces.as_ref();
        chosen.is_some_and(|chosen| namespaces.is_some_and(|all| all.iter().all(|name| name != chosen)))
    }

    /// Returns the values that were given; `None` where the defaults will do.
    pub(super) fn values(&self) -> Option<ValuesRequest> {
        let package_values = self.package_values.as_ref()?;
        match self.conversation.asked(Topic::Values)? {
            ASK => {
                let answer = |index| match self.conversation.secret(Topic::Value(index)) {
                    Some(secret) => Some(Answer::Secret(secret.clone())),
                    None => self.conversation.text(Topic::Value(index)).map(Answer::from),
                };
                let assignments = package_values.assignments(answer);
                Some(ValuesRequest { assignments, ..ValuesRequest::default() })
            }
            EDIT => {
                let text = self.conversation.secret(Topic::EditedValues)?.clone();
                let files = vec![ValuesFile { origin: "the edited values".to_owned(), text }];
                Some(ValuesRequest { files, ..ValuesRequest::default() })
            }
            _ => None,
        }
    }

    /// Tells whether values are encrypted for keys that `.sops.yaml` does not name yet.
    pub(super) fn makes_age_key(&self) -> bool {
        matches!(self.recipients, Some(Recipients::OfFlux | Recipients::New))
    }

    /// Returns the clusters that questions have led to.
    pub(super) fn clusters(&self) -> (Option<Reached>, Option<Reached>) {
        (self.reads.build.clone(), self.reads.run.clone())
    }

    fn text(&self, topic: Topic) -> &str {
        self.conversation.text(topic).unwrap_or_default()
    }

    async fn build(&mut self) -> Result<Reached, Wrong<Topic>> {
        if let Some(build) = &self.reads.build {
            return Ok(build.clone());
        }
        let mut connection = self.connection.clone();
        connection.context = self.conversation.text(Topic::Context).map(str::to_owned).or(connection.context);
        let wrong = |error| Wrong::of(&[Topic::Context], error);
        let build = Reached::connect(Role::Build, &connection).await.map_err(wrong)?;
        Ok(self.reads.build.insert(build).clone())
    }

    fn namespace(&self, build: &Reached) -> String {
        self.conversation.text(Topic::Namespace).unwrap_or_else(|| build.cluster.default_namespace()).to_owned()
    }

    async fn git_repositories(&self, build: &Reached) -> Result<Vec<GitRepository>, Wrong<Topic>> {
        let Reached { cluster, served } = build;
        let wrong = |error| Wrong::of(&[Topic::Namespace, Topic::Context], error);
        let versions = check::flux(cluster, served).map_err(wrong)?;
        cluster.list(&git_repository_resource(versions.source), &self.namespace(build)).await.map_err(wrong)
    }

    /// Offers the packages that `bootstrap` has made known to Flux.
    async fn packages(&mut self) -> Result<Question, Wrong<Topic>> {
        let build = self.build().await?;
        let repositories = self.git_repositories(&build).await?;
        let names: Vec<String> = repositories
            .iter()
            .filter_map(|repository| names::package_of_git_repository(&repository.name_any()).map(str::to_owned))
            .collect();
        if names.is_empty() {
            let error = Error::new(format!("no package is known to Flux in namespace {}", self.namespace(&build)))
                .hint(format!("make its repository known first: {PROGRAM} bootstrap"));
            return Err(Wrong::of(&[Topic::Namespace, Topic::Context], error));
        }
        Ok(Question::one_of_names("Package", Topic::Package.flag(), &names).or_another())
    }

    /// Offers the namespaces of the run cluster, that of the context first; another one will be created.
    async fn target_namespaces(&mut self) -> Result<Question, Wrong<Topic>> {
        let what = "Namespace on the run cluster";
        let flag = Topic::TargetNamespace.flag();
        let wrong = |error| Wrong::of(&[Topic::RunContext], error);
        let connection = self.run_connection.in_context(self.text(Topic::RunContext));
        let role = Role::Run(self.text(Topic::RunCluster).to_owned());
        let run = Reached::connect(role, &connection).await.map_err(wrong)?;
        let run = self.reads.run.insert(run).cluster.clone();
        let resource = api_resource("", "v1", "Namespace");
        let listed = within(LIST_TIMEOUT, run.list_in::<DynamicObject>(&resource, None)).await;
        // Who may not list them, or would wait for long, types the name.
        let Some(Ok(namespaces)) = listed else {
            self.reads.namespaces = None;
            return Ok(Question::text(what, flag).or(run.default_namespace()).checked(names::check_namespace));
        };
        let mut all: Vec<String> = namespaces.iter().map(ResourceExt::name_any).collect();
        all.sort_by_key(|name| name != run.default_namespace());
        let question = Question::one_of_names(format!("{what}, or a new one"), flag, &all).or_another();
        self.reads.namespaces = Some(all);
        Ok(question.checked(names::check_namespace))
    }

    /// Reads the repository that Flux follows for the package, once, and what it holds for the run cluster; `None` where its server
    /// asks for a login first.
    async fn read_repository(&mut self) -> Result<Option<(&Repository, RunClusterDirectory)>, Wrong<Topic>> {
        if self.reads.repository.is_none() {
            self.reads.repository = self.clone_repository().await?;
        }
        let Some(repository) = &self.reads.repository else { return Ok(None) };
        let directory = repository.directory(self.conversation.text(Topic::RunCluster).unwrap_or_default());
        let directory = directory.map_err(|error| Wrong::of(&[Topic::RunCluster, Topic::Package], error))?;
        Ok(Some((repository, directory)))
    }

    /// Clones the repository; `None` where its server asks for a login first.
    async fn clone_repository(&mut self) -> Result<Option<Repository>, Wrong<Topic>> {
        let build = self.build().await?;
        let package = names::normalised_path(self.text(Topic::Package)).to_owned();
        let name = names::git_repository(names::of_package(&package));
        let repositories = self.git_repositories(&build).await?;
        let repository =
            repositories.into_iter().find(|repository| repository.name_any() == name).ok_or_else(|| {
                let error = Error::new(format!("GitRepository {}/{name} does not exist", self.namespace(&build)))
                    .hint(format!("make the repository known to Flux first: {PROGRAM} bootstrap"));
                Wrong::of(&[Topic::Package], error)
            })?;
        let url = GitUrl::parse(&repository.spec.url);
        let branch = git::branch_to_push_to(&repository)?.to_owned();
        let access = GitAccess { credentials: self.credentials(), limits: self.limits, ..GitAccess::default() };
        let checkout = match Checkout::clone(&url, &branch, &access).await {
            Ok(checkout) => checkout,
            Err(error)
                if error.status() == Some(401) && !self.conversation.knows(Topic::GitUsername) && !url.is_ssh() =>
            {
                self.ui.proposal(&format!("! {}", error.message()));
                self.login = None;
                self.situation.asks_for_login = true;
                return Ok(None);
            }
            Err(error) => return Err(Wrong::of(&[Topic::GitUsername], error)),
        };
        let wrong = |error| Wrong::of(&[Topic::Package], error);
        let artifact = Artifact::of(checkout.root(), &repository.spec).map_err(wrong)?;
        Repository::read(checkout, &artifact, &package).map(Some).map_err(wrong)
    }

    /// Offers which versions to select from, each with the one that would be selected now.
    async fn versions(&mut self) -> Result<Option<Question>, Wrong<Topic>> {
        let Some((Repository { package, .. }, directory)) = self.read_repository().await? else { return Ok(None) };
        let install = directory.install.as_ref();
        let others_say = package.has_variable_version() || install.is_some_and(|install| install.prereleases);
        let in_git = install.and_then(|install| install.constraints.as_deref());
        let question = versions(package.versions(), in_git).filter(|_| !others_say);
        self.situation.offers_versions = question.is_some();
        Ok(question)
    }

    /// Offers how to give values, where the selected version takes some and Git holds none.
    async fn ways_to_values(&mut self) -> Result<Option<Question>, Wrong<Topic>> {
        let constraints = self.conversation.text(Topic::VersionConstraints).map(str::to_owned);
        let Some((Repository { package, .. }, directory)) = self.read_repository().await? else { return Ok(None) };
        let has_values = directory.install.as_ref().is_some_and(|install| !install.values_secrets.is_empty());
        let constraints =
            constraints.as_deref().or(directory.install.as_ref().and_then(|install| install.constraints.as_deref()));
        let version = selected(&package.versions(), constraints.unwrap_or_default()).ok().map(|one| one.to_string());
        let manifest = package.packages.iter().find(|manifest| version.as_ref() == Some(&manifest.version));
        let schema = manifest.and_then(|manifest| ValuesSchema::read(manifest.values_schema.as_ref()?));
        let schema = schema.filter(|schema| !has_values && !schema.entries().is_empty());
        let Some(schema) = schema else {
            self.situation.needs_values = false;
            return Ok(None);
        };
        let name = format!("{} {}", package.name, version.unwrap_or_default());
        let values = self.package_values.insert(PackageValues { name, schema });
        self.situation.open_values = values.open().len();
        Ok(Some(values.ways()))
    }

    /// Asks whether to encrypt the values, where it is not decided by what Git holds.
    async fn encryption(&mut self) -> Result<Option<Question>, Wrong<Topic>> {
        let Some((repository, directory)) = self.read_repository().await? else { return Ok(None) };
        let is_decided = directory.secrets.iter().any(|secret| secret.encrypted);
        let file = directory.values_file(None);
        let rules = repository.file(RULES_FILE)?.map(|rules| creation_rule(&rules, &file));
        let recipients = match rules {
            _ if is_decided => None,
            Some(Ok(Rule::OfAge(rule))) => Some(Recipients::OfRules(rule.recipients.len())),
            Some(Ok(Rule::OfSops(_))) => Some(Recipients::OfSops),
            Some(Err(error)) => {
                self.ui.proposal(&format!("! the values cannot be encrypted: {error}"));
                None
            }
            None => {
                let build = self.build().await?;
                let keys = age_keys::of_flux(&build.cluster, &self.namespace(&build), age_keys::KEY_SECRET).await;
                // Who may not look cannot make a key either.
                keys.ok().map(|keys| keys.identities.map_or(Recipients::New, |_| Recipients::OfFlux))
            }
        };
        self.recipients = recipients;
        let Some(recipients) = recipients else {
            self.situation.may_encrypt = false;
            return Ok(None);
        };
        let has_secret =
            (0..self.situation.open_values).any(|index| self.conversation.secret(Topic::Value(index)).is_some());
        let is_usual = has_secret || matches!(recipients, Recipients::OfRules(_) | Recipients::OfSops);
        Ok(Some(encryption::question(recipients, is_usual)))
    }

    /// Offers how Flux may authenticate, where it has no credential yet.
    async fn authentications(&mut self) -> Result<Option<Question>, Wrong<Topic>> {
        let build = self.build().await?;
        let secret = ObjectReference::secret(&self.namespace(&build), &names::kubeconfig(self.text(Topic::RunCluster)));
        // Who may not look finds out with the checks.
        if build.cluster.get_metadata(&secret).await.is_ok_and(|secret| secret.is_some()) {
            self.situation.needs_credential = false;
            return Ok(None);
        }
        let choices = vec![
            Choice::new(TOKEN, "of an account that is made for it"),
            Choice::new(WORKLOAD_IDENTITY, "nothing is stored; the run cluster trusts the build cluster's tokens"),
            Choice::new(KUBECONFIG, "a file of your own"),
        ];
        Ok(Some(Question::one_of("How Flux authenticates on the run cluster", Topic::Authentication.flag(), choices)))
    }

    /// Has the values edited, and takes them for an answer.
    async fn edit(&mut self) -> Result<(), Wrong<Topic>> {
        let Some(values) = &self.package_values else { return Ok(()) };
        let edited = values.edit().await;
        let edited = edited.map_err(|error| Wrong::of(&[Topic::Values], error))?;
        self.conversation.take(Topic::EditedValues, Reply::Answer(Answer::Secret(edited)), |_| false);
        Ok(())
    }
}

impl Walk for Offers {
    type Topic = Topic;

    fn depends(later: Topic, topic: Topic) -> bool {
        later.depends_on(topic)
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
        self.reads.forget(topic);
        if matches!(topic, Topic::Context | Topic::Namespace | Topic::Package) {
            // What was found out about another package says nothing of this one.
            self.situation = Situation { has_contexts: self.situation.has_contexts, ..self.flags };
        }
        let mut contexts = context::names(&self.kubeconfig);
        Ok(Some(match topic {
            Topic::Context => {
                let current = self.kubeconfig.current_context.clone().unwrap_or_default();
                contexts.sort_by_key(|name| *name != current);
                Question::one_of_names("Context of the build cluster", flag, &contexts)
            }
            Topic::Namespace => {
                let build = self.build().await?;
                let question =
                    Question::text("Namespace on the build cluster", flag).or(build.cluster.default_namespace());
                question.checked(names::check_namespace)
            }
            Topic::Package => self.packages().await?,
            Topic::RunContext => {
                // The build cluster is the least likely one.
                let build = self.conversation.text(Topic::Context).or(self.connection.context.as_deref());
                let build = build.or(self.kubeconfig.current_context.as_deref()).unwrap_or_default().to_owned();
                contexts.sort_by_key(|name| *name == build);
                Question::one_of_names("Context of the run cluster", flag, &contexts)
            }
            Topic::RunCluster => {
                let package = names::of_package(self.text(Topic::Package)).to_owned();
                let question = Question::text("Short name for the run cluster, such as prod1", flag);
                let suggested = short_name(self.text(Topic::RunContext));
                let check = move |name: &str| names::check_run_cluster(name, &package);
                if check(&suggested).is_ok() { question.or(suggested) } else { question }.checked(check)
            }
            Topic::TargetNamespace => self.target_namespaces().await?,
            Topic::GitUsername => git::username_question(),
            Topic::GitPassword => git::password_question(),
            Topic::VersionConstraints => return self.versions().await,
            Topic::Values => return self.ways_to_values().await,
            Topic::Value(index) => {
                return Ok(self.package_values.as_ref().and_then(|values| values.question(index)));
            }
            Topic::EditedValues => return self.edit().await.map(|()| None),
            Topic::Encryption => return self.encryption().await,
            Topic::Authentication => return self.authentications().await,
            Topic::KubeconfigFile => Question::text("Kubeconfig of your own for Flux", flag).checked(check_kubeconfig),
        }))
    }
}
