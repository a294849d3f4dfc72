//! What is no reason to refuse, but something to beware of.

use super::answers::Answers;
use crate::check::{self, Checks};
use crate::flux::{FluxVersions, Kustomization, kustomization_resource};
use crate::names;

/// Looks at Flux's capacity, at other names of the run cluster, and at over-privileged accounts in the target namespace.
pub(super) async fn look(
    checks: &mut Checks,
    answers: &Answers,
    versions: FluxVersions,
    run_uid: Option<&str>,
    makes_namespace: bool,
) {
    let resource = kustomization_resource(versions.kustomization);
    let everywhere = answers.build.list_in::<Kustomization>(&resource, None).await;
    let kustomizations = match everywhere {
        Ok(kustomizations) => kustomizations,
        // Whoever may not read them everywhere sees those of this namespace.
        Err(_) => answers.build.list(&resource, &answers.namespace).await.unwrap_or_default(),
    };
    match check::capacity(&answers.build, &kustomizations).await {
        Ok(words) => checks.pass("Flux's capacity", words),
        Err(warning) => checks.warn("Flux's capacity", warning),
    }
    if let Some(uid) = run_uid {
        let own = names::kubeconfig(&answers.run_cluster);
        // What may not be read cannot be compared.
        let others = check::other_names(&answers.build, &answers.namespace, uid, &own).await.unwrap_or_default();
        if !others.is_empty() {
            checks.warn("names of the run cluster", check::of_one_cluster(&answers.run_cluster, &others));
        }
    }
    if !makes_namespace {
        let namespace = &answers.target_namespace;
        for warning in check::over_privileged(&answers.run, namespace).await.warnings(namespace) {
            checks.warn("accounts of the target namespace", warning);
        }
    }
}
