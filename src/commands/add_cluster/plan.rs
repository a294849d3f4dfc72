//! The plan of `add-cluster`: files, identities, credential, Kustomizations, in the order in which each finds what it needs and
//! a refusal leaves the least behind; what deliveries share once, and one commit for each repository.
//!
//! A function of the requests and the facts, which asks nobody. What one delivery takes lives in [`mod@parts`].

mod adoption;
mod credential;
#[cfg(test)]
mod credential_tests;
#[cfg(test)]
mod fixtures;
mod parts;
#[cfg(test)]
mod tests;

use self::parts::{name_of, parts};
use super::facts::Facts;
use super::request::Request;
use crate::gitops::message::{DELIVER, Subject};
use crate::gitops::tree::FileChange;
use crate::names::KUBECONFIG_SUFFIX;
use crate::observe::{self, wait::EndpointChange};
use crate::plan::{Change, Commit, Place, Plan, Preview, Step};

/// What is asked for and what was found out about one delivery.
#[derive(Clone, Copy)]
pub(super) struct Delivery<'a> {
    pub(super) request: &'a Request,
    pub(super) facts: &'a Facts,
}

impl Delivery<'_> {
    /// Tells whether this is what was found on the build cluster.
    pub(super) fn is(&self, found: &observe::Delivery) -> bool {
        found.package == self.facts.package.name && found.run_cluster == self.request.run_cluster
    }
}

/// Plans that are carried out at the same time, each with the number of its run cluster; `None` for what is about no single one.
pub(super) type Stage = Vec<(Option<usize>, Plan)>;

/// Plans all deliveries, given for each run cluster in turn. Those to one run cluster are one plan; those to several are carried
/// out in stages, so that no run cluster waits for another one longer than the one commit takes.
#[must_use]
pub(super) fn stages(targets: &[Vec<Delivery<'_>>]) -> Vec<Stage> {
    let all: Vec<Delivery<'_>> = targets.iter().flatten().copied().collect();
    let is_alone = all.len() == 1;
    let mut words = Plan::default();
    let (mut keys, mut fetch, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let (mut in_place, mut new, mut kustomizations) = (Vec::new(), Vec::new(), Vec::new());
    for target in targets {
        let (mut of_place, mut of_new, mut of_kustomizations) = (Vec::new(), Vec::new(), Vec::new());
        for delivery in target {
            let parts = parts(delivery.request, delivery.facts);
            add(&mut keys, parts.keys);
            add(&mut of_place, parts.in_place);
            add(&mut of_new, parts.new);
            add(&mut fetch, parts.fetch);
            add(&mut of_kustomizations, parts.kustomizations);
            files.push((*delivery, parts.files));
            let name = delivery.request.display();
            let told = |text: String| if is_alone { text } else { format!("{name}: {text}") };
            words.notes.extend(parts.notes.into_iter().map(told));
            words.warnings.extend(parts.warnings.into_iter().map(told));
            let refused = parts.refusals.into_iter();
            words.refusals.extend(refused.map(|refusal| if is_alone { refusal } else { refusal.about(&name) }));
        }
        in_place.push(of_place);
        new.push(of_new);
        kustomizations.push(of_kustomizations);
    }
    (words.purpose, words.subjects) = purpose(targets);
    // All are asked before one is waited for.
    fetch.sort_by_key(|step| matches!(step, Step::Await(_)));
    let commits = commits(files);
    let plan = |steps| Plan { steps, ..Plan::default() };
    let shared = |steps| vec![(None, plan(steps))];
    let apart =
        |all: Vec<Vec<Step>>| all.into_iter().enumerate().map(|(run, steps)| (Some(run), plan(steps))).collect();
    let mut stages: Vec<Stage> =
        vec![shared(keys), apart(in_place), shared(commits), apart(new), shared(fetch), apart(kustomizations)];
    if targets.len() == 1 {
        let steps = stages.into_iter().flatten().flat_map(|(_, plan)| plan.steps).collect();
        stages = vec![vec![(Some(0), plan(steps))]];
    }
    if let Some((_, first)) = stages.first_mut().and_then(|stage| stage.first_mut()) {
        words.steps = std::mem::take(&mut first.steps);
        *first = words;
    }
    stages
}

/// Adds steps that are not there yet: deliveries to one run cluster share some.
fn add(steps: &mut Vec<Step>, more: Vec<Step>) {
    for step in more {
        if !steps.iter().any(|known| is_same(known, &step)) {
            steps.push(step);
        }
    }
}

fn is_same(one: &Step, other: &Step) -> bool {
    match (one, other) {
        (Step::Apply(one), Step::Apply(other)) => one.place == other.place && one.manifest == other.manifest,
        (Step::Request(one), Step::Request(other)) => one == other,
        (Step::Await(one), Step::Await(other)) => one == other,
        _ => false,
    }
}

/// Makes one commit for each repository.
fn commits(files: Vec<(Delivery<'_>, Vec<FileChange>)>) -> Vec<Step> {
    let mut commits: Vec<(String, Vec<FileChange>, Vec<Delivery<'_>>)> = Vec::new();
    for (delivery, changes) in files {
        if changes.is_empty() {
            continue;
        }
        let repository = &delivery.facts.repository;
        match commits.iter_mut().find(|(known, ..)| known == repository) {
            Some((_, all, deliveries)) => {
                // The rules for encryption are the same for all.
                all.extend(
                    changes
                        .into_iter()
                        .filter(|change| all.iter().all(|known| known.path != change.path))
                        .collect::<Vec<_>>(),
                );
                deliveries.push(delivery);
            }
            None => commits.push((repository.clone(), changes, vec![delivery])),
        }
    }
    let commit = |(repository, changes, deliveries): (String, Vec<FileChange>, Vec<Delivery<'_>>)| {
        Step::Commit(Commit { changes, message: message(&deliveries), repository })
    };
    commits.into_iter().map(commit).collect()
}

/// Returns the message of the commit for some deliveries: those that it does not name are listed below.
fn message(deliveries: &[Delivery<'_>]) -> String {
    let packages = distinct(deliveries.iter().map(|delivery| delivery.facts.package.name.as_str()));
    let run_clusters = distinct(deliveries.iter().map(|delivery| delivery.request.run_cluster.as_str()));
    let (package, run_cluster) = (named(&packages, "packages"), named(&run_clusters, "run clusters"));
    let subject = Subject { operation: DELIVER, package: &package, run_cluster: &run_cluster };
    let template = deliveries.first().and_then(|first| first.request.commit.message.as_ref());
    let message = subject.message(template);
    if template.is_some() || deliveries.len() == 1 {
        return message;
    }
    let list = deliveries.iter().map(|delivery| format!("- {}\n", delivery.request.display()));
    format!("{message}\n\n{}", list.collect::<String>())
}

/// How many names are written out.
const NAMED: usize = 3;

/// Lists a few names, and counts many.
fn named(names: &[&str], what: &str) -> String {
    if names.len() > NAMED { format!("{} {what}", names.len()) } else { names.join(", ") }
}

/// Leaves out what appears again.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut all = Vec::new();
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Says what the plan is for, and what is delivered in detail where it is more than one thing.
fn purpose(targets: &[Vec<Delivery<'_>>]) -> (String, Vec<String>) {
    let content = |delivery: &Delivery<'_>| {
        let version = delivery.facts.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        format!("{}{version}", delivery.facts.package.name)
    };
    let in_namespace =
        |delivery: &Delivery<'_>| format!("{} in namespace {}", content(delivery), delivery.request.target_namespace);
    let mut deliveries = targets.iter().flatten();
    let (purpose, subjects) = match (deliveries.next(), targets) {
        (None, _) => return Default::default(),
        (Some(first), _) if deliveries.next().is_none() => {
            let display = &first.facts.run_display;
            (
                format!("deliver {} to {display}, namespace {}", content(first), first.request.target_namespace),
                Vec::new(),
            )
        }
        (Some(first), [target]) => (
            format!("deliver {} packages to {}", target.len(), first.facts.run_display),
            target.iter().map(in_namespace).collect(),
        ),
        (Some(_), _) => {
            let count: usize = targets.iter().map(Vec::len).sum();
            (
                format!("carry out {count} deliveries to {} run clusters", targets.len()),
                of_run_clusters(targets, in_namespace),
            )
        }
    };
    match targets.iter().flatten().next() {
        Some(first) if first.request.commit.is_held_back() => {
            (format!("commit the files that {purpose}, and leave the clusters as they are"), subjects)
        }
        _ => (purpose, subjects),
    }
}

/// Says what is delivered to which run clusters, once for those that get the same.
fn of_run_clusters(targets: &[Vec<Delivery<'_>>], in_words: impl Fn(&Delivery<'_>) -> String) -> Vec<String> {
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    for target in targets {
        let Some(run_cluster) = target.first().map(|first| first.request.run_cluster.as_str()) else { continue };
        let words = target.iter().map(&in_words).collect::<Vec<_>>().join(", ");
        match alike.iter_mut().find(|(known, _)| *known == words) {
            Some((_, run_clusters)) => run_clusters.push(run_cluster),
            None => alike.push((words, vec![run_cluster])),
        }
    }
    alike.into_iter().map(|(words, run_clusters)| format!("{}: {words}", run_clusters.join(", "))).collect()
}

/// Tells whether plans give Flux another credential or endpoint for the run cluster, or its first one.
pub(super) fn endpoint_change(plans: &[(&Plan, &Preview)]) -> EndpointChange {
    let stores = |(step, change): (&Step, &Change)| match step {
        Step::Mint(_) => *change != Change::None,
        Step::Apply(apply) => {
            let is_credential = ["Secret", "ConfigMap"].iter().any(|kind| apply.manifest["kind"] == *kind)
                && name_of(&apply.manifest).ends_with(KUBECONFIG_SUFFIX);
            apply.place == Place::Build && is_credential && *change != Change::None
        }
        _ => false,
    };
    let is_kustomization =
        |(step, _): &(&Step, &Change)| matches!(step, Step::Apply(apply) if apply.manifest["kind"] == "Kustomization");
    let steps = || plans.iter().flat_map(|(plan, preview)| preview.steps(plan));
    let is_first = || steps().filter(is_kustomization).all(|(_, change)| *change == Change::Create);
    match (steps().any(stores), is_first()) {
        (false, _) => EndpointChange::Unchanged,
        (true, true) => EndpointChange::First,
        (true, false) => EndpointChange::Changed,
    }
}
