//! What `add-cluster` refuses about what exists: pointing it at another place. Flux would prune what the old place holds, or
//! leave it behind without an owner.
//!
//! Whether two credentials lead to one cluster is told by the UIDs of what both may read.

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;

use crate::carvel::{PackageInstall, package_install_resource};
use crate::cluster::{Cluster, Role, User};
use crate::commands::add_cluster::clusters::Clusters;
use crate::commands::add_cluster::facts::ExistingCredential;
use crate::commands::add_cluster::request::Request;
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Kustomization, RunCredential, kustomization_resource};
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::PackageDirectory;
use crate::kubeconfig::{self, Endpoint};
use crate::labels;
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::observe::reach;

/// Refuses a run cluster's name that already points at another cluster.
pub(super) async fn same_cluster(
    clusters: &Clusters,
    request: &Request,
    existing: &ExistingCredential,
    run_uid: &str,
) -> Result<()> {
    let display = request.credential_reference(existing.kind).display();
    let other = match existing.object.annotations().get(labels::RUN_CLUSTER_UID) {
        Some(uid) if uid == run_uid => return Ok(()),
        Some(uid) => format!(
            "{display} points at the cluster with the kube-system UID {uid}, {} has {run_uid}",
            clusters.run.display()
        ),
        None => match compare_unmanaged(clusters, request, existing, run_uid).await {
            Ok(Comparison::Same) => return Ok(()),
            Ok(Comparison::Other(why)) => format!("{display} leads to another one: {why}"),
            unknown => {
                return Err(undetermined(&display, &clusters.run.display(), unknown.err()));
            }
        },
    };
    Err(Error::new(format!("the name `{}` is taken by another cluster", request.run_cluster))
        .because(other)
        .because("pointing it at this one would leave everything on the other without an owner")
        .hint(format!("choose another name for {}", clusters.run.display())))
}

/// Says that a credential may point at another cluster than `run`; `cause` is why it cannot be asked.
fn undetermined(credential: &str, run: &str, cause: Option<Error>) -> Error {
    let error = Error::new(format!("cannot determine which cluster the existing {credential} points at"));
    match cause {
        Some(cause) => error.because(cause),
        None => {
            error.because("there is nothing that both may read, and their addresses or certificate authorities differ")
        }
    }
    .hint(format!("choose another name for {run}"))
}

/// Asks the cluster that a credential of somebody else's points at whether it is the one that the user means.
async fn compare_unmanaged(
    clusters: &Clusters,
    request: &Request,
    existing: &ExistingCredential,
    run_uid: &str,
) -> Result<Comparison> {
    let kubeconfig = match existing.kind {
        RunCredential::Secret => kubeconfig::of_secret(&existing.object.data, None)?,
        RunCredential::ConfigMap => {
            let (namespace, run_cluster) = (&request.namespace, &request.run_cluster);
            reach::workload_identity_kubeconfig(&clusters.build, namespace, &existing.object, run_cluster).await?
        }
    };
    let endpoint = Endpoint::of_context(&kubeconfig, None, |_| Err(std::io::ErrorKind::NotFound.into()))?;
    let as_flux = Cluster::from_kubeconfig(Role::Run(request.run_cluster.clone()), kubeconfig, None).await?;
    let user = as_flux.user().await?;
    Ok(compare(clusters, request, &as_flux, user.as_ref(), &endpoint, run_uid).await)
}

/// Whether two credentials lead to one cluster.
pub(super) enum Comparison {
    Same,
    Other(String),
    Unknown,
}

/// Compares the UID of kube-system, else that of the user's own ServiceAccount, else those of other objects that both may
/// read, else the endpoints.
pub(super) async fn compare(
    clusters: &Clusters,
    request: &Request,
    as_flux: &Cluster,
    user: Option<&User>,
    endpoint: &Endpoint,
    run_uid: &str,
) -> Comparison {
    if let Ok(uid) = as_flux.uid().await {
        return if uid == run_uid {
            Comparison::Same
        } else {
            Comparison::Other(format!("its namespace kube-system has the UID {uid}, not {run_uid}"))
        };
    }
    if let Some(user) = user
        && let (Some(there), Some((namespace, name))) = (&user.uid, user.service_account())
    {
        let reference = ObjectReference {
            resource: api_resource("", "v1", "ServiceAccount"),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        };
        if let Ok(here) = clusters.run.get_metadata(&reference).await {
            return match here.and_then(|account| account.metadata.uid) {
                Some(here) if here == *there => Comparison::Same,
                Some(_) => Comparison::Other(format!("its {} is another one", reference.display())),
                None => Comparison::Other(format!("it has a {}, the other has none", reference.display())),
            };
        }
    }
    for reference in comparable(clusters, request).await {
        let (Ok(here), Ok(there)) =
            (clusters.run.get_metadata(&reference).await, as_flux.get_metadata(&reference).await)
        else {
            continue;
        };
        let uid = |object: &Option<PartialObjectMeta<DynamicObject>>| object.as_ref()?.metadata.uid.clone();
        match (uid(&here), uid(&there)) {
            (Some(here), Some(there)) if here == there => return Comparison::Same,
            (here, there) if here == there => {}
            (_, there) => {
                return Comparison::Other(match there {
                    Some(_) => format!("its {} is another one", reference.display()),
                    None => format!("it has no {}", reference.display()),
                });
            }
        }
    }
    if endpoint.is_same_server(&clusters.user_endpoint) { Comparison::Same } else { Comparison::Unknown }
}

/// Names objects that both are likely to be allowed to read.
async fn comparable(clusters: &Clusters, request: &Request) -> Vec<ObjectReference> {
    let namespace = &request.target_namespace;
    let mut references = vec![ObjectReference {
        resource: api_resource("", "v1", "Namespace"),
        namespace: None,
        name: namespace.clone(),
    }];
    for resource in [api_resource("", "v1", "Secret"), package_install_resource()] {
        // What cannot be listed is not compared.
        let objects = clusters.run.list_metadata(&resource, namespace).await.unwrap_or_default();
        let name = objects.into_iter().find_map(|object| object.metadata.name);
        references.extend(name.map(|name| ObjectReference {
            resource: resource.clone(),
            namespace: Some(namespace.clone()),
            name,
        }));
    }
    references
}

/// Refuses to change where an existing Kustomization reads from or applies to. Returns the names of those that replace
/// variables in what they apply.
pub(super) async fn same_kustomizations(
    build: &Cluster,
    request: &Request,
    versions: FluxVersions,
    kind: RunCredential,
) -> Result<Vec<String>> {
    let package = request.package_name();
    let mut substituting = Vec::new();
    let expected = [
        (names::packages_kustomization(package, &request.run_cluster), format!("{}/packages", request.package)),
        (
            names::package_installs_kustomization(package, &request.run_cluster),
            format!("{}/{}", request.package, request.run_cluster),
        ),
    ];
    let credential_field = format!("spec.kubeConfig.{}.name", kind.field());
    for (name, path) in expected {
        let existing: Option<Kustomization> =
            build.read(&kustomization_resource(versions.kustomization), &request.namespace, &name).await?;
        let Some(existing) = existing else { continue };
        let spec = &existing.spec;
        let named = spec.kube_config.as_ref().and_then(|config| config.name_in(kind)).unwrap_or_default();
        let fields = [
            ("spec.path", names::normalised_path(&spec.path).to_owned(), path),
            ("spec.sourceRef.name", spec.source_ref.name.clone(), names::git_repository(package)),
            (credential_field.as_str(), named.to_owned(), names::kubeconfig(&request.run_cluster)),
            (
                "spec.targetNamespace",
                spec.target_namespace.clone().unwrap_or_default(),
                request.target_namespace.clone(),
            ),
        ];
        for (field, is, would_be) in fields {
            if is != would_be {
                return Err(Error::new(format!(
                    "Kustomization {}/{name} exists and has another {field}: `{is}`, not `{would_be}`",
                    request.namespace
                ))
                .because("changing it would make Flux prune what it has applied")
                .hint("deliver to the same place, or under another run cluster name"));
            }
        }
        if spec.replaces_variables {
            substituting.push(format!("{}/{name}", request.namespace));
        }
    }
    Ok(substituting)
}

/// Refuses to replace a kubeconfig of somebody else's with which Flux delivers to other namespaces as well: the deployer
/// that takes its place may do nothing there.
pub(super) async fn no_other_namespaces(
    build: &Cluster,
    request: &Request,
    kind: RunCredential,
    versions: FluxVersions,
) -> Result<()> {
    let credential = names::kubeconfig(&request.run_cluster);
    let kustomizations: Vec<Kustomization> =
        build.list(&kustomization_resource(versions.kustomization), &request.namespace).await?;
    let is_cut_off = |kustomization: &&Kustomization| {
        let spec = &kustomization.spec;
        let uses_it = spec.kube_config.as_ref().and_then(|config| config.name_in(kind)) == Some(credential.as_str());
        uses_it && spec.target_namespace.as_ref() != Some(&request.target_namespace)
    };
    let names: Vec<String> = kustomizations
        .iter()
        .filter(is_cut_off)
        .map(|one| format!("{}/{}", request.namespace, one.name_any()))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::new(format!("other deliveries to {} would lose their credential", request.run_cluster))
        .because(format!("Kustomization {} applies to another namespace with it", names.join(", ")))
        .hint("leave --auth out, so that the kubeconfig stays as it is; or take these deliveries away from it first"))
}

/// Refuses to turn an existing install into another one: of another package, or another owner's on the run cluster.
pub(super) async fn same_install(
    run: &Cluster,
    request: &Request,
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
            .hint("list packageinstall.yaml and params.yaml in it and manage the directory yourself, or remove it"));
    }
    let name = directory.install.as_ref().map_or(package.name.as_str(), |install| install.name.as_str());
    let existing: Option<PackageInstall> =
        run.read(&package_install_resource(), &request.target_namespace, name).await?;
    let Some(existing) = existing else { return Ok(()) };
    let kustomization = names::package_installs_kustomization(&package.name, &request.run_cluster);
    let label = |key: &str| existing.labels().get(key).cloned();
    let owner = label("kustomize.toolkit.fluxcd.io/name");
    let owner_namespace = label("kustomize.toolkit.fluxcd.io/namespace");
    let is_made_by_hand = owner.is_none() && existing.spec.package_ref.ref_name == package.ref_name;
    if is_made_by_hand && request.force_conflicts {
        return Ok(());
    }
    if owner.as_ref() != Some(&kustomization) || owner_namespace.as_ref() != Some(&request.namespace) {
        return Err(Error::new(format!(
            "PackageInstall {}/{name} exists on {} and is not this delivery's",
            request.target_namespace,
            run.display()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::assert_printed;

    #[test]
    fn a_cluster_that_cannot_be_told_apart_is_not_guessed() {
        let error = |cause| undetermined("Secret dev/prod1-kubeconfig", "the run cluster `prod1`", cause);
        assert_printed("nothing_to_compare", &error(None));
        assert_printed("cluster_that_does_not_answer", &error(Some(Error::new("connection refused"))));
    }
}
