//! For tests: what there is before a removal, and the facts that follow from it as they do from what is read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::build_cluster::BuildCluster;
use super::flux_objects::FluxObjects;
use super::gather::{Facts, RunFacts};
use super::identities::{BuildAccounts, Identities, RunIdentities};
use super::removal_record::{RemovalRecord, RemovedDelivery};
use super::repository::{Repositories, RepositoryChange};
use super::request::Request;
use super::run_cluster::{OwnedObject, RunObjects};
use crate::authentication::Method;
use crate::commands::git::CommitRequest;
use crate::flux::{FluxVersions, HelmRelease, Kustomization};
use crate::gitops::tree::FileChange;
use crate::labels;
use crate::object::{ObjectReference, api_resource};

/// What there is before a removal; the facts follow from it as they do from what is read.
pub(super) struct Scene {
    pub(super) request: Request,
    pub(super) kustomizations: Vec<Kustomization>,
    /// `None` where the user may not list them.
    pub(super) helm_releases: Option<Vec<HelmRelease>>,
    pub(super) record: RemovalRecord,
    pub(super) assumed: Vec<RemovedDelivery>,
    pub(super) has_credential: bool,
    /// The accounts on the build cluster.
    pub(super) accounts: Vec<&'static str>,
    pub(super) missing_accounts: Vec<&'static str>,
    /// The packages that have a PackageInstall on the run cluster.
    pub(super) installed: Vec<&'static str>,
    /// The plugin's objects on the run cluster, as kind and name in the namespace `apps`.
    pub(super) identities: Vec<(&'static str, &'static str)>,
    /// The packages that have a directory in Git.
    pub(super) in_git: Vec<&'static str>,
    pub(super) is_alive: bool,
}

/// The deliveries of these packages to `prod1`, with all that `add-cluster` makes, and the request to remove everything.
pub(super) fn scene(packages: &[&'static str]) -> Scene {
    let installers = packages.iter().flat_map(|package| {
        let name: &'static str = if *package == "hello" { "hello-installer" } else { "other-installer" };
        [("RoleBinding", name), ("Role", name), ("ServiceAccount", name)]
    });
    let deployer = [
        ("RoleBinding", "dev-prod1-deployer"),
        ("Role", "dev-prod1-deployer"),
        ("Secret", "dev-prod1-deployer-token"),
        ("ServiceAccount", "dev-prod1-deployer"),
    ];
    Scene {
        request: Request {
            namespace: "dev".to_owned(),
            run_cluster: "prod1".to_owned(),
            packages: Vec::new(),
            run_context: Some("prod1".to_owned()),
            run_kubeconfig: None,
            keep_workloads: false,
            keep_git: false,
            force: false,
            credentials: None,
            commit: CommitRequest::default(),
            timeout: Duration::from_mins(10),
        },
        kustomizations: packages.iter().flat_map(|package| delivery(package, None)).collect(),
        helm_releases: Some(Vec::new()),
        record: RemovalRecord::default(),
        assumed: Vec::new(),
        has_credential: true,
        accounts: Vec::new(),
        missing_accounts: Vec::new(),
        installed: packages.to_vec(),
        identities: deployer.into_iter().chain(installers).collect(),
        in_git: packages.to_vec(),
        is_alive: false,
    }
}

/// Makes the two Kustomizations of a delivery to `prod1`, that of the PackageInstall first.
pub(super) fn delivery(package: &str, service_account: Option<&str>) -> [Kustomization; 2] {
    let one = |leaf: &str, suffix: &str, applied: Value| -> Kustomization {
        serde_json::from_value(json!({
            "metadata": {
                "name": format!("{package}-prod1-{suffix}"), "namespace": "dev", "uid": format!("{package}-{suffix}"),
            },
            "spec": {
                "path": format!("./{package}/{leaf}"),
                "sourceRef": {"kind": "GitRepository", "name": format!("{package}-gitops-repo")},
                "kubeConfig": {"secretRef": {"name": "prod1-kubeconfig"}},
                "targetNamespace": "apps",
                "serviceAccountName": service_account,
                "prune": true,
            },
            "status": {"inventory": {"entries": [applied]}},
        }))
        .expect("the fixture is a Kustomization")
    };
    let install = json!({"id": format!("apps_{package}_packaging.carvel.dev_PackageInstall"), "v": "v1alpha1"});
    let packages = json!({"id": format!("apps_{package}.1.0.0_data.packaging.carvel.dev_Package"), "v": "v1alpha1"});
    [one("prod1", "packageinstalls", install), one("packages", "packages", packages)]
}

/// Describes what an interrupted removal has recorded of a delivery.
pub(super) fn recorded(package: &str) -> RemovedDelivery {
    let flux = flux_objects(delivery(package, None).to_vec());
    BuildCluster::select(&scene(&[]).request, flux, RemovalRecord::default()).removed.remove(0)
}

fn flux_objects(kustomizations: Vec<Kustomization>) -> FluxObjects {
    let versions = FluxVersions { source: "v1", kustomization: "v1" };
    FluxObjects { versions, kustomizations, helm_releases: Some(Vec::new()) }
}

fn credential() -> DynamicObject {
    let annotations = json!({
        labels::AUTHENTICATION: Method::Token.name(),
        labels::DEPLOYER_NAMESPACE: "apps",
        labels::TOKEN_SECRET: "dev-prod1-deployer-token",
    });
    object("Secret", &json!({"name": "prod1-kubeconfig", "annotations": annotations}))
}

fn object(kind: &str, metadata: &Value) -> DynamicObject {
    let mut metadata = metadata.clone();
    metadata["uid"] = json!(format!("uid-of-{}", metadata["name"].as_str().unwrap_or_default()));
    let object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
    serde_json::from_value(object).expect("the fixture is an object")
}

fn owned(kind: &str, name: &str) -> OwnedObject {
    let group = if kind == "PackageInstall" { "packaging.carvel.dev" } else { "kappctrl.k14s.io" };
    OwnedObject {
        reference: ObjectReference::namespaced(&api_resource(group, "v1alpha1", kind), "apps", name),
        uid: format!("uid-of-{name}"),
        note: String::new(),
        service_account: None,
    }
}

impl Scene {
    pub(super) fn facts(&self) -> Facts {
        let mut flux = flux_objects(self.kustomizations.clone());
        flux.helm_releases.clone_from(&self.helm_releases);
        let mut build = BuildCluster::select(&self.request, flux, self.record.clone());
        build.assumed = self.assumed.iter().map(|one| one.package.clone()).collect();
        build.removed.extend(self.assumed.clone());
        if self.has_credential {
            let reference = ObjectReference::secret("dev", "prod1-kubeconfig");
            build.credentials = BTreeMap::from([(reference.display(), (reference, credential()))]);
        }
        let mut identities = Identities::on_build_cluster(&self.request, &build, &self.build_accounts());
        let run = (!self.request.force).then(|| self.run_facts(&build));
        if let Some(run) = &run {
            identities.add_on_run_cluster(&self.request, &build, "build-uid", &self.run_identities(), &run.objects);
        }
        let account = |name: &&str| ObjectReference::namespaced(&api_resource("", "v1", "ServiceAccount"), "dev", name);
        Facts {
            identities,
            repositories: self.repositories(&build),
            missing_accounts: self.missing_accounts.iter().map(account).collect(),
            is_alive: self.is_alive,
            build,
            run,
        }
    }

    fn run_facts(&self, build: &BuildCluster) -> RunFacts {
        let objects = build.removed.iter().map(|removed| {
            if !self.installed.contains(&removed.package.as_str()) {
                return RunObjects::default();
            }
            let (install, app) = (owned("PackageInstall", &removed.package), owned("App", &removed.package));
            let packages = vec![owned("Package", &format!("{}.1.0.0", removed.package))];
            RunObjects { installs: vec![install, app], packages, left: Vec::new() }
        });
        RunFacts {
            display: "the run cluster `prod1`".to_owned(),
            uid: "prod1-uid".to_owned(),
            objects: objects.collect(),
        }
    }

    fn build_accounts(&self) -> BuildAccounts {
        let account = |name: &&str| {
            let metadata = json!({"name": name, "labels": labels::managed(), "uid": format!("uid-of-{name}")});
            let account = serde_json::from_value(json!({"metadata": metadata})).expect("metadata");
            ((*name).to_owned(), account)
        };
        BuildAccounts { accounts: self.accounts.iter().map(account).collect(), workload_identities: Vec::new() }
    }

    fn run_identities(&self) -> RunIdentities {
        let object = |(kind, name): &(&str, &str)| {
            let group = if kind.starts_with("Role") { "rbac.authorization.k8s.io" } else { "" };
            let owner = json!({labels::BUILD_CLUSTER_UID: "build-uid", labels::BUILD_NAMESPACE: "dev"});
            let metadata = json!({"name": name, "uid": format!("{kind}-{name}"), "annotations": owner});
            let object = serde_json::from_value(json!({"metadata": metadata})).expect("metadata");
            (ObjectReference::namespaced(&api_resource(group, "v1", kind), "apps", name), object)
        };
        RunIdentities {
            objects: self.identities.iter().map(object).collect(),
            in_use: BTreeMap::from([("apps".to_owned(), BTreeSet::new())]),
            ..RunIdentities::default()
        }
    }

    fn repositories(&self, build: &BuildCluster) -> Repositories {
        let in_git = build.removed.iter().filter(|removed| self.in_git.contains(&removed.package.as_str()));
        let change = in_git.map(|removed| RepositoryChange {
            repository: format!("https://git.example.com/{}.git branch main", removed.package),
            files: vec![FileChange {
                path: format!("{}/install.yaml", removed.directory),
                before: None,
                content: None,
            }],
            packages: vec![removed.package.clone()],
        });
        let changes = if self.request.keep_git { Vec::new() } else { change.collect() };
        Repositories { changes, ..Repositories::default() }
    }
}
