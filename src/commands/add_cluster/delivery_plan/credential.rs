//! How Flux gets into the run cluster: what it is given on the build cluster.
//!
//! Each way to authenticate has a file of its own.

mod kubeconfig_file;
mod token;
mod workload_identity;

use kube::ResourceExt;
use serde_json::{Value, json};

use crate::authentication::{self, Method};
use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::authentication::{Authentication, reference};
use crate::commands::add_cluster::gather::Facts;
use crate::error::Result;
use crate::identities;
use crate::names;
use crate::object::ObjectReference;
use crate::plan::Plan;

/// Adds what Flux authenticates with. A kubeconfig that was made by hand is left as it is.
pub(super) fn add_credential(plan: &mut Plan, answers: &Answers, facts: &Facts) -> Result<()> {
    match &facts.authentication {
        Authentication::Token { lifetime } => token::add(plan, answers, facts, *lifetime),
        Authentication::KubeconfigFile(file) => kubeconfig_file::add(plan, answers, facts, file),
        Authentication::WorkloadIdentity(identity) => workload_identity::add(plan, answers, facts, identity),
        Authentication::Stored(Method::ByHand) => {
            let object = reference(answers, facts.credential()).display();
            plan.warnings.push(format!("{object} was made by hand and is used as it is"));
            Ok(())
        }
        Authentication::Stored(_) => Ok(()),
    }
}

/// Builds the service account of a workload identity, where it is one of the build cluster's.
pub(super) fn service_account(answers: &Answers, facts: &Facts) -> Option<Value> {
    let Authentication::WorkloadIdentity(identity) = &facts.authentication else { return None };
    Some(identities::build_account(&answers.namespace, identity.workload.service_account.as_ref()?))
}

/// Names the Secret on the run cluster that holds the deployer's token, or that it is bound to.
pub(super) fn token_secret(answers: &Answers, facts: &Facts) -> Option<ObjectReference> {
    let Authentication::Token { .. } = facts.authentication else { return None };
    let namespace = facts.deployer_namespace(answers)?;
    Some(ObjectReference::secret(&namespace, &token_secret_name(answers, facts)))
}

/// Builds the Secret for a kubeconfig, without its data.
fn kubeconfig_secret(answers: &Answers, facts: &Facts, method: Method) -> Value {
    let mut secret =
        authentication::manifest("Secret", &answers.namespace, &answers.run_cluster, &facts.run_uid, method);
    secret["type"] = json!("Opaque");
    secret
}

/// Has the API server refuse the Secret if anybody has changed it since it was read: `rotate` may have stored another
/// credential meanwhile, and be about to revoke the one that was found.
fn expect_as_found(manifest: &mut Value, facts: &Facts) {
    let version = facts.found.as_ref().and_then(|found| found.object.resource_version());
    if let Some(version) = version {
        manifest["metadata"]["resourceVersion"] = json!(version);
    }
}

/// Returns the name of the Secret on the run cluster whose deletion revokes the deployer's token: `rotate` gives it others.
pub(super) fn token_secret_name(answers: &Answers, facts: &Facts) -> String {
    let recorded = facts.stored.as_ref().and_then(|stored| stored.token_secret.clone());
    recorded.unwrap_or_else(|| names::deployer_token(&answers.namespace, &answers.run_cluster))
}
