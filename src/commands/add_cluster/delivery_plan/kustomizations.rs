//! What Flux is told: the two Kustomizations.

use serde_json::Value;

use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::gather::Facts;
use crate::flux::{KustomizationRequest, kustomization};
use crate::labels;
use crate::names;
use crate::plan::{Apply, Place};

/// Builds the Kustomizations of the Packages and of the PackageInstall.
pub(in crate::commands::add_cluster) fn kustomizations(answers: &Answers, facts: &Facts) -> [Value; 2] {
    let package = &facts.package.name;
    let request = KustomizationRequest {
        version: facts.versions.kustomization,
        namespace: &answers.namespace,
        package,
        run_cluster: &answers.run_cluster,
        target_namespace: &answers.target_namespace,
        credential: facts.credential(),
        service_account: facts.impersonated.as_ref().map(|impersonated| impersonated.account.as_str()),
    };
    let path = &facts.package.path;
    [
        kustomization(
            &request,
            &names::packages_kustomization(package, &answers.run_cluster),
            &format!("./{path}/packages"),
        ),
        kustomization(
            &request,
            &names::package_installs_kustomization(package, &answers.run_cluster),
            &format!("./{path}/{}", answers.run_cluster),
        ),
    ]
}

/// Applies the Kustomizations; labels of earlier runs stay.
pub(super) fn applies(answers: &Answers, facts: &Facts) -> impl Iterator<Item = Apply> {
    kustomizations(answers, facts).into_iter().map(|mut manifest| {
        let live = facts.live.of(Place::Build, &manifest);
        labels::add(&mut manifest, live, &answers.labels);
        if !facts.has_health_check_expressions
            && let Some(spec) = manifest["spec"].as_object_mut()
        {
            spec.remove("healthCheckExprs");
        }
        Apply { place: Place::Build, manifest }
    })
}
