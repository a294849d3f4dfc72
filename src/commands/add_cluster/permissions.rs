//! What the person who runs `add-cluster` must be allowed, on both clusters; asked before anything is written.
//!
//! The dry run of each object proves the same for what is there to be tried, and ends at the first thing that is missing;
//! this names everything at once.

use kube::ResourceExt;
use serde_json::Value;

use super::answers::Answers;
use super::authentication::{Authentication, Found, reference};
use super::installer::Installer;
use crate::check::Checks;
use crate::check::permissions::{self, Need, missing};
use crate::cluster::{Cluster, ObjectReference, api_resource};
use crate::error::Result;
use crate::flux::{FluxVersions, git_repository_resource, kustomization_resource};
use crate::identities::deployer_rules;
use crate::labels;
use crate::names;

const RBAC: &str = "rbac.authorization.k8s.io";

/// Checks all permissions, and leaves out failures that say no more than that one of them is missing.
pub(super) async fn check(
    checks: &mut Checks,
    answers: &Answers,
    versions: FluxVersions,
    authentication: &Authentication,
    found: Option<&Found>,
    installer: Option<&Installer>,
    makes_namespace: bool,
) {
    let on_run = on_run_cluster(answers, authentication, found, installer, makes_namespace);
    let (build, run) = futures::join!(
        missing(&answers.build, on_build_cluster(answers, versions, authentication, found)),
        missing_on_run_cluster(&answers.run, on_run, makes_namespace, &answers.target_namespace),
    );
    permissions::take(checks, &answers.build, build);
    permissions::take(checks, &answers.run, run);
}

fn on_build_cluster(
    answers: &Answers,
    versions: FluxVersions,
    authentication: &Authentication,
    found: Option<&Found>,
) -> Vec<Need> {
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

fn on_run_cluster(
    answers: &Answers,
    authentication: &Authentication,
    found: Option<&Found>,
    installer: Option<&Installer>,
    makes_namespace: bool,
) -> RunNeeds {
    let reference = |group: &str, kind: &str, name: &str| ObjectReference {
        resource: api_resource(group, "v1", kind),
        namespace: Some(answers.target_namespace.clone()),
        name: name.to_owned(),
    };
    let mut run = RunNeeds { needs: Vec::new(), granted: Vec::new() };
    let mut add_account = |name: &str, rules: Value| {
        for (group, kind) in [("", "ServiceAccount"), (RBAC, "Role"), (RBAC, "RoleBinding")] {
            run.needs.extend(Need::to_apply(&reference(group, kind, name)));
        }
        run.granted.push(rules);
    };
    if let Some(Installer::Own { rules, .. }) = installer {
        add_account(&names::installer(&answers.package), rules.clone());
    }
    // Where another delivery's namespace has the account, this one only gets a binding.
    let is_elsewhere = found
        .and_then(|found| found.object.annotations().get(labels::DEPLOYER_NAMESPACE))
        .is_some_and(|namespace| *namespace != answers.target_namespace);
    if let Authentication::Token { lifetime } = authentication {
        let deployer = names::deployer(&answers.namespace, &answers.run_cluster);
        add_account(&deployer, deployer_rules());
        if is_elsewhere {
            run.needs.retain(|need| need.resource != "serviceaccounts" || need.name != deployer);
        } else {
            let token = names::deployer_token(&answers.namespace, &answers.run_cluster);
            let token = ObjectReference::secret(&answers.target_namespace, &token);
            run.needs.extend(Need::to_apply(&token));
            // The control plane fills it in, which is watched.
            if lifetime.is_none() {
                run.needs.extend(Need::on(&token, &["list", "watch"]));
            }
        }
        if lifetime.is_some() {
            let mut account = reference("", "ServiceAccount", &deployer);
            account.resource.plural.push_str("/token");
            run.needs.extend(Need::on(&account, &["create"]));
        }
    }
    if let Authentication::WorkloadIdentity(_) = authentication {
        let deployer = names::deployer(&answers.namespace, &answers.run_cluster);
        for kind in ["Role", "RoleBinding"] {
            run.needs.extend(Need::to_apply(&reference(RBAC, kind, &deployer)));
        }
        run.granted.push(deployer_rules());
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
