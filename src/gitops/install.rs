//! The `PackageInstall` of a delivery: built, or brought up to date where a user wrote it.
//!
//! Its values Secret lives in [`super::values`]; the file it goes to, in [`super::delivery`].

use serde_json::{Map, Value, json};

use super::values::is_same_values_secret;

/// The API version of a `PackageInstall`.
pub const INSTALL_API_VERSION: &str = "packaging.carvel.dev/v1alpha1";

/// The annotation that lets kapp-controller go back to a lower version (v0.53.1, `pkg/packageinstall/packageinstall.go`).
const DOWNGRADABLE: &str = "packaging.carvel.dev/downgradable";

/// What a delivery asks of its `PackageInstall`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageInstallSpec {
    /// The name of the `PackageInstall`.
    pub name: String,
    /// The service account it deploys as.
    pub service_account: String,
    /// The reference name of the package.
    pub ref_name: String,
    /// The versions to select from; empty selects the highest.
    pub constraints: String,
    /// The Secret that holds the values.
    pub values_secret: Option<String>,
    /// Whether prereleases may be selected.
    pub prereleases: bool,
    /// The identifiers of which a prerelease must have one; none leaves what is there.
    pub identifiers: Vec<String>,
    /// Whether a lower version may replace the installed one; `false` leaves what is there.
    pub is_downgradable: bool,
    /// How often kapp-controller looks by itself; `None` leaves what is there.
    pub sync_period: Option<String>,
    /// The Secret with a registry's credentials, and the fetch steps that need it; `None` leaves what is there.
    pub fetch_secret: Option<(String, Vec<usize>)>,
}

/// Builds a new `PackageInstall`.
#[must_use]
pub fn package_install(spec: &PackageInstallSpec) -> Value {
    let skeleton = json!({ "apiVersion": INSTALL_API_VERSION, "kind": "PackageInstall", "metadata": {}, "spec": {} });
    update_package_install(&skeleton, spec)
}

/// Changes only what the delivery asks for in an existing `PackageInstall`: annotations, `syncPeriod`, further values and all
/// else stay.
///
/// The values Secret takes the place of an earlier one of the same name without suffix; without any, it is appended, so that it
/// overrides what is there. Without a wanted Secret the values stay as they are.
#[must_use]
pub fn update_package_install(existing: &Value, spec: &PackageInstallSpec) -> Value {
    let mut install = existing.clone();
    edit(&mut install, &["metadata"], |metadata| {
        metadata.insert("name".to_owned(), json!(spec.name));
    });
    if let Some((secret, steps)) = &spec.fetch_secret {
        edit(&mut install, &["metadata", "annotations"], |annotations| {
            for step in steps {
                annotations.insert(format!("ext.packaging.carvel.dev/fetch-{step}-secret-name"), json!(secret));
            }
        });
    }
    if spec.is_downgradable {
        edit(&mut install, &["metadata", "annotations"], |annotations| {
            annotations.entry(DOWNGRADABLE).or_insert_with(|| json!(""));
        });
    }
    edit(&mut install, &["spec"], |entries| {
        entries.insert("serviceAccountName".to_owned(), json!(spec.service_account));
        if let Some(period) = &spec.sync_period {
            entries.insert("syncPeriod".to_owned(), json!(period));
        }
    });
    edit(&mut install, &["spec", "packageRef"], |reference| {
        reference.insert("refName".to_owned(), json!(spec.ref_name));
    });
    edit(&mut install, &["spec", "packageRef", "versionSelection"], |selection| {
        selection.insert("constraints".to_owned(), json!(spec.constraints));
        if spec.prereleases {
            // Identifiers that a user chose stay.
            selection.entry("prereleases").or_insert_with(|| json!({}));
            if !spec.identifiers.is_empty() {
                selection.insert("prereleases".to_owned(), json!({ "identifiers": spec.identifiers }));
            }
        } else {
            selection.shift_remove("prereleases");
        }
    });
    if let Some(name) = &spec.values_secret {
        edit(&mut install, &["spec"], |entries| set_values_secret(entries, name));
    }
    install
}

/// Returns the names of the Secrets that a `PackageInstall` takes values from, in its order.
#[must_use]
pub fn values_secret_names(install: &Value) -> Vec<String> {
    let values = install.pointer("/spec/values").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(secret_name).map(str::to_owned).collect()
}

fn set_values_secret(spec: &mut Map<String, Value>, name: &str) {
    let reference = json!({ "secretRef": { "name": name } });
    match spec.get_mut("values") {
        Some(Value::Array(values)) => {
            let is_earlier =
                |value: &Value| secret_name(value).is_some_and(|earlier| is_same_values_secret(earlier, name));
            match values.iter_mut().find(|value| is_earlier(value)) {
                Some(value) if secret_name(value) == Some(name) => {}
                Some(value) => *value = reference,
                None => values.push(reference),
            }
        }
        _ => {
            spec.insert("values".to_owned(), json!([reference]));
        }
    }
}

fn secret_name(value: &Value) -> Option<&str> {
    value.pointer("/secretRef/name").and_then(Value::as_str)
}

/// Changes the mapping at a path, made where it is missing.
fn edit(value: &mut Value, path: &[&str], change: impl FnOnce(&mut Map<String, Value>)) {
    let mut entries = match value.take() {
        Value::Object(entries) => entries,
        _ => Map::new(),
    };
    match path {
        [] => change(&mut entries),
        [first, rest @ ..] => edit(entries.entry(*first).or_insert(Value::Null), rest, change),
    }
    *value = Value::Object(entries);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::manifest::{read_documents, write_documents};

    fn spec() -> PackageInstallSpec {
        PackageInstallSpec {
            name: "hello-app".to_owned(),
            service_account: "hello-app-installer".to_owned(),
            ref_name: "hello-app.mycompany.com".to_owned(),
            constraints: ">=0.0.0".to_owned(),
            values_secret: Some("hello-app-values-0123456789".to_owned()),
            prereleases: false,
            ..PackageInstallSpec::default()
        }
    }

    #[test]
    fn what_flags_ask_for_is_added_once() {
        let asked = PackageInstallSpec {
            prereleases: true,
            identifiers: vec!["rc".to_owned()],
            is_downgradable: true,
            sync_period: Some("5m".to_owned()),
            ..spec()
        };
        let install = package_install(&asked);
        assert_eq!(
            install.pointer("/spec/packageRef/versionSelection/prereleases"),
            Some(&json!({"identifiers": ["rc"]}))
        );
        assert_eq!(install.pointer("/metadata/annotations"), Some(&json!({ DOWNGRADABLE: "" })));
        assert_eq!(install["spec"]["syncPeriod"], "5m");
        let left_open = PackageInstallSpec { prereleases: true, ..spec() };
        assert_eq!(update_package_install(&install, &left_open), install);
    }

    #[test]
    fn a_new_install_reads_like_the_guide_with_quoted_constraints() {
        let expected = "\
---
apiVersion: packaging.carvel.dev/v1alpha1
kind: PackageInstall
metadata:
  name: hello-app
spec:
  serviceAccountName: hello-app-installer
  packageRef:
    refName: hello-app.mycompany.com
    versionSelection:
      constraints: \">=0.0.0\"
  values:
  - secretRef:
      name: hello-app-values-0123456789
";
        assert_eq!(write_documents(&[package_install(&spec())]).unwrap(), expected);
        let latest =
            PackageInstallSpec { constraints: String::new(), values_secret: None, prereleases: true, ..spec() };
        let install = package_install(&latest);
        assert_eq!(
            install.pointer("/spec/packageRef/versionSelection"),
            Some(&json!({ "constraints": "", "prereleases": {} }))
        );
        assert_eq!(install.pointer("/spec/values"), None);
    }

    #[test]
    fn an_update_keeps_what_was_written_by_hand() {
        let text = "\
apiVersion: packaging.carvel.dev/v1alpha1
kind: PackageInstall
metadata:
  annotations: {ext.packaging.carvel.dev/ytt-paths-from-secret-name: overlay}
spec:
  syncPeriod: 1m
  packageRef: {versionSelection: {prereleases: {identifiers: [rc]}}}
  values: [{secretRef: {name: base}}, {secretRef: {name: hello-app-values-aaaaaaaaaa}}, {secretRef: {name: last}}]
";
        let existing = read_documents(text, "test").unwrap().remove(0);
        let updated = update_package_install(&existing, &PackageInstallSpec { prereleases: true, ..spec() });
        assert_eq!(values_secret_names(&updated), ["base", "hello-app-values-0123456789", "last"]);
        assert_eq!(updated.pointer("/spec/syncPeriod"), Some(&json!("1m")));
        assert_eq!(updated.pointer("/metadata/annotations"), existing.pointer("/metadata/annotations"));
        assert_eq!(updated.pointer("/spec/packageRef/versionSelection/prereleases/identifiers/0"), Some(&json!("rc")));
        assert_eq!(update_package_install(&updated, &PackageInstallSpec { prereleases: true, ..spec() }), updated);
        let private = PackageInstallSpec { fetch_secret: Some(("registry".to_owned(), vec![0, 2])), ..spec() };
        assert_eq!(
            update_package_install(&existing, &private).pointer("/metadata/annotations"),
            Some(&json!({
                "ext.packaging.carvel.dev/ytt-paths-from-secret-name": "overlay",
                "ext.packaging.carvel.dev/fetch-0-secret-name": "registry",
                "ext.packaging.carvel.dev/fetch-2-secret-name": "registry",
            }))
        );
        let renamed =
            update_package_install(&updated, &PackageInstallSpec { values_secret: Some("fixed".to_owned()), ..spec() });
        assert_eq!(values_secret_names(&renamed), ["base", "hello-app-values-0123456789", "last", "fixed"]);
    }
}
