//! The two identities on a run cluster and what they may do: the deployer that Flux acts as, and the installer that a
//! PackageInstall deploys as. Pure builders.
//!
//! What this confines, and what not: whoever may create PackageInstalls in a namespace can act as any ServiceAccount there.

use serde_json::{Value, json};

use crate::labels;

/// Where an identity lives and whom it serves.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The UID of the build cluster.
    pub build_cluster_uid: &'a str,
    /// The namespace on the build cluster.
    pub build_namespace: &'a str,
}

impl Owner<'_> {
    fn metadata(self, namespace: &str, name: &str) -> Value {
        json!({
            "name": name,
            "namespace": namespace,
            "labels": labels::managed(),
            "annotations": {
                labels::BUILD_CLUSTER_UID: self.build_cluster_uid,
                labels::BUILD_NAMESPACE: self.build_namespace,
            },
        })
    }
}

/// Builds a ServiceAccount.
#[must_use]
pub fn service_account(owner: Owner<'_>, namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": owner.metadata(namespace, name)})
}

/// Builds the Secret that the control plane fills with a token of a ServiceAccount.
#[must_use]
pub fn token_secret(owner: Owner<'_>, namespace: &str, name: &str, service_account: &str) -> Value {
    let mut metadata = owner.metadata(namespace, name);
    metadata["annotations"]["kubernetes.io/service-account.name"] = json!(service_account);
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "kubernetes.io/service-account-token",
    })
}

/// Builds a Role.
#[must_use]
pub fn role(owner: Owner<'_>, namespace: &str, name: &str, rules: &Value) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": owner.metadata(namespace, name),
        "rules": rules,
    })
}

/// Builds a RoleBinding of the Role of the same name to a ServiceAccount, which may live in another namespace.
#[must_use]
pub fn role_binding(owner: Owner<'_>, namespace: &str, name: &str, account_namespace: &str, account: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": owner.metadata(namespace, name),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": account_namespace}],
    })
}

/// Returns what the deployer may do in a target namespace: apply what Flux applies, and read what `wait` reads.
#[must_use]
pub fn deployer_rules() -> Value {
    json!([
        {
            "apiGroups": ["data.packaging.carvel.dev"],
            "resources": ["packages"],
            "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
        },
        {
            "apiGroups": ["packaging.carvel.dev"],
            "resources": ["packageinstalls"],
            "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
        },
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "create", "update", "patch", "delete"]},
        {"apiGroups": ["kappctrl.k14s.io"], "resources": ["apps"], "verbs": ["get", "list", "watch"]},
    ])
}

/// Returns what the installer of a `server` workload may do: kapp's own records, and what such a package deploys.
///
/// Pods and their `ReplicaSets` are only read, for kapp's waiting (carvel-dev/carvel `site/content/kapp/docs/develop/rbac.md`).
#[must_use]
pub fn installer_rules() -> Value {
    let write = ["get", "list", "watch", "create", "update", "patch", "delete"];
    json!([
        {"apiGroups": [""], "resources": ["configmaps", "services"], "verbs": write},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": write},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": write},
        {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rule_has_a_wildcard() {
        for rules in [deployer_rules(), installer_rules()] {
            assert!(!rules.to_string().contains('*'), "{rules}");
        }
    }
}
