//! Identities and credentials: which of them nobody needs once the deliveries are gone, and which are not ours to delete.
//!
//! What is read for it is read first; what follows from it, [`Identities`], is told without asking anybody.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join_all, try_join_all};
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};
use kube::core::PartialObjectMeta;

use super::build_cluster::BuildCluster;
use super::request::Request;
use super::run_cluster::RunObjects;
use super::unreferenced::{Fate, UnreferencedObjects, accounts_in_use};
use crate::authentication::Method;
use crate::cluster::{Cluster, FIELD_MANAGER};
use crate::error::Result;
use crate::flux::WorkloadIdentity;
use crate::labels;
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::plan::{Delete, Place};

/// What is deleted, in the order in which it is, and what stays.
#[derive(Debug, Default)]
pub(super) struct Identities {
    pub(super) run: Vec<Delete>,
    pub(super) build: Vec<Delete>,
    /// What stays, and why.
    pub(super) left: Vec<String>,
}

/// What was read of the service accounts on the build cluster.
#[derive(Default)]
pub(super) struct BuildAccounts {
    /// Those that Flux impersonates or gets tokens for, so far as they exist.
    pub(super) accounts: BTreeMap<String, PartialObjectMeta<DynamicObject>>,
    /// Those of all workload identities of the namespace, each with the UID of its ConfigMap.
    pub(super) workload_identities: Vec<(Option<String>, String)>,
}

impl BuildAccounts {
    pub(super) async fn read(request: &Request, cluster: &Cluster, build: &BuildCluster) -> Result<Self> {
        let credentials = build.credentials.values().filter_map(|(_, object)| identity_account(object));
        let names: BTreeSet<String> = credentials.chain(build.accounts().cloned()).collect();
        if names.is_empty() {
            return Ok(Self::default());
        }
        let read = names.into_iter().map(async |name| {
            let reference = account_reference(&request.namespace, &name);
            cluster.get_metadata(&reference).await.map(|account| account.map(|account| (name, account)))
        });
        let config_maps = api_resource("", "v1", "ConfigMap");
        let (accounts, config_maps) =
            futures::join!(try_join_all(read), cluster.list::<DynamicObject>(&config_maps, &request.namespace));
        let identity = |object: &DynamicObject| Some((object.metadata.uid.clone(), identity_account(object)?));
        Ok(Self {
            accounts: accounts?.into_iter().flatten().collect(),
            workload_identities: config_maps?.iter().filter_map(identity).collect(),
        })
    }
}

/// What was read of the plugin's objects on the run cluster.
#[derive(Default)]
pub(super) struct RunIdentities {
    /// The objects, bindings before what they bind.
    pub(super) objects: Vec<(ObjectReference, PartialObjectMeta<DynamicObject>)>,
    /// The accounts that other PackageInstalls and Apps deploy as, by namespace, where the user may know.
    pub(super) in_use: BTreeMap<String, BTreeSet<String>>,
    /// The namespaces to which no delivery that is known goes.
    pub(super) elsewhere: BTreeSet<String>,
    /// What may stay because the user may not list it.
    pub(super) unlisted: Vec<String>,
}

impl RunIdentities {
    pub(super) async fn read(
        request: &Request,
        run: &Cluster,
        build: &BuildCluster,
        objects: &[RunObjects],
    ) -> Result<Self> {
        let mut read = Self::default();
        let mut namespaces = annotations(build, labels::DEPLOYER_NAMESPACE);
        namespaces.extend(build.namespaces());
        let in_use = namespaces.iter().map(|namespace| accounts_in_use(run, namespace, objects));
        let in_use = try_join_all(in_use).await?;
        read.in_use.extend(namespaces.iter().cloned().zip(in_use));
        read.find_elsewhere(request, run, build).await?;
        read.elsewhere.retain(|namespace| !namespaces.contains(namespace));
        let in_use = read.elsewhere.iter().map(async |namespace| {
            let accounts = unless_forbidden(accounts_in_use(run, namespace, objects).await)?;
            Ok(accounts.map(|accounts| (namespace.clone(), accounts)))
        });
        let in_use = try_join_all(in_use).await?;
        read.in_use.extend(in_use.into_iter().flatten());
        namespaces.extend(read.elsewhere.iter().cloned());
        let managed = format!("{}={FIELD_MANAGER}", labels::MANAGED_BY);
        let core = |kind| api_resource("", "v1", kind);
        for resource in [rbac("RoleBinding"), rbac("Role"), core("Secret"), core("ServiceAccount")] {
            let lists = namespaces.iter().map(|namespace| run.list_labelled(&resource, namespace, &managed));
            for (namespace, objects) in namespaces.iter().zip(join_all(lists).await) {
                let is_elsewhere = read.elsewhere.contains(namespace);
                let Some(objects) = (if is_elsewhere { unless_forbidden(objects)? } else { Some(objects?) }) else {
                    read.leave_unlisted(request, run, namespace, &resource);
                    continue;
                };
                let reference = |name: &str| ObjectReference::namespaced(&resource, namespace, name);
                read.objects.extend(objects.into_iter().map(|object| (reference(&object.name_any()), object)));
            }
        }
        Ok(read)
    }

    /// Finds the namespaces that may hold something although no delivery that is known goes to them.
    async fn find_elsewhere(&mut self, request: &Request, run: &Cluster, build: &BuildCluster) -> Result<()> {
        if build.removed.is_empty() {
            self.elsewhere.insert(run.default_namespace().to_owned());
        }
        let mut bindings = vec![names::deployer(&request.namespace, &request.run_cluster)];
        for account in build.accounts() {
            // Flux impersonates accounts of the namespace that is called like its own.
            self.elsewhere.insert(request.namespace.clone());
            bindings.push(names::impersonated(&request.namespace, &request.run_cluster, account));
        }
        let resource = rbac("RoleBinding");
        let found = join_all(bindings.iter().map(|name| run.namespaces_of(&resource, name, None))).await;
        for found in found {
            let found = unless_forbidden(found)?;
            if found.is_none() && build.removed.is_empty() {
                let line = format!(
                    "Roles and installers in other namespaces of {} may stay: you may not list them all",
                    run.display()
                );
                add_once(&mut self.unlisted, line);
            }
            self.elsewhere.extend(found.into_iter().flatten());
        }
        Ok(())
    }

    /// Says what may stay in a namespace where the user may not list a kind.
    fn leave_unlisted(&mut self, request: &Request, run: &Cluster, namespace: &str, resource: &ApiResource) {
        let place = format!("namespace {namespace} of {}", run.display());
        if namespace != request.namespace {
            add_once(&mut self.unlisted, format!("identities in {place} may stay: you may not list them"));
        } else if matches!(resource.kind.as_str(), "Role" | "RoleBinding") {
            // Nothing else is made there.
            let line = format!("Roles for impersonation in {place} may stay: you may not list them");
            add_once(&mut self.unlisted, line);
        }
    }
}

impl Identities {
    /// Tells the credentials and accounts on the build cluster that nobody uses once the deliveries are gone.
    pub(super) fn on_build_cluster(request: &Request, build: &BuildCluster, read: &BuildAccounts) -> Self {
        let mut identities = Self::default();
        let (mut credentials, mut accounts) = (Vec::new(), BTreeSet::new());
        for (reference, object) in build.credentials.values() {
            let display = reference.display();
            if let Some(consumer) = build.consumer_of(reference) {
                identities.left.push(format!("{display} stays: {}", consumer.reason()));
            } else if Method::of(object) == Method::Unmanaged {
                let is_ours_to_name = build.removed.iter().any(|one| one.credential == reference.name);
                identities
                    .left
                    .extend(is_ours_to_name.then(|| format!("{display} stays: it is not managed by this plugin")));
            } else {
                accounts.extend(identity_account(object));
                credentials.push(Delete::of(Place::Build, reference, &object.metadata));
            }
        }
        accounts.extend(build.accounts().cloned());
        let stays = |uid: &Option<String>| credentials.iter().all(|delete| delete.uid != *uid);
        for account in accounts {
            let reference = account_reference(&request.namespace, &account);
            let Some(object) = read.accounts.get(&account) else { continue };
            if let Some(consumer) = build.consumer_as(&account) {
                identities.left.push(format!("{} stays: {}", reference.display(), consumer.reason()));
            } else if read.workload_identities.iter().any(|(uid, other)| *other == account && stays(uid)) {
                identities.left.push(format!("{} stays: Flux uses it elsewhere, too", reference.display()));
            } else if labels::is_managed(object) {
                identities.build.push(Delete::of(Place::Build, &reference, &object.metadata));
            } else {
                identities.left.push(format!("{} stays: it is not managed by this plugin", reference.display()));
            }
        }
        // The accounts are deleted first: only the ConfigMap of a workload identity tells which one is its own.
        identities.build.extend(credentials);
        identities
    }

    /// Adds the roles and accounts on the run cluster that nobody uses once the deliveries are gone.
    ///
    /// Only objects that name this build cluster and namespace as their owner are deleted, bindings before what they bind.
    pub(super) fn add_on_run_cluster(
        &mut self,
        request: &Request,
        build: &BuildCluster,
        build_uid: &str,
        read: &RunIdentities,
        objects: &[RunObjects],
    ) {
        read.unlisted.iter().for_each(|line| add_once(&mut self.left, line.clone()));
        let unreferenced = UnreferencedObjects {
            request,
            build,
            build_uid,
            deployer: names::deployer(&request.namespace, &request.run_cluster),
            token_secrets: annotations(build, labels::TOKEN_SECRET),
            consumers: build.consumers_of_run_cluster(request),
            in_use: &read.in_use,
        };
        for (reference, object) in &read.objects {
            match unreferenced.fate(reference, object) {
                Fate::Deleted => self.run.push(Delete::of(Place::Run, reference, &object.metadata)),
                Fate::Left(line) => add_once(&mut self.left, line),
                Fate::Ignored => {}
            }
        }
        for removed in &build.removed {
            let accounts = objects.iter().flat_map(|one| &one.installs).filter_map(|one| one.service_account.as_ref());
            for account in accounts.filter(|account| self.run.iter().all(|delete| delete.reference.name != **account)) {
                let line = format!(
                    "ServiceAccount {}/{account} stays: it was not made by this plugin",
                    removed.target_namespace
                );
                add_once(&mut self.left, line);
            }
        }
    }

    /// Leaves what the user may not delete in namespaces to which no delivery that is known goes.
    pub(super) async fn leave_undeletable(&mut self, run: &Cluster, elsewhere: &BTreeSet<String>) -> Result<()> {
        let is_elsewhere =
            |delete: &Delete| delete.reference.namespace.as_ref().is_some_and(|one| elsewhere.contains(one));
        let tried = self.run.iter().map(async |delete| {
            if !is_elsewhere(delete) {
                return Ok(true);
            }
            let tried = run.delete(&delete.reference, delete.uid.as_deref(), true).await;
            unless_forbidden(tried).map(|tried| tried.is_some())
        });
        let deletable = try_join_all(tried).await?;
        for (delete, is_deletable) in std::mem::take(&mut self.run).into_iter().zip(deletable) {
            if is_deletable {
                self.run.push(delete);
            } else {
                add_once(&mut self.left, format!("{} stays: you may not delete it", delete.reference.display()));
            }
        }
        Ok(())
    }
}

/// Adds a line that is not there yet.
fn add_once(lines: &mut Vec<String>, line: String) {
    if !lines.contains(&line) {
        lines.push(line);
    }
}

/// Returns the values of an annotation of the credentials.
fn annotations(build: &BuildCluster, key: &str) -> BTreeSet<String> {
    build.credentials.values().filter_map(|(_, object)| object.annotations().get(key)).cloned().collect()
}

fn account_reference(namespace: &str, name: &str) -> ObjectReference {
    ObjectReference::namespaced(&api_resource("", "v1", "ServiceAccount"), namespace, name)
}

fn rbac(kind: &str) -> ApiResource {
    api_resource("rbac.authorization.k8s.io", "v1", kind)
}

/// Returns nothing where the user may not know.
fn unless_forbidden<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.status() == Some(403) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the account of a workload identity.
fn identity_account(config_map: &DynamicObject) -> Option<String> {
    WorkloadIdentity::of(config_map).ok().and_then(|identity| identity.service_account)
}
