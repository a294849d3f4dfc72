//! The testbed as a whole: clusters, Git server and registry, started together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cache::create_directory;
use crate::certificates::Identity;
use crate::cluster::{Cluster, Places};
use crate::error::{Error, Result};
use crate::git_server::{GitServer, Repository, SshGitServer};
use crate::kubectl::Kubectl;
use crate::package::{self, PackageVersion};
use crate::process::Process;
use crate::registry::Registry;
use crate::sandbox::Sandbox;
use crate::tools::Tools;
use crate::workspace::Workspace;
use crate::{flux, kapp_controller, kubeconfig, trust};

/// The name, and the kube context, of the build cluster.
pub const BUILD: &str = "build";

/// What a testbed consists of.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many run clusters there are: `prod1`, `prod2`, …
    pub run_clusters: usize,
    /// How many Kustomizations Flux works on at a time.
    pub kustomize_controller_concurrency: usize,
    /// Additional arguments of Flux's controllers, such as the selector of a shard.
    pub flux_arguments: Vec<String>,
    /// Additional arguments of a cluster's API server, by the cluster's name.
    pub extra_api_server_arguments: BTreeMap<String, Vec<String>>,
    /// Whether run clusters trust the build cluster's tokens that are for them: the audience is their name.
    pub is_build_cluster_trusted: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            run_clusters: 2,
            kustomize_controller_concurrency: 4,
            flux_arguments: Vec::new(),
            extra_api_server_arguments: BTreeMap::new(),
            is_build_cluster_trusted: false,
        }
    }
}

/// Running clusters with everything a delivery needs around them.
#[derive(Debug)]
pub struct Testbed {
    // Fields are dropped in this order: components first, then what they talk to.
    clusters: Vec<Cluster>,
    git: GitServer,
    registry: Registry,
    tools: Tools,
    places: Places,
    kubeconfig: PathBuf,
    run_clusters: Vec<String>,
}

impl Testbed {
    /// Starts a build cluster, run clusters, a Git server and a registry, and waits until all are ready.
    ///
    /// The process has to be in the sandbox, see [`crate::sandbox::enter`].
    pub fn start(options: &Options) -> Result<Self> {
        let places = places()?;
        let tools = Tools::prepare_for_clusters()?.mount_below(&places.work.join("tools"))?;
        let run_clusters: Vec<String> = (1..=options.run_clusters).map(|number| format!("prod{number}")).collect();
        let start = |name: &str, trust: Option<String>| {
            let mut extra = options.extra_api_server_arguments.get(name).cloned().unwrap_or_default();
            extra.extend(trust);
            let mut cluster = Cluster::start(name, &tools, &places, &extra)?;
            if name == BUILD {
                flux::install(&mut cluster, &tools, options)?;
            } else {
                cluster.start_workloads(&tools, &places)?;
                kapp_controller::install(&mut cluster, &tools)?;
            }
            Ok(cluster)
        };
        // Whoever trusts it must know its address and authority, so that only then it is waited for.
        let mut clusters = Vec::new();
        if options.is_build_cluster_trusted {
            let build = start(BUILD, None)?;
            trust::publish_keys(&build)?;
            clusters.push(build);
        }
        let mut others: Vec<(&str, Option<String>)> = Vec::new();
        if clusters.is_empty() {
            others.push((BUILD, None));
        }
        for name in &run_clusters {
            let trust = clusters.first().map(|build| trust::argument(build, name, &places.work)).transpose()?;
            others.push((name, trust));
        }
        clusters.extend(std::thread::scope(|scope| {
            let start = &start;
            let threads: Vec<_> =
                others.into_iter().map(|(name, trust)| scope.spawn(move || start(name, trust))).collect();
            threads.into_iter().map(join).collect::<Result<Vec<Cluster>>>()
        })?);
        let contexts: Vec<_> = clusters.iter().map(|cluster| cluster.context.clone()).collect();
        let path = places.work.join("kubeconfig.yaml");
        kubeconfig::write(&path, &contexts)?;
        Self::around(clusters, tools, places, path, run_clusters)
    }

    /// Starts only a Git server and a registry, for clusters that somebody else runs on this machine.
    ///
    /// The kubeconfig needs administrator contexts called `build`, `prod1`, `prod2`, …
    pub fn connect(kubeconfig: &Path) -> Result<Self> {
        let places = places()?;
        let tools = Tools::prepare_for_packages()?.mount_below(&places.work.join("tools"))?;
        let listing = Kubectl::new(tools.kubectl(), kubeconfig, BUILD, &places.work).run(&[
            "config",
            "get-contexts",
            "-o",
            "name",
        ])?;
        let mut run_clusters: Vec<String> =
            listing.lines().filter(|name| name.starts_with("prod")).map(ToOwned::to_owned).collect();
        run_clusters.sort();
        if run_clusters.is_empty() || !listing.lines().any(|name| name == BUILD) {
            return Err(Error::failed(format!(
                "{} has no contexts called build and prod1: use one that `testbed up` wrote",
                kubeconfig.display()
            )));
        }
        Self::around(Vec::new(), tools, places, kubeconfig.to_path_buf(), run_clusters)
    }

    fn around(
        clusters: Vec<Cluster>,
        tools: Tools,
        places: Places,
        kubeconfig: PathBuf,
        run_clusters: Vec<String>,
    ) -> Result<Self> {
        let git = GitServer::start(&places.work.join("git"))?;
        let registry = Registry::start(&tools, &places)?;
        Ok(Self { clusters, git, registry, tools, places, kubeconfig, run_clusters })
    }

    /// Returns the administrator's kubeconfig, with the contexts `build`, `prod1`, `prod2`, …
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Writes the administrator's kubeconfig to another place too, readable by its owner only.
    pub fn copy_kubeconfig(&self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(&self.kubeconfig).map_err(Error::file("read", &self.kubeconfig))?;
        kubeconfig::write_private(path, &text)
    }

    /// Returns the names of the run clusters, which are their contexts too.
    #[must_use]
    pub fn run_clusters(&self) -> &[String] {
        &self.run_clusters
    }

    /// Returns the Git server.
    #[must_use]
    pub fn git(&self) -> &GitServer {
        &self.git
    }

    /// Returns the Git server's repositories over SSH; the server of that starts when it is asked for.
    pub fn git_over_ssh(&self) -> Result<&SshGitServer> {
        self.git.ssh(&self.places)
    }

    /// Returns the OCI registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the programs of the testbed.
    #[must_use]
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// Returns the directory of log files.
    #[must_use]
    pub fn logs(&self) -> &Path {
        &self.places.logs
    }

    /// Returns the directory of this testbed, which is removed at the end.
    #[must_use]
    pub fn work(&self) -> &Path {
        &self.places.work
    }

    /// Returns a component by its name, such as `build/kustomize-controller` or `prod1/kube-apiserver`.
    pub fn process(&self, name: &str) -> Result<&Process> {
        let all: Vec<&Arc<Process>> = self.clusters.iter().flat_map(|cluster| &cluster.processes).collect();
        if let Some(process) = all.iter().find(|process| process.name() == name) {
            return Ok(process);
        }
        let names: Vec<&str> = all.iter().map(|process| process.name()).collect();
        Err(Error::failed(format!("this testbed has no process {name}; it has: {}", names.join(", "))))
    }

    /// Waits until a cluster answers, after one of its components was restarted.
    pub fn wait_until_ready(&self, name: &str) -> Result<()> {
        let cluster = self
            .clusters
            .iter()
            .find(|cluster| cluster.name == name)
            .ok_or_else(|| Error::failed(format!("this testbed runs no cluster {name}")))?;
        cluster.wait_until_ready()?;
        let mut packages = kapp_controller::probe(&cluster.kubectl);
        cluster.watch_until(|| {
            // kapp-controller ends when it starts while the API server is away; a kubelet would start it again.
            cluster.processes.iter().try_for_each(|process| process.revive()).map_err(|error| error.to_string())?;
            if name == BUILD { Ok(()) } else { packages() }
        })
    }

    /// Signs a client certificate of X.509 version 1 for a user of a cluster that this testbed has started.
    pub fn sign_version_one(&self, cluster: &str, user: &str) -> Result<Identity> {
        let found = self.clusters.iter().find(|one| one.name == cluster);
        found
            .ok_or_else(|| Error::failed(format!("this testbed runs no cluster {cluster}")))?
            .authority
            .sign_version_one(user)
    }

    /// Returns where a context leads: the server, and its certificate authority as kubeconfigs hold it.
    pub fn endpoint(&self, context: &str) -> Result<(String, String)> {
        kubeconfig::endpoint(&self.kubeconfig, context)
    }

    /// Runs kubectl as administrator in a context and returns what it printed.
    pub fn kubectl(&self, context: &str, arguments: &[&str]) -> Result<String> {
        self.administrator(context).run(arguments)
    }

    /// Applies YAML manifests as administrator, server-side.
    pub fn apply(&self, context: &str, manifests: &str) -> Result<String> {
        self.administrator(context).apply(manifests, &[])
    }

    pub(crate) fn administrator(&self, context: &str) -> Kubectl {
        Kubectl::new(self.tools.kubectl(), &self.kubeconfig, context, &self.places.work)
    }

    /// Creates an isolated place to work in as an ordinary user.
    pub fn workspace(&self, name: &str) -> Result<Workspace> {
        Workspace::create(self, name)
    }

    /// Publishes a package version into a repository, as the supply chain does; returns the new revision.
    pub fn publish(&self, repository: &Repository, version: &PackageVersion) -> Result<String> {
        package::publish(&self.tools, &self.registry, repository, version)
    }
}

/// Returns a directory of its own for each testbed of this process.
fn places() -> Result<Places> {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    let sandbox = Sandbox::current()?;
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let (mut work, mut logs) = (sandbox.work().to_path_buf(), sandbox.logs().to_path_buf());
    if number > 0 {
        work.push(format!("testbed-{number}"));
        logs.push(format!("testbed-{number}"));
    }
    create_directory(&work)?;
    create_directory(&logs)?;
    Ok(Places { work, logs })
}

/// Returns what a thread returned; a panic in it goes on here.
pub(crate) fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
