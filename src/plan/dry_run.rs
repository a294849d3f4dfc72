//! One step's dry run: the object before and after, as the API server says. Nothing is written.
//!
//! Which dry runs a plan takes, and what becomes of refusals, lives in [`super::preview`].

use std::fmt;

use kube::ResourceExt;
use kube::api::DynamicObject;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::executor::Executor;
use super::mint::Mint;
use super::refusals;
use super::steps::{Change, Delete, NoopDelete, Request, Step};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::object::ObjectReference;

/// An object before and after a step.
pub(crate) struct DryRun {
    /// What is there; `None` where nothing is.
    pub(crate) before: Option<DynamicObject>,
    /// What the API server would keep; where it could not be asked, what is applied.
    pub(crate) after: Option<DynamicObject>,
    pub(crate) change: Change,
    /// What has to be made before the API server can be asked, or before all of the object is known.
    pub(crate) depends_on: Option<String>,
}

impl fmt::Debug for DryRun {
    /// Leaves the content out: there are Secrets among the objects.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DryRun")
            .field("change", &self.change)
            .field("depends_on", &self.depends_on)
            .finish_non_exhaustive()
    }
}

impl DryRun {
    /// An object in a namespace that does not exist yet: nothing can be tried there.
    fn untried(manifest: &Value, depends_on: String) -> Result<Self> {
        let after = Some(object(manifest)?);
        Ok(Self { before: None, after, change: Change::Create, depends_on: Some(depends_on) })
    }
}

fn object(manifest: &Value) -> Result<DynamicObject> {
    serde_json::from_value(manifest.clone()).map_err(|error| Error::new("a manifest is no object").because(error))
}

/// What is known of an object before its dry run.
#[derive(Clone, Copy)]
pub(super) enum Known<'a> {
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

/// Asks what a step would change; `None` where it changes no object, or is only authorized.
///
/// `missing_namespace` is the namespace of the object, where the plan has yet to make it.
pub(super) async fn dry_run(
    step: &Step,
    known: Known<'_>,
    missing_namespace: Option<&str>,
    executor: Executor<'_>,
) -> Result<Option<DryRun>> {
    match (step, missing_namespace) {
        (Step::Apply(apply), Some(namespace)) => {
            DryRun::untried(&apply.manifest, format!("Namespace {namespace}")).map(Some)
        }
        (Step::Apply(apply), None) => {
            apply_in_dry_run(executor.cluster(apply.place)?, &apply.manifest, known).await.map(Some)
        }
        (Step::Commit(commit), _) => match executor.checkout(commit) {
            Ok(checkout) => checkout.check_untouched(&commit.changes).await.map(|()| None),
            // A preview of a plan may do without.
            Err(_) => Ok(None),
        },
        (Step::Mint(mint), _) => mint_in_dry_run(executor.build, mint, known).await.map(Some),
        (Step::Request(Request::NoopDelete(noop_delete)), _) => {
            let applied = executor.run_cluster()?.apply(&noop_delete.manifest(), true).await;
            applied.map(|_| None).map_err(NoopDelete::explain)
        }
        (Step::Delete(Delete { uid: Some(uid), place, reference, .. }), _) => {
            executor.cluster(*place)?.delete(reference, Some(uid), true).await.map(|_| None)
        }
        _ => Ok(None),
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
            let role = manifest["roleRef"]["name"].as_str().unwrap_or_default();
            let namespace = reference.namespace.as_deref().unwrap_or_default();
            let depends_on = Some(format!("Role {namespace}/{role}"));
            return Ok(DryRun { before, after: Some(object(manifest)?), change, depends_on });
        }
        Err(error) => return Err(refusals::with_way_out(error, manifest)),
    };
    let change = change_between(before.as_ref(), Some(&after));
    Ok(DryRun { before, after: Some(after), change, depends_on: None })
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
    dry_run.depends_on = mint.source.depends_on();
    Ok(dry_run)
}

pub(super) fn change_between(before: Option<&DynamicObject>, after: Option<&DynamicObject>) -> Change {
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
        fields.insert("labels".to_owned(), json!(object.metadata.labels));
        fields.insert("annotations".to_owned(), json!(object.metadata.annotations));
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

    /// An object in a version; dry runs that make one return none.
    fn of_version(version: Option<&str>) -> DynamicObject {
        let object = json!({"metadata": {"name": "record"}});
        let mut object: DynamicObject = serde_json::from_value(object).expect("an object");
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
