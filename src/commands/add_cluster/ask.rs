//! What `add-cluster` is asked for: by flags, and by the answers to what they leave open.
//!
//! What comes of it is a [`Request`] for each delivery, and the clusters it is about; the questions live in [`super::walk`], how single flags are read
//! in [`super::request`].

use super::clusters::{Clusters, Target, endpoint_of_context};
use super::package_request::{EncryptionRequest, InstallRequest, ValuesRequest, version_constraints};
use super::request::{self, AuthenticationRequest, InstallerRequest, Request};
use super::{packages, walk};
use crate::cli::AddClusterArgs;
use crate::cluster::{Cluster, Connection, Role, load_kubeconfig};
use crate::commands::git::CommitRequest;
use crate::commands::{context, git};
use crate::error::Result;
use crate::gitops::checkout::{GitAccess, Limits};
use crate::gitops::credentials::GitCredentials;
use crate::names;
use crate::ui::Ui;
use crate::ui::prompt;

/// What was asked for, and what a person said to get there.
pub(super) struct Asked {
    /// What is delivered to each run cluster.
    pub(super) targets: Vec<Target>,
    /// The answers as flags.
    pub(super) answers: Vec<(&'static str, String)>,
}

/// Asks for what the flags leave open. Nothing is written.
pub(super) async fn ask(
    ui: Ui,
    connection: &mut Connection,
    namespace: Option<String>,
    arguments: &mut AddClusterArgs,
    known: Option<GitCredentials>,
) -> Result<Asked> {
    prompt::require(
        ui,
        &[
            ("RUN_CLUSTER", arguments.run_cluster.is_some()),
            ("--package", !arguments.packages.is_empty()),
            ("--run-context", arguments.run_context.is_some()),
            ("--target-namespace", arguments.target_namespace.is_some()),
            ("--yes", arguments.preview.or_confirmed(&arguments.confirm)),
        ],
    )?;
    // What flags say wrong is said before anything is asked.
    packages::check(arguments)?;
    let endpoint = request::endpoint_overrides(&arguments.endpoint)?;
    let values = ValuesRequest::of(&arguments.values).await?;
    let encryption = EncryptionRequest::of(&arguments.encryption)?;
    version_constraints(arguments.version_constraints.as_ref())?;
    let given_authentication = AuthenticationRequest::of(&arguments.authentication).await?;
    if let Some(account) = &arguments.authentication.impersonated {
        names::check_service_account(account)?;
    }
    let installer = InstallerRequest::of(&arguments.installer).await?;
    let login = match known {
        Some(known) => Some(known),
        None => git::given(ui, &arguments.credentials).await?,
    };

    let walked = walk::walk(ui, connection, namespace, arguments, login, values.is_given()).await?;
    let authentication = match given_authentication {
        Some(given) => Some(given),
        None => AuthenticationRequest::of(&arguments.authentication).await?,
    };
    context::choose(ui, connection).await?;
    let namespace = context::namespace(ui, connection, walked.namespace).await?;
    let said = |answer: &Option<String>| answer.clone().unwrap_or_default();
    let (run_cluster, target_namespace) = (said(&arguments.run_cluster), said(&arguments.target_namespace));
    let packages = packages::paths(&arguments.packages)?;
    for package in &packages {
        names::check_run_cluster(&run_cluster, names::of_package(package))?;
    }

    let build = Cluster::connect(Role::Build, connection).await?.forcing_conflicts(arguments.write.force_conflicts);
    let run_connection = connection.of_run_clusters(arguments.run_kubeconfig.as_ref());
    let kubeconfig = load_kubeconfig(run_connection.kubeconfig.as_deref())?;
    let context = said(&arguments.run_context);
    let run_connection = run_connection.in_context(&context);
    let run = Cluster::connect(Role::Run(run_cluster.clone()), &run_connection)
        .await?
        .forcing_conflicts(arguments.write.force_conflicts);
    let user_endpoint = endpoint_of_context(&kubeconfig, &context, &endpoint)?;
    let (build_served, run_served) = futures::join!(build.served_versions(), run.served_versions());
    let git = GitAccess {
        credentials: walked.credentials,
        limits: Limits::new(connection.request_timeout, arguments.timeout),
        ..GitAccess::default()
    };
    let values = walked.values.unwrap_or(values);
    let constraints = version_constraints(arguments.version_constraints.as_ref())?;
    let request = |package: String| Request {
        run_cluster: run_cluster.clone(),
        package,
        namespace: namespace.clone(),
        target_namespace: target_namespace.clone(),
        version_constraints: constraints.clone(),
        install: InstallRequest::of(&arguments.selection),
        values: values.clone(),
        encryption: encryption.clone(),
        authentication: authentication.clone(),
        impersonate: arguments.authentication.impersonated.clone(),
        installer: installer.clone(),
        registry_secret: arguments.installer.registry_secret.clone(),
        create_namespace: arguments.installer.create_namespace,
        endpoint: endpoint.clone(),
        allow_loopback: arguments.endpoint.allow_loopback,
        labels: arguments.write.labels.clone(),
        force_conflicts: arguments.write.force_conflicts,
        commit: CommitRequest { is_merged: arguments.wait_for_merge.is_some(), ..CommitRequest::of(&arguments.commit) },
    };
    let clusters = Clusters {
        build,
        build_served: build_served?,
        run,
        run_served: run_served?,
        run_connection,
        user_endpoint,
        git,
    };
    let mut requests = packages.into_iter().map(request);
    let mut target = requests.next().map(|first| Target::new(clusters, first));
    if let Some(target) = &mut target {
        requests.for_each(|request| target.add(request));
    }
    Ok(Asked { targets: target.into_iter().collect(), answers: walked.answers })
}
