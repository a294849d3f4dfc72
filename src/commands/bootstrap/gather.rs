//! What `bootstrap` finds out before it plans: [`Facts`]. Reads only.
//!
//! All that is wrong is reported together, as findings of named checks. [`repository`] reads the repository as Flux will, with
//! the key that [`deploy_key`] finds; [`git_secret`] and [`written_url`] refuse what only the user's own `git` can read.

mod deploy_key;
mod git_secret;
mod repository;
mod written_url;

use futures::join;
use kube::ResourceExt;
use kube::api::DynamicObject;

use self::git_secret::GitSecret;
use super::credential::{KeyRequest, SshRequest};
use super::facts::{Facts, has_fetched};
use super::request::Request;
use crate::check::permissions::{self, Need, missing};
use crate::check::{self, Checks, Skipped};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::flux::{Followed, GitRepository, GitRepositorySpec};
use crate::gitops::checkout::{Limits, rewritten, trust};
use crate::gitops::credentials::GitCredentials;
use crate::gitops::flux_credential::FluxCredential;
use crate::gitops::url::GitUrl;
use crate::names;
use crate::object::ObjectReference;
use crate::plan::{LiveObjects, Place};
use crate::ui::Ui;

/// Finds out and checks everything; all findings are reported together. The Git server may ask for a login that no flag gives,
/// and somebody may have to confirm host keys or give a key access: they are asked once all else is known to be right.
pub(super) async fn gather(ui: Ui, request: &Request, build: &Cluster, limits: Limits) -> Result<Facts> {
    let mut checks = Checks::default();
    let (served, namespace) = join!(build.served_versions(), check::namespace(build, &request.namespace));
    let version = checks.take("Flux", check::flux(build, &served?)).map(|versions| versions.source);
    checks.check(format!("namespace {}", request.namespace), namespace);
    let (existing, missing) =
        join!(Checks::apart(async |checks| Existing::read(checks, request, build, version).await), async {
            Ok::<_, Skipped>(missing(build, needs(version?, request)).await)
        });
    let existing = checks.take_in(existing);
    existing.check_unreadable(&mut checks, request);
    if let Ok(missing) = missing {
        permissions::take(&mut checks, build, missing);
    }

    // Nobody is asked for something that these findings make vain, and no key is made.
    let asks = checks.none_failed();
    let ui = Ui { is_interactive: ui.is_interactive && asks.is_ok(), ..ui };
    let may_ask = match &request.ssh {
        Some(ssh) if !ssh.is_complete() => asks,
        _ => Ok(()),
    };
    let key = match (may_ask, &request.ssh) {
        (Err(skipped), _) => Err(skipped),
        (Ok(()), None) => Ok((None, None)),
        (Ok(()), Some(ssh)) => {
            let found = deploy_key::find(ui, request, ssh, existing.secret_object()).await;
            checks.take_silently("SSH key", found).map(|(key, deploy_key)| (Some(key), deploy_key))
        }
    };
    let read = match key {
        Err(skipped) => Err(skipped),
        Ok((ssh_key, deploy_key)) => {
            let given =
                request.flux_credential(request.credentials.as_ref(), ssh_key.as_ref(), existing.secret_object());
            // A login alone is tried with the user's own settings about certificates and proxies: what those hide is told apart.
            let credential = given.filter(|given| !given.is_login()).or_else(|| existing.credential_of_user(request));
            let has_secret = existing.has_secret();
            let read =
                repository::read(ui, request, credential, limits, has_secret, deploy_key.as_ref(), &existing.spec);
            let read = checks.take_silently("GitOps repository", Box::pin(read).await);
            read.map(|(login, doubts)| {
                for doubt in doubts {
                    checks.warn("GitOps repository", doubt);
                }
                (ssh_key, login)
            })
        }
    };
    let login = read.as_ref().map_or(request.credentials.as_ref(), |(_, login)| login.as_ref());
    existing.check_named(&mut checks, request, build).await;
    existing.check_reach(&mut checks, request, limits, login, read.is_ok()).await;
    let found = || {
        let (version, (ssh_key, login)) = (version?, read?);
        let Existing { repository, secret_reference, secret, is_secret_readable, .. } = existing;
        let objects = [(secret_reference, secret?), (request.git_repository(version), repository?)];
        let live = objects.into_iter().filter_map(|(reference, object)| Some((Place::Build, reference, object?)));
        Ok(Facts { version, live: LiveObjects::new(live), is_secret_readable, login, ssh_key })
    };
    checks.finish(found())
}

/// What the build cluster has already.
struct Existing {
    repository: Result<Option<DynamicObject>, Skipped>,
    /// What the GitRepository says; the defaults where there is none.
    spec: GitRepositorySpec,
    /// The Secret that the repository is or will be read with.
    secret_reference: ObjectReference,
    /// What is in it; `None` where it does not exist, or may not be read.
    secret: Result<Option<DynamicObject>, Skipped>,
    is_secret_readable: bool,
}

impl Existing {
    /// Reads the GitRepository, which must not be another's, and the Secret that it names.
    async fn read(checks: &mut Checks, request: &Request, build: &Cluster, version: Result<&str, Skipped>) -> Self {
        let repository = match version {
            Ok(version) => checks.take_silently("GitRepository", build.get(&request.git_repository(version)).await),
            Err(skipped) => Err(skipped),
        };
        let mut spec = GitRepositorySpec::default();
        if let Ok(Some(live)) = &repository
            && let Ok(read) = checks.take_silently("GitRepository", typed(live, &request.namespace))
        {
            checks.check("GitRepository", refuse_retarget(&read, request));
            spec = read;
        }
        let secret_reference = match (&request.secret, &spec.secret_ref) {
            (Some(name), _) => ObjectReference::secret(&request.namespace, name),
            // A Secret of another name stays in use unless credentials are given, which are written to ours.
            (None, Some(secret)) if !request.gives_credential() => {
                ObjectReference::secret(&request.namespace, &secret.name)
            }
            _ => request.credentials_secret(),
        };
        let secret = build.get(&secret_reference).await;
        let is_secret_readable = !secret.as_ref().is_err_and(|error| error.status() == Some(403));
        let secret = if is_secret_readable { checks.take_silently("Git credentials", secret) } else { Ok(None) };
        Self { repository, spec, secret_reference, secret, is_secret_readable }
    }

    fn secret_object(&self) -> Option<&DynamicObject> {
        self.secret.as_ref().ok().and_then(Option::as_ref)
    }

    /// Returns what a Secret of the user's own holds, if the repository is read with one.
    fn credential_of_user(&self, request: &Request) -> Option<FluxCredential> {
        let is_named = self.secret_reference != request.credentials_secret() || request.secret.is_some();
        let has_provider = self.spec.provider.as_deref().is_some_and(|provider| provider != "generic");
        if !is_named || has_provider || request.provider.is_some() {
            return None;
        }
        self.secret_object().map(FluxCredential::in_secret).filter(|credential| !credential.is_empty())
    }

    /// Tells whether there is a Secret, as far as one can see.
    fn has_secret(&self) -> bool {
        !self.is_secret_readable || self.secret_object().is_some()
    }

    /// Refuses to write a Secret that holds, as far as one can see, what would be lost with that.
    fn check_unreadable(&self, checks: &mut Checks, request: &Request) {
        if self.is_secret_readable {
            return;
        }
        if !request.given.is_empty() && request.credentials.is_none() {
            checks.fail("Git credentials", git_secret::login_unknown(&self.secret_reference));
        }
        if matches!(&request.ssh, Some(SshRequest { key: KeyRequest::Generate(_), .. })) {
            checks.fail("SSH key", git_secret::key_unknown(&self.secret_reference));
        }
    }

    /// Refuses Secrets of the user's own that Flux could not use.
    async fn check_named(&self, checks: &mut Checks, request: &Request, build: &Cluster) {
        if let Ok(secret) = &self.secret
            && (request.secret.is_some() || request.provider.is_some())
        {
            let secret = GitSecret::of(&self.secret_reference, secret.as_ref(), self.is_secret_readable);
            secret.check_keys(checks, &request.git_url, request.provider);
        }
        if let Some(name) = &request.proxy_secret {
            let reference = ObjectReference::secret(&request.namespace, name);
            checks.check("proxy of the Git server", git_secret::check_proxy(&reference, build.get(&reference).await));
        }
    }

    /// Refuses a repository that only settings of the user's own `git` lead to.
    async fn check_reach(
        &self,
        checks: &mut Checks,
        request: &Request,
        limits: Limits,
        login: Option<&GitCredentials>,
        is_read: bool,
    ) {
        let Ok(secret) = &self.secret else { return };
        // What Flux has fetched it can read, whatever the user's own `git` needs for that.
        let is_fetched = matches!(&self.repository, Ok(Some(live)) if has_fetched(live, &request.branch));
        // What is given for Flux, but for a login, has been tried alone.
        if is_fetched || request.ssh.is_some() || request.secret.is_some() || !request.given.is_empty() {
            return;
        }
        let url = &request.git_url;
        let access = repository::git_access(request, login, limits, self.has_secret());
        let (rewritten, trust) = join!(
            async {
                if !is_read || !self.is_secret_readable || !url.is_http() {
                    return Ok(None);
                }
                let given = FluxCredential { login: login.cloned(), ..FluxCredential::default() };
                let credential = secret.iter().fold(given, FluxCredential::or_as_in);
                rewritten(url, &access, &credential).await
            },
            trust(url, &access),
        );
        let rewritten = checks.take_silently("URL of the repository", rewritten);
        written_url::check(checks, url, rewritten.unwrap_or_default());
        let secret = GitSecret::of(&self.secret_reference, secret.as_ref(), self.is_secret_readable);
        secret.check(checks, url, login.is_some(), trust.ok());
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_repository_that_is_elsewhere_is_not_moved() {
        let request = Request::fixture();
        let refusal = |url: &str, branch: &str| {
            let reference = if branch.contains('/') { json!({"name": branch}) } else { json!({"branch": branch}) };
            let existing: GitRepositorySpec =
                serde_json::from_value(json!({"url": url, "ref": reference})).expect("the fixture is a spec");
            refuse_retarget(&existing, &request).err().map(|error| error.message().to_owned())
        };
        assert_eq!(refusal("https://me:not-a-real-password@git.example.com/gitops.git", "main"), None);
        insta::assert_snapshot!(refusal("https://git.example.com/other.git", "main").unwrap_or_default(), @"GitRepository dev/hello.default.tap-gitops-repo exists and has another url: https://git.example.com/other.git, not https://git.example.com/gitops.git");
        insta::assert_snapshot!(refusal("https://git.example.com/gitops.git", "next").unwrap_or_default(), @"GitRepository dev/hello.default.tap-gitops-repo exists and has another ref: branch next, not branch main");
        assert_eq!(refusal("https://git.example.com/gitops.git", "refs/heads/main"), None);
        insta::assert_snapshot!(refusal("https://git.example.com/gitops.git", "refs/tags/v1").unwrap_or_default(), @"GitRepository dev/hello.default.tap-gitops-repo exists and has another ref: tag v1, not branch main");
    }
}
