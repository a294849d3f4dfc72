//! Kustomization of `kustomize.toolkit.fluxcd.io` (kustomize-controller `api/v1/kustomization_types.go`).

use kube::api::ApiResource;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::run_credential::{KubeConfig, RunCredential};
use crate::conditions::Condition;
use crate::names;
use crate::object::{Object, api_resource};

/// The API group of Flux Kustomizations.
pub const KUSTOMIZATION_GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// A directory of a source that Flux applies to a cluster.
pub type Kustomization = Object<KustomizationSpec, KustomizationStatus>;

/// What is read of a Kustomization's spec.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizationSpec {
    /// The directory in the source, with or without `./`.
    pub path: String,
    /// The source.
    pub source_ref: SourceReference,
    /// How the run cluster is reached; `None` means the build cluster itself.
    pub kube_config: Option<KubeConfig>,
    /// The namespace that every object is put into.
    pub target_namespace: Option<String>,
    /// Whether Flux replaces variables such as `${NAME}` in what it applies.
    #[serde(rename = "postBuild", deserialize_with = "is_given", skip_serializing)]
    pub replaces_variables: bool,
    /// How Flux decrypts what it applies, as it is written; `None` where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Value>,
    /// Whom Flux impersonates.
    pub service_account_name: Option<String>,
    /// Whether applying is switched off.
    pub suspend: bool,
    /// Whether what is no longer in the source is deleted.
    pub prune: bool,
    /// What a deletion does with what was applied; `None` and `MirrorPrune` mean what `prune` says.
    pub deletion_policy: Option<String>,
    /// The Kustomizations that must be ready before this one is applied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependencyReference>,
}

/// Reads whether a field is given, and nothing of what it holds.
fn is_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<IgnoredAny>::deserialize(deserializer).map(|field| field.is_some())
}

/// A Kustomization that another one depends on.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct DependencyReference {
    /// The name.
    pub name: String,
    /// The namespace; `None` means the depending Kustomization's.
    pub namespace: Option<String>,
}

impl KustomizationSpec {
    /// Says why Flux would leave everything behind that it applied; `None` where a deletion deletes it.
    ///
    /// The rule is kustomize-controller's (`finalizerShouldDeleteResources`, v1.9.3).
    #[must_use]
    pub fn keeps_objects_because(&self) -> Option<Keeping> {
        match self.deletion_policy.as_deref() {
            _ if self.suspend => Some(Keeping::Suspended),
            Some("Delete" | "WaitForTermination") => None,
            None | Some("MirrorPrune") if self.prune => None,
            None | Some("MirrorPrune") => Some(Keeping::NotPruning),
            Some(_) => Some(Keeping::Orphaning),
        }
    }
}

/// Why the deletion of a Kustomization would leave behind what it applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It is suspended.
    Suspended,
    /// It has `prune: false`.
    NotPruning,
    /// It has `deletionPolicy: Orphan`.
    Orphaning,
}

/// A source in this or another namespace.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct SourceReference {
    /// The kind, such as `GitRepository`.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The namespace; `None` means the Kustomization's.
    pub namespace: Option<String>,
}

/// What is read of a Kustomization's status.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizationStatus {
    /// What kustomize-controller found.
    pub conditions: Vec<Condition>,
    /// The generation that was reconciled last; -1 before any.
    pub observed_generation: Option<i64>,
    /// The revision that was applied and found healthy last.
    pub last_applied_revision: String,
    /// The revision that was checked out last.
    pub last_attempted_revision: String,
    /// The last answered reconcile request.
    pub last_handled_reconcile_at: Option<String>,
    /// What was applied.
    pub inventory: Option<Inventory>,
}

/// The objects a Kustomization has applied.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Inventory {
    /// One entry per object.
    pub entries: Vec<InventoryEntry>,
}

/// One applied object.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct InventoryEntry {
    /// `<namespace>_<name>_<group>_<kind>` (fluxcd/cli-utils `object/objmetadata.go`).
    pub id: String,
    /// The API version.
    #[serde(rename = "v")]
    pub version: String,
}

impl InventoryEntry {
    /// Splits the id into namespace, name, group and kind; names hold no underscore but the RBAC ones' escapes.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, &str, &str, &str)> {
        let (namespace, rest) = self.id.split_once('_')?;
        let (rest, kind) = rest.rsplit_once('_')?;
        let (name, group) = rest.rsplit_once('_')?;
        Some((namespace, name, group, kind))
    }
}

/// What a Kustomization of a delivery is made from.
#[derive(Clone, Copy, Debug)]
pub struct KustomizationRequest<'a> {
    /// The served API version.
    pub version: &'a str,
    /// The namespace on the build cluster.
    pub namespace: &'a str,
    /// The package.
    pub package: &'a str,
    /// The run cluster.
    pub run_cluster: &'a str,
    /// The namespace on the run cluster.
    pub target_namespace: &'a str,
    /// What Flux reaches the run cluster with.
    pub credential: RunCredential,
    /// Whom Flux impersonates, if anybody.
    pub service_account: Option<&'a str>,
}

/// Says that Flux decrypts with the keys of a Secret in the Kustomization's namespace.
#[must_use]
pub fn decryption_with(secret: &str) -> Value {
    json!({"provider": "sops", "secretRef": {"name": secret}})
}

/// Returns the user that Flux impersonates for a Kustomization with `spec.serviceAccountName`.
///
/// It takes the Kustomization's own namespace, also on the run cluster (fluxcd/pkg `runtime/client/impersonator.go`, v0.110).
#[must_use]
pub fn impersonated_user(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}

/// Returns the resource of Kustomizations in the served version.
#[must_use]
pub fn kustomization_resource(version: &str) -> ApiResource {
    api_resource(KUSTOMIZATION_GROUP, version, "Kustomization")
}

/// Builds one Kustomization of a delivery; `name` and `path` tell the two apart.
///
/// The short timeout and retry interval keep an install that does not finish from blocking one of Flux's four workers
/// (fluxcd/flux2#5622).
#[must_use]
pub fn kustomization(request: &KustomizationRequest<'_>, name: &str, path: &str) -> Value {
    let mut manifest = json!({
        "apiVersion": format!("{KUSTOMIZATION_GROUP}/{}", request.version),
        "kind": "Kustomization",
        "metadata": {
            "name": name,
            "namespace": request.namespace,
            "labels": crate::labels::managed(),
        },
        "spec": {
            "sourceRef": {"kind": "GitRepository", "name": names::git_repository(request.package)},
            "path": path,
            "interval": "5m",
            "retryInterval": "1m",
            "timeout": "2m",
            "prune": true,
            "wait": true,
            "targetNamespace": request.target_namespace,
            "kubeConfig": {request.credential.field(): {"name": names::kubeconfig(request.run_cluster)}},
        },
    });
    if let Some(account) = request.service_account {
        manifest["spec"]["serviceAccountName"] = json!(account);
    }
    // Flux 2.5 brought healthCheckExprs, to v1 only.
    if request.version == "v1" {
        manifest["spec"]["healthCheckExprs"] = package_install_health();
    }
    manifest
}

/// Tells Flux how to judge a PackageInstall: without this, kstatus takes a failed one for healthy
/// (kubernetes-sigs/cli-utils `kstatus/status/generic.go` knows no `ReconcileFailed`).
fn package_install_health() -> Value {
    json!([{
        "apiVersion": "packaging.carvel.dev/v1alpha1",
        "kind": "PackageInstall",
        "inProgress": "!has(status.conditions) || status.conditions.exists(c, c.type == 'Reconciling')",
        "failed": "status.conditions.exists(c, c.type in ['ReconcileFailed', 'DeleteFailed'] && c.status == 'True')",
        "current": "status.conditions.exists(c, c.type == 'ReconcileSucceeded' && c.status == 'True')",
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inventory_ids_split_at_the_outer_underscores() {
        let entry = InventoryEntry {
            id: "apps_hello-app.default.tap_packaging.carvel.dev_PackageInstall".to_owned(),
            ..InventoryEntry::default()
        };
        assert_eq!(entry.parts(), Some(("apps", "hello-app.default.tap", "packaging.carvel.dev", "PackageInstall")));
        let cluster_scoped =
            InventoryEntry { id: "_system:admin__ClusterRole".to_owned(), ..InventoryEntry::default() };
        assert_eq!(cluster_scoped.parts(), Some(("", "system:admin", "", "ClusterRole")));
    }

    #[test]
    fn whether_variables_are_replaced_is_read_and_not_with_what() {
        let replaces =
            |spec: Value| serde_json::from_value::<KustomizationSpec>(spec).is_ok_and(|spec| spec.replaces_variables);
        assert!(replaces(json!({"postBuild": {"substitute": {"NAME": "fake-value"}}})));
        assert!(replaces(json!({"postBuild": {"substituteFrom": [{"kind": "Secret", "name": "x"}]}})));
        assert!(!replaces(json!({"postBuild": null})) && !replaces(json!({"path": "./a"})));
    }

    #[test]
    fn what_a_deletion_would_leave_behind_is_known() {
        let spec = |suspend, prune, policy: Option<&str>| KustomizationSpec {
            suspend,
            prune,
            deletion_policy: policy.map(str::to_owned),
            ..KustomizationSpec::default()
        };
        assert_eq!(spec(false, true, None).keeps_objects_because(), None);
        assert_eq!(spec(false, false, Some("Delete")).keeps_objects_because(), None);
        assert_eq!(spec(true, true, Some("Delete")).keeps_objects_because(), Some(Keeping::Suspended));
        assert_eq!(spec(false, false, Some("MirrorPrune")).keeps_objects_because(), Some(Keeping::NotPruning));
        assert_eq!(spec(false, true, Some("Orphan")).keeps_objects_because(), Some(Keeping::Orphaning));
    }
}
