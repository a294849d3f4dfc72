//! Which of the plugin's objects on a run cluster nobody needs once the deliveries are gone.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;

use super::answers::Answers;
use super::build_side::BuildSide;
use super::run_side::Belongings;
use super::users::User;
use crate::carvel::{App, PackageInstall, app_resource, package_install_resource};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::labels;
use crate::names;
use crate::object::ObjectReference;
use crate::observe::Delivery;

/// What decides which objects on the run cluster go.
pub(super) struct Doomed<'a> {
    pub(super) answers: &'a Answers,
    pub(super) build: &'a BuildSide,
    pub(super) build_uid: &'a str,
    pub(super) deployer: String,
    /// The Secrets that the credentials name as holding the token.
    pub(super) token_secrets: BTreeSet<String>,
    /// What goes on using a credential, whether it is of a delivery or not.
    pub(super) users: Vec<User<'a>>,
    /// The accounts that other PackageInstalls and Apps deploy as, by namespace, where the user may know.
    pub(super) in_use: BTreeMap<String, BTreeSet<String>>,
}

/// Returns the accounts of a namespace that other PackageInstalls and Apps deploy as than those that go.
pub(super) async fn accounts_in_use(
    run: &Cluster,
    namespace: &str,
    belongings: &[Belongings],
) -> Result<BTreeSet<String>> {
    let goes = |uid: Option<String>| {
        let uid = uid.unwrap_or_default();
        belongings.iter().flat_map(|one| &one.installs).any(|found| found.uid == uid)
    };
    let installs: Vec<PackageInstall> = run.list(&package_install_resource(), namespace).await?;
    let installs = installs.into_iter().filter(|one| !goes(one.uid())).map(|one| one.spec.service_account_name);
    let apps: Vec<App> = run.list(&app_resource(), namespace).await?;
    let apps = apps.into_iter().filter(|one| !goes(one.uid())).map(|one| one.spec.service_account_name);
    Ok(installs.chain(apps).collect())
}

impl Doomed<'_> {
    /// Tells whether an object names this build cluster and namespace as its owner.
    pub(super) fn owns(&self, object: &PartialObjectMeta<DynamicObject>) -> bool {
        let is = |key: &str, value: &str| object.annotations().get(key).is_some_and(|found| found == value);
        is(labels::BUILD_CLUSTER_UID, self.build_uid) && is(labels::BUILD_NAMESPACE, &self.answers.namespace)
    }

    /// Tells whether an object belongs to an account that something else deploys as: an account has the name of its Role.
    pub(super) fn is_used_by_others(&self, reference: &ObjectReference) -> bool {
        self.in_use_beside(reference).is_some_and(|accounts| accounts.contains(&reference.name))
    }

    fn in_use_beside(&self, reference: &ObjectReference) -> Option<&BTreeSet<String>> {
        self.in_use.get(reference.namespace.as_deref().unwrap_or_default())
    }

    /// Returns what keeps the deployer, where no delivery does.
    pub(super) fn keeps_deployer(&self, reference: &ObjectReference) -> Option<&User<'_>> {
        let is_deployer = reference.resource.kind == "ServiceAccount" && reference.name == self.deployer;
        self.users.first().filter(|_| is_deployer && !self.build.is_delivered_to(self.answers))
    }

    /// Tells whether nobody needs an object once the deliveries are gone.
    pub(super) fn includes(&self, reference: &ObjectReference, object: &PartialObjectMeta<DynamicObject>) -> bool {
        let name = &reference.name;
        let is_user_here = |user: &User<'_>| user.applies_to(reference.namespace.as_deref());
        let is_token = object.annotations().get(labels::SERVICE_ACCOUNT) == Some(&self.deployer)
            || self.token_secrets.contains(name);
        if *name == self.deployer || is_token {
            // Each target namespace has a Role of its own; the account and its tokens serve all of them.
            return match reference.resource.kind.as_str() {
                "Role" | "RoleBinding" => !self.users.iter().any(is_user_here),
                _ => self.users.is_empty(),
            };
        }
        let (build_namespace, run_cluster) = (&self.answers.namespace, &self.answers.run_cluster);
        for account in self.accounts() {
            if *name == names::impersonated(build_namespace, run_cluster, account) {
                return !self.users.iter().any(|user| user.is_as(account) && is_user_here(user));
            }
            if *name == names::impersonator(build_namespace, run_cluster, account) {
                return !self.users.iter().any(|user| user.is_as(account));
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
        (self.build.leaving.is_empty() || self.build.leaving.iter().any(|leaving| leaving.package == package))
            && !is_half_removed
            && self.in_use_beside(reference).is_some()
            && !self.build.remaining.iter().any(needs)
    }

    /// Returns the accounts that Flux impersonates for the deliveries that go.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &String> {
        self.build.leaving.iter().filter_map(|leaving| leaving.service_account.as_ref())
    }
}
