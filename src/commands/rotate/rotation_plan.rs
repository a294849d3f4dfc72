//! The plan of a rotation: mint, prove, store, see Flux use it, revoke, prove that the old one is dead.
//!
//! After each step the Secret on the build cluster holds a credential that works.

use std::time::Duration;

use serde_json::json;

use super::gather::Facts;
use super::targets::Answers;
use crate::authentication::Method;
use crate::authentication::stored::DeployerSecret;
use crate::identities::{Owner, binding_secret, token_secret};
use crate::names;
use crate::object::ObjectReference;
use crate::plan::mint::readable;
use crate::plan::{Apply, CredentialUnchanged, Delete, Mint, Place, Plan, Step, TokenSource, TokensRevoked};

/// Computes the plan for one run cluster.
#[must_use]
pub(super) fn plan(answers: &Answers, facts: &Facts) -> Plan {
    let Facts { run_cluster, .. } = facts;
    let user = names::deployer(&answers.namespace, run_cluster);
    let lifetime = lifetime(answers, facts);
    let owner = Owner { build_cluster_uid: &answers.build_uid, build_namespace: &answers.namespace };
    let name = names::next_deployer_token(&answers.namespace, run_cluster);
    let reference = ObjectReference::secret(&facts.deployer_namespace, &name);
    let build = if lifetime.is_some() { binding_secret } else { token_secret };
    let manifest = build(owner, &facts.deployer_namespace, &name, &user);
    let mut plan = Plan {
        purpose: purpose(facts, lifetime),
        timeout: Some(answers.timeout),
        warnings: facts
            .suspended
            .iter()
            .map(|reference| {
                format!("{} is suspended: it uses the new credential once it is resumed", reference.display())
            })
            .collect(),
        ..Plan::default()
    };
    plan.steps.push(Step::Apply(Apply { place: Place::Run, manifest }));

    let source = match lifetime {
        None => TokenSource::Filled { secret: reference, token: None },
        Some(lifetime) => TokenSource::Requested { account: user.clone(), bound_to: reference, lifetime },
    };
    plan.steps.push(mint(answers, facts, user, source, &name).into());
    plan.steps.extend(Step::use_credential(run_cluster, facts.working.clone()));
    let unchanged = CredentialUnchanged { secret: answers.secret_of(run_cluster), token_secret: name.clone() };
    plan.steps.push(unchanged.into());
    for (reference, secret) in &facts.old_secrets {
        let mut delete = Delete::of(Place::Run, reference, &secret.metadata);
        delete.note = Some("its token ends".to_owned());
        plan.steps.push(Step::Delete(delete));
    }
    let revoked = TokensRevoked {
        run_cluster: run_cluster.clone(),
        namespace: facts.deployer_namespace.clone(),
        tokens: facts.old_tokens.clone(),
    };
    plan.steps.push(revoked.into());
    plan
}

/// Returns how long the new token is to live: as the flag says, else as the old one was granted.
pub(super) fn lifetime(answers: &Answers, facts: &Facts) -> Option<Duration> {
    answers.lifetime.or(facts.stored.granted())
}

fn purpose(facts: &Facts, lifetime: Option<Duration>) -> String {
    let life =
        lifetime.map_or_else(|| "does not expire".to_owned(), |lifetime| format!("lives {}", readable(lifetime)));
    format!("give Flux a new credential for {}, which {life}, and revoke the old one", facts.run_cluster)
}

fn mint(answers: &Answers, facts: &Facts, user: String, source: TokenSource, token_secret: &str) -> Mint {
    let method = if matches!(source, TokenSource::Requested { .. }) { Method::BoundedToken } else { Method::Token };
    let mut secret = DeployerSecret {
        namespace: &answers.namespace,
        run_cluster: &facts.run_cluster,
        run_cluster_uid: &facts.run_uid,
        deployer_namespace: &facts.deployer_namespace,
        method,
        token_secret,
        end: None,
    }
    .manifest();
    // Two rotations at a time would revoke each other's credential: the one that stores second is refused.
    secret["metadata"]["resourceVersion"] = json!(facts.resource_version);
    Mint {
        run_cluster: facts.run_cluster.clone(),
        endpoint: facts.endpoint.clone(),
        user,
        source,
        impersonate: facts.impersonate.clone(),
        target_namespace: facts.target_namespace.clone(),
        secret,
    }
}
