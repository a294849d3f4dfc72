//! Where `values` reads packages: in what flags name, else in what Flux follows.

use std::path::{Path, PathBuf};

use kube::ResourceExt as _;

use crate::check;
use crate::cli::ValuesArgs;
use crate::cluster::{Cluster, Connection, Role};
use crate::commands::git;
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Followed, GitRepository, GitRepositorySpec, git_repository_resource};
use crate::gitops::checkout::{Checkout, GitAccess, Snapshot};
use crate::gitops::url::GitUrl;
use crate::invocation::PROGRAM;
use crate::names;
use crate::observe::Expectation;
use crate::observe::expectation::commit_of;
use crate::observe::source::{self, Source};
use crate::shell::quoted;
use crate::ui::Ui;
use crate::wording::listed;

/// How many repositories an error names.
const NAMED: usize = 5;

/// Where packages are read.
pub(super) enum Repository {
    Checkout(Box<Checkout>),
    Snapshot(Snapshot),
    Directory(PathBuf),
}

/// A repository that can be read.
pub(super) struct Opened {
    pub(super) repository: Repository,
    /// What of it Flux takes: where no GitRepository is asked for, what a new one would.
    pub(super) artifact: GitRepositorySpec,
    /// Where it was found; `None` where a flag names it, which may be of no cluster that is at hand.
    pub(super) flux: Option<FluxNamespace>,
}

/// Which revision of a repository is read.
enum Revision {
    Branch(String),
    /// What Flux has fetched of something that is no branch.
    Commit(String),
}

impl Repository {
    /// Clones what flags name, or what Flux follows for the package; a directory is taken as it is.
    pub(super) async fn open(
        ui: Ui,
        connection: &Connection,
        namespace: Option<String>,
        arguments: &ValuesArgs,
    ) -> Result<Opened> {
        if let Some(directory) = &arguments.repo_dir {
            return if directory.is_dir() {
                let repository = Self::Directory(directory.clone());
                Ok(Opened { repository, artifact: GitRepositorySpec::default(), flux: None })
            } else {
                Err(Error::usage(format!("{} is no directory", directory.display()))
                    .hint("name a checkout of the GitOps repository: --repo-dir DIR"))
            };
        }
        let (url, revision, artifact, flux) = match (&arguments.git_url, &arguments.branch, &arguments.package) {
            (Some(url), Some(branch), _) => {
                (GitUrl::parse(url), Revision::Branch(branch.clone()), GitRepositorySpec::default(), None)
            }
            (_, _, Some(package)) => {
                let flux = FluxNamespace::open(connection, namespace).await?;
                let repository = flux.of_package(package).await?;
                let (url, revision) = followed(&repository, &flux.name)?;
                (url, revision, repository.spec, Some(flux))
            }
            _ => {
                let flux = FluxNamespace::open(connection, namespace).await?;
                let (url, revision) = followed(&flux.of_all_packages().await?, &flux.name)?;
                // What one of the packages leaves out may be another.
                (url, revision, GitRepositorySpec::default(), Some(flux))
            }
        };
        let credentials = git::given(ui, &arguments.credentials).await?;
        let mut access = GitAccess { credentials, ..GitAccess::default() };
        let repository = match revision {
            Revision::Branch(branch) => Self::Checkout(Box::new(git::checkout(ui, &url, &branch, &mut access).await?)),
            Revision::Commit(commit) => Self::Snapshot(git::snapshot(ui, &url, &commit, &mut access).await?),
        };
        Ok(Opened { repository, artifact, flux })
    }

    pub(super) fn root(&self) -> &Path {
        match self {
            Self::Checkout(checkout) => checkout.root(),
            Self::Snapshot(snapshot) => snapshot.root(),
            Self::Directory(directory) => directory,
        }
    }
}

/// A namespace of the build cluster in which Flux knows packages.
pub(super) struct FluxNamespace {
    pub(super) build: Cluster,
    pub(super) versions: FluxVersions,
    pub(super) name: String,
}

impl FluxNamespace {
    async fn open(connection: &Connection, namespace: Option<String>) -> Result<Self> {
        let build = Cluster::connect(Role::Build, connection).await?;
        let versions = check::flux(&build, &build.served_versions().await?)?;
        let name = namespace.unwrap_or_else(|| build.default_namespace().to_owned());
        Ok(Self { build, versions, name })
    }

    /// Reads the GitRepository of a package.
    async fn of_package(&self, package: &str) -> Result<GitRepository> {
        let Self { build, versions, name: namespace } = self;
        let name = names::git_repository(names::of_package(names::normalised_path(package)));
        let repository = build.read(&git_repository_resource(versions.source), namespace, &name).await?;
        repository.ok_or_else(|| {
            Error::new(format!("GitRepository {namespace}/{name} does not exist on {}", build.display())).hint(format!(
                "name the repository: {PROGRAM} values {} --git-url URL --branch BRANCH",
                quoted(package)
            ))
        })
    }

    /// Reads the GitRepositories of all packages, which must be about one repository, and returns one of them.
    async fn of_all_packages(&self) -> Result<GitRepository> {
        let all: Vec<GitRepository> =
            self.build.list(&git_repository_resource(self.versions.source), &self.name).await?;
        let mut known: Vec<(String, GitRepository)> = Vec::new();
        for repository in all {
            let place = format!("{} {}", GitUrl::parse(&repository.spec.url), repository.spec.reference.followed());
            let is_ours = names::package_of_git_repository(&repository.name_any()).is_some();
            if is_ours && known.iter().all(|(other, _)| *other != place) {
                known.push((place, repository));
            }
        }
        match <[_; 1]>::try_from(known) {
            Ok([(_, repository)]) => Ok(repository),
            Err(known) if known.is_empty() => Err(Error::usage(format!(
                "no GitOps repository is known in namespace {} on {}, and none is named",
                self.name,
                self.build.display()
            ))
            .hint("name one: --git-url URL --branch BRANCH, or --repo-dir DIR")
            .hint("or name the namespace for which `bootstrap` made one known: -n NAMESPACE")),
            Err(known) => {
                let places: Vec<&str> = known.iter().map(|(place, _)| place.as_str()).collect();
                Err(Error::usage(format!("{} GitOps repositories are known in namespace {}", known.len(), self.name))
                    .because(listed(&places, NAMED))
                    .hint("name one: --git-url URL --branch BRANCH, or a package"))
            }
        }
    }
}

/// Tells which repository and revision Flux follows.
fn followed(repository: &GitRepository, namespace: &str) -> Result<(GitUrl, Revision)> {
    let (name, url) = (repository.name_any(), GitUrl::parse(&repository.spec.url));
    let revision = match repository.spec.reference.followed() {
        Followed::Branch(branch) => Revision::Branch(branch.to_owned()),
        // Which tag is the newest of a version range, and what a reference is at, is Flux's to say.
        pinned => match source::judge(Some(repository), &name, &Expectation::default()) {
            Source::At(revision) => Revision::Commit(commit_of(&revision).to_owned()),
            Source::Not(_) => {
                return Err(Error::new(format!("Flux follows {pinned} of {url}, of which it has fetched nothing"))
                    .hint(format!("see why: kubectl -n {} describe gitrepository {name}", quoted(namespace)))
                    .hint("or name a branch to read: --git-url URL --branch BRANCH"));
            }
        },
    };
    Ok((url, revision))
}
