//! What Flux is told: the two Kustomizations.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::gather::Facts;
use crate::error::{Error, Result};
use crate::flux::{KustomizationRequest, kustomization};
use crate::labels;
use crate::names;
use crate::object::ObjectReference;
use crate::plan::{Apply, Place, change_from};

/// Builds the Kustomizations of the Packages and of the PackageInstall.
pub(super) fn kustomizations(answers: &Answers, facts: &Facts) -> [Value; 2] {
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

/// Asks the build cluster what applying a Kustomization changes; labels of earlier runs stay.
pub(super) async fn apply(answers: &Answers, mut manifest: Value) -> Result<Apply> {
    let live = answers.build.get(&ObjectReference::of(&manifest)?).await?;
    labels::add(&mut manifest, live.as_ref(), &answers.labels);
    let manifest = without_unknown_fields(&answers.build, manifest).await?;
    let change = change_from(&answers.build, live, &manifest).await?;
    Ok(Apply { place: Place::Build, manifest, change })
}

/// Leaves `healthCheckExprs` out where the API server does not know it: before Flux 2.5. A workload identity cannot be left
/// out: Flux knows it since 2.7.
async fn without_unknown_fields(build: &Cluster, mut manifest: Value) -> Result<Value> {
    if let Err(error) = build.apply(&manifest, true).await {
        if error.to_string().contains("configMapRef") {
            return Err(Error::new(format!("Flux on {} knows no workload identities", build.display()))
                .because(&error)
                .hint("upgrade Flux to 2.7 or newer, or choose another way to authenticate"));
        }
        if !error.to_string().contains("healthCheckExprs") {
            return Err(error);
        }
        if let Some(spec) = manifest["spec"].as_object_mut() {
            spec.remove("healthCheckExprs");
        }
    }
    Ok(manifest)
}
