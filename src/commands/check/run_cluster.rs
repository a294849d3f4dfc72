//! What must hold for one run cluster: its credential, what Flux may do with it, kapp-controller, the Flux objects.

use std::collections::{BTreeMap, BTreeSet};

use super::build_cluster::Flux;
use super::credential;
use crate::check::{self, Checks};
use crate::cluster::{Cluster, Connection};
use crate::error::Error;
use crate::flux::Kustomization;
use crate::invocation::PROGRAM;
use crate::observe::delivery::RunClusterKey;
use crate::observe::kustomization::not_reconciled;
use crate::observe::reach::reach;
use crate::observe::{Cause, Delivery, Stage, Verdict};
use crate::shell::quoted;
use crate::ui::check::Section;

/// Groups the deliveries that reach one run cluster with the same credential.
pub(super) fn grouped(deliveries: Vec<Delivery>) -> Vec<Vec<Delivery>> {
    let mut groups: BTreeMap<RunClusterKey, Vec<Delivery>> = BTreeMap::new();
    for delivery in deliveries {
        groups.entry(delivery.run_cluster_key()).or_default().push(delivery);
    }
    groups.into_values().collect()
}

/// Checks a run cluster; one that does not answer is one failed check, beside what is known of it here.
///
/// `run_contexts` name the contexts through which what Flux's own credential may not read is looked at.
pub(super) async fn check(
    build: &Cluster,
    flux: &Flux,
    connection: &Connection,
    run_contexts: &[(String, String)],
    group: Vec<Delivery>,
) -> Section {
    let mut checks = Checks::default();
    let (mut title, mut namespace, mut run_cluster) = (String::new(), String::new(), String::new());
    if let Some(first) = group.first() {
        title = format!("the run cluster `{}`", first.run_cluster);
        (namespace, run_cluster) = (first.namespace.clone(), first.run_cluster.clone());
        let known_uid = credential::check(&mut checks, build, first).await;
        check_kustomizations(&mut checks, flux, &group);
        let own = if run_contexts.iter().any(|(name, _)| *name == first.run_cluster) {
            let own = reach(build, first, run_contexts, connection).await.map_err(Verdict::into_error);
            checks.take_silently("your own connection", own).ok()
        } else {
            None
        };
        match reach(build, first, &[], connection).await {
            Ok(as_flux) => {
                check_as_flux(&mut checks, &as_flux, &group, known_uid.as_deref()).await;
                check_accounts(&mut checks, own.as_ref().unwrap_or(&as_flux), &group).await;
            }
            // What cannot be looked at from here may well work for Flux.
            Err(verdict @ Verdict::Unknown { .. }) => {
                checks.warn("connection", verdict.into_error());
                if let Some(own) = &own {
                    check_kapp_controller(&mut checks, own, &group).await;
                    check_accounts(&mut checks, own, &group).await;
                }
            }
            Err(verdict) => {
                checks.fail("connection", verdict.into_error());
            }
        }
    }
    Section { title, namespace: Some(namespace), run_cluster: Some(run_cluster), checks }
}

/// Checks what Flux finds with its own credential.
async fn check_as_flux(checks: &mut Checks, as_flux: &Cluster, group: &[Delivery], known_uid: Option<&str>) {
    match as_flux.user().await {
        Ok(user) => {
            let user = user.map(|user| format!(", as {}", user.name)).unwrap_or_default();
            checks.pass("connection", format!("{} authenticates Flux{user}", as_flux.server()));
        }
        Err(error) => {
            checks.fail("connection", error);
            return;
        }
    }
    check_kapp_controller(checks, as_flux, group).await;
    for namespace in namespaces(group) {
        check_access(checks, as_flux, group, namespace).await;
    }
    // Only some credentials may read it.
    if let (Some(known), Ok(uid)) = (known_uid, as_flux.uid().await)
        && known != uid
    {
        checks.fail(
            "identity", Error::new("the credential leads to another cluster than it was made for")
                .because(format!("its namespace kube-system has the UID {uid}, not {known}"))
                .hint(format!("correct the address in the kubeconfig, or remove what is left of the old cluster: {PROGRAM} remove-cluster")));
    }
}

fn namespaces(group: &[Delivery]) -> BTreeSet<&str> {
    group.iter().map(|delivery| delivery.target_namespace.as_str()).collect()
}

async fn check_kapp_controller(checks: &mut Checks, run: &Cluster, group: &[Delivery]) {
    let first = namespaces(group).into_iter().next().unwrap_or_default();
    let kapp_controller = match run.served_versions().await {
        Ok(served) => check::kapp_controller(run, &served, first).await,
        Err(error) => Err(error),
    };
    checks.check("kapp-controller", kapp_controller);
}

/// Looks for accounts of the target namespaces that may do everything; of bindings that may not be listed nothing is known.
async fn check_accounts(checks: &mut Checks, run: &Cluster, group: &[Delivery]) {
    for namespace in namespaces(group) {
        let name = format!("accounts in namespace {namespace}");
        let privileges = check::over_privileged(run, namespace).await;
        let warnings = privileges.warnings(namespace);
        if let Some(unknown) = privileges.unknown() {
            checks.unknown(&name, format!("not known with this credential: {unknown}; see --run-context"));
        } else if warnings.is_empty() {
            checks.pass(&name, "");
        }
        for warning in warnings {
            checks.warn(&name, warning);
        }
    }
}

async fn check_access(checks: &mut Checks, as_flux: &Cluster, group: &[Delivery], namespace: &str) {
    let name = format!("what Flux may do in namespace {namespace}");
    let Ok(missing) = checks.take_silently(name.clone(), check::flux_access(as_flux, namespace).await) else {
        return;
    };
    let again = group.iter().find(|delivery| delivery.target_namespace == namespace).map(|delivery| {
        format!(
            "make its Role again: {PROGRAM} add-cluster {} --package {} -n {} --target-namespace {}",
            quoted(&delivery.run_cluster),
            quoted(&delivery.package),
            quoted(&delivery.namespace),
            quoted(namespace)
        )
    });
    if !missing.to_deliver.is_empty() {
        let error =
            Error::new("Flux cannot deliver here").because(format!("it may not {}", missing.to_deliver.join(", ")));
        checks.fail(name, error.hint(again.unwrap_or_default()));
    } else if !missing.to_read.is_empty() {
        let warning = Error::new("Flux can deliver; `wait` and `status` cannot read with its credential")
            .because(format!("it may not {}", missing.to_read.join(", ")));
        checks.warn(name, warning.hint(again.unwrap_or_default()));
    } else {
        checks.pass(name, "");
    }
}

/// Checks that Flux reconciles both Kustomizations of each delivery.
fn check_kustomizations(checks: &mut Checks, flux: &Flux, group: &[Delivery]) {
    for delivery in group {
        for key @ (namespace, name) in &delivery.kustomizations() {
            let check = format!("Kustomization {namespace}/{name}");
            let read = flux.observation.kustomization(key);
            let Ok(object) = checks.take_silently(check.clone(), read) else { continue };
            match object.map(check_kustomization) {
                Some(Ok(None)) => checks.pass(check, ""),
                Some(Ok(Some(warning))) => checks.warn(check, warning),
                Some(Err(error)) => {
                    checks.fail(check, error);
                }
                None => {
                    checks.fail(
                        check,
                        Error::new("it does not exist: the delivery was only half made, or half removed")
                            .hint(format!("complete it with the same {PROGRAM} add-cluster command again")),
                    );
                }
            }
        }
    }
}

/// Checks one Kustomization; what it comes to is the business of `status`.
fn check_kustomization(object: &Kustomization) -> Result<Option<Error>, Error> {
    match not_reconciled(object, Stage::Install, "Flux does not apply anything") {
        Some(failure) if failure.cause == Cause::Suspended => Ok(Some(Error::new(failure.message).hint(failure.hint))),
        Some(failure) => Err(Error::new(failure.message).hint(failure.hint)),
        None => Ok(None),
    }
}
