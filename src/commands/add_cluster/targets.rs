//! The clusters of a command, connected, with a request for each delivery: what is the same for all of them is said once.

use futures::future::join_all;

use super::clusters::{Clusters, Reached, Target, endpoint_of_context};
use super::package_request::{EncryptionRequest, InstallRequest, ValuesRequest};
use super::request::{AuthenticationRequest, InstallerRequest, Request};
use crate::check::Checks;
use crate::cli::AddClusterArgs;
use crate::cluster::{Connection, Role, load_kubeconfig};
use crate::commands::git::CommitRequest;
use crate::error::Result;
use crate::gitops::checkout::{GitAccess, Limits};
use crate::gitops::credentials::GitCredentials;
use crate::kubeconfig::EndpointOverrides;
use crate::names;

/// What holds for all deliveries.
pub(super) struct Common {
    pub(super) encryption: EncryptionRequest,
    pub(super) installer: Option<InstallerRequest>,
}

/// What is asked about one run cluster.
pub(super) struct RunClusterRequest {
    /// Its short name.
    pub(super) name: String,
    /// The kubeconfig context.
    pub(super) context: String,
    /// The cluster, where questions have led to it.
    pub(super) reached: Option<Reached>,
    pub(super) endpoint: EndpointOverrides,
    pub(super) authentication: Option<AuthenticationRequest>,
    /// What is delivered to it.
    pub(super) packages: Vec<PackageRequest>,
}

/// What is asked about one package on a run cluster.
pub(super) struct PackageRequest {
    /// The package's directory.
    pub(super) package: String,
    pub(super) target_namespace: String,
    pub(super) version_constraints: Option<String>,
    pub(super) values: ValuesRequest,
}

impl Common {
    /// Reads the flags, and the files that they name.
    pub(super) async fn of(arguments: &AddClusterArgs) -> Result<Self> {
        let encryption = EncryptionRequest::of(&arguments.encryption)?;
        if let Some(account) = &arguments.authentication.impersonated {
            names::check_service_account(account)?;
        }
        let installer = InstallerRequest::of(&arguments.installer).await?;
        Ok(Self { encryption, installer })
    }
}

/// Connects the build cluster and all run clusters; those that cannot be reached are named together.
pub(super) async fn connect(
    connection: &Connection,
    arguments: &AddClusterArgs,
    namespace: &str,
    build: Option<Reached>,
    credentials: Option<GitCredentials>,
    common: &Common,
    run_clusters: Vec<RunClusterRequest>,
) -> Result<Vec<Target>> {
    for run_cluster in &run_clusters {
        for package in &run_cluster.packages {
            names::check_run_cluster(&run_cluster.name, names::of_package(&package.package))?;
        }
    }
    let Reached { cluster: build, served: build_served } = Reached::or_connect(build, Role::Build, connection).await?;
    let build = build.forcing_conflicts(arguments.write.force_conflicts);
    let git = GitAccess {
        credentials,
        limits: Limits::new(connection.request_timeout, arguments.confirm.timeout),
        ..GitAccess::default()
    };
    let run_connection = connection.of_run_clusters(arguments.run_kubeconfig.as_ref());
    let kubeconfig = load_kubeconfig(run_connection.kubeconfig.as_deref())?;
    let connected = join_all(run_clusters.iter().map(async |run_cluster| {
        let run_connection = run_connection.in_context(&run_cluster.context);
        let role = Role::Run(run_cluster.name.clone());
        let Reached { cluster: run, served: run_served } =
            Reached::or_connect(run_cluster.reached.clone(), role, &run_connection).await?;
        Ok(Clusters {
            build: build.clone(),
            build_served: build_served.clone(),
            run: run.forcing_conflicts(arguments.write.force_conflicts),
            run_served,
            run_connection,
            user_endpoint: endpoint_of_context(&kubeconfig, &run_cluster.context, &run_cluster.endpoint)?,
            git: git.clone(),
        })
    }));
    let connected = connected.await;
    let mut checks = Checks::default();
    let mut targets = Vec::new();
    for (run_cluster, clusters) in run_clusters.into_iter().zip(connected) {
        let Ok(clusters) = checks.take("run cluster", clusters) else { continue };
        let mut requests = requests(run_cluster, arguments, namespace, common).into_iter();
        let Some(first) = requests.next() else { continue };
        let mut target = Target::new(clusters, first);
        requests.for_each(|request| target.add(request));
        targets.push(target);
    }
    checks.refuse_if_failed()?;
    Ok(targets)
}

/// Makes the requests for a run cluster.
fn requests(
    run_cluster: RunClusterRequest,
    arguments: &AddClusterArgs,
    namespace: &str,
    common: &Common,
) -> Vec<Request> {
    let RunClusterRequest { name, endpoint, authentication, packages, .. } = run_cluster;
    let request = |package: PackageRequest| Request {
        run_cluster: name.clone(),
        package: package.package,
        namespace: namespace.to_owned(),
        target_namespace: package.target_namespace,
        version_constraints: package.version_constraints,
        install: InstallRequest::of(&arguments.selection),
        values: package.values,
        encryption: common.encryption.clone(),
        authentication: authentication.clone(),
        impersonate: arguments.authentication.impersonated.clone(),
        installer: common.installer.clone(),
        registry_secret: arguments.installer.registry_secret.clone(),
        create_namespace: arguments.installer.create_namespace,
        endpoint: endpoint.clone(),
        allow_loopback: arguments.endpoint.allow_loopback,
        labels: arguments.write.labels.clone(),
        force_conflicts: arguments.write.force_conflicts,
        commit: CommitRequest { is_merged: arguments.wait_for_merge.is_some(), ..CommitRequest::of(&arguments.commit) },
    };
    packages.into_iter().map(request).collect()
}
