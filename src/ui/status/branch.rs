//! The branches of a tree, and how they are drawn. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use owo_colors::OwoColorize;

use super::delivery::delivery;
use crate::observe::survey::Surveyed;
use crate::ui::text::one_line;

/// A line of the tree, with the lines below it.
pub(super) struct Branch {
    pub(super) title: String,
    pub(super) below: Vec<String>,
    pub(super) children: Vec<Branch>,
}

impl Branch {
    pub(super) fn leaf(title: String) -> Self {
        Self { title, below: Vec::new(), children: Vec::new() }
    }
}

/// Returns a branch per run cluster, in the order of their names, with its deliveries.
pub(super) fn run_clusters<'a>(deliveries: impl IntoIterator<Item = &'a Surveyed>, now: Timestamp) -> Vec<Branch> {
    let mut run_clusters: BTreeMap<&str, Vec<Branch>> = BTreeMap::new();
    for one in deliveries {
        let mut said = delivery(one, now).into_iter();
        let title = said.next().unwrap_or_default();
        let branch = Branch { title, below: said.collect(), children: Vec::new() };
        run_clusters.entry(&one.delivery.run_cluster).or_default().push(branch);
    }
    let branch = |(run_cluster, children): (&str, Vec<Branch>)| Branch {
        title: one_line(run_cluster).bold().to_string(),
        below: Vec::new(),
        children,
    };
    run_clusters.into_iter().map(branch).collect()
}

/// Draws branches, each line after `stem`.
pub(super) fn draw(lines: &mut Vec<String>, branches: &[Branch], stem: &str) {
    for (number, branch) in branches.iter().enumerate() {
        let (corner, below) =
            if number + 1 == branches.len() { ("└──", "    ") } else { ("├──", "│   ") };
        lines.push(format!("{stem}{corner} {}", branch.title));
        let stem = format!("{stem}{below}");
        lines.extend(branch.below.iter().map(|line| format!("{stem}  {line}")));
        draw(lines, &branch.children, &stem);
    }
}
