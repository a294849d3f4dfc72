//! Which deliveries there are: found by what Kustomizations contain, so that those made without the plugin, after the guide, count too.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::Key;
use crate::carvel::PACKAGING_GROUP;
use crate::flux::{InventoryEntry, KubeConfigReference, Kustomization, impersonated_user};
use crate::names;

/// One package on one run cluster, as two Kustomizations describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The package: the name of its directory in the repository.
    pub package: String,
    /// The run cluster: the name of its directory in the package's.
    pub run_cluster: String,
    /// The namespace of the Flux objects.
    pub namespace: String,
    /// The GitRepository, as namespace and name.
    pub source: (String, String),
    /// The Kustomization that applies the Packages.
    pub packages_kustomization: String,
    /// The Kustomization that applies the PackageInstall.
    pub installs_kustomization: String,
    /// The namespace on the run cluster.
    pub target_namespace: String,
    /// How Flux reaches the run cluster.
    pub access: RunAccess,
}

/// How Flux reaches a run cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RunAccess {
    /// With the kubeconfig of a Secret, impersonating a user if one is named.
    Kubeconfig {
        /// The Secret, in the Kustomization's namespace.
        secret: KubeConfigReference,
        /// The user that Flux impersonates.
        impersonate: Option<String>,
    },
    /// With a workload identity named by a ConfigMap, impersonating a user if one is named.
    WorkloadIdentity {
        /// The name of the ConfigMap.
        config_map: String,
        /// The user that Flux impersonates.
        impersonate: Option<String>,
    },
}

/// What makes deliveries share a run cluster: the namespace of the Flux objects, its name, and how Flux reaches it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunClusterKey {
    /// The namespace of the Flux objects.
    pub namespace: String,
    /// The short name of the run cluster.
    pub run_cluster: String,
    /// How Flux reaches it.
    pub access: RunAccess,
}

impl RunAccess {
    /// Returns the user that Flux impersonates, if any.
    #[must_use]
    pub fn impersonated(&self) -> Option<&String> {
        match self {
            Self::Kubeconfig { impersonate, .. } | Self::WorkloadIdentity { impersonate, .. } => impersonate.as_ref(),
        }
    }
}

impl Delivery {
    /// Returns the delivery as messages name it, such as `hello-app.default.tap on prod1`.
    #[must_use]
    pub fn display(&self) -> String {
        format!("{} on {}", self.package, self.run_cluster)
    }

    /// Returns what the deliveries to one run cluster share.
    #[must_use]
    pub fn run_cluster_key(&self) -> RunClusterKey {
        RunClusterKey {
            namespace: self.namespace.clone(),
            run_cluster: self.run_cluster.clone(),
            access: self.access.clone(),
        }
    }

    /// Returns namespace and name of the two Kustomizations.
    pub(crate) fn kustomizations(&self) -> [Key; 2] {
        [&self.packages_kustomization, &self.installs_kustomization].map(|name| (self.namespace.clone(), name.clone()))
    }
}

/// Finds the deliveries among Kustomizations, ordered by namespace, run cluster and package.
///
/// A delivery is a Kustomization of `<package>/<run cluster>` beside one of `<package>/packages` in the same namespace, from
/// the same source to the same place. One of the two alone counts as well where it shows that the other is missing.
#[must_use]
pub fn find<'a>(kustomizations: impl IntoIterator<Item = &'a Kustomization>) -> Vec<Delivery> {
    let mut namespaces: BTreeMap<String, Vec<&Kustomization>> = BTreeMap::new();
    for kustomization in kustomizations {
        namespaces.entry(kustomization.namespace().unwrap_or_default()).or_default().push(kustomization);
    }
    namespaces.values().flat_map(|kustomizations| find_in_namespace(kustomizations)).collect()
}

fn find_in_namespace(kustomizations: &[&Kustomization]) -> Vec<Delivery> {
    let mut deliveries: Vec<Delivery> =
        kustomizations.iter().filter_map(|one| of_installs(one, kustomizations)).collect();
    let halves = kustomizations.iter().filter_map(|one| of_packages(one));
    // Another delivery from the same directory to the same place needs the Packages as well.
    let missing: Vec<Delivery> = halves
        .filter(|half| !deliveries.iter().any(|known| known.packages_kustomization == half.packages_kustomization))
        .collect();
    deliveries.extend(missing);
    deliveries.sort_by(|left, right| (&left.run_cluster, &left.package).cmp(&(&right.run_cluster, &right.package)));
    deliveries
}

/// Takes a Kustomization of `<package>/<run cluster>` for a delivery: with its sibling, or without where its name or what it
/// applied shows that there should be one.
fn of_installs(installs: &Kustomization, all: &[&Kustomization]) -> Option<Delivery> {
    let (directory, run_cluster) = split_path(&installs.spec.path)?;
    if run_cluster == "packages" {
        return None;
    }
    let package = names::of_package(directory);
    let sibling = all
        .iter()
        .find(|other| split_path(&other.spec.path) == Some((directory, "packages")) && same_place(other, installs))
        .map(|packages| packages.name_any());
    let is_ours = installs.name_any() == names::package_installs_kustomization(package, run_cluster)
        || !package_installs(installs).is_empty();
    let packages = sibling.or_else(|| is_ours.then(|| names::packages_kustomization(package, run_cluster)))?;
    delivery(installs, packages, installs.name_any(), package, run_cluster)
}

/// Takes a Kustomization of `<package>/packages` for the half of a delivery where its name, the guide's, says for which run
/// cluster.
fn of_packages(packages: &Kustomization) -> Option<Delivery> {
    let (directory, "packages") = split_path(&packages.spec.path)? else { return None };
    let package = names::of_package(directory);
    let name = packages.name_any();
    let run_cluster = name.strip_prefix(&format!("{package}-"))?.strip_suffix("-packages")?;
    let installs = names::package_installs_kustomization(package, run_cluster);
    delivery(packages, name.clone(), installs, package, run_cluster)
}

/// Describes the delivery that a Kustomization is one of the two of.
fn delivery(
    one: &Kustomization,
    packages_kustomization: String,
    installs_kustomization: String,
    package: &str,
    run_cluster: &str,
) -> Option<Delivery> {
    let namespace = one.namespace()?;
    let kube_config = one.spec.kube_config.as_ref()?;
    let impersonate = one.spec.service_account_name.as_ref().map(|account| impersonated_user(&namespace, account));
    let access = match (&kube_config.secret_ref, &kube_config.config_map_ref) {
        (Some(secret), _) => RunAccess::Kubeconfig { secret: secret.clone(), impersonate },
        (None, Some(config_map)) => RunAccess::WorkloadIdentity { config_map: config_map.name.clone(), impersonate },
        (None, None) => return None,
    };
    let (kind, source_namespace, source_name) = source_of(one);
    if kind != "GitRepository" {
        return None;
    }
    Some(Delivery {
        package: package.to_owned(),
        run_cluster: run_cluster.to_owned(),
        source: (source_namespace, source_name.to_owned()),
        namespace,
        packages_kustomization,
        installs_kustomization,
        target_namespace: target_namespace(one),
        access,
    })
}

/// Returns where a Kustomization applies to; what it has applied says so where it names no namespace itself.
fn target_namespace(kustomization: &Kustomization) -> String {
    let applied = || package_installs(kustomization).into_iter().next().map(|(namespace, _)| namespace);
    kustomization.spec.target_namespace.clone().or_else(applied).unwrap_or_default()
}

/// Tells whether two Kustomizations of one namespace read from one source and apply to one place, however it is written.
fn same_place(one: &Kustomization, other: &Kustomization) -> bool {
    source_of(one) == source_of(other)
        && one.spec.target_namespace == other.spec.target_namespace
        && match (&one.spec.kube_config, &other.spec.kube_config) {
            (Some(one), Some(other)) => {
                let name =
                    |reference: &Option<KubeConfigReference>| reference.as_ref().map(|secret| secret.name.clone());
                name(&one.secret_ref) == name(&other.secret_ref) && one.config_map_ref == other.config_map_ref
            }
            (one, other) => one.is_none() && other.is_none(),
        }
}

/// Returns namespace and name of every PackageInstall in a Kustomization's inventory.
#[must_use]
pub fn package_installs(kustomization: &Kustomization) -> Vec<Key> {
    let entries = kustomization.status.as_ref().and_then(|status| status.inventory.as_ref());
    entries
        .map(|inventory| inventory.entries.as_slice())
        .unwrap_or_default()
        .iter()
        .filter_map(InventoryEntry::parts)
        .filter(|(_, _, group, kind)| (*group, *kind) == (PACKAGING_GROUP, "PackageInstall"))
        .map(|(namespace, name, _, _)| (namespace.to_owned(), name.to_owned()))
        .collect()
}

/// Returns kind, namespace and name of the source.
pub(super) fn source_of(kustomization: &Kustomization) -> (&str, String, &str) {
    let source = &kustomization.spec.source_ref;
    let own = || kustomization.namespace().unwrap_or_default();
    (&source.kind, source.namespace.clone().unwrap_or_else(own), &source.name)
}

/// Splits `./sub/package/leaf` into `sub/package` and `leaf`.
fn split_path(path: &str) -> Option<(&str, &str)> {
    path.trim_start_matches("./").trim_end_matches('/').rsplit_once('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kustomization(name: &str, path: &str, secret: &str, service_account: Option<&str>) -> Kustomization {
        serde_json::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "dev"},
            "spec": {
                "path": path,
                "sourceRef": {"kind": "GitRepository", "name": "hello-gitops-repo"},
                "kubeConfig": {"secretRef": {"name": secret}},
                "targetNamespace": "apps",
                "serviceAccountName": service_account,
            },
        }))
        .expect("the fixture is a Kustomization")
    }

    #[test]
    fn the_guides_kustomizations_are_one_delivery() {
        let found = find(&[
            kustomization("anything", "./hello/packages", "prod1-kubeconfig", Some("sa")),
            kustomization("else", "hello/prod1/", "prod1-kubeconfig", Some("sa")),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].display(), "hello on prod1");
        assert_eq!(found[0].source, ("dev".to_owned(), "hello-gitops-repo".to_owned()));
        let RunAccess::Kubeconfig { impersonate, .. } = &found[0].access else { panic!("it has a Secret") };
        assert_eq!(impersonate.as_deref(), Some("system:serviceaccount:dev:sa"));
    }

    #[test]
    fn packages_that_go_elsewhere_do_not_count() {
        let found = find(&[
            kustomization("a", "./hello/packages", "prod2-kubeconfig", None),
            kustomization("b", "./hello/prod1", "prod1-kubeconfig", None),
        ]);
        assert_eq!(found, []);
    }

    #[test]
    fn half_a_delivery_is_one_where_its_name_says_so() {
        for (name, path) in
            [("hello-prod1-packages", "./hello/packages"), ("hello-prod1-packageinstalls", "hello/prod1")]
        {
            let found = find(&[kustomization(name, path, "prod1-kubeconfig", None)]);
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!(found[0].display(), "hello on prod1");
            assert_eq!(found[0].packages_kustomization, "hello-prod1-packages");
            assert_eq!(found[0].installs_kustomization, "hello-prod1-packageinstalls");
        }
    }
}
