//! What a wait ends with: a line per delivery as the result, and a block for each that is not ready. Pure.

use owo_colors::OwoColorize;

use super::text::{escape, one_line};
use crate::observe::wait::Outcome;
use crate::observe::{Delivery, Stage, Verdict};
use crate::shell::quoted;

/// Returns the line of the result for a delivery, such as `hello-app on prod1  ready  1.2.0`.
#[must_use]
pub fn result_line(delivery: &Delivery, outcome: &Outcome) -> String {
    let rest = match outcome.verdict() {
        Verdict::Ready { version } => format!("ready  {}", one_line(version)),
        Verdict::Failed(failure) if outcome.is_decided() => format!("failed  {}", failure.stage.name()),
        Verdict::Failed(failure) => format!("pending  {}", failure.stage.name()),
        Verdict::Pending { stage, .. } => format!("pending  {}", stage.name()),
        Verdict::Unknown { .. } => "unknown".to_owned(),
    };
    format!("{}  {rest}", one_line(&delivery.display()))
}

/// Returns the lines, set off by an empty one, that explain a delivery that is not ready: where, why in the server's words, and the next command.
#[must_use]
pub fn explanation(delivery: &Delivery, outcome: &Outcome) -> Vec<String> {
    let run_cluster = format!("run cluster {}", delivery.run_cluster);
    let namespace = format!("namespace {} on {run_cluster}", delivery.target_namespace);
    let (state, place, why, next) = match outcome.verdict() {
        Verdict::Ready { .. } => return Vec::new(),
        Verdict::Failed(failure) => {
            let cluster = if is_on_run_cluster(&failure.object) { run_cluster } else { "the build cluster".to_owned() };
            let place = format!("{} on {cluster}", failure.object);
            let how = match outcome {
                Outcome::Decided(_) => "failed in".to_owned(),
                _ => format!("{}, last seen failing in", still(outcome)),
            };
            (format!("{how} {}", failure.stage.name()), place, failure.message.clone(), failure.hint.clone())
        }
        Verdict::Pending { stage, why } => {
            let state = format!("{}, still in {}", still(outcome), stage.name());
            let place = match stage {
                Stage::Source => {
                    format!("GitRepository {}/{} on the build cluster", delivery.source.0, delivery.source.1)
                }
                Stage::Packages => {
                    format!(
                        "Kustomization {}/{} on the build cluster",
                        delivery.namespace, delivery.packages_kustomization
                    )
                }
                Stage::Install | Stage::Fetch | Stage::Template | Stage::Deploy => namespace,
            };
            (state, place, why.clone(), keep_waiting(delivery))
        }
        Verdict::Unknown { why, hint } => ("unknown".to_owned(), namespace, why.clone(), hint.clone()),
    };
    let mut lines = vec![String::new(), format!("{} {}  {state}", "✗".red(), one_line(&delivery.display()).bold())];
    for (label, text) in [("Where:", place), ("Caused by:", why), ("Hint:", next)] {
        let text = escape(&text);
        let mut said = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        if let Some(first) = said.next() {
            lines.push(format!("  {}{first}", format!("{label:<11}").bold()));
            lines.extend(said.map(|line| format!("             {line}")));
        }
    }
    lines
}

/// Says why an outcome is open.
fn still(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Stopped(_) => "not waited for any longer",
        Outcome::TimedOut(_) | Outcome::Decided(_) => "not ready in time",
    }
}

/// Returns the command that goes on waiting for a delivery.
#[must_use]
pub fn keep_waiting(delivery: &Delivery) -> String {
    format!(
        "kubectl carvelflux wait -n {} --package {} --run-cluster {} --timeout 30m",
        quoted(&delivery.namespace),
        quoted(&delivery.package),
        quoted(&delivery.run_cluster)
    )
}

/// Tells on which side an object is, by its kind: kapp-controller's are on the run cluster, Flux's on the build cluster.
#[must_use]
pub fn is_on_run_cluster(object: &str) -> bool {
    matches!(object.split(' ').next(), Some("PackageInstall" | "App" | "Package"))
}
