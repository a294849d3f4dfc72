//! Whether the person who runs a command may do everything that it will do.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;

use super::Checks;
use crate::cluster::{Access, Cluster, Role};
use crate::error::{Error, Result};
use crate::object::ObjectReference;
use crate::refusal::{MissingRule, Refusal};

/// How many questions an API server gets at a time.
const AT_A_TIME: usize = 32;

/// One permission that is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The namespace; empty for what is in none.
    pub namespace: String,
    /// The API group; empty for core.
    pub group: String,
    /// The plural resource name.
    pub resource: String,
    /// The object; empty for all.
    pub name: String,
    /// The verb.
    pub verb: String,
}

impl Need {
    /// Lists what applying an object takes: reading it, and both verbs, since the API server asks for `create` where it
    /// is not there yet (k8s.io/apiserver `pkg/endpoints/handlers/patch.go`).
    #[must_use]
    pub fn to_apply(reference: &ObjectReference) -> Vec<Self> {
        Self::on(reference, &["get", "create", "patch"])
    }

    /// Lists verbs on one object.
    #[must_use]
    pub fn on(reference: &ObjectReference, verbs: &[&str]) -> Vec<Self> {
        let need = |verb: &&str| Self {
            namespace: reference.namespace.clone().unwrap_or_default(),
            group: reference.resource.group.clone(),
            resource: reference.resource.plural.clone(),
            name: reference.name.clone(),
            verb: (*verb).to_owned(),
        };
        verbs.iter().map(need).collect()
    }

    /// Lists what rules of a Role grant: nobody may grant what they do not hold.
    #[must_use]
    pub fn to_grant(rules: &Value, namespace: &str) -> Vec<Self> {
        let texts = |rule: &Value, field: &str| -> Vec<String> {
            rule[field].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mut needs = Vec::new();
        for rule in rules.as_array().into_iter().flatten() {
            let names = texts(rule, "resourceNames");
            let names = if names.is_empty() { vec![String::new()] } else { names };
            for group in texts(rule, "apiGroups") {
                for resource in texts(rule, "resources") {
                    for verb in texts(rule, "verbs") {
                        needs.extend(names.iter().map(|name| Self {
                            namespace: namespace.to_owned(),
                            group: group.clone(),
                            resource: resource.clone(),
                            name: name.clone(),
                            verb: verb.clone(),
                        }));
                    }
                }
            }
        }
        needs
    }

    /// Tells whether a refusal of the API server is about this permission.
    fn explains(&self, rule: &MissingRule) -> bool {
        self.verb == rule.verb
            && self.resource == rule.resource
            && self.group == rule.api_group
            && self.namespace == rule.namespace.as_deref().unwrap_or_default()
    }

    fn kind(&self) -> String {
        if self.group.is_empty() { self.resource.clone() } else { format!("{}.{}", self.resource, self.group) }
    }
}

/// Asks the API server for each permission, and returns those that are missing.
pub async fn missing(cluster: &Cluster, needs: impl IntoIterator<Item = Need>) -> Result<Vec<Need>> {
    let needs: BTreeSet<Need> = needs.into_iter().collect();
    let asked = needs.into_iter().map(|need| async move {
        let access =
            Access { verb: &need.verb, group: &need.group, resource: &need.resource, namespace: &need.namespace };
        let is_allowed = cluster.allows_on(access, &need.name).await?;
        Ok((!is_allowed).then_some(need))
    });
    let answers: Vec<Option<Need>> = stream::iter(asked).buffered(AT_A_TIME).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

/// Says what is missing; `Ok` where nothing is.
pub fn refuse_missing(cluster: &Cluster, missing: &[Need]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let file = match cluster.role() {
        Role::Build => "build-cluster.yaml",
        Role::Run(_) => "run-cluster.yaml",
    };
    let error = Error::new(format!("you may not do everything that this takes on {}", cluster.display()));
    let error = in_words(missing).into_iter().fold(error, Error::because);
    Err(error.hint(format!("ask for the missing permissions; docs/permissions/{file} has all that is needed")))
}

/// Adds which permissions are missing, and leaves out failures that say no more than that.
pub fn take(checks: &mut Checks, cluster: &Cluster, missing: Result<Vec<Need>>) {
    let name = format!("permissions on {}", cluster.display());
    let missing = match missing {
        Ok(missing) => missing,
        Err(error) => return checks.fail(name, error),
    };
    match refuse_missing(cluster, &missing) {
        Ok(()) => checks.pass(name, ""),
        Err(refused) => checks.fail_for(name, refused, |failure| is_explained(failure, &missing)),
    }
}

/// Tells whether a failure says no more than that one of these permissions is missing.
fn is_explained(failure: &Error, missing: &[Need]) -> bool {
    let rule = failure.refusal().and_then(Refusal::missing_rule);
    rule.is_some_and(|rule| missing.iter().any(|need| need.explains(rule)))
}

/// Writes missing permissions, a line for each kind of object in a namespace.
fn in_words(missing: &[Need]) -> Vec<String> {
    let mut verbs: BTreeMap<(&str, String), BTreeSet<&str>> = BTreeMap::new();
    for need in missing {
        verbs.entry((&need.namespace, need.kind())).or_default().insert(&need.verb);
    }
    let line = |((namespace, kind), verbs): ((&str, String), BTreeSet<&str>)| {
        let place =
            if namespace.is_empty() { "the whole cluster".to_owned() } else { format!("namespace {namespace}") };
        format!("in {place}: {} {kind}", verbs.into_iter().collect::<Vec<_>>().join(", "))
    };
    verbs.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_is_one_line_for_each_kind() {
        let secret = ObjectReference::secret("dev", "prod1-kubeconfig");
        let mut needs = Need::to_apply(&secret);
        needs.extend(Need::to_grant(
            &json!([{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "create"]}]),
            "apps",
        ));
        assert_eq!(
            in_words(&needs),
            ["in namespace apps: create, get deployments.apps", "in namespace dev: create, get, patch secrets"]
        );
    }

    #[test]
    fn a_refusal_is_explained_by_the_permission_that_it_names() {
        let needs = Need::on(&ObjectReference::secret("dev", "x"), &["get"]);
        let failure = |namespace: &str| {
            let said = format!(
                "secrets \"x\" is forbidden: User \"jane\" cannot get resource \"secrets\" in API group \"\" in the namespace \"{namespace}\""
            );
            let rule = MissingRule::find(&said).expect("a rule");
            Error::new("cannot read").because(said).refused(Refusal::MissingRule(rule))
        };
        assert!(is_explained(&failure("dev"), &needs));
        assert!(!is_explained(&failure("ops"), &needs));
        assert!(!is_explained(&Error::new("cannot read").with_status(403), &needs));
    }
}
