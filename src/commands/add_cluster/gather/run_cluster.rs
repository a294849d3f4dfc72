//! What the deliveries to one run cluster share, read once: who it is, how Flux reaches it, its namespaces.

use std::collections::BTreeMap;

use futures::future::join_all;
use futures::join;
use secrecy::SecretString;

use super::{credential, retarget};
use crate::authentication::stored::StoredCredential;
use crate::check::{self, Checks, Skipped, known};
use crate::cluster::Cluster;
use crate::commands::add_cluster::clusters::{Clusters, Target};
use crate::commands::add_cluster::facts::{Authentication, ExistingCredential};
use crate::commands::add_cluster::request::Request;
use crate::error::Result;
use crate::kubeconfig::Endpoint;
use crate::names;

/// What is known of a run cluster.
pub(super) struct RunCluster {
    pub(super) uid: Result<String, Skipped>,
    /// What Flux has already to reach it with.
    pub(super) existing: Result<Option<ExistingCredential>, Skipped>,
    /// What the Secret says of it, where it is one.
    pub(super) stored: Option<StoredCredential>,
    /// How Flux authenticates, or will.
    pub(super) authentication: Result<Authentication, Skipped>,
    /// How Flux reaches it, and the stored token where that works.
    pub(super) credential: Result<(Endpoint, Option<SecretString>), Skipped>,
    /// Which of the deliveries brings Flux's credential.
    pub(super) leading: usize,
    /// The target namespaces, each with whether it has to be created.
    namespaces: BTreeMap<String, Result<bool, Skipped>>,
}

impl RunCluster {
    /// Reads and checks it.
    pub(super) async fn read(checks: &mut Checks, target: &Target) -> Self {
        let clusters = &target.clusters;
        // What is asked about the run cluster is the same in all of them.
        let request = target.first();
        let (uid, existing, namespaces) = join!(
            clusters.run.uid(),
            credential::existing(&clusters.build, request),
            join_all(by_namespace(target).into_iter().map(async |(namespace, request)| {
                let found = join!(
                    creates_namespace(request, &clusters.run),
                    check::kapp_controller(&clusters.run, &clusters.run_served, namespace),
                );
                (namespace, found)
            })),
        );
        let mut found = BTreeMap::new();
        for (namespace, (creates, kapp_controller)) in namespaces {
            found.insert(namespace.to_owned(), checks.take(format!("target namespace {namespace}"), creates));
            checks.check("kapp-controller", kapp_controller);
        }
        let uid = checks.take("identity of the run cluster", uid);
        let existing = checks.take("credential", existing);
        let stored = known(&existing).ok().and_then(|existing| existing.as_ref()?.stored());
        let authentication = known(&existing).and_then(|existing| {
            let decided =
                credential::authentication(request, &clusters.user_endpoint, existing.as_ref(), stored.as_ref());
            checks.take("authentication", decided)
        });
        let leading = leading(target, existing.as_ref().ok().and_then(Option::as_ref));
        let (credential, advised) = join!(
            Checks::apart(async |checks| {
                let (existing, authentication, uid) = (known(&existing)?, known(&authentication)?, known(&uid)?);
                let has_account = found.iter().find(|(_, creates)| **creates == Ok(false)).map(|(name, _)| name);
                // A namespace that has yet to be created has no account.
                let namespace = has_account.map_or(clusters.run.default_namespace(), String::as_str);
                Box::pin(check_credential(checks, target, existing.as_ref(), authentication, uid, namespace)).await
            }),
            Checks::apart(async |checks| {
                let existing = found.iter().filter(|(_, creates)| **creates != Ok(true)).map(|(name, _)| name.as_str());
                advise(checks, clusters, request, uid.as_deref().ok(), existing).await;
            }),
        );
        let credential = checks.take_in(credential);
        checks.take_in(advised);
        Self { uid, existing, stored, authentication, credential, leading, namespaces: found }
    }

    /// Returns what Flux has already to reach it with, as far as that is known.
    pub(super) fn existing(&self) -> Option<&ExistingCredential> {
        self.existing.as_ref().ok().and_then(Option::as_ref)
    }

    /// Tells whether a namespace has to be created.
    pub(super) fn creates(&self, namespace: &str) -> Result<bool, Skipped> {
        // All of them were looked at.
        self.namespaces.get(namespace).copied().unwrap_or(Ok(false))
    }
}

/// Finds out how Flux reaches the run cluster, and whether a token works there: the stored one, if there is one; `namespace` is
/// one that exists.
async fn check_credential(
    checks: &mut Checks,
    target: &Target,
    existing: Option<&ExistingCredential>,
    authentication: &Authentication,
    run_uid: &str,
    namespace: &str,
) -> Result<(Endpoint, Option<SecretString>), Skipped> {
    let (clusters, request) = (&target.clusters, target.first());
    let known_endpoint = existing.and_then(ExistingCredential::endpoint);
    let endpoint = credential::endpoint(request, &clusters.user_endpoint, known_endpoint.as_ref());
    let (is_usable, working_token) = join!(
        credential::check_endpoint(clusters, request, authentication, known_endpoint.as_ref(), &endpoint, run_uid),
        async {
            let Authentication::Token { .. } = authentication else { return Ok((None, None)) };
            // The token of another account is not the deployer's.
            let own = existing.filter(|existing| !existing.is_unmanaged());
            let stored = own.and_then(ExistingCredential::stored);
            credential::working_token(&clusters.run, &endpoint, stored.as_ref(), namespace).await
        },
    );
    let is_usable = checks.take("address of the run cluster", is_usable);
    let working_token = match (is_usable, working_token) {
        // An address of another cluster knows no token of this one.
        (Err(skipped), Err(_)) => Err(skipped),
        (_, working_token) => checks.take("credential of the run cluster", working_token).map(|(token, warning)| {
            if let Some(warning) = warning {
                checks.warn("credential of the run cluster", warning);
            }
            token
        }),
    };
    if let Some(existing) = existing {
        checks.check("run cluster's name", retarget::same_cluster(clusters, request, existing, run_uid).await);
    }
    Ok((endpoint, working_token?))
}

/// Warns about other names of the run cluster, and over-privileged accounts in the target namespaces that exist.
async fn advise(
    checks: &mut Checks,
    clusters: &Clusters,
    request: &Request,
    run_uid: Option<&str>,
    namespaces: impl Iterator<Item = &str>,
) {
    if let Some(uid) = run_uid {
        let own = names::kubeconfig(&request.run_cluster);
        // What may not be read cannot be compared.
        let others = check::other_names(&clusters.build, &request.namespace, uid, &own).await.unwrap_or_default();
        if !others.is_empty() {
            checks.warn("names of the run cluster", check::of_one_cluster(&request.run_cluster, &others));
        }
    }
    for namespace in namespaces {
        for warning in check::over_privileged(&clusters.run, namespace).await.warnings(namespace) {
            checks.warn("accounts of the target namespace", warning);
        }
    }
}

/// Returns the target namespaces, each with the first delivery to it.
fn by_namespace(target: &Target) -> BTreeMap<&str, &Request> {
    target.deliveries().rev().map(|request| (request.target_namespace.as_str(), request)).collect()
}

/// Chooses the delivery that brings Flux's credential: one to the namespace that has its account, else the first. Pure.
fn leading(target: &Target, existing: Option<&ExistingCredential>) -> usize {
    let namespace = existing.and_then(ExistingCredential::deployer_namespace);
    let has_account = |request: &Request| namespace.as_ref() == Some(&request.target_namespace);
    target.deliveries().position(has_account).unwrap_or_default()
}

/// Checks the target namespace, and tells whether it has to be created.
async fn creates_namespace(request: &Request, run: &Cluster) -> Result<bool> {
    match check::namespace(run, &request.target_namespace).await {
        Ok(()) => Ok(false),
        Err(error) if error.status() != Some(404) => Err(error),
        Err(_) if request.create_namespace => Ok(true),
        Err(error) => Err(error.hint("or let this command create it: --create-namespace")),
    }
}
