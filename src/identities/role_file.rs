//! The rules of an installer from a file: a list of rules, or a Role or `ClusterRole` whose rules are taken. Pure.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::gitops::manifest::read_documents;

/// The lists of a rule; `resourceNames` may be left out.
const FIELDS: [&str; 4] = ["apiGroups", "resources", "verbs", "resourceNames"];

/// What kapp does to the `ConfigMap`s in which it keeps its records (kapp-controller's documentation, "Security model").
const RECORDS: [&str; 5] = ["get", "list", "create", "update", "delete"];

/// The rules of a file, and the warnings about them.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleFile {
    /// The rules, as they stand in a Role.
    pub rules: Value,
    /// The warnings, each a sentence.
    pub warnings: Vec<String>,
}

/// Reads the rules from a text, YAML or JSON; `file` is what the user calls it.
pub fn read(text: &str, file: &str) -> Result<RoleFile> {
    let documents = read_documents(text, file).map_err(|error| as_usage(&error))?;
    let [document] = documents.as_slice() else {
        return Err(Error::usage(format!("{file} holds {} documents, not one", documents.len()))
            .hint("give a list of rules, or one Role or ClusterRole"));
    };
    let rules = rules_of(document, file)?;
    for (number, rule) in rules.iter().enumerate() {
        check(rule).map_err(|why| {
            Error::usage(format!("rule {} of {file} cannot be a rule of a Role", number + 1)).because(why).hint(
                "write it like this: {apiGroups: [apps], resources: [deployments], verbs: [get, list, create, update, delete]}",
            )
        })?;
    }
    Ok(RoleFile { rules: Value::Array(rules.clone()), warnings: warnings(rules, file) })
}

fn rules_of<'a>(document: &'a Value, file: &str) -> Result<&'a Vec<Value>> {
    let kind = document.get("kind").and_then(Value::as_str);
    let rules = match document {
        Value::Array(rules) => Some(rules),
        _ if matches!(kind, Some("Role" | "ClusterRole")) => document.get("rules").and_then(Value::as_array),
        _ => {
            let what = kind.map_or("something else".to_owned(), |kind| format!("a {kind}"));
            return Err(Error::usage(format!("{file} holds {what}, not rules"))
                .hint("give a list of rules, or one Role or ClusterRole"));
        }
    };
    rules.filter(|rules| !rules.is_empty()).ok_or_else(|| {
        let error = Error::usage(format!("{file} holds no rules"));
        match document.get("aggregationRule") {
            Some(_) => error.because("the rules of an aggregated ClusterRole are filled in on the cluster")
                .hint("take them from there: kubectl get clusterrole NAME -o yaml"),
            None => error.hint("an installer needs at least the ConfigMaps in which kapp keeps its records, and what the package deploys"),
        }
    })
}

/// Checks one rule as the API server will (k8s.io/kubernetes `pkg/apis/rbac/validation`, `ValidatePolicyRule`).
fn check(rule: &Value) -> Result<(), String> {
    let entries = rule.as_object().ok_or("it is not a mapping")?;
    if entries.contains_key("nonResourceURLs") {
        return Err("nonResourceURLs belong to the whole cluster, and a Role to a namespace".to_owned());
    }
    if let Some(unknown) = entries.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(format!("it has the unknown field `{unknown}`"));
    }
    for field in FIELDS {
        let list =
            entries.get(field).map(|list| list.as_array().ok_or(format!("{field} is not a list"))).transpose()?;
        let is_complete = field == "resourceNames" || list.is_some_and(|list| !list.is_empty());
        if !is_complete {
            return Err(format!("{field} is missing or empty"));
        }
        if list.into_iter().flatten().any(|entry| !entry.is_string()) {
            return Err(format!("{field} contains a value that is not text"));
        }
    }
    Ok(())
}

fn warnings(rules: &[Value], file: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    let wide: Vec<String> =
        (1..).zip(rules).filter(|(_, rule)| has_wildcard(rule)).map(|(n, _)| n.to_string()).collect();
    if !wide.is_empty() {
        warnings.push(format!(
            "{file} has wildcards in rule {}: whoever may create PackageInstalls in the target namespace, Flux included, can do all of that there",
            wide.join(", ")
        ));
    }
    let missing: Vec<&str> = RECORDS.into_iter().filter(|verb| !allows(rules, verb, "configmaps")).collect();
    if !missing.is_empty() {
        warnings.push(format!(
            "{file} does not allow to {} configmaps, in which kapp keeps its records",
            missing.join(", ")
        ));
    }
    warnings
}

/// Tells whether a rule allows every verb, every resource or every group.
#[must_use]
pub fn has_wildcard(rule: &Value) -> bool {
    ["apiGroups", "resources", "verbs"].iter().any(|field| list_has(rule, field, "*"))
}

/// Tells whether rules allow a verb on all objects of a core resource.
fn allows(rules: &[Value], verb: &str, resource: &str) -> bool {
    let has = |rule: &Value, field: &str, text: &str| list_has(rule, field, text) || list_has(rule, field, "*");
    rules.iter().any(|rule| {
        has(rule, "apiGroups", "")
            && has(rule, "resources", resource)
            && has(rule, "verbs", verb)
            && rule.get("resourceNames").is_none()
    })
}

fn list_has(rule: &Value, field: &str, text: &str) -> bool {
    rule.get(field).and_then(Value::as_array).is_some_and(|list| list.iter().any(|entry| entry == text))
}

/// A file that the user names is an answer.
fn as_usage(error: &Error) -> Error {
    let usage = Error::usage(error.message());
    error.causes().iter().fold(usage, Error::because)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: &str = "{apiGroups: [''], resources: [configmaps], verbs: [get, list, create, update, delete]}";

    #[test]
    fn lists_and_roles_are_read_in_yaml_and_json() {
        let list = read(&format!("- {RECORDS}\n"), "rules.yaml").expect("a list of rules");
        assert_eq!((list.rules.as_array().map(Vec::len), list.warnings), (Some(1), vec![]));
        let role = read(&format!("kind: ClusterRole\nrules: [{RECORDS}]\n"), "role.yaml").expect("a ClusterRole");
        assert_eq!(role.rules, list.rules);
        let json = serde_json::json!({"kind": "Role", "rules": list.rules});
        assert_eq!(read(&json.to_string(), "role.json").expect("a Role").rules, list.rules);
    }

    #[test]
    fn what_cannot_be_rules_is_refused_with_the_place() {
        for (text, said) in [
            ("", "holds 0 documents"),
            ("kind: Deployment\n", "holds a Deployment, not rules"),
            ("a: 1\n", "something else"),
            ("[]\n", "holds no rules"),
            ("kind: ClusterRole\naggregationRule: {}\nrules: []\n", "filled in on the cluster"),
            (
                "- {apiGroups: [''], resources: [pods]}\n",
                "rule 1 of f cannot be a rule of a Role: verbs is missing or empty",
            ),
            ("- {apiGroups: [''], resources: pods, verbs: [get]}\n", "resources is not a list"),
            ("- {apiGroups: [''], resources: [1], verbs: [get]}\n", "not text"),
            ("- {nonResourceURLs: [/x], verbs: [get]}\n", "nonResourceURLs"),
            ("- {apiGroup: [''], resources: [pods], verbs: [get]}\n", "unknown field `apiGroup`"),
            ("- pods\n", "not a mapping"),
            ("a: [\n", "not valid YAML"),
        ] {
            let error = read(text, "f").expect_err(text);
            assert!(error.to_string().contains(said), "{error}");
            assert_eq!(error.kind(), crate::error::ErrorKind::Usage, "{error}");
        }
    }

    #[test]
    fn wildcards_and_missing_records_are_warned_about() {
        let all = read("- {apiGroups: ['*'], resources: ['*'], verbs: ['*']}\n", "f").expect("rules");
        assert_eq!(all.warnings.len(), 1);
        assert!(all.warnings[0].contains("wildcards in rule 1"), "{}", all.warnings[0]);
        let few = read("- {apiGroups: [apps], resources: [deployments], verbs: [get]}\n", "f").expect("rules");
        assert!(few.warnings[0].contains("get, list, create, update, delete configmaps"), "{}", few.warnings[0]);
    }
}
