//! What must hold on the build cluster.

use std::collections::BTreeSet;

use crate::check::permissions::{Need, missing, refuse_missing};
use crate::check::{self, Checks};
use crate::cluster::Cluster;
use crate::error::Error;
use crate::flux::{FluxVersions, Kustomization, git_repository_resource, kustomization_resource};
use crate::object::{ObjectReference, api_resource};
use crate::observe::expectation::short_revision;
use crate::observe::observation::Observation;
use crate::observe::source::{self, Source};
use crate::observe::{Delivery, Expectation, Verdict};

/// What was read of Flux before anything is judged.
pub(super) struct Flux {
    pub(super) versions: FluxVersions,
    pub(super) observation: Observation,
}

/// Checks namespaces, sources, Flux's capacity and the user's own permissions.
pub(super) async fn check(
    checks: &mut Checks,
    build: &Cluster,
    flux: &Flux,
    scope: Option<&str>,
    deliveries: &[Delivery],
) {
    let mut namespaces: BTreeSet<&str> = deliveries.iter().map(|delivery| delivery.namespace.as_str()).collect();
    namespaces.extend(scope);
    if let Some(namespace) = scope {
        checks.check(format!("namespace {namespace}"), check::namespace(build, namespace).await);
    }
    check_sources(checks, flux, deliveries);
    check_capacity(checks, build, flux, scope).await;
    for namespace in namespaces {
        check_permissions(checks, build, flux, namespace).await;
    }
}

fn check_sources(checks: &mut Checks, flux: &Flux, deliveries: &[Delivery]) {
    let sources: BTreeSet<&(String, String)> = deliveries.iter().map(|delivery| &delivery.source).collect();
    for key @ (namespace, name) in sources {
        let check = format!("GitRepository {namespace}/{name}");
        let Ok(source) = checks.take_silently(check.clone(), flux.observation.source(key)) else { continue };
        match source::judge(source, &format!("{namespace}/{name}"), &Expectation::default()) {
            Source::At(revision) => checks.pass(check, short_revision(&revision)),
            Source::Not(Verdict::Failed(failure)) => {
                checks.fail(check, Error::new(failure.message).hint(failure.hint));
            }
            Source::Not(Verdict::Pending { why, .. } | Verdict::Unknown { why, .. }) => checks.pass(check, why),
            Source::Not(Verdict::Ready { version }) => checks.pass(check, version),
        }
    }
}

async fn check_capacity(checks: &mut Checks, build: &Cluster, flux: &Flux, scope: Option<&str>) {
    let resource = kustomization_resource(flux.versions.kustomization);
    // Whoever may not read them everywhere sees those of the namespace.
    let everywhere = match scope {
        Some(_) => build.list_in::<Kustomization>(&resource, None).await.ok(),
        None => None,
    };
    let capacity = match &everywhere {
        Some(everywhere) => check::capacity(build, everywhere).await,
        None => check::capacity(build, flux.observation.kustomizations()).await,
    };
    match capacity {
        Ok(words) => checks.pass("Flux's capacity", words),
        Err(warning) => checks.warn("Flux's capacity", warning),
    }
}

/// Looks at what the user may do; whoever only looks needs none of it.
async fn check_permissions(checks: &mut Checks, build: &Cluster, flux: &Flux, namespace: &str) {
    let resources = [
        api_resource("", "v1", "Secret"),
        git_repository_resource(flux.versions.source),
        kustomization_resource(flux.versions.kustomization),
    ];
    let needs = resources.into_iter().flat_map(|resource| {
        let all = ObjectReference { resource, namespace: Some(namespace.to_owned()), name: String::new() };
        Need::on(&all, &["get", "list", "create", "patch", "delete"])
    });
    let name = format!("your permissions in namespace {namespace}");
    if let Ok(missing) = checks.take_silently(name.clone(), missing(build, needs).await) {
        match refuse_missing(build, &missing) {
            Ok(()) => checks.pass(name, ""),
            Err(error) => checks.warn(name, error),
        }
    }
}
