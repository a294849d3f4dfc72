//! Service accounts that may do more than a package should: whoever may create PackageInstalls can act as them.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
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
    /// The roles that are bound to some of them and cannot be read, in words: nothing is known about these either.
    pub unread: Vec<String>,
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
    /// Says what is not known, where something is not.
    #[must_use]
    pub fn unknown(&self) -> Option<String> {
        let part = |what: &[String], why: &str| (!what.is_empty()).then(|| format!("{} {why}", what.join(" and ")));
        let parts = [part(&self.unlisted, "may not be listed"), part(&self.unread, "cannot be read")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Words what was found as a warning about a target namespace.
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
            if accounts.is_empty() {
                continue;
            }
            let role = binding.data["roleRef"]["name"].as_str().unwrap_or_default();
            match grants_everything(cluster, &binding, namespace).await {
                Some(true) => {}
                Some(false) => continue,
                None => {
                    let role_kind = binding.data["roleRef"]["kind"].as_str().unwrap_or_default();
                    privileges.unread.push(format!("{role_kind} {role}, which {kind} {} binds", binding.name_any()));
                    continue;
                }
            }
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

/// Tells whether the role of a binding allows everything; `None` where the role cannot be read.
async fn grants_everything(cluster: &Cluster, binding: &DynamicObject, namespace: &str) -> Option<bool> {
    let text = |field: &str| binding.data["roleRef"][field].as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text("kind"), text("name"));
    if kind == "ClusterRole" && name == "cluster-admin" {
        return Some(true);
    }
    let reference = ObjectReference {
        resource: api_resource(RBAC, "v1", &kind),
        namespace: (kind == "Role").then(|| namespace.to_owned()),
        name,
    };
    allows_everything(cluster.get(&reference).await)
}

/// Tells whether a role as it was read allows everything. One that does not exist allows nothing; of one that cannot be read
/// nothing is known.
fn allows_everything(role: Result<Option<DynamicObject>>) -> Option<bool> {
    let rules = role.ok()?.map(|role| role.data["rules"].clone()).unwrap_or_default();
    Some(rules.as_array().into_iter().flatten().any(has_wildcard))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_role_that_cannot_be_read_is_not_known_to_be_harmless() {
        let role = |rules: &Value| -> DynamicObject {
            serde_json::from_value(json!({"metadata": {"name": "r"}, "rules": rules})).expect("a role")
        };
        let all = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
        assert_eq!(allows_everything(Ok(Some(role(&all)))), Some(true));
        assert_eq!(allows_everything(Ok(Some(role(&json!([]))))), Some(false));
        assert_eq!(allows_everything(Ok(None)), Some(false));
        assert_eq!(allows_everything(Err(Error::new("forbidden").with_status(403))), None);
        let privileges = Privileges { unread: vec!["ClusterRole odd".to_owned()], ..Privileges::default() };
        assert_eq!(privileges.unknown().as_deref(), Some("ClusterRole odd cannot be read"));
        assert_eq!(Privileges::default().unknown(), None);
    }

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
