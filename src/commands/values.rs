//! `values`: which values a package takes, which Git holds for a delivery, and which packages a repository has.
//!
//! Where the repository is, and which of its files count, is found out in [`repository`]; the keys of encrypted values are looked for
//! here.

mod repository;

use std::path::Path;

use secrecy::ExposeSecret;

use self::repository::{FluxNamespace, Opened, Repository};
use super::packages::highest;
use super::{age_keys, packages};
use crate::carvel::schema::ValuesSchema;
use crate::carvel::values::{Node, read, template};
use crate::carvel::version::Version;
use crate::cli::{ValuesArgs, ValuesFormat};
use crate::cluster::Connection;
use crate::error::{Error, Result};
use crate::flux::{Kustomization, kustomization_resource};
use crate::gitops::artifact::Artifact;
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::{PackageDirectory, PackageManifest};
use crate::gitops::manifest::write_documents;
use crate::gitops::sops_program::SopsProgram;
use crate::names;
use crate::ui::{Ui, json, values};
use crate::wording::listed;

/// How many versions are named.
const NAMED: usize = 10;

pub(super) async fn run(
    ui: Ui,
    connection: Connection,
    namespace: Option<String>,
    arguments: ValuesArgs,
) -> Result<()> {
    let Opened { repository, artifact: taken, flux } = Repository::open(ui, &connection, namespace, &arguments).await?;
    let root = repository.root();
    let artifact = Artifact::of(root, &taken)?;
    let Some(package) = &arguments.package else { return list(ui, root, &artifact, arguments.output) };
    let package = artifact.package(root, names::normalised_path(package))?;
    if let (Some(run_cluster), None) = (&arguments.run_cluster, &arguments.version) {
        let mut directory = RunClusterDirectory::read(root, &package.path, run_cluster)?;
        let lacking = decrypt(root, &mut directory, &package.name, run_cluster, flux.as_ref()).await?;
        return delivered(ui, &directory, &package.name, run_cluster, lacking.as_ref(), arguments.output);
    }
    let manifest = chosen(&package, arguments.version.as_deref())?;
    describe(ui, &package, manifest, arguments.output)
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
    let names: Vec<&str> = versions.iter().map(|(_, manifest)| manifest.version.as_str()).collect();
    listed(&names, NAMED)
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
    flux: Option<&FluxNamespace>,
) -> Result<Option<Error>> {
    let is_left = |directory: &RunClusterDirectory| directory.secrets.iter().any(|secret| !secret.is_readable());
    if is_left(directory) {
        age_keys::own()?.iter().try_for_each(|identities| directory.decrypt(identities))?;
        directory.decrypt_by(&SopsProgram::of_user(root)).await?;
    }
    let Some(FluxNamespace { build, versions, name: namespace }) = flux.filter(|_| is_left(directory)) else {
        return Ok(None);
    };
    let resource = kustomization_resource(versions.kustomization);
    let name = names::package_installs_kustomization(package, run_cluster);
    let kustomization: Option<Kustomization> = build.read(&resource, namespace, &name).await?;
    let decryption = kustomization.and_then(|kustomization| kustomization.spec.decryption);
    let named = decryption.as_ref().and_then(|decryption| decryption.pointer("/secretRef/name")?.as_str());
    match age_keys::of_flux(build, namespace, named.unwrap_or(age_keys::KEY_SECRET)).await {
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
