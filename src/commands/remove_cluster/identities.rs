//! Identities and credentials: which of them nobody needs once the deliveries are gone, and which are not ours to delete.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;

use super::answers::Answers;
use super::build_side::BuildSide;
use super::run_side::Belongings;
use crate::authentication::Method;
use crate::carvel::{App, PackageInstall, app_resource, package_install_resource};
use crate::cluster::{Cluster, FIELD_MANAGER, ObjectReference, api_resource};
use crate::error::Result;
use crate::flux::{Kustomization, WorkloadIdentity};
use crate::labels;
use crate::names;
use crate::observe::Delivery;
use crate::plan::{Delete, Place};

/// What goes, in the order in which it goes, and what stays.
#[derive(Debug, Default)]
pub(super) struct Identities {
    pub(super) run: Vec<Delete>,
    pub(super) build: Vec<Delete>,
    /// What stays, and why.
    pub(super) left: Vec<String>,
}

/// The annotation of a Secret with a token of a service account.
const TOKEN_OF: &str = "kubernetes.io/service-account.name";

/// What decides which objects on the run cluster go.
struct Doomed<'a> {
    answers: &'a Answers,
    build: &'a BuildSide,
    build_uid: &'a str,
    deployer: String,
    /// The Secrets that the credentials name as holding the token.
    token_secrets: BTreeSet<String>,
    /// The Kustomizations that go on using a credential, whether they are of a delivery or not.
    users: Vec<&'a Kustomization>,
    /// The accounts that other PackageInstalls and Apps deploy as, with their namespaces.
    in_use: BTreeSet<(String, String)>,
}

impl Identities {
    /// Finds the credentials and accounts on the build cluster that nobody uses once the deliveries are gone.
    pub(super) async fn on_build_cluster(answers: &Answers, build: &BuildSide) -> Result<Self> {
        let mut identities = Self::default();
        let (mut credentials, mut accounts) = (Vec::new(), BTreeSet::new());
        for (reference, object) in build.credentials.values() {
            let display = reference.display();
            if build.is_used(answers, reference) {
                identities.left.push(format!("{display} stays: another Kustomization uses it"));
            } else if Method::of(object) == Method::ByHand {
                let is_ours_to_name = build.leaving.iter().any(|one| one.credential == reference.name);
                identities.left.extend(is_ours_to_name.then(|| format!("{display} stays: it was made by hand")));
            } else {
                accounts.extend(identity_account(object));
                credentials.push(Delete::checked(&answers.build, Place::Build, reference, &object.metadata).await?);
            }
        }
        let elsewhere = identity_accounts_elsewhere(answers, &credentials).await?;
        accounts.extend(build.leaving.iter().filter_map(|one| one.service_account.clone()));
        for account in accounts {
            let reference =
                ObjectReference::namespaced(&api_resource("", "v1", "ServiceAccount"), &answers.namespace, &account);
            let Some(object) = answers.build.get_metadata(&reference).await? else { continue };
            if build.is_impersonated(answers, &account) || elsewhere.contains(&account) {
                identities.left.push(format!("{} stays: Flux uses it elsewhere, too", reference.display()));
            } else if is_managed(&object) {
                let delete = Delete::checked(&answers.build, Place::Build, &reference, &object.metadata);
                identities.build.push(delete.await?);
            } else {
                identities.left.push(format!("{} stays: it was made by hand", reference.display()));
            }
        }
        // The accounts go first: only the ConfigMap of a workload identity tells which one is its own.
        identities.build.extend(credentials);
        Ok(identities)
    }

    /// Says once that something stays.
    fn leave(&mut self, line: String) {
        if !self.left.contains(&line) {
            self.left.push(line);
        }
    }

    /// Finds the roles and accounts on the run cluster that nobody uses once the deliveries are gone.
    ///
    /// Only objects that name this build cluster and namespace as their owner go, bindings before what they bind.
    pub(super) async fn add_on_run_cluster(
        &mut self,
        run: &Cluster,
        answers: &Answers,
        build: &BuildSide,
        build_uid: &str,
        belongings: &[Belongings],
    ) -> Result<()> {
        let annotations = |key: &str| -> BTreeSet<String> {
            build.credentials.values().filter_map(|(_, object)| object.annotations().get(key)).cloned().collect()
        };
        let mut namespaces = annotations(labels::DEPLOYER_NAMESPACE);
        namespaces.extend(build.leaving.iter().flat_map(|leaving| leaving.namespaces.clone()));
        let doomed = Doomed {
            answers,
            build,
            build_uid,
            deployer: names::deployer(&answers.namespace, &answers.run_cluster),
            token_secrets: annotations(labels::TOKEN_SECRET),
            users: build.users(answers),
            in_use: accounts_in_use(run, &namespaces, belongings).await?,
        };
        // Flux impersonates accounts of the namespace that is called like its own.
        let is_only_for_impersonation =
            doomed.accounts().next().is_some() && namespaces.insert(answers.namespace.clone());
        let managed = format!("{}={FIELD_MANAGER}", labels::MANAGED_BY);
        let rbac = |kind| api_resource("rbac.authorization.k8s.io", "v1", kind);
        let core = |kind| api_resource("", "v1", kind);
        for resource in [rbac("RoleBinding"), rbac("Role"), core("Secret"), core("ServiceAccount")] {
            for namespace in &namespaces {
                let objects = match run.list_labelled(&resource, namespace, &managed).await {
                    Ok(objects) => objects,
                    Err(error)
                        if error.status() == Some(403)
                            && is_only_for_impersonation
                            && *namespace == answers.namespace =>
                    {
                        self.leave(format!(
                            "Roles for impersonation in namespace {namespace} of {} may stay: you may not list them",
                            run.display()
                        ));
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                for object in objects.iter().filter(|object| doomed.owns(object)) {
                    let reference = ObjectReference::namespaced(&resource, namespace, &object.name_any());
                    if doomed.is_used_by_others(&reference) {
                        self.left.push(format!("{} stays: something else deploys with it", reference.display()));
                    } else if doomed.includes(&reference, object) {
                        self.run.push(Delete::checked(run, Place::Run, &reference, &object.metadata).await?);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns the account of a workload identity.
fn identity_account(config_map: &DynamicObject) -> Option<String> {
    WorkloadIdentity::of(config_map).ok().and_then(|identity| identity.service_account)
}

/// Returns the accounts of the workload identities that stay.
async fn identity_accounts_elsewhere(answers: &Answers, going: &[Delete]) -> Result<BTreeSet<String>> {
    let resource = api_resource("", "v1", "ConfigMap");
    let all: Vec<DynamicObject> = answers.build.list(&resource, &answers.namespace).await?;
    let goes = |object: &DynamicObject| going.iter().any(|delete| delete.uid == object.metadata.uid);
    Ok(all.iter().filter(|object| !goes(object)).filter_map(identity_account).collect())
}

/// Returns the accounts that other PackageInstalls and Apps deploy as than those that go.
async fn accounts_in_use(
    run: &Cluster,
    namespaces: &BTreeSet<String>,
    belongings: &[Belongings],
) -> Result<BTreeSet<(String, String)>> {
    let goes = |uid: Option<String>| {
        let uid = uid.unwrap_or_default();
        belongings.iter().flat_map(|one| &one.installs).any(|found| found.uid == uid)
    };
    let mut accounts = BTreeSet::new();
    for namespace in namespaces {
        let installs: Vec<PackageInstall> = run.list(&package_install_resource(), namespace).await?;
        let installs = installs.into_iter().filter(|one| !goes(one.uid())).map(|one| one.spec.service_account_name);
        let apps: Vec<App> = run.list(&app_resource(), namespace).await?;
        let apps = apps.into_iter().filter(|one| !goes(one.uid())).map(|one| one.spec.service_account_name);
        accounts.extend(installs.chain(apps).map(|account| (namespace.clone(), account)));
    }
    Ok(accounts)
}

impl Doomed<'_> {
    /// Tells whether an object names this build cluster and namespace as its owner.
    fn owns(&self, object: &PartialObjectMeta<DynamicObject>) -> bool {
        let is = |key: &str, value: &str| object.annotations().get(key).is_some_and(|found| found == value);
        is(labels::BUILD_CLUSTER_UID, self.build_uid) && is(labels::BUILD_NAMESPACE, &self.answers.namespace)
    }

    /// Tells whether an object belongs to an account that something else deploys as: an account has the name of its Role.
    fn is_used_by_others(&self, reference: &ObjectReference) -> bool {
        let namespace = reference.namespace.clone().unwrap_or_default();
        self.in_use.contains(&(namespace, reference.name.clone()))
    }

    fn includes(&self, reference: &ObjectReference, object: &PartialObjectMeta<DynamicObject>) -> bool {
        let name = &reference.name;
        let target = |user: &&Kustomization| {
            user.spec.target_namespace.is_none() || user.spec.target_namespace == reference.namespace
        };
        let is_token = object.annotations().get(TOKEN_OF) == Some(&self.deployer) || self.token_secrets.contains(name);
        if *name == self.deployer || is_token {
            // Each target namespace has a Role of its own; the account and its tokens serve all of them.
            return match reference.resource.kind.as_str() {
                "Role" | "RoleBinding" => !self.users.iter().any(target),
                _ => self.users.is_empty(),
            };
        }
        let (build_namespace, run_cluster) = (&self.answers.namespace, &self.answers.run_cluster);
        for account in self.accounts() {
            let is_as = |user: &&Kustomization| user.spec.service_account_name.as_ref() == Some(account);
            if *name == names::impersonated(build_namespace, run_cluster, account) {
                return !self.users.iter().any(|user| is_as(user) && target(user));
            }
            if *name == names::impersonator(build_namespace, run_cluster, account) {
                return !self.users.iter().any(is_as);
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
            && !self.build.remaining.iter().any(needs)
    }

    /// Returns the accounts that Flux impersonates for the deliveries that go.
    fn accounts(&self) -> impl Iterator<Item = &String> {
        self.build.leaving.iter().filter_map(|leaving| leaving.service_account.as_ref())
    }
}

fn is_managed(object: &PartialObjectMeta<DynamicObject>) -> bool {
    object.labels().get(labels::MANAGED_BY).is_some_and(|manager| manager == FIELD_MANAGER)
}
