//! A status as a tree: source → run cluster → delivery, with what is wrong right below, and the answer in the last line.

use std::collections::BTreeSet;

use jiff::Timestamp;
use owo_colors::OwoColorize;

use super::{branch, fleet};
use crate::observe::Verdict;
use crate::observe::expectation::short_revision;
use crate::observe::survey::Surveyed;
use crate::ui::alike;
use crate::ui::extent::Extent;
use crate::ui::text::one_line;

/// Returns the lines of the tree.
#[must_use]
pub fn lines(surveyed: &[Surveyed], now: Timestamp, extent: Extent) -> Vec<String> {
    let run_clusters: BTreeSet<(&str, &str)> =
        surveyed.iter().map(|one| (one.delivery.namespace.as_str(), one.delivery.run_cluster.as_str())).collect();
    let is_fleet = extent.sums_up(run_clusters.len());
    let mut sources: Vec<&(String, String)> = surveyed.iter().map(|one| &one.delivery.source).collect();
    sources.sort();
    sources.dedup();
    let mut of_sources: Vec<(&(String, String), Vec<&Surveyed>)> = sources
        .into_iter()
        .map(|source| (source, surveyed.iter().filter(|one| one.delivery.source == *source).collect()))
        .collect();
    if is_fleet {
        // What needs attention comes first; the order is otherwise kept.
        of_sources.sort_by_key(|(_, of_source)| of_source.iter().all(|one| is_ready(one)));
    }
    let mut lines = Vec::new();
    for (source, of_source) in of_sources {
        let revision = of_source.iter().find_map(|one| one.revision.as_deref()).map(short_revision);
        lines.push(format!(
            "{}  {}",
            format!("GitRepository {}/{}", source.0, source.1).bold(),
            revision.unwrap_or_else(|| "nothing fetched".to_owned())
        ));
        let branches = if is_fleet { fleet::branches(&of_source, now) } else { branch::run_clusters(of_source, now) };
        branch::draw(&mut lines, &branches, "");
    }
    if is_fleet {
        lines.extend(fleet::versions(surveyed));
    }
    lines.push(answer(surveyed));
    lines
}

fn is_ready(surveyed: &Surveyed) -> bool {
    matches!(surveyed.verdict, Verdict::Ready { .. })
}

/// Answers the question that was asked: is it installed everywhere?
fn answer(surveyed: &[Surveyed]) -> String {
    let unready: Vec<&Surveyed> = surveyed.iter().filter(|one| !is_ready(one)).collect();
    let all = alike::count(surveyed.len());
    if unready.is_empty() {
        format!("{all}, all ready")
    } else {
        let names = alike::names_of(unready.iter().map(|one| &one.delivery));
        format!("{all}, {} not ready: {}", unready.len(), one_line(&names))
    }
}
