//! What of Flux goes on using a credential of the run cluster, or an account, once the deliveries are gone.

use kube::ResourceExt;

use crate::cluster::{Cluster, ServedVersions};
use crate::error::Result;
use crate::flux::{
    HELM_RELEASE_GROUP, HELM_RELEASE_VERSIONS, HelmRelease, KubeConfig, Kustomization, RunCredential,
    helm_release_resource,
};
use crate::object::ObjectReference;

/// Something that may use a credential.
pub(super) enum User<'a> {
    Known(Known<'a>),
    /// HelmReleases that nobody could look at.
    Unseen,
}

/// A Kustomization or a HelmRelease, so far as it matters here.
pub(super) struct Known<'a> {
    kind: &'static str,
    name: String,
    kube_config: Option<&'a KubeConfig>,
    service_account: Option<&'a str>,
    /// The namespace of everything that it applies; `None` where that may be any.
    target_namespace: Option<&'a str>,
}

impl<'a> From<&'a Kustomization> for User<'a> {
    fn from(kustomization: &'a Kustomization) -> Self {
        Self::Known(Known {
            kind: "Kustomization",
            name: kustomization.name_any(),
            kube_config: kustomization.spec.kube_config.as_ref(),
            service_account: kustomization.spec.service_account_name.as_deref(),
            target_namespace: kustomization.spec.target_namespace.as_deref(),
        })
    }
}

impl<'a> From<&'a HelmRelease> for User<'a> {
    fn from(release: &'a HelmRelease) -> Self {
        Self::Known(Known {
            kind: "HelmRelease",
            name: release.name_any(),
            kube_config: release.spec.kube_config.as_ref(),
            service_account: release.spec.service_account_name.as_deref(),
            // Charts name namespaces of their own.
            target_namespace: None,
        })
    }
}

impl User<'_> {
    /// Says why what it uses stays, such as "HelmRelease redis uses it".
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Known(Known { kind, name, .. }) => format!("{kind} {name} uses it"),
            Self::Unseen => "a HelmRelease may use it, and they cannot be listed".to_owned(),
        }
    }

    /// Tells whether it reaches its cluster with a credential.
    pub(super) fn uses(&self, credential: &ObjectReference) -> bool {
        let kind = match credential.resource.kind.as_str() {
            "ConfigMap" => RunCredential::ConfigMap,
            _ => RunCredential::Secret,
        };
        self.known()
            .is_none_or(|known| known.kube_config.and_then(|one| one.name_in(kind)) == Some(credential.name.as_str()))
    }

    /// Tells whether Flux impersonates an account for it.
    pub(super) fn is_as(&self, account: &str) -> bool {
        self.known().is_none_or(|known| known.service_account == Some(account))
    }

    /// Tells whether it may apply something in a namespace.
    pub(super) fn applies_to(&self, namespace: Option<&str>) -> bool {
        let place = self.known().and_then(|known| known.target_namespace);
        place.is_none() || place == namespace
    }

    fn known(&self) -> Option<&Known<'_>> {
        match self {
            Self::Known(known) => Some(known),
            Self::Unseen => None,
        }
    }
}

/// Reads the HelmReleases of a namespace: none where helm-controller is not installed, `None` where nobody can look at them.
pub(super) async fn helm_releases(
    build: &Cluster,
    served: &ServedVersions,
    namespace: &str,
) -> Result<Option<Vec<HelmRelease>>> {
    let Some(version) = served.first_of(HELM_RELEASE_GROUP, HELM_RELEASE_VERSIONS) else {
        return Ok((!served.has(HELM_RELEASE_GROUP)).then(Vec::new));
    };
    match build.list(&helm_release_resource(version), namespace).await {
        Ok(releases) => Ok(Some(releases)),
        Err(error) if error.status() == Some(403) => Ok(None),
        Err(error) => Err(error),
    }
}
