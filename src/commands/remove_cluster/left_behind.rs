//! What `--force` leaves behind on a run cluster, without an owner: what Flux applied, and the credential with which it did.
//! Pure.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::DynamicObject;

use super::build_cluster::BuildCluster;
use super::identities::Identities;
use super::request::Request;
use crate::authentication::Method;
use crate::labels;
use crate::names;

/// Names what Flux has applied, as kind, namespace and name.
pub(super) fn applied(request: &Request, build: &BuildCluster) -> Vec<String> {
    build.removed.iter().filter(|_| request.force).flat_map(|removed| removed.applied.iter().cloned()).collect()
}

/// Names the accounts, token Secrets and Roles of the credentials that are deleted on the build cluster only.
pub(super) fn credentials(request: &Request, build: &BuildCluster, identities: &Identities) -> Vec<String> {
    if !request.force {
        return Vec::new();
    }
    // Whatever is impersonated has the Roles, instead of the deployer.
    let targets = |is_impersonating: bool| -> BTreeSet<String> {
        let removed = build.removed.iter().filter(|removed| removed.service_account.is_some() == is_impersonating);
        removed.flat_map(|removed| removed.namespaces.clone()).collect()
    };
    let goes = |uid: &Option<String>| identities.build.iter().any(|delete| delete.uid == *uid);
    let going = build.credentials.values().filter(|(_, object)| goes(&object.metadata.uid));
    let mut targets_of_deployer = targets(false);
    if build.removed.is_empty() {
        let deployer_namespace = |object: &DynamicObject| object.annotations().get(labels::DEPLOYER_NAMESPACE).cloned();
        targets_of_deployer.extend(build.credentials.values().filter_map(|(_, object)| deployer_namespace(object)));
    }
    let mut names: Vec<String> = going
        .flat_map(|(_, object)| of_credential(&request.namespace, &request.run_cluster, object, &targets_of_deployer))
        .collect();
    for account in build.removed.iter().filter_map(|removed| removed.service_account.as_ref()) {
        let role = names::impersonated(&request.namespace, &request.run_cluster, account);
        names.extend(targets(true).iter().map(|namespace| format!("Role {namespace}/{role}")));
    }
    names.sort();
    names.dedup();
    names
}

/// Names what was made on the run cluster for a credential; nothing where somebody else manages it.
fn of_credential(
    build_namespace: &str,
    run_cluster: &str,
    credential: &DynamicObject,
    targets: &BTreeSet<String>,
) -> Vec<String> {
    let annotation = |key: &str| credential.annotations().get(key).cloned();
    let deployer = names::deployer(build_namespace, run_cluster);
    let mut names = Vec::new();
    match Method::of(credential) {
        Method::Token | Method::BoundedToken => {
            let token = annotation(labels::TOKEN_SECRET);
            let token = token.unwrap_or_else(|| names::deployer_token(build_namespace, run_cluster));
            if let Some(namespace) = annotation(labels::DEPLOYER_NAMESPACE) {
                names.push(format!("ServiceAccount {namespace}/{deployer}"));
                names.push(format!("Secret {namespace}/{token}"));
            }
        }
        Method::WorkloadIdentity => {}
        Method::KubeconfigFile | Method::Unmanaged => return names,
    }
    names.extend(targets.iter().map(|namespace| format!("Role {namespace}/{deployer}")));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn orphans(annotations: &serde_json::Value) -> Vec<String> {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "prod1-kubeconfig", "annotations": annotations},
        });
        let secret = serde_json::from_value(secret).expect("a Secret");
        of_credential("dev", "prod1", &secret, &BTreeSet::from(["apps".to_owned(), "more".to_owned()]))
    }

    #[test]
    fn a_live_credential_is_named_with_all_that_it_may_use() {
        assert_eq!(
            orphans(
                &json!({labels::DEPLOYER_NAMESPACE: "apps", labels::TOKEN_SECRET: "dev-prod1-deployer-token-abcde"})
            ),
            [
                "ServiceAccount apps/dev-prod1-deployer",
                "Secret apps/dev-prod1-deployer-token-abcde",
                "Role apps/dev-prod1-deployer",
                "Role more/dev-prod1-deployer",
            ]
        );
        assert!(orphans(&json!({labels::AUTHENTICATION: Method::KubeconfigFile.name()})).is_empty());
        assert!(orphans(&json!({})).is_empty());
    }
}
