//! The packages of a repository, each with its versions.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

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
    let paths = package_directories(root)?;
    let read = side_by_side(&paths, |path| artifact.package(root, path));
    let (mut packages, mut unreadable) = (Vec::new(), Vec::new());
    for (path, read) in paths.into_iter().zip(read) {
        match read {
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

/// Reads directories on all processors: thousands of files are a second's work for one. The results have the order of `paths`.
fn side_by_side<T: Send>(paths: &[String], read: impl Fn(&str) -> T + Sync) -> Vec<T> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let share = paths.len().div_ceil(processors).max(1);
    thread::scope(|scope| {
        let read = &read;
        let begin = |paths: &'_ [String]| -> Vec<T> { paths.iter().map(|path| read(path)).collect() };
        let shares: Vec<_> = paths.chunks(share).map(|paths| scope.spawn(move || begin(paths))).collect();
        shares.into_iter().flat_map(|share| share.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// Returns the highest release, else the highest of all.
pub(super) fn highest(package: &PackageDirectory) -> Option<&PackageManifest> {
    let versions = package.versions();
    let releases = VersionRequest::default();
    let all = VersionRequest { prereleases: Some(Prereleases::default()), ..VersionRequest::default() };
    let highest = select(&versions, &releases).or_else(|_| select(&versions, &all)).ok()?.to_string();
    package.packages.iter().find(|manifest| manifest.version == highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_side_by_side_stays_in_order() {
        for count in [0, 1, 2, 7, 100] {
            let paths: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            assert_eq!(side_by_side(&paths, str::to_owned), paths);
        }
    }
}
