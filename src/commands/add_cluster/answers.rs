//! What `add-cluster` must be told: from flags, or asked with what the clusters offer as choices.

use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};

use super::authentication;
use super::installer::Asked;
use super::way;
use crate::check;
use crate::cli::AddClusterArgs;
use crate::cluster::{Cluster, Connection, Role, ServedVersions, load_kubeconfig};
use crate::commands::{context_names, git, namespace};
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, GitRepository, git_repository_resource};
use crate::gitops::checkout::{GitAccess, Limits};
use crate::gitops::values::check_values;
use crate::kubeconfig::{Endpoint, EndpointOverrides};
use crate::names;
use crate::ui::{Ui, prompt};

/// The answers, and the clusters they led to.
pub(super) struct Answers {
    pub(super) run_cluster: String,
    /// The package's directory in the repository, which may lie in another.
    pub(super) package_path: String,
    /// The name of that directory.
    pub(super) package: String,
    pub(super) namespace: String,
    pub(super) target_namespace: String,
    pub(super) constraints: Option<String>,
    pub(super) values: Option<SecretString>,
    /// How Flux is to authenticate, where the flags say so.
    pub(super) authentication: Option<authentication::Asked>,
    /// The service account that Flux is to impersonate, where the flags say so.
    pub(super) impersonated: Option<String>,
    /// What the flags say about the installer.
    pub(super) installer: Option<Asked>,
    /// The Secret on the run cluster with the registry's credentials.
    pub(super) registry_secret: Option<String>,
    /// Whether a missing target namespace is made.
    pub(super) creates_namespace: bool,
    /// What the flags' files give cause to beware of.
    pub(super) warnings: Vec<String>,
    /// Labels of the Flux objects.
    pub(super) labels: Vec<(String, String)>,
    /// Whether what was made by hand is taken over.
    pub(super) takes_over: bool,
    pub(super) ui: Ui,
    pub(super) access: GitAccess,
    /// How the user reaches the run cluster.
    pub(super) endpoint: Endpoint,
    /// What flags say about how Flux reaches it.
    pub(super) overrides: EndpointOverrides,
    /// Whether Flux may be told an address of its own machine.
    pub(super) allows_loopback: bool,
    /// The kubeconfig and the context of the run cluster.
    pub(super) run_connection: Connection,
    pub(super) build: Cluster,
    pub(super) run: Cluster,
    pub(super) build_served: ServedVersions,
    pub(super) run_served: ServedVersions,
}

/// Asks for what the flags leave open. Nothing is written; a wrong answer ends here, or with the checks.
pub(super) async fn ask(
    ui: Ui,
    connection: &Connection,
    given_namespace: Option<String>,
    arguments: &AddClusterArgs,
) -> Result<Answers> {
    prompt::require(
        ui,
        &[
            ("RUN_CLUSTER", arguments.run_cluster.is_some()),
            ("--package", arguments.package.is_some()),
            ("--run-context", arguments.run_context.is_some()),
            ("--target-namespace", arguments.target_namespace.is_some()),
            ("--yes", arguments.confirm.yes),
        ],
    )?;
    let overrides = way::overrides(&arguments.endpoint)?;
    let values = arguments.values.as_deref().map(read_values).transpose()?;
    let authentication = authentication::Asked::of(&arguments.authentication).await?;
    if let Some(account) = &arguments.authentication.impersonated {
        names::check_service_account(account)?;
    }
    let (installer, warnings) = Asked::of(&arguments.installer)?;
    let run_cluster = match &arguments.run_cluster {
        Some(name) => name.clone(),
        None => prompt::text("Short name for the run cluster, such as prod1", None)?,
    };

    let build = Cluster::connect(Role::Build, connection).await?.taking_over(arguments.write.force_conflicts);
    let build_served = build.served_versions().await?;
    let namespace = namespace(ui, connection, given_namespace)?;
    let package_path = if let Some(package) = &arguments.package {
        names::normalised_path(package).to_owned()
    } else {
        let versions = check::flux(&build, &build_served)?;
        prompt::choice("Package", &bootstrapped_packages(&build, versions, &namespace).await?)?
    };
    let package = names::of_package(&package_path).to_owned();
    names::check_package(&package)?;
    names::check_run_cluster(&run_cluster, &package)?;

    let run_connection = connection.of_run_clusters(arguments.run_kubeconfig.as_ref());
    let kubeconfig = load_kubeconfig(run_connection.kubeconfig.as_deref())?;
    let context = match &arguments.run_context {
        Some(context) => context.clone(),
        None => prompt::choice("Context of the run cluster", &context_names(&kubeconfig))?,
    };
    let run_connection = run_connection.in_context(&context);
    let run = Cluster::connect(Role::Run(run_cluster.clone()), &run_connection)
        .await?
        .taking_over(arguments.write.force_conflicts);
    let endpoint = way::of_context(&kubeconfig, &context, &overrides)?;
    let run_served = run.served_versions().await?;
    let target_namespace = match &arguments.target_namespace {
        Some(namespace) => namespace.clone(),
        None => prompt::text("Namespace on the run cluster", Some(run.default_namespace()))?,
    };
    let credentials = git::given(ui, &arguments.credentials).await?;
    Ok(Answers {
        run_cluster,
        package_path,
        package,
        namespace,
        target_namespace,
        constraints: given_constraints(arguments)?,
        values,
        authentication,
        impersonated: arguments.authentication.impersonated.clone(),
        installer,
        registry_secret: arguments.installer.registry_secret.clone(),
        creates_namespace: arguments.installer.create_namespace,
        warnings,
        labels: arguments.write.labels.clone(),
        takes_over: arguments.write.force_conflicts,
        ui,
        access: GitAccess {
            credentials,
            limits: Limits::new(connection.request_timeout, arguments.timeout),
            ..GitAccess::default()
        },
        endpoint,
        overrides,
        allows_loopback: arguments.endpoint.allow_loopback,
        run_connection,
        build,
        run,
        build_served,
        run_served,
    })
}

/// Takes the constraints of the flag; none at all is not the same as an empty text, which would replace what is there.
fn given_constraints(arguments: &AddClusterArgs) -> Result<Option<String>> {
    match &arguments.version_constraints {
        Some(text) if text.trim().is_empty() => Err(Error::usage("--version-constraints is empty")
            .hint("leave it out to keep what the repository has, or name a range: --version-constraints '>=1.0.0'")),
        given => Ok(given.clone()),
    }
}

/// Reads a values file: it must be a YAML mapping. Its content may be secret, so no error quotes it.
fn read_values(path: &std::path::Path) -> Result<SecretString> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::usage(format!("cannot read the values file {}", path.display()))
            .because(error)
            .hint("name a file with the package's values, a YAML mapping: --values FILE")
    })?;
    // ytt takes the byte order mark of some editors for a part of the first name.
    let text = SecretString::from(text.trim_start_matches('\u{feff}'));
    check_values(text.expose_secret(), &path.display().to_string())?;
    Ok(text)
}

/// Lists the packages that `bootstrap` has made known to Flux.
async fn bootstrapped_packages(build: &Cluster, versions: FluxVersions, namespace: &str) -> Result<Vec<String>> {
    let repositories: Vec<GitRepository> = build.list(&git_repository_resource(versions.source), namespace).await?;
    Ok(repositories
        .iter()
        .filter_map(|repository| repository.name_any().strip_suffix("-gitops-repo").map(str::to_owned))
        .collect())
}
