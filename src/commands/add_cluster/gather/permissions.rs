//! What the person who runs `add-cluster` must be allowed, on both clusters; asked before anything is written.
//!
//! The dry run of each object proves the same for what is there to be tried, and ends at the first thing that is missing;
//! this names everything at once.

use futures::future::join_all;
use futures::join;
use kube::ResourceExt;
use serde_json::Value;

use crate::authentication::Method;
use crate::check::Checks;
use crate::check::permissions::{self, Need, missing};
use crate::commands::add_cluster::clusters::Clusters;
use crate::commands::add_cluster::facts::{Authentication, ExistingCredential, Impersonated, Installer};
use crate::commands::add_cluster::request::Request;
use crate::error::Result;
use crate::flux::{FluxVersions, git_repository_resource, kustomization_resource};
use crate::identities::deployer_rules;
use crate::labels;
use crate::names;
use crate::object::{ObjectReference, api_resource};

const RBAC: &str = "rbac.authorization.k8s.io";

/// What decides which objects will be written.
#[derive(Clone, Copy)]
pub(super) struct PlannedWrites<'a> {
    pub(super) authentication: &'a Authentication,
    pub(super) existing: Option<&'a ExistingCredential>,
    /// Whether another delivery of the same command brings the credential.
    pub(super) is_led: bool,
    pub(super) impersonated: Option<&'a Impersonated>,
    pub(super) installer: Option<&'a Installer>,
    pub(super) creates_namespace: bool,
    /// Whether the package has PackageMetadata, which Flux applies as well.
    pub(super) has_metadata: bool,
}

/// What will be written for the deliveries to one run cluster.
pub(super) struct Planned<'a> {
    pub(super) clusters: &'a Clusters,
    pub(super) deliveries: Vec<(&'a Request, PlannedWrites<'a>)>,
}

/// Checks all permissions, and leaves out failures that say no more than that one of them is missing.
pub(super) async fn check(checks: &mut Checks, versions: FluxVersions, planned: &[Planned<'_>]) {
    let Some(build) = planned.first().map(|first| &first.clusters.build) else { return };
    let deliveries = planned.iter().flat_map(|one| &one.deliveries);
    let on_build = deliveries.flat_map(|(request, writes)| on_build_cluster(request, versions, *writes));
    let on_run = join_all(planned.iter().map(missing_on_run_cluster));
    let (missing_on_build, missing_on_run) = join!(missing(build, on_build), on_run);
    permissions::take(checks, build, missing_on_build);
    for (one, missing) in planned.iter().zip(missing_on_run) {
        permissions::take(checks, &one.clusters.run, missing);
    }
}

fn on_build_cluster(request: &Request, versions: FluxVersions, writes: PlannedWrites<'_>) -> Vec<Need> {
    let PlannedWrites { authentication, existing, impersonated, .. } = writes;
    let credential = request.credential_reference(authentication.credential_kind(existing));
    let reference =
        |resource, name: String| ObjectReference { resource, namespace: Some(request.namespace.clone()), name };
    let mut needs = match authentication {
        Authentication::Stored(_) => Need::on(&credential, &["get"]),
        _ => Need::to_apply(&credential),
    };
    if let Authentication::WorkloadIdentity(identity) = authentication
        && let Some(account) = &identity.workload.service_account
    {
        needs.extend(Need::to_apply(&reference(api_resource("", "v1", "ServiceAccount"), account.clone())));
    }
    if let Some(impersonated) = impersonated {
        // Flux looks its namesake up when it prunes.
        needs
            .extend(Need::to_apply(&reference(api_resource("", "v1", "ServiceAccount"), impersonated.account.clone())));
    }
    for name in [
        names::packages_kustomization(request.package_name(), &request.run_cluster),
        names::package_installs_kustomization(request.package_name(), &request.run_cluster),
    ] {
        needs.extend(Need::to_apply(&reference(kustomization_resource(versions.kustomization), name)));
    }
    let all = reference(kustomization_resource(versions.kustomization), String::new());
    needs.extend(Need::on(&all, &["list"]));
    let source = reference(git_repository_resource(versions.source), names::git_repository(request.package_name()));
    needs.extend(Need::on(&source, &["get", "list", "watch", "patch"]));
    needs
}

/// What is needed on the run cluster, and which rules are granted there.
struct RunNeeds {
    needs: Vec<Need>,
    granted: Vec<Value>,
}

fn on_run_cluster(request: &Request, writes: PlannedWrites<'_>) -> RunNeeds {
    let PlannedWrites { authentication, existing, impersonated, installer, creates_namespace, has_metadata, .. } =
        writes;
    let namespace = &request.target_namespace;
    let mut run = RunNeeds { needs: Vec::new(), granted: Vec::new() };
    if let Some(Installer::Own { rules, .. }) = installer {
        let name = names::installer(request.package_name());
        run.needs.extend(Need::to_apply(&account(namespace, &name)));
        run.needs.extend(to_apply_role(namespace, &name));
        run.granted.push(rules.clone());
    }
    let deployer = names::deployer(&request.namespace, &request.run_cluster);
    if let Authentication::Token { duration } = authentication
        && !writes.is_led
    {
        run.needs.extend(on_token(request, existing, &deployer, duration.is_some()));
    }
    match (impersonated, authentication) {
        (Some(Impersonated { account, needs_grant, .. }), _) => {
            let name = names::impersonated(&request.namespace, &request.run_cluster, account);
            run.needs.extend(to_apply_role(namespace, &name));
            run.granted.push(deployer_rules(has_metadata));
            // Whom an unmanaged kubeconfig belongs to is not known, and nothing granted to them.
            if *needs_grant && !matches!(authentication, Authentication::Stored(Method::Unmanaged)) {
                let name = names::impersonator(&request.namespace, &request.run_cluster, account);
                run.needs.extend(to_apply_role(&request.namespace, &name));
            }
        }
        (None, Authentication::Token { .. } | Authentication::WorkloadIdentity(_)) => {
            run.needs.extend(to_apply_role(namespace, &deployer));
            run.granted.push(deployer_rules(has_metadata));
        }
        (None, _) => {}
    }
    if creates_namespace {
        let namespace = ObjectReference {
            resource: api_resource("", "v1", "Namespace"),
            namespace: None,
            name: request.target_namespace.clone(),
        };
        run.needs.extend(Need::to_apply(&namespace));
    }
    run
}

fn account(namespace: &str, name: &str) -> ObjectReference {
    ObjectReference::namespaced(&api_resource("", "v1", "ServiceAccount"), namespace, name)
}

/// Lists what a Role and its binding take.
fn to_apply_role(namespace: &str, name: &str) -> Vec<Need> {
    let kinds = ["Role", "RoleBinding"].into_iter();
    kinds
        .flat_map(|kind| Need::to_apply(&ObjectReference::namespaced(&api_resource(RBAC, "v1", kind), namespace, name)))
        .collect()
}

/// Lists what the deployer's account and its token take.
fn on_token(request: &Request, existing: Option<&ExistingCredential>, deployer: &str, is_bounded: bool) -> Vec<Need> {
    let namespace = &request.target_namespace;
    let recorded = |key: &str| existing.and_then(|existing| existing.object.annotations().get(key));
    let mut needs = Vec::new();
    // Where another delivery's namespace has the account, this one only gets a binding.
    if recorded(labels::DEPLOYER_NAMESPACE).is_none_or(|recorded| recorded == namespace) {
        needs.extend(Need::to_apply(&account(namespace, deployer)));
        let token = recorded(labels::TOKEN_SECRET).cloned();
        let token = token.unwrap_or_else(|| names::deployer_token(&request.namespace, &request.run_cluster));
        let token = ObjectReference::secret(namespace, &token);
        needs.extend(Need::to_apply(&token));
        // The control plane fills it in, which is watched.
        if !is_bounded {
            needs.extend(Need::on(&token, &["list", "watch"]));
        }
        if is_bounded {
            let mut tokens = account(namespace, deployer);
            tokens.resource.plural.push_str("/token");
            needs.extend(Need::on(&tokens, &["create"]));
        }
    }
    needs
}

/// Asks for what is missing; in a namespace that is not there yet, where no dry run can show it, also for what is granted.
async fn missing_on_run_cluster(planned: &Planned<'_>) -> Result<Vec<Need>> {
    let run = &planned.clusters.run;
    let mut all = Vec::new();
    for (request, writes) in &planned.deliveries {
        let RunNeeds { needs, granted } = on_run_cluster(request, *writes);
        all.extend(needs);
        if writes.creates_namespace {
            let namespace = &request.target_namespace;
            let roles = ObjectReference {
                resource: api_resource(RBAC, "v1", "Role"),
                namespace: Some(namespace.clone()),
                name: String::new(),
            };
            // Whoever may escalate can grant what they do not hold.
            if !missing(run, Need::on(&roles, &["escalate", "bind"])).await?.is_empty() {
                all.extend(granted.iter().flat_map(|rules| Need::to_grant(rules, namespace)));
            }
        }
    }
    missing(run, all).await
}
