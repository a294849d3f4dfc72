//! The verdict on a PackageInstall and its App: have they reconciled what is asked for now? Pure.
//!
//! kapp-controller retries everything and bumps no generation for new values, so "done" and "failed for good" are defined
//! here, from what v0.53.1 writes (`pkg/packageinstall`, `pkg/app`).

mod stages;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Cause, Failure, Patience, Stage, Verdict};
use crate::carvel::selection::{self, SelectionError};
use crate::carvel::version::Version;
use crate::carvel::{App, AppStatus, PACKAGE_VERSION_ANNOTATION, PackageInstall, PackageInstallStatus, PackageSpec};
use crate::conditions::{Condition, find};

/// What is known on the run cluster about one install.
#[derive(Clone, Copy, Debug, Default)]
pub struct Installed<'a> {
    /// The PackageInstall.
    pub install: Option<&'a PackageInstall>,
    /// Its App.
    pub app: Option<&'a App>,
    /// The Packages of the namespace; `None` where they have not been read.
    pub packages: Option<&'a [PackageSpec]>,
    /// The Secrets that the PackageInstall takes values from; `None` where they have not been read.
    pub values: Option<&'a [ValuesSecret]>,
    /// Whether the App has not changed for longer than a run that is due takes to show.
    pub is_settled: bool,
}

/// When a values Secret was written, in whole seconds as the API server keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuesSecret {
    /// The name.
    pub name: String,
    /// When it was created; `None` if it does not exist.
    pub created: Option<Timestamp>,
    /// When its content was written last.
    pub changed: Option<Timestamp>,
}

/// Judges an install that Flux has applied at the expected revision.
#[must_use]
pub fn judge(installed: &Installed<'_>, namespace: &str, name: &str) -> Verdict {
    let Some(install) = installed.install else {
        return Verdict::pending(
            Stage::Install,
            format!("PackageInstall {namespace}/{name} is gone; Flux creates it again"),
        );
    };
    let object = format!("PackageInstall {namespace}/{name}");
    let status = install.status.clone().unwrap_or_default();
    if let Some(verdict) = judge_lifecycle(install, &status, &object) {
        return verdict;
    }
    let selected = match installed.packages.map(|packages| select(install, packages, &object)) {
        Some(Err(failure)) => return Verdict::Failed(failure),
        Some(Ok(version)) => Some(version),
        None => None,
    };
    if status.observed_generation != install.metadata.generation {
        return Verdict::pending(Stage::Install, "kapp-controller has not seen the new PackageInstall yet");
    }
    let Some(app) = installed.app else {
        return judge_without_app(&status, &object);
    };
    if let Some(verdict) = judge_up_to_date(install, &status, app, selected.as_ref(), &object) {
        return verdict;
    }
    let app_status = app.status.clone().unwrap_or_default();
    if app_status.observed_generation != app.metadata.generation {
        return Verdict::pending(Stage::Fetch, "kapp-controller has not seen the new App yet");
    }
    if let Some(verdict) = judge_values(installed, &app_status, &object) {
        return verdict;
    }
    match app_status.conditions.first() {
        Some(condition) if condition.r#type == "ReconcileSucceeded" => {
            if find(&status.conditions, "ReconcileSucceeded").is_some_and(Condition::is_true) {
                Verdict::Ready { version: status.version }
            } else if let Some(failed) = find(&status.conditions, "ReconcileFailed") {
                Verdict::Failed(rejected(&status, failed, &object))
            } else {
                Verdict::pending(Stage::Deploy, "deployed; kapp-controller has yet to say so on the PackageInstall")
            }
        }
        Some(condition) if condition.r#type == "ReconcileFailed" => {
            Verdict::Failed(stages::failure(&app_status, namespace, name, &install.spec.service_account_name))
        }
        Some(condition) if condition.r#type == "DeleteFailed" => Verdict::Failed(delete_failed(&app_status, &object)),
        _ => stages::progress(&app_status),
    }
}

/// Judges what keeps an install from being reconciled at all.
fn judge_lifecycle(install: &PackageInstall, status: &PackageInstallStatus, object: &str) -> Option<Verdict> {
    let namespace = install.namespace().unwrap_or_default();
    let name = install.name_any();
    if install.metadata.deletion_timestamp.is_some() {
        return Some(match find(&status.conditions, "DeleteFailed") {
            Some(_) => Verdict::Failed(Failure {
                message: status.useful_error_message.clone(),
                patience: Patience::Long,
                ..failure(
                    Cause::DeleteFailed,
                    Stage::Install,
                    object,
                    format!("see why: kubectl -n {namespace} get app {name} -o yaml"),
                )
            }),
            None => Verdict::pending(Stage::Install, "being deleted"),
        });
    }
    let (word, field) = match (install.spec.paused, install.spec.canceled) {
        (_, true) => ("canceled", "canceled"),
        (true, _) => ("paused", "paused"),
        _ => return None,
    };
    Some(Verdict::Failed(Failure {
        message: format!("it is {word}, so kapp-controller does nothing, and its status is an old one"),
        ..failure(
            Cause::Paused,
            Stage::Install,
            object,
            format!(
                "let it go on, in Git if it is set there: kubectl -n {namespace} patch packageinstall {name} --type merge -p '{{\"spec\":{{\"{field}\":false}}}}'"
            ),
        )
    }))
}

/// Selects the version as kapp-controller does.
fn select(install: &PackageInstall, packages: &[PackageSpec], object: &str) -> Result<Version, Failure> {
    let reference = &install.spec.package_ref;
    // kapp-controller refuses Packages with other versions on admission, so none is lost here.
    let versions: Vec<Version> = packages
        .iter()
        .filter(|package| package.ref_name == reference.ref_name)
        .filter_map(|package| package.version.parse().ok())
        .collect();
    selection::select(&versions, &reference.version_selection).map_err(|error| {
        let (cause, hint) = match &error {
            SelectionError::InvalidConstraint { .. } => (
                Cause::InvalidConstraints,
                "correct versionSelection.constraints in packageinstall.yaml, such as \">=1.0.0\"".to_owned(),
            ),
            SelectionError::NoneMatches { all: 0, .. } => (
                Cause::NoVersionMatches,
                format!(
                    "is `{}` the package's refName? The Packages of the namespace: kubectl -n {} get packages",
                    reference.ref_name,
                    install.namespace().unwrap_or_default()
                ),
            ),
            SelectionError::NoneMatches { hint_build: Some(version), .. } => {
                (Cause::NoVersionMatches, format!("name the whole version in packageinstall.yaml: \"{version}\""))
            }
            SelectionError::NoneMatches { available, .. } => (
                Cause::NoVersionMatches,
                format!("change versionSelection.constraints in packageinstall.yaml; there are: {}", join(available)),
            ),
        };
        Failure { message: error.to_string(), ..failure(cause, Stage::Install, object, hint) }
    })
}

/// Judges an install for which kapp-controller has made no App.
fn judge_without_app(status: &PackageInstallStatus, object: &str) -> Verdict {
    match find(&status.conditions, "ReconcileFailed") {
        Some(condition) => Verdict::Failed(rejected(status, condition, object)),
        None => Verdict::pending(Stage::Install, "kapp-controller has not made the App yet"),
    }
}

/// Judges whether the App is what PackageInstall and Packages ask for now; `None` if it is.
fn judge_up_to_date(
    install: &PackageInstall,
    status: &PackageInstallStatus,
    app: &App,
    selected: Option<&Version>,
    object: &str,
) -> Option<Verdict> {
    let installed = app.annotations().get(PACKAGE_VERSION_ANNOTATION).cloned().unwrap_or_default();
    let other_version = selected.is_some_and(|selected| selected.to_string() != installed);
    let other_values = !install.spec.values_secrets().eq(app.spec.values_secrets());
    let other_account = install.spec.service_account_name != app.spec.service_account_name;
    if !other_version && !other_values && !other_account {
        return None;
    }
    // The new App could not even be made: a refused downgrade, an invalid field.
    if let Some(condition) = find(&status.conditions, "ReconcileFailed") {
        let failure = rejected(status, condition, object);
        // A failure of the App before the change stands here as well until kapp-controller turns to the new one.
        if failure.cause != Cause::InstallRejected {
            return Some(Verdict::Failed(failure));
        }
    }
    let why = match selected {
        Some(selected) if other_version && installed.is_empty() => {
            format!("kapp-controller turns to version {selected}")
        }
        Some(selected) if other_version => format!("kapp-controller turns from version {installed} to {selected}"),
        _ => "kapp-controller turns to the new PackageInstall".to_owned(),
    };
    Some(Verdict::pending(Stage::Install, why))
}

/// Names a failure that kapp-controller reports before it touches the App.
fn rejected(status: &PackageInstallStatus, condition: &Condition, object: &str) -> Failure {
    let message =
        if status.useful_error_message.is_empty() { &condition.message } else { &status.useful_error_message };
    let (cause, hint) = if message.contains("Stopped installing matched version") {
        (
            Cause::DowngradeRefused,
            "raise the constraints, or allow it: annotate the PackageInstall with packaging.carvel.dev/downgradable=\"\"",
        )
    } else if message.contains("Expected to find at least one version") || message.contains("not found") {
        (Cause::NoVersionMatches, "correct packageRef in packageinstall.yaml")
    } else if message.contains("Parsing version constraint") {
        (Cause::InvalidConstraints, "correct versionSelection.constraints in packageinstall.yaml, such as \">=1.0.0\"")
    } else {
        (Cause::InstallRejected, "correct packageinstall.yaml in the GitOps repository")
    };
    Failure {
        message: message.clone(),
        // A Package that arrives a moment later resolves it, and a new reconcile is queued for it.
        patience: match cause {
            Cause::NoVersionMatches | Cause::InstallRejected => Patience::Short,
            _ => Patience::None,
        },
        ..failure(cause, Stage::Install, object, hint.to_owned())
    }
}

/// Judges whether the App has read the values that are there now; `None` if it has.
///
/// A Secret's change moves no generation. kapp-controller tracks the Secret and runs the App again; a run reads the values
/// once its fetch is done, so a fetch that was done in a later second proves that they were read. Within one second there
/// are two more ways: a Secret that was never changed after its creation was there if the templates could be rendered;
/// else the run that the tracking starts has to come, and where none has come for long enough, the one in that second was it.
fn judge_values(installed: &Installed<'_>, status: &AppStatus, object: &str) -> Option<Verdict> {
    let fetched = status.fetch.as_ref().and_then(|fetch| fetch.updated_at.or(fetch.started_at));
    let has_rendered =
        status.template.as_ref().is_some_and(|template| template.exit_code == 0 && template.error.is_empty());
    for secret in installed.values? {
        let Some(changed) = secret.changed.or(secret.created) else {
            return Some(Verdict::Failed(Failure {
                message: format!("the values Secret {} does not exist", secret.name),
                patience: Patience::Short,
                ..failure(
                    Cause::TemplateFailed,
                    Stage::Template,
                    object,
                    format!("add the Secret {} beside packageinstall.yaml, or correct its `values`", secret.name),
                )
            }));
        };
        let only_created = secret.created == Some(changed);
        let has_read = fetched.is_some_and(|fetched| {
            fetched > changed || (fetched == changed && (installed.is_settled || (only_created && has_rendered)))
        });
        if !has_read {
            return Some(Verdict::pending(
                Stage::Template,
                format!("kapp-controller has yet to read the new values in Secret {}", secret.name),
            ));
        }
    }
    None
}

fn delete_failed(status: &AppStatus, object: &str) -> Failure {
    Failure {
        message: status.useful_error_message.clone(),
        ..failure(
            Cause::DeleteFailed,
            Stage::Deploy,
            object,
            "see the App's deploy stage for what could not be deleted".to_owned(),
        )
    }
}

fn failure(cause: Cause, stage: Stage, object: &str, hint: String) -> Failure {
    Failure { cause, stage, object: object.to_owned(), message: String::new(), hint, patience: Patience::None }
}

fn join(versions: &[Version]) -> String {
    const SHOWN: usize = 5;
    let newest: Vec<String> = versions.iter().rev().take(SHOWN).map(ToString::to_string).collect();
    let more = versions.len().saturating_sub(SHOWN);
    if more == 0 { newest.join(", ") } else { format!("{} and {more} older", newest.join(", ")) }
}

#[cfg(test)]
mod tests;
