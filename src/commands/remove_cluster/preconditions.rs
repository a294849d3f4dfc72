//! What must hold for a deletion to complete and to leave nothing behind: checked before anything is deleted, and looked at
//! once more where a deletion does not complete in time.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use super::build_cluster::BuildCluster;
use super::clusters::Clusters;
use super::removal_record::RemovedDelivery;
use super::request::Request;
use super::run_cluster::{OwnedObject, inventory};
use crate::cluster::{Access, Cluster};
use crate::error::{Error, Result};
use crate::flux::{Keeping, Kustomization};
use crate::invocation::PROGRAM;
use crate::labels;
use crate::object::{ObjectReference, api_resource};
use crate::observe::Verdict;
use crate::shell::quoted;
use crate::ui::text::headline;
use crate::waiting;

/// How long a run cluster that is said to be gone has for an answer.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

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

/// Refuses a run cluster that is not the one that Flux delivers to, and returns its UID.
pub(super) async fn same_cluster(
    request: &Request,
    clusters: &Clusters,
    build: &BuildCluster,
    run: &Cluster,
) -> Result<String> {
    let run_uid = run.uid().await?;
    let recorded = build.record.run_cluster_uid.as_ref();
    if build.credentials.is_empty() {
        leads_to(request, clusters, build, (run, &run_uid), recorded, None).await?;
    }
    for (reference, object) in build.credentials.values() {
        let removed = build.removed.iter().find(|removed| removed.credential == reference.name);
        let recorded = object.annotations().get(labels::RUN_CLUSTER_UID).or(recorded);
        leads_to(request, clusters, build, (run, &run_uid), recorded, removed).await?;
    }
    Ok(run_uid)
}

/// Refuses a run cluster that is not the one which a credential leads to.
///
/// A kubeconfig that the plugin did not make says by itself which cluster it points at; where its user may not read that, the UID
/// of an object that both see is as good a proof. Where nothing leads to the cluster any more, there is nothing to compare:
/// what is deleted then names this build cluster as its owner.
async fn leads_to(
    request: &Request,
    clusters: &Clusters,
    build: &BuildCluster,
    (run, run_uid): (&Cluster, &str),
    recorded: Option<&String>,
    removed: Option<&RemovedDelivery>,
) -> Result<()> {
    if let Some(uid) = recorded {
        return if uid == run_uid {
            Ok(())
        } else {
            let why = format!("its kube-system UID is {run_uid}, that of `{}` is {uid}", request.run_cluster);
            Err(another_cluster(request, run, why))
        };
    }
    let Some(removed) = removed else { return Ok(()) };
    let unproven = |why: String| {
        Error::new(format!("cannot determine whether {} is the cluster that Flux delivers to", run.display()))
            .because(why)
            .hint(format!(
                "record it yourself, on what Flux reaches the run cluster with: kubectl -n {} annotate secret NAME {}=UID, \
                 with the UID of its namespace kube-system",
                request.namespace,
                labels::RUN_CLUSTER_UID,
            ))
    };
    let delivery = removed.delivery(&request.namespace, &request.run_cluster);
    let flux = clusters.as_flux(&delivery).await.map_err(|verdict| match verdict {
        Verdict::Failed(failure) => unproven(failure.message),
        Verdict::Unknown { why, .. } => unproven(why),
        Verdict::Ready { .. } | Verdict::Pending { .. } => unproven(String::new()),
    })?;
    match flux.uid().await {
        Ok(uid) if uid == run_uid => return Ok(()),
        Ok(uid) => {
            let why = format!("its kube-system UID is {run_uid}, Flux's kubeconfig leads to {uid}");
            return Err(another_cluster(request, run, why));
        }
        Err(_) => {}
    }
    for reference in build.flux.kustomizations_of(removed).into_iter().flat_map(inventory) {
        let uid = |cluster: &Cluster| {
            let (cluster, reference) = (cluster.clone(), reference.clone());
            async move { cluster.get_metadata(&reference).await.map(|object| object.and_then(|one| one.metadata.uid)) }
        };
        match futures::join!(uid(&flux), uid(run)) {
            (Ok(None), Ok(None)) | (Err(_), _) | (_, Err(_)) => {}
            (Ok(theirs), Ok(ours)) if theirs == ours => return Ok(()),
            _ => {
                let why = format!("{} there is not the one that Flux applied", reference.display());
                return Err(another_cluster(request, run, why));
            }
        }
    }
    Err(unproven("Flux's credential shows neither the namespace kube-system nor an object that both see".to_owned()))
}

fn another_cluster(request: &Request, run: &Cluster, why: String) -> Error {
    Error::new(format!("{} is not the run cluster that Flux delivers to as `{}`", run.display(), request.run_cluster))
        .because(why)
        .hint("name the context of the right cluster with --run-context")
}

/// Refuses where Flux may not delete what it applied: its finalizer would hold the Kustomization for ever.
///
/// Only a clear answer counts. That the run cluster cannot be reached from here with Flux's kubeconfig says nothing about Flux.
pub(super) async fn flux_may_delete(
    request: &Request,
    clusters: &Clusters,
    removed: &RemovedDelivery,
    kustomization: &Kustomization,
) -> Result<()> {
    let restore = format!(
        "give Flux its credential and roles back: {PROGRAM} add-cluster {} --package {} -n {}",
        request.run_cluster, removed.package, request.namespace
    );
    let delivery = removed.delivery(&request.namespace, &request.run_cluster);
    let flux = match clusters.as_flux(&delivery).await {
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
                    request.run_cluster
                ))
                .because("the deletion of its Kustomization would never complete")
                .hint(restore));
            }
            Err(error) if error.status() == Some(401) => {
                return Err(Error::new(format!("{} refuses Flux's credential", request.run_cluster))
                    .because(error)
                    .because("the deletion of its Kustomizations would never complete")
                    .hint(restore));
            }
            Ok(true) | Err(_) => {}
        }
    }
    Ok(())
}

/// Refuses where kapp-controller could not delete the application: it acts as a service account that is not there.
pub(super) async fn kapp_controller_may_delete(run: &Cluster, object: &OwnedObject) -> Result<()> {
    let Some(account) = &object.service_account else { return Ok(()) };
    let namespace = object.reference.namespace.as_deref().unwrap_or_default();
    let reference = account_reference(namespace, account);
    if run.get_metadata(&reference).await?.is_some() {
        return Ok(());
    }
    Err(Error::new(format!("{} does not exist on {}", reference.display(), run.display()))
        .because(format!("kapp-controller deletes the application of {} as this account", object.reference.display()))
        .hint(format!("restore it with its roles: run {PROGRAM} add-cluster once more"))
        .hint("or let the application run on, without an owner: --keep-workloads"))
}

/// Finds the accounts that Flux impersonates and that do not exist on the build cluster.
///
/// kustomize-controller looks for them there, although it impersonates them on the run cluster, and where one is missing it
/// lets the Kustomization go without deleting anything (`CanImpersonate`, fluxcd/pkg#959).
pub(super) async fn missing_accounts(
    request: &Request,
    clusters: &Clusters,
    build: &BuildCluster,
) -> Result<Vec<ObjectReference>> {
    let exists = |removed: &&RemovedDelivery| build.flux.kustomizations_of(removed).iter().any(Option::is_some);
    let accounts: BTreeSet<&String> =
        build.removed.iter().filter(exists).filter_map(|removed| removed.service_account.as_ref()).collect();
    let looks = accounts.into_iter().map(async |account| {
        let reference = account_reference(&request.namespace, account);
        let account = clusters.build.get_metadata(&reference).await?;
        Ok(account.is_none().then_some(reference))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

/// Tells whether a run cluster that is said to be gone still answers to Flux's credential.
pub(super) async fn still_answers(request: &Request, clusters: &Clusters, build: &BuildCluster) -> bool {
    let Some(removed) = build.removed.first() else { return false };
    let delivery = removed.delivery(&request.namespace, &request.run_cluster);
    let Ok(flux) = clusters.as_flux(&delivery).await else { return false };
    match waiting::within(GRACE_PERIOD, flux.served_versions()).await {
        Some(Ok(_)) => true,
        Some(Err(error)) => error.status().is_some(),
        None => false,
    }
}

/// Adds to an error of the deadline what Flux says in its events, and whether it may still do what it has to.
pub(super) async fn explain_timeout(
    request: &Request,
    clusters: &Clusters,
    build: &BuildCluster,
    mut error: Error,
) -> Error {
    let waits_for = |kind: &str| error.causes().iter().any(|cause| cause.starts_with(kind));
    let (kustomization, install) = (waits_for("Kustomization "), waits_for("PackageInstall ") || waits_for("App "));
    if kustomization {
        for warning in warning_events(request, clusters, build).await {
            error = error.because(warning);
        }
        for removed in build.removed.iter().filter(|_| clusters.run.is_some()) {
            for kustomization in build.flux.kustomizations_of(removed).into_iter().flatten() {
                if let Err(cause) = flux_may_delete(request, clusters, removed, kustomization).await {
                    error = error.because(&cause);
                    error = cause.hints().iter().fold(error, Error::hint);
                }
            }
        }
        error = error.hint("is kustomize-controller running? kubectl -n flux-system logs deploy/kustomize-controller");
    }
    if install && let Some(run) = &clusters.run {
        let context = quoted(run.cluster.context());
        error =
            error.hint(format!("is kapp-controller running? kubectl --context {context} -n kapp-controller get pods"));
        error = error.hint(format!(
            "see what kapp-controller says: kubectl --context {context} -n {} describe app",
            build.removed.iter().flat_map(|removed| &removed.namespaces).next().map_or("NAMESPACE", String::as_str)
        ));
    }
    error
}

/// Returns Flux's last warning about each of the Kustomizations since it was deleted.
async fn warning_events(request: &Request, clusters: &Clusters, build: &BuildCluster) -> Vec<String> {
    let events: Vec<DynamicObject> =
        clusters.build.list(&api_resource("", "v1", "Event"), &request.namespace).await.unwrap_or_default();
    let text = |event: &DynamicObject, pointer: &str| {
        event.data.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let time = |event: &DynamicObject| text(event, "/lastTimestamp").parse::<Timestamp>().ok();
    let mut warnings = Vec::new();
    for name in build.removed.iter().flat_map(RemovedDelivery::kustomizations) {
        let reference = build.flux.reference(&request.namespace, name);
        let Ok(Some(object)) = clusters.build.get_metadata(&reference).await else { continue };
        let Some(deleted) = object.metadata.deletion_timestamp else { continue };
        let last = events
            .iter()
            .filter(|event| text(event, "/type") == "Warning" && text(event, "/involvedObject/name") == name)
            .filter(|event| time(event) >= Some(deleted.0))
            .max_by_key(|event| time(event));
        warnings.extend(last.map(|event| format!("Flux says of {name}: {}", headline(&text(event, "/message")))));
    }
    warnings
}

fn account_reference(namespace: &str, name: &str) -> ObjectReference {
    ObjectReference::namespaced(&api_resource("", "v1", "ServiceAccount"), namespace, name)
}
