//! The plan of `bootstrap`: the Secret with the credentials, the GitRepository, and what Flux is asked for. Pure.

use serde_json::Value;

use super::facts::{Facts, has_fetched};
use super::request::Request;
use crate::flux::{GitAccessReferences, GitProvider, GitRepositorySpec, git_credentials_secret, git_repository};
use crate::labels;
use crate::names;
use crate::plan::{Apply, Freshness, Place, Plan, Step};

/// Computes the plan: the Secret with the credentials, where some were given, and the GitRepository; Flux is asked to fetch
/// where what it has fetched is not what is wanted.
pub(super) fn plan(request: &Request, facts: &Facts) -> Plan {
    let package = names::of_package(&request.package);
    let source = request.git_repository(facts.version);
    let live_secret = facts.live.get(Place::Build, &request.credentials_secret());
    let live = facts.live.get(Place::Build, &source);
    let secret = request.flux_credential(facts.login.as_ref(), facts.ssh_key.as_ref(), live_secret);
    let secret = secret.map(|credential| git_credentials_secret(&request.namespace, package, &credential));
    // A Secret that may not be read is kept where the GitRepository names it.
    let is_named = live.is_some_and(|live| live.data["spec"]["secretRef"]["name"] == request.credentials_secret().name);
    let has_own = secret.is_some() || live_secret.is_some() || (is_named && !facts.is_secret_readable);
    let existing: GitRepositorySpec =
        live.and_then(|live| serde_json::from_value(live.data["spec"].clone()).ok()).unwrap_or_default();
    let own = request.credentials_secret().name;
    let other = existing.secret_ref.map(|secret| secret.name).filter(|name| *name != own && secret.is_none());
    let proxy = request.proxy_secret.clone().or(existing.proxy_secret_ref.map(|secret| secret.name));
    let access = GitAccessReferences {
        secret: request.secret.as_deref().or(other.as_deref()).or(has_own.then_some(own.as_str())),
        proxy_secret: proxy.as_deref(),
        provider: request.provider.map(GitProvider::name).or(existing.provider.as_deref()),
    };
    let url = request.git_url.to_string();
    let mut repository = git_repository(facts.version, &request.namespace, package, &url, &request.branch, access);
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

/// Returns the fields of a GitRepository that say from where is fetched, and with what.
fn what(repository: &Value) -> Value {
    let spec = &repository["spec"];
    ["url", "secretRef", "proxySecretRef", "provider"]
        .iter()
        .filter_map(|field| Some((*field, spec.get(*field)?.clone())))
        .collect()
}

/// Tells whether an object has all the fields of another with the same values.
fn holds(live: &Value, wanted: &Value) -> bool {
    wanted.as_object().is_none_or(|wanted| wanted.iter().all(|(key, value)| live.get(key) == Some(value)))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
