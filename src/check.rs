//! What must hold before a plan may run: named checks, all of which are made before the first write.
//!
//! The checks themselves are made where their subject lives; here they are collected, and refuse together.

use crate::carvel::{DATA_PACKAGING_GROUP, KAPP_CONTROLLER_GROUP, PACKAGING_GROUP, Package, package_resource};
use crate::cluster::{Cluster, ObjectReference, ServedVersions, api_resource};
use crate::error::{Error, ErrorKind, Result};
use crate::flux::{API_VERSIONS, GIT_REPOSITORY_GROUP, KUSTOMIZATION_GROUP};
use crate::observe::wait::FluxVersions;

/// Collects the findings of checks.
#[derive(Debug, Default)]
pub struct Checks {
    failures: Vec<Error>,
}

impl Checks {
    /// Takes in the result of a check, and hands on what it found out.
    pub fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.failures.push(error)).ok()
    }

    /// Refuses to go on if any check failed, and names all that did.
    pub fn refuse_if_failed(self) -> Result<()> {
        let count = self.failures.len();
        let mut failures = self.failures.into_iter();
        match (failures.next(), count) {
            (None, _) => Ok(()),
            (Some(only), 1) => Err(only),
            (Some(first), _) => {
                let is_usage = first.kind() == ErrorKind::Usage;
                let kind = if is_usage { ErrorKind::Usage } else { ErrorKind::Failed };
                let mut all = Error::of_kind(kind, format!("{count} checks failed; nothing was changed"));
                for failure in std::iter::once(first).chain(failures) {
                    all = all.because(&failure);
                    for hint in failure.hints() {
                        all = all.hint(hint);
                    }
                }
                Err(all)
            }
        }
    }
}

/// Checks that the build cluster serves Flux's APIs, and in which versions.
pub fn flux(build: &Cluster, served: &ServedVersions) -> Result<FluxVersions> {
    let find = |group: &str, kind: &str, controller: &str| {
        served.first_of(group, API_VERSIONS).ok_or_else(|| {
            Error::new(format!("Flux is not complete on {}: it serves no {kind}", build.display()))
                .because(format!(
                    "no version of the API group {group} that is spoken here: {}",
                    API_VERSIONS.join(", ")
                ))
                .hint(format!(
                    "install Flux with its {controller}: flux install; or name another cluster with --context"
                ))
        })
    };
    Ok(FluxVersions {
        source: find(GIT_REPOSITORY_GROUP, "GitRepository", "source-controller")?,
        kustomization: find(KUSTOMIZATION_GROUP, "Kustomization", "kustomize-controller")?,
    })
}

/// Checks that a run cluster serves kapp-controller's APIs, its own API server's included.
pub async fn kapp_controller(run: &Cluster, served: &ServedVersions, namespace: &str) -> Result<()> {
    for group in [PACKAGING_GROUP, KAPP_CONTROLLER_GROUP, DATA_PACKAGING_GROUP] {
        if served.first_of(group, &[crate::carvel::CARVEL_VERSION]).is_none() {
            return Err(Error::new(format!("kapp-controller is not installed on {}", run.display()))
                .because(format!("it does not serve {group}/{}", crate::carvel::CARVEL_VERSION))
                .hint("install kapp-controller: https://carvel.dev/kapp-controller/docs/latest/install/"));
        }
    }
    // The group is listed even while kapp-controller's API server does not answer.
    run.list::<Package>(&package_resource(), namespace).await.map(drop).map_err(|error| {
        error.hint(
            "is kapp-controller's API server available? kubectl get apiservice v1alpha1.data.packaging.carvel.dev",
        )
    })
}

/// Checks that a namespace exists; a user who may not read namespaces passes, and the dry run finds out.
pub async fn namespace(cluster: &Cluster, name: &str) -> Result<()> {
    let reference =
        ObjectReference { resource: api_resource("", "v1", "Namespace"), namespace: None, name: name.to_owned() };
    match cluster.get(&reference).await {
        Ok(None) => Err(Error::new(format!("{} has no namespace `{name}`", cluster.display()))
            .hint(format!("create it: kubectl --context {} create namespace {name}", cluster.context()))),
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_failures_are_named_at_once() {
        let mut checks = Checks::default();
        assert_eq!(checks.take(Ok(1)), Some(1));
        checks.take::<()>(Err(Error::new("first").hint("do this")));
        checks.take::<()>(Err(Error::new("second").because("why").hint("do that")));
        let error = checks.refuse_if_failed().expect_err("two failed");
        assert_eq!(error.causes(), ["first", "second: why"]);
        assert_eq!(error.hints(), ["do this", "do that"]);
    }
}
