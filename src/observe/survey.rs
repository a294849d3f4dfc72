//! One look at all deliveries: the same model as a wait's, read once, all run clusters in parallel.
//!
//! An unreachable run cluster is shown as such, beside what Flux says, and hides nothing of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use kube::ResourceExt;

use super::delivery::{Delivery, RunAccess, find};
use super::expectation::Expectation;
use super::install::{Installed, ValuesSecret, rendered_secrets};
use super::reach::{is_settled, reach, values_secret};
use super::verdict::{FluxObjects, assess, package_installs};
use super::wait::FluxVersions;
use super::{Stage, Verdict};
use crate::carvel::selection::select;
use crate::carvel::version::Version;
use crate::carvel::{
    App, PACKAGE_VERSION_ANNOTATION, Package, PackageInstall, PackageSpec, app_resource, package_install_resource,
    package_resource,
};
use crate::cluster::{Cluster, Connection, api_resource};
use crate::conditions;
use crate::error::Result;
use crate::flux::{GitRepository, Kustomization, git_repository_resource, kustomization_resource};

/// How many run clusters are read at a time.
const AT_A_TIME: usize = 32;

/// How long a run cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to look at.
#[derive(Clone, Debug)]
pub struct SurveyRequest {
    /// The namespace; `None` means all.
    pub namespace: Option<String>,
    /// The packages; empty means all.
    pub packages: Vec<String>,
    /// The run clusters; empty means all.
    pub run_clusters: Vec<String>,
    /// Contexts to reach run clusters through, instead of Flux's credential.
    pub run_contexts: Vec<(String, String)>,
    /// The kubeconfig flags, for these contexts.
    pub connection: Connection,
}

/// One delivery as it was seen.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The delivery.
    pub delivery: Delivery,
    /// The revision that the source has.
    pub revision: Option<String>,
    /// Flux's own `Ready` of the two Kustomizations, such as `True` or `False HealthCheckFailed`.
    pub flux: [String; 2],
    /// The verdict on the source's revision.
    pub verdict: Verdict,
    /// The versions, where the run cluster could be read.
    pub versions: Option<Versions>,
}

/// Which versions of a package there are, and which one is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// What the revision that Flux has applied offers, the highest first.
    pub offered: Vec<String>,
    /// The constraints.
    pub constraints: String,
    /// What they select now.
    pub selected: Option<String>,
    /// What was installed at the last reconcile.
    pub installed: Option<String>,
    /// When the last reconcile ended: how it is now is not claimed.
    pub reconciled: Option<Timestamp>,
}

/// Looks at all deliveries once.
pub async fn survey(build: &Cluster, versions: FluxVersions, request: &SurveyRequest) -> Result<Vec<Surveyed>> {
    let namespace = request.namespace.as_deref();
    let source = git_repository_resource(versions.source);
    let kustomization = kustomization_resource(versions.kustomization);
    let (sources, kustomizations) = futures::join!(
        build.list_in::<GitRepository>(&source, namespace),
        build.list_in::<Kustomization>(&kustomization, namespace),
    );
    let mut flux = Flux { sources: index(sources?), kustomizations: index(kustomizations?) };
    let elsewhere: BTreeSet<(String, String)> = flux
        .deliveries()
        .into_iter()
        .map(|delivery| delivery.source)
        .filter(|key| !flux.sources.contains_key(key))
        .collect();
    for (namespace, name) in elsewhere {
        if let Some(found) = build.read(&source, &namespace, &name).await? {
            flux.sources.insert((namespace, name), found);
        }
    }
    let deliveries = super::delivery::select(flux.deliveries(), &request.packages, &request.run_clusters);

    let mut groups: BTreeMap<(String, RunAccess, String), Vec<Delivery>> = BTreeMap::new();
    for delivery in deliveries {
        let key = (delivery.namespace.clone(), delivery.access.clone(), delivery.run_cluster.clone());
        groups.entry(key).or_default().push(delivery);
    }
    let mut surveyed: Vec<Surveyed> = stream::iter(groups.into_values())
        .map(|group| look_at_run_cluster(build, &flux, request, group))
        .buffer_unordered(AT_A_TIME)
        .flat_map(stream::iter)
        .collect()
        .await;
    surveyed.sort_by(|left, right| sort_key(&left.delivery).cmp(&sort_key(&right.delivery)));
    Ok(surveyed)
}

fn sort_key(delivery: &Delivery) -> (&str, &str, &str) {
    (&delivery.namespace, &delivery.run_cluster, &delivery.package)
}

/// The Flux objects, by namespace and name.
struct Flux {
    sources: BTreeMap<(String, String), GitRepository>,
    kustomizations: BTreeMap<(String, String), Kustomization>,
}

impl Flux {
    fn deliveries(&self) -> Vec<Delivery> {
        find(self.kustomizations.values())
    }

    fn objects(&self, delivery: &Delivery) -> FluxObjects<'_> {
        let kustomization = |name: &String| self.kustomizations.get(&(delivery.namespace.clone(), name.clone()));
        FluxObjects {
            source: self.sources.get(&delivery.source),
            packages: kustomization(&delivery.packages_kustomization),
            installs: kustomization(&delivery.installs_kustomization),
        }
    }
}

/// What a target namespace of a run cluster holds.
#[derive(Debug, Default)]
struct Target {
    installs: BTreeMap<(String, String), PackageInstall>,
    apps: BTreeMap<(String, String), App>,
    packages: Vec<PackageSpec>,
    values: BTreeMap<String, ValuesSecret>,
}

/// Looks at the deliveries of one run cluster.
async fn look_at_run_cluster(
    build: &Cluster,
    flux: &Flux,
    request: &SurveyRequest,
    group: Vec<Delivery>,
) -> Vec<Surveyed> {
    let Some(first) = group.first() else { return Vec::new() };
    let cluster = reach(build, first, &request.run_contexts, &request.connection).await;
    let mut targets: BTreeMap<String, Result<Target, Verdict>> = BTreeMap::new();
    for delivery in &group {
        let namespace = &delivery.target_namespace;
        if targets.contains_key(namespace) {
            continue;
        }
        let target = match &cluster {
            Err(verdict) => Err(verdict.clone()),
            Ok(cluster) => match tokio::time::timeout(PATIENCE, read_target(cluster, namespace)).await {
                Ok(Ok(target)) => Ok(target),
                Ok(Err(error)) => Err(unreadable(&error.to_string(), delivery)),
                Err(_) => Err(unreadable(&format!("no answer within {} s", PATIENCE.as_secs()), delivery)),
            },
        };
        targets.insert(namespace.clone(), target);
    }
    group.into_iter().map(|delivery| judge(flux, &targets, delivery)).collect()
}

fn unreadable(why: &str, delivery: &Delivery) -> Verdict {
    Verdict::Unknown {
        why: format!("unreachable from here: {why}"),
        hint: format!("read it with a credential of your own: --run-context {}=CONTEXT", delivery.run_cluster),
    }
}

/// Reads everything that decides about the installs of a namespace, four lists in all.
async fn read_target(cluster: &Cluster, namespace: &str) -> Result<Target> {
    let (package_installs, apps, packages, secrets) =
        (package_install_resource(), app_resource(), package_resource(), api_resource("", "v1", "Secret"));
    // The values are read before the Apps: an App that is older than they are must not look newer.
    let (installs, secrets, packages) = futures::join!(
        cluster.list::<PackageInstall>(&package_installs, namespace),
        cluster.list_metadata(&secrets, namespace),
        cluster.list::<Package>(&packages, namespace),
    );
    let apps = cluster.list::<App>(&apps, namespace).await?;
    Ok(Target {
        installs: index(installs?),
        apps: index(apps),
        packages: packages?.into_iter().map(|package| package.spec).collect(),
        values: secrets?
            .iter()
            .map(|secret| (secret.name_any(), values_secret(&secret.name_any(), Some(secret))))
            .collect(),
    })
}

fn judge(flux: &Flux, targets: &BTreeMap<String, Result<Target, Verdict>>, delivery: Delivery) -> Surveyed {
    let objects = flux.objects(&delivery);
    let target = targets.get(&delivery.target_namespace);
    let readable = target.and_then(|target| target.as_ref().ok());
    // Values are looked up per install, and must live as long as the verdict is computed.
    let values: BTreeMap<(String, String), Vec<ValuesSecret>> = readable
        .map(|target| target.installs.iter().map(|(key, install)| (key.clone(), target.values_of(install))).collect())
        .unwrap_or_default();
    let installed = |namespace: &str, name: &str| {
        let key = (namespace.to_owned(), name.to_owned());
        let Some(target) = readable else { return Installed::default() };
        let app = target.apps.get(&key);
        Installed {
            install: target.installs.get(&key),
            app,
            packages: Some(&target.packages),
            values: values.get(&key).map(Vec::as_slice),
            is_settled: is_settled(app),
        }
    };
    let mut expectation = Expectation::default();
    let assessment = assess(&delivery, objects, &mut expectation, installed);
    let verdict = match (assessment.verdict, target) {
        // What Flux has yet to do is known also where the run cluster is not.
        (
            verdict @ (Verdict::Failed(_) | Verdict::Pending { stage: Stage::Source | Stage::Packages, .. }),
            Some(Err(_)),
        ) if objects.installs.is_none_or(|installs| package_installs(installs).is_empty()) => verdict,
        (_, Some(Err(unknown))) => unknown.clone(),
        (verdict, _) => verdict,
    };
    let names = objects.installs.map(package_installs).unwrap_or_default();
    Surveyed {
        revision: objects.source.and_then(|source| Some(source.status.as_ref()?.artifact.as_ref()?.revision.clone())),
        flux: [ready_word(objects.packages), ready_word(objects.installs)],
        versions: readable.zip(names.first()).and_then(|(target, key)| target.versions(key)),
        verdict,
        delivery,
    }
}

impl Target {
    /// Returns the values Secrets of an install, those that are missing included.
    fn values_of(&self, install: &PackageInstall) -> Vec<ValuesSecret> {
        let secrets = rendered_secrets(install).into_iter();
        secrets.map(|name| self.values.get(&name).cloned().unwrap_or_else(|| values_secret(&name, None))).collect()
    }

    fn versions(&self, key: &(String, String)) -> Option<Versions> {
        let reference = &self.installs.get(key)?.spec.package_ref;
        let mut offered: Vec<Version> = self
            .packages
            .iter()
            .filter(|package| package.ref_name == reference.ref_name)
            .filter_map(|package| package.version.parse().ok())
            .collect();
        offered.sort();
        let app = self.apps.get(key);
        let status = app.and_then(|app| app.status.as_ref());
        let deploy = status.and_then(|status| status.deploy.as_ref());
        let is_deployed = deploy.is_some_and(|deploy| deploy.finished && deploy.exit_code == 0);
        Some(Versions {
            constraints: reference.version_selection.constraints.clone(),
            selected: select(&offered, &reference.version_selection).ok().map(|version| version.to_string()),
            offered: offered.iter().rev().map(ToString::to_string).collect(),
            installed: app
                .filter(|_| is_deployed)
                .and_then(|app| app.annotations().get(PACKAGE_VERSION_ANNOTATION).cloned()),
            reconciled: deploy.and_then(|deploy| deploy.updated_at),
        })
    }
}

/// Returns Flux's own `Ready`, with the reason where it is not `True`.
fn ready_word(kustomization: Option<&Kustomization>) -> String {
    let Some(kustomization) = kustomization else { return "missing".to_owned() };
    let status = kustomization.status.as_ref();
    let ready = status.and_then(|status| conditions::find(&status.conditions, "Ready"));
    match ready {
        Some(ready) if ready.is_true() => "True".to_owned(),
        Some(ready) => format!("{} {}", ready.status, ready.reason),
        None => "Unknown".to_owned(),
    }
}

fn index<K: ResourceExt>(objects: Vec<K>) -> BTreeMap<(String, String), K> {
    objects.into_iter().map(|object| ((object.namespace().unwrap_or_default(), object.name_any()), object)).collect()
}
