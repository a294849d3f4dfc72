//! `bootstrap`: makes a package's GitOps repository known to Flux.

use std::ffi::OsString;

use kube::api::DynamicObject;

use super::{git, outcome};
use crate::check::permissions::{self, Need, missing};
use crate::check::{self, Checks};
use crate::cli::BootstrapArgs;
use crate::cluster::{Cluster, Connection, Role};
use crate::error::{Error, Result};
use crate::flux::{GitRepository, git_credentials_secret, git_repository, git_repository_resource};
use crate::gitops::checkout::{GitAccess, Limits};
use crate::gitops::credentials::GitCredentials;
use crate::gitops::layout::PackageDirectory;
use crate::gitops::url::GitUrl;
use crate::labels;
use crate::names;
use crate::object::ObjectReference;
use crate::observe::fetch::{Freshness, fetch};
use crate::plan::execute::{Executor, confirm_and_execute};
use crate::plan::{Apply, Place, Plan, Preview, Step};
use crate::ui::{Ui, prompt};

/// The answers to everything that can be asked.
struct Answers {
    package: String,
    url: GitUrl,
    branch: String,
    namespace: String,
    credentials: Option<GitCredentials>,
}

impl Answers {
    /// Names the GitRepository of the package.
    fn git_repository(&self, version: &str) -> ObjectReference {
        let name = names::git_repository(names::of_package(&self.package));
        ObjectReference::namespaced(&git_repository_resource(version), &self.namespace, &name)
    }
}

/// What was found out.
struct Facts {
    /// The version of the source API that the build cluster serves.
    version: &'static str,
    /// Whether the Secret with the Git credentials exists.
    has_secret: bool,
    /// The GitRepository, where it exists.
    live: Option<DynamicObject>,
}

pub(super) async fn run(
    ui: Ui,
    connection: Connection,
    namespace: Option<String>,
    arguments: BootstrapArgs,
) -> Result<()> {
    let mut connection = connection;
    super::choose_context(ui, &mut connection)?;
    let mut answers = ask(ui, &connection, namespace, &arguments).await?;
    names::check_package(names::of_package(&answers.package))?;
    answers.url.check()?;

    let build = Cluster::connect(Role::Build, &connection).await?.taking_over(arguments.write.force_conflicts);
    let served = build.served_versions().await?;
    let limits = Limits::new(connection.request_timeout, arguments.timeout);
    let mut checks = Checks::default();
    let versions = checks.take("Flux", check::flux(&build, &served));
    checks.check(format!("namespace {}", answers.namespace), check::namespace(&build, &answers.namespace).await);
    let has_secret = checks.take("Git credentials", has_credentials_secret(&build, &answers).await);
    checks.check("GitOps repository", check_repository(ui, &mut answers, limits, has_secret == Ok(true)).await);
    if let Ok(versions) = versions {
        checks.check("GitRepository", refuse_retarget(&build, versions.source, &answers).await);
        permissions::take(&mut checks, &build, missing(&build, needs(versions.source, &answers)).await);
    }
    let versions = checks.finish(versions)?;

    let facts = Facts {
        version: versions.source,
        has_secret: has_secret == Ok(true),
        live: build.get(&answers.git_repository(versions.source)).await?,
    };
    let plan = plan(&answers, &facts, &arguments.write.labels);
    let executor = Executor { build: &build, run: None, checkouts: &[], ui };
    let preview = Preview::of(&plan, executor).await?;
    confirm_and_execute(&plan, &preview, executor, arguments.confirm.yes).await?;

    let source = answers.git_repository(versions.source);
    let revision = fetch(&build, &source, Freshness::CurrentSpec, arguments.timeout).await?;
    outcome::report_fetched(ui, &answers.namespace, &answers.package, &revision)
}

/// Lists what the person must be allowed.
fn needs(version: &str, answers: &Answers) -> Vec<Need> {
    let package = names::of_package(&answers.package);
    let secret = ObjectReference::secret(&answers.namespace, &names::git_credentials(package));
    let repository = answers.git_repository(version);
    let on_secret = match answers.credentials {
        Some(_) => Need::to_apply(&secret),
        None => Need::on(&secret, &["get"]),
    };
    // The fetch is asked for and watched.
    [on_secret, Need::to_apply(&repository), Need::on(&repository, &["list", "watch"])].concat()
}

async fn ask(ui: Ui, connection: &Connection, namespace: Option<String>, arguments: &BootstrapArgs) -> Result<Answers> {
    prompt::require(
        ui,
        &[
            ("PACKAGE", arguments.package.is_some()),
            ("--git-url", arguments.git_url.is_some()),
            ("--branch", arguments.branch.is_some()),
            ("--yes", arguments.confirm.yes),
        ],
    )?;
    let or_ask = |given: &Option<String>, question: &str, default: Option<&str>| match given {
        Some(given) => Ok(given.clone()),
        None => prompt::text(question, default),
    };
    let namespace = super::namespace(ui, connection, namespace)?;
    let package = or_ask(&arguments.package, "Package (its directory in the GitOps repository)", None)?;
    let package = names::normalised_path(&package).to_owned();
    let url = GitUrl::parse(&or_ask(&arguments.git_url, "URL of the GitOps repository", None)?);
    let branch = or_ask(&arguments.branch, "Branch", Some("main"))?;
    let is_complete = arguments.package.is_some() && arguments.git_url.is_some() && arguments.branch.is_some();
    let credentials = match git::given(ui, &arguments.credentials).await? {
        // Who gave all flags but these has a public repository, or a Secret in place.
        None if ui.is_interactive && !is_complete => git::ask()?,
        given => given,
    };
    Ok(Answers { package, url, branch, namespace, credentials })
}

/// Checks that the repository can be read as Flux will read it, and holds the package.
async fn check_repository(ui: Ui, answers: &mut Answers, limits: Limits, has_secret: bool) -> Result<()> {
    let mut access = GitAccess { credentials: answers.credentials.clone(), limits, ..GitAccess::default() };
    if answers.credentials.is_none() && !has_secret {
        // Flux has no credential helper: without credentials the repository must be public.
        access.environment = anonymous();
    }
    let checkout = git::checkout(ui, &answers.url, &answers.branch, &mut access).await?;
    answers.credentials.clone_from(&access.credentials);
    PackageDirectory::read(checkout.root(), &answers.package).map(drop)
}

/// Switches the user's own credential helpers off.
fn anonymous() -> Vec<(OsString, OsString)> {
    [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "credential.helper"),
        ("GIT_CONFIG_VALUE_0", ""),
        ("GIT_ASKPASS", ""),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .to_vec()
}

async fn has_credentials_secret(build: &Cluster, answers: &Answers) -> Result<bool> {
    let reference =
        ObjectReference::secret(&answers.namespace, &names::git_credentials(names::of_package(&answers.package)));
    Ok(build.get(&reference).await?.is_some())
}

/// Refuses to point an existing GitRepository elsewhere: Flux would prune everything that the new place does not hold.
async fn refuse_retarget(build: &Cluster, version: &str, answers: &Answers) -> Result<()> {
    let name = names::git_repository(names::of_package(&answers.package));
    let existing: Option<GitRepository> =
        build.read(&git_repository_resource(version), &answers.namespace, &name).await?;
    let Some(existing) = existing else { return Ok(()) };
    let branch = existing.spec.reference.branch.as_deref().unwrap_or("master");
    // A URL that differs in the user or password only leads to the same place.
    let (url, wanted_url) = (GitUrl::parse(&existing.spec.url).to_string(), answers.url.to_string());
    for (field, is, would_be) in
        [("url", url.as_str(), wanted_url.as_str()), ("ref.branch", branch, answers.branch.as_str())]
    {
        if is != would_be {
            return Err(Error::new(format!(
                "GitRepository {}/{name} exists and has another {field}: {is}, not {would_be}",
                answers.namespace
            ))
            .because("changing it would make Flux prune on every run cluster what the new place does not hold")
            .hint(format!(
                "to move a delivery on purpose, delete it first: kubectl -n {} delete gitrepository {name}",
                answers.namespace
            )));
        }
    }
    Ok(())
}

/// Computes the plan: the Secret with the credentials, where some were given, and the GitRepository.
fn plan(answers: &Answers, facts: &Facts, labels: &[(String, String)]) -> Plan {
    let package = names::of_package(&answers.package);
    let mut manifests = Vec::new();
    if let Some(GitCredentials { username, password }) = &answers.credentials {
        manifests.push(git_credentials_secret(&answers.namespace, package, username, password));
    }
    let with_credentials = answers.credentials.is_some() || facts.has_secret;
    let mut repository = git_repository(
        facts.version,
        &answers.namespace,
        package,
        &answers.url.to_string(),
        &answers.branch,
        with_credentials,
    );
    labels::add(&mut repository, facts.live.as_ref(), labels);
    manifests.push(repository);
    Plan {
        purpose: format!("make {} branch {} known to Flux", answers.url, answers.branch),
        steps: manifests.into_iter().map(|manifest| Step::Apply(Apply { place: Place::Build, manifest })).collect(),
        ..Plan::default()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;
    use crate::plan::Change;
    use crate::plan::show::{Headings, lines};

    fn answers(credentials: Option<GitCredentials>) -> Answers {
        Answers {
            package: "apps/hello.default.tap".to_owned(),
            url: GitUrl::parse("https://git.example.com/gitops.git"),
            branch: "main".to_owned(),
            namespace: "dev".to_owned(),
            credentials,
        }
    }

    fn credentials() -> GitCredentials {
        GitCredentials { username: "me".to_owned(), password: SecretString::from("not-a-real-password") }
    }

    fn facts() -> Facts {
        Facts { version: "v1", has_secret: false, live: None }
    }

    /// Shows a plan of which the API servers say this.
    fn shown(plan: &Plan, changes: &[Change]) -> String {
        let headings = Headings { build: "the build cluster at https://build".to_owned(), ..Headings::default() };
        lines(plan, &Preview::with(changes.to_vec()), &headings).join("\n")
    }

    fn manifests(plan: &Plan) -> Vec<&serde_json::Value> {
        let applies = plan.steps.iter().filter_map(|step| match step {
            Step::Apply(apply) => Some(&apply.manifest),
            _ => None,
        });
        applies.collect()
    }

    #[test]
    fn the_first_run_makes_the_secret_before_the_repository_that_names_it() {
        let plan = plan(&answers(Some(credentials())), &facts(), &[]);
        insta::assert_snapshot!(shown(&plan, &[Change::Create, Change::Create]), @r"
        This will make https://git.example.com/gitops.git branch main known to Flux:
          the build cluster at https://build
            + Secret dev/hello.default.tap-gitops-auth
            + GitRepository dev/hello.default.tap-gitops-repo
        ");
        assert!(!format!("{plan:?}").contains("not-a-real-password"));
    }

    #[test]
    fn a_second_run_shows_only_what_differs() {
        let plan = plan(&answers(Some(credentials())), &facts(), &[]);
        insta::assert_snapshot!(
            shown(&plan, &[Change::None, Change::Update(vec!["spec.interval".to_owned()])]),
            @r"
        This will make https://git.example.com/gitops.git branch main known to Flux:
          the build cluster at https://build
            ~ GitRepository dev/hello.default.tap-gitops-repo (spec.interval)
          1 more are there already and stay as they are
        "
        );
    }

    #[test]
    fn a_public_repository_gets_no_secret_and_one_in_place_is_named() {
        let public = plan(&answers(None), &facts(), &[]);
        assert_eq!(manifests(&public).len(), 1);
        assert_eq!(manifests(&public)[0]["spec"].get("secretRef"), None);
        let in_place = plan(&answers(None), &Facts { has_secret: true, ..facts() }, &[]);
        assert_eq!(manifests(&in_place)[0]["spec"]["secretRef"]["name"], "hello.default.tap-gitops-auth");
    }

    #[test]
    fn labels_of_earlier_runs_stay() {
        let labels = [("team".to_owned(), "blue".to_owned())];
        let live = serde_json::from_value(json!({
            "metadata": {
                "name": "hello.default.tap-gitops-repo",
                "labels": {"shard": "1"},
                "managedFields": [{
                    "manager": "carvelflux", "operation": "Apply",
                    "fieldsV1": {"f:metadata": {"f:labels": {"f:shard": {}}}},
                }],
            },
        }))
        .expect("the fixture is an object");
        let plan = plan(&answers(None), &Facts { live: Some(live), ..facts() }, &labels);
        let applied = &manifests(&plan)[0]["metadata"]["labels"];
        assert_eq!((&applied["shard"], &applied["team"]), (&json!("1"), &json!("blue")));
    }
}
