//! Which version of the package an install asks for, and why kapp-controller may find none. Pure.

use kube::ResourceExt;

use super::installed::Installed;
use crate::carvel::selection::{self, Prereleases, SelectionError, VersionRequest};
use crate::carvel::version::Version;
use crate::carvel::{PackageInstall, PackageInstallStatus, PackageSpec};
use crate::conditions::Condition;
use crate::observe::{Cause, Failure, GracePeriod, Stage, explain_refusal};
use crate::refusal::MissingRule;

/// How kapp-controller begins to say that it installs no lower version (`pkg/packageinstall/packageinstall.go`, v0.53.1).
pub(super) const DOWNGRADE_REFUSED: &str = "Stopped installing matched version";

/// The annotations that lift the requirements of a Package (`pkg/packageinstall/packageinstall.go`, v0.53.1).
const IGNORE_KUBERNETES: &str = "packaging.carvel.dev/ignore-kubernetes-version-selection";
const IGNORE_KAPP_CONTROLLER: &str = "packaging.carvel.dev/ignore-kapp-controller-version-selection";

/// How many versions a hint lists.
const SHOWN_VERSIONS: usize = 5;

/// Selects the Package as kapp-controller does; `None` where only kapp-controller can tell, and had no time yet to choose.
pub(super) fn select<'a>(
    install: &PackageInstall,
    status: &PackageInstallStatus,
    packages: &'a [PackageSpec],
    installed: &Installed<'_>,
    object: &str,
) -> Result<Option<&'a PackageSpec>, Failure> {
    let reference = &install.spec.package_ref;
    // kapp-controller refuses Packages with other versions on admission, so none is lost here.
    let offered: Vec<(Version, &PackageSpec)> = packages
        .iter()
        .filter(|package| package.ref_name == reference.ref_name)
        .filter_map(|package| Some((package.version.parse().ok()?, package)))
        .collect();
    let versions = || offered.iter().map(|(version, _)| version);
    let request = &reference.version_selection;
    let mut selected = match selection::select(versions(), request) {
        Ok(selected) => selected,
        Err(SelectionError::Undecided { .. }) => {
            let chosen = offered.iter().find(|(_, package)| package.version == status.version);
            return Ok(chosen.filter(|_| installed.is_settled).map(|(_, package)| *package));
        }
        Err(error) => return Err(explain(&error, install, object)),
    };
    // Which Kubernetes and kapp-controller there are, only kapp-controller knows: a Package that asks for others may have
    // been passed over. What it chose instead counts once it had the time to choose again.
    let package_of = |selected: &Version| offered.iter().rev().find(|(version, _)| version == selected);
    if installed.is_settled && package_of(&selected).is_some_and(|(_, package)| may_be_passed_over(package, install)) {
        let remaining = offered
            .iter()
            .filter(|(_, package)| package.version == status.version || !may_be_passed_over(package, install));
        if let Ok(chosen) = selection::select(remaining.map(|(version, _)| version), request)
            && chosen.to_string() == status.version
        {
            selected = chosen;
        }
    }
    package_of(&selected)
        .map(|(_, package)| Some(*package))
        .ok_or_else(|| Failure::new(Cause::NoVersionMatches, Stage::Install, object, String::new()))
}

/// Tells whether a Package asks for versions of Kubernetes or kapp-controller that the cluster may not have.
fn may_be_passed_over(package: &PackageSpec, install: &PackageInstall) -> bool {
    let asks = |request: &Option<VersionRequest>, ignore: &str| {
        request.as_ref().is_some_and(|request| !request.constraints.is_empty())
            && !install.annotations().contains_key(ignore)
    };
    asks(&package.kubernetes_version_selection, IGNORE_KUBERNETES)
        || asks(&package.kapp_controller_version_selection, IGNORE_KAPP_CONTROLLER)
}

/// Explains why none of the versions there are is selected.
fn explain(error: &SelectionError, install: &PackageInstall, object: &str) -> Failure {
    let reference = &install.spec.package_ref;
    let namespace = install.namespace().unwrap_or_default();
    let with_prereleases = VersionRequest {
        prereleases: Some(Prereleases::default()),
        constraints: reference.version_selection.constraints.clone(),
    };
    let (cause, hint) = match error {
        SelectionError::InvalidConstraint { .. } | SelectionError::Undecided { .. } => {
            (Cause::InvalidConstraints, constraints_hint())
        }
        SelectionError::NoneMatches { all: 0, .. } => (
            Cause::NoVersionMatches,
            format!(
                "is `{}` the package's refName? The Packages of the namespace: kubectl -n {namespace} get packages",
                reference.ref_name
            ),
        ),
        SelectionError::NoneMatches { hint_build: Some(version), .. } => {
            (Cause::NoVersionMatches, format!("name the whole version in packageinstall.yaml: \"{version}\""))
        }
        SelectionError::NoneMatches { available, .. } => (
            Cause::NoVersionMatches,
            match selection::select(available, &with_prereleases) {
                Ok(version) => format!(
                    "{version} is a prerelease; accept those in packageinstall.yaml: versionSelection.prereleases: {{}}"
                ),
                Err(_) => format!(
                    "change versionSelection.constraints in packageinstall.yaml; there are: {}",
                    newest(available)
                ),
            },
        ),
    };
    Failure { message: error.to_string(), ..Failure::new(cause, Stage::Install, object, hint) }
}

/// Names a failure that kapp-controller reports before it touches the App.
pub(super) fn rejected(
    install: &PackageInstall,
    status: &PackageInstallStatus,
    condition: &Condition,
    object: &str,
) -> Failure {
    let message =
        if status.useful_error_message.is_empty() { &condition.message } else { &status.useful_error_message };
    let (namespace, name) = (install.namespace().unwrap_or_default(), install.name_any());
    let account = &install.spec.service_account_name;
    // A Package that arrives a moment later resolves most of them: it queues a new reconcile.
    let (cause, grace_period, hint) = if message.contains(DOWNGRADE_REFUSED) {
        let hint = format!(
            "raise the constraints in packageinstall.yaml, or allow it: kubectl -n {namespace} annotate packageinstall {name} packaging.carvel.dev/downgradable="
        );
        (Cause::DowngradeRefused, GracePeriod::None, hint)
    } else if message.contains("Expected to find at least one version") {
        (Cause::NoVersionMatches, GracePeriod::Short, filter_hint(message, &namespace))
    } else if message.starts_with("Package ") && message.trim_end().ends_with("not found") {
        let hint = format!("the Packages of the namespace: kubectl -n {namespace} get packages");
        (Cause::NoVersionMatches, GracePeriod::Short, hint)
    } else if message.contains("Parsing version constraint") {
        (Cause::InvalidConstraints, GracePeriod::Short, constraints_hint())
    } else if message.contains("Getting service account") {
        let hint = format!("create the service account: kubectl -n {namespace} create serviceaccount {account}");
        (Cause::NoServiceAccount, GracePeriod::Short, hint)
    } else if let Some(explained) = explain_refusal(message, &namespace) {
        explained
    } else if let Some(rule) = MissingRule::find(message) {
        (Cause::Forbidden, GracePeriod::Short, format!("add {rule} to {}", rule.place()))
    } else if message.contains("unable to handle the request") {
        let hint = "is kapp-controller's API available? kubectl get apiservice v1alpha1.data.packaging.carvel.dev";
        (Cause::InstallRejected, GracePeriod::Long, hint.to_owned())
    } else if message.contains("Invalid fields") {
        let hint = "give every entry of spec.values in packageinstall.yaml a secretRef with a name";
        (Cause::InstallRejected, GracePeriod::Short, hint.to_owned())
    } else {
        (Cause::InstallRejected, GracePeriod::Short, "correct packageinstall.yaml in the GitOps repository".to_owned())
    };
    Failure { message: message.clone(), grace_period, ..Failure::new(cause, Stage::Install, object, hint) }
}

fn constraints_hint() -> String {
    "correct versionSelection.constraints in packageinstall.yaml, such as \">=1.0.0\"".to_owned()
}

/// Explains kapp-controller's `(details: all=2 -> after-prereleases-filter=2 -> …)` by the first filter that left nothing
/// (carvel.dev/vendir v0.40.0, `pkg/vendir/versions/selector.go`).
fn filter_hint(message: &str, namespace: &str) -> String {
    let details = message.split_once("(details: ").map_or("", |(_, details)| details.trim_end_matches(')'));
    let filter = details.split(" -> ").find_map(|step| step.trim().strip_suffix("=0")).unwrap_or_default();
    let lift = |ignore: &str, what: &str| {
        format!(
            "every version that is left asks for another {what}; upgrade it, or annotate the PackageInstall with {ignore}=\"\""
        )
    };
    match filter {
        "all" => {
            format!("correct packageRef.refName in packageinstall.yaml; there are: kubectl -n {namespace} get packages")
        }
        "after-prereleases-filter" => {
            "accept prereleases in packageinstall.yaml: versionSelection.prereleases: {}".to_owned()
        }
        "after-kubernetes-version-check" => lift(IGNORE_KUBERNETES, "version of Kubernetes"),
        "after-kapp-controller-version-check" => lift(IGNORE_KAPP_CONTROLLER, "version of kapp-controller"),
        _ => format!(
            "change versionSelection.constraints in packageinstall.yaml; there are: kubectl -n {namespace} get packages"
        ),
    }
}

/// Lists the newest of the versions, which are sorted.
fn newest(versions: &[Version]) -> String {
    let shown: Vec<String> = versions.iter().rev().take(SHOWN_VERSIONS).map(ToString::to_string).collect();
    let more = versions.len().saturating_sub(SHOWN_VERSIONS);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} older", shown.join(", ")) }
}
