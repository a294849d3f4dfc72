//! Identities and credentials: which of them nobody needs once the deliveries are gone, and which are not ours to delete.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};

use super::answers::Answers;
use super::build_side::BuildSide;
use super::doomed::{Doomed, accounts_in_use};
use super::run_side::Belongings;
use crate::authentication::Method;
use crate::cluster::{Cluster, FIELD_MANAGER};
use crate::error::Result;
use crate::flux::WorkloadIdentity;
use crate::labels;
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::plan::{Delete, Place};

/// What goes, in the order in which it goes, and what stays.
#[derive(Debug, Default)]
pub(super) struct Identities {
    pub(super) run: Vec<Delete>,
    pub(super) build: Vec<Delete>,
    /// What stays, and why.
    pub(super) left: Vec<String>,
}

impl Identities {
    /// Finds the credentials and accounts on the build cluster that nobody uses once the deliveries are gone.
    pub(super) async fn on_build_cluster(answers: &Answers, build: &BuildSide) -> Result<Self> {
        let mut identities = Self::default();
        let (mut credentials, mut accounts) = (Vec::new(), BTreeSet::new());
        for (reference, object) in build.credentials.values() {
            let display = reference.display();
            if let Some(user) = build.user_of(answers, reference) {
                identities.left.push(format!("{display} stays: {}", user.reason()));
            } else if Method::of(object) == Method::ByHand {
                let is_ours_to_name = build.leaving.iter().any(|one| one.credential == reference.name);
                identities.left.extend(is_ours_to_name.then(|| format!("{display} stays: it was made by hand")));
            } else {
                accounts.extend(identity_account(object));
                credentials.push(Delete::of(Place::Build, reference, &object.metadata));
            }
        }
        accounts.extend(build.leaving.iter().filter_map(|one| one.service_account.clone()));
        let elsewhere = if accounts.is_empty() {
            BTreeSet::new()
        } else {
            identity_accounts_elsewhere(answers, &credentials).await?
        };
        for account in accounts {
            let reference =
                ObjectReference::namespaced(&api_resource("", "v1", "ServiceAccount"), &answers.namespace, &account);
            let Some(object) = answers.build.get_metadata(&reference).await? else { continue };
            if let Some(user) = build.user_as(answers, &account) {
                identities.left.push(format!("{} stays: {}", reference.display(), user.reason()));
            } else if elsewhere.contains(&account) {
                identities.left.push(format!("{} stays: Flux uses it elsewhere, too", reference.display()));
            } else if labels::is_managed(&object) {
                identities.build.push(Delete::of(Place::Build, &reference, &object.metadata));
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

    /// Says what may stay in a namespace where the user may not list a kind.
    fn leave_unseen(&mut self, run: &Cluster, answers: &Answers, namespace: &str, resource: &ApiResource) {
        let place = format!("namespace {namespace} of {}", run.display());
        if namespace != answers.namespace {
            self.leave(format!("identities in {place} may stay: you may not list them"));
        } else if matches!(resource.kind.as_str(), "Role" | "RoleBinding") {
            // Nothing else is made there.
            self.leave(format!("Roles for impersonation in {place} may stay: you may not list them"));
        }
    }

    /// Finds the namespaces that may hold something although no delivery that is known goes to them.
    async fn other_namespaces(&mut self, run: &Cluster, doomed: &Doomed<'_>) -> Result<BTreeSet<String>> {
        let Doomed { answers, build, .. } = doomed;
        let mut namespaces = BTreeSet::new();
        if build.leaving.is_empty() {
            namespaces.insert(run.default_namespace().to_owned());
        }
        let mut bindings = vec![doomed.deployer.clone()];
        for account in doomed.accounts() {
            // Flux impersonates accounts of the namespace that is called like its own.
            namespaces.insert(answers.namespace.clone());
            bindings.push(names::impersonated(&answers.namespace, &answers.run_cluster, account));
        }
        for name in bindings {
            let found = unless_forbidden(run.namespaces_of(&rbac("RoleBinding"), &name, None).await)?;
            if found.is_none() && build.leaving.is_empty() {
                self.leave(format!(
                    "Roles and installers in other namespaces of {} may stay: you may not list them all",
                    run.display()
                ));
            }
            namespaces.extend(found.into_iter().flatten());
        }
        Ok(namespaces)
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
        let mut doomed = Doomed {
            answers,
            build,
            build_uid,
            deployer: names::deployer(&answers.namespace, &answers.run_cluster),
            token_secrets: annotations(labels::TOKEN_SECRET),
            users: build.users(answers),
            in_use: BTreeMap::new(),
        };
        for namespace in &namespaces {
            doomed.in_use.insert(namespace.clone(), accounts_in_use(run, namespace, belongings).await?);
        }
        let mut others = self.other_namespaces(run, &doomed).await?;
        others.retain(|namespace| !namespaces.contains(namespace));
        for namespace in &others {
            let in_use = accounts_in_use(run, namespace, belongings).await;
            doomed.in_use.extend(unless_forbidden(in_use)?.map(|accounts| (namespace.clone(), accounts)));
        }
        namespaces.extend(others.iter().cloned());
        let managed = format!("{}={FIELD_MANAGER}", labels::MANAGED_BY);
        let core = |kind| api_resource("", "v1", kind);
        for resource in [rbac("RoleBinding"), rbac("Role"), core("Secret"), core("ServiceAccount")] {
            for namespace in &namespaces {
                let objects = run.list_labelled(&resource, namespace, &managed).await;
                let objects = if others.contains(namespace) { unless_forbidden(objects)? } else { Some(objects?) };
                let Some(objects) = objects else {
                    self.leave_unseen(run, doomed.answers, namespace, &resource);
                    continue;
                };
                for object in objects.iter().filter(|object| doomed.owns(object)) {
                    let reference = ObjectReference::namespaced(&resource, namespace, &object.name_any());
                    if doomed.is_used_by_others(&reference) {
                        self.left.push(format!("{} stays: something else deploys with it", reference.display()));
                    } else if doomed.includes(&reference, object) {
                        // Elsewhere than where the delivery is, what may not be deleted stays.
                        if others.contains(namespace) {
                            let tried = run.delete(&reference, object.metadata.uid.as_deref(), true).await;
                            if unless_forbidden(tried)?.is_none() {
                                self.leave(format!("{} stays: you may not delete it", reference.display()));
                                continue;
                            }
                        }
                        self.run.push(Delete::of(Place::Run, &reference, &object.metadata));
                    } else if let Some(user) = doomed.keeps_deployer(&reference) {
                        self.leave(format!(
                            "{} stays, with its roles and tokens: {}",
                            reference.display(),
                            user.reason()
                        ));
                    }
                }
            }
        }
        Ok(())
    }
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

/// Returns the accounts of the workload identities that stay.
async fn identity_accounts_elsewhere(answers: &Answers, going: &[Delete]) -> Result<BTreeSet<String>> {
    let resource = api_resource("", "v1", "ConfigMap");
    let all: Vec<DynamicObject> = answers.build.list(&resource, &answers.namespace).await?;
    let goes = |object: &DynamicObject| going.iter().any(|delete| delete.uid == object.metadata.uid);
    Ok(all.iter().filter(|object| !goes(object)).filter_map(identity_account).collect())
}
