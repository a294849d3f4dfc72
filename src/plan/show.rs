//! How a plan looks before it is confirmed. Pure, and without any secret: objects are named, their content is not.

use super::{Change, Place, Plan, Step};
use crate::cluster::{Cluster, ObjectReference};

/// Returns the lines that show a plan; steps that change nothing are counted, not listed.
#[must_use]
pub fn lines(plan: &Plan, build: &Cluster, run: Option<&Cluster>) -> Vec<String> {
    let mut lines = vec![format!("This will {}:", plan.purpose)];
    let mut heading = String::new();
    let mut unchanged = 0;
    for step in &plan.steps {
        if !step.changes_something() {
            unchanged += usize::from(!matches!(step, Step::Fetch { .. } | Step::Commit(_)));
            continue;
        }
        let (place, entries) = entries(step, build, run);
        if place != heading {
            lines.push(format!("  {place}"));
            heading = place;
        }
        lines.extend(entries.into_iter().map(|entry| format!("    {entry}")));
    }
    if unchanged > 0 {
        lines.push(format!("  {unchanged} more are there already and stay as they are"));
    }
    lines
}

fn entries(step: &Step, build: &Cluster, run: Option<&Cluster>) -> (String, Vec<String>) {
    match step {
        Step::Apply(apply) => {
            let cluster = match apply.place {
                Place::Build => Some(build),
                Place::Run => run,
            };
            (
                place(cluster),
                vec![format!("{} {}{}", sign(&apply.change), name(&apply.manifest), fields(&apply.change))],
            )
        }
        Step::StoreCredential(store) => (
            place(Some(build)),
            vec![format!(
                "{} {} (kubeconfig for {} at {}){}",
                sign(&store.change),
                name(&store.secret),
                store.user,
                store.endpoint.server,
                fields(&store.change)
            )],
        ),
        Step::Commit(commit) => (
            format!("Git {}", commit.repository),
            commit
                .changes
                .iter()
                .map(|change| format!("{} {}", if change.content.is_some() { "±" } else { "-" }, change.path))
                .collect(),
        ),
        Step::Fetch { .. } => (String::new(), Vec::new()),
    }
}

fn place(cluster: Option<&Cluster>) -> String {
    cluster.map(|cluster| format!("{} at {}", cluster.display(), cluster.server())).unwrap_or_default()
}

fn name(manifest: &serde_json::Value) -> String {
    ObjectReference::of(manifest).map(|reference| reference.display()).unwrap_or_default()
}

fn sign(change: &Change) -> char {
    match change {
        Change::None => '=',
        Change::Create => '+',
        Change::Update(_) => '~',
    }
}

fn fields(change: &Change) -> String {
    match change {
        Change::Update(fields) => format!(" ({})", fields.join(", ")),
        _ => String::new(),
    }
}
