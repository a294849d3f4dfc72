//! What is on the build cluster: which deliveries are removed, which remain, and what both use.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::DynamicObject;

use super::clusters::Clusters;
use super::flux_objects::{CredentialConsumer, FluxObjects};
use super::removal_record::{RemovalRecord, RemovedDelivery};
use super::request::Request;
use super::run_cluster;
use crate::error::{Error, Result};
use crate::flux::{GitRepository, Kustomization, git_repository_resource};
use crate::invocation::PROGRAM;
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::observe::delivery::find;
use crate::observe::{Delivery, Selection};
use crate::plan::{LiveObjects, Place};

/// What was found on the build cluster.
pub(super) struct BuildCluster {
    pub(super) flux: FluxObjects,
    /// The deliveries that are removed: those that exist, and those that an interrupted removal left half.
    pub(super) removed: Vec<RemovedDelivery>,
    /// The packages of those among them that only the user knows of.
    pub(super) assumed: Vec<String>,
    /// All other deliveries of the namespace, to whichever run cluster.
    pub(super) remaining: Vec<Delivery>,
    /// The record of an interrupted removal, if any.
    pub(super) record: RemovalRecord,
    /// What the plan applies and is there already: the ConfigMap of that record.
    pub(super) live: LiveObjects,
    /// What an interrupted removal left of deliveries that are not chosen now.
    pub(super) other_records: Vec<RemovedDelivery>,
    /// The Secrets and ConfigMaps with which Flux reaches the run cluster, so far as they exist, by name.
    pub(super) credentials: BTreeMap<String, (ObjectReference, DynamicObject)>,
}

impl BuildCluster {
    pub(super) async fn read(request: &Request, clusters: &Clusters, flux: FluxObjects) -> Result<Self> {
        let reference = RemovalRecord::reference(&request.namespace, &request.run_cluster);
        let object = clusters.build.get(&reference).await?;
        let record = object.as_ref().map(RemovalRecord::read).transpose()?.unwrap_or_default();
        let mut found = Self::select(request, flux, record);
        found.live = LiveObjects::new(object.map(|object| (Place::Build, reference, object)));
        for package in &request.packages {
            let name = names::of_package(package);
            if !found.removed.iter().any(|one| one.package == name) {
                found.removed.push(assume(request, clusters, &found.flux, package).await?);
                found.assumed.push(name.to_owned());
            }
        }
        for reference in found.credential_references(request) {
            let key = reference.display();
            if !found.credentials.contains_key(&key)
                && let Some(object) = clusters.build.get(&reference).await?
            {
                found.credentials.insert(key, (reference, object));
            }
        }
        if found.removed.is_empty() && found.credentials.is_empty() {
            return Err(nothing_there(request, clusters, &found.flux));
        }
        Ok(found)
    }

    /// Tells the deliveries that are removed from those that remain. Pure.
    pub(super) fn select(request: &Request, flux: FluxObjects, record: RemovalRecord) -> Self {
        let all = find(&flux.kustomizations);
        let (packages, run_clusters) = (request.packages.clone(), vec![request.run_cluster.clone()]);
        let chosen = Selection { packages, run_clusters, ..Selection::default() }.of(all.clone());
        let remaining: Vec<Delivery> = all.into_iter().filter(|delivery| !chosen.contains(delivery)).collect();

        let is_shared = |name: &str| remaining.iter().any(|delivery| delivery.packages_kustomization == name);
        let mut removed: Vec<RemovedDelivery> =
            chosen.iter().map(|one| describe(&flux, one, is_shared(&one.packages_kustomization))).collect();
        let mut other_records = Vec::new();
        for recorded in &record.deliveries {
            let same = |one: &RemovedDelivery| one.installs_kustomization == recorded.installs_kustomization;
            if let Some(known) = removed.iter_mut().find(|one| same(one)) {
                known.namespaces.extend(recorded.namespaces.clone());
                known.applied.extend(recorded.applied.clone());
            } else if request.includes(&recorded.package) {
                removed.push(recorded.clone());
            } else {
                other_records.push(recorded.clone());
            }
        }
        let (assumed, credentials, live) = (Vec::new(), BTreeMap::new(), LiveObjects::default());
        Self { flux, removed, assumed, remaining, record, live, other_records, credentials }
    }

    /// Tells whether a delivery that remains needs a Kustomization: two from one directory to one place may share Packages.
    pub(super) fn is_shared(&self, kustomization: &str) -> bool {
        self.remaining.iter().any(|delivery| delivery.packages_kustomization == kustomization)
    }

    /// Tells whether a delivery that remains goes to the run cluster, too.
    pub(super) fn is_delivered_to(&self, run_cluster: &str) -> bool {
        self.remaining.iter().any(|delivery| delivery.run_cluster == run_cluster)
    }

    /// Returns the namespaces of the run cluster that hold something of the removed deliveries.
    pub(super) fn namespaces(&self) -> BTreeSet<String> {
        self.removed.iter().flat_map(|removed| removed.namespaces.clone()).collect()
    }

    /// Returns the accounts that Flux impersonates for the removed deliveries.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &String> {
        self.removed.iter().filter_map(|removed| removed.service_account.as_ref())
    }

    /// Returns the Kustomizations that stay although a delivery with the same credential or account is removed.
    pub(super) fn staying(&self) -> impl Iterator<Item = &Kustomization> {
        let is_removed = |name: &str| {
            self.removed.iter().any(|removed| removed.kustomizations().contains(&name)) && !self.is_shared(name)
        };
        self.flux.kustomizations.iter().filter(move |kustomization| !is_removed(&kustomization.name_any()))
    }

    fn consumers(&self) -> impl Iterator<Item = CredentialConsumer<'_>> {
        self.flux.consumers(self.staying())
    }

    /// Returns one that stays and reaches its cluster with a credential.
    pub(super) fn consumer_of(&self, credential: &ObjectReference) -> Option<CredentialConsumer<'_>> {
        self.consumers().find(|consumer| consumer.uses(credential))
    }

    /// Returns those that stay and use a credential of the run cluster, be it there or not.
    pub(super) fn consumers_of_run_cluster(&self, request: &Request) -> Vec<CredentialConsumer<'_>> {
        let credentials = self.credential_references(request);
        self.consumers().filter(|consumer| credentials.iter().any(|credential| consumer.uses(credential))).collect()
    }

    /// Returns one that stays and for which Flux impersonates an account.
    pub(super) fn consumer_as(&self, account: &str) -> Option<CredentialConsumer<'_>> {
        self.consumers().find(|consumer| consumer.impersonates(account))
    }

    /// Names the Secrets and ConfigMaps of the deliveries, and those that are named after the run cluster.
    fn credential_references(&self, request: &Request) -> Vec<ObjectReference> {
        let named = names::kubeconfig(&request.run_cluster);
        let mut references: Vec<ObjectReference> =
            self.removed.iter().map(|one| one.credential_reference(&request.namespace)).collect();
        for kind in ["Secret", "ConfigMap"] {
            references.push(ObjectReference::namespaced(&api_resource("", "v1", kind), &request.namespace, &named));
        }
        references
    }
}

fn describe(flux: &FluxObjects, delivery: &Delivery, shares_packages: bool) -> RemovedDelivery {
    let installs = flux.kustomization(&delivery.installs_kustomization);
    let packages = flux.kustomization(&delivery.packages_kustomization);
    let directory = match (installs, packages) {
        (Some(installs), _) => installs.spec.path.clone(),
        // Half a delivery: its directory lies beside that of the Packages.
        (None, Some(packages)) => {
            let path = names::normalised_path(&packages.spec.path);
            format!("{}/{}", path.trim_end_matches("packages").trim_end_matches('/'), delivery.run_cluster)
        }
        (None, None) => format!("{}/{}", delivery.package, delivery.run_cluster),
    };
    let account = installs.or(packages).and_then(|one| one.spec.service_account_name.clone());
    let mut removed = RemovedDelivery::of(delivery, &directory, account);
    run_cluster::remember_inventories(&mut removed, [installs, packages.filter(|_| !shares_packages)]);
    removed
}

/// Describes a delivery of which nobody knows any more but the user: its Kustomizations were deleted with kubectl.
async fn assume(request: &Request, clusters: &Clusters, flux: &FluxObjects, package: &str) -> Result<RemovedDelivery> {
    let path = names::normalised_path(package);
    let name = names::of_package(path);
    names::check_package(name)?;
    let source = names::git_repository(name);
    let resource = git_repository_resource(flux.versions.source);
    let repository: Option<GitRepository> = clusters.build.read(&resource, &request.namespace, &source).await?;
    let Some(_) = repository else {
        return Err(Error::usage(format!(
            "there is no delivery of {name} to {} in namespace {}",
            request.run_cluster, request.namespace
        ))
        .hint(format!("see what there is: {PROGRAM} status -n {}", request.namespace)));
    };
    let namespace = clusters.run.as_ref().map(|run| run.cluster.default_namespace().to_owned());
    Ok(RemovedDelivery {
        package: name.to_owned(),
        target_namespace: String::new(),
        namespaces: namespace.into_iter().collect(),
        packages_kustomization: names::packages_kustomization(name, &request.run_cluster),
        installs_kustomization: names::package_installs_kustomization(name, &request.run_cluster),
        source: (request.namespace.clone(), source),
        directory: format!("{path}/{}", request.run_cluster),
        credential: names::kubeconfig(&request.run_cluster),
        key: None,
        is_workload_identity: false,
        service_account: None,
        applied: BTreeSet::default(),
    })
}

fn nothing_there(request: &Request, clusters: &Clusters, flux: &FluxObjects) -> Error {
    let known: Vec<String> = find(&flux.kustomizations).iter().map(Delivery::display).collect();
    let place = format!("in namespace {} on {}", request.namespace, clusters.build.display());
    Error::usage(format!("nothing is delivered to a run cluster `{}` {place}", request.run_cluster)).hint(
        if known.is_empty() {
            "there are no deliveries; name another namespace with -n".to_owned()
        } else {
            format!("there are: {}", known.join("; "))
        },
    )
}
