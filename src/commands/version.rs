//! `version`: what this binary is, and with `--clusters` what the clusters serve.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream;
use serde::Serialize;

use crate::carvel::{DATA_PACKAGING_GROUP, KAPP_CONTROLLER_GROUP, PACKAGING_GROUP};
use crate::check;
use crate::cli::{DocumentFormat, VersionCommandArgs};
use crate::cluster::{Cluster, Connection, Role, ServedVersions};
use crate::error::{Error, Result};
use crate::flux::{GIT_REPOSITORY_GROUP, KUSTOMIZATION_GROUP, kustomization_resource};
use crate::gitops::manifest::write_documents;
use crate::observe::Verdict;
use crate::observe::delivery::{self, Delivery};
use crate::observe::reach::reach;
use crate::ui::{Ui, escape, json};

/// The schema of the document; its version changes when a field changes its meaning or goes away.
const SCHEMA: &str = "carvelflux.version/v1";

/// How many run clusters are asked at a time.
const AT_A_TIME: usize = 32;

/// What is looked for on the build cluster: a group, and its kind that deliveries are made of.
const OF_BUILD_CLUSTER: [(&str, &str); 2] =
    [(GIT_REPOSITORY_GROUP, "GitRepository"), (KUSTOMIZATION_GROUP, "Kustomization")];

/// What is looked for on a run cluster.
const OF_RUN_CLUSTERS: [(&str, &str); 3] =
    [(PACKAGING_GROUP, "PackageInstall"), (KAPP_CONTROLLER_GROUP, "App"), (DATA_PACKAGING_GROUP, "Package")];

/// What this binary is.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    /// The version of Cargo.toml.
    version: &'static str,
    /// The commit that a release was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'static str>,
    /// The time of that commit (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    /// The platform, as Rust names it.
    target: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    clusters: Option<Vec<ClusterVersions>>,
}

/// What one cluster serves, or why that is not known.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterVersions {
    /// The cluster as messages name it.
    name: String,
    /// The run cluster's short name; none for the build cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_cluster: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<String>,
    /// By kind, the versions of its group.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    apis: BTreeMap<&'static str, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(super) async fn run(
    ui: Ui,
    connection: Connection,
    namespace: Option<String>,
    arguments: VersionCommandArgs,
) -> Result<()> {
    let clusters = if arguments.clusters { Some(Box::pin(clusters(&connection, namespace)).await) } else { None };
    let document = Document {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("CARVELFLUX_COMMIT"),
        date: option_env!("SOURCE_DATE_EPOCH").and_then(date),
        target: env!("CARVELFLUX_TARGET"),
        clusters,
    };
    match arguments.output.output {
        DocumentFormat::Text => lines(&document).iter().try_for_each(|line| ui.result(line))?,
        DocumentFormat::Json => ui.result_styled(&json(&document)?)?,
        DocumentFormat::Yaml => {
            let value =
                serde_json::to_value(&document).map_err(|error| Error::new("cannot write YAML").because(error))?;
            ui.document(&write_documents(&[value])?)?;
        }
    }
    let clusters = document.clusters.unwrap_or_default();
    match clusters.iter().filter(|cluster| cluster.error.is_some()).count() {
        0 => Ok(()),
        failed => Err(Error::new(format!("{failed} of {} clusters could not be asked", clusters.len())).reported()),
    }
}

/// Reads seconds since 1970.
fn date(seconds: &str) -> Option<String> {
    let time = jiff::Timestamp::from_second(seconds.trim().parse().ok()?).ok()?;
    Some(time.to_string())
}

fn lines(document: &Document) -> Vec<String> {
    let built = match (document.commit, &document.date) {
        (Some(commit), Some(date)) => format!(" (commit {commit}, {date})"),
        (Some(commit), None) => format!(" (commit {commit})"),
        (None, _) => String::new(),
    };
    let mut lines = vec![format!("kubectl-carvelflux {}{built}", document.version)];
    for cluster in document.clusters.iter().flatten() {
        lines.push(match (&cluster.kubernetes, &cluster.error) {
            (Some(kubernetes), _) => format!("{}: Kubernetes {kubernetes}", cluster.name),
            (None, error) => format!("{}: {}", cluster.name, escape(error.as_deref().unwrap_or("unknown"))),
        });
        lines.extend(cluster.apis.iter().map(|(kind, versions)| match versions.as_slice() {
            [] => format!("  {kind}: not served"),
            versions => format!("  {kind}: {}", versions.join(", ")),
        }));
    }
    lines
}

/// Asks the build cluster, and the run clusters that have deliveries there, as Flux reaches them.
async fn clusters(connection: &Connection, namespace: Option<String>) -> Vec<ClusterVersions> {
    let unknown =
        |error: Error| vec![ClusterVersions::unknown("the build cluster".to_owned(), None, &error.to_string())];
    let build = match Cluster::connect(Role::Build, connection).await {
        Ok(build) => build,
        Err(error) => return unknown(error),
    };
    let served = match build.served_versions().await {
        Ok(served) => served,
        Err(error) => return unknown(error),
    };
    let mut all = vec![ClusterVersions::of(&build, None, &served, &OF_BUILD_CLUSTER).await];
    let namespace = namespace.unwrap_or_else(|| build.default_namespace().to_owned());
    match deliveries(&build, &served, &namespace).await {
        Ok(deliveries) => {
            let run = stream::iter(&deliveries).map(|delivery| run_cluster(&build, delivery, connection));
            all.extend(run.buffered(AT_A_TIME).collect::<Vec<_>>().await);
        }
        Err(error) => all.iter_mut().for_each(|build| build.error = Some(error.to_string())),
    }
    all
}

/// Returns one delivery of each run cluster.
async fn deliveries(build: &Cluster, served: &ServedVersions, namespace: &str) -> Result<Vec<Delivery>> {
    // Where Flux is missing there are no deliveries either.
    let Ok(versions) = check::flux(build, served) else { return Ok(Vec::new()) };
    let kustomizations = build.list(&kustomization_resource(versions.kustomization), namespace).await?;
    let mut deliveries = delivery::find(&kustomizations);
    deliveries.dedup_by_key(|delivery| delivery.run_cluster_key());
    Ok(deliveries)
}

async fn run_cluster(build: &Cluster, delivery: &Delivery, connection: &Connection) -> ClusterVersions {
    let asked = async {
        let cluster = reach(build, delivery, &[], connection).await.map_err(Verdict::into_error)?;
        let served = cluster.served_versions().await?;
        Ok((cluster, served))
    };
    let name = Some(delivery.run_cluster.clone());
    let asked: Result<_> = Box::pin(asked).await;
    match asked {
        Ok((cluster, served)) => ClusterVersions::of(&cluster, name, &served, &OF_RUN_CLUSTERS).await,
        Err(error) => {
            ClusterVersions::unknown(format!("the run cluster `{}`", delivery.run_cluster), name, &error.to_string())
        }
    }
}

impl ClusterVersions {
    async fn of(
        cluster: &Cluster,
        run_cluster: Option<String>,
        served: &ServedVersions,
        kinds: &[(&str, &'static str)],
    ) -> Self {
        let kubernetes = cluster.kubernetes_version().await;
        Self {
            name: cluster.display(),
            run_cluster,
            error: kubernetes.as_ref().err().map(ToString::to_string),
            kubernetes: kubernetes.ok(),
            apis: kinds.iter().map(|&(group, kind)| (kind, served.of(group).to_vec())).collect(),
        }
    }

    fn unknown(name: String, run_cluster: Option<String>, error: &str) -> Self {
        Self { name, run_cluster, kubernetes: None, apis: BTreeMap::new(), error: Some(error.to_owned()) }
    }
}
