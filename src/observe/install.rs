//! The verdict on a PackageInstall and its App: have they reconciled what is asked for now? Pure.
//!
//! kapp-controller retries everything and bumps no generation for new values, so "done" and "failed for good" are defined
//! here, from what v0.53.1 writes (`pkg/packageinstall`, `pkg/app`).

mod desired;
mod installed;
mod selected;
mod stages;

use jiff::Timestamp;
use kube::ResourceExt;

pub use self::installed::{Installed, ValuesSecret};
use self::selected::DOWNGRADE_REFUSED;
use self::stages::{Place, last_lines, waiting_on};
use super::{Cause, Failure, GracePeriod, Stage, Verdict};
use crate::carvel::{
    App, AppStatus, MANUALLY_CONTROLLED_ANNOTATION, PACKAGE_VERSION_ANNOTATION, PackageInstall, PackageInstallStatus,
    PackageSpec,
};
use crate::conditions::{Condition, find};
use crate::error::Error;

/// Returns the names of the Secrets that an install is rendered with: those of its values, and those of its overlays.
#[must_use]
pub fn rendered_secrets(install: &PackageInstall) -> Vec<String> {
    install.spec.values_secrets().map(str::to_owned).chain(desired::overlay_secrets(install)).collect()
}

/// Returns when the last attempt of an App began, if it failed.
#[must_use]
pub fn failed_attempt(app: &App) -> Option<Timestamp> {
    let status = app.status.as_ref()?;
    find(&status.conditions, "ReconcileFailed")?;
    stages::attempt(status)
}

/// Judges an install that Flux has applied at the expected revision.
#[must_use]
pub fn judge(installed: &Installed<'_>, namespace: &str, name: &str) -> Verdict {
    let Some(install) = installed.install else {
        let why = format!("PackageInstall {namespace}/{name} is gone; Flux creates it again with its next reconcile");
        return Verdict::pending(Stage::Install, why);
    };
    let object = format!("PackageInstall {namespace}/{name}");
    let status = install.status.clone().unwrap_or_default();
    if let Some(verdict) = judge_lifecycle(installed, install, &status, &object) {
        return verdict;
    }
    let select = |packages| selected::select(install, &status, packages, installed, &object);
    let selected = match installed.packages.map(select) {
        Some(Err(failure)) => return Verdict::Failed(failure),
        Some(Ok(package)) => package,
        None => None,
    };
    if status.observed_generation != install.metadata.generation {
        return Verdict::pending(Stage::Install, "kapp-controller has not seen the new PackageInstall yet");
    }
    if let Some(refusal) = installed.app_refused {
        return unproven(&status, refusal);
    }
    let Some(app) = installed.app else {
        return judge_without_app(install, &status, &object);
    };
    if let Some(verdict) = judge_up_to_date(install, &status, app, selected, &object) {
        return verdict;
    }
    let app_status = app.status.clone().unwrap_or_default();
    if app_status.observed_generation != app.metadata.generation {
        return Verdict::pending(Stage::Fetch, "kapp-controller has not seen the new App yet");
    }
    if let Some(verdict) = judge_values(installed, &app_status, &object) {
        return verdict;
    }
    match judge_run(install, &status, &app_status, &object) {
        Verdict::Ready { .. } if selected.is_none() && installed.packages.is_some() => Verdict::pending(
            Stage::Install,
            "the version constraints are left to kapp-controller, which may be about to choose another version",
        ),
        verdict => verdict,
    }
}

/// Judges whether the install lives and is reconciled; `None` if it does and is.
fn judge_lifecycle(
    installed: &Installed<'_>,
    install: &PackageInstall,
    status: &PackageInstallStatus,
    object: &str,
) -> Option<Verdict> {
    if install.metadata.deletion_timestamp.is_some() {
        return Some(judge_deletion(install, status, installed.app, object));
    }
    judge_pause(install, object)
}

/// Judges a PackageInstall that is being deleted: kapp deletes the resources first, and kapp-controller tries for ever.
fn judge_deletion(install: &PackageInstall, status: &PackageInstallStatus, app: Option<&App>, object: &str) -> Verdict {
    let app_status = app.and_then(|app| app.status.as_ref());
    let has_failed = find(&status.conditions, "DeleteFailed").is_some()
        || app_status.is_some_and(|status| find(&status.conditions, "DeleteFailed").is_some());
    if !has_failed {
        let deploy = app_status.and_then(|status| status.deploy.as_ref()).filter(|deploy| !deploy.finished);
        let waits = deploy.and_then(|deploy| waiting_on(&deploy.stdout)).map(|what| format!(" ({what})"));
        return Verdict::pending(
            Stage::Install,
            format!(
                "{object} is being deleted{}; Flux creates it again at its first reconcile after that",
                waits.unwrap_or_default()
            ),
        );
    }
    let words = app_status.map(|status| &status.useful_error_message).filter(|words| !words.is_empty());
    let message = last_lines(words.unwrap_or(&status.useful_error_message));
    let (namespace, name) = (install.namespace().unwrap_or_default(), install.name_any());
    let account = &install.spec.service_account_name;
    let hint = if message.contains("Getting service account") {
        format!(
            "the resources are deleted as the service account, so create it and its RoleBinding again until they are: kubectl -n {namespace} create serviceaccount {account}"
        )
    } else {
        format!(
            "remove what holds the resources, or leave them behind: kubectl -n {namespace} patch packageinstall {name} --type merge -p '{{\"spec\":{{\"noopDelete\":true}}}}'"
        )
    };
    Verdict::Failed(Failure {
        message,
        grace_period: GracePeriod::Short,
        ..Failure::new(Cause::DeleteFailed, Stage::Install, object, hint)
    })
}

/// Judges what kapp-controller leaves alone. It then keeps the conditions of before (`pkg/app/app_reconcile.go`, v0.53.1), so
/// that they say nothing about what is asked for now.
fn judge_pause(install: &PackageInstall, object: &str) -> Option<Verdict> {
    let (word, field) = match (install.spec.paused, install.spec.canceled) {
        (_, true) => ("canceled", "canceled"),
        (true, _) => ("paused", "paused"),
        _ => return None,
    };
    let (namespace, name) = (install.namespace().unwrap_or_default(), install.name_any());
    Some(Verdict::Failed(Failure {
        message: format!("it is {word}, so kapp-controller does nothing, and its status is an old one"),
        ..Failure::new(
            Cause::Paused,
            Stage::Install,
            object,
            format!(
                "let it go on, in Git if it is set there: kubectl -n {namespace} patch packageinstall {name} --type merge -p '{{\"spec\":{{\"{field}\":false}}}}'"
            ),
        )
    }))
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
    let has_read = |created: Option<Timestamp>, changed: Timestamp| {
        let only_created = created == Some(changed);
        fetched.is_some_and(|fetched| {
            fetched > changed || (fetched == changed && (installed.is_settled || (only_created && has_rendered)))
        })
    };
    installed.values?.iter().find_map(|secret| match secret.changed.or(secret.created) {
        None => Some(Verdict::Failed(missing_values(secret, object))),
        Some(changed) if has_read(secret.created, changed) => None,
        Some(_) => Some(Verdict::pending(
            Stage::Template,
            format!("kapp-controller has yet to read the new values in Secret {}", secret.name),
        )),
    })
}

fn missing_values(secret: &ValuesSecret, object: &str) -> Failure {
    Failure {
        message: format!("the values Secret {} does not exist", secret.name),
        grace_period: GracePeriod::Short,
        ..Failure::new(
            Cause::NoValuesSecret,
            Stage::Template,
            object,
            format!("add the Secret {} beside packageinstall.yaml, or correct its `values`", secret.name),
        )
    }
}

/// Judges the last run of an App that is what is asked for.
fn judge_run(install: &PackageInstall, status: &PackageInstallStatus, app: &AppStatus, object: &str) -> Verdict {
    let (namespace, name) = (install.namespace().unwrap_or_default(), install.name_any());
    let service_account = &install.spec.service_account_name;
    let place = Place { namespace: &namespace, name: &name, service_account };
    match app.conditions.first().map(|condition| condition.r#type.as_str()) {
        Some("ReconcileSucceeded") => {
            if find(&status.conditions, "ReconcileSucceeded").is_some_and(Condition::is_true) {
                Verdict::Ready { version: status.version.clone() }
            } else if let Some(failed) = own_failure(status) {
                Verdict::Failed(selected::rejected(install, status, failed, object))
            } else {
                Verdict::pending(Stage::Deploy, "deployed; kapp-controller has yet to say so on the PackageInstall")
            }
        }
        Some("ReconcileFailed") => Verdict::Failed(stages::failure(app, place)),
        _ => stages::progress(app, place),
    }
}

/// Says what a PackageInstall alone says, and why that is not enough: it repeats its App, which may be about older values.
fn unproven(status: &PackageInstallStatus, refusal: &Error) -> Verdict {
    let said = status.conditions.first().map_or("nothing yet", |condition| match condition.r#type.as_str() {
        "ReconcileSucceeded" => "ReconcileSucceeded, which may be about older values",
        "ReconcileFailed" => "ReconcileFailed, which may be about older values",
        _ => "Reconciling",
    });
    Verdict::Unknown {
        why: format!("only its App proves that it is installed; the PackageInstall says {said}. {refusal}"),
        hint: refusal.hints().first().cloned().unwrap_or_default(),
    }
}

/// Judges an install for which kapp-controller has made no App.
fn judge_without_app(install: &PackageInstall, status: &PackageInstallStatus, object: &str) -> Verdict {
    match own_failure(status) {
        Some(condition) => Verdict::Failed(selected::rejected(install, status, condition, object)),
        None => Verdict::pending(Stage::Install, "kapp-controller has not made the App yet"),
    }
}

/// Finds what kapp-controller could not do with the PackageInstall itself. A failure that it only repeats from the App says
/// nothing that the App does not say more recently.
fn own_failure(status: &PackageInstallStatus) -> Option<&Condition> {
    find(&status.conditions, "ReconcileFailed").filter(|failed| {
        !failed.message.contains("see .status.usefulErrorMessage")
            || status.useful_error_message.contains(DOWNGRADE_REFUSED)
    })
}

/// Judges whether the App is what PackageInstall and Packages ask for now; `None` if it is.
///
/// kapp-controller v0.53.1 writes the status of a PackageInstall from the App as it was before it updates it
/// (carvel-dev/kapp-controller#1751), so the App itself is compared.
fn judge_up_to_date(
    install: &PackageInstall,
    status: &PackageInstallStatus,
    app: &App,
    selected: Option<&PackageSpec>,
    object: &str,
) -> Option<Verdict> {
    let installed = app.annotations().get(PACKAGE_VERSION_ANNOTATION).map(String::as_str).unwrap_or_default();
    let why = difference(install, app, installed, selected)?;
    // The new App could not even be made: a refused downgrade, an invalid field.
    if let Some(condition) = own_failure(status) {
        let failure = selected::rejected(install, status, condition, object);
        let is_of_selected = selected
            .is_none_or(|selected| failure.message.contains(&format!("matched version '{}'", selected.version)));
        if failure.cause != Cause::DowngradeRefused || is_of_selected {
            return Some(Verdict::Failed(failure));
        }
    }
    if app.annotations().contains_key(MANUALLY_CONTROLLED_ANNOTATION) {
        let (namespace, name) = (install.namespace().unwrap_or_default(), install.name_any());
        let hint = format!(
            "let kapp-controller update it: kubectl -n {namespace} annotate app {name} {MANUALLY_CONTROLLED_ANNOTATION}-"
        );
        return Some(Verdict::Failed(Failure {
            message: format!(
                "the App is annotated as manually controlled, so kapp-controller does not update it: {why}"
            ),
            ..Failure::new(Cause::ManuallyControlled, Stage::Install, &format!("App {namespace}/{name}"), hint)
        }));
    }
    Some(Verdict::pending(Stage::Install, why))
}

/// Says in what an App differs from what is asked for; `None` if in nothing that can be read.
fn difference(install: &PackageInstall, app: &App, installed: &str, selected: Option<&PackageSpec>) -> Option<String> {
    if app.metadata.deletion_timestamp.is_some() {
        return Some("the App is being deleted; kapp-controller makes it again".to_owned());
    }
    match selected {
        Some(selected) if installed.is_empty() => {
            return Some(format!("kapp-controller turns to version {}", selected.version));
        }
        Some(selected) if selected.version != installed => {
            return Some(format!("kapp-controller turns from version {installed} to {}", selected.version));
        }
        _ => {}
    }
    let (wanted, actual) = (&install.spec, &app.spec);
    let is_same = wanted.service_account_name == actual.service_account_name
        && wanted.cluster == actual.cluster
        && wanted.default_namespace == actual.default_namespace
        && wanted.paused == actual.paused
        && wanted.canceled == actual.canceled
        && wanted.values_secrets().all(|secret| actual.renders_with_secret(secret));
    if !is_same {
        return Some("kapp-controller turns to the new PackageInstall".to_owned());
    }
    let selected = selected.filter(|selected| !desired::is_desired(actual, install, selected))?;
    Some(format!("kapp-controller turns to the new content of version {}", selected.version))
}

#[cfg(test)]
mod tests;
