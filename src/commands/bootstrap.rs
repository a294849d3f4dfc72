//! `bootstrap`: makes a package's GitOps repository known to Flux.

use std::ffi::OsString;
use std::time::Duration;

use kube::ResourceExt;
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

/// What the user asks for, from flags and answers alone; named as the flags are.
struct Request {
    package: String,
    git_url: GitUrl,
    branch: String,
    namespace: String,
    credentials: Option<GitCredentials>,
    labels: Vec<(String, String)>,
    timeout: Duration,
}

impl Request {
    /// Names the GitRepository of the package.
    fn git_repository(&self, version: &str) -> ObjectReference {
        let name = names::git_repository(names::of_package(&self.package));
        ObjectReference::namespaced(&git_repository_resource(version), &self.namespace, &name)
    }

    /// Names the Secret with the Git credentials.
    fn credentials_secret(&self) -> ObjectReference {
        ObjectReference::secret(&self.namespace, &names::git_credentials(names::of_package(&self.package)))
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
    let mut request = ask(ui, &connection, namespace, &arguments).await?;
    names::check_package(names::of_package(&request.package))?;
    request.git_url.check()?;

    let build = Cluster::connect(Role::Build, &connection).await?.taking_over(arguments.write.force_conflicts);
    let limits = Limits::new(connection.request_timeout, request.timeout);
    let facts = gather(ui, &mut request, &build, limits).await?;
    let plan = plan(&request, &facts);
    let executor = Executor { build: &build, run: None, checkouts: &[], ui };
    let preview = Preview::of(&plan, executor).await?;
    confirm_and_execute(&plan, &preview, executor, arguments.confirm.yes).await?;

    let source = request.git_repository(facts.version);
    let revision = fetch(&build, &source, Freshness::CurrentSpec, request.timeout).await?;
    outcome::report_fetched(ui, &request.namespace, &request.package, &revision)
}

/// Finds out and checks everything; all findings are reported together. The Git server may ask for credentials that no flag
/// gives: they are asked for, and become part of the request.
async fn gather(ui: Ui, request: &mut Request, build: &Cluster, limits: Limits) -> Result<Facts> {
    let served = build.served_versions().await?;
    let mut checks = Checks::default();
    let version = checks.take("Flux", check::flux(build, &served)).map(|versions| versions.source);
    let secret = request.credentials_secret();
    let live = async {
        match version {
            Ok(version) => build.get(&request.git_repository(version)).await,
            Err(_) => Ok(None),
        }
    };
    let (namespace, secret, live) =
        futures::join!(check::namespace(build, &request.namespace), build.get_metadata(&secret), live);
    checks.check(format!("namespace {}", request.namespace), namespace);
    let has_secret = checks.take("Git credentials", secret.map(|secret| secret.is_some()));
    let credentials = read_repository(ui, request, limits, has_secret == Ok(true)).await;
    if let Ok(credentials) = checks.take("GitOps repository", credentials) {
        request.credentials = credentials;
    }
    let live = checks.take_silently("GitRepository", live);
    if let Ok(live) = &live {
        checks.check("GitRepository", refuse_retarget(live.as_ref(), request));
    }
    if let Ok(version) = version {
        permissions::take(&mut checks, build, missing(build, needs(version, request)).await);
    }
    let found = || Ok(Facts { version: version?, has_secret: has_secret?, live: live? });
    checks.finish(found())
}

/// Lists what the person must be allowed.
fn needs(version: &str, request: &Request) -> Vec<Need> {
    let (secret, repository) = (request.credentials_secret(), request.git_repository(version));
    let on_secret = match request.credentials {
        Some(_) => Need::to_apply(&secret),
        None => Need::on(&secret, &["get"]),
    };
    // The fetch is asked for and watched.
    [on_secret, Need::to_apply(&repository), Need::on(&repository, &["list", "watch"])].concat()
}

async fn ask(ui: Ui, connection: &Connection, namespace: Option<String>, arguments: &BootstrapArgs) -> Result<Request> {
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
    let (labels, timeout) = (arguments.write.labels.clone(), arguments.timeout);
    Ok(Request { package, git_url: url, branch, namespace, credentials, labels, timeout })
}

/// Checks that the repository can be read as Flux will read it, and holds the package; returns the credentials that it takes.
async fn read_repository(
    ui: Ui,
    request: &Request,
    limits: Limits,
    has_secret: bool,
) -> Result<Option<GitCredentials>> {
    let mut access = GitAccess { credentials: request.credentials.clone(), limits, ..GitAccess::default() };
    if request.credentials.is_none() && !has_secret {
        // Flux has no credential helper: without credentials the repository must be public.
        access.environment = anonymous();
    }
    let checkout = git::checkout(ui, &request.git_url, &request.branch, &mut access).await?;
    PackageDirectory::read(checkout.root(), &request.package)?;
    Ok(access.credentials)
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

/// Refuses to point an existing GitRepository elsewhere: Flux would prune everything that the new place does not hold.
fn refuse_retarget(live: Option<&DynamicObject>, request: &Request) -> Result<()> {
    let Some(live) = live else { return Ok(()) };
    let name = live.name_any();
    let existing: GitRepository = live.clone().try_parse().map_err(|error| {
        Error::new(format!("GitRepository {}/{name} cannot be read", request.namespace)).because(error)
    })?;
    let branch = existing.spec.reference.branch.as_deref().unwrap_or("master");
    // A URL that differs in the user or password only leads to the same place.
    let (url, wanted_url) = (GitUrl::parse(&existing.spec.url).to_string(), request.git_url.to_string());
    for (field, is, would_be) in
        [("url", url.as_str(), wanted_url.as_str()), ("ref.branch", branch, request.branch.as_str())]
    {
        if is != would_be {
            return Err(Error::new(format!(
                "GitRepository {}/{name} exists and has another {field}: {is}, not {would_be}",
                request.namespace
            ))
            .because("changing it would make Flux prune on every run cluster what the new place does not hold")
            .hint(format!(
                "to move a delivery on purpose, delete it first: kubectl -n {} delete gitrepository {name}",
                request.namespace
            )));
        }
    }
    Ok(())
}

/// Computes the plan: the Secret with the credentials, where some were given, and the GitRepository.
fn plan(request: &Request, facts: &Facts) -> Plan {
    let package = names::of_package(&request.package);
    let mut manifests = Vec::new();
    if let Some(GitCredentials { username, password }) = &request.credentials {
        manifests.push(git_credentials_secret(&request.namespace, package, username, password));
    }
    let with_credentials = request.credentials.is_some() || facts.has_secret;
    let mut repository = git_repository(
        facts.version,
        &request.namespace,
        package,
        &request.git_url.to_string(),
        &request.branch,
        with_credentials,
    );
    labels::add(&mut repository, facts.live.as_ref(), &request.labels);
    manifests.push(repository);
    Plan {
        purpose: format!("make {} branch {} known to Flux", request.git_url, request.branch),
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

    fn request(credentials: Option<GitCredentials>) -> Request {
        Request {
            package: "apps/hello.default.tap".to_owned(),
            git_url: GitUrl::parse("https://git.example.com/gitops.git"),
            branch: "main".to_owned(),
            namespace: "dev".to_owned(),
            credentials,
            labels: Vec::new(),
            timeout: Duration::from_mins(2),
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
        let plan = plan(&request(Some(credentials())), &facts());
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
        let plan = plan(&request(Some(credentials())), &facts());
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
        let public = plan(&request(None), &facts());
        assert_eq!(manifests(&public).len(), 1);
        assert_eq!(manifests(&public)[0]["spec"].get("secretRef"), None);
        let in_place = plan(&request(None), &Facts { has_secret: true, ..facts() });
        assert_eq!(manifests(&in_place)[0]["spec"]["secretRef"]["name"], "hello.default.tap-gitops-auth");
    }

    #[test]
    fn a_repository_that_is_elsewhere_is_not_moved() {
        let refusal = |url: &str, branch: &str| {
            let live = serde_json::from_value(json!({
                "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
                "metadata": {"name": "hello.default.tap-gitops-repo"},
                "spec": {"url": url, "ref": {"branch": branch}},
            }))
            .expect("the fixture is an object");
            refuse_retarget(Some(&live), &request(None)).err().map(|error| error.message().to_owned())
        };
        assert_eq!(refusal("https://me:not-a-real-password@git.example.com/gitops.git", "main"), None);
        insta::assert_snapshot!(refusal("https://git.example.com/other.git", "main").unwrap_or_default(), @"GitRepository dev/hello.default.tap-gitops-repo exists and has another url: https://git.example.com/other.git, not https://git.example.com/gitops.git");
        insta::assert_snapshot!(refusal("https://git.example.com/gitops.git", "next").unwrap_or_default(), @"GitRepository dev/hello.default.tap-gitops-repo exists and has another ref.branch: next, not main");
        assert!(refuse_retarget(None, &request(None)).is_ok());
    }

    #[test]
    fn labels_of_earlier_runs_stay() {
        let labels = vec![("team".to_owned(), "blue".to_owned())];
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
        let plan = plan(&Request { labels, ..request(None) }, &Facts { live: Some(live), ..facts() });
        let applied = &manifests(&plan)[0]["metadata"]["labels"];
        assert_eq!((&applied["shard"], &applied["team"]), (&json!("1"), &json!("blue")));
    }
}
