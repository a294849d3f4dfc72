//! Where packages live in a Git repository: `[subpath/]<package>/packages/**.yaml`, and one directory per run cluster.
//!
//! What a run cluster's directory holds lives in [`super::delivery`]; which version is selected, in `crate::carvel`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::Value;

use super::{manifest, tree};
use crate::carvel::validation::{self, Invalid};
use crate::carvel::version::Version;
use crate::error::{Error, Result};
use crate::wording;

/// The directory of a package that holds its versions, which no run cluster can be named after.
pub const PACKAGES: &str = "packages";

/// How many package directories an error lists.
const LISTED: usize = 10;

/// One version of a package, as a file of the repository describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct PackageManifest {
    /// The file, relative to the root of the repository.
    pub file: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.refName`, which all versions of a package share.
    pub ref_name: String,
    /// `spec.version`, unparsed.
    pub version: String,
    /// Which of its fetch steps read from a registry.
    pub registry_fetches: Vec<usize>,
    /// `spec.valuesSchema.openAPIv3`.
    pub values_schema: Option<Value>,
    /// Whether ytt takes the values: the first template step does (kapp-controller `pkg/packageinstall/app.go`, v0.53).
    pub is_rendered_by_ytt: bool,
}

/// A package of the repository with its versions.
#[derive(Clone, Debug, PartialEq)]
pub struct PackageDirectory {
    /// The directory, relative to the root of the repository, for example `sub/hello-app.default.tap`.
    pub path: String,
    /// The last segment of the path, which names everything that belongs to the package.
    pub name: String,
    /// The reference name of all its versions.
    pub ref_name: String,
    /// The versions in the order of their files; at least one.
    pub packages: Vec<PackageManifest>,
    /// Whether PackageMetadata lies beside the versions, as `kctrl package release` writes it.
    pub has_metadata: bool,
    /// Objects of other kinds.
    pub others: Vec<OtherObject>,
    /// What kapp-controller's API server will refuse, each with its file.
    pub invalid: Vec<(String, Invalid)>,
    /// The kustomization files, which decide for themselves what Flux applies of their directories.
    pub kustomizations: Vec<String>,
    /// The files that hold variables, which Flux replaces where its Kustomization has a `postBuild`.
    pub with_variables: Vec<String>,
}

/// An object of a kind that has no meaning here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherObject {
    /// The file, relative to the root of the repository.
    pub file: String,
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind; empty where the document has none.
    pub kind: String,
}

impl OtherObject {
    pub(super) fn read(document: &Value, file: &str) -> Self {
        let text = |field: &str| document[field].as_str().unwrap_or_default();
        let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
        Self { file: file.to_owned(), group: group.to_owned(), kind: text("kind").to_owned() }
    }
}

impl fmt::Display for OtherObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind.is_empty() { "document without a kind" } else { &self.kind };
        write!(formatter, "{} holds a {kind}", self.file)
    }
}

/// Tells whether a text holds a variable as Flux replaces it (kustomize-controller, `spec.postBuild`): `${NAME}`.
#[must_use]
pub fn has_variable(text: &str) -> bool {
    text.contains("${")
}

impl PackageDirectory {
    /// Reads the versions of a package, given by its path relative to the root of the repository, from those files for which
    /// `holds` is true; `None` where they hold none.
    ///
    /// Fails when one of them is not valid YAML, or when the versions are of different packages.
    pub(crate) fn read(root: &Path, package: &str, holds: impl Fn(&str) -> bool) -> Result<Option<Self>> {
        let segments = tree::segments(package)?;
        let path = segments.join("/");
        let directory = format!("{path}/{PACKAGES}");
        let mut manifests = tree::manifests(root, &directory)?;
        manifests.files.retain(|file| holds(file));
        manifests.kustomizations.retain(|file| holds(file));
        let (mut packages, mut others, mut invalid) = (Vec::new(), Vec::new(), Vec::new());
        let (mut has_metadata, mut with_variables) = (false, Vec::new());
        for file in &manifests.files {
            let file = tree::read(root, file)?;
            if has_variable(file.content.expose_secret()) {
                with_variables.push(file.path.clone());
            }
            let documents = manifest::read_documents(file.content.expose_secret(), &file.path)?;
            for document in documents.into_iter().flat_map(manifest::items) {
                let refused = if validation::is_of_kind(&document, "Package") {
                    packages.push(PackageManifest::read(&document, &file.path)?);
                    validation::of_package(&document)
                } else if validation::is_of_kind(&document, "PackageMetadata") {
                    has_metadata = true;
                    validation::of_package_metadata(&document)
                } else {
                    others.push(OtherObject::read(&document, &file.path));
                    continue;
                };
                invalid.extend(refused.into_iter().map(|invalid| (file.path.clone(), invalid)));
            }
        }
        let ref_names: BTreeSet<&str> = packages.iter().map(|package| package.ref_name.as_str()).collect();
        if ref_names.len() > 1 {
            return Err(Error::new(format!("the directory {directory} of the repository mixes different packages"))
                .because(format!("its versions have the reference names {}", listed(ref_names)))
                .hint(
                    "move each package to a directory of its own; one with several reference names is not supported",
                ));
        }
        let Some(ref_name) = packages.first().map(|package| package.ref_name.clone()) else {
            return Ok(None);
        };
        let name = segments.last().copied().unwrap_or_default().to_owned();
        let kustomizations = manifests.kustomizations;
        Ok(Some(Self { path, name, ref_name, packages, has_metadata, others, invalid, kustomizations, with_variables }))
    }

    /// Reads the versions of a package from all its files.
    #[cfg(test)]
    pub(crate) fn read_all(root: &Path, package: &str) -> Result<Self> {
        match Self::read(root, package, |_| true)? {
            Some(package) => Ok(package),
            None => Err(missing(root, package)?),
        }
    }

    /// Returns the versions that can be read; [`Self::check`] names the others.
    #[must_use]
    pub fn versions(&self) -> Vec<Version> {
        self.packages.iter().filter_map(|manifest| manifest.version.parse().ok()).collect()
    }

    /// Tells whether the number of a version is a variable, or holds one.
    #[must_use]
    pub fn has_variable_version(&self) -> bool {
        self.packages.iter().any(|manifest| has_variable(&manifest.version))
    }

    /// Tells whether a kustomization file decides what Flux applies of the versions.
    #[must_use]
    pub fn is_built(&self) -> bool {
        let directory = format!("{}/{PACKAGES}", self.path);
        self.kustomizations.iter().any(|file| file.rsplit_once('/').is_some_and(|(parent, _)| parent == directory))
    }

    /// Refuses what Flux cannot build, and what kapp-controller's API server will refuse, with file, field and the correction:
    /// Flux applies nothing of a directory in which one object is refused. What a kustomization file makes of them cannot be told.
    ///
    /// With `is_substituted`, Flux replaces variables: what comes of a file that holds some cannot be told either.
    pub fn check(&self, is_substituted: bool) -> Result<()> {
        let is_open = |file: &String| self.is_built() || (is_substituted && self.with_variables.contains(file));
        let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in self.packages.iter().filter(|package| !is_open(&package.file)) {
            files.entry(&package.name).or_default().push(&package.file);
        }
        if let Some((name, files)) = files.iter().find(|(_, files)| files.len() > 1) {
            return Err(Error::new(format!("Flux cannot build the Packages of {}", self.name))
                .because(format!("Package {name} is in {}", files.join(" and in ")))
                .hint("leave one of them, commit and push"));
        }
        let mut invalid = self.invalid.iter().filter(|(file, _)| !is_open(file)).peekable();
        let Some(&(file, first)) = invalid.peek() else { return Ok(()) };
        let error = Error::new(format!("kapp-controller will refuse the Packages of {}", self.name));
        let more = invalid.take(LISTED).map(|(file, invalid)| format!("{file}: {invalid}"));
        let error = more.fold(error, Error::because);
        Err(match &first.correction {
            Some(correction) => error.hint(format!("write {}: {correction} in {file}, commit and push", first.field)),
            None => error.hint(format!("correct {} in {file}, commit and push", first.field)),
        })
    }

    /// Returns which fetch steps of any version read from a registry; the first one where none is known to.
    #[must_use]
    pub fn registry_fetches(&self) -> Vec<usize> {
        let steps: BTreeSet<usize> =
            self.packages.iter().flat_map(|package| package.registry_fetches.clone()).collect();
        if steps.is_empty() { vec![0] } else { steps.into_iter().collect() }
    }
}

impl PackageManifest {
    fn read(document: &Value, file: &str) -> Result<Self> {
        let text = |pointer: &str, field: &str| match document.pointer(pointer) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            Some(Value::Number(_)) => Err(Error::new(format!("{file} holds a Package whose {field} is a number"))
                .hint(format!("put the {field} in quotes"))),
            _ => Err(Error::new(format!("{file} holds a Package without {field}"))
                .hint("let the supply chain write the file again, or correct it and push")),
        };
        Ok(Self {
            file: file.to_owned(),
            name: text("/metadata/name", "metadata.name")?,
            ref_name: text("/spec/refName", "spec.refName")?,
            version: text("/spec/version", "spec.version")?,
            registry_fetches: registry_fetches(document),
            values_schema: document.pointer("/spec/valuesSchema/openAPIv3").filter(|schema| !schema.is_null()).cloned(),
            is_rendered_by_ytt: document.pointer("/spec/template/spec/template/0/ytt").is_some(),
        })
    }
}

/// Finds the fetch steps that take the credentials of a registry (kapp-controller `pkg/packageinstall/app.go`, v0.53).
fn registry_fetches(package: &Value) -> Vec<usize> {
    let steps = package.pointer("/spec/template/spec/fetch").and_then(Value::as_array);
    let steps = steps.into_iter().flatten().enumerate();
    let from_registry = |step: &Value| ["imgpkgBundle", "image"].iter().any(|kind| !step[*kind].is_null());
    steps.filter(|(_, step)| from_registry(step)).map(|(number, _)| number).collect()
}

/// Lists the package directories of a repository by their paths: directories, at the root or one below, with `packages/*.yaml`.
pub fn package_directories(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for first in tree::directories(root, ".")? {
        if is_package_directory(root, &first)? {
            found.push(first);
            continue;
        }
        for second in tree::directories(root, &first)? {
            let path = format!("{first}/{second}");
            if is_package_directory(root, &path)? {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn is_package_directory(root: &Path, path: &str) -> Result<bool> {
    // A directory that is itself called `packages` holds the versions of what is around it.
    let is_versions = path.rsplit('/').next() == Some(PACKAGES);
    Ok(!is_versions && !tree::manifests(root, &format!("{path}/{PACKAGES}"))?.is_empty())
}

/// Says that a package has no versions, and which packages the repository has.
pub(super) fn missing(root: &Path, path: &str) -> Result<Error> {
    let others = package_directories(root)?;
    let manifests = tree::manifests(root, &format!("{path}/{PACKAGES}"))?;
    if let Some(file) = manifests.kustomizations.first() {
        return Ok(Error::new(format!("no file in {path}/{PACKAGES} of the repository holds a Package"))
            .because(format!("what Flux builds with {file} cannot be told from here"))
            .hint("keep the Packages themselves in this directory, as the supply chain writes them"));
    }
    let error = if !manifests.is_empty() {
        Error::new(format!("no file in {path}/{PACKAGES} of the repository holds a Package"))
    } else if root.join(path).is_dir() {
        Error::new(format!("the package {path} has no files in {path}/{PACKAGES} of the repository"))
    } else {
        Error::new(format!("the repository has no directory {path}"))
    };
    let others: Vec<&str> = others.iter().map(String::as_str).filter(|other| *other != path).collect();
    Ok(if others.is_empty() {
        error.hint("the supply chain writes a package when a workload is built, or once its pull request is merged; check the branch")
    } else {
        error.hint(format!("the repository has these packages: {}", listed(others)))
    })
}

fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    wording::listed(&names.into_iter().collect::<Vec<_>>(), LISTED)
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
