//! A token of the deployer, in a kubeconfig that the plugin makes.

use serde_json::json;

use super::{deployer_namespace, kubeconfig_secret};
use crate::authentication::Method;
use crate::cluster::ObjectReference;
use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::gather::Facts;
use crate::error::Result;
use crate::kubeconfig::{self, Endpoint};
use crate::labels;
use crate::names;
use crate::plan::credential::token_of;
use crate::plan::{Change, Plan, Step, StoreCredential, change_of};

/// Adds the kubeconfig Secret, unless another delivery's namespace holds the token: its credential serves this one as well.
pub(super) async fn add(plan: &mut Plan, answers: &Answers, facts: &Facts) -> Result<()> {
    let Some(account_namespace) =
        deployer_namespace(answers, facts).filter(|namespace| *namespace == answers.target_namespace)
    else {
        return Ok(());
    };
    let token_secret =
        ObjectReference::secret(&account_namespace, &names::deployer_token(&answers.namespace, &answers.run_cluster));
    let minted = answers.run.get(&token_secret).await?.as_ref().and_then(token_of);
    let endpoint = endpoint(plan, answers, facts);
    let mut secret = kubeconfig_secret(answers, facts, Method::Token);
    secret["metadata"]["annotations"][labels::DEPLOYER_NAMESPACE] = json!(account_namespace);
    let mut store = StoreCredential {
        run_cluster: answers.run_cluster.clone(),
        endpoint,
        user: names::deployer(&answers.namespace, &answers.run_cluster),
        token_secret,
        impersonate: facts.impersonated.as_ref().map(|impersonated| impersonated.user.clone()),
        target_namespace: answers.target_namespace.clone(),
        secret,
        change: Change::Create,
    };
    store.change = match (&facts.kubeconfig_secret, minted) {
        (_, Some(token)) => change_of(&answers.build, &store.secret_with(&token)).await?,
        (Some(_), None) => Change::Update(vec!["data".to_owned()]),
        // The dry run proves the permission to write it.
        (None, None) => change_of(&answers.build, &store.secret).await?,
    };
    plan.steps.push(Step::StoreCredential(Box::new(store)));
    Ok(())
}

/// Returns how Flux is to reach the run cluster: as it does already, for the user's way there may be a tunnel.
fn endpoint(plan: &mut Plan, answers: &Answers, facts: &Facts) -> Endpoint {
    let secret = facts.kubeconfig_secret.as_ref();
    let stored = secret
        .and_then(|secret| kubeconfig::of_secret(&secret.data, None).ok())
        .and_then(|stored| Endpoint::of_context(&stored, None, |path| std::fs::read(path)).ok());
    match stored {
        Some(stored) if stored.server != answers.endpoint.server => {
            plan.warnings.push(format!(
                "Flux goes on reaching {} at {}, although your context has {}",
                answers.run_cluster, stored.server, answers.endpoint.server
            ));
            stored
        }
        _ => answers.endpoint.clone(),
    }
}
