//! The GitOps repositories of all deliveries: that Flux follows them, their clones, and the packages in them.

use std::collections::BTreeMap;

use futures::future::join_all;

use crate::check::{Checks, Skipped};
use crate::cluster::Cluster;
use crate::commands::add_cluster::clusters::{Clusters, Target};
use crate::commands::add_cluster::request::Request;
use crate::commands::git as git_access;
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, GitRepository, git_repository_resource};
use crate::gitops::artifact::Artifact;
use crate::gitops::checkout::Checkout;
use crate::gitops::layout::PackageDirectory;
use crate::gitops::url::GitUrl;
use crate::invocation::PROGRAM;
use crate::names;
use crate::observe::source::{self, Source};
use crate::observe::{Expectation, Verdict};
use crate::shell::quoted;
use crate::ui::Ui;

/// Reads the GitRepository; it must be ready, or in progress.
pub(super) async fn source(build: &Cluster, versions: FluxVersions, request: &Request) -> Result<GitRepository> {
    let name = names::git_repository(request.package_name());
    let repository = build.read(&git_repository_resource(versions.source), &request.namespace, &name).await?;
    let Some(repository) = repository else {
        return Err(Error::new(format!(
            "GitRepository {}/{name} does not exist on {}",
            request.namespace,
            build.display()
        ))
        .hint(format!(
            "make the repository known to Flux first: {PROGRAM} bootstrap {} -n {} --git-url URL --branch BRANCH",
            quoted(&request.package),
            request.namespace
        )));
    };
    match source::judge(Some(&repository), &name, &Expectation::default()) {
        Source::Not(Verdict::Failed(failure)) => {
            Err(Error::new(format!("{} is not ready", failure.object)).because(failure.message).hint(failure.hint))
        }
        // What is in progress is waited for.
        Source::At(_) | Source::Not(_) => Ok(repository),
    }
}

/// The packages of all deliveries, as Flux's artifacts of their repositories hold them. A repository is cloned once, a package
/// read once.
#[derive(Default)]
pub(super) struct Repositories {
    checkouts: Vec<Checkout>,
    packages: Vec<Read>,
    /// Which package each delivery is of, for each run cluster in turn.
    of_deliveries: Vec<Vec<Result<usize, Skipped>>>,
}

/// A package that was read.
struct Read {
    /// Which of the checkouts it is in.
    checkout: usize,
    artifact: Artifact,
    package: PackageDirectory,
}

/// What tells clones apart.
#[derive(PartialEq, Eq)]
pub(super) struct CloneKey {
    url: String,
    branch: String,
    /// Whether Flux refuses commits that are not signed.
    is_verified: bool,
}

impl CloneKey {
    /// Fails where Flux follows no branch.
    pub(super) fn of(repository: &GitRepository) -> Result<Self> {
        Ok(Self {
            url: GitUrl::parse(&repository.spec.url).to_string(),
            branch: git_access::branch_to_push_to(repository)?.to_owned(),
            is_verified: repository.spec.verifies_commits(),
        })
    }
}

/// A package and the checkout that it is in.
#[derive(Clone, Copy)]
pub(super) struct Repository<'a> {
    pub(super) checkout: &'a Checkout,
    pub(super) artifact: &'a Artifact,
    pub(super) package: &'a PackageDirectory,
}

impl Repositories {
    /// Reads the GitRepositories on the build cluster, then the repositories that they name.
    pub(super) async fn read(
        checks: &mut Checks,
        ui: Ui,
        targets: &[Target],
        versions: Result<FluxVersions, Skipped>,
    ) -> Self {
        let mut repositories = Self::default();
        let Some(clusters) = targets.first().map(|first| &first.clusters) else {
            return repositories;
        };
        let requests: BTreeMap<&str, &Request> =
            targets.iter().flat_map(Target::deliveries).map(|one| (one.package.as_str(), one)).collect();
        let sources =
            join_all(requests.values().map(async |request| Ok(source(&clusters.build, versions?, request).await)))
                .await;
        let mut cloned = Vec::new();
        let mut packages = BTreeMap::new();
        for ((path, request), source) in requests.into_iter().zip(sources) {
            let read = match source {
                Ok(Ok(source)) => repositories.package(checks, &mut cloned, ui, request, clusters, &source).await,
                Ok(Err(error)) => checks.take_silently("GitOps repository", Err(error)),
                Err(skipped) => Err(skipped),
            };
            packages.insert(path, read);
        }
        let of_target = |target: &Target| {
            target.deliveries().filter_map(|request| packages.get(request.package.as_str()).copied()).collect()
        };
        repositories.of_deliveries = targets.iter().map(of_target).collect();
        repositories
    }

    /// Reads a package, and clones its repository where that was not tried before.
    async fn package(
        &mut self,
        checks: &mut Checks,
        cloned: &mut Vec<(CloneKey, Result<usize, Skipped>)>,
        ui: Ui,
        request: &Request,
        clusters: &Clusters,
        repository: &GitRepository,
    ) -> Result<usize, Skipped> {
        let wanted = checks.take_silently("GitOps repository", CloneKey::of(repository))?;
        let checkout = if let Some((_, checkout)) = cloned.iter().find(|(known, _)| *known == wanted) {
            *checkout
        } else {
            let made =
                git_access::writable_checkout(ui, &clusters.build, repository, &clusters.git, &request.commit).await;
            let made = checks.take("GitOps repository", made).map(|made| {
                self.checkouts.push(made);
                self.checkouts.len() - 1
            });
            cloned.push((wanted, made));
            made
        };
        let checkout = checkout?;
        let root = self.checkouts[checkout].root();
        let read = || {
            let artifact = Artifact::of(root, &repository.spec)?;
            let package = artifact.package(root, &request.package)?;
            Ok((artifact, package))
        };
        let (artifact, package) = checks.take_silently("GitOps repository", read())?;
        for doubt in artifact.doubts(root, &package) {
            checks.warn("GitOps repository", doubt);
        }
        self.packages.push(Read { checkout, artifact, package });
        Ok(self.packages.len() - 1)
    }

    /// Returns the packages of the deliveries, for each run cluster in turn.
    pub(super) fn of_deliveries(&self) -> impl Iterator<Item = Vec<Result<Repository<'_>, Skipped>>> {
        let repository = |read: &Result<usize, Skipped>| {
            read.map(|index| {
                let Read { checkout, artifact, package } = &self.packages[index];
                Repository { checkout: &self.checkouts[*checkout], artifact, package }
            })
        };
        self.of_deliveries.iter().map(move |deliveries| deliveries.iter().map(repository).collect())
    }

    /// Returns the checkouts to commit in.
    pub(super) fn into_checkouts(self) -> Vec<Checkout> {
        self.checkouts
    }
}
