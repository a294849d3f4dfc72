//! What Flux calls GitRepositories, Kustomizations and HelmReleases: typed resources and pure builders.
//!
//! How their status is judged lives in [`crate::observe`].

mod git_repository;
mod helm_release;
mod kustomization;
mod run_credential;
mod workload_identity;

use kube::ResourceExt;

pub use git_repository::{
    Followed, GIT_REPOSITORY_GROUP, GitAccessReferences, GitProvider, GitRepository, GitRepositorySpec,
    git_credentials_secret, git_repository, git_repository_resource,
};
pub use helm_release::{HELM_RELEASE_GROUP, HELM_RELEASE_VERSIONS, HelmRelease, helm_release_resource};
pub use kustomization::{
    DependencyReference, InventoryEntry, KUSTOMIZATION_GROUP, Keeping, Kustomization, KustomizationRequest,
    decryption_with, impersonated_user, kustomization, kustomization_resource,
};
pub use run_credential::{KubeConfig, KubeConfigReference, RunCredential};
pub use workload_identity::{Provider, WorkloadIdentity, canonical_address};

/// The annotation that asks a Flux controller to reconcile now; it answers in `status.lastHandledReconcileAt`
/// (fluxcd/pkg `apis/meta/annotations.go`).
pub const RECONCILE_REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// The label with which kustomize-controller reconciles at once when a referenced Secret changes
/// (kustomize-controller 1.7, `--watch-configs-label-selector`).
pub const WATCH_LABEL: (&str, &str) = ("reconcile.fluxcd.io/watch", "Enabled");

/// The API versions of Flux that the plugin speaks, best first: v1 since Flux 2.0, v1beta2 in 0.41.
pub const API_VERSIONS: &[&str] = &["v1", "v1beta2"];

/// The versions of the Flux APIs that the build cluster serves.
#[derive(Clone, Copy, Debug)]
pub struct FluxVersions {
    /// Of GitRepository.
    pub source: &'static str,
    /// Of Kustomization.
    pub kustomization: &'static str,
}

/// Returns the label selector of everything that a Kustomization has applied (kustomize-controller's owner labels).
#[must_use]
pub fn owner_labels(namespace: &str, kustomization: &str) -> String {
    format!("{KUSTOMIZATION_GROUP}/name={kustomization},{KUSTOMIZATION_GROUP}/namespace={namespace}")
}

/// Tells whether an object carries the owner labels of a Kustomization.
#[must_use]
pub fn is_applied_by(object: &impl ResourceExt, namespace: &str, kustomization: &str) -> bool {
    let label = |key: &str| object.labels().get(&format!("{KUSTOMIZATION_GROUP}/{key}")).map(String::as_str);
    label("name") == Some(kustomization) && label("namespace") == Some(namespace)
}

/// Tells whether an object asks Flux to leave it alone when its Kustomization goes (`deleteObjects`, kustomize-controller
/// v1.9.3: label or annotation).
#[must_use]
pub fn is_left_alone(object: &impl ResourceExt) -> bool {
    [("prune", "disabled"), ("reconcile", "disabled"), ("ssa", "ignore")].into_iter().any(|(key, value)| {
        let key = format!("{KUSTOMIZATION_GROUP}/{key}");
        let has = |found: Option<&String>| found.is_some_and(|found| found.eq_ignore_ascii_case(value));
        has(object.annotations().get(&key)) || has(object.labels().get(&key))
    })
}
