//! What is deleted in Git: the directories of the deliveries, one commit for each repository that holds some.

use std::time::Duration;

use kube::ResourceExt;
use tokio::time::Instant;

use super::build_cluster::BuildCluster;
use super::clusters::Clusters;
use super::removal_record::RemovedDelivery;
use super::request::Request;
use crate::commands::{git, merge};
use crate::error::{Error, Result};
use crate::flux::{GitRepository, Kustomization, git_repository_resource, kustomization_resource};
use crate::gitops::checkout::Checkout;
use crate::gitops::tree::{FileChange, without_directory};
use crate::gitops::url::GitUrl;
use crate::names;
use crate::ui::Ui;

/// What is deleted from the repositories, and what is not.
#[derive(Debug, Default)]
pub(super) struct Repositories {
    pub(super) changes: Vec<RepositoryChange>,
    /// What stays, and why.
    pub(super) left: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// What is deleted from one repository.
#[derive(Debug)]
pub(super) struct RepositoryChange {
    /// The repository, as messages name it.
    pub(super) repository: String,
    pub(super) files: Vec<FileChange>,
    /// The packages that the files belong to.
    pub(super) packages: Vec<String>,
}

impl Repositories {
    /// Clones what Flux reads the deliveries from, and proves that it can be written to; returns a checkout for each change.
    pub(super) async fn read(
        request: &Request,
        clusters: &Clusters,
        build: &BuildCluster,
        ui: Ui,
    ) -> Result<(Self, Vec<Checkout>)> {
        let (mut repositories, mut checkouts) = (Self::default(), Vec::<Checkout>::new());
        if request.keep_git {
            return Ok((repositories, checkouts));
        }
        if build.removed.is_empty() {
            repositories.left.push(format!(
                "files for `{}` stay in Git, if there are any: nobody knows any more of which package; name it with --package",
                request.run_cluster
            ));
            return Ok((repositories, checkouts));
        }
        let elsewhere = elsewhere(request, clusters, build).await?;
        let consumers: Vec<&Kustomization> = build.staying().chain(elsewhere.as_deref().unwrap_or_default()).collect();
        for removed in &build.removed {
            let source = source(clusters, build, removed).await?;
            let url = GitUrl::parse(&source.spec.url);
            let branch = git::branch_to_push_to(&source).map_err(or_keep_git)?;
            if let Some(reader) = other_reader(clusters, build, &consumers, removed, &url).await? {
                repositories.left.push(format!("{} stays in Git: {reader} reads it, too", removed.directory));
                continue;
            }
            let known =
                checkouts.iter().position(|one| one.url().to_string() == url.to_string() && one.followed() == branch);
            let index = if let Some(index) = known {
                index
            } else {
                let access = clusters.git_access(request);
                let checkout = git::writable_checkout(ui, &clusters.build, &source, &access, &request.commit)
                    .await
                    .map_err(or_keep_git)?;
                let repository = checkout.display();
                repositories.changes.push(RepositoryChange { repository, files: Vec::new(), packages: Vec::new() });
                checkouts.push(checkout);
                checkouts.len() - 1
            };
            let files = without_directory(checkouts[index].root(), &removed.directory)?;
            let change = &mut repositories.changes[index];
            if !files.is_empty() {
                change.packages.push(removed.package.clone());
            }
            change.files.extend(files);
        }
        if elsewhere.is_none() && repositories.changes.iter().any(|change| !change.files.is_empty()) {
            repositories.warnings.push(format!(
                "another namespace of {} may read these files, too: you may not list its Kustomizations; to leave the \
                 files in Git: --keep-git",
                clusters.build.display()
            ));
        }
        Ok((repositories, checkouts))
    }
}

/// Waits until pull requests have removed the files of the deliveries from the branches that Flux follows.
pub(super) async fn wait_for_merge(
    ui: Ui,
    request: &Request,
    clusters: &Clusters,
    build: &BuildCluster,
    timeout: Duration,
) -> Result<()> {
    let deadline = Instant::now() + timeout;
    loop {
        let (repositories, checkouts) = Repositories::read(request, clusters, build, ui).await?;
        let mut all = checkouts.iter().zip(&repositories.changes);
        let Some((checkout, change)) = all.find(|(_, change)| !change.files.is_empty()) else { return Ok(()) };
        let what = format!("the removal of {} from {}", change.files[0].path, checkout.display());
        let waited = merge::wait(ui, deadline, &what, async || checkout.has_moved().await).await?;
        waited.or(|| {
            let files: Vec<&str> = change.files.iter().map(|file| file.path.as_str()).collect();
            merge::overdue(format!("{} still holds {}", checkout.display(), files.join(", ")))
                .hint("or remove the delivery without a pull request: leave --wait-for-merge out")
        })?;
    }
}

/// Returns the repository that Flux reads a delivery from.
async fn source(clusters: &Clusters, build: &BuildCluster, removed: &RemovedDelivery) -> Result<GitRepository> {
    let (namespace, name) = &removed.source;
    let resource = git_repository_resource(build.flux.versions.source);
    let repository: Option<GitRepository> = clusters.build.read(&resource, namespace, name).await?;
    repository.ok_or_else(|| {
        or_keep_git(Error::new(format!(
            "GitRepository {namespace}/{name}, which holds {}, does not exist on {}",
            removed.directory,
            clusters.build.display()
        )))
    })
}

fn or_keep_git(error: Error) -> Error {
    error.hint("leave the files in Git, where they have no effect without Flux: --keep-git")
}

/// Returns the Kustomizations of all other namespaces; `None` where the user may not list them.
async fn elsewhere(request: &Request, clusters: &Clusters, build: &BuildCluster) -> Result<Option<Vec<Kustomization>>> {
    let resource = kustomization_resource(build.flux.versions.kustomization);
    match clusters.build.list_in::<Kustomization>(&resource, None).await {
        Ok(mut all) => {
            all.retain(|one| one.namespace().as_ref() != Some(&request.namespace));
            Ok(Some(all))
        }
        Err(error) if error.status() == Some(403) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns a Kustomization that stays and reads the same directory of the same repository: another build namespace may use
/// the same name for a run cluster.
async fn other_reader(
    clusters: &Clusters,
    build: &BuildCluster,
    consumers: &[&Kustomization],
    removed: &RemovedDelivery,
    url: &GitUrl,
) -> Result<Option<String>> {
    let sources = git_repository_resource(build.flux.versions.source);
    for kustomization in consumers {
        let spec = &kustomization.spec;
        if names::normalised_path(&spec.path) != removed.directory || spec.source_ref.kind != "GitRepository" {
            continue;
        }
        let own = kustomization.namespace().unwrap_or_default();
        let namespace = spec.source_ref.namespace.as_ref().unwrap_or(&own);
        let source: Option<GitRepository> = clusters.build.read(&sources, namespace, &spec.source_ref.name).await?;
        if source.is_some_and(|source| GitUrl::parse(&source.spec.url).place() == url.place()) {
            return Ok(Some(format!("Kustomization {own}/{}", kustomization.name_any())));
        }
    }
    Ok(None)
}
