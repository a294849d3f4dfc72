//! Fresh reads of everything about one delivery, parents before children.

use std::collections::BTreeMap;

use super::FluxVersions;
use super::track::Retry;
use kube::ResourceExt;

use crate::carvel::App;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::flux::{
    GitRepository, Kustomization, RECONCILE_REQUESTED_AT, git_repository_resource, kustomization_resource,
};
use crate::observe::delivery::Delivery;
use crate::observe::expectation::Expectation;
use crate::observe::reach::{ReadInstalled, read_installed};
use crate::observe::verdict::{Assessment, FluxObjects, FluxPart, assess, assess_flux, package_installs};

/// What is to be read.
pub(super) struct Inquiry {
    pub(super) index: usize,
    pub(super) build: Cluster,
    pub(super) versions: FluxVersions,
    pub(super) delivery: Delivery,
    pub(super) cluster: Option<Cluster>,
    pub(super) expectation: Expectation,
    pub(super) retry: Option<Retry>,
    /// The Apps that have not changed for a while, by namespace and name, in this resourceVersion.
    pub(super) settled: BTreeMap<(String, String), Option<String>>,
}

/// What was read.
pub(super) struct Confirmation {
    pub(super) index: usize,
    pub(super) assessment: Result<Assessment>,
    /// Whether the Kustomization has made the retry that was requested of it.
    pub(super) is_answered: bool,
    pub(super) expectation: Expectation,
}

impl Inquiry {
    /// Reads, and judges what was read.
    pub(super) async fn make(mut self) -> Confirmation {
        let mut is_answered = false;
        let assessment = self.read_and_assess(&mut is_answered).await;
        Confirmation { index: self.index, assessment, is_answered, expectation: self.expectation }
    }

    async fn read_and_assess(&mut self, is_answered: &mut bool) -> Result<Assessment> {
        let delivery = &self.delivery;
        let namespace = &delivery.namespace;
        let source: Option<GitRepository> = self
            .build
            .read(&git_repository_resource(self.versions.source), &delivery.source.0, &delivery.source.1)
            .await?;
        let kind = kustomization_resource(self.versions.kustomization);
        let packages: Option<Kustomization> =
            self.build.read(&kind, namespace, &delivery.packages_kustomization).await?;
        let installs: Option<Kustomization> =
            self.build.read(&kind, namespace, &delivery.installs_kustomization).await?;
        *is_answered = self.retry.as_ref().is_none_or(|retry| {
            let asked = if retry.kustomization == delivery.packages_kustomization { &packages } else { &installs };
            let handled = asked.as_ref().and_then(|object| object.status.as_ref()?.last_handled_reconcile_at.as_ref());
            // Somebody else's later request overwrites ours; its answer is as good.
            let newest = asked.as_ref().and_then(|object| object.annotations().get(RECONCILE_REQUESTED_AT));
            handled.is_some() && (handled == Some(&retry.token) || handled == newest)
        });
        let objects = FluxObjects { source: source.as_ref(), packages: packages.as_ref(), installs: installs.as_ref() };
        // A run cluster that cannot be read does not hide why Flux fails there.
        if let FluxPart::Decides(assessment) = assess_flux(delivery, objects, &mut self.expectation) {
            return Ok(assessment);
        }
        let mut installed: BTreeMap<(String, String), ReadInstalled> = BTreeMap::new();
        if let (Some(cluster), Some(installs)) = (&self.cluster, &installs) {
            for (namespace, name) in package_installs(installs) {
                let read = read_installed(cluster, &namespace, &name).await?;
                installed.insert((namespace, name), read);
            }
        }
        let settled = &self.settled;
        let lookup = |namespace: &str, name: &str| {
            let key = (namespace.to_owned(), name.to_owned());
            installed.get(&key).map(|read| read.view(is_same(settled.get(&key), read.app.as_ref()))).unwrap_or_default()
        };
        Ok(assess(delivery, objects, &mut self.expectation, lookup))
    }
}

/// Tells whether the App that was just read is the one that has not changed for a while.
fn is_same(settled: Option<&Option<String>>, app: Option<&App>) -> bool {
    settled.is_some_and(|version| app.is_some_and(|app| app.metadata.resource_version == *version))
}
