//! GitRepository of `source.toolkit.fluxcd.io` (source-controller `api/v1/gitrepository_types.go`).

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use kube::api::ApiResource;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::conditions::Condition;
use crate::names;
use crate::object::{Object, api_resource};

/// The API group of Flux sources.
pub const GIT_REPOSITORY_GROUP: &str = "source.toolkit.fluxcd.io";

/// A Git branch that Flux fetches.
pub type GitRepository = Object<GitRepositorySpec, GitRepositoryStatus>;

/// What is read of a GitRepository's spec.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitRepositorySpec {
    /// The URL of the repository.
    pub url: String,
    /// Which commit of it.
    #[serde(rename = "ref")]
    pub reference: GitReference,
    /// The Secret with the credentials.
    pub secret_ref: Option<LocalReference>,
    /// Whether fetching is switched off.
    pub suspend: bool,
}

/// Which commit of a repository is fetched; only branches are written by the plugin.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct GitReference {
    /// The branch.
    pub branch: Option<String>,
    /// Other ways to name a commit, all of which win over the branch: `tag`, `semver`, `name`, `commit`.
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl GitReference {
    /// Returns the branch that Flux follows; `None` where it follows something else.
    #[must_use]
    pub fn followed_branch(&self) -> Option<&str> {
        let follows_other = self.others.values().any(|value| value.as_str().is_some_and(|text| !text.is_empty()));
        (!follows_other).then(|| self.branch.as_deref().unwrap_or("master"))
    }
}

/// The name of an object in the same namespace.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct LocalReference {
    /// The name.
    pub name: String,
}

/// What is read of a GitRepository's status.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitRepositoryStatus {
    /// What source-controller found.
    pub conditions: Vec<Condition>,
    /// The generation that was reconciled last; -1 before any.
    pub observed_generation: Option<i64>,
    /// What was fetched last.
    pub artifact: Option<Artifact>,
    /// The last answered reconcile request.
    pub last_handled_reconcile_at: Option<String>,
}

/// A fetched revision.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Artifact {
    /// Branch and commit, such as `main@sha1:0123…`.
    pub revision: String,
}

/// Returns the resource of GitRepositories in the served version.
#[must_use]
pub fn git_repository_resource(version: &str) -> ApiResource {
    api_resource(GIT_REPOSITORY_GROUP, version, "GitRepository")
}

/// Builds the GitRepository of a package, with the guide's name, interval and timeout.
///
/// Unlike the guide's, it has no `ignore`: that would replace Flux's default exclusions, `.sops.yaml` among them.
#[must_use]
pub fn git_repository(
    version: &str,
    namespace: &str,
    package: &str,
    url: &str,
    branch: &str,
    with_credentials: bool,
) -> Value {
    let mut manifest = json!({
        "apiVersion": format!("{GIT_REPOSITORY_GROUP}/{version}"),
        "kind": "GitRepository",
        "metadata": {
            "name": names::git_repository(package),
            "namespace": namespace,
            "labels": crate::labels::managed(),
        },
        "spec": {
            "url": url,
            "ref": {"branch": branch},
            "interval": "30s",
            "timeout": "60s",
        },
    });
    if with_credentials {
        manifest["spec"]["secretRef"] = json!({"name": names::git_credentials(package)});
    }
    manifest
}

/// Builds the Secret with which source-controller reads a private repository over HTTP.
#[must_use]
pub fn git_credentials_secret(namespace: &str, package: &str, username: &str, password: &SecretString) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names::git_credentials(package),
            "namespace": namespace,
            "labels": crate::labels::managed(),
        },
        "type": "Opaque",
        "data": {
            "username": ByteString(username.as_bytes().to_vec()),
            "password": ByteString(password.expose_secret().as_bytes().to_vec()),
        },
    })
}
