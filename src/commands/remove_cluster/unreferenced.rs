//! Which of the plugin's objects on a run cluster nothing refers to once the deliveries are gone.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;

use super::build_cluster::BuildCluster;
use super::flux_objects::CredentialConsumer;
use super::request::Request;
use super::run_cluster::RunObjects;
use crate::carvel::{App, PackageInstall, app_resource, package_install_resource};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::labels;
use crate::names;
use crate::object::ObjectReference;
use crate::observe::Delivery;

/// What decides which objects on the run cluster are deleted.
pub(super) struct UnreferencedObjects<'a> {
    pub(super) request: &'a Request,
    pub(super) build: &'a BuildCluster,
    pub(super) build_uid: &'a str,
    pub(super) deployer: String,
    /// The Secrets that the credentials name as holding the token.
    pub(super) token_secrets: BTreeSet<String>,
    /// What goes on using a credential, whether it is of a delivery or not.
    pub(super) consumers: Vec<CredentialConsumer<'a>>,
    /// The accounts that other PackageInstalls and Apps deploy as, by namespace, where the user may know.
    pub(super) in_use: &'a BTreeMap<String, BTreeSet<String>>,
}

/// What becomes of an object.
pub(super) enum Fate {
    Deleted,
    /// It stays, for the reason that is said.
    Left(String),
    /// It has nothing to do with the deliveries, or a delivery that remains needs it.
    Ignored,
}

/// Returns the accounts of a namespace that other PackageInstalls and Apps deploy as than those that are removed.
pub(super) async fn accounts_in_use(
    run: &Cluster,
    namespace: &str,
    objects: &[RunObjects],
) -> Result<BTreeSet<String>> {
    let is_removed = |uid: Option<String>| {
        let uid = uid.unwrap_or_default();
        objects.iter().flat_map(|one| &one.installs).any(|object| object.uid == uid)
    };
    let (installs, apps) = (package_install_resource(), app_resource());
    let (installs, apps) =
        futures::join!(run.list::<PackageInstall>(&installs, namespace), run.list::<App>(&apps, namespace));
    let installs = installs?.into_iter().filter(|one| !is_removed(one.uid())).map(|one| one.spec.service_account_name);
    let apps = apps?.into_iter().filter(|one| !is_removed(one.uid())).map(|one| one.spec.service_account_name);
    Ok(installs.chain(apps).collect())
}

impl UnreferencedObjects<'_> {
    /// Tells what becomes of an object that the plugin made.
    pub(super) fn fate(&self, reference: &ObjectReference, object: &PartialObjectMeta<DynamicObject>) -> Fate {
        let display = reference.display();
        if !self.owns(object) {
            Fate::Ignored
        } else if self.is_used_by_others(reference) {
            Fate::Left(format!("{display} stays: something else deploys with it"))
        } else if self.includes(reference, object) {
            Fate::Deleted
        } else if let Some(consumer) = self.keeps_deployer(reference) {
            Fate::Left(format!("{display} stays, with its roles and tokens: {}", consumer.reason()))
        } else {
            Fate::Ignored
        }
    }

    /// Tells whether an object names this build cluster and namespace as its owner.
    fn owns(&self, object: &PartialObjectMeta<DynamicObject>) -> bool {
        let is = |key: &str, value: &str| object.annotations().get(key).is_some_and(|found| found == value);
        is(labels::BUILD_CLUSTER_UID, self.build_uid) && is(labels::BUILD_NAMESPACE, &self.request.namespace)
    }

    /// Tells whether an object belongs to an account that something else deploys as: an account has the name of its Role.
    fn is_used_by_others(&self, reference: &ObjectReference) -> bool {
        self.in_use_beside(reference).is_some_and(|accounts| accounts.contains(&reference.name))
    }

    fn in_use_beside(&self, reference: &ObjectReference) -> Option<&BTreeSet<String>> {
        self.in_use.get(reference.namespace.as_deref().unwrap_or_default())
    }

    /// Returns what keeps the deployer, where no delivery does.
    fn keeps_deployer(&self, reference: &ObjectReference) -> Option<&CredentialConsumer<'_>> {
        let is_deployer = reference.resource.kind == "ServiceAccount" && reference.name == self.deployer;
        let is_delivered_to = self.build.is_delivered_to(&self.request.run_cluster);
        self.consumers.first().filter(|_| is_deployer && !is_delivered_to)
    }

    /// Tells whether nobody needs an object once the deliveries are gone.
    fn includes(&self, reference: &ObjectReference, object: &PartialObjectMeta<DynamicObject>) -> bool {
        let name = &reference.name;
        let is_used_here = |consumer: &CredentialConsumer<'_>| consumer.applies_to(reference.namespace.as_deref());
        let is_token = object.annotations().get(labels::SERVICE_ACCOUNT) == Some(&self.deployer)
            || self.token_secrets.contains(name);
        if *name == self.deployer || is_token {
            // Each target namespace has a Role of its own; the account and its tokens serve all of them.
            return match reference.resource.kind.as_str() {
                "Role" | "RoleBinding" => !self.consumers.iter().any(is_used_here),
                _ => self.consumers.is_empty(),
            };
        }
        let (build_namespace, run_cluster) = (&self.request.namespace, &self.request.run_cluster);
        for account in self.build.accounts() {
            if *name == names::impersonated(build_namespace, run_cluster, account) {
                return !self.consumers.iter().any(|one| one.impersonates(account) && is_used_here(one));
            }
            if *name == names::impersonator(build_namespace, run_cluster, account) {
                return !self.consumers.iter().any(|one| one.impersonates(account));
            }
        }
        let Some(package) = name.strip_suffix("-installer").filter(|package| *name == names::installer(package)) else {
            return false;
        };
        let needs = |delivery: &Delivery| {
            delivery.run_cluster == *run_cluster
                && delivery.package == package
                && reference.namespace.as_ref() == Some(&delivery.target_namespace)
        };
        let is_half_removed = self.build.other_records.iter().any(|recorded| recorded.package == package);
        // Where nobody knows any more what was delivered, nobody needs any of the installers.
        (self.build.removed.is_empty() || self.build.removed.iter().any(|removed| removed.package == package))
            && !is_half_removed
            && self.in_use_beside(reference).is_some()
            && !self.build.remaining.iter().any(needs)
    }
}
