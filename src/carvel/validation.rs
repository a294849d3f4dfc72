//! What kapp-controller's API server refuses about a Package or a PackageMetadata, found before Flux applies it.
//!
//! The rules are those of kapp-controller v0.53.1, `pkg/apiserver/apis/datapackaging/validation/validations.go`; that of
//! the length is of `pkg/apiserver/registry/datapackaging/package_storage_client.go`. `tests/packages.rs` compares with
//! Go. The schema of the two kinds is not looked at here: the API server prunes what it does not know.

use std::fmt;

use serde_json::Value;

use super::constraints::{Constraints, ConstraintsError};
use super::resources::{CARVEL_VERSION, DATA_PACKAGING_GROUP};
use super::version::Version;
use crate::names::is_subdomain;

/// The longest name, in bytes: it is stored as the name of another object in base32, eight characters for five bytes, and
/// Kubernetes ends names at 253 characters.
const LONGEST_NAME: usize = 158;

/// A field that kapp-controller refuses, with the reason and, where there is one, the value that it would take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The path of the field, such as `spec.version`.
    pub field: &'static str,
    /// What the field holds; empty where it is missing.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
    /// What was probably meant.
    pub correction: Option<String>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: `{}` {}", self.field, self.value, self.reason)?;
        match &self.correction {
            Some(correction) => write!(formatter, "; write `{correction}`"),
            None => Ok(()),
        }
    }
}

/// Tells whether a document is of the API group and version of Packages, and of this kind.
#[must_use]
pub fn is_of_kind(document: &Value, kind: &str) -> bool {
    let api_version = document["apiVersion"].as_str().and_then(|text| text.split_once('/'));
    api_version == Some((DATA_PACKAGING_GROUP, CARVEL_VERSION)) && document["kind"] == kind
}

/// Returns what kapp-controller refuses about a Package, in the order of its own messages.
#[must_use]
pub fn of_package(package: &Value) -> Vec<Invalid> {
    let text = |pointer: &str| package.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (name, ref_name, version) = (text("/metadata/name"), text("/spec/refName"), text("/spec/version"));
    let mut found: Vec<Invalid> = Vec::new();
    found.extend(fully_qualified("spec.refName", ref_name));
    let correct_version = correct_version(version);
    if version.parse::<Version>().is_err() {
        found.push(Invalid {
            field: "spec.version",
            value: version.to_owned(),
            reason: "is not a semantic version such as `1.2.3`".to_owned(),
            correction: correct_version.clone(),
        });
    }
    if name != format!("{ref_name}.{version}") {
        found.push(Invalid {
            field: "metadata.name",
            value: name.to_owned(),
            reason: "is not spec.refName, a dot and spec.version".to_owned(),
            correction: Some(format!("{ref_name}.{}", correct_version.as_deref().unwrap_or(version))),
        });
    }
    for (field, pointer) in [
        ("spec.kubernetesVersionSelection.constraints", "/spec/kubernetesVersionSelection"),
        ("spec.kappControllerVersionSelection.constraints", "/spec/kappControllerVersionSelection"),
    ] {
        let Some(selection) = package.pointer(pointer).filter(|selection| selection.is_object()) else { continue };
        let constraints = selection["constraints"].as_str().unwrap_or_default();
        let invalid = |reason| Invalid { field, value: constraints.to_owned(), reason, correction: None };
        match constraints.parse::<Constraints>() {
            _ if constraints.is_empty() => found.push(invalid("is empty".to_owned())),
            // kapp-controller accepts some of these.
            Ok(_) | Err(ConstraintsError::Undecided { .. } | ConstraintsError::EmptyAlternative) => {}
            Err(error) => found.push(invalid(format!("is not a version constraint: {error}"))),
        }
    }
    found.extend(too_long(name));
    found
}

/// Returns what kapp-controller refuses about a PackageMetadata.
#[must_use]
pub fn of_package_metadata(metadata: &Value) -> Vec<Invalid> {
    let name = metadata.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    fully_qualified("metadata.name", name).into_iter().chain(too_long(name)).collect()
}

fn fully_qualified(field: &'static str, name: &str) -> Option<Invalid> {
    let reason = if !is_subdomain(name) {
        "is not a lower case DNS subdomain"
    } else if name.split('.').count() < 3 {
        "has fewer than three segments, such as `hello.example.com`"
    } else {
        return None;
    };
    Some(Invalid { field, value: name.to_owned(), reason: reason.to_owned(), correction: None })
}

fn too_long(name: &str) -> Option<Invalid> {
    let reason = format!("has {} bytes, and kapp-controller can store {LONGEST_NAME}", name.len());
    let invalid = Invalid { field: "metadata.name", value: name.to_owned(), reason, correction: None };
    (name.len() > LONGEST_NAME).then_some(invalid)
}

/// Guesses the semantic version that was meant: without a leading `v`, with all three numbers.
fn correct_version(text: &str) -> Option<String> {
    let bare = text.trim().trim_start_matches(['v', 'V', '=']);
    let (numbers, rest) = bare.split_at(bare.find(['-', '+']).unwrap_or(bare.len()));
    let candidates = ["", ".0", ".0.0"].map(|missing| format!("{numbers}{missing}{rest}"));
    candidates.into_iter().find(|candidate| candidate.parse::<Version>().is_ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, ref_name: &str, version: &str) -> Value {
        json!({"metadata": {"name": name}, "spec": {"refName": ref_name, "version": version}})
    }

    #[test]
    fn a_version_with_a_letter_is_found_with_the_correction_of_version_and_name() {
        let found = of_package(&package("hello.example.com.v1.2.3", "hello.example.com", "v1.2.3"));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["spec.version: `v1.2.3` is not a semantic version such as `1.2.3`; write `1.2.3`"]);
    }

    #[test]
    fn a_name_is_the_reference_name_and_the_version() {
        let found = of_package(&package("hello", "hello.example.com", "1.2.3"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].correction.as_deref(), Some("hello.example.com.1.2.3"));
    }

    #[test]
    fn corrections_are_versions() {
        for (text, correction) in
            [("v1.2.3", Some("1.2.3")), ("1.2", Some("1.2.0")), ("v1-rc.1", Some("1.0.0-rc.1")), ("latest", None)]
        {
            assert_eq!(correct_version(text).as_deref(), correction, "{text}");
        }
    }

    #[test]
    fn metadata_has_a_fully_qualified_name() {
        let named = |name: &str| of_package_metadata(&json!({"metadata": {"name": name}}));
        assert_eq!(named("hello.example.com"), []);
        for name in ["hello", "Hello.example.com", "", &format!("{}.example.com", "a".repeat(150))] {
            assert_eq!(named(name).len(), 1, "{name}");
        }
    }
}
