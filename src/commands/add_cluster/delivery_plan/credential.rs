//! How Flux gets into the run cluster: what it is given on the build cluster.
//!
//! Each way to authenticate has a file of its own.

mod token;

use kube::ResourceExt;

use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::authentication::Authentication;
use crate::commands::add_cluster::gather::{Facts, kubeconfig_reference};
use crate::error::Result;
use crate::labels;
use crate::plan::Plan;

/// Adds what Flux authenticates with. A kubeconfig that was made by hand is left as it is.
pub(super) async fn add_credential(plan: &mut Plan, answers: &Answers, facts: &Facts) -> Result<()> {
    match facts.authentication {
        Authentication::Token => token::add(plan, answers, facts).await,
        Authentication::Stored => {
            plan.warnings
                .push(format!("{} was made by hand and is used as it is", kubeconfig_reference(answers).display()));
            Ok(())
        }
    }
}

/// Returns where the deployer's account lives: with the first delivery; `None` where a person manages the credential.
pub(super) fn deployer_namespace(answers: &Answers, facts: &Facts) -> Option<String> {
    match &facts.kubeconfig_secret {
        Some(secret) => secret.annotations().get(labels::DEPLOYER_NAMESPACE).cloned(),
        None => Some(answers.target_namespace.clone()),
    }
}
