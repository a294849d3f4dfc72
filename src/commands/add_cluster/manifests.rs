//! The objects that `add-cluster` wants, as manifests: identities with their roles on the run cluster, service accounts on the
//! build cluster, and the Kustomizations. Pure; in which steps they end up is said in [`super::plan`].
//!
//! The object that holds Flux's credential is built with its step, in the plan.

use serde_json::{Value, json};

use super::facts::{Authentication, Facts, Installer};
use super::request::Request;
use crate::flux::{KustomizationRequest, kustomization};
use crate::identities::{
    Owner, Subject, binding_secret, build_account, deployer_rules, grants_package_metadata, impersonator_rules, role,
    role_binding, service_account, token_secret,
};
use crate::labels;
use crate::names;
use crate::object::ObjectReference;
use crate::plan::Place;

/// Names the objects whose present state the plan depends on.
pub(super) fn references(request: &Request, facts: &Facts) -> Vec<(Place, ObjectReference)> {
    let on_run_cluster = run_identities(request, facts).into_iter().map(|manifest| (Place::Run, manifest));
    let on_build_cluster = account_for_pruning(request, facts)
        .into_iter()
        .chain(identity_account(request, facts))
        .chain(kustomizations(request, facts))
        .map(|manifest| (Place::Build, manifest));
    let references = on_run_cluster
        .chain(on_build_cluster)
        .filter_map(|(place, manifest)| Some((place, ObjectReference::of(&manifest).ok()?)));
    references.chain(token_secret_reference(request, facts).map(|secret| (Place::Run, secret))).collect()
}

/// Builds the target namespace.
pub(super) fn namespace(request: &Request) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": request.target_namespace}})
}

/// Builds the identities on the run cluster with their roles: Flux's, then the installer.
pub(super) fn run_identities(request: &Request, facts: &Facts) -> Vec<Value> {
    let owner = Owner { build_cluster_uid: &facts.build_uid, build_namespace: &request.namespace };
    let namespace = &request.target_namespace;
    let mut manifests = flux_identity(request, facts, owner);
    if let Installer::Own { rules, origin } = &facts.installer {
        let installer = names::installer(&facts.package.name);
        let mut role = role(owner, namespace, &installer, rules);
        role["metadata"]["annotations"][labels::INSTALLER] = json!(origin);
        manifests.push(service_account(owner, namespace, &installer));
        manifests.push(role);
        manifests.push(role_binding(
            owner,
            namespace,
            &installer,
            Subject::ServiceAccount { namespace, name: &installer },
        ));
    }
    manifests
}

/// Builds the account of Flux on the run cluster, where the plugin creates one, and the roles of whoever Flux acts as.
///
/// The roles of a user that somebody else manages are that person's business.
fn flux_identity(request: &Request, facts: &Facts, owner: Owner<'_>) -> Vec<Value> {
    let namespace = &request.target_namespace;
    let deployer = names::deployer(&request.namespace, &request.run_cluster);
    let account_namespace = facts.deployer_namespace(request);
    let mut manifests = Vec::new();
    if account_namespace.as_ref() == Some(namespace) {
        let token = facts.token_secret_name(request);
        manifests.push(service_account(owner, namespace, &deployer));
        manifests.push(match facts.authentication {
            Authentication::Token { duration: Some(_) } => binding_secret(owner, namespace, &token, &deployer),
            _ => token_secret(owner, namespace, &token, &deployer),
        });
    }
    let (user, gets_role) = match (&account_namespace, &facts.authentication) {
        (Some(namespace), _) => (Some(Subject::ServiceAccount { namespace, name: &deployer }), true),
        (None, Authentication::WorkloadIdentity(identity)) => (Some(Subject::User(&identity.user)), true),
        (None, _) => (facts.user.as_ref().map(Subject::of), false),
    };
    match &facts.impersonated {
        Some(impersonated) => {
            let name = names::impersonator(&request.namespace, &request.run_cluster, &impersonated.account);
            // Flux impersonates an account of the namespace that is called like the Kustomization's.
            if let Some(user) = user.filter(|_| impersonated.needs_grant) {
                manifests.push(role(owner, &request.namespace, &name, &impersonator_rules(&impersonated.account)));
                manifests.push(role_binding(owner, &request.namespace, &name, user));
            }
            let name = names::impersonated(&request.namespace, &request.run_cluster, &impersonated.account);
            manifests.push(deployer_role(facts, owner, namespace, &name));
            manifests.push(role_binding(owner, namespace, &name, Subject::User(&impersonated.user)));
        }
        None if gets_role => {
            manifests.push(deployer_role(facts, owner, namespace, &deployer));
            manifests.extend(user.map(|user| role_binding(owner, namespace, &deployer, user)));
        }
        None => {}
    }
    manifests
}

/// Builds the Role of whoever Flux acts as. All deliveries to the namespace share it, so that what it allows for the
/// PackageMetadata of another one stays.
fn deployer_role(facts: &Facts, owner: Owner<'_>, namespace: &str, name: &str) -> Value {
    let without = role(owner, namespace, name, &deployer_rules(false));
    let live = facts.live.of(Place::Run, &without);
    let is_granted = live.is_some_and(|live| grants_package_metadata(&live.data["rules"]));
    if facts.shares_metadata || is_granted {
        return role(owner, namespace, name, &deployer_rules(true));
    }
    without
}

/// Names the Secret on the run cluster that holds the deployer's token, or that the token is bound to.
pub(super) fn token_secret_reference(request: &Request, facts: &Facts) -> Option<ObjectReference> {
    let Authentication::Token { .. } = facts.authentication else { return None };
    let namespace = facts.deployer_namespace(request)?;
    Some(ObjectReference::secret(&namespace, &facts.token_secret_name(request)))
}

/// Builds an account without any permission on the build cluster, where Flux impersonates one on the run cluster.
///
/// Without it Flux leaves everything on the run cluster behind when a Kustomization is deleted: it looks the account that it
/// is to impersonate up on its own cluster (fluxcd/pkg `runtime/client/impersonator.go`, `CanImpersonate`; fluxcd/pkg#959).
pub(super) fn account_for_pruning(request: &Request, facts: &Facts) -> Option<Value> {
    let impersonated = facts.impersonated.as_ref()?;
    Some(build_account(&request.namespace, &impersonated.account))
}

/// Builds the service account of a workload identity, where it is one of the build cluster's.
pub(super) fn identity_account(request: &Request, facts: &Facts) -> Option<Value> {
    let Authentication::WorkloadIdentity(identity) = &facts.authentication else { return None };
    Some(build_account(&request.namespace, identity.workload.service_account.as_ref()?))
}

/// Builds the Kustomizations of the Packages and of the PackageInstall.
pub(super) fn kustomizations(request: &Request, facts: &Facts) -> [Value; 2] {
    let package = &facts.package.name;
    let path = &facts.package.path;
    let of_delivery = KustomizationRequest {
        version: facts.versions.kustomization,
        namespace: &request.namespace,
        package,
        run_cluster: &request.run_cluster,
        target_namespace: &request.target_namespace,
        credential: facts.credential_kind(),
        service_account: facts.impersonated.as_ref().map(|impersonated| impersonated.account.as_str()),
    };
    let mut of_install = kustomization(
        &of_delivery,
        &names::package_installs_kustomization(package, &request.run_cluster),
        &format!("./{path}/{}", request.run_cluster),
    );
    if let Some(decryption) = facts.encryption.as_ref().and_then(|encryption| encryption.decryption.as_ref()) {
        of_install["spec"]["decryption"] = decryption.clone();
    }
    [
        kustomization(
            &of_delivery,
            &names::packages_kustomization(package, &request.run_cluster),
            &format!("./{path}/packages"),
        ),
        of_install,
    ]
}
