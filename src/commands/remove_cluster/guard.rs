//! What `remove-cluster` refuses before it deletes anything: the wrong cluster, and deletions that would leave everything
//! behind or never come to an end.

use kube::ResourceExt;

use super::answers::Answers;
use super::record::Leaving;
use super::run_side::Found;
use crate::carvel::{DATA_PACKAGING_GROUP, PACKAGING_GROUP};
use crate::cluster::{Access, Cluster, ObjectReference};
use crate::error::{Error, Result};
use crate::flux::{Keeping, Kustomization};
use crate::labels;
use crate::observe::reach::reach;
use crate::observe::{Delivery, Verdict};

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
    delivery: Option<&Delivery>,
    found: &[Found],
) -> Result<()> {
    if let Some(uid) = recorded {
        return if uid == run_uid {
            Ok(())
        } else {
            let why = format!("its kube-system UID is {run_uid}, that of `{}` is {uid}", answers.run_cluster);
            Err(another_cluster(answers, run, why))
        };
    }
    let Some(delivery) = delivery else { return Ok(()) };
    let unproven = |why: String| {
        Error::new(format!("it cannot be found out whether {} is the one that Flux delivers to", run.display()))
            .because(why)
            .hint(format!(
                "record it yourself, on what Flux reaches the run cluster with: kubectl -n {} annotate secret NAME {}=UID, \
                 with the UID of its namespace kube-system",
                answers.namespace,
                labels::RUN_CLUSTER_UID,
            ))
    };
    let flux = reach(&answers.build, delivery, &[], &answers.connection).await.map_err(|verdict| match verdict {
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
    for object in found {
        match flux.get_metadata(&object.reference).await {
            Ok(seen) if seen.as_ref().and_then(|seen| seen.metadata.uid.as_ref()) == Some(&object.uid) => return Ok(()),
            Ok(_) => {
                let why = format!("{} there is not the one that Flux applied", object.reference.display());
                return Err(another_cluster(answers, run, why));
            }
            Err(_) => {}
        }
    }
    Err(unproven("Flux's credential shows neither the namespace kube-system nor an object that both see".to_owned()))
}

fn another_cluster(answers: &Answers, run: &Cluster, why: String) -> Error {
    Error::new(format!("{} is not the run cluster that Flux delivers to as `{}`", run.display(), answers.run_cluster))
        .because(why)
        .hint("name the context of the right cluster with --run-context")
}

/// Refuses where Flux may not delete what it applied: its finalizer would hold the Kustomization for ever.
///
/// Only a clear answer counts. That the run cluster cannot be reached from here with Flux's kubeconfig says nothing about Flux.
pub(super) async fn flux_may_delete(answers: &Answers, delivery: &Delivery, leaving: &Leaving) -> Result<()> {
    let restore = format!(
        "give Flux its credential and roles back: kubectl carvelflux add-cluster {} --package {} -n {}",
        answers.run_cluster, leaving.package, answers.namespace
    );
    let flux = match reach(&answers.build, delivery, &[], &answers.connection).await {
        Ok(flux) => flux,
        Err(Verdict::Failed(failure)) => {
            return Err(Error::new(format!("Flux cannot delete what it applied: {}", failure.object))
                .because(failure.message)
                .hint(restore)
                .hint("or let everything on the run cluster stay, without an owner: --force"));
        }
        Err(_) => return Ok(()),
    };
    for namespace in &leaving.namespaces {
        for (group, resource) in
            [(PACKAGING_GROUP, "packageinstalls"), (DATA_PACKAGING_GROUP, "packages"), ("", "secrets")]
        {
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
    }
    Ok(())
}

/// Refuses where kapp-controller could not delete the application: it acts as a service account that is not there.
pub(super) async fn kapp_controller_may_delete(run: &Cluster, found: &Found) -> Result<()> {
    let Some(account) = &found.service_account else { return Ok(()) };
    let namespace = found.reference.namespace.as_deref().unwrap_or_default();
    let reference =
        ObjectReference::namespaced(&crate::cluster::api_resource("", "v1", "ServiceAccount"), namespace, account);
    if run.get_metadata(&reference).await?.is_some() {
        return Ok(());
    }
    Err(Error::new(format!("{} does not exist on {}", reference.display(), run.display()))
        .because(format!("kapp-controller deletes the application of {} as this account", found.reference.display()))
        .hint("restore it with its roles: run kubectl carvelflux add-cluster once more")
        .hint("or let the application run on, without an owner: --keep-workloads"))
}
