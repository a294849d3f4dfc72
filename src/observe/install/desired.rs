//! The App that a PackageInstall and a Package ask for, derived as kapp-controller v0.53.1 does it
//! (`pkg/packageinstall/app.go`, `NewApp`, and `packageinstall.go`, `reconcileFetchPlaceholderSecrets`). Pure.
//!
//! A Package that changes under the same version moves no generation, and neither do the annotations of a PackageInstall:
//! only this comparison tells that the App is of before.

use kube::ResourceExt;
use serde_json::{Map, Value, json};

use crate::carvel::{AppSpec, PackageInstall, PackageSpec};

const FETCH_SECRET: &str = "ext.packaging.carvel.dev/fetch-";
const HELM_NAME: &str = "ext.packaging.carvel.dev/helm-template-name";
const HELM_NAMESPACE: &str = "ext.packaging.carvel.dev/helm-template-namespace";
const HELM_VALUES: &str = "ext.packaging.carvel.dev/helm-template-values-from-secret-name";
const YTT_OVERLAYS: &str = "ext.packaging.carvel.dev/ytt-paths-from-secret-name";
const YTT_VALUES_ARE_OVERLAYS: &str = "ext.packaging.carvel.dev/ytt-data-values-overlays";

/// The sources that a fetch step may name, in the order in which kapp-controller looks, and where each keeps its credential.
const FETCH_SOURCES: &[(&str, Option<&[&str]>)] = &[
    ("inline", None),
    ("image", Some(&["image"])),
    ("http", Some(&["http"])),
    ("git", Some(&["git"])),
    ("helmChart", Some(&["helmChart", "repository"])),
    ("imgpkgBundle", Some(&["imgpkgBundle"])),
];

/// Tells whether an App holds what the PackageInstall asks for with this Package.
pub(super) fn is_desired(app: &AppSpec, install: &PackageInstall, package: &PackageSpec) -> bool {
    let template = &package.template.spec;
    is_same(&app.fetch, &fetch(install, &template.fetch))
        && is_same(&app.template, &templates(install, &template.template))
        && is_same(&app.deploy, &template.deploy)
}

/// Returns the names of the Secrets of overlays, which the App reads beside the values.
pub(super) fn overlay_secrets(install: &PackageInstall) -> Vec<String> {
    [YTT_OVERLAYS, HELM_VALUES].into_iter().flat_map(|annotation| secret_names(install, annotation)).collect()
}

/// Adds the credentials for images and bundles: a placeholder for secretgen-controller, or the Secret of an annotation.
fn fetch(install: &PackageInstall, steps: &[Value]) -> Vec<Value> {
    let mut steps = steps.to_vec();
    for (index, step) in steps.iter_mut().enumerate() {
        for source in ["imgpkgBundle", "image"] {
            if let Some(source) = step.get_mut(source).filter(|source| is_set(source))
                && !source.get("secretRef").is_some_and(is_set)
            {
                source["secretRef"] = json!({"name": format!("{}-fetch-{index}", install.name_any())});
            }
        }
        let Some(secret) = install.annotations().get(&format!("{FETCH_SECRET}{index}-secret-name")) else { continue };
        let source = FETCH_SOURCES.iter().find(|(source, _)| step.get(source).is_some_and(is_set));
        if let Some((_, Some(path))) = source
            && let Some(place) = path.iter().try_fold(&mut *step, |value, field| value.get_mut(*field))
            && is_set(place)
        {
            place["secretRef"] = json!({"name": secret});
        }
    }
    steps
}

/// Adds values and overlays: each to the first step that takes them.
fn templates(install: &PackageInstall, steps: &[Value]) -> Vec<Value> {
    let annotations = install.annotations();
    let values: Vec<&str> = install.spec.values_secrets().collect();
    let (mut values_applied, mut helm_applied, mut ytt_applied) = (false, false, false);
    let mut steps = steps.to_vec();
    for step in &mut steps {
        if let Some(helm) = step.get_mut("helmTemplate").filter(|tool| is_set(tool)) {
            if !std::mem::replace(&mut helm_applied, true) {
                for (annotation, field) in [(HELM_NAME, "name"), (HELM_NAMESPACE, "namespace")] {
                    if let Some(value) = annotations.get(annotation) {
                        helm[field] = json!(value);
                    }
                }
                append(helm, &["valuesFrom"], secret_names(install, HELM_VALUES));
            }
            if !std::mem::replace(&mut values_applied, true) {
                append(helm, &["valuesFrom"], &values);
            }
        }
        if let Some(ytt) = step.get_mut("ytt").filter(|tool| is_set(tool)) {
            if !std::mem::replace(&mut ytt_applied, true) {
                append(ytt, &["inline", "pathsFrom"], secret_names(install, YTT_OVERLAYS));
            }
            if !std::mem::replace(&mut values_applied, true) {
                let are_overlays = annotations.contains_key(YTT_VALUES_ARE_OVERLAYS);
                append(ytt, if are_overlays { &["inline", "pathsFrom"] } else { &["valuesFrom"] }, &values);
            }
        }
    }
    steps
}

/// Returns the Secrets that annotations with this prefix name, ordered by what follows the prefix.
fn secret_names(install: &PackageInstall, annotation: &str) -> Vec<String> {
    let named = install.annotations().iter().filter(|(key, _)| {
        key.strip_prefix(annotation).is_some_and(|suffix| suffix.is_empty() || suffix.starts_with('.'))
    });
    named.map(|(_, secret)| secret.clone()).collect()
}

/// Appends references to Secrets to the list at a path, which is made where it is missing.
fn append<T: serde::Serialize>(tool: &mut Value, path: &[&str], secrets: impl IntoIterator<Item = T>) {
    let secrets: Vec<Value> = secrets.into_iter().map(|name| json!({"secretRef": {"name": name}})).collect();
    let [parents @ .., last] = path else { return };
    if secrets.is_empty() {
        return;
    }
    let parent = parents.iter().fold(tool, |value, field| &mut value[*field]);
    match &mut parent[*last] {
        Value::Array(entries) => entries.extend(secrets),
        missing => *missing = Value::Array(secrets),
    }
}

fn is_set(value: &Value) -> bool {
    !value.is_null()
}

fn is_same(one: &[Value], other: &[Value]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| normal(one) == normal(other))
}

/// Leaves out the fields that Go leaves out when it writes (`omitempty`). An empty mapping stays: `kapp: {}` chooses a tool.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let is_empty = |value: &Value| {
                matches!(value, Value::Null | Value::Bool(false))
                    || value.as_str().is_some_and(str::is_empty)
                    || value.as_array().is_some_and(Vec::is_empty)
                    || value.as_i64() == Some(0)
            };
            let kept = fields.iter().filter(|(_, value)| !is_empty(value));
            Value::Object(kept.map(|(field, value)| (field.clone(), normal(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(normal).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
#[path = "tests/desired.rs"]
mod tests;
