//! What is on the run cluster: what Flux applied for the removed deliveries, and what kapp-controller made of it.

use std::collections::BTreeSet;

use futures::future::{join_all, try_join_all};
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};
use kube::core::PartialObjectMeta;
use serde_json::Value;

use super::removal_record::RemovedDelivery;
use crate::carvel::{PACKAGING_GROUP, PackageInstall, app_resource, package_install_resource, package_resource};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::flux::{Kustomization, is_applied_by, is_left_alone, owner_labels};
use crate::object::{ObjectReference, api_resource};

/// An object on the run cluster that Flux or kapp-controller deletes with its Kustomization.
#[derive(Clone, Debug)]
pub(super) struct OwnedObject {
    pub(super) reference: ObjectReference,
    pub(super) uid: String,
    /// What to know about it.
    pub(super) note: String,
    /// Of a PackageInstall whose application is deleted, too: the account that kapp-controller deletes it as.
    pub(super) service_account: Option<String>,
}

impl OwnedObject {
    fn plain(reference: ObjectReference, uid: Option<String>) -> Self {
        Self { reference, uid: uid.unwrap_or_default(), note: String::new(), service_account: None }
    }
}

/// What one delivery has on the run cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct RunObjects {
    /// What is deleted with the Kustomization of the PackageInstall: it, its App, its values.
    pub(super) installs: Vec<OwnedObject>,
    /// What is deleted with the Kustomization of the Packages.
    pub(super) packages: Vec<OwnedObject>,
    /// What stays, and why.
    pub(super) left: Vec<String>,
}

/// Names the objects that a Kustomization's inventory lists.
pub(super) fn inventory(kustomization: Option<&Kustomization>) -> Vec<ObjectReference> {
    let status = kustomization.and_then(|kustomization| kustomization.status.as_ref());
    let entries = status.and_then(|status| status.inventory.as_ref()).map(|inventory| inventory.entries.as_slice());
    let reference = |entry: &crate::flux::InventoryEntry| {
        let (namespace, name, group, kind) = entry.parts()?;
        Some(ObjectReference {
            resource: api_resource(group, &entry.version, kind),
            namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
            name: name.to_owned(),
        })
    };
    entries.unwrap_or_default().iter().filter_map(reference).collect()
}

/// Adds what only the Kustomizations tell: the namespaces that they applied to, and what they applied.
pub(super) fn remember_inventories(removed: &mut RemovedDelivery, kustomizations: [Option<&Kustomization>; 2]) {
    for reference in kustomizations.into_iter().flat_map(inventory) {
        removed.namespaces.extend(reference.namespace.clone());
        removed.applied.insert(reference.display());
    }
}

/// Reads what a delivery has on the run cluster; its Packages only where they are deleted, too.
pub(super) async fn read(
    run: &Cluster,
    namespace: &str,
    removed: &RemovedDelivery,
    kustomizations: [Option<&Kustomization>; 2],
    keeps_workloads: bool,
    shares_packages: bool,
) -> Result<RunObjects> {
    let [installs, packages] = kustomizations;
    let [name, packages_name] = removed.kustomizations();
    let kinds = [package_install_resource(), api_resource("", "v1", "Secret")];
    let installs = applied((run, namespace, name), removed, inventory(installs), &kinds);
    let packages = async {
        if shares_packages {
            return Ok((Vec::new(), Vec::new()));
        }
        applied((run, namespace, packages_name), removed, inventory(packages), &[package_resource()]).await
    };
    let ((installs, mut left), (packages, packages_left)) = futures::try_join!(installs, packages)?;
    left.extend(packages_left);
    let with_app = installs.into_iter().map(async |object| {
        if object.reference.resource.group == PACKAGING_GROUP {
            with_app(run, object, keeps_workloads).await
        } else {
            Ok(vec![object])
        }
    });
    let installs = try_join_all(with_app).await?.into_iter().flatten().collect();
    Ok(RunObjects { installs, packages, left })
}

/// Reads what a Kustomization has applied: the objects that Flux will delete, and why it will not delete the others.
///
/// To those of its inventory come those that carry its labels: it may be gone, and its inventory with it.
async fn applied(
    (run, namespace, kustomization): (&Cluster, &str, &str),
    removed: &RemovedDelivery,
    mut references: Vec<ObjectReference>,
    kinds: &[ApiResource],
) -> Result<(Vec<OwnedObject>, Vec<String>)> {
    let labels = owner_labels(namespace, kustomization);
    let places = removed.namespaces.iter().flat_map(|place| kinds.iter().map(move |kind| (place, kind)));
    let labelled = places.map(async |(place, kind)| {
        let objects = run.list_labelled(kind, place, &labels).await?;
        let reference = |object: PartialObjectMeta<_>| ObjectReference::namespaced(kind, place, &object.name_any());
        Ok(objects.into_iter().map(reference).collect::<Vec<_>>())
    });
    for reference in try_join_all(labelled).await?.into_iter().flatten() {
        if !references.iter().any(|known| known.display() == reference.display()) {
            references.push(reference);
        }
    }
    let looks = references.into_iter().map(|reference| look(run, namespace, kustomization, reference));
    let (mut objects, mut left) = (Vec::new(), Vec::new());
    for looked in join_all(looks).await {
        match looked? {
            Look::Absent => {}
            Look::Owned(object) => objects.push(*object),
            Look::Left(line) => left.push(line),
        }
    }
    Ok((objects, left))
}

/// What a look at an object has shown.
enum Look {
    Absent,
    /// Flux deletes it.
    Owned(Box<OwnedObject>),
    /// It stays, for the reason that is said.
    Left(String),
}

/// Looks whether an object is there, and whether Flux will delete it.
async fn look(run: &Cluster, namespace: &str, kustomization: &str, reference: ObjectReference) -> Result<Look> {
    let display = reference.display();
    let object = match run.get_metadata(&reference).await {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(Look::Absent),
        // Flux deletes kinds that the user may not even see, or that their cluster no longer serves.
        Err(error) if matches!(error.status(), Some(403 | 404)) => {
            return Ok(Look::Left(format!("{display} cannot be read by you, so that it is gone is not proven")));
        }
        Err(error) => return Err(error),
    };
    if !is_applied_by(&object, namespace, kustomization) {
        return Ok(Look::Left(format!("{display} stays: another owner has applied it since")));
    }
    if is_left_alone(&object) {
        if reference.resource.kind == "PackageInstall" {
            return Err(Error::new(format!("{display} tells Flux to leave it alone"))
                .because(
                    "one of its labels or annotations kustomize.toolkit.fluxcd.io/prune, /reconcile or /ssa says so",
                )
                .hint("remove it in Git and wait for Flux to apply that, then run the command again"));
        }
        return Ok(Look::Left(format!("{display} stays: it tells Flux to leave it alone")));
    }
    Ok(Look::Owned(Box::new(OwnedObject::plain(reference, object.metadata.uid))))
}

/// Reads what there is to say about a PackageInstall, and adds its App.
async fn with_app(run: &Cluster, mut install: OwnedObject, keeps_workloads: bool) -> Result<Vec<OwnedObject>> {
    let namespace = install.reference.namespace.clone().unwrap_or_default();
    let read: Option<PackageInstall> =
        run.read(&package_install_resource(), &namespace, &install.reference.name).await?;
    let Some(read) = read else { return Ok(Vec::new()) };
    let app = ObjectReference { resource: app_resource(), ..install.reference.clone() };
    let object = run.get(&app).await?;
    let version = read.status.as_ref().map(|status| status.version.as_str()).filter(|version| !version.is_empty());
    let kinds = object.as_ref().map(deployed_kinds).unwrap_or_default();
    let mut notes: Vec<String> = version.map(|version| format!("version {version}")).into_iter().collect();
    notes.push(match (keeps_workloads, kinds.is_empty()) {
        (_, true) => "kapp-controller has recorded nothing that it deployed".to_owned(),
        (true, false) => format!("its {} stay", kinds.join(", ")),
        (false, false) => format!("kapp-controller deletes its {}", kinds.join(", ")),
    });
    install.note = notes.join("; ");
    // What is deployed to another cluster is deleted with a kubeconfig, without a service account.
    let deletes_here = !keeps_workloads && read.spec.cluster.is_none() && object.is_some();
    install.service_account = Some(read.spec.service_account_name).filter(|name| deletes_here && !name.is_empty());
    let app = object.map(|object| OwnedObject::plain(app, object.metadata.uid));
    let owned = owned_secrets(run, &namespace, &install.uid).await?;
    Ok(std::iter::once(install).chain(app).chain(owned).collect())
}

/// Finds the Secrets that kapp-controller makes for the credentials of registries (`<install>-fetch-<n>`): the garbage
/// collector deletes them after their PackageInstall.
async fn owned_secrets(run: &Cluster, namespace: &str, uid: &str) -> Result<Vec<OwnedObject>> {
    let resource = api_resource("", "v1", "Secret");
    let secrets = run.list_metadata(&resource, namespace).await?;
    let is_owned =
        |object: &PartialObjectMeta<DynamicObject>| object.owner_references().iter().any(|one| one.uid == uid);
    let found = |object: PartialObjectMeta<DynamicObject>| {
        OwnedObject::plain(ObjectReference::namespaced(&resource, namespace, &object.name_any()), object.metadata.uid)
    };
    Ok(secrets.into_iter().filter(is_owned).map(found).collect())
}

/// Returns the kinds that kapp has deployed, as the App's status records them; Pods and the like are made by others.
fn deployed_kinds(app: &DynamicObject) -> Vec<String> {
    let recorded = app.data.pointer("/status/deploy/kapp/associatedResources/groupKinds").and_then(Value::as_array);
    let kinds: BTreeSet<&str> = recorded
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("kind").and_then(Value::as_str))
        .filter(|kind| !matches!(*kind, "Pod" | "ReplicaSet" | "Endpoints" | "EndpointSlice" | "PodMetrics"))
        .collect();
    kinds.into_iter().map(str::to_owned).collect()
}
