//! What the stages of an App say: how far a deploy is, and why it failed. Pure.

use jiff::Timestamp;

use super::explain::{Place, explain};
use super::{Failure, Stage, Verdict};
use crate::carvel::AppStatus;

/// Lines of a tool's output that a failure quotes at most.
const QUOTED_LINES: usize = 12;

/// Says how far a reconciling App is.
pub(super) fn progress(status: &AppStatus) -> Verdict {
    let started = |stage: Option<&crate::carvel::Stage>| stage.and_then(|stage| stage.started_at.or(stage.updated_at));
    let fetch_started = started(status.fetch.as_ref());
    // Stages that began before the last fetch speak of the run before.
    let current = |stage: Option<&crate::carvel::Stage>| started(stage) >= fetch_started && fetch_started.is_some();
    let Some(deploy) = status.deploy.as_ref().filter(|deploy| current(Some(deploy)) && !deploy.finished) else {
        if status.fetch.is_some() && current(status.template.as_ref()) {
            return Verdict::pending(Stage::Template, "rendering the templates");
        }
        return Verdict::pending(Stage::Fetch, "fetching the bundle");
    };
    Verdict::pending(Stage::Deploy, waiting_on(&deploy.stdout).unwrap_or_else(|| "deploying".to_owned()))
}

/// Finds in kapp's output what it waits for: its own count, such as `[3/5 done]`, and the resource.
pub(super) fn waiting_on(output: &str) -> Option<String> {
    let lines: Vec<&str> = output.lines().map(str::trim).collect();
    let header = lines.iter().rposition(|line| line.contains("---- waiting on "));
    let count = header.and_then(|at| lines[at].split_once('[')).and_then(|(_, rest)| rest.split_once(" done]"));
    // `L ongoing: waiting on pod/…` below it speaks of a part of the resource; that something is deleted is worth saying.
    let resource = lines.iter().rev().find_map(|line| {
        let (_, action) = line.split_once("ongoing: ")?;
        action.strip_prefix("reconcile ").or_else(|| action.starts_with("delete ").then_some(action))
    });
    match (count, resource) {
        (Some((count, _)), Some(resource)) => Some(format!("[{count} done] waiting on {resource}")),
        (Some((count, _)), None) => Some(format!("[{count} done]")),
        (None, Some(resource)) => Some(format!("waiting on {resource}")),
        (None, None) => None,
    }
}

/// Names the failed stage of an App, with the tool's own last lines.
pub(super) fn failure(status: &AppStatus, place: Place<'_>) -> Failure {
    let object = format!("App {}/{}", place.namespace, place.name);
    let failed = |stage: &Option<crate::carvel::Stage>| {
        stage.as_ref().filter(|stage| stage.exit_code != 0 || !stage.error.is_empty()).cloned()
    };
    let (stage, words) = if let Some(fetch) = failed(&status.fetch) {
        (Stage::Fetch, said(&fetch, status))
    } else if let Some(template) = failed(&status.template) {
        (Stage::Template, without_values(&said(&template, status)))
    } else if let Some(deploy) = failed(&status.deploy) {
        (Stage::Deploy, said(&deploy, status))
    } else {
        (Stage::Deploy, status.useful_error_message.clone())
    };
    let message = if words.trim().is_empty() {
        status.conditions.first().map(|condition| condition.message.clone()).unwrap_or_default()
    } else {
        words
    };
    let (cause, patience, hint) = explain(stage, &message, place);
    Failure { cause, stage, object, message: last_lines(&message), hint, patience, attempt: attempt(status) }
}

/// Returns when the last run began.
pub(super) fn attempt(status: &AppStatus) -> Option<Timestamp> {
    let began =
        |stage: &Option<crate::carvel::Stage>| stage.as_ref().and_then(|stage| stage.started_at.or(stage.updated_at));
    began(&status.fetch).or_else(|| began(&status.deploy))
}

fn said(stage: &crate::carvel::Stage, status: &AppStatus) -> String {
    [&stage.stderr, &stage.error, &status.useful_error_message]
        .into_iter()
        .find(|words| !words.trim().is_empty())
        .cloned()
        .unwrap_or_default()
}

/// Hides the values in what ytt quotes of the values file, such as `  3 | hostname: secret`: they may be secret.
///
/// Lines of templates, which ytt quotes in the same way, hold code (`#@`) or name their file before.
fn without_values(text: &str) -> String {
    let hidden = |line: &str| {
        let (number, quoted) = line.split_once(" | ")?;
        let is_quote = !number.trim().is_empty() && number.trim().bytes().all(|byte| byte.is_ascii_digit());
        if !is_quote || quoted.contains("#@") {
            return None;
        }
        let name = quoted.split_once(':').map(|(name, _)| format!("{name}:")).unwrap_or_default();
        Some(format!("{number} | {name} (hidden)"))
    };
    text.lines().map(|line| hidden(line).unwrap_or_else(|| line.to_owned())).collect::<Vec<_>>().join("\n")
}

/// Quotes the end of a tool's output.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().filter(|line| !line.trim().is_empty()).collect();
    let skipped = lines.len().saturating_sub(QUOTED_LINES);
    let kept = lines[skipped..].join("\n");
    if skipped == 0 { kept } else { format!("…\n{kept}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kapps_own_count_and_resource_are_found() {
        let output = "\
10:00:01AM: ---- waiting on 3 changes [0/3 done] ----
10:00:02AM: ok: reconcile configmap/hello (v1) namespace: apps
10:00:02AM: ---- waiting on 1 changes [2/3 done] ----
10:00:02AM: ongoing: reconcile deployment/hello (apps/v1) namespace: apps
10:00:02AM:  ^ Waiting for 2 unavailable replicas
10:00:02AM:  L ongoing: waiting on pod/hello-1 (v1) namespace: apps";
        assert_eq!(
            waiting_on(output).as_deref(),
            Some("[2/3 done] waiting on deployment/hello (apps/v1) namespace: apps")
        );
        assert_eq!(waiting_on("Target cluster"), None);
        let deleting = "10:00:01AM: ongoing: delete configmap/hello (v1) namespace: apps";
        assert_eq!(waiting_on(deleting).as_deref(), Some("waiting on delete configmap/hello (v1) namespace: apps"));
    }

    #[test]
    fn values_that_ytt_quotes_are_hidden_and_code_is_not() {
        let text =
            "values.yml:\n    |\n  3 | hostname: fake-secret\n    |\n config.yml:5 | x: 1\n  7 | y: #@ data.values.y";
        let said = without_values(text);
        assert!(said.contains("  3 | hostname: (hidden)") && !said.contains("fake-secret"), "{said}");
        assert!(said.contains("config.yml:5 | x: 1") && said.contains("#@ data.values.y"), "{said}");
    }

    #[test]
    fn only_the_last_lines_are_quoted() {
        let long: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
        let quoted = last_lines(&long.join("\n"));
        assert!(quoted.starts_with("…\n9\n") && quoted.ends_with("\n20"), "{quoted}");
    }
}
