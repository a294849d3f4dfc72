//! The plan of a rotation: mint, prove, store, see Flux use it, revoke, prove that the old one is refused. Pure.
//!
//! After each step the Secret on the build cluster holds a credential that works.

use std::time::Duration;

use serde_json::json;

use super::gather::{Facts, TokenSecret};
use super::request::Request;
use crate::authentication::Method;
use crate::authentication::stored::DeployerSecret;
use crate::identities::{Owner, binding_secret, token_secret};
use crate::names;
use crate::object::ObjectReference;
use crate::plan::mint::readable;
use crate::plan::{Apply, CredentialUnchanged, Delete, Mint, Place, Plan, Step, TokenSource, TokensRevoked};

/// Computes the plan for one run cluster.
#[must_use]
pub(super) fn plan(request: &Request, facts: &Facts) -> Plan {
    let lifetime = request.token_duration.or(facts.granted);
    let mut steps = vec![make_token_secret(request, facts, lifetime), mint(request, facts, lifetime)];
    steps.extend(Step::use_credential(&facts.run_cluster, facts.reconciling.clone()));
    let unchanged = CredentialUnchanged {
        secret: request.secret_of(&facts.run_cluster),
        token_secret: facts.next_token_secret.clone(),
    };
    steps.push(unchanged.into());
    steps.extend(facts.token_secrets.iter().map(revoke));
    let revoked = TokensRevoked {
        run_cluster: facts.run_cluster.clone(),
        endpoint: facts.endpoint.clone(),
        namespace: facts.deployer_namespace.clone(),
        tokens: facts.tokens.clone(),
    };
    steps.push(revoked.into());
    let warning = |reference: &ObjectReference| {
        format!("{} is suspended: it uses the new credential once it is resumed", reference.display())
    };
    Plan {
        purpose: purpose(&facts.run_cluster, lifetime),
        steps,
        timeout: Some(request.timeout),
        warnings: facts.suspended.iter().map(warning).collect(),
        ..Plan::default()
    }
}

fn purpose(run_cluster: &str, lifetime: Option<Duration>) -> String {
    let life =
        lifetime.map_or_else(|| "does not expire".to_owned(), |lifetime| format!("lives {}", readable(lifetime)));
    format!("give Flux a new credential for {run_cluster}, which {life}, and revoke the old one")
}

/// Makes the Secret that the new token is in, or is bound to where it expires.
fn make_token_secret(request: &Request, facts: &Facts, lifetime: Option<Duration>) -> Step {
    let owner = Owner { build_cluster_uid: &facts.build_cluster_uid, build_namespace: &request.namespace };
    let build = if lifetime.is_some() { binding_secret } else { token_secret };
    let deployer = names::deployer(&request.namespace, &facts.run_cluster);
    let manifest = build(owner, &facts.deployer_namespace, &facts.next_token_secret, &deployer);
    Step::Apply(Apply { place: Place::Run, manifest })
}

fn mint(request: &Request, facts: &Facts, lifetime: Option<Duration>) -> Step {
    let user = names::deployer(&request.namespace, &facts.run_cluster);
    let reference = ObjectReference::secret(&facts.deployer_namespace, &facts.next_token_secret);
    let (method, source) = match lifetime {
        None => (Method::Token, TokenSource::Filled { secret: reference, token: None }),
        Some(lifetime) => {
            let source = TokenSource::Requested { account: user.clone(), bound_to: reference, lifetime };
            (Method::BoundedToken, source)
        }
    };
    let mut secret = DeployerSecret {
        namespace: &request.namespace,
        run_cluster: &facts.run_cluster,
        run_cluster_uid: &facts.run_cluster_uid,
        deployer_namespace: &facts.deployer_namespace,
        method,
        token_secret: &facts.next_token_secret,
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
    .into()
}

fn revoke(secret: &TokenSecret) -> Step {
    Step::Delete(Delete {
        place: Place::Run,
        reference: secret.reference.clone(),
        uid: secret.uid.clone(),
        note: Some("its token is revoked".to_owned()),
    })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
