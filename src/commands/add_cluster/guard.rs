//! What `add-cluster` refuses: pointing something that exists at another place. Flux would prune what the old place
//! holds, or leave it behind without an owner.

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use super::answers::Answers;
use super::authentication::{Found, reference};
use super::comparison::{Comparison, compare};
use crate::carvel::{PackageInstall, package_install_resource};
use crate::cluster::{Cluster, Role};
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Kustomization, RunCredential, kustomization_resource};
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::PackageDirectory;
use crate::kubeconfig::{self, Endpoint};
use crate::labels;
use crate::names;
use crate::object::ObjectReference;
use crate::observe::workload_identity;

/// Refuses a run cluster's name that already points at another cluster.
pub(super) async fn same_cluster(answers: &Answers, found: &Found, run_uid: &str) -> Result<()> {
    let display = reference(answers, found.credential).display();
    let other = match found.object.annotations().get(labels::RUN_CLUSTER_UID) {
        Some(uid) if uid == run_uid => return Ok(()),
        Some(uid) => format!(
            "{display} points at the cluster with the kube-system UID {uid}, {} has {run_uid}",
            answers.run.display()
        ),
        None => match compare_made_by_hand(answers, found, run_uid).await {
            Ok(Comparison::Same) => return Ok(()),
            Ok(Comparison::Other(why)) => format!("{display} leads to another one: {why}"),
            unknown => {
                let error = Error::new(format!("cannot determine which cluster the existing {display} points at"));
                let error = match unknown {
                    Err(cause) => error.because(cause),
                    Ok(_) => error.because(
                        "there is nothing that both may read, and their addresses or certificate authorities differ",
                    ),
                };
                return Err(error.hint(format!("choose another name for {}", answers.run.display())));
            }
        },
    };
    Err(Error::new(format!("the name `{}` is taken by another cluster", answers.run_cluster))
        .because(other)
        .because("pointing it at this one would leave everything on the other without an owner")
        .hint(format!("choose another name for {}", answers.run.display())))
}

/// Asks the cluster that something made by hand points at whether it is the one that the user means.
async fn compare_made_by_hand(answers: &Answers, found: &Found, run_uid: &str) -> Result<Comparison> {
    let kubeconfig = match found.credential {
        RunCredential::Secret => kubeconfig::of_secret(&found.object.data, None)?,
        RunCredential::ConfigMap => {
            let (namespace, run_cluster) = (&answers.namespace, &answers.run_cluster);
            workload_identity::kubeconfig(&answers.build, namespace, &found.object, run_cluster).await?
        }
    };
    let endpoint = Endpoint::of_context(&kubeconfig, None, |_| Err(std::io::ErrorKind::NotFound.into()))?;
    let as_flux = Cluster::from_kubeconfig(Role::Run(answers.run_cluster.clone()), kubeconfig, None).await?;
    let user = as_flux.user().await?;
    Ok(compare(answers, &as_flux, user.as_ref(), &endpoint, run_uid).await)
}

/// Refuses to change where an existing Kustomization reads from or applies to.
pub(super) async fn same_kustomizations(
    answers: &Answers,
    versions: FluxVersions,
    credential: RunCredential,
) -> Result<()> {
    let package = &answers.package;
    let expected = [
        (names::packages_kustomization(package, &answers.run_cluster), format!("{}/packages", answers.package_path)),
        (
            names::package_installs_kustomization(package, &answers.run_cluster),
            format!("{}/{}", answers.package_path, answers.run_cluster),
        ),
    ];
    let credential_field = format!("spec.kubeConfig.{}.name", credential.field());
    for (name, path) in expected {
        let existing: Option<Kustomization> =
            answers.build.read(&kustomization_resource(versions.kustomization), &answers.namespace, &name).await?;
        let Some(existing) = existing else { continue };
        let spec = &existing.spec;
        let named = spec.kube_config.as_ref().and_then(|config| config.name_in(credential)).unwrap_or_default();
        let fields = [
            ("spec.path", names::normalised_path(&spec.path).to_owned(), path),
            ("spec.sourceRef.name", spec.source_ref.name.clone(), names::git_repository(package)),
            (credential_field.as_str(), named.to_owned(), names::kubeconfig(&answers.run_cluster)),
            (
                "spec.targetNamespace",
                spec.target_namespace.clone().unwrap_or_default(),
                answers.target_namespace.clone(),
            ),
        ];
        for (field, is, would_be) in fields {
            if is != would_be {
                return Err(Error::new(format!(
                    "Kustomization {}/{name} exists and has another {field}: `{is}`, not `{would_be}`",
                    answers.namespace
                ))
                .because("changing it would make Flux prune what it has applied")
                .hint("deliver to the same place, or under another run cluster name"));
            }
        }
    }
    Ok(())
}

/// Refuses to write an object on the run cluster that belongs to another build cluster, another namespace or a person:
/// every plugin writes with one field manager, so that the API server would see no conflict.
pub(super) fn same_owner(answers: &Answers, manifest: &Value, live: &DynamicObject) -> Result<()> {
    let wanted = |key: &str| manifest["metadata"]["annotations"][key].as_str().unwrap_or_default();
    let owner = |key: &str| live.annotations().get(key).map(String::as_str).unwrap_or_default();
    let keys = [labels::BUILD_CLUSTER_UID, labels::BUILD_NAMESPACE];
    if keys.iter().all(|key| owner(key) == wanted(key)) {
        return Ok(());
    }
    let is_made_by_hand = keys.iter().all(|key| owner(key).is_empty());
    if is_made_by_hand && answers.takes_over {
        return Ok(());
    }
    let display = ObjectReference::of(manifest)?.display();
    let error = Error::new(format!("{display} on {} belongs to another owner", answers.run.display()));
    Err(if is_made_by_hand {
        error
            .because("it was not made by this plugin")
            .hint("to take it over, give --force-conflicts; or deliver to another target namespace")
    } else {
        error
            .because(format!(
                "it serves namespace {} of the build cluster with the kube-system UID {}",
                owner(labels::BUILD_NAMESPACE),
                owner(labels::BUILD_CLUSTER_UID)
            ))
            .hint("deliver to another target namespace")
    })
}

/// Refuses to turn an existing install into another one: of another package, or another owner's on the run cluster.
pub(super) async fn same_install(
    answers: &Answers,
    package: &PackageDirectory,
    directory: &RunClusterDirectory,
) -> Result<()> {
    if let Some(existing) = &directory.install
        && let Some(ref_name) = existing.ref_name.as_ref().filter(|ref_name| **ref_name != package.ref_name)
    {
        return Err(Error::new(format!("{} installs `{ref_name}`, not `{}`", existing.file, package.ref_name))
            .because("changing it would remove the installed package")
            .hint("choose another run cluster name, or correct the file in the repository"));
    }
    if let Some(kustomization) = &directory.kustomization {
        return Err(Error::new(format!("{kustomization} decides what Flux applies from {}", directory.path))
            .because("files that it does not list would be ignored")
            .hint("list packageinstall.yaml and params.yaml in it and manage the directory by hand, or remove it"));
    }
    let name = directory.install.as_ref().map_or(package.name.as_str(), |install| install.name.as_str());
    let existing: Option<PackageInstall> =
        answers.run.read(&package_install_resource(), &answers.target_namespace, name).await?;
    let Some(existing) = existing else { return Ok(()) };
    let kustomization = names::package_installs_kustomization(&package.name, &answers.run_cluster);
    let label = |key: &str| existing.labels().get(key).cloned();
    let owner = label("kustomize.toolkit.fluxcd.io/name");
    let owner_namespace = label("kustomize.toolkit.fluxcd.io/namespace");
    let is_made_by_hand = owner.is_none() && existing.spec.package_ref.ref_name == package.ref_name;
    if is_made_by_hand && answers.takes_over {
        return Ok(());
    }
    if owner.as_ref() != Some(&kustomization) || owner_namespace.as_ref() != Some(&answers.namespace) {
        return Err(Error::new(format!(
            "PackageInstall {}/{name} exists on {} and is not this delivery's",
            answers.target_namespace,
            answers.run.display()
        ))
        .because(match owner {
            Some(owner) => {
                format!("Flux applies it from the Kustomization {}/{owner}", owner_namespace.unwrap_or_default())
            }
            None => "it was made without Flux".to_owned(),
        })
        .hint(if is_made_by_hand {
            "to take it over, give --force-conflicts; or deliver to another target namespace"
        } else {
            "deliver to another target namespace, or delete it first"
        }));
    }
    Ok(())
}
