//! Whether an App has read the values that are there now. Pure.
//!
//! A Secret's change moves no generation. kapp-controller tracks the Secret and runs the App again; a run reads the values
//! once its fetch is done, so a fetch that was done in a later second proves that they were read. Within one second there
//! are two more ways: a Secret that was never changed after its creation was there if the templates could be rendered;
//! else the run that the tracking starts has to come, and where none has come for long enough, the one in that second was it.

use jiff::Timestamp;

use super::{Cause, Failure, Installed, Patience, Stage, ValuesSecret, Verdict, failure};
use crate::carvel::AppStatus;

/// Judges whether the App has read all values; `None` if it has.
pub(super) fn judge(installed: &Installed<'_>, status: &AppStatus, object: &str) -> Option<Verdict> {
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
        None => Some(Verdict::Failed(missing(secret, object))),
        Some(changed) if has_read(secret.created, changed) => None,
        Some(_) => Some(Verdict::pending(
            Stage::Template,
            format!("kapp-controller has yet to read the new values in Secret {}", secret.name),
        )),
    })
}

fn missing(secret: &ValuesSecret, object: &str) -> Failure {
    Failure {
        message: format!("the values Secret {} does not exist", secret.name),
        patience: Patience::Short,
        ..failure(
            Cause::NoValuesSecret,
            Stage::Template,
            object,
            format!("add the Secret {} beside packageinstall.yaml, or correct its `values`", secret.name),
        )
    }
}
