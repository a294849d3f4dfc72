//! A status as a tree: source → run cluster → delivery, with what is wrong right below, and the answer in the last line.

use std::collections::BTreeSet;

use jiff::Timestamp;
use owo_colors::OwoColorize;

use super::fleet::{self, Branch};
use super::{age, outcome};
use crate::observe::Verdict;
use crate::observe::expectation::short_revision;
use crate::observe::survey::{Surveyed, Versions};
use crate::ui::alike;
use crate::ui::text::{escape, one_line};

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
