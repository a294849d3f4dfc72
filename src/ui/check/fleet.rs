//! The checks of many run clusters: what needs attention, and the rest in a few lines. Pure.

use owo_colors::OwoColorize;

use super::{Section, finding, word};
use crate::check::{Finding, Outcome};
use crate::ui::alike;

/// Returns what is wrong on the build cluster, what is wrong alike on many run clusters, what else is wrong on single ones, and how
/// many clusters are well.
pub(super) fn lines(sections: &[Section]) -> Vec<String> {
    let (build, run): (Vec<&Section>, Vec<&Section>) =
        sections.iter().partition(|section| section.run_cluster.is_none());
    let (build_trouble, build_well): (Vec<&Section>, Vec<&Section>) =
        build.into_iter().partition(|section| troubles(section).next().is_some());
    let mut lines: Vec<String> = build_trouble
        .into_iter()
        .flat_map(|section| of_cluster(section, &troubles(section).collect::<Vec<_>>()))
        .collect();

    let all = run.iter().flat_map(|section| troubles(section).map(|finding| (*section, finding)));
    let (mut alike, single): (Vec<_>, Vec<_>) = alike::together(all, |(section, finding)| reason(section, finding))
        .into_iter()
        .partition(|group| group.len() >= alike::MANY);
    alike.sort_by_key(|group| group.first().map(|(_, finding)| (is_warning(finding), std::cmp::Reverse(group.len()))));
    lines.extend(alike.iter().flat_map(|group| told_as_one(group)));

    let single: Vec<(&Section, &Finding)> = single.into_iter().flatten().collect();
    let mut troubled: Vec<(&Section, Vec<&Finding>)> = run
        .iter()
        .map(|section| {
            let own = single.iter().filter(|(other, _)| std::ptr::eq(*other, *section));
            (*section, own.map(|(_, finding)| *finding).collect())
        })
        .collect();
    troubled.retain(|(_, findings)| !findings.is_empty());
    troubled.sort_by_key(|(_, findings)| findings.iter().all(|finding| is_warning(finding)));
    lines.extend(troubled.iter().flat_map(|(section, findings)| of_cluster(section, findings)));

    let mark = "✔".green();
    lines
        .extend(build_well.into_iter().map(|section| format!("{mark} {}: {}", section.name(), all_passed(&[section]))));
    let well: Vec<&Section> = run.into_iter().filter(|section| troubles(section).next().is_none()).collect();
    if !well.is_empty() {
        lines.push(format!("{mark} {}: {}", run_clusters(well.len()), all_passed(&well)));
    }
    lines
}

/// Returns what needs attention.
fn troubles(section: &Section) -> impl Iterator<Item = &Finding> {
    let needs_attention = |outcome: &Outcome| matches!(outcome, Outcome::Warned(_) | Outcome::Failed(_));
    section.checks.findings().iter().filter(move |finding| needs_attention(&finding.outcome))
}

fn is_warning(finding: &Finding) -> bool {
    matches!(finding.outcome, Outcome::Warned(_))
}

/// Returns what makes the reasons of two findings the same: all that is said, with the run cluster's name left out, but how it is
/// mended.
fn reason(section: &Section, finding: &Finding) -> Option<String> {
    let (Outcome::Warned(error) | Outcome::Failed(error)) = &finding.outcome else { return None };
    let said = format!("{} {} {error}", word(finding), finding.name);
    Some(alike::without_name(&said, section.run_cluster.as_deref().unwrap_or_default(), "<run cluster>"))
}

/// Tells what is found alike on several run clusters as one, in the words of the first.
fn told_as_one(group: &[(&Section, &Finding)]) -> Vec<String> {
    let Some((_, first)) = group.first() else { return Vec::new() };
    let (Outcome::Warned(error) | Outcome::Failed(error)) = &first.outcome else { return Vec::new() };
    let names = alike::listed(group.iter().map(|(section, _)| section.run_cluster.clone().unwrap_or_default()));
    let mut lines = vec![format!("{}  {names}", run_clusters(group.len()).bold())];
    lines.extend(finding::lines(first));
    if !error.causes().is_empty() || !error.hints().is_empty() {
        lines.push("      and likewise for the others".to_owned());
    }
    lines
}

/// Returns what is wrong on a cluster, and how much else was looked at.
fn of_cluster(section: &Section, findings: &[&Finding]) -> Vec<String> {
    let mut lines = vec![section.name().bold().to_string()];
    lines.extend(findings.iter().flat_map(|finding| finding::lines(finding)));
    lines
}

fn all_passed(sections: &[&Section]) -> String {
    let findings = || sections.iter().flat_map(|section| section.checks.findings());
    let unknown = findings().filter(|finding| matches!(finding.outcome, Outcome::Unknown(_))).count();
    match (findings().count(), unknown) {
        (1, 0) => "the only check passed".to_owned(),
        (count, 0) => format!("all {count} checks passed"),
        (count, unknown) => format!("{} of {count} checks passed, {unknown} not known", count - unknown),
    }
}

fn run_clusters(count: usize) -> String {
    if count == 1 { "1 run cluster".to_owned() } else { format!("{count} run clusters") }
}
