//! A status as a tree: source → run cluster → delivery, with what is wrong right below, and the answer in the last line.

use std::collections::BTreeSet;

use jiff::Timestamp;
use owo_colors::OwoColorize;

use super::delivery::delivery;
use super::fleet::{self, Branch};
use crate::observe::Verdict;
use crate::observe::expectation::short_revision;
use crate::observe::survey::Surveyed;
use crate::ui::alike;
use crate::ui::text::one_line;

/// Up to so many run clusters are all shown.
const FEW: usize = 5;

/// How much of a status is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every delivery.
    All,
    /// Of more than a few run clusters only what needs attention.
    Attention,
}

/// Returns the lines of the tree.
#[must_use]
pub fn lines(surveyed: &[Surveyed], now: Timestamp, extent: Extent) -> Vec<String> {
    let run_clusters: BTreeSet<(&str, &str)> =
        surveyed.iter().map(|one| (one.delivery.namespace.as_str(), one.delivery.run_cluster.as_str())).collect();
    let is_fleet = extent == Extent::Attention && run_clusters.len() > FEW;
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
        if is_fleet {
            push_branches(&mut lines, &fleet::branches(&of_source, now), "");
        } else {
            push_run_clusters(&mut lines, &of_source, now);
        }
    }
    if is_fleet {
        lines.extend(fleet::versions(surveyed));
    }
    lines.push(answer(surveyed));
    lines
}

fn push_branches(lines: &mut Vec<String>, branches: &[Branch], stem: &str) {
    for (number, branch) in branches.iter().enumerate() {
        let (corner, below) =
            if number + 1 == branches.len() { ("└──", "    ") } else { ("├──", "│   ") };
        lines.push(format!("{stem}{corner} {}", branch.title));
        let stem = format!("{stem}{below}");
        lines.extend(branch.below.iter().map(|line| format!("{stem}  {line}")));
        push_branches(lines, &branch.children, &stem);
    }
}

fn is_ready(surveyed: &Surveyed) -> bool {
    matches!(surveyed.verdict, Verdict::Ready { .. })
}

fn push_run_clusters(lines: &mut Vec<String>, of_source: &[&Surveyed], now: Timestamp) {
    let mut run_clusters: Vec<&str> = of_source.iter().map(|one| one.delivery.run_cluster.as_str()).collect();
    run_clusters.sort_unstable();
    run_clusters.dedup();
    for (number, run_cluster) in run_clusters.iter().enumerate() {
        let is_last = number + 1 == run_clusters.len();
        lines.push(format!("{} {}", if is_last { "└──" } else { "├──" }, one_line(run_cluster).bold()));
        let stem = if is_last { "   " } else { "│  " };
        let here: Vec<&&Surveyed> = of_source.iter().filter(|one| one.delivery.run_cluster == *run_cluster).collect();
        for (number, one) in here.iter().enumerate() {
            let is_last = number + 1 == here.len();
            let (branch, below) = if is_last { ("└──", "   ") } else { ("├──", "│  ") };
            let mut said = delivery(one, now).into_iter();
            lines.push(format!("{stem} {branch} {}", said.next().unwrap_or_default()));
            lines.extend(said.map(|line| format!("{stem} {below}   {line}")));
        }
    }
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
