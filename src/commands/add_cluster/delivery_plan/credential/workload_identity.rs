//! A workload identity: no stored credential, but a service account whose tokens the run cluster trusts.

use kube::ResourceExt;
use serde_json::json;

use crate::authentication::{self, Method};
use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::delivery_plan::identities::unless_unmanaged;
use crate::commands::add_cluster::gather::Facts;
use crate::commands::add_cluster::identity::Identity;
use crate::error::{Error, Result};
use crate::flux::Provider;
use crate::identities;
use crate::labels;
use crate::object::ObjectReference;
use crate::plan::{Apply, IdentityKnown, Place, Plan, Step};

/// Adds the service account, the proof that the run cluster knows it, and the ConfigMap that Flux reads.
pub(super) fn add(plan: &mut Plan, answers: &Answers, facts: &Facts, identity: &Identity) -> Result<()> {
    if let Some(account) = &identity.workload.service_account {
        plan.steps.extend(service_account(answers, facts, identity.workload.provider, account)?.map(Step::Apply));
    }
    // Nobody but the cloud can tell what it makes of an identity.
    if identity.workload.provider == Provider::Generic {
        let known = IdentityKnown {
            run_cluster: answers.run_cluster.clone(),
            namespace: answers.namespace.clone(),
            identity: identity.workload.clone(),
            user: identity.user.clone(),
            impersonate: facts.impersonated.as_ref().map(|impersonated| impersonated.user.clone()),
            target_namespace: answers.target_namespace.clone(),
        };
        plan.steps.push(known.into());
    }
    let (namespace, run_cluster) = (&answers.namespace, &answers.run_cluster);
    let mut manifest =
        authentication::manifest("ConfigMap", namespace, run_cluster, &facts.run_uid, Method::WorkloadIdentity);
    manifest["metadata"]["annotations"][labels::IDENTITY_USER] = json!(identity.user);
    manifest["data"] = json!(identity.workload.data());
    plan.steps.push(Step::Apply(Apply { place: Place::Build, manifest }));
    Ok(())
}

/// Makes the service account, unless there is one of that name that somebody else looks after, as clouds need it.
fn service_account(answers: &Answers, facts: &Facts, provider: Provider, name: &str) -> Result<Option<Apply>> {
    let manifest = identities::build_account(&answers.namespace, name);
    let reference = ObjectReference::of(&manifest)?;
    let live = facts.live.of(Place::Build, &manifest);
    let has = |key: &&str| live.is_some_and(|live| live.annotations().contains_key(*key));
    let missing: Vec<&str> = provider.required_annotations().iter().filter(|key| !has(key)).copied().collect();
    if !missing.is_empty() {
        return Err(Error::new(format!("{} lacks what {} needs to know it", reference.display(), provider.name()))
            .because(format!("it has no annotation {}", missing.join(" and ")))
            .hint(format!(
                "make it with {}: kubectl -n {} create serviceaccount {name}; kubectl -n {} annotate serviceaccount {name} {}=…",
                if missing.len() == 1 { "the annotation" } else { "the annotations" },
                answers.namespace,
                answers.namespace,
                missing.join("=… ")
            )));
    }
    Ok(unless_unmanaged(facts, manifest))
}
