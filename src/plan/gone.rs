//! Waiting until objects that were deleted are gone: what holds them, since when, and the holder's own words.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::DynamicObject;
use tokio::time::Instant;

use super::Place;
use super::execute::Executor;
use crate::cluster::{Cluster, ObjectReference};
use crate::conditions::Condition;
use crate::error::{Error, ErrorKind, Result};
use crate::ui::text::{duration, headline};

/// How often is looked.
const PAUSE: Duration = Duration::from_secs(1);

/// How long things may take without a word about them.
const SILENCE: Duration = Duration::from_secs(3);

/// How often is said that something is still there although nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Objects that must be gone before the next step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitUntilGone {
    /// The objects.
    pub objects: Vec<Awaited>,
}

/// An object that somebody deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Where.
    pub place: Place,
    /// Which object.
    pub reference: ObjectReference,
    /// Its UID: another object that takes the name is not waited for.
    pub uid: String,
    /// How the plan shows it, beside its name; `None` where a step before shows it already.
    pub note: Option<String>,
}

/// An object that is still there.
struct Remaining<'a> {
    awaited: &'a Awaited,
    /// What is said of it.
    words: String,
}

impl Executor<'_> {
    /// Waits until all the objects are gone, and says meanwhile what holds them.
    ///
    /// A read that fails is tried again: a cluster may restart meanwhile. Only the deadline ends the wait, or a refusal.
    pub(super) async fn wait_until_gone(self, gone: &WaitUntilGone, deadline: Instant) -> Result<()> {
        let began = Instant::now();
        let (mut said, mut said_at) = (Vec::new(), began);
        loop {
            let remaining = self.remaining(&gone.objects).await?;
            if remaining.is_empty() {
                self.say_what_is_gone(&gone.objects);
                return Ok(());
            }
            let lines: Vec<String> = remaining.iter().map(|object| self.line(object)).collect();
            let is_due = if said == lines { said_at.elapsed() >= HEARTBEAT } else { began.elapsed() >= SILENCE };
            if is_due {
                for line in &lines {
                    self.ui.notice(&format!("{:>6}  waiting until {line}", duration(began.elapsed())));
                }
                (said, said_at) = (lines.clone(), Instant::now());
            }
            if Instant::now() + PAUSE >= deadline {
                return Err(overdue(&lines, began.elapsed()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Names what others have deleted; what this plan deletes is named by its own steps.
    fn say_what_is_gone(self, objects: &[Awaited]) {
        let gone: Vec<String> = objects
            .iter()
            .filter(|awaited| awaited.note.is_some())
            .map(|awaited| awaited.reference.display())
            .collect();
        if !gone.is_empty() {
            self.ui.done(&format!("gone with it: {}", gone.join(", ")));
        }
    }

    async fn remaining(self, objects: &[Awaited]) -> Result<Vec<Remaining<'_>>> {
        let mut remaining = Vec::new();
        for awaited in objects {
            let cluster = self.cluster(awaited.place)?;
            match look(cluster, awaited).await {
                Ok(None) => {}
                Ok(Some(words)) => remaining.push(Remaining { awaited, words }),
                Err(error) if matches!(error.status(), Some(401 | 403)) => return Err(error),
                Err(error) => remaining.push(Remaining { awaited, words: error.to_string() }),
            }
        }
        Ok(remaining)
    }

    fn line(self, remaining: &Remaining<'_>) -> String {
        let place = self.cluster(remaining.awaited.place).map(Cluster::display).unwrap_or_default();
        format!("{} on {place} is gone: {}", remaining.awaited.reference.display(), remaining.words)
    }
}

/// Says what is to be known of an object that is still there; `None` where it is gone, or another one has its name.
async fn look(cluster: &Cluster, awaited: &Awaited) -> Result<Option<String>> {
    // Nobody needs the content of a Secret to see that it is there.
    if awaited.reference.resource.kind == "Secret" {
        let found = cluster.get_metadata(&awaited.reference).await?;
        let found = found.filter(|object| object.metadata.uid.as_ref() == Some(&awaited.uid));
        return Ok(found.map(|object| {
            let metadata = object.metadata;
            words(&DynamicObject { types: None, metadata, data: serde_json::Value::Null }, Timestamp::now())
        }));
    }
    let found = cluster.get(&awaited.reference).await?;
    let found = found.filter(|object| object.metadata.uid.as_ref() == Some(&awaited.uid));
    Ok(found.map(|object| words(&object, Timestamp::now())))
}

/// Says how long an object has been marked for deletion, who holds it, and what its controller says.
fn words(object: &DynamicObject, now: Timestamp) -> String {
    let Some(deleted) = &object.metadata.deletion_timestamp else {
        return match controllers_words(object) {
            Some(words) => format!("nobody has deleted it yet; {words}"),
            None => "nobody has deleted it yet".to_owned(),
        };
    };
    let since = Duration::try_from(now.duration_since(deleted.0)).unwrap_or_default();
    let mut parts = vec![format!("marked for deletion {} ago", duration(since))];
    if !object.finalizers().is_empty() {
        parts.push(format!("held by {}", object.finalizers().join(", ")));
    }
    parts.extend(controllers_words(object));
    parts.join("; ")
}

/// Returns the controller's own words: the tool's, else those of the condition that says most.
fn controllers_words(object: &DynamicObject) -> Option<String> {
    let status = object.data.get("status")?;
    let useful = status.get("usefulErrorMessage").and_then(serde_json::Value::as_str).unwrap_or_default();
    if !useful.is_empty() {
        return Some(headline(useful));
    }
    let conditions: Vec<Condition> = serde_json::from_value(status.get("conditions")?.clone()).ok()?;
    let speaks = |condition: &&Condition| match condition.r#type.as_str() {
        "Deleting" | "DeleteFailed" | "ReconcileFailed" | "Stalled" => condition.is_true(),
        "Ready" => condition.is_false(),
        _ => false,
    };
    let condition = conditions.iter().find(speaks)?;
    let message = headline(&condition.message);
    Some(if message.is_empty() { condition.r#type.clone() } else { format!("{}: {message}", condition.r#type) })
}

fn overdue(lines: &[String], waited: Duration) -> Error {
    let mut error = Error::of_kind(
        ErrorKind::Timeout,
        format!("the deletion has not come to an end; waited {} until", duration(waited)),
    );
    for line in lines {
        error = error.because(line);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: serde_json::Value) -> DynamicObject {
        serde_json::from_value(value).expect("the fixture is an object")
    }

    #[test]
    fn what_holds_an_object_is_said_in_its_controllers_words() {
        let now: Timestamp = "2026-11-22T12:00:10Z".parse().expect("a time");
        let install = object(json!({
            "metadata": {
                "name": "hello",
                "deletionTimestamp": "2026-11-22T12:00:00Z",
                "finalizers": ["finalizers.packageinstall.packaging.carvel.dev/delete"],
            },
            "status": {
                "conditions": [{"type": "DeleteFailed", "status": "True", "message": "see usefulErrorMessage"}],
                "usefulErrorMessage": "kapp: Error:\n  deployments.apps is forbidden",
            },
        }));
        assert_eq!(
            words(&install, now),
            "marked for deletion 10s ago; held by finalizers.packageinstall.packaging.carvel.dev/delete; \
             kapp: Error: deployments.apps is forbidden"
        );
        let kustomization = object(json!({
            "metadata": {"name": "hello"},
            "status": {"conditions": [{"type": "Ready", "status": "False", "message": "no route to host"}]},
        }));
        assert_eq!(words(&kustomization, now), "nobody has deleted it yet; Ready: no route to host");
    }
}
