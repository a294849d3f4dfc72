//! `bootstrap`: makes a package's GitOps repository known to Flux.

mod credential;
mod deploy_key;
mod git_secret;
mod repository;
mod request;
mod walk;
mod written_url;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use self::credential::{KeyRequest, SshRequest};
use self::git_secret::GitSecret;
use self::request::Request;
use super::preview::{self, Previewed};
use super::{context, outcome, repeat};
use crate::check::permissions::{self, Need, missing};
use crate::check::{self, Checks};
use crate::cli::BootstrapArgs;
use crate::cluster::{Cluster, Connection, Role};
use crate::conversation::Question;
use crate::error::{Error, Result};
use crate::flux::{Followed, GitRepository, GitRepositorySpec, git_credentials_secret, git_repository};
use crate::gitops::checkout::{Limits, rewritten, trust};
use crate::gitops::credentials::GitCredentials;
use crate::gitops::flux_credential::FluxCredential;
use crate::gitops::url::GitUrl;
use crate::labels;
use crate::names;
use crate::object::ObjectReference;
use crate::observe::Expectation;
use crate::observe::source::{Source, judge};
use crate::plan::execute::{Executor, confirm_and_execute};
use crate::plan::export::Contents;
use crate::plan::{Apply, Freshness, LiveObjects, Place, Plan, Preview, Step};
use crate::ui::{Format, Ui, prompt};

/// What was found out.
struct Facts {
    /// The version of the source API that the build cluster serves.
    version: &'static str,
    /// The Secret that source-controller reads the repository with, and the GitRepository, where they exist.
    live: LiveObjects,
    /// Whether the user may read that Secret.
    is_secret_readable: bool,
}

/// Makes the repository known. Returns with which package and credentials a person who was led here goes on, if they like to.
pub(super) async fn run(
    ui: Ui,
    connection: &mut Connection,
    namespace: &mut Option<String>,
    mut arguments: BootstrapArgs,
) -> Result<Option<(String, Option<GitCredentials>)>> {
    request::require(ui, &arguments)?;
    let walked = walk::walk(ui, connection, namespace.take(), &mut arguments).await?;
    context::choose(ui, connection).await?;
    let chosen = context::namespace(ui, connection, walked.namespace).await?;
    *namespace = Some(chosen.clone());
    let request = Request::of(ui, chosen, &arguments, walked.credentials).await?;
    let package = request.package.clone();
    let result = prepare(ui, connection, request, &arguments).await;
    repeat::tell(ui, &repeat::words(), &walked.answers);
    let credentials = result?;
    if !walked.leads || arguments.preview.mode().is_some() || ui.format != Format::Text {
        return Ok(None);
    }
    let question = Question::one_of_names("Add a run cluster now", "add-cluster", &["yes".to_owned(), "no".to_owned()]);
    Ok((prompt::text(question).await? == "yes").then_some((package, credentials)))
}

/// Plans, previews, confirms and carries out; returns the credentials that the repository takes.
async fn prepare(
    ui: Ui,
    connection: &Connection,
    mut request: Request,
    arguments: &BootstrapArgs,
) -> Result<Option<GitCredentials>> {
    let build = Cluster::connect(Role::Build, connection).await?.forcing_conflicts(arguments.write.force_conflicts);
    let limits = Limits::new(connection.request_timeout, request.timeout);
    let facts = Box::pin(gather(ui, &mut request, &build, limits)).await?;
    let plan = plan(&request, &facts);
    let plan = if arguments.confirm.wait { plan } else { plan.without_waiting() };
    let executor = Executor { build: &build, run: None, checkouts: &[], ui };
    let preview = Preview::of(&plan, &facts.live, executor).await?;
    if let Some(mode) = arguments.preview.mode() {
        let previewed = Previewed { plan: &plan, preview: &preview, executor, run_cluster: "" };
        preview::report(ui, &mode, &[previewed], Contents::Wanted).await?;
        return Ok(request.credentials);
    }
    confirm_and_execute(&plan, &preview, executor, arguments.confirm.yes).await?;
    if !arguments.confirm.wait {
        outcome::report_applied(ui, &request.package, None)?;
        return Ok(request.credentials);
    }

    let source = request.git_repository(facts.version);
    let fetched = build.get(&source).await?.and_then(|live| live.try_parse::<GitRepository>().ok()?.status?.artifact);
    let fetched = fetched.ok_or_else(|| Error::new(format!("{} has fetched nothing any more", source.display())))?;
    outcome::report_fetched(ui, &request.namespace, &request.package, &fetched.revision)?;
    Ok(request.credentials)
}

/// Finds out and checks everything; all findings are reported together. The Git server may ask for credentials that no flag
/// gives: they are asked for, and become part of the request.
async fn gather(ui: Ui, request: &mut Request, build: &Cluster, limits: Limits) -> Result<Facts> {
    let served = build.served_versions().await?;
    let mut checks = Checks::default();
    let version = checks.take("Flux", check::flux(build, &served)).map(|versions| versions.source);
    let live = async {
        match version {
            Ok(version) => build.get(&request.git_repository(version)).await,
            Err(_) => Ok(None),
        }
    };
    let (namespace, live) = futures::join!(check::namespace(build, &request.namespace), live);
    checks.check(format!("namespace {}", request.namespace), namespace);
    let live = checks.take_silently("GitRepository", live);
    let existing = match &live {
        Ok(Some(live)) => checks.take_silently("GitRepository", typed(live, &request.namespace)).unwrap_or_default(),
        _ => GitRepositorySpec::default(),
    };
    if matches!(live, Ok(Some(_))) {
        checks.check("GitRepository", refuse_retarget(&existing, request));
    }
    let secret_reference = match &existing.secret_ref {
        // A Secret of another name stays in use unless credentials are given, which are written to ours.
        Some(secret) if !request.gives_credential() => ObjectReference::secret(&request.namespace, &secret.name),
        _ => request.credentials_secret(),
    };
    let secret = build.get(&secret_reference).await;
    let is_readable = !secret.as_ref().is_err_and(|error| error.status() == Some(403));
    let secret = if is_readable { checks.take_silently("Git credentials", secret) } else { Ok(None) };
    let has_secret = !is_readable || matches!(secret, Ok(Some(_)));
    if request.git_ca.is_some() && request.credentials.is_none() && !is_readable {
        checks.fail("Git credentials", credential::login_unknown(&secret_reference));
    }
    let generates = matches!(&request.ssh, Some(SshRequest { key: KeyRequest::Generate(_), .. }));
    if generates && !is_readable {
        checks.fail("SSH key", credential::key_unknown(&secret_reference));
    }
    if let Ok(version) = version {
        permissions::take(&mut checks, build, missing(build, needs(version, request)).await);
    }
    let live_secret = secret.as_ref().ok().and_then(Option::as_ref);
    let mut deploy_key = None;
    let mut is_read = false;
    // Nobody is asked for something that other findings make vain.
    if let Some(ssh) = request.ssh.as_ref().filter(|ssh| ssh.is_complete() || !checks.has_failed()) {
        let found = deploy_key::find(ui, request, ssh, live_secret).await;
        if let Ok((key, made)) = checks.take_silently("SSH key", found) {
            (request.ssh_key, deploy_key) = (Some(key), made);
        }
    }
    if request.ssh.is_none() || request.ssh_key.is_some() {
        let credential = request.flux_credential(live_secret);
        let read = repository::read(ui, request, credential, limits, has_secret, deploy_key.as_ref(), &existing).await;
        if let Ok((credentials, doubts)) = checks.take_silently("GitOps repository", read) {
            is_read = true;
            request.credentials = credentials;
            for doubt in doubts {
                checks.warn("GitOps repository", doubt);
            }
        }
    }
    // What Flux has fetched it can read, whatever the user's own `git` needs for that.
    let is_fetched = matches!(&live, Ok(Some(live)) if has_fetched(live, &request.branch));
    // An SSH key and a CA that are given have been tried alone.
    if let Ok(secret) = &secret
        && !is_fetched
        && request.ssh.is_none()
        && request.git_ca.is_none()
    {
        let access = repository::git_access(request, limits, has_secret);
        if is_read && is_readable && request.git_url.is_http() {
            let given = FluxCredential { login: request.credentials.clone(), ..FluxCredential::default() };
            let credential = secret.iter().fold(given, FluxCredential::or_as_in);
            let rewritten =
                checks.take_silently("URL of the repository", rewritten(&request.git_url, &access, &credential).await);
            written_url::check(&mut checks, &request.git_url, rewritten.unwrap_or_default());
        }
        let trust = trust(&request.git_url, &access).await;
        let secret = GitSecret::of(&secret_reference, secret.as_ref(), is_readable);
        secret.check(&mut checks, &request.git_url, request.credentials.is_some(), trust.as_ref().ok().copied());
    }
    let found = || {
        let (version, secret, live) = (version?, secret?, live?);
        let read = [(secret_reference, secret), (request.git_repository(version), live)];
        let live = read.into_iter().filter_map(|(reference, object)| Some((Place::Build, reference, object?)));
        Ok(Facts { version, live: LiveObjects::new(live), is_secret_readable: is_readable })
    };
    checks.finish(found())
}

/// Lists what the person must be allowed.
fn needs(version: &str, request: &Request) -> Vec<Need> {
    let (secret, repository) = (request.credentials_secret(), request.git_repository(version));
    let on_secret = if request.gives_credential() { Need::to_apply(&secret) } else { Need::on(&secret, &["get"]) };
    // The fetch is asked for and watched.
    [on_secret, Need::to_apply(&repository), Need::on(&repository, &["list", "watch"])].concat()
}

fn typed(live: &DynamicObject, namespace: &str) -> Result<GitRepositorySpec> {
    let repository: GitRepository = live.clone().try_parse().map_err(|error| {
        Error::new(format!("GitRepository {namespace}/{} cannot be read", live.name_any())).because(error)
    })?;
    Ok(repository.spec)
}

/// Refuses to point an existing GitRepository elsewhere: Flux would prune everything that the new place does not hold.
fn refuse_retarget(existing: &GitRepositorySpec, request: &Request) -> Result<()> {
    let name = names::git_repository(names::of_package(&request.package));
    let (followed, wanted) = (existing.reference.followed(), Followed::Branch(&request.branch));
    // A URL that differs in the user or password only leads to the same place.
    let (url, wanted_url) = (GitUrl::parse(&existing.url).to_string(), request.git_url.to_string());
    for (field, is, would_be) in [("url", url, wanted_url), ("ref", followed.to_string(), wanted.to_string())] {
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

/// Computes the plan: the Secret with the credentials, where some were given, and the GitRepository; Flux is asked to fetch
/// where what it has fetched is not what is wanted.
fn plan(request: &Request, facts: &Facts) -> Plan {
    let package = names::of_package(&request.package);
    let source = request.git_repository(facts.version);
    let live_secret = facts.live.get(Place::Build, &request.credentials_secret());
    let live = facts.live.get(Place::Build, &source);
    let secret = request.flux_credential(live_secret);
    let secret = secret.map(|credential| git_credentials_secret(&request.namespace, package, &credential));
    // A Secret that may not be read is kept where the GitRepository names it.
    let is_named = live.is_some_and(|live| live.data["spec"]["secretRef"]["name"] == request.credentials_secret().name);
    let with_credentials = secret.is_some() || live_secret.is_some() || (is_named && !facts.is_secret_readable);
    let url = request.git_url.to_string();
    let mut repository =
        git_repository(facts.version, &request.namespace, package, &url, &request.branch, with_credentials);
    labels::add(&mut repository, live, &request.labels);
    let holds_other = |secret: &Value| !live_secret.is_some_and(|live| holds(&live.data["data"], &secret["data"]));
    let is_fetched = live
        .is_some_and(|live| has_fetched(live, &request.branch) && holds(&live.data["spec"], &what(&repository)))
        && !secret.as_ref().is_some_and(holds_other);
    let manifests = secret.into_iter().chain([repository]);
    let mut steps: Vec<Step> = manifests.map(|manifest| Step::Apply(Apply { place: Place::Build, manifest })).collect();
    if !is_fetched {
        steps.extend(Step::fetch(source, Freshness::CurrentSpec));
    }
    Plan {
        purpose: format!("make {} branch {} known to Flux", request.git_url, request.branch),
        steps,
        timeout: Some(request.timeout),
        ..Plan::default()
    }
}

/// Tells whether Flux follows a branch, however it is written, and has fetched what the GitRepository asks for.
fn has_fetched(live: &DynamicObject, branch: &str) -> bool {
    let repository: Option<GitRepository> = live.clone().try_parse().ok();
    repository.as_ref().is_some_and(|read| read.spec.reference.followed() == Followed::Branch(branch))
        && matches!(judge(repository.as_ref(), &live.name_any(), &Expectation::default()), Source::At(_))
}

/// Returns the fields of a GitRepository that say from where is fetched, and with what.
fn what(repository: &Value) -> Value {
    let spec = &repository["spec"];
    ["url", "secretRef"].iter().filter_map(|field| Some((*field, spec.get(*field)?.clone()))).collect()
}

/// Tells whether an object has all the fields of another with the same values.
fn holds(live: &Value, wanted: &Value) -> bool {
    wanted.as_object().is_none_or(|wanted| wanted.iter().all(|(key, value)| live.get(key) == Some(value)))
}

#[cfg(test)]
mod tests;
