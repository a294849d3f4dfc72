//! What of Flux goes on using a credential of the run cluster, or an account, once the deliveries are gone.

use kube::ResourceExt;

use crate::cluster::{Cluster, ServedVersions};
use crate::error::Result;
use crate::flux::{
    HELM_RELEASE_GROUP, HELM_RELEASE_VERSIONS, HelmRelease, KubeConfig, Kustomization, RunCredential,
    helm_release_resource,
};
use crate::object::ObjectReference;

/// A Kustomization or a HelmRelease, so far as it matters here.
pub(super) struct User<'a> {
    kind: &'static str,
    name: String,
    kube_config: Option<&'a KubeConfig>,
    service_account: Option<&'a str>,
    /// The namespace of everything that it applies; `None` where it says that for each object.
    target_namespace: Option<&'a str>,
}

impl<'a> From<&'a Kustomization> for User<'a> {
    fn from(kustomization: &'a Kustomization) -> Self {
        Self {
            kind: "Kustomization",
            name: kustomization.name_any(),
            kube_config: kustomization.spec.kube_config.as_ref(),
            service_account: kustomization.spec.service_account_name.as_deref(),
            target_namespace: kustomization.spec.target_namespace.as_deref(),
        }
    }
}

impl<'a> From<&'a HelmRelease> for User<'a> {
    fn from(release: &'a HelmRelease) -> Self {
        Self {
            kind: "HelmRelease",
            name: release.name_any(),
            kube_config: release.spec.kube_config.as_ref(),
            service_account: release.spec.service_account_name.as_deref(),
            target_namespace: None,
        }
    }
}

impl User<'_> {
    /// Returns it as messages name it, such as `HelmRelease redis`.
    pub(super) fn display(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// Tells whether it reaches its cluster with a credential.
    pub(super) fn uses(&self, credential: &ObjectReference) -> bool {
        let kind = match credential.resource.kind.as_str() {
            "ConfigMap" => RunCredential::ConfigMap,
            _ => RunCredential::Secret,
        };
        self.kube_config.and_then(|one| one.name_in(kind)) == Some(credential.name.as_str())
    }

    /// Tells whether Flux impersonates an account for it.
    pub(super) fn is_as(&self, account: &str) -> bool {
        self.service_account == Some(account)
    }

    /// Tells whether it may apply something in a namespace.
    pub(super) fn applies_to(&self, namespace: Option<&str>) -> bool {
        self.target_namespace.is_none() || self.target_namespace == namespace
    }
}

/// Reads the HelmReleases of a namespace: none where helm-controller is not installed, `None` where the user may not list them.
pub(super) async fn helm_releases(
    build: &Cluster,
    served: &ServedVersions,
    namespace: &str,
) -> Result<Option<Vec<HelmRelease>>> {
    let Some(version) = served.first_of(HELM_RELEASE_GROUP, HELM_RELEASE_VERSIONS) else {
        return Ok(Some(Vec::new()));
    };
    match build.list(&helm_release_resource(version), namespace).await {
        Ok(releases) => Ok(Some(releases)),
        Err(error) if error.status() == Some(403) => Ok(None),
        Err(error) => Err(error),
    }
}
