//! The verdict on a whole delivery, from the verdicts on its nodes. Pure.

use super::delivery::{Delivery, package_installs};
use super::dependencies::{self, Dependency, Kustomizations};
use super::expectation::{Expectation, short_revision};
use super::install::{self, Installed};
use super::kustomization::{self, Applied};
use super::source::{self, Source};
use super::{Cause, Failure, GracePeriod, Key, Stage, Verdict};
use crate::flux::{GitRepository, Kustomization};

/// The Flux objects of a delivery, as read.
#[derive(Clone, Copy)]
pub(crate) struct FluxObjects<'a> {
    /// The source.
    pub(crate) source: Option<&'a GitRepository>,
    /// The Kustomization that applies the Packages.
    pub(crate) packages: Option<&'a Kustomization>,
    /// The Kustomization that applies the PackageInstall.
    pub(crate) installs: Option<&'a Kustomization>,
    /// The Kustomizations that these may wait for.
    pub(crate) all: &'a dyn Kustomizations,
}

/// A verdict, and what may be done about it without a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assessment {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// The Kustomization that failed at a revision that counts, and may be asked to try once more.
    pub(crate) retry: Option<Key>,
    /// Whether it waits for other Kustomizations.
    pub(crate) dependency: DependencyState,
}

/// Whether a delivery waits for Kustomizations that are not its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DependencyState {
    /// It does not.
    #[default]
    None,
    /// It does, and what is known of them is in the verdict.
    Known,
    /// It does, and they have not been read.
    NotRead,
}

/// What the build cluster alone says of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FluxPart {
    /// Flux has applied a revision that counts, so that the run cluster decides.
    Applied {
        /// Whether Flux still waits for what it applied to become healthy.
        is_checking: bool,
    },
    /// Flux is not done, and what is on the run cluster does not count yet.
    Decides(Assessment),
}

impl From<Verdict> for Assessment {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, retry: None, dependency: DependencyState::None }
    }
}

/// Judges a delivery, parents before children; `installed` looks up a PackageInstall by namespace and name.
///
/// Adds the source's revision to the expectation once it counts.
pub(crate) fn assess<'a>(
    delivery: &Delivery,
    objects: FluxObjects<'_>,
    expectation: &mut Expectation,
    installed: impl Fn(&str, &str) -> Installed<'a>,
) -> Assessment {
    let is_checking = match assess_flux(delivery, objects, expectation) {
        FluxPart::Decides(assessment) => return assessment,
        FluxPart::Applied { is_checking } => is_checking,
    };
    match judge_installs(delivery, objects.installs, installed) {
        Verdict::Ready { .. } if is_checking => {
            Verdict::pending(Stage::Deploy, "installed; Flux has yet to finish its health checks").into()
        }
        // Flux lists what it has applied only after it began to check it.
        Verdict::Failed(failure) if is_checking && failure.cause == Cause::NotApplied => {
            Verdict::pending(Stage::Install, "applied; Flux has yet to list what").into()
        }
        verdict => verdict.into(),
    }
}

/// Judges the part of a delivery that is on the build cluster, without a look at the run cluster.
///
/// Adds the source's revision to the expectation once it counts.
pub(crate) fn assess_flux(delivery: &Delivery, objects: FluxObjects<'_>, expectation: &mut Expectation) -> FluxPart {
    let source_name = format!("{}/{}", delivery.source.0, delivery.source.1);
    match source::judge(objects.source, &source_name, expectation) {
        Source::At(revision) if expectation.reaches(&revision) => {}
        Source::At(revision) => {
            let commit = expectation.commit.as_deref().unwrap_or_default();
            let why = format!("waiting for commit {commit}; the source is at {}", short_revision(&revision));
            return FluxPart::Decides(Verdict::pending(Stage::Source, why).into());
        }
        Source::Not(verdict) => return FluxPart::Decides(verdict.into()),
    }
    let name = |name: &str| format!("{}/{name}", delivery.namespace);
    let packages =
        kustomization::judge(objects.packages, &name(&delivery.packages_kustomization), Stage::Packages, expectation);
    let installs =
        kustomization::judge(objects.installs, &name(&delivery.installs_kustomization), Stage::Install, expectation);
    for (applied, kustomization) in [&packages, &installs].into_iter().zip(delivery.kustomizations()) {
        if let Applied::Not(verdict @ Verdict::Failed(_)) = applied {
            let retry = Some(kustomization);
            return FluxPart::Decides(Assessment { verdict: verdict.clone(), retry, ..verdict.clone().into() });
        }
    }
    if let Some(assessment) = assess_dependencies(objects, [&packages, &installs], expectation) {
        return FluxPart::Decides(assessment);
    }
    let mut applied = Vec::new();
    for kustomization in [&packages, &installs] {
        match kustomization {
            Applied::Not(verdict) => return FluxPart::Decides(verdict.clone().into()),
            Applied::Yes(revision) | Applied::Checking(revision) => applied.push(revision),
        }
    }
    // A commit in between may bring a package and the constraint that selects it: both must come from one revision.
    if applied.first() != applied.last() {
        let why = format!(
            "waiting for Flux to apply {} on both sides",
            short_revision(expectation.newest().unwrap_or_default())
        );
        return FluxPart::Decides(Verdict::pending(Stage::Packages, why).into());
    }
    let is_checking = [&packages, &installs].iter().any(|applied| matches!(applied, Applied::Checking(_)));
    FluxPart::Applied { is_checking }
}

/// Judges what the Kustomizations of a delivery wait for; `None` where they wait for nothing.
fn assess_dependencies(
    objects: FluxObjects<'_>,
    applied: [&Applied; 2],
    expectation: &Expectation,
) -> Option<Assessment> {
    let stages = [(objects.packages, Stage::Packages), (objects.installs, Stage::Install)];
    let waiting = applied.into_iter().zip(stages).filter_map(|(applied, (object, stage))| {
        let Applied::Not(verdict) = applied else { return None };
        Some((verdict, dependencies::judge(object?, stage, expectation, objects.all)?))
    });
    let assessments = waiting.map(|(verdict, dependency)| match dependency {
        Dependency::Failed(failure, retry) => {
            Assessment { verdict: Verdict::Failed(failure), retry, dependency: DependencyState::Known }
        }
        Dependency::Pending => Assessment { dependency: DependencyState::Known, ..verdict.clone().into() },
        Dependency::NotRead => Assessment { dependency: DependencyState::NotRead, ..verdict.clone().into() },
    });
    // Of two, the one that fails says more.
    assessments.max_by_key(|assessment| matches!(assessment.verdict, Verdict::Failed(_)))
}

/// Judges all PackageInstalls that the Kustomization has applied: the least advanced one decides.
fn judge_installs<'a>(
    delivery: &Delivery,
    installs: Option<&Kustomization>,
    installed: impl Fn(&str, &str) -> Installed<'a>,
) -> Verdict {
    let names = installs.map(package_installs).unwrap_or_default();
    let judge = |(namespace, name): &(String, String)| {
        let installed = installed(namespace, name);
        match install::judge(&installed, namespace, name) {
            // Deleted by a user, it stays away until Flux applies again, which nobody but its user may hasten.
            Verdict::Pending { stage, why } if installed.install.is_none() => {
                let (name, namespace) = (&delivery.installs_kustomization, &delivery.namespace);
                Verdict::pending(
                    stage,
                    format!("{why}; at once with: flux reconcile kustomization {name} -n {namespace}"),
                )
            }
            verdict => verdict,
        }
    };
    let mut verdicts: Vec<Verdict> = names.iter().map(judge).collect();
    verdicts.sort_by_key(|verdict| match verdict {
        Verdict::Failed(_) => 0,
        Verdict::Unknown { .. } => 1,
        Verdict::Pending { .. } => 2,
        Verdict::Ready { .. } => 3,
    });
    verdicts.into_iter().next().unwrap_or_else(|| {
        Verdict::Failed(Failure {
            cause: Cause::NotApplied,
            stage: Stage::Install,
            object: format!("Kustomization {}/{}", delivery.namespace, delivery.installs_kustomization),
            message: "what it applied holds no PackageInstall".to_owned(),
            hint: format!(
                "add packageinstall.yaml to {}/{} in the GitOps repository",
                delivery.package, delivery.run_cluster
            ),
            grace_period: GracePeriod::None,
            attempt: None,
        })
    })
}
