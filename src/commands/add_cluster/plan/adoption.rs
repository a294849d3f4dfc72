//! Why a Kustomization that was made without this plugin is changed, and which of several PackageInstalls. Pure.
//!
//! What it is changed to lives in [`crate::flux`].

use kube::api::DynamicObject;
use serde_json::Value;

use crate::gitops::delivery::{ExistingInstall, RunClusterDirectory};
use crate::object::ObjectReference;

/// The fields that a person leaves out, and what comes of it.
const REASONS: [(&str, &str); 4] = [
    (
        "healthCheckExprs",
        "without it Flux is Ready before the PackageInstall has reconciled, and stays so when it fails later",
    ),
    ("retryInterval", "without it Flux tries again only after spec.interval"),
    ("prune", "without it Flux leaves behind what is removed from Git"),
    ("wait", "without it Flux is Ready as soon as it has applied"),
];

/// Says why fields are set that Kustomizations lack, once for all that lack the same.
pub(super) fn notes<'a>(adopted: impl IntoIterator<Item = (&'a Value, &'a DynamicObject)>) -> Vec<String> {
    let mut alike: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for (manifest, live) in adopted {
        let lacks = |field: &str| {
            let (wanted, is) = (&manifest["spec"][field], &live.data["spec"][field]);
            wanted != is && (is.is_null() || *is == Value::Bool(false)) && !wanted.is_null()
        };
        let fields: Vec<&str> = REASONS.iter().map(|(field, _)| *field).filter(|field| lacks(field)).collect();
        let name = ObjectReference::of(manifest).map(|reference| reference.display()).unwrap_or_default();
        match alike.iter_mut().find(|(others, _)| *others == fields) {
            Some((_, names)) => names.push(name),
            None => alike.push((fields, vec![name])),
        }
    }
    alike.retain(|(fields, _)| !fields.is_empty());
    alike.into_iter().map(|(fields, names)| note(&fields, &names)).collect()
}

/// Says which of several PackageInstalls is the delivery's, where that is not the only one in its directory.
pub(super) fn of_several(directory: &RunClusterDirectory) -> Option<String> {
    let ours = directory.install.as_ref().filter(|_| !directory.other_installs.is_empty())?;
    let named = |install: &ExistingInstall| format!("PackageInstall {} in {}", install.name, install.file);
    let others: Vec<String> = directory.other_installs.iter().map(named).collect();
    Some(format!("this delivery is {}; others stay as they are: {}", named(ours), others.join(", ")))
}

fn note(fields: &[&str], names: &[String]) -> String {
    let reasons = REASONS.iter().filter(|(field, _)| fields.contains(field));
    let reasons: Vec<String> = reasons.map(|(field, reason)| format!("spec.{field} ({reason})")).collect();
    format!("what was made without this plugin gets {}: {}", reasons.join(", "), names.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kustomization(name: &str, spec: &Value) -> Value {
        json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "dev"}, "spec": spec,
        })
    }

    #[test]
    fn what_is_lacking_is_explained_once() {
        let wanted = json!({"prune": true, "wait": true, "retryInterval": "1m", "timeout": "2m"});
        let noted = |first: &Value, second: &Value| {
            let wanted = ["a", "b"].map(|name| kustomization(name, &wanted));
            let live = [first, second].map(|spec| serde_json::from_value(kustomization("x", spec)).expect("an object"));
            notes(wanted.iter().zip(&live))
        };
        let guide = json!({"prune": true, "wait": true, "timeout": "5m"});
        assert_eq!(
            noted(&guide, &guide),
            ["what was made without this plugin gets spec.retryInterval (without it Flux tries again only after \
              spec.interval): Kustomization dev/a, Kustomization dev/b"]
        );
        let own_choice = json!({"prune": false, "wait": true, "retryInterval": "9m"});
        assert_eq!(
            noted(&own_choice, &json!({"prune": true, "wait": true, "retryInterval": "9m"})),
            ["what was made without this plugin gets spec.prune (without it Flux leaves behind what is removed from \
              Git): Kustomization dev/a"]
        );
    }
}
