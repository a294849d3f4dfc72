//! What goes in Git: the directories of the deliveries, one commit for each repository that holds some.

use super::answers::Answers;
use super::build_side::BuildSide;
use super::record::Leaving;
use crate::commands::git;
use crate::error::{Error, Result};
use crate::flux::{GitRepository, Kustomization, git_repository_resource, kustomization_resource};
use crate::gitops::checkout::Checkout;
use crate::gitops::tree::{FileChange, without_directory};
use crate::gitops::url::GitUrl;
use crate::names;

use kube::ResourceExt;

/// The repositories, and what goes from each.
#[derive(Debug, Default)]
pub(super) struct Repositories {
    pub(super) checkouts: Vec<Checkout>,
    /// The files that go, and the packages that they belong to, in the order of the checkouts.
    pub(super) changes: Vec<(Vec<FileChange>, Vec<String>)>,
    /// What stays, and why.
    pub(super) left: Vec<String>,
    /// What to beware of.
    pub(super) warnings: Vec<String>,
}

impl Repositories {
    /// Clones what Flux reads the deliveries from, and proves that it can be written to.
    pub(super) async fn read(answers: &Answers, build: &BuildSide) -> Result<Self> {
        let mut repositories = Self::default();
        if answers.keeps_git {
            return Ok(repositories);
        }
        if build.leaving.is_empty() {
            repositories.left.push(format!(
                "files for `{}` stay in Git, if there are any: nobody knows any more of which package; name it with --package",
                answers.run_cluster
            ));
        }
        let elsewhere = if build.leaving.is_empty() { Some(Vec::new()) } else { elsewhere(answers).await? };
        let known_users = elsewhere.as_deref().unwrap_or_default();
        for leaving in &build.leaving {
            let (url, branch) = place(answers, leaving).await?;
            if let Some(user) = other_user(answers, build, known_users, leaving, &url).await? {
                repositories.left.push(format!("{} stays in Git: {user} reads it, too", leaving.directory));
                continue;
            }
            let known = repositories
                .checkouts
                .iter()
                .position(|one| one.url().to_string() == url.to_string() && one.branch() == branch);
            let index = if let Some(index) = known {
                index
            } else {
                let checkout = git::writable_checkout(answers.ui, &url, &branch, &answers.access).await;
                repositories.checkouts.push(checkout.map_err(or_keep_git)?);
                repositories.changes.push(Default::default());
                repositories.checkouts.len() - 1
            };
            let files = without_directory(repositories.checkouts[index].root(), &leaving.directory)?;
            let (changes, packages) = &mut repositories.changes[index];
            if !files.is_empty() {
                packages.push(leaving.package.clone());
            }
            changes.extend(files);
        }
        if elsewhere.is_none() && repositories.changes.iter().any(|(files, _)| !files.is_empty()) {
            repositories.warnings.push(format!(
                "another namespace of {} may read these files, too: you may not list its Kustomizations; to leave the \
                 files in Git: --keep-git",
                answers.build.display()
            ));
        }
        Ok(repositories)
    }
}

/// Returns the URL and the branch that Flux reads a delivery from.
async fn place(answers: &Answers, leaving: &Leaving) -> Result<(GitUrl, String)> {
    let (namespace, name) = &leaving.source;
    let resource = git_repository_resource(answers.versions.source);
    let repository: Option<GitRepository> = answers.build.read(&resource, namespace, name).await?;
    let repository = repository.ok_or_else(|| {
        or_keep_git(Error::new(format!(
            "GitRepository {namespace}/{name}, which holds {}, does not exist on {}",
            leaving.directory,
            answers.build.display()
        )))
    })?;
    let url = GitUrl::parse(&repository.spec.url);
    let branch = repository
        .spec
        .reference
        .followed_branch()
        .ok_or_else(|| or_keep_git(Error::new(format!("Flux does not follow a branch of {url}"))))?;
    Ok((url, branch.to_owned()))
}

fn or_keep_git(error: Error) -> Error {
    error.hint("leave the files in Git, where they have no effect without Flux: --keep-git")
}

/// Returns the Kustomizations of all other namespaces; `None` where the user may not list them.
async fn elsewhere(answers: &Answers) -> Result<Option<Vec<Kustomization>>> {
    let resource = kustomization_resource(answers.versions.kustomization);
    match answers.build.list_in::<Kustomization>(&resource, None).await {
        Ok(mut all) => {
            all.retain(|one| one.namespace().as_ref() != Some(&answers.namespace));
            Ok(Some(all))
        }
        Err(error) if error.status() == Some(403) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns a Kustomization that stays and reads the same directory of the same repository: another build namespace may use
/// the same name for a run cluster.
async fn other_user(
    answers: &Answers,
    build: &BuildSide,
    elsewhere: &[Kustomization],
    leaving: &Leaving,
    url: &GitUrl,
) -> Result<Option<String>> {
    let sources = git_repository_resource(answers.versions.source);
    for kustomization in build.staying(answers).chain(elsewhere) {
        let spec = &kustomization.spec;
        if names::normalised_path(&spec.path) != leaving.directory || spec.source_ref.kind != "GitRepository" {
            continue;
        }
        let own = kustomization.namespace().unwrap_or_default();
        let namespace = spec.source_ref.namespace.as_ref().unwrap_or(&own);
        let source: Option<GitRepository> = answers.build.read(&sources, namespace, &spec.source_ref.name).await?;
        if source.is_some_and(|source| GitUrl::parse(&source.spec.url).place() == url.place()) {
            return Ok(Some(format!("Kustomization {own}/{}", kustomization.name_any())));
        }
    }
    Ok(None)
}
