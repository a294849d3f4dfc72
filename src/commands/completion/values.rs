//! What the values of flags may be, for completion: names of the kubeconfig, and what is found on clusters quickly, without a
//! login and without a word.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::carvel::DATA_PACKAGING_GROUP;
use crate::carvel::version::Version;
use crate::check;
use crate::cli::{CommandLine, ValueKind};
use crate::cluster::{Cluster, Connection, Role, load_kubeconfig};
use crate::error::Result;
use crate::flux::{GitRepository, Kustomization, git_repository_resource, kustomization_resource};
use crate::names;
use crate::object::api_resource;
use crate::observe::delivery;
use crate::waiting;

/// How long somebody who presses TAB waits for a cluster.
const LIMIT: Duration = Duration::from_millis(300);

/// Looks up what a value may be.
pub async fn values(kind: ValueKind, line: &CommandLine) -> Vec<String> {
    let run_clusters = line.connection.of_run_clusters(line.run_kubeconfig.as_ref());
    match kind {
        ValueKind::Context => names_of(&line.connection, |names| &names.contexts),
        ValueKind::RunContext => names_of(&run_clusters, |names| &names.contexts),
        ValueKind::KubeconfigCluster => names_of(&line.connection, |names| &names.clusters),
        ValueKind::KubeconfigUser => names_of(&line.connection, |names| &names.users),
        ValueKind::Namespace => namespaces(&line.connection).await,
        ValueKind::TargetNamespace => {
            let Some(context) = &line.run_context else { return Vec::new() };
            namespaces(&run_clusters.in_context(context)).await
        }
        ValueKind::RunCluster => found(line).await.run_clusters(),
        ValueKind::Package => found(line).await.packages(),
        ValueKind::Version => match line.package() {
            Some(package) => found(line).await.versions(names::of_package(package)),
            None => Vec::new(),
        },
        ValueKind::RunClusterContext => {
            pairs(&found(line).await.run_clusters(), &names_of(&run_clusters, |names| &names.contexts))
        }
    }
}

/// The names in a kubeconfig.
#[derive(Default)]
struct KubeconfigNames {
    contexts: Vec<String>,
    clusters: Vec<String>,
    users: Vec<String>,
    namespaces: Vec<String>,
}

impl KubeconfigNames {
    fn of(connection: &Connection) -> Self {
        let Ok(kubeconfig) = load_kubeconfig(connection.kubeconfig.as_deref()) else { return Self::default() };
        let namespaces = kubeconfig.contexts.iter().filter_map(|entry| entry.context.as_ref()?.namespace.clone());
        Self {
            namespaces: namespaces.collect(),
            contexts: kubeconfig.contexts.into_iter().map(|entry| entry.name).collect(),
            clusters: kubeconfig.clusters.into_iter().map(|entry| entry.name).collect(),
            users: kubeconfig.auth_infos.into_iter().map(|entry| entry.name).collect(),
        }
    }
}

fn names_of(connection: &Connection, names: impl Fn(&KubeconfigNames) -> &Vec<String>) -> Vec<String> {
    sorted(names(&KubeconfigNames::of(connection)).iter().cloned())
}

/// Returns the namespaces that the kubeconfig names, and those of the cluster.
async fn namespaces(connection: &Connection) -> Vec<String> {
    let look = Box::pin(async {
        let cluster = Cluster::connect(Role::Build, &connection.without_login()).await?;
        cluster.list_in::<DynamicObject>(&api_resource("", "v1", "Namespace"), None).await
    });
    let listed = waiting::within(LIMIT, look).await.and_then(Result::ok).unwrap_or_default();
    let listed = listed.into_iter().filter_map(|namespace| namespace.metadata.name);
    sorted(KubeconfigNames::of(connection).namespaces.into_iter().chain(listed))
}

/// What Flux knows on the build cluster.
#[derive(Default)]
struct Found {
    kustomizations: Vec<Kustomization>,
    repositories: Vec<GitRepository>,
}

/// Looks at the build cluster; finds nothing where that takes too long.
async fn found(line: &CommandLine) -> Found {
    let look = Box::pin(async {
        let build = Cluster::connect(Role::Build, &line.connection.without_login()).await?;
        let versions = check::flux(&build, &build.served_versions().await?)?;
        let namespace = line.namespace.clone().unwrap_or_else(|| build.default_namespace().to_owned());
        let namespace = (!line.all_namespaces).then_some(namespace.as_str());
        let (kustomization, source) =
            (kustomization_resource(versions.kustomization), git_repository_resource(versions.source));
        let (kustomizations, repositories) =
            futures::join!(build.list_in(&kustomization, namespace), build.list_in(&source, namespace));
        Ok(Found { kustomizations: kustomizations?, repositories: repositories.unwrap_or_default() })
    });
    let looked: Option<Result<Found>> = waiting::within(LIMIT, look).await;
    looked.and_then(Result::ok).unwrap_or_default()
}

impl Found {
    fn run_clusters(&self) -> Vec<String> {
        sorted(delivery::find(&self.kustomizations).into_iter().map(|delivery| delivery.run_cluster))
    }

    /// Returns the packages that are delivered, and those that `bootstrap` made known.
    fn packages(&self) -> Vec<String> {
        let names: Vec<String> = self.repositories.iter().map(ResourceExt::name_any).collect();
        let known = names.iter().filter_map(|name| names::package_of_git_repository(name)).map(str::to_owned);
        let delivered = delivery::find(&self.kustomizations).into_iter().map(|delivery| delivery.package);
        sorted(delivered.chain(known))
    }

    /// Returns the versions of a package that Flux has applied anywhere, the highest first. The name of a Package is that of the
    /// package and the version (kapp-controller v0.53.1 `pkg/apis/datapackaging/validation`).
    fn versions(&self, package: &str) -> Vec<String> {
        let entries = self.kustomizations.iter().filter_map(|one| one.status.as_ref()?.inventory.as_ref());
        let names = entries.flat_map(|inventory| &inventory.entries).filter_map(|entry| match entry.parts()? {
            (_, name, DATA_PACKAGING_GROUP, "Package") => name.strip_prefix(package)?.strip_prefix('.'),
            _ => None,
        });
        let versions: BTreeSet<Version> = names.filter_map(|version| version.parse().ok()).collect();
        versions.into_iter().rev().map(|version| version.to_string()).collect()
    }
}

/// Pairs run clusters with the contexts that are called like them, or with all where none is.
fn pairs(run_clusters: &[String], contexts: &[String]) -> Vec<String> {
    let of = |run_cluster: &String| {
        let alike: Vec<&String> = contexts.iter().filter(|context| context.contains(run_cluster.as_str())).collect();
        let contexts = if alike.is_empty() { contexts.iter().collect() } else { alike };
        contexts.into_iter().map(|context| format!("{run_cluster}={context}")).collect::<Vec<_>>()
    };
    run_clusters.iter().flat_map(of).collect()
}

fn sorted(names: impl IntoIterator<Item = String>) -> Vec<String> {
    names.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}
