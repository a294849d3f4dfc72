//! What a plan changes, as text before and after: objects of both clusters and files of Git, each once, however many steps
//! are about it. Pure, and without secrets.

use kube::api::DynamicObject;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::executor::Headings;
use super::live::LiveObjects;
use super::mask::{self, Origin};
use super::preview::Preview;
use super::steps::{Await, Place, Plan, Step};
use crate::error::Result;
use crate::gitops::manifest::write_documents;
use crate::object::ObjectReference;

/// Stands for the time in a request, which is that of the real one.
const TIME: &str = "(the time of the request)";

/// Something that changes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Where it is, and what it is called.
    pub(crate) name: String,
    /// `None` where there is nothing before.
    pub(crate) before: Option<String>,
    /// `None` where nothing is left.
    pub(crate) after: Option<String>,
}

/// Returns what a plan changes, in the order in which it does; `others` are the objects that it deletes or patches.
pub(crate) fn differences(
    plan: &Plan,
    preview: &Preview,
    others: &LiveObjects,
    headings: &Headings,
) -> Result<Vec<Difference>> {
    let mut differences = Vec::new();
    for ObjectVersions { place, reference, before, after } in objects(plan, preview, others) {
        if before == after {
            continue;
        }
        let [before, after] = mask::documents(before.as_ref(), after.as_ref(), Origin::Cluster);
        let name = format!("{}: {}", headings.of(place), reference.display());
        differences.push(Difference { name, before: text(before)?, after: text(after)? });
    }
    for step in &plan.steps {
        let Step::Commit(commit) = step else { continue };
        for change in &commit.changes {
            let [before, after] = [&change.before, &change.content].map(Option::as_ref);
            let [before, after] = [before, after].map(|text| text.map(ExposeSecret::<str>::expose_secret));
            let [before, after] = mask::files(before, after);
            differences.push(Difference { name: format!("Git {}: {}", commit.repository, change.path), before, after });
        }
    }
    Ok(differences)
}

/// An object before and after all steps.
struct ObjectVersions {
    place: Place,
    reference: ObjectReference,
    before: Option<Value>,
    after: Option<Value>,
}

fn objects(plan: &Plan, preview: &Preview, others: &LiveObjects) -> Vec<ObjectVersions> {
    let mut objects: Vec<ObjectVersions> = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let about: Vec<(Place, ObjectReference)> = match step {
            Step::Await(Await::Deleted(deleted)) => {
                deleted.iter().map(|object| (object.place, object.reference.clone())).collect()
            }
            _ => step.place().zip(step.object()).into_iter().collect(),
        };
        for (place, reference) in about {
            let known = objects.iter().position(|object| object.place == place && object.reference == reference);
            let index_of = known.unwrap_or_else(|| {
                let before = match preview.dry_run(index) {
                    Some(dry_run) => dry_run.before.as_ref().map(|object| manifest(object, &reference)),
                    None => present(step, place, &reference, others),
                };
                let reference = reference.clone();
                objects.push(ObjectVersions { place, reference, after: before.clone(), before });
                objects.len() - 1
            });
            let Some(object) = objects.get_mut(index_of) else { continue };
            object.after = match step {
                Step::Delete(_) | Step::Await(_) => None,
                Step::Request(request) => object.after.take().map(|mut after| {
                    merge(&mut after, &request.patch(TIME));
                    after
                }),
                _ => match preview.dry_run(index).and_then(|dry_run| dry_run.after.as_ref()) {
                    Some(after) => Some(manifest(after, &reference)),
                    None => object.after.take(),
                },
            };
        }
    }
    objects
}

/// Returns an object that a step deletes or patches; of one that could not be read only its name.
fn present(step: &Step, place: Place, reference: &ObjectReference, others: &LiveObjects) -> Option<Value> {
    let uid = match step {
        // Where the plan makes the object itself, nothing is there now.
        Step::Delete(delete) => Some(delete.uid.clone()?),
        Step::Await(Await::Deleted(objects)) => {
            objects.iter().find(|object| object.reference == *reference).map(|object| object.uid.clone())
        }
        _ => None,
    };
    match others.get(place, reference) {
        Some(object) if uid.is_none() || object.metadata.uid == uid => Some(manifest(object, reference)),
        Some(_) => None,
        None => uid.map(|_| named(reference)),
    }
}

fn named(reference: &ObjectReference) -> Value {
    let mut metadata = json!({"name": reference.name});
    if let Some(namespace) = &reference.namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({"apiVersion": reference.resource.api_version, "kind": reference.resource.kind, "metadata": metadata})
}

/// Returns what of an object people write: without status, and without what the API server adds to the metadata.
pub(super) fn manifest(object: &DynamicObject, reference: &ObjectReference) -> Value {
    let mut manifest = named(reference);
    let (labels, annotations) = (&object.metadata.labels, &object.metadata.annotations);
    for (field, entries) in [("labels", labels), ("annotations", annotations)] {
        if let Some(entries) = entries.as_ref().filter(|entries| !entries.is_empty()) {
            manifest["metadata"][field] = json!(entries);
        }
    }
    for (field, value) in object.data.as_object().into_iter().flatten().filter(|(field, _)| *field != "status") {
        manifest[field] = value.clone();
    }
    manifest
}

/// Applies a merge patch (RFC 7386) that removes nothing.
fn merge(value: &mut Value, patch: &Value) {
    match patch {
        Value::Object(fields) => fields.iter().for_each(|(field, patch)| merge(&mut value[field], patch)),
        leaf => *value = leaf.clone(),
    }
}

fn text(document: Option<Value>) -> Result<Option<String>> {
    let Some(document) = document else { return Ok(None) };
    let text = write_documents(&[document])?;
    Ok(Some(text.trim_start_matches("---\n").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::tree::FileChange;
    use crate::plan::dry_run::DryRun;
    use crate::plan::steps::{Apply, AwaitedDeletion, Change, Commit, Delete};
    use crate::ui::diff;

    fn object(kind: &str, name: &str, rest: &Value) -> DynamicObject {
        let mut object = json!({
            "apiVersion": "v1", "kind": kind,
            "metadata": {"name": name, "namespace": "dev", "uid": format!("uid-{name}"), "resourceVersion": "7"},
            "status": {"observedGeneration": 3},
        });
        merge(&mut object, rest);
        serde_json::from_value(object).expect("an object")
    }

    fn apply(kind: &str, name: &str) -> Step {
        let metadata = json!({"name": name, "namespace": "dev"});
        let manifest = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
        Step::Apply(Apply { place: Place::Build, manifest })
    }

    fn becomes(before: Option<DynamicObject>, after: DynamicObject) -> DryRun {
        let change = if before.is_some() { Change::Update(Vec::new()) } else { Change::Create };
        DryRun { before, after: Some(after), change, depends_on: None }
    }

    fn shown(steps: Vec<Step>, dry_runs: Vec<Option<DryRun>>, others: &LiveObjects) -> String {
        let plan = Plan { steps, ..Plan::default() };
        let headings = Headings { build: "build".to_owned(), run: "prod1".to_owned() };
        let differences = differences(&plan, &Preview::of_dry_runs(dry_runs), others, &headings).expect("YAML");
        let lines = differences.iter().map(|Difference { name, before, after }| {
            diff::plain(&diff::lines(name, before.as_deref(), after.as_deref()))
        });
        lines.collect()
    }

    #[test]
    fn objects_of_clusters_and_files_of_git_are_one_diff_without_secrets() {
        let secret = |token: &str| object("Secret", "token", &json!({"data": {"token": token, "same": "c2FtZQ=="}}));
        let commit = Commit {
            changes: vec![FileChange {
                path: "hello/prod1/install.yaml".to_owned(),
                before: Some("# why\nkind: PackageInstall\nversion: 1\n".into()),
                content: Some("# why\nkind: PackageInstall\nversion: 2\n".into()),
            }],
            message: "Deliver".to_owned(),
            repository: "https://git.example.com/gitops.git branch main".to_owned(),
        };
        let role = object("Role", "reader", &json!({"rules": [{"verbs": ["get"]}]}));
        let steps = vec![apply("Secret", "token"), apply("Role", "reader"), Step::Commit(commit)];
        let dry_runs = vec![
            Some(becomes(Some(secret("bm90LXJlYWw=")), secret("bm90LXRvbw=="))),
            Some(becomes(Some(role.clone()), role)),
            None,
        ];
        insta::assert_snapshot!(shown(steps, dry_runs, &LiveObjects::default()), @r#"
        --- build: Secret dev/token
        +++ build: Secret dev/token
        @@ -4,5 +4,5 @@
           name: token
           namespace: dev
         data:
        -  token: "*** (before)"
        +  token: "*** (after)"
           same: "***"
        --- Git https://git.example.com/gitops.git branch main: hello/prod1/install.yaml
        +++ Git https://git.example.com/gitops.git branch main: hello/prod1/install.yaml
        @@ -1,3 +1,3 @@
         # why
         kind: PackageInstall
        -version: 1
        +version: 2
        "#);
    }

    #[test]
    fn what_a_removal_deletes_is_shown_once_and_what_it_makes_for_itself_is_not() {
        let record = ObjectReference::of(
            &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "record", "namespace": "dev"}}),
        );
        let gone = ObjectReference::secret("dev", "gone");
        let unreadable = ObjectReference::secret("dev", "unreadable");
        let delete = |reference: &ObjectReference, uid: Option<&str>| {
            let uid = uid.map(str::to_owned);
            Step::Delete(Delete { place: Place::Build, reference: reference.clone(), uid, note: None })
        };
        let awaited = |reference: &ObjectReference| AwaitedDeletion {
            place: Place::Build,
            reference: reference.clone(),
            uid: format!("uid-{}", reference.name),
            note: None,
        };
        let steps = vec![
            apply("ConfigMap", "record"),
            delete(&gone, Some("uid-gone")),
            Step::await_deletion([awaited(&gone), awaited(&unreadable)]),
            delete(&record.expect("a reference"), None),
        ];
        let dry_runs = vec![Some(becomes(None, object("ConfigMap", "record", &json!({})))), None, None, None];
        let live = object("Secret", "gone", &json!({"data": {"token": "bm90LXJlYWw="}}));
        let others = LiveObjects::new([(Place::Build, gone.clone(), live)]);
        insta::assert_snapshot!(shown(steps, dry_runs, &others), @r#"
        --- build: Secret dev/gone
        +++ /dev/null
        @@ -1,7 +0,0 @@
        -apiVersion: v1
        -kind: Secret
        -metadata:
        -  name: gone
        -  namespace: dev
        -data:
        -  token: "*** (before)"
        --- build: Secret dev/unreadable
        +++ /dev/null
        @@ -1,5 +0,0 @@
        -apiVersion: v1
        -kind: Secret
        -metadata:
        -  name: unreadable
        -  namespace: dev
        "#);
    }

    #[test]
    fn requests_change_the_object_that_they_are_made_with() {
        let kustomization = ObjectReference::namespaced(&crate::flux::kustomization_resource("v1"), "dev", "hello");
        let live = object("Kustomization", "hello", &json!({"spec": {"prune": true}}));
        let others = LiveObjects::new([(Place::Build, kustomization.clone(), live)]);
        let steps = vec![Step::suspend(kustomization)];
        insta::assert_snapshot!(shown(steps, vec![None], &others), @r"
        --- build: Kustomization dev/hello
        +++ build: Kustomization dev/hello
        @@ -5,3 +5,4 @@
           namespace: dev
         spec:
           prune: true
        +  suspend: true
        ");
    }
}
