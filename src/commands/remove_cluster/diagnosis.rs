//! Why a deletion does not come to an end: what the wait cannot see by itself, and what to do next.

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::Value;

use super::answers::Answers;
use super::gather::Facts;
use super::guard;
use crate::error::Error;
use crate::flux::kustomization_resource;
use crate::object::{ObjectReference, api_resource};
use crate::shell::quoted;
use crate::ui::text::headline;

/// Adds to an error of the deadline what Flux says in its events, and whether it may still do what it has to.
pub(super) async fn explain(answers: &Answers, facts: &Facts, error: Error) -> Error {
    let mut error = error;
    let waits_for = |kind: &str| error.causes().iter().any(|cause| cause.starts_with(kind));
    let (kustomization, install) = (waits_for("Kustomization "), waits_for("PackageInstall ") || waits_for("App "));
    if kustomization {
        for warning in warnings(answers, facts).await {
            error = error.because(warning);
        }
        let leaving = facts.build.leaving.iter().filter(|_| answers.run.is_some());
        for (leaving, kustomization) in leaving.flat_map(|one| answers.kustomizations_of(one).map(|other| (one, other)))
        {
            let Some(kustomization) = kustomization else { continue };
            if let Err(cause) = guard::flux_may_delete(answers, leaving, kustomization).await {
                error = error.because(&cause);
                for hint in cause.hints() {
                    error = error.hint(hint);
                }
            }
        }
        error = error.hint("is kustomize-controller running? kubectl -n flux-system logs deploy/kustomize-controller");
    }
    if install && let Some((run, _)) = &answers.run {
        error = error.hint(format!(
            "is kapp-controller running? kubectl --context {} -n kapp-controller get pods",
            quoted(run.context())
        ));
        error = error.hint(format!(
            "see what kapp-controller says: kubectl --context {} -n {} describe app",
            quoted(run.context()),
            facts
                .build
                .leaving
                .iter()
                .flat_map(|leaving| &leaving.namespaces)
                .next()
                .map_or("NAMESPACE", String::as_str)
        ));
    }
    error
}

/// Returns Flux's last warning about each of the Kustomizations since it was deleted.
async fn warnings(answers: &Answers, facts: &Facts) -> Vec<String> {
    let events: Vec<DynamicObject> =
        answers.build.list(&api_resource("", "v1", "Event"), &answers.namespace).await.unwrap_or_default();
    let text = |event: &DynamicObject, pointer: &str| {
        event.data.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let time = |event: &DynamicObject| text(event, "/lastTimestamp").parse::<Timestamp>().ok();
    let resource = kustomization_resource(answers.versions.kustomization);
    let mut warnings = Vec::new();
    for name in facts.build.leaving.iter().flat_map(|leaving| leaving.kustomizations().map(str::to_owned)) {
        let reference = ObjectReference::namespaced(&resource, &answers.namespace, &name);
        let Ok(Some(object)) = answers.build.get_metadata(&reference).await else { continue };
        let Some(deleted) = object.metadata.deletion_timestamp else { continue };
        let last = events
            .iter()
            .filter(|event| text(event, "/type") == "Warning" && text(event, "/involvedObject/name") == name)
            .filter(|event| time(event) >= Some(deleted.0))
            .max_by_key(|event| time(event));
        warnings.extend(last.map(|event| format!("Flux says of {name}: {}", headline(&text(event, "/message")))));
    }
    warnings
}
