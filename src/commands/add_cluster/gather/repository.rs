//! What `add-cluster` reads of the GitOps repository: that Flux follows it, the package, and which version is selected.

use crate::carvel::selection::{SelectionError, VersionRequest, select};
use crate::carvel::version::Version;
use crate::check::Checks;
use crate::cluster::Cluster;
use crate::commands::add_cluster::request::Request;
use crate::commands::git as git_access;
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, GitRepository, git_repository_resource};
use crate::gitops::checkout::Checkout;
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::PackageDirectory;
use crate::gitops::url::GitUrl;
use crate::names;
use crate::observe::source::{self, Source};
use crate::observe::{Expectation, Verdict};
use crate::shell::quoted;
use crate::ui::Ui;

/// Which versions are chosen from where nothing else is said: all releases.
const ANY_VERSION: &str = ">=0.0.0";

const CONSTRAINTS_HINT: &str =
    "write them as kapp-controller documents them, such as --version-constraints '>=1.0.0 <2.0.0'";

/// Reads the GitRepository; it must be ready, or on its way.
pub(super) async fn source(build: &Cluster, versions: FluxVersions, request: &Request) -> Result<GitRepository> {
    let name = names::git_repository(request.package_name());
    let repository = build.read(&git_repository_resource(versions.source), &request.namespace, &name).await?;
    let Some(repository) = repository else {
        return Err(
            Error::new(format!("GitRepository {}/{name} does not exist on {}", request.namespace, build.display()))
                .hint(format!(
                    "make the repository known to Flux first: kubectl carvelflux bootstrap {} -n {} --git-url URL --branch BRANCH",
                    quoted(&request.package),
                    request.namespace
                )),
        );
    };
    match source::judge(Some(&repository), &name, &Expectation::default()) {
        Source::Not(Verdict::Failed(failure)) => {
            Err(Error::new(format!("{} is not ready", failure.object)).because(failure.message).hint(failure.hint))
        }
        // What is on its way is waited for.
        Source::At(_) | Source::Not(_) => Ok(repository),
    }
}

/// Clones the repository, and reads the package and what is there for the run cluster.
pub(super) async fn git(
    ui: Ui,
    request: &Request,
    repository: &GitRepository,
) -> Result<(Checkout, PackageDirectory, RunClusterDirectory)> {
    let url = GitUrl::parse(&repository.spec.url);
    let branch = repository.spec.reference.followed_branch().ok_or_else(|| {
        Error::new(format!("Flux does not follow a branch of {url}"))
            .because("a commit can only be delivered through the branch that the GitRepository names")
            .hint("give it `ref.branch` instead of a tag, a commit or a version range")
    })?;
    let checkout = git_access::writable_checkout(ui, &url, branch, &request.git).await?;
    let package = PackageDirectory::read(checkout.root(), &request.package)?;
    package.check()?;
    let directory = RunClusterDirectory::read(checkout.root(), &package.path, &request.run_cluster)?;
    Ok((checkout, package, directory))
}

/// Takes the constraints of the flag, else those in the repository, else any; they must select a version, or be such that
/// only kapp-controller can tell.
pub(super) fn choose_constraints(
    checks: &mut Checks,
    request: &Request,
    package: &PackageDirectory,
    directory: &RunClusterDirectory,
) -> Result<String> {
    let install = directory.install.as_ref();
    let constraints = request
        .version_constraints
        .clone()
        .or_else(|| install.and_then(|install| install.constraints.clone()))
        .unwrap_or_else(|| ANY_VERSION.to_owned());
    let versions: Vec<Version> = package.packages.iter().filter_map(|manifest| manifest.version.parse().ok()).collect();
    let request = VersionRequest {
        constraints: constraints.clone(),
        prereleases: install.is_some_and(|install| install.prereleases).then(Default::default),
    };
    match select(&versions, &request) {
        Ok(_) => Ok(constraints),
        Err(SelectionError::Undecided { source, .. }) => {
            checks.warn("version constraints", Error::new(source.to_string()).hint(CONSTRAINTS_HINT));
            Ok(constraints)
        }
        Err(error) => {
            let hint = match &error {
                SelectionError::NoneMatches { hint_build: Some(version), .. } => {
                    format!("name the whole version: --version-constraints '{version}'")
                }
                SelectionError::NoneMatches { available, .. } => {
                    let newest: Vec<String> = available.iter().rev().take(5).map(ToString::to_string).collect();
                    format!("the repository offers: {}", newest.join(", "))
                }
                SelectionError::InvalidConstraint { .. } | SelectionError::Undecided { .. } => {
                    CONSTRAINTS_HINT.to_owned()
                }
            };
            Err(Error::usage(format!("no version of {} can be selected", package.name)).because(error).hint(hint))
        }
    }
}
