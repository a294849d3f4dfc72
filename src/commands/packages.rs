//! The packages of a repository, each with its versions.

use std::path::Path;

use crate::carvel::selection::{Prereleases, VersionRequest, select};
use crate::error::{Error, Result};
use crate::gitops::artifact::Artifact;
use crate::gitops::layout::{PackageDirectory, PackageManifest, package_directories};

/// A package, as lists show it.
pub(super) struct Listed {
    /// Its directory.
    pub(super) path: String,
    /// How many versions it has.
    pub(super) versions: usize,
    /// The highest release, else the highest of all.
    pub(super) highest: Option<String>,
}

/// Lists the packages that Flux's artifact holds; the errors are those of packages that cannot be read, which do not keep the
/// others back.
pub(super) fn listed(root: &Path, artifact: &Artifact) -> Result<(Vec<Listed>, Vec<Error>)> {
    let (mut packages, mut unreadable) = (Vec::new(), Vec::new());
    for path in package_directories(root)? {
        match artifact.package(root, &path) {
            Ok(package) => {
                let highest = highest(&package).map(|manifest| manifest.version.clone());
                packages.push(Listed { path, versions: package.packages.len(), highest });
            }
            Err(error) => unreadable.push(Error::new(format!("{path} is not listed")).because(error)),
        }
    }
    if packages.is_empty() {
        return Err(unreadable.into_iter().fold(
            Error::new("the repository has no packages that can be read")
                .hint("the supply chain writes a package when a workload is built; check the branch"),
            Error::because,
        ));
    }
    Ok((packages, unreadable))
}

/// Returns the highest release, else the highest of all.
pub(super) fn highest(package: &PackageDirectory) -> Option<&PackageManifest> {
    let versions = package.versions();
    let releases = VersionRequest::default();
    let all = VersionRequest { prereleases: Some(Prereleases::default()), ..VersionRequest::default() };
    let highest = select(&versions, &releases).or_else(|_| select(&versions, &all)).ok()?.to_string();
    package.packages.iter().find(|manifest| manifest.version == highest)
}
