//! `values`: which values a package takes, which Git holds for a delivery, and which packages a repository has.
//!
//! Reads the repository alone; a cluster is asked only for its address and for the keys of encrypted values, where no flag names it.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::packages::highest;
use super::{age_keys, git, packages};
use crate::carvel::schema::ValuesSchema;
use crate::carvel::values::{Node, read, template};
use crate::carvel::version::Version;
use crate::check;
use crate::cli::{ValuesArgs, ValuesFormat};
use crate::cluster::{Cluster, Connection, Role};
use crate::error::{Error, Result};
use crate::flux::{
    Followed, GitRepository, GitRepositorySpec, Kustomization, git_repository_resource, kustomization_resource,
};
use crate::gitops::artifact::Artifact;
use crate::gitops::checkout::{Checkout, GitAccess, Snapshot};
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::{PackageDirectory, PackageManifest};
use crate::gitops::manifest::write_documents;
use crate::gitops::sops_program::SopsProgram;
use crate::gitops::url::GitUrl;
use crate::invocation::PROGRAM;
use crate::names;
use crate::observe::Expectation;
use crate::observe::expectation::commit_of;
use crate::observe::source::{self, Source};
use crate::shell::quoted;
use crate::ui::{Ui, json, values};

/// How many versions are named.
const NAMED: usize = 10;

pub(super) async fn run(
    ui: Ui,
    connection: Connection,
    namespace: Option<String>,
    arguments: ValuesArgs,
) -> Result<()> {
    let (repository, source) = Repository::open(ui, &connection, namespace.clone(), &arguments).await?;
    let root = repository.root();
    let artifact = Artifact::of(root, &source)?;
    let Some(package) = &arguments.package else { return list(ui, root, &artifact, arguments.output) };
    let package = artifact.package(root, names::normalised_path(package))?;
    if let (Some(run_cluster), None) = (&arguments.run_cluster, &arguments.version) {
        let mut directory = RunClusterDirectory::read(root, &package.path, run_cluster)?;
        // Where a flag names the repository, it may be of no cluster that is at hand.
        let names_repository = arguments.git_url.is_some() || arguments.repo_dir.is_some();
        let cluster = (!names_repository).then_some((&connection, namespace));
        let lacking = decrypt(root, &mut directory, &package.name, run_cluster, cluster).await?;
        return delivered(ui, &directory, &package.name, run_cluster, lacking.as_ref(), arguments.output);
    }
    let manifest = chosen(&package, arguments.version.as_deref())?;
    describe(ui, &package, manifest, arguments.output)
}

/// Where packages are read.
enum Repository {
    Checkout(Box<Checkout>),
    Snapshot(Snapshot),
    Directory(PathBuf),
}

/// Which revision of a repository is read.
enum Revision {
    Branch(String),
    /// What Flux has fetched of something that is no branch.
    Commit(String),
}

impl Repository {
    /// Clones what flags name, or what Flux follows for the package; a directory is taken as it is. Also returns what of it
    /// Flux takes: where no GitRepository is asked for, what a new one would.
    async fn open(
        ui: Ui,
        connection: &Connection,
        namespace: Option<String>,
        arguments: &ValuesArgs,
    ) -> Result<(Self, GitRepositorySpec)> {
        if let Some(directory) = &arguments.repo_dir {
            return if directory.is_dir() {
                Ok((Self::Directory(directory.clone()), GitRepositorySpec::default()))
            } else {
                Err(Error::usage(format!("{} is no directory", directory.display()))
                    .hint("name a checkout of the GitOps repository: --repo-dir DIR"))
            };
        }
        let (url, revision, source) = match (&arguments.git_url, &arguments.branch, &arguments.package) {
            (Some(url), Some(branch), _) => {
                (GitUrl::parse(url), Revision::Branch(branch.clone()), GitRepositorySpec::default())
            }
            (_, _, Some(package)) => followed(connection, namespace, package).await?,
            _ => {
                return Err(Error::usage("neither a package nor a repository is named")
                    .hint("name a package, or a repository: --git-url URL --branch BRANCH, or --repo-dir DIR"));
            }
        };
        let credentials = git::given(ui, &arguments.credentials).await?;
        let mut access = GitAccess { credentials, ..GitAccess::default() };
        let repository = match revision {
            Revision::Branch(branch) => Self::Checkout(Box::new(git::checkout(ui, &url, &branch, &mut access).await?)),
            Revision::Commit(commit) => Self::Snapshot(git::snapshot(ui, &url, &commit, &mut access).await?),
        };
        Ok((repository, source))
    }

    fn root(&self) -> &Path {
        match self {
            Self::Checkout(checkout) => checkout.root(),
            Self::Snapshot(snapshot) => snapshot.root(),
            Self::Directory(directory) => directory,
        }
    }
}

/// Reads which repository and revision Flux follows for a package, and what it takes of them.
async fn followed(
    connection: &Connection,
    namespace: Option<String>,
    package: &str,
) -> Result<(GitUrl, Revision, GitRepositorySpec)> {
    let build = Cluster::connect(Role::Build, connection).await?;
    let versions = check::flux(&build, &build.served_versions().await?)?;
    let namespace = namespace.unwrap_or_else(|| build.default_namespace().to_owned());
    let name = names::git_repository(names::of_package(names::normalised_path(package)));
    let repository: Option<GitRepository> =
        build.read(&git_repository_resource(versions.source), &namespace, &name).await?;
    let repository = repository.ok_or_else(|| {
        Error::new(format!("GitRepository {namespace}/{name} does not exist on {}", build.display()))
            .hint(format!("name the repository: {PROGRAM} values {} --git-url URL --branch BRANCH", quoted(package)))
    })?;
    let url = GitUrl::parse(&repository.spec.url);
    let revision = match repository.spec.reference.followed() {
        Followed::Branch(branch) => Revision::Branch(branch.to_owned()),
        // Which tag is the newest of a version range, and what a reference is at, is Flux's to say.
        pinned => match source::judge(Some(&repository), &name, &Expectation::default()) {
            Source::At(revision) => Revision::Commit(commit_of(&revision).to_owned()),
            Source::Not(_) => {
                return Err(Error::new(format!("Flux follows {pinned} of {url}, of which it has fetched nothing"))
                    .hint(format!("see why: kubectl -n {} describe gitrepository {name}", quoted(&namespace)))
                    .hint("or name a branch to read: --git-url URL --branch BRANCH"));
            }
        },
    };
    Ok((url, revision, repository.spec.clone()))
}

/// Lists the packages of a repository; one that cannot be read is named, and does not keep the others back.
fn list(ui: Ui, root: &Path, artifact: &Artifact, format: Option<ValuesFormat>) -> Result<()> {
    let (packages, unreadable) = packages::listed(root, artifact)?;
    for error in unreadable {
        ui.warning(&error.to_string());
    }
    let rows: Vec<(String, usize, String)> = packages
        .into_iter()
        .map(|package| (package.path, package.versions, package.highest.unwrap_or_else(|| "-".to_owned())))
        .collect();
    let documents = || {
        let document = |(name, versions, highest): &(String, usize, String)| serde_json::json!({"package": name, "versions": versions, "highest": highest});
        rows.iter().map(document).collect::<Vec<_>>()
    };
    match format {
        None | Some(ValuesFormat::Table) => print_lines(ui, &values::packages(&rows)),
        Some(ValuesFormat::Json) => ui.result_styled(&json(&documents())?),
        Some(ValuesFormat::Yaml) => print_text(ui, &write_documents(&documents())?),
    }
}

/// Finds the version that is asked for; else the highest release, else the highest of all.
fn chosen<'package>(package: &'package PackageDirectory, version: Option<&str>) -> Result<&'package PackageManifest> {
    match version {
        None => highest(package).ok_or_else(|| Error::new(format!("{} has no version that can be read", package.name))),
        Some(version) => package.packages.iter().find(|manifest| manifest.version == version).ok_or_else(|| {
            Error::usage(format!("{} has no version {version}", package.name))
                .hint(format!("the repository has these versions: {}", versions_in_words(package)))
        }),
    }
}

/// Sorts the versions, the highest first.
fn sorted(package: &PackageDirectory) -> Vec<(Version, &PackageManifest)> {
    let mut versions: Vec<(Version, &PackageManifest)> =
        package.packages.iter().filter_map(|manifest| Some((manifest.version.parse().ok()?, manifest))).collect();
    versions.sort_by(|(left, _), (right, _)| right.cmp(left));
    versions
}

fn versions_in_words(package: &PackageDirectory) -> String {
    let versions = sorted(package);
    let named: Vec<&str> = versions.iter().take(NAMED).map(|(_, manifest)| manifest.version.as_str()).collect();
    match versions.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Shows what can be set.
fn describe(
    ui: Ui,
    package: &PackageDirectory,
    manifest: &PackageManifest,
    format: Option<ValuesFormat>,
) -> Result<()> {
    let name = format!("{} {}", package.name, manifest.version);
    let Some(openapi) = &manifest.values_schema else {
        return Err(Error::new(format!("{name} does not say which values it takes"))
            .because(format!("{} has no spec.valuesSchema.openAPIv3", manifest.file)));
    };
    let schema = || {
        ValuesSchema::read(openapi).ok_or_else(|| {
            Error::new(format!("the schema of the values of {name} cannot be read"))
                .because(format!("{} has something else in spec.valuesSchema.openAPIv3", manifest.file))
                .hint("see it as it is: -o json")
        })
    };
    match format {
        Some(ValuesFormat::Json) => ui.result_styled(&json(openapi)?),
        Some(ValuesFormat::Yaml) => print_text(ui, &template::values_file(&schema()?, &format!("values of {name}"))?),
        None | Some(ValuesFormat::Table) => {
            ui.result(&name)?;
            ui.result(&format!("versions: {}", versions_in_words(package)))?;
            ui.result("")?;
            let terminal = console::Term::stdout();
            let screen = terminal.is_term().then(|| usize::from(terminal.size().1));
            print_lines(ui, &values::table(&schema()?, screen))
        }
    }
}

/// Decrypts what the user's own keys can, and else what Flux's can, where the user may read those; returns why they may not.
async fn decrypt(
    root: &Path,
    directory: &mut RunClusterDirectory,
    package: &str,
    run_cluster: &str,
    cluster: Option<(&Connection, Option<String>)>,
) -> Result<Option<Error>> {
    let is_left = |directory: &RunClusterDirectory| directory.secrets.iter().any(|secret| !secret.is_readable());
    if is_left(directory) {
        age_keys::own()?.iter().try_for_each(|identities| directory.decrypt(identities))?;
        directory.decrypt_by(&SopsProgram::of_user(root)).await?;
    }
    let Some((connection, namespace)) = cluster.filter(|_| is_left(directory)) else { return Ok(None) };
    let build = Cluster::connect(Role::Build, connection).await?;
    let versions = check::flux(&build, &build.served_versions().await?)?;
    let namespace = namespace.unwrap_or_else(|| build.default_namespace().to_owned());
    let resource = kustomization_resource(versions.kustomization);
    let name = names::package_installs_kustomization(package, run_cluster);
    let kustomization: Option<Kustomization> = build.read(&resource, &namespace, &name).await?;
    let decryption = kustomization.and_then(|kustomization| kustomization.spec.decryption);
    let named = decryption.as_ref().and_then(|decryption| decryption.pointer("/secretRef/name")?.as_str());
    match age_keys::of_flux(&build, &namespace, named.unwrap_or(age_keys::KEY_SECRET)).await {
        Ok(secret) => secret.identities.iter().try_for_each(|identities| directory.decrypt(identities)).map(|()| None),
        Err(error) if error.status() == Some(403) => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// Prints the values that Git holds for a delivery.
fn delivered(
    ui: Ui,
    directory: &RunClusterDirectory,
    package: &str,
    run_cluster: &str,
    lacking: Option<&Error>,
    format: Option<ValuesFormat>,
) -> Result<()> {
    let Some(install) = &directory.install else {
        return Err(Error::new(format!("{package} is not delivered to {run_cluster}"))
            .because(format!("{} holds no PackageInstall", directory.path)));
    };
    if format == Some(ValuesFormat::Table) {
        return Err(
            Error::usage("values that are set have no table").hint("print them as they are in Git: -o yaml or -o json")
        );
    }
    let mut texts = Vec::new();
    for name in &install.values_secrets {
        let secret = directory.secrets.iter().find(|secret| secret.name == *name).ok_or_else(|| {
            Error::new(format!("the values of Secret {name} are not in {}", directory.path))
                .hint("look for it on the run cluster, or where it is managed")
        })?;
        if !secret.is_readable() {
            let error = Error::new(format!("the values in {} are encrypted", secret.file));
            let error = lacking.map_or_else(|| error.clone(), |lacking| error.clone().because(lacking));
            return Err(error.hint("give a private key that can decrypt them: SOPS_AGE_KEY_FILE=FILE"));
        }
        texts.extend(secret.contents.values().map(|text| (secret.file.as_str(), text.expose_secret())));
    }
    if let ([(_, text)], true) = (texts.as_slice(), format != Some(ValuesFormat::Json)) {
        return print_text(ui, text);
    }
    let mut documents = Vec::new();
    for (file, text) in texts {
        documents.extend(read(text, file).map_err(|unreadable| {
            Error::new(format!("{} cannot be read as values", unreadable.place)).because(unreadable.reason)
        })?);
    }
    let all = Node::merged(&documents);
    if format == Some(ValuesFormat::Json) {
        ui.result_styled(&json(&all)?)
    } else {
        print_text(ui, &template::yaml(&all)?)
    }
}

fn print_lines(ui: Ui, lines: &[String]) -> Result<()> {
    lines.iter().try_for_each(|line| ui.result_styled(line))
}

fn print_text(ui: Ui, text: &str) -> Result<()> {
    text.lines().try_for_each(|line| ui.result(line))
}
