//! The status of many run clusters: what needs attention, and the rest in a few lines. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use owo_colors::OwoColorize;

use super::branch::{Branch, run_clusters};
use super::delivery::{explanation, mark};
use super::outcome;
use crate::observe::Verdict;
use crate::observe::survey::Surveyed;
use crate::ui::alike;
use crate::ui::text::one_line;

/// Returns what is below a source: what fails alike on many run clusters, then the run clusters where something else is wrong, then
/// how many others there are.
pub(super) fn branches(of_source: &[&Surveyed], now: Timestamp) -> Vec<Branch> {
    let is_ready = |one: &&&Surveyed| matches!(one.verdict, Verdict::Ready { .. });
    let unready = of_source.iter().filter(|one| !is_ready(one)).copied();
    let (mut alike, single): (Vec<_>, Vec<_>) =
        alike::together(unready, |one| alike::reason(&one.delivery, &one.verdict))
            .into_iter()
            .partition(|group| group.len() >= alike::MANY);
    alike.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let mut branches: Vec<Branch> = alike.iter().filter_map(|group| told_as_one(group)).collect();
    branches.extend(run_clusters(single.into_iter().flatten(), now));

    let troubled: BTreeSet<&str> =
        of_source.iter().filter(|one| !is_ready(one)).map(|one| one.delivery.run_cluster.as_str()).collect();
    let (others, well): (Vec<&&Surveyed>, Vec<&&Surveyed>) =
        of_source.iter().filter(is_ready).partition(|one| troubled.contains(one.delivery.run_cluster.as_str()));
    if !others.is_empty() {
        let verb = if others.len() == 1 { "is" } else { "are" };
        branches.push(Branch::leaf(format!("{} on these run clusters {verb} ready", alike::count(others.len()))));
    }
    if !well.is_empty() {
        branches.push(Branch::leaf(format!(
            "{} {}: all {} ready",
            "✔".green(),
            count_of_run_clusters(well.iter().map(|one| one.delivery.run_cluster.as_str())),
            alike::count(well.len())
        )));
    }
    branches
}

/// Tells deliveries with the same reason as one, in the words of the first.
fn told_as_one(group: &[&Surveyed]) -> Option<Branch> {
    let first = group.first()?;
    let (outcome, stage) = outcome(&first.verdict);
    let mark = mark(&first.verdict);
    let names = one_line(&alike::names_of(group.iter().map(|one| &one.delivery)));
    let how = format!("{outcome} {stage}");
    Some(Branch {
        title: format!("{mark} {}  {}: {names}", alike::count(group.len()).bold(), how.trim_end()),
        below: explanation(first),
        children: Vec::new(),
    })
}

/// Returns a line per package that counts the run clusters with each installed version, the most frequent first.
pub(super) fn versions(surveyed: &[Surveyed]) -> Vec<String> {
    let mut packages: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for one in surveyed {
        let version = match &one.versions {
            Some(versions) => versions.installed.as_deref().unwrap_or("nothing installed"),
            None => "not known",
        };
        *packages.entry(&one.delivery.package).or_default().entry(version).or_default() += 1;
    }
    packages
        .into_iter()
        .map(|(package, versions)| {
            let mut versions: Vec<(&str, usize)> = versions.into_iter().collect();
            versions.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let counted: Vec<String> = versions
                .iter()
                .enumerate()
                .map(|(index, (version, count))| {
                    let noun = match (index, count) {
                        (0, 1) => " run cluster",
                        (0, _) => " run clusters",
                        _ => "",
                    };
                    format!("{} on {count}{noun}", one_line(version))
                })
                .collect();
            format!("{}: {}", one_line(package), counted.join(", "))
        })
        .collect()
}

/// Counts run clusters in words.
fn count_of_run_clusters<'a>(names: impl Iterator<Item = &'a str>) -> String {
    match names.collect::<BTreeSet<&str>>().len() {
        1 => "1 run cluster".to_owned(),
        count => format!("{count} run clusters"),
    }
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
