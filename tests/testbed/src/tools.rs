//! The programs of the testbed: built once from their Go modules into a cache, then reused.

mod build;
mod group;
mod progress;
mod requirements;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache;
use crate::command::output_of;
use crate::error::{Error, Result};
use group::Group;

/// The programs of the testbed, ready to run.
#[derive(Debug, Clone)]
pub struct Tools {
    entries: BTreeMap<&'static str, PathBuf>,
    kubectl: PathBuf,
}

impl Tools {
    /// Builds, or finds in the cache, everything that tests need.
    pub fn prepare() -> Result<Self> {
        Self::prepare_groups(group::ALL)
    }

    /// Builds, or finds in the cache, what clusters and packages need.
    pub fn prepare_for_clusters() -> Result<Self> {
        Self::prepare_groups(group::CLUSTERS)
    }

    /// Builds, or finds in the cache, what makes packages and serves their images: all that is needed beside clusters that somebody else runs.
    pub fn prepare_for_packages() -> Result<Self> {
        Self::prepare_groups(group::PACKAGES)
    }

    /// Builds, or finds in the cache, what judges the files of a release: krew, its validator and actionlint.
    pub fn prepare_for_releases() -> Result<Self> {
        Self::prepare_groups(group::RELEASES)
    }

    /// Builds, or finds in the cache, the server of repositories over SSH.
    pub(crate) fn prepare_for_ssh() -> Result<Self> {
        Self::prepare_groups(&[&group::SSH_GIT_SERVER])
    }

    fn prepare_groups(groups: &[&Group]) -> Result<Self> {
        requirements::check_git()?;
        let cache = cache::directory()?;
        let found = requirements::find_kubectl();
        let own = if found.is_none() { Some(&group::KUBECTL) } else { None };
        let groups: Vec<&Group> = groups.iter().copied().chain(own).collect();
        let entries = build::ensure(&groups, &cache)?;
        let built = |entry: &PathBuf| entry.join("bin/kubectl");
        let kubectl = found.or_else(|| entries.get(group::KUBECTL.name).map(built)).unwrap_or_default();
        Ok(Self { entries, kubectl })
    }

    /// Makes the tools reachable below `directory` too, inside the sandbox's own mount namespace.
    ///
    /// kapp-controller runs with an empty `/home` and `/run` (it has fixed paths there), and the cache is
    /// usually somewhere in `/home`.
    pub(crate) fn mount_below(&self, directory: &Path) -> Result<Self> {
        let mut entries = BTreeMap::new();
        for (name, entry) in &self.entries {
            let target = directory.join(name);
            if !target.exists() {
                cache::create_directory(&target)?;
                output_of(Command::new("mount").arg("--rbind").arg(entry).arg(&target))?;
            }
            entries.insert(*name, target);
        }
        Ok(Self { entries, kubectl: self.kubectl.clone() })
    }

    /// Returns the path of a program, such as `crane` or `validate-krew-manifest`.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        self.entries
            .values()
            .map(|entry| entry.join("bin").join(name))
            .find(|path| path.exists())
            .ok_or_else(|| Error::failed(format!("the testbed has no program called {name}")))
    }

    /// Returns the path of the kubectl in use: the machine's own, or one built here.
    #[must_use]
    pub fn kubectl(&self) -> &Path {
        &self.kubectl
    }

    /// Returns a PATH with the Carvel tools and the machine's basic programs, and nothing else.
    pub(crate) fn carvel_path(&self) -> String {
        let carvel = self.entries.get(group::CARVEL_TOOLS.name).map(|entry| entry.join("bin"));
        format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", carvel.unwrap_or_default().display())
    }

    /// Returns files that a group's modules carry, such as `("flux", "source-controller")`.
    pub(crate) fn share(&self, group: &str, name: &str) -> Result<PathBuf> {
        self.entries
            .get(group)
            .map(|entry| entry.join("share").join(name))
            .ok_or_else(|| Error::failed(format!("the tools of {group} were not prepared")))
    }
}
