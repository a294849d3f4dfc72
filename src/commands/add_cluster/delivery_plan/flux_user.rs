//! Whom the run cluster sees when Flux comes, and what that user may do there.

use serde_json::Value;

use super::credential::token_secret_name;
use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::authentication::Authentication;
use crate::commands::add_cluster::gather::Facts;
use crate::identities::{
    Owner, Subject, binding_secret, deployer_rules, impersonator_rules, role, role_binding, service_account,
    token_secret,
};
use crate::names;

/// Builds the account of Flux on the run cluster, where the plugin makes one, and the roles of whoever Flux acts as.
///
/// The roles of a user that somebody else looks after are that person's business.
pub(super) fn manifests(answers: &Answers, facts: &Facts, owner: Owner<'_>) -> Vec<Value> {
    let namespace = &answers.target_namespace;
    let deployer = names::deployer(&answers.namespace, &answers.run_cluster);
    let account_namespace = facts.deployer_namespace(answers);
    let mut manifests = Vec::new();
    if account_namespace.as_ref() == Some(namespace) {
        let token = token_secret_name(answers, facts);
        manifests.push(service_account(owner, namespace, &deployer));
        manifests.push(match facts.authentication {
            Authentication::Token { lifetime: Some(_) } => binding_secret(owner, namespace, &token, &deployer),
            _ => token_secret(owner, namespace, &token, &deployer),
        });
    }
    let (user, gets_role) = match (&account_namespace, &facts.authentication) {
        (Some(namespace), _) => (Some(Subject::ServiceAccount { namespace, name: &deployer }), true),
        (None, Authentication::WorkloadIdentity(identity)) => (Some(Subject::User(&identity.user)), true),
        (None, _) => (facts.user.as_ref().map(Subject::of), false),
    };
    match &facts.impersonated {
        Some(impersonated) => {
            let name = names::impersonator(&answers.namespace, &answers.run_cluster, &impersonated.account);
            // Flux impersonates an account of the namespace that is called like the Kustomization's.
            if let Some(user) = user.filter(|_| impersonated.needs_grant) {
                manifests.push(role(owner, &answers.namespace, &name, &impersonator_rules(&impersonated.account)));
                manifests.push(role_binding(owner, &answers.namespace, &name, user));
            }
            let name = names::impersonated(&answers.namespace, &answers.run_cluster, &impersonated.account);
            manifests.push(role(owner, namespace, &name, &deployer_rules()));
            manifests.push(role_binding(owner, namespace, &name, Subject::User(&impersonated.user)));
        }
        None if gets_role => {
            manifests.push(role(owner, namespace, &deployer, &deployer_rules()));
            manifests.extend(user.map(|user| role_binding(owner, namespace, &deployer, user)));
        }
        None => {}
    }
    manifests
}
