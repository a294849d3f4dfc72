//! What a namespace of a run cluster holds about installs: by fresh reads, parents before children.
//!
//! The Packages come from kapp-controller's own API server, so that an answer also says that kapp-controller is alive.

use std::collections::BTreeMap;
use std::fmt::Debug;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;

use super::install::{Installed, ValuesSecret, rendered_secrets};
use crate::carvel::{
    App, Package, PackageInstall, PackageSpec, app_resource, package_install_resource, package_resource,
};
use crate::cluster::{Cluster, ServerClock};
use crate::error::{Error, Result};
use crate::object::{ObjectReference, api_resource};

/// How long ago a run must have ended for the clocks of one cluster, which differ a little, not to matter.
const LONG_AGO: SignedDuration = SignedDuration::from_mins(2);

/// The installs of one namespace, and everything that decides about them.
#[derive(Debug, Default)]
pub struct Target {
    installs: BTreeMap<String, PackageInstall>,
    apps: BTreeMap<String, App>,
    /// The Packages of the namespace.
    pub packages: Vec<PackageSpec>,
    /// The Secrets that each install takes values from, by the install's name.
    values: BTreeMap<String, Vec<ValuesSecret>>,
    /// Why the Apps may not be read; a role after the guide allows only the PackageInstalls.
    apps_refused: Option<Error>,
    /// The clock of the API server that holds them.
    clock: ServerClock,
}

impl Target {
    /// Reads all installs of a namespace: four lists, however many there are.
    ///
    /// Each kind is read after the one that it is compared with: an App that is older than its values must not look newer.
    pub async fn read(cluster: &Cluster, namespace: &str) -> Result<Self> {
        let installs = by_name(cluster.list::<PackageInstall>(&package_install_resource(), namespace).await?);
        let secrets = match cluster.list_metadata(&api_resource("", "v1", "Secret"), namespace).await {
            Ok(secrets) => Some(by_name(secrets)),
            // Who may not list Secrets may still be allowed to read these.
            Err(error) if error.status() == Some(403) => None,
            Err(error) => return Err(error),
        };
        let mut values = BTreeMap::new();
        for (name, install) in &installs {
            let of_install = match &secrets {
                Some(secrets) => {
                    rendered_secrets(install).iter().map(|name| values_secret(name, secrets.get(name))).collect()
                }
                None => read_values(cluster, namespace, install).await?,
            };
            values.insert(name.clone(), of_install);
        }
        let packages = read_packages(cluster, namespace).await?;
        let (apps, apps_refused) = unless_forbidden(cluster.list::<App>(&app_resource(), namespace).await)?;
        let clock = cluster.clock().clone();
        Ok(Self { installs, apps: by_name(apps), packages, values, apps_refused, clock })
    }

    /// Reads one install.
    pub async fn read_one(cluster: &Cluster, namespace: &str, name: &str) -> Result<Self> {
        let mut target = Self { clock: cluster.clock().clone(), ..Self::default() };
        let install: Option<PackageInstall> = cluster.read(&package_install_resource(), namespace, name).await?;
        if let Some(install) = install {
            target.values.insert(name.to_owned(), read_values(cluster, namespace, &install).await?);
            target.installs.insert(name.to_owned(), install);
        }
        target.packages = read_packages(cluster, namespace).await?;
        let app: Option<App>;
        (app, target.apps_refused) = unless_forbidden(cluster.read(&app_resource(), namespace, name).await)?;
        target.apps.extend(app.map(|app| (name.to_owned(), app)));
        Ok(target)
    }

    /// Returns an install.
    #[must_use]
    pub fn install(&self, name: &str) -> Option<&PackageInstall> {
        self.installs.get(name)
    }

    /// Returns the App of an install.
    #[must_use]
    pub fn app(&self, name: &str) -> Option<&App> {
        self.apps.get(name)
    }

    /// Returns what was read about an install in the form that it is judged in.
    ///
    /// `is_unchanged` tells that the App was seen unchanged for long enough; one whose last run ended long ago is as settled.
    #[must_use]
    pub fn installed(&self, name: &str, is_unchanged: bool) -> Installed<'_> {
        let app = self.app(name);
        Installed {
            install: self.install(name),
            app,
            packages: Some(&self.packages),
            values: Some(self.values.get(name).map(Vec::as_slice).unwrap_or_default()),
            is_settled: is_unchanged || is_settled(app, &self.clock),
            app_refused: self.apps_refused.as_ref(),
        }
    }
}

/// Takes a refusal for an answer.
fn unless_forbidden<T: Default>(answer: Result<T>) -> Result<(T, Option<Error>)> {
    match answer {
        Err(error) if error.status() == Some(403) => Ok((T::default(), Some(error))),
        answer => answer.map(|found| (found, None)),
    }
}

/// Tells whether an App's last run ended so long ago that a run that was due after it would show.
///
/// Its times are the run cluster's, and so is the clock: the local one, minutes ahead, would take every run for an old one.
fn is_settled(app: Option<&App>, clock: &ServerClock) -> bool {
    let fetched = app.and_then(|app| app.status.as_ref()?.fetch.as_ref()?.updated_at);
    fetched.zip(clock.now()).is_some_and(|(fetched, now)| now.duration_since(fetched) >= LONG_AGO)
}

async fn read_packages(cluster: &Cluster, namespace: &str) -> Result<Vec<PackageSpec>> {
    let packages: Vec<Package> = cluster.list(&package_resource(), namespace).await?;
    Ok(packages.into_iter().map(|package| package.spec).collect())
}

/// Reads when the values of an install were written, and nothing of their content.
async fn read_values(cluster: &Cluster, namespace: &str, install: &PackageInstall) -> Result<Vec<ValuesSecret>> {
    let mut values = Vec::new();
    for name in rendered_secrets(install) {
        let metadata = cluster.get_metadata(&ObjectReference::secret(namespace, &name)).await?;
        values.push(values_secret(&name, metadata.as_ref()));
    }
    Ok(values)
}

/// Takes from a Secret's metadata when it was written; `None` stands for a Secret that does not exist.
fn values_secret(name: &str, metadata: Option<&PartialObjectMeta<DynamicObject>>) -> ValuesSecret {
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

fn by_name<K: ResourceExt>(objects: Vec<K>) -> BTreeMap<String, K> {
    objects.into_iter().map(|object| (object.name_any(), object)).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::DATE;
    use serde_json::json;

    use super::*;

    /// What is read from a cluster whose clock differs from the local one, of an App whose fetch ended a while ago there.
    fn target(difference: SignedDuration, ago: SignedDuration) -> Target {
        let there = Timestamp::now() + difference;
        let date = jiff::fmt::rfc2822::to_string(&there.to_zoned(jiff::tz::TimeZone::UTC)).expect("a date");
        let clock = ServerClock::default();
        clock.learn(&HeaderMap::from_iter([(DATE, date.parse().expect("a header"))]));
        let app: App = serde_json::from_value(json!({
            "apiVersion": "kappctrl.k14s.io/v1alpha1", "kind": "App",
            "metadata": {"name": "hello", "namespace": "apps"},
            "spec": {},
            "status": {"fetch": {"exitCode": 0, "updatedAt": (there - ago).to_string()}},
        }))
        .expect("the fixture is an App");
        Target { apps: BTreeMap::from([("hello".to_owned(), app)]), clock, ..Target::default() }
    }

    #[test]
    fn a_run_is_old_by_the_clock_of_its_cluster_wherever_the_local_one_stands() {
        for difference in [-5, 0, 5].map(SignedDuration::from_mins) {
            let is_settled = |ago| target(difference, ago).installed("hello", false).is_settled;
            assert!(!is_settled(SignedDuration::from_secs(30)), "the cluster's clock is at {difference:?} from here");
            assert!(is_settled(SignedDuration::from_secs(150)), "the cluster's clock is at {difference:?} from here");
        }
    }

    #[test]
    fn without_the_clusters_time_no_run_is_an_old_one() {
        let unknown =
            Target { clock: ServerClock::default(), ..target(SignedDuration::ZERO, SignedDuration::from_hours(1)) };
        assert!(!unknown.installed("hello", false).is_settled);
        assert!(unknown.installed("hello", true).is_settled, "it was seen unchanged for long enough");
    }
}
