//! What Flux calls GitRepositories and Kustomizations: typed resources and pure builders.
//!
//! How their status is judged lives in [`crate::observe`].

mod git_repository;
mod kustomization;

pub use git_repository::{
    GIT_REPOSITORY_GROUP, GitRepository, GitRepositorySpec, GitRepositoryStatus, git_credentials_secret,
    git_repository, git_repository_resource,
};
pub use kustomization::{
    InventoryEntry, KUSTOMIZATION_GROUP, KubeConfigReference, Kustomization, KustomizationRequest, KustomizationSpec,
    KustomizationStatus, impersonated_user, kustomization, kustomization_resource,
};

/// The annotation that asks a Flux controller to reconcile now; it answers in `status.lastHandledReconcileAt`
/// (fluxcd/pkg `apis/meta/annotations.go`).
pub const RECONCILE_REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// The label with which kustomize-controller reconciles at once when a referenced Secret changes
/// (kustomize-controller 1.7, `--watch-configs-label-selector`).
pub const WATCH_LABEL: (&str, &str) = ("reconcile.fluxcd.io/watch", "Enabled");

/// The API versions of Flux that the plugin speaks, best first: v1 since Flux 2.0, v1beta2 in 0.41.
pub const API_VERSIONS: &[&str] = &["v1", "v1beta2"];
