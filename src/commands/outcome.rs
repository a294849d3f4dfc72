//! What a command ends with: results on standard output, everything that is not ready explained.

use jiff::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::observe::expectation::short_revision;
use crate::observe::wait::Outcome;
use crate::observe::{Delivery, Verdict};
use crate::ui::alike;
use crate::ui::conclusion::{explanations, result_line};
use crate::ui::events::{Body, CommandResult, Conclusion, Event, PreviewResult, Removal, Rotation, SourceResult};
use crate::ui::{Format, Ui};

/// Reports every delivery, and turns what is not ready into an error.
pub fn report(ui: Ui, deliveries: &[Delivery], outcomes: &[Outcome]) -> Result<()> {
    let failure = failure(outcomes);
    let written = match ui.format {
        Format::Json => ui.event(&result_event(deliveries, outcomes, failure)),
        Format::Text => deliveries
            .iter()
            .zip(outcomes)
            .try_for_each(|(delivery, outcome)| ui.result(&result_line(delivery, outcome))),
    };
    // A reader of the results that went away does not hide a failure.
    let Some(kind) = failure else { return written };
    if ui.format == Format::Text {
        ui.explanation(&explanations(deliveries, outcomes));
    }
    let unready = outcomes.iter().filter(|outcome| !is_ready(outcome)).count();
    let verb = if unready == 1 { "is" } else { "are" };
    let in_time = if kind == ErrorKind::Timeout { " in time" } else { "" };
    Err(Error::of_kind(kind, format!("{unready} of {} {verb} not ready{in_time}", alike::count(outcomes.len())))
        .reported())
}

fn result_event(deliveries: &[Delivery], outcomes: &[Outcome], failure: Option<ErrorKind>) -> Event {
    let conclusions =
        deliveries.iter().zip(outcomes).map(|(delivery, outcome)| Conclusion::of_outcome(delivery, outcome));
    let body = Body::Result(CommandResult {
        outcome: outcome("ready", failure),
        exit_code: failure.map_or(0, ErrorKind::exit_code),
        deliveries: conclusions.collect(),
        ..CommandResult::default()
    });
    Event::new(Timestamp::now(), body)
}

/// Names what came of a command in its JSON.
fn outcome(success: &'static str, failure: Option<ErrorKind>) -> &'static str {
    match failure {
        None => success,
        Some(ErrorKind::Timeout) => "timeout",
        Some(_) => "failed",
    }
}

/// Reports a source that Flux has fetched.
pub(super) fn report_fetched(ui: Ui, namespace: &str, package: &str, revision: &str) -> Result<()> {
    match ui.format {
        Format::Text => ui.result(&format!("{package}  fetched  {}", short_revision(revision))),
        Format::Json => ui.event(&Event::new(
            Timestamp::now(),
            Body::Result(CommandResult {
                outcome: "ready",
                exit_code: 0,
                source: Some(SourceResult {
                    namespace: namespace.to_owned(),
                    package: package.to_owned(),
                    revision: revision.to_owned(),
                }),
                ..CommandResult::default()
            }),
        )),
    }
}

/// Reports what `remove-cluster` has removed.
pub(super) fn report_removed(ui: Ui, removal: &Removal) -> Result<()> {
    match ui.format {
        Format::Text => removal.lines().iter().try_for_each(|line| ui.result(line)),
        Format::Json => ui.event(&Event::new(
            Timestamp::now(),
            Body::Result(CommandResult {
                outcome: "removed",
                exit_code: 0,
                removal: Some(removal.clone()),
                ..CommandResult::default()
            }),
        )),
    }
}

/// Reports what became of each run cluster that `rotate` was asked for.
pub(super) fn report_rotated(ui: Ui, rotations: &[Rotation], failure: Option<ErrorKind>) -> Result<()> {
    match ui.format {
        Format::Text => rotations.iter().try_for_each(|rotation| ui.result(&rotation.line())),
        Format::Json => ui.event(&Event::new(
            Timestamp::now(),
            Body::Result(CommandResult {
                outcome: outcome("rotated", failure),
                exit_code: failure.map_or(0, ErrorKind::exit_code),
                rotations: rotations.to_vec(),
                ..CommandResult::default()
            }),
        )),
    }
}

/// Reports a preview, and says by its exit code whether something differs.
pub(super) fn report_preview(ui: Ui, outcome: &'static str, exit_code: u8, preview: PreviewResult) -> Result<()> {
    let body = Body::Result(CommandResult {
        outcome,
        exit_code,
        preview: Some(Box::new(preview)),
        ..CommandResult::default()
    });
    ui.event(&Event::new(Timestamp::now(), body))
}

/// Reports that everything was done that needs no waiting, and what that leaves.
pub(super) fn report_applied(ui: Ui, what: &str, remaining: Option<&str>) -> Result<()> {
    if let Some(remaining) = remaining {
        ui.warning(remaining);
    }
    match ui.format {
        Format::Text => ui.result(&format!("{what}  applied")),
        Format::Json => ui.event(&Event::new(
            Timestamp::now(),
            Body::Result(CommandResult { outcome: "applied", exit_code: 0, ..CommandResult::default() }),
        )),
    }
}

/// Reports that files were committed that Flux does not follow yet, and the commands that bring about what they are for.
pub(super) fn report_committed(ui: Ui, what: &str, next: Vec<String>) -> Result<()> {
    match ui.format {
        Format::Text => {
            ui.result(&format!("{what}  committed"))?;
            ui.proposal("To go on, run:");
            for command in next {
                ui.proposal(&format!("  {command}"));
            }
            Ok(())
        }
        Format::Json => ui.event(&Event::new(
            Timestamp::now(),
            Body::Result(CommandResult { outcome: "committed", exit_code: 0, next, ..CommandResult::default() }),
        )),
    }
}

/// Returns the kind of failure of the whole: a timeout only where nothing was decided otherwise.
fn failure(outcomes: &[Outcome]) -> Option<ErrorKind> {
    let unready: Vec<&Outcome> = outcomes.iter().filter(|outcome| !is_ready(outcome)).collect();
    if unready.is_empty() {
        None
    } else if unready.iter().any(|outcome| matches!(outcome, Outcome::Decided(_))) {
        Some(ErrorKind::Failed)
    } else {
        Some(ErrorKind::Timeout)
    }
}

fn is_ready(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Decided(Verdict::Ready { .. }))
}
