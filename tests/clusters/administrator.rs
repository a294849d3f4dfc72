//! Reading as an administrator without running kubectl, of which a test that looks again and again would start many.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Error};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// The kinds that tests read: how tests call them, their path, their plural, and their name.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("configmap", "/api/v1", "configmaps", "ConfigMap"),
    ("secret", "/api/v1", "secrets", "Secret"),
    ("serviceaccount", "/api/v1", "serviceaccounts", "ServiceAccount"),
    ("deployment", "/apis/apps/v1", "deployments", "Deployment"),
    ("role", "/apis/rbac.authorization.k8s.io/v1", "roles", "Role"),
    ("rolebinding", "/apis/rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding"),
    ("gitrepository", "/apis/source.toolkit.fluxcd.io/v1", "gitrepositories", "GitRepository"),
    ("kustomization", "/apis/kustomize.toolkit.fluxcd.io/v1", "kustomizations", "Kustomization"),
    ("app", "/apis/kappctrl.k14s.io/v1alpha1", "apps", "App"),
    ("packageinstall", "/apis/packaging.carvel.dev/v1alpha1", "packageinstalls", "PackageInstall"),
    ("packagemetadata", "/apis/data.packaging.carvel.dev/v1alpha1", "packagemetadatas", "PackageMetadata"),
];

/// Reads an object as JSON, null where there is none; `None` where the kind is not known here.
pub(crate) fn get(kubeconfig: &Path, context: &str, namespace: &str, kind: &str, name: &str) -> Option<Value> {
    let (_, path, plural, _) = KINDS.iter().find(|(word, ..)| *word == kind)?;
    Some(read(kubeconfig, context, &format!("{path}/namespaces/{namespace}/{plural}/{name}")).unwrap_or_default())
}

/// Lists the objects of a kind.
pub(crate) fn list(kubeconfig: &Path, context: &str, namespace: &str, kind: &str) -> Vec<Value> {
    let (_, path, plural, kind) = KINDS.iter().find(|(word, ..)| *word == kind).expect("a kind of the list");
    let list = read(kubeconfig, context, &format!("{path}/namespaces/{namespace}/{plural}"));
    let mut objects = list.expect("a kind that is served")["items"].as_array().cloned().expect("a list");
    for object in &mut objects {
        object["kind"] = (*kind).into();
    }
    objects
}

/// Sends a request; `None` where there is nothing.
fn read(kubeconfig: &Path, context: &str, path: &str) -> Option<Value> {
    let request = || http::Request::get(path).body(Vec::new()).expect("a request");
    let client = client(kubeconfig, context);
    match runtime().block_on(async { client.request::<Value>(request()).await }) {
        Ok(object) => Some(object),
        Err(Error::Api(status)) if status.is_not_found() => None,
        Err(error) => panic!("cannot read {path} in context {context}: {error}"),
    }
}

/// Returns the client of a context, which keeps its connections.
fn client(kubeconfig: &Path, context: &str) -> Client {
    static CLIENTS: Mutex<BTreeMap<(PathBuf, String), Client>> = Mutex::new(BTreeMap::new());
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let connect = || {
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        runtime().block_on(async {
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a context");
            Client::try_from(config).expect("a client")
        })
    };
    clients.entry((kubeconfig.to_owned(), context.to_owned())).or_insert_with(connect).clone()
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread for requests")
    })
}
