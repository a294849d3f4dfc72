//! HelmRelease of `helm.toolkit.fluxcd.io` (helm-controller `api/v2/helmrelease_types.go`): how it reaches a cluster, no more.
//! The plugin makes none, but one may use the credential of a run cluster, too.

use kube::api::ApiResource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::run_credential::KubeConfig;
use crate::object::{Object, api_resource};

/// The API group of HelmReleases.
pub const HELM_RELEASE_GROUP: &str = "helm.toolkit.fluxcd.io";

/// Its versions, best first: v2 since Flux 2.3.
pub const HELM_RELEASE_VERSIONS: &[&str] = &["v2", "v2beta2", "v2beta1"];

/// A Helm chart that Flux installs on a cluster.
pub type HelmRelease = Object<HelmReleaseSpec, Value>;

/// What is read of a HelmRelease's spec.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmReleaseSpec {
    /// How the run cluster is reached; `None` means the build cluster itself.
    pub kube_config: Option<KubeConfig>,
    /// Whom Flux impersonates.
    pub service_account_name: Option<String>,
}

/// Returns the resource of HelmReleases in a version.
#[must_use]
pub fn helm_release_resource(version: &str) -> ApiResource {
    api_resource(HELM_RELEASE_GROUP, version, "HelmRelease")
}
