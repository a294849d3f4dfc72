//! One package on one run cluster, as files: `<package>/<run-cluster>/{packageinstall,params}.yaml`.
//!
//! Reads what is there and computes the files that a new `PackageInstall` and its values need. The documents themselves are
//! built in [`super::install`] and [`super::values`].

use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::Value;

use super::edit::edit;
pub use super::existing::{ExistingInstall, ExistingSecret};
use super::existing::{is_encrypted, is_install, is_secret, text};
use super::layout::{OtherObject, PACKAGES, PackageDirectory};
use super::manifest;
use super::tree::{self, FileChange, RepositoryFile};
use super::values::is_same_values_secret;
use crate::error::{Error, Result};

const INSTALL_FILE: &str = "packageinstall.yaml";
const VALUES_FILE: &str = "params.yaml";

/// The directory of a run cluster below a package; all empty when there is none yet.
#[derive(Clone, Debug)]
pub struct RunClusterDirectory {
    /// The directory, relative to the root of the repository.
    pub path: String,
    /// The `PackageInstall` of the package in any of its files.
    pub install: Option<ExistingInstall>,
    /// The `PackageInstalls` of other packages, which Flux applies from the same directory.
    pub other_installs: Vec<ExistingInstall>,
    /// The Secrets in all of its files.
    pub secrets: Vec<ExistingSecret>,
    /// Objects of other kinds.
    pub others: Vec<OtherObject>,
    /// Its YAML files, those that hold nothing of interest included.
    pub files: Vec<RepositoryFile>,
    /// The file that limits what Flux applies from this directory, when there is one: others count only if it lists them.
    pub kustomization: Option<String>,
}

impl RunClusterDirectory {
    /// Reads the directory of a run cluster below a package, given by its path relative to the root of the repository.
    ///
    /// The package need not have versions any more. Fails when the name cannot be one, when a file is not valid YAML, or when there are several `PackageInstalls` of
    /// which none, or more than one, is of the package.
    pub fn read(root: &Path, package: &str, run_cluster: &str) -> Result<Self> {
        if run_cluster == PACKAGES || run_cluster.contains('/') || tree::segments(run_cluster).is_err() {
            return Err(Error::usage(format!("{run_cluster:?} cannot be the name of a run cluster"))
                .because(format!("it names a directory beside `{PACKAGES}` in the repository"))
                .hint("choose a short name such as `prod1`"));
        }
        let path = format!("{}/{run_cluster}", tree::segments(package)?.join("/"));
        let mut directory = Self {
            path,
            install: None,
            other_installs: Vec::new(),
            secrets: Vec::new(),
            others: Vec::new(),
            files: Vec::new(),
            kustomization: None,
        };
        let manifests = tree::manifests(root, &directory.path)?;
        let decides = |file: &String| file.rsplit_once('/').is_some_and(|(parent, _)| parent == directory.path);
        directory.kustomization = manifests.kustomizations.into_iter().find(decides);
        for path in manifests.files {
            let file = tree::read(root, &path)?;
            for document in documents(&file)? {
                directory.take(&file.path, document);
            }
            directory.files.push(file);
        }
        directory.choose_install(root, package)?;
        Ok(directory)
    }

    /// Takes the `PackageInstall` of the package out of all; the only one there is is the delivery's, whatever it installs.
    fn choose_install(&mut self, root: &Path, package: &str) -> Result<()> {
        let position = match self.other_installs.as_slice() {
            [] => return Ok(()),
            [_] => Some(0),
            all => {
                let ref_name = PackageDirectory::read(root, package, |_| true)?.map(|package| package.ref_name);
                let is_ours = |install: &ExistingInstall| ref_name.is_some() && install.ref_name == ref_name;
                let mut ours = all.iter().enumerate().filter(|(_, install)| is_ours(install)).map(|(index, _)| index);
                ours.next().filter(|_| ours.next().is_none())
            }
        };
        let Some(position) = position else {
            let named = self.other_installs.iter().map(|install| {
                let ref_name = install.ref_name.as_deref().unwrap_or("nothing");
                format!("{} in {} installs {ref_name}", install.name, install.file)
            });
            return Err(Error::new(format!(
                "the directory {} of the repository holds several PackageInstalls, and not exactly one of the package",
                self.path
            ))
            .because(named.collect::<Vec<_>>().join(", "))
            .hint("keep one PackageInstall per run cluster and package, and push"));
        };
        self.install = Some(self.other_installs.remove(position));
        Ok(())
    }

    fn take(&mut self, file: &str, document: Value) {
        if is_install(&document) {
            self.other_installs.push(ExistingInstall::read(file, document));
        } else if is_secret(&document) {
            self.secrets.push(ExistingSecret::read(file, &document));
        } else {
            // Of a List, its items count.
            let others = manifest::items(document).into_iter().filter(|item| !is_install(item) && !is_secret(item));
            self.others.extend(others.map(|item| OtherObject::read(&item, file)));
        }
    }

    /// Computes the files that hold the given `PackageInstall` and, if any, its values Secret.
    ///
    /// Each takes the place of its predecessor, whatever the file; otherwise it goes to `packageinstall.yaml` or `params.yaml`.
    /// All other documents and files stay, and what is not changed of a document stays as it is written. Only files that
    /// change are returned: none when all is as it should be.
    pub fn with_delivery(&self, install: &Value, secret: Option<&Value>) -> Result<DeliveryFiles> {
        let secret_name = secret.and_then(|secret| text(secret, "/metadata/name"));
        let is_earlier = |document: &Value| {
            is_secret(document)
                && matches!((text(document, "/metadata/name"), &secret_name), (Some(old), Some(new)) if is_same_values_secret(&old, new))
        };
        let is_other = |document: &Value| self.other_installs.iter().any(|other| other.document == *document);
        let is_ours = |document: &Value| is_install(document) && !is_other(document);
        let mut wanted = self.parsed()?;
        replace(&mut wanted, &format!("{}/{INSTALL_FILE}", self.path), is_ours, |_| install.clone(), install);
        if let Some(secret) = secret {
            let updated = |earlier: &Value| {
                if is_encrypted(secret) { secret.clone() } else { with_content_of(earlier, secret) }
            };
            replace(&mut wanted, &format!("{}/{VALUES_FILE}", self.path), is_earlier, updated, secret);
        }
        self.differences(wanted)
    }

    /// Returns the document of a Secret as it stands in its file.
    pub fn document(&self, secret: &ExistingSecret) -> Result<Option<Value>> {
        let Some(file) = self.files.iter().find(|file| file.path == secret.file) else { return Ok(None) };
        let name = |document: &Value| text(document, "/metadata/name").unwrap_or_default();
        Ok(documents(file)?.into_iter().find(|document| is_secret(document) && name(document) == secret.name))
    }

    /// Returns the file that a values Secret is in, or goes to where there is none yet.
    #[must_use]
    pub fn values_file(&self, earlier: Option<&ExistingSecret>) -> String {
        earlier.map_or_else(|| format!("{}/{VALUES_FILE}", self.path), |secret| secret.file.clone())
    }

    /// Returns the files that the delivery's `PackageInstall` and values are in, or will be where there are new values.
    #[must_use]
    pub fn files_of_delivery(&self, has_new_values: bool) -> Vec<String> {
        let install = self.install.as_ref().map(|install| install.file.clone());
        let is_values = |secret: &&ExistingSecret| {
            self.install.as_ref().is_some_and(|install| install.values_secrets.contains(&secret.name))
        };
        let mut files = vec![install.unwrap_or_else(|| format!("{}/{INSTALL_FILE}", self.path))];
        files.extend(self.secrets.iter().filter(is_values).map(|secret| secret.file.clone()));
        if has_new_values && files.len() == 1 {
            files.push(format!("{}/{VALUES_FILE}", self.path));
        }
        files
    }

    fn parsed(&self) -> Result<Vec<WantedFile>> {
        let wanted = self.files.iter().map(|file| {
            let documents = documents(file)?.into_iter().map(Some).collect();
            Ok(WantedFile { path: file.path.clone(), documents, added: Vec::new() })
        });
        wanted.collect()
    }

    fn differences(&self, wanted: Vec<WantedFile>) -> Result<DeliveryFiles> {
        let mut files = DeliveryFiles::default();
        for WantedFile { path, documents: wanted, added } in wanted {
            let existing = self.files.iter().find(|file| file.path == path);
            let before = existing.map(documents).transpose()?.unwrap_or_default();
            let is_unchanged = added.is_empty() && wanted.iter().map(Option::as_ref).eq(before.iter().map(Some));
            if is_unchanged {
                continue;
            }
            let content = if added.is_empty() && wanted.iter().all(Option::is_none) {
                None
            } else if encrypts(&before, &wanted, &added) {
                // Comments may repeat what is secret now, or belong to the key that the file was encrypted with.
                Some(alone(&path, &wanted, &added)?.into())
            } else {
                let before = existing.map(|file| file.content.expose_secret()).unwrap_or_default();
                let edited = edit(before, &wanted, &added)?;
                if edited.is_rewritten {
                    files.rewritten.push(path.clone());
                }
                Some(edited.text.into())
            };
            let before = existing.map(|file| file.content.clone());
            files.changes.push(FileChange { path, before, content });
        }
        Ok(files)
    }
}

/// The files of a delivery as they should be.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFiles {
    /// The files that change.
    pub changes: Vec<FileChange>,
    /// Those of them, by path, that could not be changed in place: their comments are lost, and their order and quotes.
    pub rewritten: Vec<String>,
}

/// What a file is to hold.
struct WantedFile {
    path: String,
    /// What becomes of each document that is there: nothing, where it goes.
    documents: Vec<Option<Value>>,
    added: Vec<Value>,
}

/// Updates the first document that matches and drops the other matches; otherwise adds one to the file named.
fn replace(
    files: &mut Vec<WantedFile>,
    path: &str,
    matches: impl Fn(&Value) -> bool,
    updated: impl Fn(&Value) -> Value,
    new: &Value,
) {
    let mut placed = false;
    for place in files.iter_mut().flat_map(|file| &mut file.documents) {
        if let Some(existing) = place.as_ref().filter(|document| matches(document)) {
            *place = (!placed).then(|| updated(existing));
            placed = true;
        }
    }
    if placed {
        return;
    }
    match files.iter_mut().find(|file| file.path == path) {
        Some(file) => file.added.push(new.clone()),
        None => files.push(WantedFile { path: path.to_owned(), documents: Vec::new(), added: vec![new.clone()] }),
    }
}

/// Tells whether a document is encrypted that was another one before.
fn encrypts(before: &[Value], wanted: &[Option<Value>], added: &[Value]) -> bool {
    let is_new = |(document, before): (&Option<Value>, &Value)| {
        document.as_ref().is_some_and(|document| document != before && is_encrypted(document))
    };
    added.iter().any(is_encrypted) || wanted.iter().zip(before).any(is_new)
}

/// Writes the only document of a file: SOPS has no others beside one that is encrypted (getsops/sops#1058).
fn alone(path: &str, wanted: &[Option<Value>], added: &[Value]) -> Result<String> {
    let documents: Vec<&Value> = wanted.iter().flatten().chain(added).collect();
    match documents.as_slice() {
        [document] => manifest::write_documents(std::slice::from_ref(*document)),
        _ => Err(Error::new(format!("{path} holds other documents beside the values that are to be encrypted"))
            .because("a file that SOPS has encrypted holds exactly one document")
            .hint("move the values Secret to a file of its own, such as params.yaml; commit and push that")),
    }
}

/// Gives an earlier values Secret the name and the content of a new one; its labels and all else stay.
fn with_content_of(earlier: &Value, secret: &Value) -> Value {
    let mut updated = earlier.clone();
    if let (Some(entries), Some(content)) = (updated.as_object_mut(), secret.get("stringData")) {
        entries.shift_remove("data");
        entries.insert("stringData".to_owned(), content.clone());
    }
    if let (Some(old), Some(new)) = (updated.pointer_mut("/metadata/name"), secret.pointer("/metadata/name")) {
        old.clone_from(new);
    }
    updated
}

/// Parses a file that may hold secrets: the error names the place only.
pub(super) fn documents(file: &RepositoryFile) -> Result<Vec<Value>> {
    manifest::parse(file.content.expose_secret()).map_err(|fault| Error::new(fault.sentence(&file.path)))
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
