//! PackageInstall, App and Package as kapp-controller serves them (`pkg/apis`, v0.53.1): what is read of them.

use kube::api::ApiResource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::selection::VersionRequest;
use crate::conditions::Condition;
use crate::object::{Object, api_resource};

/// The API group of PackageInstalls.
pub const PACKAGING_GROUP: &str = "packaging.carvel.dev";
/// The API group of Packages, served by kapp-controller's own API server.
pub const DATA_PACKAGING_GROUP: &str = "data.packaging.carvel.dev";
/// The API group of Apps.
pub const KAPP_CONTROLLER_GROUP: &str = "kappctrl.k14s.io";
/// The one version of all three groups.
pub const CARVEL_VERSION: &str = "v1alpha1";

/// The annotation with which kapp-controller records on an App which version of the package it holds.
pub const PACKAGE_VERSION_ANNOTATION: &str = "packaging.carvel.dev/package-version";
/// The annotation on an App with which kapp-controller stops to update it (`pkg/packageinstall/app.go`).
pub const MANUALLY_CONTROLLED_ANNOTATION: &str = "ext.packaging.carvel.dev/manually-controlled";

/// A package to be installed in one namespace.
pub type PackageInstall = Object<PackageInstallSpec, PackageInstallStatus>;
/// What kapp-controller deploys for a PackageInstall; it has the same name and namespace.
pub type App = Object<AppSpec, AppStatus>;
/// One version of a package.
pub type Package = Object<PackageSpec, Value>;

/// Returns the resource of PackageInstalls.
#[must_use]
pub fn package_install_resource() -> ApiResource {
    api_resource(PACKAGING_GROUP, CARVEL_VERSION, "PackageInstall")
}

/// Returns the resource of Apps.
#[must_use]
pub fn app_resource() -> ApiResource {
    api_resource(KAPP_CONTROLLER_GROUP, CARVEL_VERSION, "App")
}

/// Returns the resource of Packages.
#[must_use]
pub fn package_resource() -> ApiResource {
    api_resource(DATA_PACKAGING_GROUP, CARVEL_VERSION, "Package")
}

/// What is read of a PackageInstall's spec.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PackageInstallSpec {
    /// Whom it deploys as.
    pub service_account_name: String,
    /// Which package in which version.
    pub package_ref: PackageReference,
    /// Where the values are.
    pub values: Vec<ValuesSource>,
    /// The other cluster that it deploys to; `None` means its own.
    pub cluster: Option<Value>,
    /// The namespace for what names none; empty means its own.
    pub default_namespace: String,
    /// Whether reconciling is paused.
    pub paused: bool,
    /// Whether reconciling is canceled.
    pub canceled: bool,
}

/// Which package in which version.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PackageReference {
    /// The package's name.
    pub ref_name: String,
    /// The versions to choose from.
    pub version_selection: VersionRequest,
}

/// One source of values.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ValuesSource {
    /// A Secret of the same namespace; every key of it is a values file.
    pub secret_ref: Option<SecretReference>,
}

/// The name of a Secret.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct SecretReference {
    /// The name.
    pub name: String,
}

impl PackageInstallSpec {
    /// Returns the names of the values Secrets, in the order in which later ones win.
    pub fn values_secrets(&self) -> impl Iterator<Item = &str> {
        self.values.iter().filter_map(|source| source.secret_ref.as_ref()).map(|secret| secret.name.as_str())
    }
}

/// What is read of a PackageInstall's status.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PackageInstallStatus {
    /// The generation the status speaks of.
    pub observed_generation: Option<i64>,
    /// At most one condition at a time, always `True`.
    pub conditions: Vec<Condition>,
    /// The failing tool's own words.
    pub useful_error_message: String,
    /// The version that is wanted, not necessarily the deployed one.
    pub version: String,
}

/// What is read of an App's spec.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AppSpec {
    /// Whom it deploys as.
    pub service_account_name: String,
    /// The fetch steps.
    pub fetch: Vec<Value>,
    /// The template steps; the first one takes the values.
    pub template: Vec<Value>,
    /// The deploy step.
    pub deploy: Vec<Value>,
    /// The other cluster that it deploys to; `None` means its own.
    pub cluster: Option<Value>,
    /// The namespace for what names none; empty means its own.
    pub default_namespace: String,
    /// Whether reconciling is paused.
    pub paused: bool,
    /// Whether reconciling is canceled.
    pub canceled: bool,
}

impl AppSpec {
    /// Tells whether any template step refers to a Secret.
    #[must_use]
    pub fn renders_with_secret(&self, name: &str) -> bool {
        self.template.iter().any(|step| refers_to_secret(step, name))
    }
}

fn refers_to_secret(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(field, value)| {
            (field == "secretRef" && value.get("name").and_then(Value::as_str) == Some(name))
                || refers_to_secret(value, name)
        }),
        Value::Array(items) => items.iter().any(|item| refers_to_secret(item, name)),
        _ => false,
    }
}

/// What is read of an App's status.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AppStatus {
    /// The generation the status speaks of.
    pub observed_generation: Option<i64>,
    /// At most one condition at a time, always `True`.
    pub conditions: Vec<Condition>,
    /// The failing tool's own words.
    pub useful_error_message: String,
    /// The first stage.
    pub fetch: Option<Stage>,
    /// The second stage.
    pub template: Option<Stage>,
    /// The third stage.
    pub deploy: Option<Stage>,
}

/// How one stage of an App went. Stages after a failed one, and all while reconciling, may speak of the run before.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stage {
    /// What the tool returned; 0 is success.
    pub exit_code: i32,
    /// What the tool printed.
    pub stdout: String,
    /// What the tool complained about.
    pub stderr: String,
    /// What kapp-controller says where no tool ran.
    pub error: String,
    /// When the stage began, in whole seconds (RFC 3339); not written for `template`.
    pub started_at: Option<jiff::Timestamp>,
    /// When the stage was written last, in whole seconds (RFC 3339).
    pub updated_at: Option<jiff::Timestamp>,
    /// Whether a deploy has ended.
    pub finished: bool,
}

/// What is read of a Package.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PackageSpec {
    /// The package's name.
    pub ref_name: String,
    /// The version.
    pub version: String,
    /// What is fetched, rendered and deployed.
    pub template: PackageTemplate,
    /// The versions of Kubernetes that it is for.
    pub kubernetes_version_selection: Option<VersionRequest>,
    /// The versions of kapp-controller that it is for.
    pub kapp_controller_version_selection: Option<VersionRequest>,
}

/// What every App of a package starts from.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct PackageTemplate {
    /// The App's spec, to which kapp-controller adds what the PackageInstall says.
    pub spec: AppSpec,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_found_in_any_template_step() -> Result<(), serde_json::Error> {
        let spec: AppSpec = serde_json::from_value(json!({"template": [
            {"sops": {"gpg": {}}},
            {"ytt": {"paths": ["config"], "valuesFrom": [{"secretRef": {"name": "first"}}]}},
            {"ytt": {"inline": {"pathsFrom": [{"secretRef": {"name": "second"}}]}}},
        ]}))?;
        assert!(spec.renders_with_secret("first") && spec.renders_with_secret("second"));
        assert!(!spec.renders_with_secret("third") && !AppSpec::default().renders_with_secret("first"));
        Ok(())
    }
}
