//! What `remove-cluster` refuses before it deletes anything: the wrong cluster, and deletions that would leave everything
//! behind or never come to an end.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::ResourceExt;

use super::answers::Answers;
use super::build_side::BuildSide;
use super::gather::Facts;
use super::record::Leaving;
use super::run_side::{Found, inventory};
use crate::cluster::{Access, Cluster};
use crate::error::{Error, Result};
use crate::flux::{Keeping, Kustomization};
use crate::labels;
use crate::names;
use crate::object::ObjectReference;
use crate::observe::Verdict;
use crate::observe::reach::reach;

/// How long a run cluster that is said to be gone has for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Refuses where Flux would let a Kustomization go without deleting what it has applied.
pub(super) fn deletes_what_it_applied(namespace: &str, kustomization: &Kustomization) -> Result<()> {
    let Some(keeping) = kustomization.spec.keeps_objects_because() else { return Ok(()) };
    let name = kustomization.name_any();
    let (state, command) = match keeping {
        Keeping::Suspended => ("is suspended", format!("flux resume kustomization {name} -n {namespace}")),
        Keeping::NotPruning => ("has `prune: false`", patch(namespace, &name, r#"{"spec": {"prune": true}}"#)),
        Keeping::Orphaning => {
            ("has `deletionPolicy: Orphan`", patch(namespace, &name, r#"{"spec": {"deletionPolicy": "Delete"}}"#))
        }
    };
    Err(Error::new(format!("Kustomization {namespace}/{name} {state}"))
        .because("when it is deleted, Flux leaves everything behind that it has applied on the run cluster")
        .hint(format!("{command}, then run the command again")))
}

fn patch(namespace: &str, name: &str, patch: &str) -> String {
    format!("kubectl -n {namespace} patch kustomization {name} --type=merge -p '{patch}'")
}

/// Refuses a run cluster that is not the one which Flux delivers to.
///
/// A kubeconfig that was made by hand says by itself which cluster it points at; where its user may not read that, the UID
/// of an object that both see is as good a proof. Where nothing leads to the cluster any more, there is nothing to compare:
/// what is deleted then names this build cluster as its owner.
pub(super) async fn same_cluster(
    answers: &Answers,
    run: &Cluster,
    run_uid: &str,
    recorded: Option<&String>,
    leaving: Option<&Leaving>,
) -> Result<()> {
    if let Some(uid) = recorded {
        return if uid == run_uid {
            Ok(())
        } else {
            let why = format!("its kube-system UID is {run_uid}, that of `{}` is {uid}", answers.run_cluster);
            Err(another_cluster(answers, run, why))
        };
    }
    let Some(leaving) = leaving else { return Ok(()) };
    let unproven = |why: String| {
        Error::new(format!("cannot determine whether {} is the cluster that Flux delivers to", run.display()))
            .because(why)
            .hint(format!(
                "record it yourself, on what Flux reaches the run cluster with: kubectl -n {} annotate secret NAME {}=UID, \
                 with the UID of its namespace kube-system",
                answers.namespace,
                labels::RUN_CLUSTER_UID,
            ))
    };
    let delivery = leaving.delivery(&answers.namespace, &answers.run_cluster);
    let flux = reach(&answers.build, &delivery, &[], &answers.connection).await.map_err(|verdict| match verdict {
        Verdict::Failed(failure) => unproven(failure.message),
        Verdict::Unknown { why, .. } => unproven(why),
        Verdict::Ready { .. } | Verdict::Pending { .. } => unproven(String::new()),
    })?;
    match flux.uid().await {
        Ok(uid) if uid == run_uid => return Ok(()),
        Ok(uid) => {
            let why = format!("its kube-system UID is {run_uid}, Flux's kubeconfig leads to {uid}");
            return Err(another_cluster(answers, run, why));
        }
        Err(_) => {}
    }
    for reference in answers.kustomizations_of(leaving).into_iter().flat_map(inventory) {
        let uid = |cluster: &Cluster| {
            let (cluster, reference) = (cluster.clone(), reference.clone());
            async move { cluster.get_metadata(&reference).await.map(|object| object.and_then(|one| one.metadata.uid)) }
        };
        match futures::join!(uid(&flux), uid(run)) {
            (Ok(None), Ok(None)) | (Err(_), _) | (_, Err(_)) => {}
            (Ok(theirs), Ok(ours)) if theirs == ours => return Ok(()),
            _ => {
                let why = format!("{} there is not the one that Flux applied", reference.display());
                return Err(another_cluster(answers, run, why));
            }
        }
    }
    Err(unproven("Flux's credential shows neither the namespace kube-system nor an object that both see".to_owned()))
}

fn another_cluster(answers: &Answers, run: &Cluster, why: String) -> Error {
    Error::new(format!("{} is not the run cluster that Flux delivers to as `{}`", run.display(), answers.run_cluster))
        .because(why)
        .hint("name the context of the right cluster with --run-context")
}

/// Refuses a delivery that only the user knows of where nothing bears its name: one of the names is mistyped.
///
/// An installer proves nothing: it bears the name of the package only, and may serve another run cluster's delivery.
pub(super) fn something_is_left(answers: &Answers, facts: &Facts) -> Result<()> {
    let Facts { build, identities, .. } = facts;
    let is_installer = |name: &str| build.assumed.iter().any(|package| name == names::installer(package));
    // Credentials and deployers bear the name of the run cluster; where other deliveries go, they are theirs.
    let has_identities = build.assumed.len() == build.leaving.len()
        && ((!build.is_delivered_to(answers) && !build.credentials.is_empty())
            || !identities.build.is_empty()
            || identities.run.iter().any(|one| !is_installer(&one.reference.name)));
    for package in build.assumed.iter().filter(|_| !has_identities) {
        let is_in_git = facts.repositories.changes.iter().any(|(_, packages)| packages.contains(package));
        let is_on_run_cluster = build.leaving.iter().zip(&facts.belongings).any(|(leaving, found)| {
            leaving.package == *package && !(found.installs.is_empty() && found.packages.is_empty())
        });
        if !is_in_git && !is_on_run_cluster {
            return Err(Error::usage(format!(
                "nothing of {package} is left for a run cluster `{}`",
                answers.run_cluster
            ))
            .because("no Kustomization, no object on the run cluster and no directory in Git bears these names")
            .hint(format!("see what there is: kubectl carvelflux status -n {}", answers.namespace)));
        }
    }
    Ok(())
}

/// Refuses where Flux may not delete what it applied: its finalizer would hold the Kustomization for ever.
///
/// Only a clear answer counts. That the run cluster cannot be reached from here with Flux's kubeconfig says nothing about Flux.
pub(super) async fn flux_may_delete(answers: &Answers, leaving: &Leaving, kustomization: &Kustomization) -> Result<()> {
    let restore = format!(
        "give Flux its credential and roles back: kubectl carvelflux add-cluster {} --package {} -n {}",
        answers.run_cluster, leaving.package, answers.namespace
    );
    let delivery = leaving.delivery(&answers.namespace, &answers.run_cluster);
    let flux = match reach(&answers.build, &delivery, &[], &answers.connection).await {
        Ok(flux) => flux,
        Err(Verdict::Failed(failure)) => {
            return Err(Error::new(format!("Flux cannot delete what it applied: {}", failure.object))
                .because(failure.message)
                .hint(restore)
                .hint("or let everything on the run cluster stay, without an owner: --force"));
        }
        Err(_) => return Ok(()),
    };
    let kinds: BTreeSet<(String, String, String)> = inventory(Some(kustomization))
        .into_iter()
        .map(|object| (object.resource.group, object.resource.plural, object.namespace.unwrap_or_default()))
        .collect();
    for (group, resource, namespace) in &kinds {
        let access = Access { verb: "delete", group, resource, namespace };
        match flux.allows(access).await {
            Ok(false) => {
                return Err(Error::new(format!(
                    "Flux may not delete {resource} in namespace {namespace} of {}",
                    answers.run_cluster
                ))
                .because("the deletion of its Kustomization would never come to an end")
                .hint(restore));
            }
            Err(error) if error.status() == Some(401) => {
                return Err(Error::new(format!("{} refuses Flux's credential", answers.run_cluster))
                    .because(error)
                    .because("the deletion of its Kustomizations would never come to an end")
                    .hint(restore));
            }
            Ok(true) | Err(_) => {}
        }
    }
    Ok(())
}

/// Refuses where kapp-controller could not delete the application: it acts as a service account that is not there.
pub(super) async fn kapp_controller_may_delete(run: &Cluster, found: &Found) -> Result<()> {
    let Some(account) = &found.service_account else { return Ok(()) };
    let namespace = found.reference.namespace.as_deref().unwrap_or_default();
    let reference =
        ObjectReference::namespaced(&crate::object::api_resource("", "v1", "ServiceAccount"), namespace, account);
    if run.get_metadata(&reference).await?.is_some() {
        return Ok(());
    }
    Err(Error::new(format!("{} does not exist on {}", reference.display(), run.display()))
        .because(format!("kapp-controller deletes the application of {} as this account", found.reference.display()))
        .hint("restore it with its roles: run kubectl carvelflux add-cluster once more")
        .hint("or let the application run on, without an owner: --keep-workloads"))
}

/// Tells whether a run cluster that is said to be gone still answers to Flux's credential.
pub(super) async fn answers_still(answers: &Answers, build: &BuildSide) -> bool {
    let Some(leaving) = build.leaving.first() else { return false };
    let delivery = leaving.delivery(&answers.namespace, &answers.run_cluster);
    let Ok(flux) = reach(&answers.build, &delivery, &[], &answers.connection).await else { return false };
    match tokio::time::timeout(PATIENCE, flux.served_versions()).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => error.status().is_some(),
        Err(_) => false,
    }
}
