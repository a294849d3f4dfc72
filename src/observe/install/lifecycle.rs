//! What keeps an install from being reconciled at all: it is being deleted, paused or canceled. Pure.

use kube::ResourceExt;

use super::stages::{last_lines, waiting_on};
use super::{Cause, Failure, Installed, Patience, Stage, Verdict, failure};
use crate::carvel::{App, PackageInstall, PackageInstallStatus};
use crate::conditions::find;

/// Judges whether the install lives and is reconciled; `None` if it does and is.
pub(super) fn judge(
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
        patience: Patience::Short,
        ..failure(Cause::DeleteFailed, Stage::Install, object, hint)
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
