//! What the objects that were read say about a delivery. Pure.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::Surveyed;
use super::versions::versions;
use crate::conditions;
use crate::flux::{GitRepository, Kustomization};
use crate::observe::delivery::{Delivery, find};
use crate::observe::expectation::Expectation;
use crate::observe::target::Target;
use crate::observe::verdict::{FluxObjects, assess, package_installs};
use crate::observe::{Stage, Verdict};

/// The Flux objects, by namespace and name.
pub(super) struct Flux {
    pub(super) sources: BTreeMap<(String, String), GitRepository>,
    pub(super) kustomizations: BTreeMap<(String, String), Kustomization>,
}

impl Flux {
    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        find(self.kustomizations.values())
    }

    /// Returns the resourceVersions of a delivery's objects.
    pub(super) fn versions(&self, delivery: &Delivery) -> [Option<String>; 3] {
        let objects = self.objects(delivery);
        [
            objects.source.and_then(ResourceExt::resource_version),
            objects.packages.and_then(ResourceExt::resource_version),
            objects.installs.and_then(ResourceExt::resource_version),
        ]
    }

    fn objects(&self, delivery: &Delivery) -> FluxObjects<'_> {
        let kustomization = |name: &String| self.kustomizations.get(&(delivery.namespace.clone(), name.clone()));
        FluxObjects {
            source: self.sources.get(&delivery.source),
            packages: kustomization(&delivery.packages_kustomization),
            installs: kustomization(&delivery.installs_kustomization),
        }
    }
}

/// Judges a delivery on the revision that its source has.
pub(super) fn judge(flux: &Flux, targets: &BTreeMap<String, Result<Target, Verdict>>, delivery: &Delivery) -> Surveyed {
    let objects = flux.objects(delivery);
    let target = targets.get(&delivery.target_namespace);
    let readable = target.and_then(|target| target.as_ref().ok());
    let installed = |_: &str, name: &str| readable.map(|target| target.installed(name, false)).unwrap_or_default();
    let mut expectation = Expectation::default();
    let assessment = assess(delivery, objects, &mut expectation, installed);
    let verdict = match (assessment.verdict, target) {
        // What Flux has yet to do is known also where the run cluster is not.
        (
            verdict @ (Verdict::Failed(_) | Verdict::Pending { stage: Stage::Source | Stage::Packages, .. }),
            Some(Err(_)),
        ) if objects.installs.is_none_or(|installs| package_installs(installs).is_empty()) => verdict,
        (_, Some(Err(unknown))) => unknown.clone(),
        (verdict, _) => verdict,
    };
    let names = objects.installs.map(package_installs).unwrap_or_default();
    Surveyed {
        revision: objects.source.and_then(|source| Some(source.status.as_ref()?.artifact.as_ref()?.revision.clone())),
        flux: [ready_word(objects.packages), ready_word(objects.installs)],
        versions: readable.zip(names.first()).and_then(|(target, (_, name))| versions(target, name)),
        verdict,
        delivery: delivery.clone(),
    }
}

/// Returns Flux's own `Ready`, with the reason where it is not `True`.
fn ready_word(kustomization: Option<&Kustomization>) -> String {
    let Some(kustomization) = kustomization else { return "missing".to_owned() };
    let status = kustomization.status.as_ref();
    let ready = status.and_then(|status| conditions::find(&status.conditions, "Ready"));
    match ready {
        Some(ready) if ready.is_true() => "True".to_owned(),
        Some(ready) => format!("{} {}", ready.status, ready.reason),
        None => "Unknown".to_owned(),
    }
}
