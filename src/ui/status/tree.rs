//! A status as a tree: source → run cluster → delivery, with what is wrong right below, and the answer in the last line.

use jiff::Timestamp;
use owo_colors::OwoColorize;

use super::{age, outcome};
use crate::observe::Verdict;
use crate::observe::expectation::short_revision;
use crate::observe::survey::{Surveyed, Versions};
use crate::ui::text::{escape, one_line};

/// Returns the lines of the tree.
#[must_use]
pub fn lines(surveyed: &[Surveyed], now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let mut sources: Vec<&(String, String)> = surveyed.iter().map(|one| &one.delivery.source).collect();
    sources.sort();
    sources.dedup();
    for source in sources {
        let of_source: Vec<&Surveyed> = surveyed.iter().filter(|one| one.delivery.source == *source).collect();
        let revision = of_source.iter().find_map(|one| one.revision.as_deref()).map(short_revision);
        lines.push(format!(
            "{}  {}",
            format!("GitRepository {}/{}", source.0, source.1).bold(),
            revision.unwrap_or_else(|| "nothing fetched".to_owned())
        ));
        push_run_clusters(&mut lines, &of_source, now);
    }
    lines.push(answer(surveyed));
    lines
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

/// Returns the line of a delivery, and those that explain it where it is not ready.
fn delivery(surveyed: &Surveyed, now: Timestamp) -> Vec<String> {
    let (outcome, stage) = outcome(&surveyed.verdict);
    let mark = match &surveyed.verdict {
        Verdict::Ready { .. } => "✔".green().to_string(),
        Verdict::Pending { .. } => "…".yellow().to_string(),
        Verdict::Failed(_) => "✗".red().to_string(),
        Verdict::Unknown { .. } => "?".yellow().to_string(),
    };
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
    let (why, hint) = match &surveyed.verdict {
        Verdict::Ready { .. } => return lines,
        Verdict::Pending { why, .. } => (why.as_str(), ""),
        Verdict::Unknown { why, hint } => (why.as_str(), hint.as_str()),
        Verdict::Failed(failure) => (failure.message.as_str(), failure.hint.as_str()),
    };
    lines.extend(escape(why).lines().map(str::to_owned));
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
    let unready: Vec<String> = surveyed
        .iter()
        .filter(|one| !matches!(one.verdict, Verdict::Ready { .. }))
        .map(|one| one.delivery.display())
        .collect();
    let noun = if surveyed.len() == 1 { "delivery" } else { "deliveries" };
    if unready.is_empty() {
        format!("{} {noun}, all ready", surveyed.len())
    } else {
        format!("{} {noun}, {} not ready: {}", surveyed.len(), unready.len(), unready.join(", "))
    }
}
