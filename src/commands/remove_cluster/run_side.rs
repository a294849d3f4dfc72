//! What is on the run cluster: what Flux applied for the deliveries that go, and what kapp-controller made of it.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;
use serde_json::Value;

use super::record::Leaving;
use crate::carvel::{PACKAGING_GROUP, PackageInstall, app_resource, package_install_resource, package_resource};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::flux::{Kustomization, is_applied_by, is_left_alone, owner_labels};
use crate::object::{ObjectReference, api_resource};

/// An object on the run cluster that goes with its Kustomization.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) reference: ObjectReference,
    pub(super) uid: String,
    /// What to know about it.
    pub(super) note: String,
    /// Of a PackageInstall whose application goes too: the account that kapp-controller deletes it as.
    pub(super) service_account: Option<String>,
}

impl Found {
    fn plain(reference: ObjectReference, uid: Option<String>) -> Self {
        Self { reference, uid: uid.unwrap_or_default(), note: String::new(), service_account: None }
    }
}

/// What one delivery has on the run cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Belongings {
    /// What goes with the Kustomization of the PackageInstall: it, its App, its values.
    pub(super) installs: Vec<Found>,
    /// What goes with the Kustomization of the Packages.
    pub(super) packages: Vec<Found>,
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
pub(super) fn remember_inventories(leaving: &mut Leaving, kustomizations: [Option<&Kustomization>; 2]) {
    for reference in kustomizations.into_iter().flat_map(inventory) {
        leaving.namespaces.extend(reference.namespace.clone());
        leaving.applied.insert(reference.display());
    }
}

/// Reads what a delivery has on the run cluster; its Packages only where they go, too.
pub(super) async fn read(
    run: &Cluster,
    namespace: &str,
    leaving: &Leaving,
    [installs, packages]: [Option<&Kustomization>; 2],
    keeps_workloads: bool,
    shares_packages: bool,
) -> Result<Belongings> {
    let mut belongings = Belongings::default();
    let secret = api_resource("", "v1", "Secret");
    let [name, packages_name] = leaving.kustomizations();
    let kinds = [package_install_resource(), secret];
    let references = with_labelled(run, namespace, name, leaving, inventory(installs), &kinds).await?;
    for reference in references {
        if let Some(found) = look(run, namespace, name, reference, &mut belongings.left).await? {
            let is_install = found.reference.resource.group == PACKAGING_GROUP;
            belongings.installs.extend(if is_install {
                with_app(run, found, keeps_workloads).await?
            } else {
                vec![found]
            });
        }
    }
    if shares_packages {
        return Ok(belongings);
    }
    let references =
        with_labelled(run, namespace, packages_name, leaving, inventory(packages), &[package_resource()]).await?;
    for reference in references {
        belongings.packages.extend(look(run, namespace, packages_name, reference, &mut belongings.left).await?);
    }
    Ok(belongings)
}

/// Adds to the objects of an inventory those that carry the Kustomization's labels: it may be gone, and its inventory with it.
async fn with_labelled(
    run: &Cluster,
    namespace: &str,
    kustomization: &str,
    leaving: &Leaving,
    mut references: Vec<ObjectReference>,
    kinds: &[kube::api::ApiResource],
) -> Result<Vec<ObjectReference>> {
    let labels = owner_labels(namespace, kustomization);
    for place in &leaving.namespaces {
        for resource in kinds {
            for object in run.list_labelled(resource, place, &labels).await? {
                let reference = ObjectReference::namespaced(resource, place, &object.name_any());
                if !references.iter().any(|known| known.display() == reference.display()) {
                    references.push(reference);
                }
            }
        }
    }
    Ok(references)
}

/// Looks whether an object is there, and whether Flux will delete it.
async fn look(
    run: &Cluster,
    namespace: &str,
    kustomization: &str,
    reference: ObjectReference,
    left: &mut Vec<String>,
) -> Result<Option<Found>> {
    let object = match run.get_metadata(&reference).await {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(None),
        // Flux deletes kinds that the user may not even see, or that their cluster no longer serves.
        Err(error) if matches!(error.status(), Some(403 | 404)) => {
            left.push(format!("{} cannot be read by you, so that it is gone is not proven", reference.display()));
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if !is_applied_by(&object, namespace, kustomization) {
        left.push(format!("{} stays: another owner has applied it since", reference.display()));
        return Ok(None);
    }
    if is_left_alone(&object) {
        if reference.resource.kind == "PackageInstall" {
            return Err(Error::new(format!("{} tells Flux to leave it alone", reference.display()))
                .because(
                    "one of its labels or annotations kustomize.toolkit.fluxcd.io/prune, /reconcile or /ssa says so",
                )
                .hint("remove it in Git and wait for Flux to apply that, then run the command again"));
        }
        left.push(format!("{} stays: it tells Flux to leave it alone", reference.display()));
        return Ok(None);
    }
    Ok(Some(Found::plain(reference, object.metadata.uid)))
}

/// Reads what there is to say about a PackageInstall, and adds its App.
async fn with_app(run: &Cluster, mut install: Found, keeps_workloads: bool) -> Result<Vec<Found>> {
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
    let app = object.map(|object| Found::plain(app, object.metadata.uid));
    let owned = owned_secrets(run, &namespace, &install.uid).await?;
    Ok(std::iter::once(install).chain(app).chain(owned).collect())
}

/// Finds the Secrets that kapp-controller makes for the credentials of registries (`<install>-fetch-<n>`): the garbage
/// collector deletes them after their PackageInstall.
async fn owned_secrets(run: &Cluster, namespace: &str, uid: &str) -> Result<Vec<Found>> {
    let resource = api_resource("", "v1", "Secret");
    let secrets = run.list_metadata(&resource, namespace).await?;
    let is_owned =
        |object: &PartialObjectMeta<DynamicObject>| object.owner_references().iter().any(|one| one.uid == uid);
    let found = |object: PartialObjectMeta<DynamicObject>| {
        Found::plain(ObjectReference::namespaced(&resource, namespace, &object.name_any()), object.metadata.uid)
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
