//! Service accounts that may do more than a package should: whoever may create PackageInstalls can act as them.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::error::Error;
use crate::identities::role_file::has_wildcard;
use crate::object::{ObjectReference, api_resource};

const RBAC: &str = "rbac.authorization.k8s.io";

/// What bindings say about service accounts of a namespace.
#[derive(Debug, Default)]
pub struct Privileges {
    /// Each binding through which some of them may do everything.
    pub found: Vec<Privilege>,
    /// The bindings that may not be listed, in words: nothing is known about these.
    pub unlisted: Vec<String>,
}

/// A binding through which service accounts of a namespace may do everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privilege {
    /// The accounts, in words.
    pub accounts: BTreeSet<String>,
    /// Where they may do it, such as `in the whole cluster`.
    pub place: String,
    /// The binding and its role, in words.
    pub binding: String,
}

impl Privileges {
    /// Words what was found as something to beware of in a target namespace.
    #[must_use]
    pub fn warnings(&self, namespace: &str) -> Vec<Error> {
        let warning = |privilege: &Privilege| {
            let accounts = privilege.accounts.iter().cloned().collect::<Vec<_>>().join(", ");
            Error::new(format!("{accounts} may do more than a package should {}", privilege.place))
                .because(&privilege.binding)
                .because(format!("whoever may create PackageInstalls in namespace {namespace}, Flux included, can act as any account there"))
                .hint("bind it to a Role without wildcards, or deliver to a namespace of its own")
        };
        self.found.iter().map(warning).collect()
    }
}

/// Finds the service accounts of a namespace that may do everything, as far as bindings and roles may be read.
pub async fn over_privileged(cluster: &Cluster, namespace: &str) -> Privileges {
    privileges(cluster, namespace, |binding| accounts(binding, namespace)).await
}

/// Finds out whether one service account, which need not exist, may do everything, also through a group.
pub async fn privileges_of(cluster: &Cluster, namespace: &str, account: &str) -> Privileges {
    let own = words(namespace, account);
    let is_it = |name: &String| *name == own || *name == everyone(namespace);
    privileges(cluster, namespace, |binding| accounts(binding, namespace).into_iter().filter(is_it).collect()).await
}

async fn privileges(
    cluster: &Cluster,
    namespace: &str,
    accounts: impl Fn(&DynamicObject) -> BTreeSet<String>,
) -> Privileges {
    let mut privileges = Privileges::default();
    let kinds = [
        ("RoleBinding", Some(namespace), format!("in namespace {namespace}")),
        ("ClusterRoleBinding", None, "in the whole cluster".to_owned()),
    ];
    for (kind, scope, place) in kinds {
        let Ok(bindings) = cluster.list_in::<DynamicObject>(&api_resource(RBAC, "v1", kind), scope).await else {
            privileges.unlisted.push(format!("{kind}s {place}"));
            continue;
        };
        for binding in bindings {
            let accounts = accounts(&binding);
            if accounts.is_empty() || !grants_everything(cluster, &binding, namespace).await {
                continue;
            }
            let role = binding.data["roleRef"]["name"].as_str().unwrap_or_default();
            let binding = format!("{kind} {} binds {role}", binding.name_any());
            privileges.found.push(Privilege { accounts, place: place.clone(), binding });
        }
    }
    privileges
}

fn words(namespace: &str, account: &str) -> String {
    format!("ServiceAccount {namespace}/{account}")
}

fn everyone(namespace: &str) -> String {
    format!("every ServiceAccount of namespace {namespace}")
}

/// Returns the accounts of a namespace that a binding is for, in words.
fn accounts(binding: &DynamicObject, namespace: &str) -> BTreeSet<String> {
    let all = [
        format!("system:serviceaccounts:{namespace}"),
        "system:serviceaccounts".to_owned(),
        "system:authenticated".to_owned(),
    ];
    let text = |subject: &Value, field: &str| subject[field].as_str().unwrap_or_default().to_owned();
    let subjects = binding.data["subjects"].as_array().into_iter().flatten();
    let account = |subject: &Value| match text(subject, "kind").as_str() {
        "ServiceAccount" if text(subject, "namespace") == namespace => Some(words(namespace, &text(subject, "name"))),
        "User" => {
            let user = text(subject, "name");
            let name = user.strip_prefix(&format!("system:serviceaccount:{namespace}:"))?;
            Some(words(namespace, name))
        }
        "Group" if all.contains(&text(subject, "name")) => Some(everyone(namespace)),
        _ => None,
    };
    subjects.filter_map(account).collect()
}

async fn grants_everything(cluster: &Cluster, binding: &DynamicObject, namespace: &str) -> bool {
    let text = |field: &str| binding.data["roleRef"][field].as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text("kind"), text("name"));
    if kind == "ClusterRole" && name == "cluster-admin" {
        return true;
    }
    let reference = ObjectReference {
        resource: api_resource(RBAC, "v1", &kind),
        namespace: (kind == "Role").then(|| namespace.to_owned()),
        name,
    };
    let role = cluster.get(&reference).await.ok().flatten();
    role.is_some_and(|role| role.data["rules"].as_array().into_iter().flatten().any(has_wildcard))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn accounts_are_bound_by_name_as_a_user_or_through_a_group() {
        let binding = |subjects: &Value| -> DynamicObject {
            serde_json::from_value(json!({"metadata": {"name": "b"}, "subjects": subjects})).expect("a binding")
        };
        let bound = accounts(
            &binding(&json!([
                {"kind": "ServiceAccount", "name": "a", "namespace": "apps"},
                {"kind": "ServiceAccount", "name": "b", "namespace": "other"},
                {"kind": "User", "name": "system:serviceaccount:apps:c"},
                {"kind": "User", "name": "jane"},
                {"kind": "Group", "name": "system:serviceaccounts:other"},
            ])),
            "apps",
        );
        assert_eq!(bound.into_iter().collect::<Vec<_>>(), ["ServiceAccount apps/a", "ServiceAccount apps/c"]);
        let group = binding(&json!([{"kind": "Group", "name": "system:serviceaccounts"}]));
        assert_eq!(accounts(&group, "apps").len(), 1);
        assert!(accounts(&binding(&Value::Null), "apps").is_empty());
    }
}
