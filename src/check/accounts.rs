//! Service accounts that may do more than a package should: whoever may create PackageInstalls can act as them.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::{Cluster, ObjectReference, api_resource};
use crate::error::Error;
use crate::identities::role_file::has_wildcard;

const RBAC: &str = "rbac.authorization.k8s.io";

/// Names the service accounts of a namespace that may do everything, each with the binding that says so; only as far as
/// bindings and roles may be read.
pub async fn over_privileged(cluster: &Cluster, namespace: &str) -> Vec<Error> {
    let mut bindings = Vec::new();
    for (kind, scope) in [("RoleBinding", Some(namespace)), ("ClusterRoleBinding", None)] {
        let listed = cluster.list_in::<DynamicObject>(&api_resource(RBAC, "v1", kind), scope).await;
        bindings.extend(listed.unwrap_or_default().into_iter().map(|binding| (kind, binding)));
    }
    let mut findings = Vec::new();
    for (kind, binding) in &bindings {
        let accounts = accounts(binding, namespace);
        if accounts.is_empty() || !grants_everything(cluster, binding, namespace).await {
            continue;
        }
        let place = if *kind == "RoleBinding" {
            format!("in namespace {namespace}")
        } else {
            "in the whole cluster".to_owned()
        };
        let role = &binding.data["roleRef"]["name"];
        findings.push(
            Error::new(format!("{} may do more than a package should {place}", accounts.into_iter().collect::<Vec<_>>().join(", ")))
                .because(format!("{kind} {} binds {}", binding.name_any(), role.as_str().unwrap_or_default()))
                .because(format!("whoever may create PackageInstalls in namespace {namespace}, Flux included, can act as any account there"))
                .hint("bind it to a Role without wildcards, or deliver to a namespace of its own"),
        );
    }
    findings
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
        "ServiceAccount" if text(subject, "namespace") == namespace => {
            Some(format!("ServiceAccount {namespace}/{}", text(subject, "name")))
        }
        "User" => {
            let user = text(subject, "name");
            let name = user.strip_prefix(&format!("system:serviceaccount:{namespace}:"))?;
            Some(format!("ServiceAccount {namespace}/{name}"))
        }
        "Group" if all.contains(&text(subject, "name")) => {
            Some(format!("every ServiceAccount of namespace {namespace}"))
        }
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
