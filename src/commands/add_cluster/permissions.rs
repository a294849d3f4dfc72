//! What the person who runs `add-cluster` must be allowed, on both clusters; asked before anything is written.
//!
//! The dry run of each object proves the same for what is there to be tried, and ends at the first thing that is missing;
//! this names everything at once.

use kube::ResourceExt;
use serde_json::Value;

use super::answers::Answers;
use super::authentication::{Authentication, Found, reference};
use super::impersonation::Impersonated;
use super::installer::Installer;
use crate::authentication::Method;
use crate::check::Checks;
use crate::check::permissions::{self, Need, missing};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::flux::{FluxVersions, git_repository_resource, kustomization_resource};
use crate::identities::deployer_rules;
use crate::labels;
use crate::names;
use crate::object::{ObjectReference, api_resource};

const RBAC: &str = "rbac.authorization.k8s.io";

/// What decides which objects are written.
#[derive(Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) authentication: &'a Authentication,
    pub(super) found: Option<&'a Found>,
    pub(super) impersonated: Option<&'a Impersonated>,
    pub(super) installer: Option<&'a Installer>,
    pub(super) makes_namespace: bool,
}

/// Checks all permissions, and leaves out failures that say no more than that one of them is missing.
pub(super) async fn check(
    checks: &mut Checks,
    answers: &Answers,
    versions: FluxVersions,
    circumstances: Circumstances<'_>,
) {
    let on_run = on_run_cluster(answers, circumstances);
    let (build, run) = futures::join!(
        missing(&answers.build, on_build_cluster(answers, versions, circumstances)),
        missing_on_run_cluster(&answers.run, on_run, circumstances.makes_namespace, &answers.target_namespace),
    );
    permissions::take(checks, &answers.build, build);
    permissions::take(checks, &answers.run, run);
}

fn on_build_cluster(answers: &Answers, versions: FluxVersions, circumstances: Circumstances<'_>) -> Vec<Need> {
    let Circumstances { authentication, found, impersonated, .. } = circumstances;
    let credential = reference(answers, authentication.credential(found));
    let reference =
        |resource, name: String| ObjectReference { resource, namespace: Some(answers.namespace.clone()), name };
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
        names::packages_kustomization(&answers.package, &answers.run_cluster),
        names::package_installs_kustomization(&answers.package, &answers.run_cluster),
    ] {
        needs.extend(Need::to_apply(&reference(kustomization_resource(versions.kustomization), name)));
    }
    let all = reference(kustomization_resource(versions.kustomization), String::new());
    needs.extend(Need::on(&all, &["list"]));
    let source = reference(git_repository_resource(versions.source), names::git_repository(&answers.package));
    needs.extend(Need::on(&source, &["get", "list", "watch", "patch"]));
    needs
}

/// What is needed on the run cluster, and which rules are granted there.
struct RunNeeds {
    needs: Vec<Need>,
    granted: Vec<Value>,
}

fn on_run_cluster(answers: &Answers, circumstances: Circumstances<'_>) -> RunNeeds {
    let Circumstances { authentication, found, impersonated, installer, makes_namespace } = circumstances;
    let namespace = &answers.target_namespace;
    let mut run = RunNeeds { needs: Vec::new(), granted: Vec::new() };
    if let Some(Installer::Own { rules, .. }) = installer {
        let name = names::installer(&answers.package);
        run.needs.extend(Need::to_apply(&account(namespace, &name)));
        run.needs.extend(to_apply_role(namespace, &name));
        run.granted.push(rules.clone());
    }
    let deployer = names::deployer(&answers.namespace, &answers.run_cluster);
    if let Authentication::Token { lifetime } = authentication {
        run.needs.extend(on_token(answers, found, &deployer, lifetime.is_some()));
    }
    match (impersonated, authentication) {
        (Some(Impersonated { account, needs_grant, .. }), _) => {
            let name = names::impersonated(&answers.namespace, &answers.run_cluster, account);
            run.needs.extend(to_apply_role(namespace, &name));
            run.granted.push(deployer_rules());
            // Whom a kubeconfig that was made by hand belongs to is not known, and nothing granted to them.
            if *needs_grant && !matches!(authentication, Authentication::Stored(Method::ByHand)) {
                let name = names::impersonator(&answers.namespace, &answers.run_cluster, account);
                run.needs.extend(to_apply_role(&answers.namespace, &name));
            }
        }
        (None, Authentication::Token { .. } | Authentication::WorkloadIdentity(_)) => {
            run.needs.extend(to_apply_role(namespace, &deployer));
            run.granted.push(deployer_rules());
        }
        (None, _) => {}
    }
    if makes_namespace {
        let namespace = ObjectReference {
            resource: api_resource("", "v1", "Namespace"),
            namespace: None,
            name: answers.target_namespace.clone(),
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
fn on_token(answers: &Answers, found: Option<&Found>, deployer: &str, is_bounded: bool) -> Vec<Need> {
    let namespace = &answers.target_namespace;
    let recorded = |key: &str| found.and_then(|found| found.object.annotations().get(key));
    let mut needs = Vec::new();
    // Where another delivery's namespace has the account, this one only gets a binding.
    if recorded(labels::DEPLOYER_NAMESPACE).is_none_or(|recorded| recorded == namespace) {
        needs.extend(Need::to_apply(&account(namespace, deployer)));
        let token = recorded(labels::TOKEN_SECRET).cloned();
        let token = token.unwrap_or_else(|| names::deployer_token(&answers.namespace, &answers.run_cluster));
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
async fn missing_on_run_cluster(
    run: &Cluster,
    RunNeeds { mut needs, granted }: RunNeeds,
    makes_namespace: bool,
    namespace: &str,
) -> Result<Vec<Need>> {
    if makes_namespace {
        let roles = ObjectReference {
            resource: api_resource(RBAC, "v1", "Role"),
            namespace: Some(namespace.to_owned()),
            name: String::new(),
        };
        // Whoever may escalate can grant what they do not hold.
        if !missing(run, Need::on(&roles, &["escalate", "bind"])).await?.is_empty() {
            needs.extend(granted.iter().flat_map(|rules| Need::to_grant(rules, namespace)));
        }
    }
    missing(run, needs).await
}
