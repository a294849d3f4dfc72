//! What a wait ended with: results on standard output, everything that is not ready explained.

use crate::error::{Error, ErrorKind, Result};
use crate::observe::wait::Outcome;
use crate::observe::{Delivery, Verdict};
use crate::ui::Ui;

/// Prints a line per delivery, and turns what is not ready into an error with the next steps.
pub(super) fn report(ui: Ui, deliveries: &[Delivery], outcomes: &[Outcome]) -> Result<()> {
    for (delivery, outcome) in deliveries.iter().zip(outcomes) {
        ui.result(&format!("{}  {}", delivery.display(), word(outcome)))?;
    }
    let unready: Vec<(&Delivery, &Outcome)> = deliveries
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| !matches!(outcome, Outcome::Decided(Verdict::Ready { .. })))
        .collect();
    if unready.is_empty() {
        return Ok(());
    }
    let has_failed = unready.iter().any(|(_, outcome)| matches!(outcome, Outcome::Decided(_)));
    let kind = if has_failed { ErrorKind::Failed } else { ErrorKind::Timeout };
    let summary = match kind {
        ErrorKind::Timeout => "not ready in time",
        _ => "not ready",
    };
    let mut error = Error::of_kind(kind, format!("{} of {} deliveries {summary}", unready.len(), deliveries.len()));
    for (delivery, outcome) in unready {
        let (cause, hint) = explain(delivery, outcome);
        error = error.because(cause);
        if !hint.is_empty() {
            error = error.hint(hint);
        }
    }
    Err(error)
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Decided(Verdict::Ready { version }) => format!("ready  {version}"),
        Outcome::Decided(Verdict::Failed(failure)) => format!("failed  {}", failure.stage.name()),
        Outcome::Decided(Verdict::Unknown { .. }) => "unknown".to_owned(),
        Outcome::Decided(Verdict::Pending { stage, .. }) | Outcome::TimedOut(Verdict::Pending { stage, .. }) => {
            format!("pending  {}", stage.name())
        }
        Outcome::TimedOut(_) => "pending".to_owned(),
    }
}

fn explain(delivery: &Delivery, outcome: &Outcome) -> (String, String) {
    let place = delivery.display();
    match outcome {
        Outcome::Decided(verdict) | Outcome::TimedOut(verdict) => match verdict {
            Verdict::Failed(failure) => {
                (format!("{place}, {}, {}: {}", failure.stage.name(), failure.object, failure.message), failure.hint.clone())
            }
            Verdict::Unknown { why, hint } => (format!("{place}: {why}"), hint.clone()),
            Verdict::Pending { stage, why } => (
                format!("{place}, {}: {why}", stage.name()),
                format!(
                    "keep waiting: kubectl carvelflux wait -n {} --package {} --run-cluster {} --timeout 30m",
                    delivery.namespace, delivery.package, delivery.run_cluster
                ),
            ),
            Verdict::Ready { .. } => (place, String::new()),
        },
    }
}
