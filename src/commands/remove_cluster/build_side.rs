//! What is on the build cluster: which deliveries go, which remain, and what is used by both.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::DynamicObject;

use super::answers::Answers;
use super::record::{Leaving, Record};
use super::run_side;
use super::users::User;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::flux::{GitRepository, Kustomization, git_repository_resource};
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::observe::Delivery;
use crate::observe::Selection;
use crate::observe::delivery::find;

/// What was found on the build cluster.
pub(super) struct BuildSide {
    /// The deliveries that go: those that exist, and those that an interrupted removal left half.
    pub(super) leaving: Vec<Leaving>,
    /// The packages of those among them that only the user knows of.
    pub(super) assumed: Vec<String>,
    /// All other deliveries of the namespace, to whichever run cluster.
    pub(super) remaining: Vec<Delivery>,
    /// The record of an interrupted removal, if any.
    pub(super) record: Record,
    /// What an interrupted removal left of deliveries that are not chosen now.
    pub(super) other_records: Vec<Leaving>,
    /// The Secrets and ConfigMaps with which Flux reaches the run cluster, so far as they exist, by name.
    pub(super) credentials: BTreeMap<String, (ObjectReference, DynamicObject)>,
}

impl BuildSide {
    /// Reads it.
    pub(super) async fn read(answers: &Answers) -> Result<Self> {
        let (namespace, run_cluster) = (&answers.namespace, &answers.run_cluster);
        let record = answers.build.get(&Record::reference(namespace, run_cluster)).await?;
        let record = record.as_ref().map(Record::read).transpose()?.unwrap_or_default();
        let all = find(&answers.kustomizations);
        let (packages, run_clusters) = (answers.packages.clone(), vec![run_cluster.clone()]);
        let chosen = Selection { packages, run_clusters, ..Selection::default() }.of(all.clone());
        let remaining: Vec<Delivery> = all.into_iter().filter(|delivery| !chosen.contains(delivery)).collect();

        let is_shared = |name: &str| remaining.iter().any(|delivery| delivery.packages_kustomization == name);
        let mut leaving: Vec<Leaving> =
            chosen.iter().map(|one| describe(answers, one, is_shared(&one.packages_kustomization))).collect();
        let (mut assumed, mut other_records) = (Vec::new(), Vec::new());
        for recorded in &record.deliveries {
            let same = |one: &Leaving| one.installs_kustomization == recorded.installs_kustomization;
            if let Some(known) = leaving.iter_mut().find(|one| same(one)) {
                known.namespaces.extend(recorded.namespaces.clone());
                known.applied.extend(recorded.applied.clone());
            } else if is_chosen(answers, &recorded.package) {
                leaving.push(recorded.clone());
            } else {
                other_records.push(recorded.clone());
            }
        }
        for package in &answers.packages {
            let name = names::of_package(package);
            if !leaving.iter().any(|one| one.package == name) {
                leaving.push(assume(answers, package).await?);
                assumed.push(name.to_owned());
            }
        }
        let credentials = credentials(answers, &leaving).await?;
        if leaving.is_empty() && credentials.is_empty() {
            return Err(nothing_there(answers));
        }
        Ok(Self { leaving, assumed, remaining, record, other_records, credentials })
    }

    /// Tells whether a delivery that remains needs a Kustomization: two from one directory to one place may share Packages.
    pub(super) fn is_shared(&self, kustomization: &str) -> bool {
        self.remaining.iter().any(|delivery| delivery.packages_kustomization == kustomization)
    }

    /// Tells whether a delivery that remains goes to the run cluster, too.
    pub(super) fn is_delivered_to(&self, answers: &Answers) -> bool {
        self.remaining.iter().any(|delivery| delivery.run_cluster == answers.run_cluster)
    }

    /// Returns the Kustomizations that stay although a delivery with the same credential or account goes.
    pub(super) fn staying<'a>(&'a self, answers: &'a Answers) -> impl Iterator<Item = &'a Kustomization> {
        let goes = |name: &str| {
            self.leaving.iter().any(|leaving| leaving.kustomizations().contains(&name)) && !self.is_shared(name)
        };
        answers.kustomizations.iter().filter(move |kustomization| !goes(&kustomization.name_any()))
    }

    fn staying_users<'a>(&'a self, answers: &'a Answers) -> impl Iterator<Item = User<'a>> {
        let releases = answers.helm_releases.iter().flatten().map(User::from);
        let unseen = answers.helm_releases.is_none().then_some(User::Unseen);
        self.staying(answers).map(User::from).chain(releases).chain(unseen)
    }

    /// Returns one that stays and reaches its cluster with a credential.
    pub(super) fn user_of<'a>(&'a self, answers: &'a Answers, credential: &ObjectReference) -> Option<User<'a>> {
        self.staying_users(answers).find(|user| user.uses(credential))
    }

    /// Returns those that stay and use a credential of the run cluster, be it there or not.
    pub(super) fn users<'a>(&'a self, answers: &'a Answers) -> Vec<User<'a>> {
        let credentials = credential_references(answers, &self.leaving);
        self.staying_users(answers).filter(|user| credentials.iter().any(|credential| user.uses(credential))).collect()
    }

    /// Returns one that stays and for which Flux impersonates an account.
    pub(super) fn user_as<'a>(&'a self, answers: &'a Answers, account: &str) -> Option<User<'a>> {
        self.staying_users(answers).find(|user| user.is_as(account))
    }
}

fn is_chosen(answers: &Answers, package: &str) -> bool {
    answers.packages.is_empty() || answers.packages.iter().any(|name| names::of_package(name) == package)
}

fn describe(answers: &Answers, delivery: &Delivery, shares_packages: bool) -> Leaving {
    let find = |name: &str| answers.kustomizations.iter().find(|one| one.name_any() == name);
    let (installs, packages) = (find(&delivery.installs_kustomization), find(&delivery.packages_kustomization));
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
    let mut leaving = Leaving::of(delivery, &directory, account);
    run_side::remember_inventories(&mut leaving, [installs, packages.filter(|_| !shares_packages)]);
    leaving
}

/// Describes a delivery of which nobody knows any more but the user: its Kustomizations were deleted by hand.
async fn assume(answers: &Answers, package: &str) -> Result<Leaving> {
    let path = names::normalised_path(package);
    let name = names::of_package(path);
    names::check_package(name)?;
    let source = names::git_repository(name);
    let resource = git_repository_resource(answers.versions.source);
    let repository: Option<GitRepository> = answers.build.read(&resource, &answers.namespace, &source).await?;
    let Some(_) = repository else {
        return Err(Error::usage(format!(
            "there is no delivery of {name} to {} in namespace {}",
            answers.run_cluster, answers.namespace
        ))
        .hint(format!("see what there is: kubectl carvelflux status -n {}", answers.namespace)));
    };
    let reads_here = |run: &(Cluster, _)| run.0.default_namespace().to_owned();
    Ok(Leaving {
        package: name.to_owned(),
        target_namespace: String::new(),
        namespaces: answers.run.as_ref().map(reads_here).into_iter().collect(),
        packages_kustomization: names::packages_kustomization(name, &answers.run_cluster),
        installs_kustomization: names::package_installs_kustomization(name, &answers.run_cluster),
        source: (answers.namespace.clone(), source),
        directory: format!("{path}/{}", answers.run_cluster),
        credential: names::kubeconfig(&answers.run_cluster),
        key: None,
        is_workload_identity: false,
        service_account: None,
        applied: std::collections::BTreeSet::default(),
    })
}

/// Names the Secrets and ConfigMaps of the deliveries, and those that are named after the run cluster.
fn credential_references(answers: &Answers, leaving: &[Leaving]) -> Vec<ObjectReference> {
    let named = names::kubeconfig(&answers.run_cluster);
    let mut references: Vec<ObjectReference> =
        leaving.iter().map(|one| one.credential_reference(&answers.namespace)).collect();
    for kind in ["Secret", "ConfigMap"] {
        references.push(ObjectReference::namespaced(&api_resource("", "v1", kind), &answers.namespace, &named));
    }
    references
}

/// Reads the Secrets and ConfigMaps of the deliveries.
async fn credentials(
    answers: &Answers,
    leaving: &[Leaving],
) -> Result<BTreeMap<String, (ObjectReference, DynamicObject)>> {
    let mut credentials = BTreeMap::new();
    for reference in credential_references(answers, leaving) {
        let key = reference.display();
        if !credentials.contains_key(&key)
            && let Some(object) = answers.build.get(&reference).await?
        {
            credentials.insert(key, (reference, object));
        }
    }
    Ok(credentials)
}

fn nothing_there(answers: &Answers) -> Error {
    let known: Vec<String> = find(&answers.kustomizations).iter().map(Delivery::display).collect();
    let place = format!("in namespace {} on {}", answers.namespace, answers.build.display());
    Error::usage(format!("nothing is delivered to a run cluster `{}` {place}", answers.run_cluster)).hint(
        if known.is_empty() {
            "there are no deliveries; name another namespace with -n".to_owned()
        } else {
            format!("there are: {}", known.join("; "))
        },
    )
}
