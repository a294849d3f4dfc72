//! The Preview: what each step of a plan changes, as the API servers themselves say in dry runs. Nothing is written.
//!
//! A dry run validates and authorizes as the real request does, so that what the API servers refuse is known, all of it
//! together, before the first write. What was read for the plan is not read again, unless it has changed since. How a preview
//! looks lives in [`super::show`].

use futures::stream::{self, StreamExt};
use kube::ResourceExt;
use kube::api::DynamicObject;
use secrecy::SecretString;
use serde_json::Value;

use super::executor::Executor;
use super::live::LiveObjects;
use super::mint::Mint;
use super::refusals::{self, Refused};
use super::steps::{Apply, Change, Delete, NoopDelete, Plan, Request, Step};
use crate::check::Checks;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::object::ObjectReference;

/// How many dry runs are asked for at a time.
const AT_A_TIME: usize = 8;

/// What each step of a plan changes, in the order of its steps.
#[derive(Debug)]
pub(crate) struct Preview {
    changes: Vec<Change>,
}

/// An object before and after a dry run.
struct DryRun {
    before: Option<DynamicObject>,
    /// What the API server would keep; `None` where it could not be asked.
    after: Option<DynamicObject>,
    change: Change,
}

impl DryRun {
    /// The first object in a place that does not exist yet: nothing can be tried there.
    fn of_new() -> Self {
        Self { before: None, after: None, change: Change::Create }
    }
}

impl Preview {
    /// Says what each step changes, as dry runs would.
    #[cfg(test)]
    pub(crate) fn with(changes: Vec<Change>) -> Self {
        Self { changes }
    }

    /// Asks both clusters what the steps would change; what they refuse is reported together, with what the plan refuses itself.
    ///
    /// `live` are objects that were read for the plan.
    pub(crate) async fn of(plan: &Plan, live: &LiveObjects, executor: Executor<'_>) -> Result<Self> {
        let dry_runs = (0..plan.steps.len()).map(|index| dry_run(plan, index, live, executor));
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
        let changes = (0..plan.steps.len()).map(|index| change(plan, &dry_runs, index)).collect();
        Ok(Self { changes })
    }

    /// Returns what the step at `index` of the plan changes.
    #[must_use]
    pub(crate) fn change(&self, index: usize) -> &Change {
        self.changes.get(index).unwrap_or(&Change::None)
    }

    /// Returns each step with what it changes.
    pub(crate) fn steps<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (&'a Step, &'a Change)> {
        plan.steps.iter().enumerate().map(|(index, step)| (step, self.change(index)))
    }

    /// Tells whether any step changes anything.
    #[must_use]
    pub(crate) fn changes_something(&self, plan: &Plan) -> bool {
        self.steps(plan).any(|(step, change)| step.changes_something(change))
    }
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

async fn dry_run(plan: &Plan, index: usize, live: &LiveObjects, executor: Executor<'_>) -> Result<Option<DryRun>> {
    let Some(step) = plan.steps.get(index) else { return Ok(None) };
    let known = match applied_before(plan, index) {
        // That step's outcome is what counts then.
        Some(_) => Known::Superseded,
        None => Known::Read(step.place().zip(step.object()).and_then(|(place, object)| live.get(place, &object))),
    };
    match step {
        Step::Apply(apply) if makes_namespace_of(plan, apply) => Ok(Some(DryRun::of_new())),
        Step::Apply(apply) => apply_in_dry_run(executor.cluster(apply.place)?, &apply.manifest, known).await.map(Some),
        Step::Mint(mint) => mint_in_dry_run(executor.build, mint, known).await.map(Some),
        Step::Request(Request::NoopDelete(noop_delete)) => {
            let applied = executor.run_cluster()?.apply(&noop_delete.manifest(), true).await;
            applied.map(|_| None).map_err(NoopDelete::explain)
        }
        Step::Delete(Delete { uid: Some(uid), place, reference, .. }) => {
            executor.cluster(*place)?.delete(reference, Some(uid), true).await.map(|_| None)
        }
        _ => Ok(None),
    }
}

/// Tells whether the plan makes the namespace that an object is applied in.
fn makes_namespace_of(plan: &Plan, apply: &Apply) -> bool {
    let namespace = &apply.manifest["metadata"]["namespace"];
    plan.steps.iter().any(|step| match step {
        Step::Apply(other) => {
            other.place == apply.place
                && other.manifest["kind"] == "Namespace"
                && other.manifest["metadata"]["name"] == *namespace
        }
        _ => false,
    })
}

/// What is known of an object before its dry run.
#[derive(Clone, Copy)]
enum Known<'a> {
    /// An earlier step of the plan applies it.
    Superseded,
    /// This was read, if anything.
    Read(Option<&'a DynamicObject>),
}

/// What an object was before its dry run has to be read.
#[derive(Debug, PartialEq)]
struct Unread;

impl Known<'_> {
    /// Returns what the object was before its dry run.
    ///
    /// The outcome of a dry run has the resourceVersion of the object that it would change, and none where it would make one
    /// (`DryRunnableStorage` of Kubernetes' `apiserver`, `pkg/registry/generic/registry/dryrun.go`): what was read and has
    /// been changed since does not count.
    fn before(self, after: &Result<DynamicObject>) -> Result<Option<DynamicObject>, Unread> {
        let version = |object: &DynamicObject| object.resource_version().filter(|version| !version.is_empty());
        let read = match (self, after) {
            (Self::Superseded, _) => return Ok(None),
            (_, Err(_)) => return Err(Unread),
            (Self::Read(read), Ok(after)) => match version(after) {
                None => return Ok(None),
                Some(current) => read.filter(|read| version(read) == Some(current)),
            },
        };
        read.cloned().map(Some).ok_or(Unread)
    }
}

/// Applies a manifest in a dry run, and reads what is there where that is not known yet.
async fn apply_in_dry_run(cluster: &Cluster, manifest: &Value, known: Known<'_>) -> Result<DryRun> {
    let reference = ObjectReference::of(manifest)?;
    let after = cluster.apply(manifest, true).await;
    let before = match known.before(&after) {
        Ok(before) => before,
        Err(Unread) => cluster.get(&reference).await?,
    };
    let after = match after {
        Ok(applied) => applied,
        // The Role that the same plan makes is not there yet, and only what it holds may be bound.
        Err(error) if error.status() == Some(404) && manifest["kind"] == "RoleBinding" => {
            let change = if before.is_none() { Change::Create } else { Change::Update(vec!["roleRef".to_owned()]) };
            return Ok(DryRun { before, after: None, change });
        }
        Err(error) => return Err(refusals::with_way_out(error, manifest)),
    };
    let change = change_between(before.as_ref(), Some(&after));
    Ok(DryRun { before, after: Some(after), change })
}

/// A token that does not exist yet stands for another one than is stored.
async fn mint_in_dry_run(build: &Cluster, mint: &Mint, known: Known<'_>) -> Result<DryRun> {
    if let Some(token) = mint.known_token() {
        return apply_in_dry_run(build, &mint.secret_with(token), known).await;
    }
    let mut dry_run = apply_in_dry_run(build, &mint.secret_with(&SecretString::from("not minted yet")), known).await?;
    if dry_run.before.is_some() {
        dry_run.change = Change::Update(vec!["data".to_owned()]);
    }
    Ok(dry_run)
}

fn change_between(before: Option<&DynamicObject>, after: Option<&DynamicObject>) -> Change {
    let (Some(before), Some(after)) = (before, after) else { return Change::Create };
    let mut fields = Vec::new();
    differing(&comparable(before), &comparable(after), "", &mut fields);
    if fields.is_empty() { Change::None } else { Change::Update(fields) }
}

/// Leaves out what the API server writes by itself.
fn comparable(object: &DynamicObject) -> Value {
    let mut value = object.data.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
        fields.insert("labels".to_owned(), serde_json::json!(object.metadata.labels));
        fields.insert("annotations".to_owned(), serde_json::json!(object.metadata.annotations));
    }
    value
}

fn differing(before: &Value, after: &Value, path: &str, fields: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                differing(
                    before.get(key).unwrap_or(&Value::Null),
                    after.get(key).unwrap_or(&Value::Null),
                    &path,
                    fields,
                );
            }
        }
        (before, after) if before == after => {}
        _ => fields.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::plan::steps::Place;
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
        let first = DryRun { before: None, after: Some(held("1")), change: Change::Create };
        let last = DryRun { before: None, after: Some(held("2")), change: Change::Create };
        let dry_runs = [Some(first), None, Some(last)];
        let changes = [0, 1, 2].map(|index| change(&plan, &dry_runs, index));
        assert_eq!(changes, [Change::Create, Change::None, Change::Update(vec!["data.deliveries".to_owned()])]);
    }

    /// An object in a version; dry runs that make one return none.
    fn of_version(version: Option<&str>) -> DynamicObject {
        let mut object = held("1");
        object.metadata.resource_version = version.map(str::to_owned);
        object
    }

    #[test]
    fn what_was_read_counts_unless_it_has_changed_since() {
        let read = of_version(Some("7"));
        let before = |read: Option<&DynamicObject>, after: Result<DynamicObject>| {
            Known::Read(read).before(&after).map(|before| before.and_then(|object| object.resource_version()))
        };
        assert_eq!(before(Some(&read), Ok(of_version(Some("7")))), Ok(Some("7".to_owned())));
        assert_eq!(
            before(Some(&read), Ok(of_version(Some("8")))),
            Err(Unread),
            "somebody has changed it: it is read again"
        );
        assert_eq!(before(None, Ok(of_version(Some("8")))), Err(Unread), "nobody has read it");
        assert_eq!(before(Some(&read), Err(Error::new("refused"))), Err(Unread));
    }

    #[test]
    fn what_a_dry_run_makes_was_not_there() {
        let read = of_version(Some("7"));
        for made in [None, Some("")] {
            for read in [None, Some(&read)] {
                let before = Known::Read(read).before(&Ok(of_version(made)));
                assert!(matches!(before, Ok(None)), "it is gone: {before:?}");
            }
        }
        let superseded = Known::Superseded.before(&Ok(of_version(Some("7"))));
        assert!(matches!(superseded, Ok(None)), "an earlier step's outcome counts");
    }

    #[test]
    fn differing_fields_are_named_by_path() {
        let mut fields = Vec::new();
        let before = json!({"spec": {"path": "./a", "prune": true}, "data": {"x": "1"}});
        let after = json!({"spec": {"path": "./b", "prune": true, "wait": true}, "data": {"x": "1"}});
        differing(&before, &after, "", &mut fields);
        assert_eq!(fields, ["spec.path", "spec.wait"]);
    }
}
