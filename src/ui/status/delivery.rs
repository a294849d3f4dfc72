//! What a tree says of one delivery. Pure.

use jiff::Timestamp;
use owo_colors::OwoColorize;

use super::{age, outcome};
use crate::observe::Verdict;
use crate::observe::survey::{Surveyed, Versions};
use crate::ui::text::{escape, one_line};

/// Returns the mark of a verdict.
pub(super) fn mark(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Ready { .. } => "✔".green().to_string(),
        Verdict::Pending { .. } => "…".yellow().to_string(),
        Verdict::Failed(_) => "✗".red().to_string(),
        Verdict::Unknown { .. } => "?".yellow().to_string(),
    }
}

/// Returns the line of a delivery, and those that explain it where it is not ready.
pub(super) fn delivery(surveyed: &Surveyed, now: Timestamp) -> Vec<String> {
    let (outcome, stage) = outcome(&surveyed.verdict);
    let mark = mark(&surveyed.verdict);
    let place = format!("namespace {}", surveyed.delivery.target_namespace);
    let mut lines = vec![
        [
            format!("{mark} {}", one_line(&surveyed.delivery.package)),
            format!("{outcome} {stage}").trim_end().to_owned(),
            surveyed.versions.as_ref().map(|versions| installed(versions, now)).unwrap_or_default(),
            place.dimmed().to_string(),
        ]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("  "),
    ];
    if let Some(versions) = &surveyed.versions
        && versions.selected.is_some()
        && versions.selected != versions.installed
    {
        lines.push(format!(
            "{} selects {}",
            one_line(&versions.constraints),
            one_line(versions.selected.as_deref().unwrap_or_default())
        ));
    }
    lines.extend(explanation(surveyed));
    lines
}

/// Returns the lines that explain why a delivery is not ready.
pub(super) fn explanation(surveyed: &Surveyed) -> Vec<String> {
    let (why, hint) = match &surveyed.verdict {
        Verdict::Ready { .. } => return Vec::new(),
        Verdict::Pending { why, .. } => (why.as_str(), ""),
        Verdict::Unknown { why, hint } => (why.as_str(), hint.as_str()),
        Verdict::Failed(failure) => (failure.message.as_str(), failure.hint.as_str()),
    };
    let mut lines: Vec<String> = escape(why).lines().map(str::to_owned).collect();
    if matches!(surveyed.verdict, Verdict::Unknown { .. }) {
        let [packages, installs] = &surveyed.flux;
        lines.push(format!("Flux's own Ready: packages {packages}, packageinstalls {installs}"));
    }
    if !hint.is_empty() {
        lines.push(format!("{} {}", "Hint:".cyan(), escape(hint)));
    }
    lines
}

/// Says what is installed, and how old that knowledge is.
fn installed(versions: &Versions, now: Timestamp) -> String {
    let Some(installed) = &versions.installed else { return "nothing installed".to_owned() };
    match versions.reconciled {
        Some(time) => format!("{}  reconciled {} ago", one_line(installed), age(time, now)),
        None => one_line(installed),
    }
}
