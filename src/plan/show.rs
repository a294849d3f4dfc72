//! How a plan looks before it is confirmed. Pure, and without any secret: objects are named, their content is not.

use super::preview::Preview;
use super::steps::{Await, AwaitedDeletion, Change, Place, Plan, Request, Step};
use crate::object::ObjectReference;

/// The two clusters of a plan, as headings name them.
#[derive(Clone, Debug, Default)]
pub struct Headings {
    /// The build cluster.
    pub build: String,
    /// The run cluster, where the plan has steps for one.
    pub run: String,
}

impl Headings {
    fn of(&self, place: Place) -> String {
        match place {
            Place::Build => self.build.clone(),
            Place::Run => self.run.clone(),
        }
    }
}

/// Returns the lines that show a plan; steps that change nothing are counted, not listed.
#[must_use]
pub fn lines(plan: &Plan, preview: &Preview, headings: &Headings) -> Vec<String> {
    let mut lines = vec![format!("This will {}:", plan.purpose)];
    let mut heading = String::new();
    let mut unchanged = 0;
    for (step, change) in preview.steps(plan) {
        if !step.changes_something(change) {
            unchanged += usize::from(step.is_about_an_object());
            continue;
        }
        for (place, entry) in entries(step, change, headings) {
            if place != heading {
                lines.push(format!("  {place}"));
                heading = place;
            }
            lines.push(format!("    {entry}"));
        }
    }
    if unchanged > 0 {
        lines.push(format!("  {unchanged} more are there already and stay as they are"));
    }
    lines
}

/// Returns what a step does, entry by entry, each with where it does it.
fn entries(step: &Step, change: &Change, headings: &Headings) -> Vec<(String, String)> {
    let at = |place: Place| headings.of(place);
    match step {
        Step::Apply(apply) => {
            let entry = format!("{} {}{}", sign(change), name(&apply.manifest), fields(change));
            vec![(at(apply.place), entry)]
        }
        Step::Mint(mint) => vec![(
            at(Place::Build),
            format!(
                "{} {} (kubeconfig for {} at {}){}",
                sign(change),
                name(&mint.secret),
                mint.user,
                mint.endpoint.server,
                fields(change)
            ),
        )],
        Step::Commit(commit) => commit
            .changes
            .iter()
            .map(|change| (if change.content.is_some() { "±" } else { "-" }, &change.path))
            .map(|(sign, path)| (format!("Git {}", commit.repository), format!("{sign} {path}")))
            .collect(),
        Step::Request(request) => {
            let what = match request {
                Request::Fetch { .. } => "asked to fetch now",
                Request::Reconcile { .. } => "reconciled with it",
                Request::NoopDelete(_) => "spec.noopDelete",
                Request::Suspend { .. } => "spec.suspend",
            };
            vec![(at(request.place()), format!("~ {} ({what})", request.object().display()))]
        }
        Step::Delete(delete) => {
            vec![(at(delete.place), format!("- {}{}", delete.reference.display(), note(delete.note.as_ref())))]
        }
        Step::Await(Await::Deleted(objects)) => {
            let shown = |awaited: &AwaitedDeletion| {
                let note = awaited.note.as_ref()?;
                Some((at(awaited.place), format!("- {}{}", awaited.reference.display(), self::note(Some(note)))))
            };
            objects.iter().filter_map(shown).collect()
        }
        Step::Await(_) | Step::Prove(_) => Vec::new(),
    }
}

fn note(note: Option<&String>) -> String {
    note.filter(|note| !note.is_empty()).map(|note| format!(" ({note})")).unwrap_or_default()
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
