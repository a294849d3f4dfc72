//! Identities and credentials: which of them nobody needs once the deliveries are gone, and which are not ours to delete.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};
use kube::core::PartialObjectMeta;

use super::answers::Answers;
use super::build_side::BuildSide;
use crate::authentication::Method;
use crate::cluster::{Cluster, FIELD_MANAGER, ObjectReference, api_resource};
use crate::error::Result;
use crate::flux::{WorkloadIdentity, impersonated_user};
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

/// Whose objects on the run cluster go.
struct Doomed<'a> {
    answers: &'a Answers,
    build: &'a BuildSide,
    build_uid: &'a str,
    deployer: String,
    /// The Secrets that the credentials name as holding the token.
    token_secrets: BTreeSet<String>,
    /// Whether no delivery to the run cluster remains in the build namespace.
    is_last: bool,
}

impl Identities {
    /// Finds the credentials and accounts on the build cluster that nobody uses once the deliveries are gone.
    pub(super) async fn on_build_cluster(answers: &Answers, build: &BuildSide) -> Result<Self> {
        let mut identities = Self::default();
        let mut accounts: BTreeSet<String> =
            build.leaving.iter().filter_map(|one| one.service_account.clone()).collect();
        for (reference, object) in build.credentials.values() {
            let display = reference.display();
            if build.is_used(answers, reference) {
                identities.left.push(format!("{display} stays: another Kustomization uses it"));
            } else if Method::of(object) == Method::ByHand {
                let is_ours_to_name = build.leaving.iter().any(|one| one.credential == reference.name);
                identities.left.extend(is_ours_to_name.then(|| format!("{display} stays: it was made by hand")));
            } else {
                // The account of a workload identity serves nothing else.
                accounts.extend(WorkloadIdentity::of(object).ok().and_then(|identity| identity.service_account));
                identities
                    .build
                    .push(Delete::checked(&answers.build, Place::Build, reference, &object.metadata).await?);
            }
        }
        for account in accounts {
            let reference =
                ObjectReference::namespaced(&api_resource("", "v1", "ServiceAccount"), &answers.namespace, &account);
            let Some(object) = answers.build.get_metadata(&reference).await? else { continue };
            if build.is_impersonated(answers, &account) {
                identities.left.push(format!("{} stays: another Kustomization impersonates it", reference.display()));
            } else if is_managed(&object) {
                identities
                    .build
                    .push(Delete::checked(&answers.build, Place::Build, &reference, &object.metadata).await?);
            } else {
                identities.left.push(format!("{} stays: it was made by hand", reference.display()));
            }
        }
        Ok(identities)
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
    ) -> Result<()> {
        let annotations = |key: &str| -> BTreeSet<String> {
            build.credentials.values().filter_map(|(_, object)| object.annotations().get(key)).cloned().collect()
        };
        let doomed = Doomed {
            answers,
            build,
            build_uid,
            deployer: names::deployer(&answers.namespace, &answers.run_cluster),
            token_secrets: annotations(labels::TOKEN_SECRET),
            is_last: !build.remaining.iter().any(|delivery| delivery.run_cluster == answers.run_cluster),
        };
        let mut namespaces = annotations(labels::DEPLOYER_NAMESPACE);
        namespaces.extend(build.leaving.iter().flat_map(|leaving| leaving.namespaces.clone()));
        if doomed.accounts().next().is_some() {
            // Flux impersonates accounts of the namespace that is called like its own.
            namespaces.insert(answers.namespace.clone());
        }
        let managed = format!("{}={FIELD_MANAGER}", labels::MANAGED_BY);
        let rbac = |kind| api_resource("rbac.authorization.k8s.io", "v1", kind);
        let core = |kind| api_resource("", "v1", kind);
        for resource in [rbac("RoleBinding"), rbac("Role"), core("Secret"), core("ServiceAccount")] {
            for namespace in &namespaces {
                let objects = match run.list_labelled(&resource, namespace, &managed).await {
                    Ok(objects) => objects,
                    // Whoever may see nothing there has made nothing there.
                    Err(error) if error.status() == Some(403) && *namespace == answers.namespace => continue,
                    Err(error) => return Err(error),
                };
                for object in objects {
                    if doomed.includes(&resource, namespace, &object) {
                        let reference = ObjectReference::namespaced(&resource, namespace, &object.name_any());
                        self.run.push(Delete::checked(run, Place::Run, &reference, &object.metadata).await?);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Doomed<'_> {
    fn includes(&self, resource: &ApiResource, namespace: &str, object: &PartialObjectMeta<DynamicObject>) -> bool {
        let annotation = |key: &str| object.annotations().get(key).map(String::as_str);
        if annotation(labels::BUILD_CLUSTER_UID) != Some(self.build_uid)
            || annotation(labels::BUILD_NAMESPACE) != Some(&self.answers.namespace)
        {
            return false;
        }
        let name = object.name_any();
        let account = annotation(TOKEN_OF);
        if name == self.deployer || account == Some(&self.deployer) || self.token_secrets.contains(&name) {
            // Each target namespace has a Role of its own; the account and its tokens serve all of them.
            return match resource.kind.as_str() {
                "Role" | "RoleBinding" => !self.remains(|delivery| delivery.target_namespace == namespace),
                _ => self.is_last,
            };
        }
        let (build_namespace, run_cluster) = (&self.answers.namespace, &self.answers.run_cluster);
        for acts_as in self.accounts() {
            if name == names::impersonated(build_namespace, run_cluster, acts_as) {
                return !self.remains(|delivery| delivery.target_namespace == namespace && is_as(delivery, acts_as));
            }
            if name == names::impersonator(build_namespace, run_cluster, acts_as) {
                return !self.remains(|delivery| is_as(delivery, acts_as));
            }
        }
        self.build.leaving.iter().map(|leaving| &leaving.package).any(|package| {
            let needs = |delivery: &Delivery| delivery.target_namespace == namespace && delivery.package == *package;
            name == names::installer(package) && !self.remains(needs)
        })
    }

    /// Returns the accounts that Flux impersonates for the deliveries that go.
    fn accounts(&self) -> impl Iterator<Item = &String> {
        self.build.leaving.iter().filter_map(|leaving| leaving.service_account.as_ref())
    }

    /// Tells whether such a delivery to the run cluster remains.
    fn remains(&self, such: impl Fn(&Delivery) -> bool) -> bool {
        let here = |delivery: &&Delivery| delivery.run_cluster == self.answers.run_cluster;
        self.build.remaining.iter().filter(here).any(such)
    }
}

/// Tells whether Flux impersonates an account for a delivery.
fn is_as(delivery: &Delivery, account: &str) -> bool {
    let user = impersonated_user(&delivery.namespace, account);
    delivery.access.impersonated() == Some(&user)
}

fn is_managed(object: &PartialObjectMeta<DynamicObject>) -> bool {
    object.labels().get(labels::MANAGED_BY).is_some_and(|manager| manager == FIELD_MANAGER)
}
