//! Whether a credential that exists already is accepted by the run cluster that is meant and may do there what Flux needs,
//! and which service account Flux impersonates with it.
//!
//! Flux takes the account from the namespace that is called like the Kustomization's, also on the run cluster; it need not
//! exist there (fluxcd/pkg `runtime/client/impersonator.go`, v0.110).

use std::collections::BTreeSet;

use kube::config::Kubeconfig;

use super::retarget::{Comparison, compare};
use crate::authentication::Method;
use crate::check::{self, Checks, Skipped, flux_access, privileges_of};
use crate::cluster::{Cluster, Role, User};
use crate::commands::add_cluster::clusters::Clusters;
use crate::commands::add_cluster::facts::{Authentication, ExistingCredential, Impersonated};
use crate::commands::add_cluster::request::Request;
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Kustomization, Provider, RunCredential, impersonated_user, kustomization_resource};
use crate::kubeconfig::{self, Endpoint};
use crate::names;

/// What a credential that exists already was proven to allow.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    /// Whether `wait` and `status` can read with it.
    pub(super) may_read: bool,
    /// Whether its user may impersonate the account that it shall; `None` where it was not asked.
    may_impersonate: Option<bool>,
    /// Its user, where the API server tells.
    pub(super) user: Option<User>,
}

impl Proof {
    /// Returns what is assumed of a credential that has not to be proven.
    fn unproven(authentication: &Authentication) -> Self {
        let may_read = match authentication {
            // The tokens of a cloud's identity cannot be obtained from everywhere.
            Authentication::WorkloadIdentity(identity) => identity.workload.provider == Provider::Generic,
            _ => true,
        };
        Self { may_read, may_impersonate: None, user: None }
    }
}

/// Proves the kubeconfig that somebody gave, and finds out whom Flux impersonates with it, with one check for each step.
pub(super) async fn check(
    clusters: &Clusters,
    request: &Request,
    checks: &mut Checks,
    versions: FluxVersions,
    authentication: &Authentication,
    existing: Option<&ExistingCredential>,
    run_uid: &str,
) -> Result<(Proof, Option<Impersonated>), Skipped> {
    let account = account_to_impersonate(&clusters.build, request, versions, authentication).await;
    let account = checks.take("impersonation", account);
    let wanted = account.as_ref().ok().and_then(Option::as_deref);
    if let Authentication::KubeconfigFile(file) = authentication {
        for warning in &file.warnings {
            checks.warn("kubeconfig", warning.clone());
        }
    }
    let proof = match candidate(&clusters.build, request, versions, authentication, existing, wanted).await {
        Ok(Some(candidate)) => prove(clusters, request, checks, run_uid, candidate).await,
        Ok(None) => Ok(Proof::unproven(authentication)),
        Err(error) => Err(error),
    };
    let proof = checks.take("kubeconfig", proof)?;
    let Some(account) = account? else { return Ok((proof, None)) };
    let impersonation = impersonation(&clusters.run, request, checks, account, &proof).await;
    let impersonated = checks.take("permission to impersonate", impersonation)?;
    Ok((proof, Some(impersonated)))
}

/// A kubeconfig that is to be proven.
struct Candidate<'a> {
    /// What messages call it.
    display: String,
    /// As Flux reads it.
    kubeconfig: Kubeconfig,
    /// The account that Flux is to impersonate with it.
    account: Option<&'a str>,
    /// What else it has to serve.
    others: BTreeSet<Service>,
}

/// Returns the kubeconfig that is given or was given before. Other credentials are proven when they are made, or never: one
/// that is unmanaged is its owner's business.
async fn candidate<'a>(
    build: &Cluster,
    request: &Request,
    versions: FluxVersions,
    authentication: &Authentication,
    existing: Option<&ExistingCredential>,
    account: Option<&'a str>,
) -> Result<Option<Candidate<'a>>> {
    Ok(match (authentication, existing) {
        (Authentication::KubeconfigFile(file), _) => Some(Candidate {
            display: file.source.clone(),
            kubeconfig: file.as_flux_reads_it()?,
            account,
            others: match existing {
                Some(_) => others(build, request, versions, account).await?,
                None => BTreeSet::new(),
            },
        }),
        (Authentication::Stored(Method::KubeconfigFile), Some(existing)) => Some(Candidate {
            display: format!("the kubeconfig in {}", request.credential_reference(existing.kind).display()),
            kubeconfig: kubeconfig::of_secret(&existing.object.data, None)?,
            account,
            others: BTreeSet::new(),
        }),
        _ => None,
    })
}

/// Proves that the kubeconfig works; what cannot be proven is a warning.
async fn prove(
    clusters: &Clusters,
    request: &Request,
    checks: &mut Checks,
    run_uid: &str,
    candidate: Candidate<'_>,
) -> Result<Proof> {
    let Candidate { display: what, kubeconfig, account, others } = candidate;
    let endpoint = Endpoint::of_context(&kubeconfig, None, |_| Err(std::io::ErrorKind::NotFound.into()))?;
    let as_flux = Cluster::from_kubeconfig(Role::Run(request.run_cluster.clone()), kubeconfig, None).await?;
    let user = as_flux.user().await.map_err(|error| {
        Error::new(format!("{what} does not work on {}", clusters.run.display()))
            .because(&error)
            .hint("Flux would get the same answer; give it a kubeconfig with a valid credential and address")
    })?;
    match compare(clusters, request, &as_flux, user.as_ref(), &endpoint, run_uid).await {
        Comparison::Same => checks.pass("cluster of the kubeconfig", "the one of --run-context"),
        Comparison::Other(why) => {
            return Err(Error::new(format!("{what} leads to another cluster than {}", clusters.run.display()))
                .because(why)
                .hint("give a kubeconfig of the cluster that --run-context means"));
        }
        Comparison::Unknown => {
            return Err(Error::new(format!("cannot determine whether {what} points at {}", clusters.run.display()))
                .because("there is nothing that both may read, and their addresses or certificate authorities differ")
                .hint("let its user read the namespace kube-system, whose UID tells clusters apart"));
        }
    }
    serves_others(clusters, request, &what, &as_flux, user.as_ref(), &others).await?;
    if let Some(account) = account {
        // What the account may do, the plan grants.
        let may_impersonate = Some(as_flux.may_impersonate(&request.namespace, account).await?);
        return Ok(Proof { may_read: true, may_impersonate, user });
    }
    let missing = flux_access(&as_flux, &request.target_namespace).await?;
    let who = name_of(user.as_ref());
    if !missing.to_deliver.is_empty() {
        return Err(Error::new(format!(
            "with {what} Flux may not deliver to namespace {} of {}",
            request.target_namespace,
            clusters.run.display()
        ))
        .because(format!("{who} may not: {}", missing.to_deliver.join(", ")))
        .hint(format!("grant {who} a Role in namespace {} with what is missing", request.target_namespace)));
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
async fn others(
    build: &Cluster,
    request: &Request,
    versions: FluxVersions,
    account: Option<&str>,
) -> Result<BTreeSet<Service>> {
    let kustomizations: Vec<Kustomization> =
        build.list(&kustomization_resource(versions.kustomization), &request.namespace).await?;
    let mut services = services(&kustomizations, &names::kubeconfig(&request.run_cluster));
    services.retain(|(namespace, impersonated)| match impersonated {
        // The plan lets the new user impersonate the account of this delivery.
        Some(impersonated) => account != Some(impersonated),
        None => account.is_some() || *namespace != request.target_namespace,
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
    clusters: &Clusters,
    request: &Request,
    what: &str,
    as_flux: &Cluster,
    user: Option<&User>,
    others: &BTreeSet<Service>,
) -> Result<()> {
    let mut missing = BTreeSet::new();
    for (namespace, account) in others {
        if let Some(account) = account {
            if !as_flux.may_impersonate(&request.namespace, account).await? {
                missing.insert(format!("in namespace {}: impersonate serviceaccounts/{account}", request.namespace));
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
    let secret = request.credential_reference(RunCredential::Secret).display();
    let error = Error::new(format!("with {what} other deliveries to {} would end", clusters.run.display()))
        .because(format!("they use {secret} as well, and {who} may not"));
    Err(missing.into_iter().fold(error, Error::because).hint(format!("grant {who} Roles with what is missing")))
}

/// Finds out which account Flux is to impersonate: the one of the flag, else the one that the delivery has already.
///
/// What is unmanaged stays as it is. Another account than the delivery has is refused: its roles would stay behind.
async fn account_to_impersonate(
    build: &Cluster,
    request: &Request,
    versions: FluxVersions,
    authentication: &Authentication,
) -> Result<Option<String>> {
    let name = names::package_installs_kustomization(request.package_name(), &request.run_cluster);
    let existing: Option<Kustomization> =
        build.read(&kustomization_resource(versions.kustomization), &request.namespace, &name).await?;
    match (&request.impersonate, existing.and_then(|kustomization| kustomization.spec.service_account_name)) {
        (Some(asked), Some(existing)) if *asked != existing => Err(Error::new(format!(
            "Kustomization {}/{name} exists and has another spec.serviceAccountName: `{existing}`, not `{asked}`",
            request.namespace
        ))
        .because("the roles of the one would stay behind")
        .hint("leave --impersonate out to keep it")),
        (Some(asked), _) => Ok(Some(asked.clone())),
        (None, Some(_)) if matches!(authentication, Authentication::Stored(Method::Unmanaged)) => Ok(None),
        (None, existing) => Ok(existing),
    }
}

/// Finds out what it takes that Flux may impersonate an account.
async fn impersonation(
    run: &Cluster,
    request: &Request,
    checks: &mut Checks,
    account: String,
    proof: &Proof,
) -> Result<Impersonated> {
    let user = impersonated_user(&request.namespace, &account);
    if proof.may_impersonate == Some(true) {
        return Ok(Impersonated { account, user, needs_grant: false });
    }
    check::namespace(run, &request.namespace).await.map_err(|error| {
        error.because(format!(
            "Flux impersonates `{user}`; only a Role in the namespace of that name allows this account and no other"
        ))
    })?;
    if proof.may_impersonate == Some(false) && proof.user.is_none() {
        return Err(Error::new(format!("the user of the kubeconfig may not impersonate `{user}`"))
            .because("it cannot be granted from here: the API server does not tell whom it takes the credential for")
            .hint(format!(
                "let it impersonate the service account {account} with a Role in namespace {} of the run cluster",
                request.namespace
            )));
    }
    refuse_powerful(run, request, checks, &account).await?;
    Ok(Impersonated { account, user, needs_grant: true })
}

/// Refuses an account that may do everything already: whoever holds Flux's credential could act as it.
async fn refuse_powerful(run: &Cluster, request: &Request, checks: &mut Checks, account: &str) -> Result<()> {
    let namespace = &request.namespace;
    let privileges = privileges_of(run, namespace, account).await;
    if let Some(privilege) = privileges.found.first() {
        return Err(Error::new(format!(
            "ServiceAccount {namespace}/{account} may do everything {} on {}",
            privilege.place,
            run.display()
        ))
        .because(&privilege.binding)
        .because("Flux's credential would be allowed to impersonate it, and so to do the same")
        .hint("name an account that nobody has given permissions to: --impersonate NAME"));
    }
    if let Some(unknown) = privileges.unknown() {
        checks.warn(
            "account to impersonate",
            Error::new(format!(
                "it is not known what ServiceAccount {namespace}/{account} may do already on {}",
                run.display()
            ))
            .because(format!("with your credential, {unknown}"))
            .hint("Flux's credential will be allowed to impersonate it: make sure that nobody has given it more"),
        );
    }
    Ok(())
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
