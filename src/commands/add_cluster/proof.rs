//! Proof, before anything is written, that a credential which exists already is let into the run cluster that is meant,
//! and may do there what Flux needs.

use kube::config::Kubeconfig;

use super::answers::Answers;
use super::authentication::{Authentication, Found, reference};
use super::comparison::{Comparison, compare};
use crate::authentication::Method;
use crate::check::{Checks, flux_access};
use crate::cluster::{Cluster, Role, User};
use crate::error::{Error, Result};
use crate::flux::Provider;
use crate::kubeconfig::{self, Endpoint};

/// What a credential that exists already was proven to allow.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    /// Whether `wait` and `status` can read with it.
    pub(super) may_read: bool,
    /// Whether its user may impersonate the account that it shall; `None` where it was not asked.
    pub(super) may_impersonate: Option<bool>,
    /// Its user, where the API server tells.
    pub(super) user: Option<User>,
}

impl Proof {
    /// Says that nothing had to be proven.
    pub(super) fn none() -> Self {
        Self { may_read: true, may_impersonate: None, user: None }
    }
}

/// Proves the kubeconfig that is given or was given before; others are proven when they are made, or never: a person looks
/// after one that was made by hand. `account` is the one that Flux is to impersonate.
pub(super) async fn of_credential(
    answers: &Answers,
    checks: &mut Checks,
    authentication: &Authentication,
    found: Option<&Found>,
    run_uid: &str,
    account: Option<&str>,
) -> Result<Proof> {
    match (authentication, found) {
        (Authentication::KubeconfigFile(file), _) => {
            for warning in &file.warnings {
                checks.warn("kubeconfig", warning.clone());
            }
            prove(answers, checks, &file.source, file.as_flux_reads_it()?, run_uid, account).await
        }
        (Authentication::Stored(Method::KubeconfigFile), Some(found)) => {
            let what = format!("the kubeconfig in {}", reference(answers, found.credential).display());
            prove(answers, checks, &what, kubeconfig::of_secret(&found.object.data, None)?, run_uid, account).await
        }
        (Authentication::WorkloadIdentity(identity), _) => {
            Ok(Proof { may_read: identity.workload.provider == Provider::Generic, ..Proof::none() })
        }
        _ => Ok(Proof::none()),
    }
}

/// Proves that the kubeconfig, read as Flux reads it, works; what cannot be proven is something to beware of.
///
/// `what` names the kubeconfig in messages.
async fn prove(
    answers: &Answers,
    checks: &mut Checks,
    what: &str,
    kubeconfig: Kubeconfig,
    run_uid: &str,
    account: Option<&str>,
) -> Result<Proof> {
    let endpoint = Endpoint::of_context(&kubeconfig, None, |_| Err(std::io::ErrorKind::NotFound.into()))?;
    let as_flux = Cluster::from_kubeconfig(Role::Run(answers.run_cluster.clone()), kubeconfig, None).await?;
    let user = as_flux.user().await.map_err(|error| {
        Error::new(format!("{what} does not work on {}", answers.run.display()))
            .because(&error)
            .hint("Flux would get the same answer; give it a kubeconfig with a valid credential and address")
    })?;
    match compare(answers, &as_flux, user.as_ref(), &endpoint, run_uid).await {
        Comparison::Same => checks.pass("cluster of the kubeconfig", "the one of --run-context"),
        Comparison::Other(why) => {
            return Err(Error::new(format!("{what} leads to another cluster than {}", answers.run.display()))
                .because(why)
                .hint("give a kubeconfig of the cluster that --run-context means"));
        }
        Comparison::Unknown => {
            return Err(Error::new(format!(
                "it cannot be found out whether {what} leads to {}",
                answers.run.display()
            ))
            .because("there is nothing that both may read, and their addresses or certificate authorities differ")
            .hint("let its user read the namespace kube-system, whose UID tells clusters apart"));
        }
    }
    if let Some(account) = account {
        // What the account may do, the plan grants.
        let may_impersonate = Some(as_flux.may_impersonate(&answers.namespace, account).await?);
        return Ok(Proof { may_read: true, may_impersonate, user });
    }
    let missing = flux_access(&as_flux, &answers.target_namespace).await?;
    let who = user.as_ref().map_or_else(|| "its user".to_owned(), |user| format!("its user `{}`", user.name));
    if !missing.to_deliver.is_empty() {
        return Err(Error::new(format!(
            "with {what} Flux may not deliver to namespace {} of {}",
            answers.target_namespace,
            answers.run.display()
        ))
        .because(format!("{who} may not: {}", missing.to_deliver.join(", ")))
        .hint(format!("grant {who} a Role in namespace {} with what is missing", answers.target_namespace)));
    }
    if !missing.to_read.is_empty() {
        checks.warn(
            "permissions of the kubeconfig",
            Error::new(format!("{who} may not: {}", missing.to_read.join(", ")))
                .hint("grant it, or give `wait` and `status` a credential of your own with --run-context"),
        );
    }
    Ok(Proof { may_read: missing.to_read.is_empty(), may_impersonate: None, user })
}
