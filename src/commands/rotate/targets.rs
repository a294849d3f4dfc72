//! Which run clusters are to be rotated: those that are named, or all whose credential the plugin made.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::config::Kubeconfig;
use kube::core::PartialObjectMeta;

use crate::authentication::Method;
use crate::authentication::stored::StoredCredential;
use crate::check;
use crate::cli::RotateArgs;
use crate::cluster::{Cluster, Connection, Role, load_kubeconfig};
use crate::commands::namespace;
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Kustomization, kustomization_resource};
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::observe::RunAccess;
use crate::observe::delivery::find;
use crate::ui::{Ui, prompt};

/// How the name of a kubeconfig Secret ends.
const SUFFIX: &str = "-kubeconfig";

/// The answers, and what they led to.
pub(super) struct Answers {
    pub(super) ui: Ui,
    pub(super) namespace: String,
    pub(super) build: Cluster,
    pub(super) build_uid: String,
    pub(super) versions: FluxVersions,
    /// All Kustomizations of the namespace.
    pub(super) kustomizations: Vec<Kustomization>,
    pub(super) targets: Vec<Target>,
    /// How long the new tokens should live, where the flag says so.
    pub(super) lifetime: Option<Duration>,
    pub(super) timeout: Duration,
}

/// A run cluster to be rotated.
pub(super) struct Target {
    pub(super) run_cluster: String,
    pub(super) secret: DynamicObject,
    pub(super) stored: StoredCredential,
    /// How it is reached: through the context that is named for it, else the one of its own name.
    pub(super) connection: Connection,
    /// Whether there is such a context.
    pub(super) has_context: bool,
}

impl Answers {
    /// Names the Secret with the kubeconfig of a run cluster.
    pub(super) fn secret_of(&self, run_cluster: &str) -> ObjectReference {
        ObjectReference::secret(&self.namespace, &names::kubeconfig(run_cluster))
    }
}

/// Asks for what the flags leave open, and finds the run clusters. Nothing is written.
pub(super) async fn ask(
    ui: Ui,
    connection: &Connection,
    given_namespace: Option<String>,
    arguments: &RotateArgs,
) -> Result<Answers> {
    let is_chosen = arguments.all || !arguments.run_clusters.is_empty();
    prompt::require(ui, &[("RUN_CLUSTER or --all", is_chosen), ("--yes", arguments.confirm.yes)])?;
    let build = Cluster::connect(Role::Build, connection).await?.taking_over(arguments.force_conflicts);
    let versions = check::flux(&build, &build.served_versions().await?)?;
    let namespace = namespace(ui, connection, given_namespace)?;
    let build_uid = build.uid().await?;
    // What kind of credential a Secret holds is in its annotations; the content of the others is nobody's business here.
    let secrets = build.list_metadata(&api_resource("", "v1", "Secret"), &namespace).await?;
    let kustomizations: Vec<Kustomization> =
        build.list(&kustomization_resource(versions.kustomization), &namespace).await?;

    let rotatable = rotatable(&secrets);
    let mut chosen = match (arguments.all, arguments.run_clusters.is_empty()) {
        (true, _) => rotatable.clone(),
        (false, false) => arguments.run_clusters.clone(),
        (false, true) => vec![prompt::choice("Run cluster to rotate", &rotatable)?],
    };
    chosen.sort();
    chosen.dedup();
    if chosen.is_empty() {
        return Err(Error::new(format!(
            "there is no credential to rotate in namespace {namespace} on {}",
            build.display()
        ))
        .because("add-cluster has made none there")
        .hint("name another namespace with -n"));
    }
    if let Some((name, _)) = arguments.run_contexts.iter().find(|(name, _)| !chosen.contains(name)) {
        return Err(Error::usage(format!(
            "--run-context names `{name}`, which is not among the run clusters to rotate"
        ))
        .hint(format!("these are: {}", chosen.join(", "))));
    }
    let run_connection = connection.of_run_clusters(arguments.run_kubeconfig.as_ref());
    let kubeconfig = load_kubeconfig(run_connection.kubeconfig.as_deref())?;
    let mut targets = Vec::new();
    for run_cluster in chosen {
        let reference = ObjectReference::secret(&namespace, &names::kubeconfig(&run_cluster));
        let is_listed = secrets.iter().any(|secret| secret.name_any() == reference.name);
        let secret = if is_listed { build.get(&reference).await? } else { None };
        let Some(secret) = secret else {
            return Err(without_secret(&namespace, &run_cluster, &kustomizations, &rotatable));
        };
        let given = arguments.run_contexts.iter().find(|(name, _)| *name == run_cluster);
        let context = given.map_or(&run_cluster, |(_, context)| context);
        targets.push(Target {
            stored: StoredCredential::of(&secret),
            secret,
            has_context: given.is_some() || has_context(&kubeconfig, context),
            connection: run_connection.in_context(context),
            run_cluster,
        });
    }
    Ok(Answers {
        ui,
        namespace,
        build,
        build_uid,
        versions,
        kustomizations,
        targets,
        lifetime: arguments.token_duration,
        timeout: arguments.timeout,
    })
}

fn has_context(kubeconfig: &Kubeconfig, context: &str) -> bool {
    kubeconfig.contexts.iter().any(|entry| entry.name == context)
}

/// Returns the run clusters whose credential is a deployer's token.
fn rotatable(secrets: &[PartialObjectMeta<DynamicObject>]) -> Vec<String> {
    secrets
        .iter()
        .filter(|secret| matches!(Method::of(*secret), Method::Token | Method::BoundedToken))
        .filter_map(|secret| secret.name_any().strip_suffix(SUFFIX).map(str::to_owned))
        .collect()
}

/// Says why a named run cluster has no credential to rotate.
fn without_secret(namespace: &str, run_cluster: &str, kustomizations: &[Kustomization], rotatable: &[String]) -> Error {
    let deliveries = find(kustomizations);
    let mut here = deliveries.iter().filter(|delivery| delivery.run_cluster == run_cluster);
    if here.any(|delivery| matches!(delivery.access, RunAccess::WorkloadIdentity { .. })) {
        return Error::new(format!("there is nothing to rotate for {run_cluster}"))
            .because("Flux reaches it with a workload identity, and stores no credential");
    }
    let known = if rotatable.is_empty() { "none".to_owned() } else { rotatable.join(", ") };
    Error::usage(format!("there is no Secret {namespace}/{}", names::kubeconfig(run_cluster))).hint(format!(
        "run clusters with a credential that can be rotated: {known}; others may be in another namespace (-n)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_can_be_rotated_is_told_by_the_metadata_alone() {
        let secret = |name: &str, annotations: serde_json::Value| -> PartialObjectMeta<DynamicObject> {
            serde_json::from_value(json!({"metadata": {"name": name, "annotations": annotations}})).expect("metadata")
        };
        let made = json!({crate::labels::AUTHENTICATION: Method::Token.name()});
        let secrets =
            [secret("prod1-kubeconfig", made.clone()), secret("prod2-kubeconfig", json!({})), secret("other", made)];
        assert_eq!(rotatable(&secrets), ["prod1"]);
    }
}
