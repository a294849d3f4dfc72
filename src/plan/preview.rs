//! The Preview: what each step of a plan changes, as the API servers themselves say in dry runs. Nothing is written.
//!
//! A dry run validates and authorizes as the real request does, so that what the API servers refuse is known, all of it
//! together, before the first write. What was read for the plan is not read again, unless it has changed since. How a preview
//! looks lives in [`super::show`].

use futures::stream::{self, StreamExt};

use super::dry_run::{DryRun, Known, change_between, dry_run};
use super::executor::Executor;
use super::live::LiveObjects;
use super::refusals::{self, Refused};
use super::steps::{Await, Change, Plan, Step};
use crate::check::Checks;
use crate::cluster::Cluster;
use crate::error::Result;

/// How many dry runs are asked for at a time.
const AT_A_TIME: usize = 8;

/// What each step of a plan changes, in the order of its steps.
#[derive(Debug)]
pub(crate) struct Preview {
    steps: Vec<StepPreview>,
}

/// What one step changes.
#[derive(Debug)]
struct StepPreview {
    change: Change,
    dry_run: Option<DryRun>,
}

impl Preview {
    /// Says what each step changes, as dry runs would.
    #[cfg(test)]
    pub(crate) fn with(changes: Vec<Change>) -> Self {
        Self { steps: changes.into_iter().map(|change| StepPreview { change, dry_run: None }).collect() }
    }

    /// Says what dry runs would say of each step.
    #[cfg(test)]
    pub(crate) fn of_dry_runs(dry_runs: Vec<Option<DryRun>>) -> Self {
        let change = |dry_run: &Option<DryRun>| dry_run.as_ref().map_or(Change::None, |known| known.change.clone());
        let step = |dry_run| StepPreview { change: change(&dry_run), dry_run };
        Self { steps: dry_runs.into_iter().map(step).collect() }
    }

    /// Asks both clusters what the steps would change; what they refuse is reported together, with what the plan refuses itself.
    ///
    /// `live` are objects that were read for the plan.
    pub(crate) async fn of(plan: &Plan, live: &LiveObjects, executor: Executor<'_>) -> Result<Self> {
        let dry_runs = (0..plan.steps.len()).map(|index| dry_run_of(plan, index, live, executor));
        let answers: Vec<Result<Option<DryRun>>> = stream::iter(dry_runs).buffered(AT_A_TIME).collect().await;
        let mut checks = Checks::default();
        for refusal in &plan.refusals {
            checks.fail("plan", refusal.clone());
        }
        let (mut dry_runs, mut refused) = (Vec::new(), Vec::new());
        for (step, answer) in plan.steps.iter().zip(answers) {
            dry_runs.push(match answer {
                Ok(dry_run) => dry_run,
                Err(error) => {
                    let object = step.object().map(|object| object.display()).unwrap_or_default();
                    let cluster = step.place().and_then(|place| executor.cluster(place).ok());
                    refused.push(Refused { object, place: cluster.map(Cluster::display).unwrap_or_default(), error });
                    None
                }
            });
        }
        for (objects, error) in refusals::told_once(refused) {
            checks.fail(objects, error);
        }
        checks.refuse_if_failed()?;
        let changes: Vec<Change> = (0..plan.steps.len()).map(|index| change(plan, &dry_runs, index)).collect();
        let steps = changes.into_iter().zip(dry_runs).map(|(change, dry_run)| StepPreview { change, dry_run });
        Ok(Self { steps: steps.collect() })
    }

    /// Returns what the step at `index` of the plan changes.
    #[must_use]
    pub(crate) fn change(&self, index: usize) -> &Change {
        self.steps.get(index).map_or(&Change::None, |step| &step.change)
    }

    /// Returns the object that the step at `index` of the plan applies, before and after.
    #[must_use]
    pub(crate) fn dry_run(&self, index: usize) -> Option<&DryRun> {
        self.steps.get(index)?.dry_run.as_ref()
    }

    /// Returns each step with what it changes.
    pub(crate) fn steps<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (&'a Step, &'a Change)> {
        plan.steps.iter().enumerate().map(|(index, step)| (step, self.change(index)))
    }

    /// Says which steps could not be tried or are not known as a whole, each time with what they depend on.
    #[must_use]
    pub(crate) fn unknown(&self, plan: &Plan) -> Vec<String> {
        let mut unknown: Vec<(&str, Vec<String>)> = Vec::new();
        for (step, preview) in plan.steps.iter().zip(&self.steps) {
            let Some(dependency) = preview.dry_run.as_ref().and_then(|dry_run| dry_run.depends_on.as_deref()) else {
                continue;
            };
            let object = step.object().map(|object| object.display()).unwrap_or_default();
            match unknown.iter_mut().find(|(known, _)| *known == dependency) {
                Some((_, objects)) => objects.push(object),
                None => unknown.push((dependency, vec![object])),
            }
        }
        let sentence = |(dependency, objects): &(&str, Vec<String>)| {
            format!("depends on {dependency}, which is made first: {}", objects.join(", "))
        };
        unknown.iter().map(sentence).collect()
    }

    /// Tells whether any step changes anything.
    #[must_use]
    pub(crate) fn changes_something(&self, plan: &Plan) -> bool {
        self.steps(plan).any(|(step, change)| step.changes_something(change))
    }
}

/// Reads the objects that a plan deletes or patches, which no dry run returns: for those who want to see their content.
///
/// What may not be read is left out.
pub(crate) async fn read_others(plan: &Plan, executor: Executor<'_>) -> Result<LiveObjects> {
    let others = plan.steps.iter().flat_map(|step| match step {
        Step::Delete(delete) => vec![(delete.place, delete.reference.clone())],
        Step::Request(request) => vec![(request.place(), request.object().clone())],
        Step::Await(Await::Deleted(objects)) => {
            objects.iter().map(|object| (object.place, object.reference.clone())).collect()
        }
        _ => Vec::new(),
    });
    let reads = others.map(async |(place, reference)| match executor.cluster(place)?.get(&reference).await {
        Ok(object) => Ok(object.map(|object| (place, reference, object))),
        Err(error) if error.status() == Some(403) => Ok(None),
        Err(error) => Err(error),
    });
    let reads: Vec<Result<Option<_>>> = stream::iter(reads).buffered(AT_A_TIME).collect().await;
    Ok(LiveObjects::new(reads.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>>>()?))
}

/// Returns what a step changes. An object that an earlier step applies, too, is compared with what that step leaves.
fn change(plan: &Plan, dry_runs: &[Option<DryRun>], index: usize) -> Change {
    let dry_run = |index: usize| dry_runs.get(index).and_then(Option::as_ref);
    let Some(this) = dry_run(index) else { return Change::None };
    match applied_before(plan, index).and_then(dry_run) {
        Some(earlier) => change_between(earlier.after.as_ref(), this.after.as_ref()),
        None => this.change.clone(),
    }
}

/// Returns the last step before the one at `index` that applies the same object.
fn applied_before(plan: &Plan, index: usize) -> Option<usize> {
    let key = |step: &Step| step.is_about_an_object().then(|| step.place().zip(step.object())).flatten();
    let this = key(plan.steps.get(index)?)?;
    plan.steps.iter().take(index).rposition(|step| key(step).as_ref() == Some(&this))
}

async fn dry_run_of(plan: &Plan, index: usize, live: &LiveObjects, executor: Executor<'_>) -> Result<Option<DryRun>> {
    let Some(step) = plan.steps.get(index) else { return Ok(None) };
    let known = match applied_before(plan, index) {
        // That step's outcome is what counts then.
        Some(_) => Known::Superseded,
        None => Known::Read(step.place().zip(step.object()).and_then(|(place, object)| live.get(place, &object))),
    };
    dry_run(step, known, missing_namespace(plan, step), executor).await
}

/// Returns the namespace that an object is applied in, where the plan makes it.
fn missing_namespace<'a>(plan: &Plan, step: &'a Step) -> Option<&'a str> {
    let Step::Apply(apply) = step else { return None };
    let namespace = apply.manifest["metadata"]["namespace"].as_str()?;
    let makes_it = |step: &Step| match step {
        Step::Apply(other) => {
            other.place == apply.place
                && other.manifest["kind"] == "Namespace"
                && other.manifest["metadata"]["name"] == namespace
        }
        _ => false,
    };
    plan.steps.iter().any(makes_it).then_some(namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::steps::{Apply, Place};
    use kube::api::DynamicObject;
    use serde_json::json;

    /// An object as an API server holds it.
    fn held(value: &str) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": "record"}, "data": {"deliveries": value}}))
            .expect("an object")
    }

    #[test]
    fn an_object_that_is_applied_twice_is_compared_with_what_the_first_leaves() {
        let apply = |name: &str| {
            let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
            Step::Apply(Apply { place: Place::Build, manifest })
        };
        let plan = Plan { steps: vec![apply("record"), apply("other"), apply("record")], ..Plan::default() };
        assert_eq!([0, 1, 2].map(|index| applied_before(&plan, index)), [None, None, Some(0)]);
        let created = |value: &str| {
            Some(DryRun { before: None, after: Some(held(value)), change: Change::Create, depends_on: None })
        };
        let dry_runs = [created("1"), None, created("2")];
        let changes = [0, 1, 2].map(|index| change(&plan, &dry_runs, index));
        assert_eq!(changes, [Change::Create, Change::None, Change::Update(vec!["data.deliveries".to_owned()])]);
    }
}
