//! What `rotate` reads of the build cluster for all run clusters together: which credentials there are, and who uses them.

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;

use super::request::Request;
use crate::authentication::Method;
use crate::authentication::stored::StoredCredential;
use crate::check;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Kustomization, kustomization_resource};
use crate::object::{ObjectReference, api_resource};
use crate::observe::RunAccess;
use crate::observe::delivery::find;

/// How the name of a kubeconfig Secret ends.
const SUFFIX: &str = "-kubeconfig";

/// What was read of the namespace of the Flux objects.
pub(super) struct BuildCluster {
    pub(super) uid: String,
    pub(super) versions: FluxVersions,
    /// All Kustomizations of the namespace.
    pub(super) kustomizations: Vec<Kustomization>,
    /// All its Secrets: which kind of credential one holds is in its annotations, its content is not read.
    secrets: Vec<PartialObjectMeta<DynamicObject>>,
}

/// A run cluster whose credential is to be rotated.
pub(super) struct Target {
    pub(super) run_cluster: String,
    pub(super) stored: StoredCredential,
    /// The Secret that holds it.
    pub(super) secret: DynamicObject,
}

impl BuildCluster {
    pub(super) async fn read(build: &Cluster, namespace: &str) -> Result<Self> {
        let versions = check::flux(build, &build.served_versions().await?)?;
        let (secrets, kustomizations) =
            (api_resource("", "v1", "Secret"), kustomization_resource(versions.kustomization));
        let (uid, secrets, kustomizations) = futures::join!(
            build.uid(),
            build.list_metadata(&secrets, namespace),
            build.list(&kustomizations, namespace),
        );
        Ok(Self { uid: uid?, versions, kustomizations: kustomizations?, secrets: secrets? })
    }

    /// Returns the run clusters whose credential is a token of a deployer.
    pub(super) fn rotatable(&self) -> Vec<String> {
        rotatable(&self.secrets)
    }

    /// Reads the credentials of the run clusters that are meant.
    pub(super) async fn targets(&self, build: &Cluster, request: &Request) -> Result<Vec<Target>> {
        let rotatable = self.rotatable();
        let chosen = request.chosen(&rotatable)?;
        if chosen.is_empty() {
            return Err(Error::new(format!(
                "there is no credential to rotate in namespace {} on {}",
                request.namespace,
                build.display()
            ))
            .because("add-cluster has made none there")
            .hint("name another namespace with -n"));
        }
        let target = async |run_cluster: String| {
            let reference = request.secret_of(&run_cluster);
            let is_listed = self.secrets.iter().any(|secret| secret.name_any() == reference.name);
            let secret = if is_listed { build.get(&reference).await? } else { None };
            match secret {
                Some(secret) => Ok(Target { stored: StoredCredential::of(&secret), secret, run_cluster }),
                None => Err(without_secret(&reference, &run_cluster, &self.kustomizations, &rotatable)),
            }
        };
        futures::future::try_join_all(chosen.into_iter().map(target)).await
    }

    /// Finds the Kustomizations that use a credential: those that reconcile, and those that are suspended.
    pub(super) fn consumers(&self, secret: &ObjectReference) -> (Vec<&Kustomization>, Vec<&Kustomization>) {
        let uses = |kustomization: &&Kustomization| {
            let config = kustomization.spec.kube_config.as_ref();
            let reads = config.and_then(|config| config.secret_ref.as_ref()).is_some_and(|one| one.name == secret.name);
            reads && kustomization.metadata.deletion_timestamp.is_none()
        };
        self.kustomizations.iter().filter(uses).partition(|kustomization| !kustomization.spec.suspend)
    }
}

fn rotatable(secrets: &[PartialObjectMeta<DynamicObject>]) -> Vec<String> {
    secrets
        .iter()
        .filter(|secret| matches!(Method::of(*secret), Method::Token | Method::BoundedToken))
        .filter_map(|secret| secret.name_any().strip_suffix(SUFFIX).map(str::to_owned))
        .collect()
}

/// Says why a named run cluster has no credential to rotate.
fn without_secret(
    secret: &ObjectReference,
    run_cluster: &str,
    kustomizations: &[Kustomization],
    rotatable: &[String],
) -> Error {
    let deliveries = find(kustomizations);
    let mut here = deliveries.iter().filter(|delivery| delivery.run_cluster == run_cluster);
    if here.any(|delivery| matches!(delivery.access, RunAccess::WorkloadIdentity { .. })) {
        return Error::new(format!("there is nothing to rotate for {run_cluster}"))
            .because("Flux reaches it with a workload identity, and stores no credential");
    }
    let known = if rotatable.is_empty() { "none".to_owned() } else { rotatable.join(", ") };
    Error::usage(format!("there is no {}", secret.display())).hint(format!(
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
