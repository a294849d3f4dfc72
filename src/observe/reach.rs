//! How a run cluster is reached, and the fresh reads that confirm a verdict.

use jiff::{SignedDuration, Timestamp};
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;

use super::delivery::{Delivery, RunAccess};
use super::install::{Installed, ValuesSecret, rendered_secrets};
use super::{Cause, Failure, Patience, Stage, Verdict, workload_identity};
use crate::carvel::{
    App, Package, PackageInstall, PackageSpec, app_resource, package_install_resource, package_resource,
};
use crate::cluster::{Cluster, Connection, ObjectReference, Role};
use crate::error::Result;
use crate::kubeconfig;

/// How long ago a run must have ended for clocks that differ a little not to matter.
const LONG_AGO: SignedDuration = SignedDuration::from_mins(2);

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
        hint: format!("read the run cluster with your own credential: --run-context {}=CONTEXT", delivery.run_cluster),
    };
    if let Some((_, context)) = run_contexts.iter().find(|(name, _)| *name == delivery.run_cluster) {
        let connection = Connection {
            kubeconfig: connection.kubeconfig.clone(),
            context: Some(context.clone()),
            request_timeout: connection.request_timeout,
            ..Connection::default()
        };
        return Cluster::connect(role, &connection).await.map_err(|error| unknown(error.to_string()));
    }
    let (secret, impersonate) = match &delivery.access {
        RunAccess::Kubeconfig { secret, impersonate } => (secret, impersonate),
        RunAccess::WorkloadIdentity { config_map } => {
            let kubeconfig =
                workload_identity::kubeconfig(build, &delivery.namespace, config_map, &delivery.run_cluster);
            let kubeconfig = kubeconfig.await.map_err(|error| unknown(error.to_string()))?;
            return Cluster::from_kubeconfig(role, kubeconfig, None).await.map_err(|error| unknown(error.to_string()));
        }
    };
    let reference = ObjectReference::secret(&delivery.namespace, &secret.name);
    let failed = |message: String| {
        Verdict::Failed(Failure {
            cause: Cause::NoCredential,
            stage: Stage::Install,
            object: reference.display(),
            message,
            hint: format!(
                "store a credential: kubectl carvelflux add-cluster {} --package {} -n {}",
                delivery.run_cluster, delivery.package, delivery.namespace
            ),
            patience: Patience::None,
        })
    };
    let object = build.get(&reference).await.map_err(|error| unknown(error.to_string()))?;
    let object = object.ok_or_else(|| failed("it does not exist, so Flux cannot reach the run cluster".to_owned()))?;
    let content =
        kubeconfig::of_secret(&object.data, secret.key.as_deref()).map_err(|error| failed(error.to_string()))?;
    Cluster::from_kubeconfig(role, content, impersonate.clone()).await.map_err(|error| failed(error.to_string()))
}

/// What was read about one PackageInstall.
#[derive(Debug)]
pub struct ReadInstalled {
    /// The PackageInstall.
    pub install: Option<PackageInstall>,
    /// Its App.
    pub app: Option<App>,
    packages: Vec<PackageSpec>,
    values: Vec<ValuesSecret>,
}

impl ReadInstalled {
    /// Returns what was read in the form that it is judged in.
    ///
    /// `is_unchanged` tells that the App was seen unchanged for long enough; one whose last run ended long ago is as settled.
    #[must_use]
    pub fn view(&self, is_unchanged: bool) -> Installed<'_> {
        Installed {
            install: self.install.as_ref(),
            app: self.app.as_ref(),
            packages: Some(&self.packages),
            values: Some(&self.values),
            is_settled: is_unchanged || is_settled(self.app.as_ref()),
        }
    }
}

/// Tells whether an App's last run ended so long ago that a run that was due after it would show.
#[must_use]
pub fn is_settled(app: Option<&App>) -> bool {
    let fetched = app.and_then(|app| app.status.as_ref()?.fetch.as_ref()?.updated_at);
    fetched.is_some_and(|fetched| Timestamp::now().duration_since(fetched) >= LONG_AGO)
}

/// Reads everything that decides about one PackageInstall, parents before children.
///
/// The Packages come from kapp-controller's own API server, so that an answer also says that kapp-controller is alive.
pub async fn read_installed(cluster: &Cluster, namespace: &str, name: &str) -> Result<ReadInstalled> {
    let install: Option<PackageInstall> = cluster.read(&package_install_resource(), namespace, name).await?;
    let mut values = Vec::new();
    for secret in install.iter().flat_map(rendered_secrets) {
        values.push(read_values_secret(cluster, namespace, &secret).await?);
    }
    let packages: Vec<Package> = cluster.list(&package_resource(), namespace).await?;
    let app: Option<App> = cluster.read(&app_resource(), namespace, name).await?;
    Ok(ReadInstalled { install, app, packages: packages.into_iter().map(|package| package.spec).collect(), values })
}

async fn read_values_secret(cluster: &Cluster, namespace: &str, name: &str) -> Result<ValuesSecret> {
    let reference = ObjectReference::secret(namespace, name);
    let metadata = cluster.get_metadata(&reference).await?;
    Ok(values_secret(name, metadata.as_ref()))
}

/// Takes from a Secret's metadata when it was written; `None` stands for a Secret that does not exist.
#[must_use]
pub fn values_secret(name: &str, metadata: Option<&PartialObjectMeta<DynamicObject>>) -> ValuesSecret {
    ValuesSecret {
        name: name.to_owned(),
        created: metadata.and_then(|object| object.metadata.creation_timestamp.as_ref()).map(|time| time.0),
        changed: metadata.and_then(last_write),
    }
}

/// Returns when any field of the object was written last; labels and annotations count as well, which can only make
/// the verdict later, never wrong.
fn last_write(object: &PartialObjectMeta<DynamicObject>) -> Option<Timestamp> {
    let entries = object.metadata.managed_fields.as_deref().unwrap_or_default();
    entries.iter().filter_map(|entry| entry.time.as_ref()).map(|time| time.0).max()
}
