//! What `add-cluster` is asked for: by flags, and by the answers to what they leave open.
//!
//! What comes of it are the run clusters, each with a request for each delivery, connected in [`super::targets`]; the questions live
//! in [`super::walk`], how single flags are read in [`super::request`], how a list is in [`super::listed`].

use std::path::Path;

use super::clusters::Target;
use super::package_request::{EncryptionRequest, ValuesRequest, version_constraints};
use super::request::{self, AuthenticationRequest};
use super::targets::{self, Common, PackageRequest, RunClusterRequest};
use super::walk::{self, Offers};
use super::{listed, packages};
use crate::cli::AddClusterArgs;
use crate::cluster::Connection;
use crate::commands::{context, git};
use crate::error::Result;
use crate::gitops::credentials::GitCredentials;
use crate::ui::Ui;
use crate::ui::prompt;

/// What was asked for, and what a person said to get there.
pub(super) struct Asked {
    /// What is delivered to each run cluster.
    pub(super) targets: Vec<Target>,
    /// The answers as flags.
    pub(super) answers: Vec<(&'static str, String)>,
}

/// Asks for what the flags leave open, again for what was taken back of a conversation that has `led` to something wrong. Nothing
/// is written.
pub(super) async fn ask(
    ui: Ui,
    connection: &mut Connection,
    namespace: Option<String>,
    arguments: &mut AddClusterArgs,
    known: Option<GitCredentials>,
    led: &mut Option<Offers>,
) -> Result<Asked> {
    if let Some(file) = &arguments.from_file {
        return of_list(ui, connection, namespace, arguments, known, file).await;
    }
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
    version_constraints(arguments.version_constraints.as_ref())?;
    let given_authentication = AuthenticationRequest::of(&arguments.authentication).await?;
    let mut common = Common::of(arguments).await?;
    let login = match (known, &led) {
        (Some(known), _) => Some(known),
        (None, Some(_)) => None,
        (None, None) => git::given(ui, &arguments.credentials).await?,
    };

    let walked = walk::walk(ui, led, connection, namespace, arguments, login, values.is_given()).await?;
    let authentication = if walked.chooses_authentication {
        AuthenticationRequest::of(&arguments.authentication).await?
    } else {
        given_authentication
    };
    context::choose(ui, connection).await?;
    let namespace = context::namespace(ui, connection, walked.namespace).await?;
    let said = |answer: &Option<String>| answer.clone().unwrap_or_default();
    let values = walked.values.unwrap_or(values);
    // Answers may have said how values are encrypted.
    common.encryption = EncryptionRequest::of(&arguments.encryption)?;
    let constraints = version_constraints(arguments.version_constraints.as_ref())?;
    let package = |package: String| PackageRequest {
        package,
        target_namespace: said(&arguments.target_namespace),
        version_constraints: constraints.clone(),
        values: values.clone(),
    };
    let run_cluster = RunClusterRequest {
        name: said(&arguments.run_cluster),
        context: said(&arguments.run_context),
        reached: walked.run,
        endpoint,
        authentication,
        packages: packages::paths(&arguments.packages)?.into_iter().map(package).collect(),
    };
    let run_clusters = vec![run_cluster];
    let targets =
        targets::connect(connection, arguments, &namespace, walked.build, walked.credentials, &common, run_clusters)
            .await?;
    Ok(Asked { targets, answers: walked.answers })
}

/// Takes a list of deliveries, which leaves nothing open but a login.
async fn of_list(
    ui: Ui,
    connection: &mut Connection,
    namespace: Option<String>,
    arguments: &AddClusterArgs,
    known: Option<GitCredentials>,
    file: &Path,
) -> Result<Asked> {
    prompt::require(ui, &[("--yes", arguments.preview.or_confirmed(&arguments.confirm))])?;
    let common = Common::of(arguments).await?;
    let run_clusters = listed::read(file, arguments).await?;
    let login = match known {
        Some(known) => Some(known),
        None => git::given(ui, &arguments.credentials).await?,
    };
    context::choose(ui, connection).await?;
    let namespace = context::namespace(ui, connection, namespace).await?;
    let targets = targets::connect(connection, arguments, &namespace, None, login, &common, run_clusters).await?;
    Ok(Asked { targets, answers: Vec::new() })
}
