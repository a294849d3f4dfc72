//! How a run cluster is reached: as its user says, else as Flux does.

use super::delivery::{Delivery, RunAccess};
use super::{Cause, Failure, Patience, Stage, Verdict, workload_identity};
use crate::cluster::{Cluster, Connection, Role};
use crate::error::Result;
use crate::flux::RunCredential;
use crate::kubeconfig;
use crate::shell::quoted;

/// Reaches the run cluster of a delivery: through the context that the user named for it, else with the credential that
/// Flux uses, exactly as Flux would use it.
pub async fn reach(
    build: &Cluster,
    delivery: &Delivery,
    run_contexts: &[(String, String)],
    connection: &Connection,
) -> Result<Cluster, Verdict> {
    let role = Role::Run(delivery.run_cluster.clone());
    let unknown = |why: String| Verdict::Unknown {
        why,
        hint: format!(
            "read the run cluster with your own credential: --run-context {}=CONTEXT",
            quoted(&delivery.run_cluster)
        ),
    };
    if let Some((_, context)) = run_contexts.iter().find(|(name, _)| *name == delivery.run_cluster) {
        let connection = connection.of_run_clusters(None).in_context(context);
        return Cluster::connect(role, &connection).await.map_err(|error| unknown(error.to_string()));
    }
    let (reference, impersonate) = match &delivery.access {
        RunAccess::Kubeconfig { secret, impersonate } => {
            (RunCredential::Secret.reference(&delivery.namespace, &secret.name), impersonate)
        }
        RunAccess::WorkloadIdentity { config_map, impersonate } => {
            (RunCredential::ConfigMap.reference(&delivery.namespace, config_map), impersonate)
        }
    };
    let failed = |message: String| {
        Verdict::Failed(Failure {
            cause: Cause::NoCredential,
            stage: Stage::Install,
            object: reference.display(),
            message,
            hint: format!(
                "store a credential: kubectl carvelflux add-cluster {} --package {} -n {}",
                quoted(&delivery.run_cluster),
                quoted(&delivery.package),
                quoted(&delivery.namespace)
            ),
            patience: Patience::None,
            attempt: None,
        })
    };
    let object = build.get(&reference).await.map_err(|error| unknown(error.to_string()))?;
    let object = object.ok_or_else(|| failed("it does not exist, so Flux cannot reach the run cluster".to_owned()))?;
    let kubeconfig = match &delivery.access {
        RunAccess::Kubeconfig { secret, .. } => {
            kubeconfig::of_secret(&object.data, secret.key.as_deref()).map_err(|error| failed(error.to_string()))?
        }
        RunAccess::WorkloadIdentity { .. } => {
            workload_identity::kubeconfig(build, &delivery.namespace, &object, &delivery.run_cluster)
                .await
                .map_err(|error| unknown(format!("{}: {error}", reference.display())))?
        }
    };
    Cluster::from_kubeconfig(role, kubeconfig, impersonate.clone()).await.map_err(|error| failed(error.to_string()))
}
