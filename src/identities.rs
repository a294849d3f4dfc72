//! The two identities on a run cluster and what they may do: the deployer that Flux acts as, and the installer that a
//! PackageInstall deploys as. Pure builders.
//!
//! What this confines, and what not: whoever may create PackageInstalls in a namespace can act as any ServiceAccount there.

mod installer;
pub mod role_file;

pub use installer::{Preset, asks_for_http_route};
use serde_json::{Value, json};

use crate::carvel::{DATA_PACKAGING_GROUP, PACKAGING_GROUP};
use crate::cluster::User;
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

/// Builds a service account on the build cluster that Flux acts or asks for tokens as: no Pod runs as it.
#[must_use]
pub fn build_account(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace, "labels": labels::managed()},
        "automountServiceAccountToken": false,
    })
}

/// Builds the Secret that the control plane fills with a token of a ServiceAccount.
#[must_use]
pub fn token_secret(owner: Owner<'_>, namespace: &str, name: &str, service_account: &str) -> Value {
    let mut metadata = owner.metadata(namespace, name);
    metadata["annotations"][labels::SERVICE_ACCOUNT] = json!(service_account);
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "kubernetes.io/service-account-token",
    })
}

/// Builds the empty Secret that tokens of a ServiceAccount are bound to: its deletion revokes them.
#[must_use]
pub fn binding_secret(owner: Owner<'_>, namespace: &str, name: &str, service_account: &str) -> Value {
    let mut metadata = owner.metadata(namespace, name);
    metadata["annotations"][labels::SERVICE_ACCOUNT] = json!(service_account);
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"})
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

/// Who gets a Role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A ServiceAccount, which may live in another namespace than the Role.
    ServiceAccount {
        /// Its namespace.
        namespace: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// A user, by the name that the API server knows.
    User(&'a str),
}

impl<'a> Subject<'a> {
    /// Returns the subject that a user is.
    #[must_use]
    pub fn of(user: &'a User) -> Self {
        match user.service_account() {
            Some((namespace, name)) => Self::ServiceAccount { namespace, name },
            None => Self::User(&user.name),
        }
    }

    fn manifest(self) -> Value {
        match self {
            Self::ServiceAccount { namespace, name } => {
                json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
            }
            Self::User(name) => json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}),
        }
    }
}

/// Builds a RoleBinding of the Role of the same name.
#[must_use]
pub fn role_binding(owner: Owner<'_>, namespace: &str, name: &str, subject: Subject<'_>) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": owner.metadata(namespace, name),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [subject.manifest()],
    })
}

/// What a delivery consists of, as API group, kind and plural.
const DELIVERED: [(&str, &str, &str); 4] = [
    (DATA_PACKAGING_GROUP, "Package", "packages"),
    (DATA_PACKAGING_GROUP, "PackageMetadata", PACKAGE_METADATA),
    (PACKAGING_GROUP, "PackageInstall", "packageinstalls"),
    ("", "Secret", "secrets"),
];

/// The plural of PackageMetadata (kapp-controller `pkg/apiserver/apis/datapackaging`).
const PACKAGE_METADATA: &str = "packagemetadatas";

/// Tells whether a delivery may hold objects of a kind: the deployer's Role allows these, and no others.
#[must_use]
pub fn delivers_kind(api_group: &str, kind: &str) -> bool {
    DELIVERED.iter().any(|(group, one, _)| *group == api_group && *one == kind)
}

/// Tells whether a delivery may hold objects of a kind, by its plural.
#[must_use]
pub fn delivers_resource(api_group: &str, resource: &str) -> bool {
    DELIVERED.iter().any(|(group, _, one)| *group == api_group && *one == resource)
}

/// Tells whether rules grant anything on PackageMetadata.
#[must_use]
pub fn grants_package_metadata(rules: &Value) -> bool {
    let resources = rules.as_array().into_iter().flatten().filter_map(|rule| rule["resources"].as_array());
    resources.flatten().any(|resource| resource == PACKAGE_METADATA)
}

/// Returns what the deployer may do in a target namespace: apply what Flux applies, and read what `wait` reads.
#[must_use]
pub fn deployer_rules(with_package_metadata: bool) -> Value {
    let packages: &[&str] = if with_package_metadata { &["packages", PACKAGE_METADATA] } else { &["packages"] };
    json!([
        {
            "apiGroups": [DATA_PACKAGING_GROUP],
            "resources": packages,
            "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
        },
        {
            "apiGroups": [PACKAGING_GROUP],
            "resources": ["packageinstalls"],
            "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
        },
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "create", "update", "patch", "delete"]},
        {"apiGroups": ["kappctrl.k14s.io"], "resources": ["apps"], "verbs": ["get", "list", "watch"]},
    ])
}

/// Returns what lets a user impersonate one ServiceAccount of the Role's namespace.
///
/// For a user called `system:serviceaccount:<namespace>:<name>` the API server asks for exactly this, and adds the groups by
/// itself (k8s.io/apiserver `pkg/endpoints/filters/impersonation.go`).
#[must_use]
pub fn impersonator_rules(account: &str) -> Value {
    json!([
        {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": [account], "verbs": ["impersonate"]},
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rule_of_the_deployer_has_a_wildcard() {
        for rules in [deployer_rules(true), impersonator_rules("flux")] {
            assert!(!rules.to_string().contains('*'), "{rules}");
        }
    }

    #[test]
    fn the_deployer_may_write_what_a_delivery_consists_of_and_nothing_else() {
        let written = |rules: &Value| -> Vec<(String, String)> {
            let texts = |value: &Value| -> Vec<String> {
                value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
            };
            let rules = rules.as_array().expect("rules").iter();
            let writing = rules.filter(|rule| texts(&rule["verbs"]).contains(&"create".to_owned()));
            let kinds = writing.flat_map(|rule| {
                let group = texts(&rule["apiGroups"]).concat();
                texts(&rule["resources"]).into_iter().map(move |resource| (group.clone(), resource))
            });
            kinds.collect()
        };
        for (group, resource) in written(&deployer_rules(true)) {
            assert!(delivers_resource(&group, &resource), "{resource}.{group}");
        }
        assert_eq!(written(&deployer_rules(true)).len(), DELIVERED.len());
        assert!(grants_package_metadata(&deployer_rules(true)));
        assert!(!grants_package_metadata(&deployer_rules(false)));
        assert!(delivers_kind("data.packaging.carvel.dev", "PackageMetadata") && !delivers_kind("", "ConfigMap"));
    }
}
