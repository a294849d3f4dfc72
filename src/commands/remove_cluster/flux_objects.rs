//! Which Flux objects the namespace holds, and which of them use a credential or an account.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::removal_record::RemovedDelivery;
use crate::check;
use crate::cluster::{Cluster, ServedVersions};
use crate::error::Result;
use crate::flux::{
    FluxVersions, HELM_RELEASE_GROUP, HELM_RELEASE_VERSIONS, HelmRelease, KubeConfig, Kustomization, RunCredential,
    helm_release_resource, kustomization_resource,
};
use crate::object::ObjectReference;
use crate::observe::delivery::find;

/// What there is in the namespace of the Flux objects.
pub(super) struct FluxObjects {
    pub(super) versions: FluxVersions,
    pub(super) kustomizations: Vec<Kustomization>,
    /// `None` where the user may not list them.
    pub(super) helm_releases: Option<Vec<HelmRelease>>,
}

impl FluxObjects {
    pub(super) async fn read(build: &Cluster, namespace: &str) -> Result<Self> {
        let served = build.served_versions().await?;
        let versions = check::flux(build, &served)?;
        let resource = kustomization_resource(versions.kustomization);
        let (kustomizations, helm_releases) =
            futures::join!(build.list(&resource, namespace), helm_releases(build, &served, namespace));
        Ok(Self { versions, kustomizations: kustomizations?, helm_releases: helm_releases? })
    }

    /// Lists the run clusters that something is delivered to, each with its packages.
    pub(super) fn delivered(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut delivered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for delivery in find(&self.kustomizations) {
            delivered.entry(delivery.run_cluster).or_default().insert(delivery.package);
        }
        delivered
    }

    /// Returns a Kustomization by name.
    pub(super) fn kustomization(&self, name: &str) -> Option<&Kustomization> {
        self.kustomizations.iter().find(|one| one.name_any() == name)
    }

    /// Returns the Kustomizations of a delivery, so far as they exist, that of the PackageInstall first.
    pub(super) fn kustomizations_of(&self, removed: &RemovedDelivery) -> [Option<&Kustomization>; 2] {
        removed.kustomizations().map(|name| self.kustomization(name))
    }

    /// Names a Kustomization.
    pub(super) fn reference(&self, namespace: &str, kustomization: &str) -> ObjectReference {
        ObjectReference::namespaced(&kustomization_resource(self.versions.kustomization), namespace, kustomization)
    }

    /// Returns what may use a credential, with the given ones of the Kustomizations.
    pub(super) fn consumers<'a>(
        &'a self,
        kustomizations: impl Iterator<Item = &'a Kustomization>,
    ) -> impl Iterator<Item = CredentialConsumer<'a>> {
        let releases = self.helm_releases.iter().flatten().map(CredentialConsumer::from);
        let unlisted = self.helm_releases.is_none().then_some(CredentialConsumer::Unlisted);
        kustomizations.map(CredentialConsumer::from).chain(releases).chain(unlisted)
    }
}

/// Reads the HelmReleases of a namespace: none where helm-controller is not installed, `None` where the user may not list them.
async fn helm_releases(build: &Cluster, served: &ServedVersions, namespace: &str) -> Result<Option<Vec<HelmRelease>>> {
    let Some(version) = served.first_of(HELM_RELEASE_GROUP, HELM_RELEASE_VERSIONS) else {
        return Ok((!served.has(HELM_RELEASE_GROUP)).then(Vec::new));
    };
    match build.list(&helm_release_resource(version), namespace).await {
        Ok(releases) => Ok(Some(releases)),
        Err(error) if error.status() == Some(403) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Something of Flux that may use a credential of a run cluster, or impersonate an account.
pub(super) enum CredentialConsumer<'a> {
    Listed(Listed<'a>),
    /// HelmReleases that the user may not list.
    Unlisted,
}

/// A Kustomization or a HelmRelease, so far as it matters here.
pub(super) struct Listed<'a> {
    kind: &'static str,
    name: String,
    kube_config: Option<&'a KubeConfig>,
    service_account: Option<&'a str>,
    /// The namespace of everything that it applies; `None` where that may be any.
    target_namespace: Option<&'a str>,
}

impl<'a> From<&'a Kustomization> for CredentialConsumer<'a> {
    fn from(kustomization: &'a Kustomization) -> Self {
        Self::Listed(Listed {
            kind: "Kustomization",
            name: kustomization.name_any(),
            kube_config: kustomization.spec.kube_config.as_ref(),
            service_account: kustomization.spec.service_account_name.as_deref(),
            target_namespace: kustomization.spec.target_namespace.as_deref(),
        })
    }
}

impl<'a> From<&'a HelmRelease> for CredentialConsumer<'a> {
    fn from(release: &'a HelmRelease) -> Self {
        Self::Listed(Listed {
            kind: "HelmRelease",
            name: release.name_any(),
            kube_config: release.spec.kube_config.as_ref(),
            service_account: release.spec.service_account_name.as_deref(),
            // Charts name namespaces of their own.
            target_namespace: None,
        })
    }
}

impl CredentialConsumer<'_> {
    /// Says why what it uses stays, such as "HelmRelease redis uses it".
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Listed(Listed { kind, name, .. }) => format!("{kind} {name} uses it"),
            Self::Unlisted => "a HelmRelease may use it, and they cannot be listed".to_owned(),
        }
    }

    /// Tells whether it reaches its cluster with a credential.
    pub(super) fn uses(&self, credential: &ObjectReference) -> bool {
        let kind = match credential.resource.kind.as_str() {
            "ConfigMap" => RunCredential::ConfigMap,
            _ => RunCredential::Secret,
        };
        self.listed()
            .is_none_or(|known| known.kube_config.and_then(|one| one.name_in(kind)) == Some(credential.name.as_str()))
    }

    /// Tells whether Flux impersonates an account for it.
    pub(super) fn impersonates(&self, account: &str) -> bool {
        self.listed().is_none_or(|known| known.service_account == Some(account))
    }

    /// Tells whether it may apply something in a namespace.
    pub(super) fn applies_to(&self, namespace: Option<&str>) -> bool {
        let place = self.listed().and_then(|known| known.target_namespace);
        place.is_none() || place == namespace
    }

    fn listed(&self) -> Option<&Listed<'_>> {
        match self {
            Self::Listed(listed) => Some(listed),
            Self::Unlisted => None,
        }
    }
}
