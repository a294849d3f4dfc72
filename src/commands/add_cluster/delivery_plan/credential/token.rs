//! A token of the deployer, in a kubeconfig that the plugin makes.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::expect_as_found;
use crate::authentication::Method;
use crate::authentication::stored::{DeployerSecret, StoredCredential};
use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::authentication::{Asked, reference};
use crate::commands::add_cluster::gather::Facts;
use crate::error::{Error, Result};
use crate::flux::RunCredential;
use crate::names;
use crate::plan::mint::{readable, token_of};
use crate::plan::{Mint, Place, Plan, TokenSource};

/// Adds the kubeconfig Secret. A token that works is left alone, and serves this delivery as well as those before it.
pub(super) fn add(plan: &mut Plan, answers: &Answers, facts: &Facts, lifetime: Option<Duration>) -> Result<()> {
    let (Some(deployer_namespace), Some(token_secret)) =
        (facts.deployer_namespace(answers), super::token_secret(answers, facts))
    else {
        return Ok(());
    };
    if facts.working_token.is_none() && deployer_namespace != answers.target_namespace {
        return Err(refused(answers).because(format!("its account is in namespace {deployer_namespace}")));
    }
    if let (Some(_), Some(stored)) = (&facts.working_token, &facts.stored) {
        note_end(plan, answers, stored);
    }
    if answers.overrides.server.is_none() && facts.endpoint.server != answers.endpoint.server {
        plan.warnings.push(format!(
            "Flux goes on reaching {} at {}, although your context has {}",
            answers.run_cluster, facts.endpoint.server, answers.endpoint.server
        ));
    }
    let secret = DeployerSecret {
        namespace: &answers.namespace,
        run_cluster: &answers.run_cluster,
        run_cluster_uid: &facts.run_uid,
        deployer_namespace: &deployer_namespace,
        method: if lifetime.is_some() { Method::BoundedToken } else { Method::Token },
        token_secret: &token_secret.name,
        end: facts.stored.as_ref().filter(|_| facts.working_token.is_some()).and_then(end),
    };
    let user = names::deployer(&answers.namespace, &answers.run_cluster);
    let filled = facts.live.get(Place::Run, &token_secret).and_then(token_of);
    let (source, token) = match (&facts.working_token, lifetime) {
        (Some(token), _) => (TokenSource::Known(token.clone()), Some(token.clone())),
        (None, Some(lifetime)) => {
            (TokenSource::Requested { account: user.clone(), bound_to: token_secret.clone(), lifetime }, None)
        }
        (None, None) => (TokenSource::Filled { secret: token_secret.clone(), token: filled.clone() }, filled),
    };
    let dead = facts.stored.as_ref().filter(|_| facts.working_token.is_none()).and_then(StoredCredential::token);
    if let (Some(token), Some(dead)) = (&token, dead)
        && token.expose_secret() == dead.expose_secret()
    {
        return Err(refused(answers));
    }
    let mut manifest = secret.manifest();
    expect_as_found(&mut manifest, facts);
    let mint = Mint {
        run_cluster: answers.run_cluster.clone(),
        endpoint: facts.endpoint.clone(),
        user,
        source,
        impersonate: facts.impersonated.as_ref().map(|impersonated| impersonated.user.clone()),
        target_namespace: answers.target_namespace.clone(),
        secret: manifest,
    };
    plan.steps.push(mint.into());
    Ok(())
}

fn end(stored: &StoredCredential) -> Option<(Timestamp, Duration)> {
    Some((stored.expires?, stored.lifetime.unwrap_or_default()))
}

/// Says when a credential that is left alone ends, and what becomes of a wish for another end.
fn note_end(plan: &mut Plan, answers: &Answers, stored: &StoredCredential) {
    let name = &answers.run_cluster;
    let rotate = format!("kubectl carvelflux rotate {name} -n {}", answers.namespace);
    match stored.expires {
        Some(expires) => {
            let left = Duration::try_from(expires.duration_since(Timestamp::now())).unwrap_or_default();
            let text = format!(
                "the credential for {name} expires at {expires:.0} (in {}); renew it in time: {rotate}",
                readable(left)
            );
            let is_urgent = stored.lifetime.is_some_and(|lifetime| left < lifetime / 5);
            if is_urgent { plan.warnings.push(text) } else { plan.notes.push(text) }
        }
        None if matches!(answers.authentication, Some(Asked::Token { lifetime: Some(_) })) => plan.notes.push(format!(
            "the credential for {name} does not expire and is left as it is; for one that does: {rotate} --token-duration DURATION"
        )),
        None => {}
    }
}

/// Says that the stored credential has ended, and that a new one takes more than one more delivery.
fn refused(answers: &Answers) -> Error {
    let secret = reference(answers, RunCredential::Secret).display();
    Error::new(format!(
        "{} does not let in the credential of {secret}: it is expired or revoked",
        answers.run.display()
    ))
    .hint(format!("renew it: kubectl carvelflux rotate {} -n {}", answers.run_cluster, answers.namespace))
}
