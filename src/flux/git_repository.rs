//! GitRepository of `source.toolkit.fluxcd.io` (source-controller `api/v1/gitrepository_types.go`).

use std::fmt;

use kube::api::ApiResource;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::conditions::Condition;
use crate::gitops::flux_credential::FluxCredential;
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
    /// The Secret with the address of the proxy, and how to log in there.
    pub proxy_secret_ref: Option<LocalReference>,
    /// Who vouches for Flux where no credential is stored.
    pub provider: Option<String>,
    /// Whose signatures commits must have.
    pub verify: Option<Value>,
    /// Whether fetching is switched off.
    pub suspend: bool,
    /// Patterns of files that the artifact leaves out.
    pub ignore: Option<String>,
    /// The directories that the artifact takes; none means all.
    pub sparse_checkout: Vec<String>,
    /// Whether submodules are fetched.
    pub recurse_submodules: bool,
    /// Other sources whose files are put into the artifact.
    pub include: Vec<Include>,
}

impl GitRepositorySpec {
    /// Tells whether Flux fetches signed commits only; signatures of tags alone are no matter of ours.
    #[must_use]
    pub fn verifies_commits(&self) -> bool {
        let mode = |verify: &Value| verify["mode"].as_str().unwrap_or("HEAD").to_owned();
        self.verify.as_ref().is_some_and(|verify| mode(verify) != "Tag")
    }
}

/// Another source whose files are put into a directory of the artifact.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Include {
    /// The source.
    pub repository: LocalReference,
    /// The directory; by default the name of the source.
    pub to_path: Option<String>,
}

impl Include {
    /// Returns the directory that is filled.
    #[must_use]
    pub fn directory(&self) -> &str {
        let path = self.to_path.as_deref().filter(|path| !path.is_empty()).unwrap_or(&self.repository.name);
        path.strip_prefix("./").unwrap_or(path)
    }
}

/// Which commit of a repository is fetched, as it is written; only branches are written by the plugin.
///
/// What counts where several are given is what [`GitReference::followed`] returns.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct GitReference {
    /// The branch.
    pub branch: Option<String>,
    /// The tag.
    pub tag: Option<String>,
    /// The versions of which the newest tag is taken.
    pub semver: Option<String>,
    /// A reference in full, such as `refs/heads/main`.
    pub name: Option<String>,
    /// The hash of a commit.
    pub commit: Option<String>,
}

/// What Flux follows of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed<'a> {
    /// A branch, however it is written.
    Branch(&'a str),
    /// A tag, however it is written.
    Tag(&'a str),
    /// The newest tag of some versions.
    Versions(&'a str),
    /// Another reference, such as that of a pull request.
    Name(&'a str),
    /// One commit for ever.
    Commit(&'a str),
}

impl fmt::Display for Followed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(branch) => write!(formatter, "branch {branch}"),
            Self::Tag(tag) => write!(formatter, "tag {tag}"),
            Self::Versions(range) => write!(formatter, "tags {range}"),
            Self::Name(name) => write!(formatter, "reference {name}"),
            Self::Commit(commit) => write!(formatter, "commit {commit}"),
        }
    }
}

impl GitReference {
    /// Returns what Flux follows: a commit before a name, versions, a tag and a branch, and without any of them the branch
    /// `master` (source-controller v1.9.3 `api/v1/gitrepository_types.go`, `GitRepositoryRef`).
    #[must_use]
    pub fn followed(&self) -> Followed<'_> {
        let given = |field: &'_ Option<String>| field.as_ref().is_some_and(|text| !text.is_empty());
        let text = |field| Option::as_deref(field).unwrap_or_default();
        let Self { branch, tag, semver, name, commit } = self;
        if given(commit) {
            Followed::Commit(text(commit))
        } else if given(name) {
            let name = text(name);
            let (branch, tag) = (name.strip_prefix("refs/heads/"), name.strip_prefix("refs/tags/"));
            branch.map(Followed::Branch).or_else(|| tag.map(Followed::Tag)).unwrap_or(Followed::Name(name))
        } else if given(semver) {
            Followed::Versions(text(semver))
        } else if given(tag) {
            Followed::Tag(text(tag))
        } else {
            Followed::Branch(if given(branch) { text(branch) } else { "master" })
        }
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

/// Who vouches for Flux, where the Secret holds neither a login nor a key (source-controller v1.9.3, `docs/spec/v1/gitrepositories.md`,
/// "Provider").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitProvider {
    /// Azure, by a workload identity of source-controller.
    Azure,
    /// A GitHub App, whose key the Secret holds.
    Github,
}

impl GitProvider {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Azure, Self::Github];

    /// Returns the name in the GitRepository and in flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Github => "github",
        }
    }
}

/// What a GitRepository says of how it is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct GitAccessReferences<'a> {
    /// The Secret with the credential.
    pub secret: Option<&'a str>,
    /// The Secret with the proxy.
    pub proxy_secret: Option<&'a str>,
    /// Who vouches for Flux.
    pub provider: Option<&'a str>,
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
    access: GitAccessReferences<'_>,
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
    let spec = &mut manifest["spec"];
    for (field, secret) in [("secretRef", access.secret), ("proxySecretRef", access.proxy_secret)] {
        if let Some(name) = secret {
            spec[field] = json!({"name": name});
        }
    }
    if let Some(provider) = access.provider {
        spec["provider"] = json!(provider);
    }
    manifest
}

/// Builds the Secret with which source-controller reads a private repository.
#[must_use]
pub fn git_credentials_secret(namespace: &str, package: &str, credential: &FluxCredential) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names::git_credentials(package),
            "namespace": namespace,
            "labels": crate::labels::managed(),
        },
        "type": "Opaque",
        "data": credential.data(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_verified_unless_only_tags_are() {
        let verifies = |verify: Value| {
            let spec: GitRepositorySpec = serde_json::from_value(json!({"verify": verify})).expect("a spec");
            spec.verifies_commits()
        };
        assert!(verifies(json!({"mode": "HEAD"})) && verifies(json!({"mode": "head"})));
        assert!(verifies(json!({"mode": "TagAndHEAD"})) && verifies(json!({"secretRef": {"name": "keys"}})));
        assert!(!verifies(json!({"mode": "Tag"})) && !verifies(Value::Null));
    }

    #[test]
    fn what_flux_follows_is_known_however_it_is_written() {
        let followed = |reference: Value| {
            let reference: GitReference = serde_json::from_value(reference).expect("a reference");
            reference.followed().to_string()
        };
        for (reference, expected) in [
            (json!({}), "branch master"),
            (json!({"branch": ""}), "branch master"),
            (json!({"branch": "main"}), "branch main"),
            (json!({"name": "refs/heads/team/main"}), "branch team/main"),
            (json!({"branch": "main", "name": "refs/heads/next"}), "branch next"),
            (json!({"branch": "main", "tag": "v1"}), "tag v1"),
            (json!({"name": "refs/tags/v1", "semver": ">=2"}), "tag v1"),
            (json!({"tag": "v1", "semver": ">=2"}), "tags >=2"),
            (json!({"name": "refs/pull/7/head"}), "reference refs/pull/7/head"),
            (json!({"branch": "main", "name": "refs/heads/main", "commit": "0123abc"}), "commit 0123abc"),
        ] {
            assert_eq!(followed(reference.clone()), expected, "{reference}");
        }
    }
}
