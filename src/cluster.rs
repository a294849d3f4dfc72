//! Clusters: how they are reached, read and written. The only code that calls kube's `Api`.
//!
//! What is read from or written to them is decided elsewhere; how a kubeconfig for Flux is built lives in
//! [`crate::kubeconfig`].

mod access;
mod authorization;
mod change;
mod client;
mod clock;
mod connect;
mod connection;
mod delete;
mod entries;
mod exec_plugin;
mod failure;
mod go_url;
mod login;
mod pod;
mod proxy;
mod retry;
mod tls;
mod token;
mod token_file;
mod unreachable;
mod user;
mod watch;

pub use access::Access;
pub(crate) use clock::ServerClock;
pub use connection::{Connection, find_kubeconfig, load_kubeconfig};
pub use failure::{Remedy, WatchFailure};
pub use proxy::{Proxy, ProxyRules};
pub use retry::report_retries;
pub use token::TokenSpec;
pub use user::User;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{DynamicResourceScope, PartialObjectMeta};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::client::Route;
use crate::error::{Error, Result};
use crate::object::{ObjectReference, api_resource};
use crate::waiting;

/// The field manager of every write (server-side apply).
pub const FIELD_MANAGER: &str = "carvelflux";

/// Which part a cluster plays in deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The cluster that runs Flux.
    Build,
    /// A cluster that runs kapp-controller, by its short name.
    Run(String),
}

/// A connected cluster.
#[derive(Clone)]
pub struct Cluster {
    role: Role,
    context: String,
    server: String,
    default_namespace: String,
    route: Arc<Route>,
    client: Client,
    clock: ServerClock,
    request_timeout: Option<Duration>,
    forces_conflicts: bool,
}

/// The API groups a cluster serves, each with its versions.
#[derive(Clone, Debug, Default)]
pub struct ServedVersions(BTreeMap<String, Vec<String>>);

impl ServedVersions {
    /// Tells whether the cluster serves a group in any version.
    #[must_use]
    pub fn has(&self, group: &str) -> bool {
        self.0.contains_key(group)
    }

    /// Returns the versions of a group; none where it is not served.
    #[must_use]
    pub fn of(&self, group: &str) -> &[String] {
        self.0.get(group).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the first of `versions` that the cluster serves for `group`.
    #[must_use]
    pub fn first_of(&self, group: &str, versions: &[&'static str]) -> Option<&'static str> {
        let served = self.0.get(group)?;
        versions.iter().copied().find(|version| served.iter().any(|one| one == version))
    }
}

impl Cluster {
    /// Returns which part the cluster plays.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Returns the cluster as messages name it, such as "the build cluster (context `build`)".
    #[must_use]
    pub fn display(&self) -> String {
        let role = match &self.role {
            Role::Build => "the build cluster".to_owned(),
            Role::Run(name) => format!("the run cluster `{name}`"),
        };
        if self.context.is_empty() { role } else { format!("{role} (context `{}`)", self.context) }
    }

    /// Returns the URL of the API server.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns the kubeconfig context the cluster was reached through; empty for a stored credential.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Returns the clock of the API server, which times that the cluster has written are compared with.
    #[must_use]
    pub(crate) fn clock(&self) -> &ServerClock {
        &self.clock
    }

    /// Returns the namespace of the context, or `default`.
    #[must_use]
    pub fn default_namespace(&self) -> &str {
        &self.default_namespace
    }

    /// Lists the API groups with their served versions; the first request to a cluster, so it also proves that
    /// the cluster is reachable and the credential is accepted.
    pub async fn served_versions(&self) -> Result<ServedVersions> {
        let groups = self.call("cannot be asked which APIs it serves", self.client.list_api_groups()).await?;
        Ok(ServedVersions(
            groups
                .groups
                .into_iter()
                .map(|group| (group.name, group.versions.into_iter().map(|version| version.version).collect()))
                .collect(),
        ))
    }

    /// Returns the version of Kubernetes, such as `v1.36.1`.
    pub async fn kubernetes_version(&self) -> Result<String> {
        let version = self.call("cannot be asked for its version", self.client.apiserver_version()).await?;
        Ok(version.git_version)
    }

    /// Returns the UID of the namespace `kube-system`, which identifies a cluster for as long as it lives.
    pub async fn uid(&self) -> Result<String> {
        let reference = ObjectReference {
            resource: api_resource("", "v1", "Namespace"),
            namespace: None,
            name: "kube-system".to_owned(),
        };
        let namespace = self.get(&reference).await?;
        namespace
            .and_then(|namespace| namespace.metadata.uid)
            .ok_or_else(|| Error::new(format!("namespace kube-system not found on {}", self.display())))
    }

    /// Reads an object; `None` when it does not exist.
    pub async fn get(&self, reference: &ObjectReference) -> Result<Option<DynamicObject>> {
        let what = format!("cannot read {}", reference.display());
        self.call(&what, self.api(reference).get_opt(&reference.name)).await
    }

    /// Reads an object's metadata and nothing of its content; `None` when it does not exist.
    pub async fn get_metadata(&self, reference: &ObjectReference) -> Result<Option<PartialObjectMeta<DynamicObject>>> {
        let what = format!("cannot read {}", reference.display());
        self.call(&what, self.api(reference).get_metadata_opt(&reference.name)).await
    }

    /// Reads an object into its type; `None` when it does not exist.
    pub async fn read<K>(&self, resource: &ApiResource, namespace: &str, name: &str) -> Result<Option<K>>
    where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let api = Api::<K>::namespaced_with(self.client.clone(), namespace, resource);
        self.call(&format!("cannot read {} {namespace}/{name}", resource.kind), api.get_opt(name)).await
    }

    /// Lists all objects of a kind in a namespace.
    pub async fn list<K>(&self, resource: &ApiResource, namespace: &str) -> Result<Vec<K>>
    where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope> + Clone + DeserializeOwned + Debug,
    {
        self.list_in(resource, Some(namespace)).await
    }

    /// Lists all objects of a kind in a namespace, or in all namespaces.
    pub async fn list_in<K>(&self, resource: &ApiResource, namespace: Option<&str>) -> Result<Vec<K>>
    where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let (api, place) = self.api_in::<K>(resource, namespace);
        let what = format!("cannot list {} in {place}", resource.plural);
        self.call(&what, api.list(&ListParams::default())).await.map(|list| list.items)
    }

    /// Lists the metadata of all objects of a kind in a namespace, and nothing of their content.
    pub async fn list_metadata(
        &self,
        resource: &ApiResource,
        namespace: &str,
    ) -> Result<Vec<PartialObjectMeta<DynamicObject>>> {
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, resource);
        let what = format!("cannot list {} in namespace {namespace}", resource.plural);
        self.call(&what, api.list_metadata(&ListParams::default())).await.map(|list| list.items)
    }

    /// Lets every write take fields over from other managers, instead of being refused.
    #[must_use]
    pub fn forcing_conflicts(mut self, forces_conflicts: bool) -> Self {
        self.forces_conflicts = forces_conflicts;
        self
    }

    /// Returns the namespaces that hold an object of this kind and name, looking in one of them or in all.
    pub async fn namespaces_of(
        &self,
        resource: &ApiResource,
        name: &str,
        namespace: Option<&str>,
    ) -> Result<Vec<String>> {
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        };
        let parameters = ListParams::default().fields(&format!("metadata.name={name}"));
        let list = self.call(&format!("cannot list {}", resource.plural), api.list_metadata(&parameters)).await?;
        Ok(list.items.into_iter().filter_map(|object| object.metadata.namespace).collect())
    }

    /// Applies a manifest server-side and returns the object as the API server keeps it.
    ///
    /// With `dry_run` the API server validates and merges, and keeps nothing.
    pub async fn apply(&self, manifest: &Value, dry_run: bool) -> Result<DynamicObject> {
        let reference = ObjectReference::of(manifest)?;
        let mut parameters = PatchParams::apply(FIELD_MANAGER).validation_strict();
        parameters.force = self.forces_conflicts;
        if dry_run {
            parameters = parameters.dry_run();
        }
        let what = format!("cannot apply {}", reference.display());
        self.patch(&reference, &what, &parameters, &Patch::Apply(manifest)).await
    }

    /// Sets one annotation, and nothing else.
    pub async fn annotate(&self, reference: &ObjectReference, key: &str, value: &str) -> Result<()> {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        let what = format!("cannot annotate {}", reference.display());
        let parameters = PatchParams::default();
        self.patch(reference, &what, &parameters, &Patch::Merge(&patch)).await.map(drop)
    }

    /// Sends a patch for an object; `what` says what failed where it is refused.
    async fn patch(
        &self,
        reference: &ObjectReference,
        what: &str,
        parameters: &PatchParams,
        patch: &Patch<&Value>,
    ) -> Result<DynamicObject> {
        let api = self.api(reference);
        self.call_in(reference.namespace.as_deref(), what, api.patch(&reference.name, parameters, patch)).await
    }

    /// Sends a request, at most so long as requests may take, and turns a refusal into a sentence.
    fn call<T>(&self, what: &str, request: impl Future<Output = kube::Result<T>>) -> impl Future<Output = Result<T>> {
        self.call_in(None, what, request)
    }

    /// Sends a request as [`Self::call`] does; what admission says of it is told with the commands for this namespace.
    async fn call_in<T>(
        &self,
        namespace: Option<&str>,
        what: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T> {
        let failure = |error| self.failure(namespace, what, error);
        let Some(limit) = self.request_timeout else {
            return request.await.map_err(failure);
        };
        match waiting::within(limit, request).await {
            Some(answer) => answer.map_err(failure),
            None => Err(self.no_answer(what, limit)),
        }
    }

    /// Returns the API of a kind in a namespace or in all, and the place as messages name it.
    fn api_in<K>(&self, resource: &ApiResource, namespace: Option<&str>) -> (Api<K>, String)
    where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
    {
        match namespace {
            Some(namespace) => {
                (Api::namespaced_with(self.client.clone(), namespace, resource), format!("namespace {namespace}"))
            }
            None => (Api::all_with(self.client.clone(), resource), "all namespaces".to_owned()),
        }
    }

    fn api(&self, reference: &ObjectReference) -> Api<DynamicObject> {
        match &reference.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &reference.resource),
            None => Api::all_with(self.client.clone(), &reference.resource),
        }
    }
}
