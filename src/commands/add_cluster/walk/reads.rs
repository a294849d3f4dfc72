//! What the questions of `add-cluster` read, once each: the clusters that were reached, and one clone of the repository. It is read
//! again only after an answer that leads to it was asked for anew.

use secrecy::ExposeSecret;

use super::topics::Topic;
use crate::commands::add_cluster::clusters::Reached;
use crate::error::{Error, Result};
use crate::gitops::artifact::Artifact;
use crate::gitops::checkout::Checkout;
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::PackageDirectory;
use crate::gitops::tree;
use crate::kubeconfig::Fitness;

/// What the repository holds of the package.
pub(super) struct Repository {
    checkout: Checkout,
    pub(super) package: PackageDirectory,
}

impl Repository {
    /// Reads a package as Flux's artifact holds it.
    pub(super) fn read(checkout: Checkout, artifact: &Artifact, package: &str) -> Result<Self> {
        let package = artifact.package(checkout.root(), package)?;
        Ok(Self { checkout, package })
    }

    /// Reads what is there for a run cluster.
    pub(super) fn directory(&self, run_cluster: &str) -> Result<RunClusterDirectory> {
        RunClusterDirectory::read(self.checkout.root(), &self.package.path, run_cluster)
    }

    /// Reads a file at the root of the repository; `None` where there is none.
    pub(super) fn file(&self, path: &str) -> Result<Option<String>> {
        let root = self.checkout.root();
        if !tree::is_there(root, path)? {
            return Ok(None);
        }
        Ok(Some(tree::read(root, path)?.content.expose_secret().to_owned()))
    }
}

/// What was read so far.
#[derive(Default)]
pub(super) struct Reads {
    pub(super) build: Option<Reached>,
    pub(super) run: Option<Reached>,
    /// The namespaces of the run cluster, as far as the user may list them.
    pub(super) namespaces: Option<Vec<String>>,
    pub(super) repository: Option<Repository>,
}

impl Reads {
    /// Forgets what the answer to a question leads to that is about to be asked.
    pub(super) fn forget(&mut self, topic: Topic) {
        match topic {
            Topic::Context => (self.build, self.repository) = (None, None),
            Topic::Namespace | Topic::Package | Topic::GitUsername | Topic::GitPassword => self.repository = None,
            Topic::RunContext | Topic::RunCluster => (self.run, self.namespaces) = (None, None),
            _ => {}
        }
    }
}

/// Refuses a kubeconfig that cannot be read, or that Flux cannot use.
pub(super) fn check_kubeconfig(path: &str) -> Result<()> {
    let source = format!("the kubeconfig {path}");
    let text =
        std::fs::read_to_string(path).map_err(|error| Error::usage(format!("cannot read {source}")).because(error))?;
    Fitness::of(&text).refusal(&source).map_or(Ok(()), Err)
}
