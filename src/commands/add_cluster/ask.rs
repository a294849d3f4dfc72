//! The questions of `add-cluster`: what the flags leave open is asked, with what the clusters offer as choices.
//!
//! What comes of it is a [`Request`] and the clusters it is about; how single flags are read lives in [`super::request`].

use kube::ResourceExt;

use super::clusters::{Clusters, endpoint_of_context};
use super::package_request::{EncryptionRequest, InstallRequest, ValuesRequest, version_constraints};
use super::request::{self, AuthenticationRequest, InstallerRequest, Request};
use crate::check;
use crate::cli::AddClusterArgs;
use crate::cluster::{Cluster, Connection, Role, load_kubeconfig};
use crate::commands::git::CommitRequest;
use crate::commands::{context, git};
use crate::conversation::Question;
use crate::error::Result;
use crate::flux::{FluxVersions, GitRepository, git_repository_resource};
use crate::gitops::checkout::{GitAccess, Limits};
use crate::gitops::credentials::GitCredentials;
use crate::names;
use crate::ui::Ui;
use crate::ui::prompt;

/// Asks for what the flags leave open. Nothing is written; a wrong answer ends here, or with the checks.
pub(super) async fn ask(
    ui: Ui,
    connection: &Connection,
    given_namespace: Option<String>,
    arguments: &AddClusterArgs,
    known: Option<GitCredentials>,
) -> Result<(Request, Clusters)> {
    prompt::require(
        ui,
        &[
            ("RUN_CLUSTER", arguments.run_cluster.is_some()),
            ("--package", arguments.package.is_some()),
            ("--run-context", arguments.run_context.is_some()),
            ("--target-namespace", arguments.target_namespace.is_some()),
            ("--yes", arguments.preview.or_confirmed(&arguments.confirm)),
        ],
    )?;
    let endpoint = request::endpoint_overrides(&arguments.endpoint)?;
    let values = ValuesRequest::of(&arguments.values).await?;
    let encryption = EncryptionRequest::of(&arguments.encryption)?;
    let version_constraints = version_constraints(arguments.version_constraints.as_ref())?;
    let authentication = AuthenticationRequest::of(&arguments.authentication).await?;
    if let Some(account) = &arguments.authentication.impersonated {
        names::check_service_account(account)?;
    }
    let installer = InstallerRequest::of(&arguments.installer).await?;
    let run_cluster = if let Some(name) = &arguments.run_cluster {
        name.clone()
    } else {
        // Without a package the name itself is checked, and with it that all names fit.
        let package = arguments.package.as_deref().map(|package| names::of_package(names::normalised_path(package)));
        let package = package.unwrap_or_default().to_owned();
        let question = Question::text("Short name for the run cluster, such as prod1", "RUN_CLUSTER");
        prompt::text(question.checked(move |name| names::check_run_cluster(name, &package))).await?
    };

    let build = Cluster::connect(Role::Build, connection).await?.forcing_conflicts(arguments.write.force_conflicts);
    let build_served = build.served_versions().await?;
    let namespace = context::namespace(ui, connection, given_namespace).await?;
    let package = if let Some(package) = &arguments.package {
        names::normalised_path(package).to_owned()
    } else {
        let versions = check::flux(&build, &build_served)?;
        let packages = bootstrapped_packages(&build, versions, &namespace).await?;
        prompt::text(Question::one_of_names("Package", "--package", &packages)).await?
    };
    let package_name = names::of_package(&package);
    names::check_package(package_name)?;
    names::check_run_cluster(&run_cluster, package_name)?;

    let run_connection = connection.of_run_clusters(arguments.run_kubeconfig.as_ref());
    let kubeconfig = load_kubeconfig(run_connection.kubeconfig.as_deref())?;
    let context = if let Some(context) = &arguments.run_context {
        context.clone()
    } else {
        let names = context::names(&kubeconfig);
        prompt::text(Question::one_of_names("Context of the run cluster", "--run-context", &names)).await?
    };
    let run_connection = run_connection.in_context(&context);
    let run = Cluster::connect(Role::Run(run_cluster.clone()), &run_connection)
        .await?
        .forcing_conflicts(arguments.write.force_conflicts);
    let user_endpoint = endpoint_of_context(&kubeconfig, &context, &endpoint)?;
    let run_served = run.served_versions().await?;
    let target_namespace = if let Some(namespace) = &arguments.target_namespace {
        namespace.clone()
    } else {
        let question = Question::text("Namespace on the run cluster", "--target-namespace").or(run.default_namespace());
        prompt::text(question.checked(names::check_namespace)).await?
    };
    let git = GitAccess {
        credentials: match known {
            Some(known) => Some(known),
            None => git::given(ui, &arguments.credentials).await?,
        },
        limits: Limits::new(connection.request_timeout, arguments.timeout),
        ..GitAccess::default()
    };
    let request = Request {
        run_cluster,
        package,
        namespace,
        target_namespace,
        version_constraints,
        install: InstallRequest::of(&arguments.selection),
        values,
        encryption,
        authentication,
        impersonate: arguments.authentication.impersonated.clone(),
        installer,
        registry_secret: arguments.installer.registry_secret.clone(),
        create_namespace: arguments.installer.create_namespace,
        endpoint,
        allow_loopback: arguments.endpoint.allow_loopback,
        labels: arguments.write.labels.clone(),
        force_conflicts: arguments.write.force_conflicts,
        commit: CommitRequest::of(&arguments.commit),
    };
    Ok((request, Clusters { build, build_served, run, run_served, run_connection, user_endpoint, git }))
}

/// Lists the packages that `bootstrap` has made known to Flux.
async fn bootstrapped_packages(build: &Cluster, versions: FluxVersions, namespace: &str) -> Result<Vec<String>> {
    let repositories: Vec<GitRepository> = build.list(&git_repository_resource(versions.source), namespace).await?;
    Ok(repositories
        .iter()
        .filter_map(|repository| names::package_of_git_repository(&repository.name_any()).map(str::to_owned))
        .collect())
}
