//! A status as a table in kubectl's manner: a line per delivery, padded columns, no borders.

use jiff::Timestamp;

use super::{age, outcome};
use crate::observe::Verdict;
use crate::observe::expectation::short_revision;
use crate::observe::survey::Surveyed;
use crate::ui::text::{one_line, width};

const HEADER: [&str; 10] = [
    "NAMESPACE",
    "RUN CLUSTER",
    "PACKAGE",
    "STATUS",
    "STAGE",
    "INSTALLED",
    "SELECTED",
    "RECONCILED",
    "REVISION",
    "MESSAGE",
];

/// Returns the lines of the table.
#[must_use]
pub fn lines(surveyed: &[Surveyed], now: Timestamp) -> Vec<String> {
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(surveyed.iter().map(|one| row(one, now)));
    let widths: Vec<usize> =
        (0..HEADER.len()).map(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or_default()).collect();
    rows.iter()
        .map(|row| {
            let padded = row
                .iter()
                .zip(&widths)
                .map(|(cell, widest)| format!("{cell}{}", " ".repeat(widest.saturating_sub(width(cell)))));
            padded.collect::<Vec<_>>().join("   ").trim_end().to_owned()
        })
        .collect()
}

fn row(surveyed: &Surveyed, now: Timestamp) -> [String; 10] {
    let delivery = &surveyed.delivery;
    let (outcome, stage) = outcome(&surveyed.verdict);
    let versions = surveyed.versions.clone().unwrap_or_default();
    let message = match &surveyed.verdict {
        Verdict::Ready { .. } => String::new(),
        Verdict::Pending { why, .. } | Verdict::Unknown { why, .. } => why.clone(),
        Verdict::Failed(failure) => failure.message.lines().next().unwrap_or_default().to_owned(),
    };
    let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { one_line(&text) };
    [
        delivery.namespace.clone(),
        delivery.run_cluster.clone(),
        delivery.package.clone(),
        outcome.to_owned(),
        or_none(stage.to_owned()),
        or_none(versions.installed.unwrap_or_default()),
        or_none(versions.selected.unwrap_or_default()),
        or_none(versions.reconciled.map(|time| format!("{} ago", age(time, now))).unwrap_or_default()),
        or_none(surveyed.revision.as_deref().map(short_revision).unwrap_or_default()),
        or_none(message),
    ]
}
