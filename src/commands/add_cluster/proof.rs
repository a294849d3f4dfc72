//! Proof, before anything is written, that a credential which exists already is let into the run cluster that is meant,
//! and may do there what Flux needs.

use std::collections::BTreeSet;

use kube::config::Kubeconfig;

use super::answers::Answers;
use super::authentication::{Authentication, Found, reference};
use super::comparison::{Comparison, compare};
use crate::authentication::Method;
use crate::check::{Checks, flux_access};
use crate::cluster::{Cluster, Role, User};
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Kustomization, Provider, RunCredential, kustomization_resource};
use crate::kubeconfig::{self, Endpoint};
use crate::names;

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
    versions: FluxVersions,
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
            let others = match found {
                Some(_) => others(answers, versions, account).await?,
                None => BTreeSet::new(),
            };
            prove(answers, checks, &file.source, file.as_flux_reads_it()?, run_uid, account, &others).await
        }
        (Authentication::Stored(Method::KubeconfigFile), Some(found)) => {
            let what = format!("the kubeconfig in {}", reference(answers, found.credential).display());
            let kubeconfig = kubeconfig::of_secret(&found.object.data, None)?;
            prove(answers, checks, &what, kubeconfig, run_uid, account, &BTreeSet::new()).await
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
    others: &BTreeSet<Service>,
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
            return Err(Error::new(format!("cannot determine whether {what} points at {}", answers.run.display()))
                .because("there is nothing that both may read, and their addresses or certificate authorities differ")
                .hint("let its user read the namespace kube-system, whose UID tells clusters apart"));
        }
    }
    serves_others(answers, what, &as_flux, user.as_ref(), others).await?;
    if let Some(account) = account {
        // What the account may do, the plan grants.
        let may_impersonate = Some(as_flux.may_impersonate(&answers.namespace, account).await?);
        return Ok(Proof { may_read: true, may_impersonate, user });
    }
    let missing = flux_access(&as_flux, &answers.target_namespace).await?;
    let who = name_of(user.as_ref());
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

fn name_of(user: Option<&User>) -> String {
    user.map_or_else(|| "its user".to_owned(), |user| format!("its user `{}`", user.name))
}

/// What a kubeconfig serves: a target namespace, and the account that Flux impersonates to deliver there.
type Service = (String, Option<String>);

/// Reads what else the Secret serves that a new kubeconfig replaces.
async fn others(answers: &Answers, versions: FluxVersions, account: Option<&str>) -> Result<BTreeSet<Service>> {
    let kustomizations: Vec<Kustomization> =
        answers.build.list(&kustomization_resource(versions.kustomization), &answers.namespace).await?;
    let mut services = services(&kustomizations, &names::kubeconfig(&answers.run_cluster));
    services.retain(|(namespace, impersonated)| match impersonated {
        // The plan lets the new user impersonate the account of this delivery.
        Some(impersonated) => account != Some(impersonated),
        None => account.is_some() || *namespace != answers.target_namespace,
    });
    Ok(services)
}

/// Finds what Kustomizations use a kubeconfig Secret for. Pure.
fn services(kustomizations: &[Kustomization], secret: &str) -> BTreeSet<Service> {
    let service = |kustomization: &Kustomization| {
        let spec = &kustomization.spec;
        let is_user = spec.kube_config.as_ref()?.name_in(RunCredential::Secret) == Some(secret)
            && kustomization.metadata.deletion_timestamp.is_none();
        is_user.then(|| Some((spec.target_namespace.clone()?, spec.service_account_name.clone())))?
    };
    kustomizations.iter().filter_map(service).collect()
}

/// Refuses a kubeconfig with which other deliveries to the run cluster would end.
async fn serves_others(
    answers: &Answers,
    what: &str,
    as_flux: &Cluster,
    user: Option<&User>,
    others: &BTreeSet<Service>,
) -> Result<()> {
    let mut missing = BTreeSet::new();
    for (namespace, account) in others {
        if let Some(account) = account {
            if !as_flux.may_impersonate(&answers.namespace, account).await? {
                missing.insert(format!("in namespace {}: impersonate serviceaccounts/{account}", answers.namespace));
            }
        } else {
            let lacks = flux_access(as_flux, namespace).await?.to_deliver;
            missing.extend((!lacks.is_empty()).then(|| format!("in namespace {namespace}: {}", lacks.join(", "))));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let who = name_of(user);
    let secret = reference(answers, RunCredential::Secret).display();
    let error = Error::new(format!("with {what} other deliveries to {} would end", answers.run.display()))
        .because(format!("they use {secret} as well, and {who} may not"));
    Err(missing.into_iter().fold(error, Error::because).hint(format!("grant {who} Roles with what is missing")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_a_secret_serves_is_found() {
        let kustomization = |kube_config: serde_json::Value, namespace: &str, account: Option<&str>| -> Kustomization {
            serde_json::from_value(json!({
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "k"},
                "spec": {"kubeConfig": kube_config, "targetNamespace": namespace, "serviceAccountName": account},
            }))
            .expect("the fixture is a Kustomization")
        };
        let secret = json!({"secretRef": {"name": "prod1-kubeconfig"}});
        let all = [
            kustomization(secret.clone(), "apps", None),
            kustomization(secret.clone(), "apps", None),
            kustomization(secret, "web", Some("sa")),
            kustomization(json!({"secretRef": {"name": "prod2-kubeconfig"}}), "other", None),
            kustomization(json!({"configMapRef": {"name": "prod1-kubeconfig"}}), "other", None),
            kustomization(json!(null), "other", None),
        ];
        let expected = [("apps".to_owned(), None), ("web".to_owned(), Some("sa".to_owned()))];
        assert_eq!(services(&all, "prod1-kubeconfig"), BTreeSet::from(expected));
    }
}
