//! Waiting until objects that were deleted are gone: what holds them, since when, and the holder's own words.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::DynamicObject;
use tokio::time::Instant;

use super::Place;
use super::execute::Executor;
use crate::cluster::Cluster;
use crate::conditions::Condition;
use crate::error::{Error, ErrorKind, Result};
use crate::object::ObjectReference;
use crate::ui::text::{duration, headline};
use crate::waiting::{self, Look, Waited};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// How long things may take without a word about them.
const SILENCE: Duration = Duration::from_secs(3);

/// How long until it is repeated that something is still there, although nothing changes.
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
#[derive(Clone, Debug, PartialEq, Eq)]
struct Remaining {
    /// Which one, and where.
    object: String,
    /// Since when it is marked for deletion; `None` where nobody has deleted it yet.
    since: Option<Timestamp>,
    /// Who holds it, and what its controller says.
    words: Vec<String>,
}

impl Executor<'_> {
    /// Waits until all the objects are gone, and says meanwhile what holds them.
    ///
    /// A read that fails is tried again: a cluster may restart meanwhile. Only the deadline ends the wait, or a refusal.
    pub(super) async fn wait_until_gone(self, gone: &WaitUntilGone, deadline: Instant) -> Result<()> {
        let began = Instant::now();
        let (mut said, mut said_at) = (Vec::new(), began);
        let mut left = Vec::new();
        let gone_at_last = waiting::until(deadline, PAUSE, async || {
            let remaining = self.remaining(&gone.objects).await?;
            if remaining.is_empty() {
                return Ok(Look::Found(()));
            }
            let is_due = if said == remaining { said_at.elapsed() >= HEARTBEAT } else { began.elapsed() >= SILENCE };
            if is_due {
                for object in &remaining {
                    self.ui.notice(&format!("{:>6}  {}", duration(began.elapsed()), object.line(Timestamp::now())));
                }
                (said, said_at) = (remaining.clone(), Instant::now());
            }
            left = remaining;
            Ok(Look::NotYet)
        });
        if let Waited::Overdue(_) = gone_at_last.await? {
            return Err(overdue(&left));
        }
        self.say_what_is_gone(&gone.objects);
        Ok(())
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

    async fn remaining(self, objects: &[Awaited]) -> Result<Vec<Remaining>> {
        let mut remaining = Vec::new();
        for awaited in objects {
            let cluster = self.cluster(awaited.place)?;
            let object = format!("{} on {}", awaited.reference.display(), cluster.display());
            match look(cluster, awaited).await {
                Ok(None) => {}
                Ok(Some(found)) => remaining.push(Remaining::of(object, &found)),
                Err(error) if matches!(error.status(), Some(401 | 403)) => return Err(error),
                Err(error) => remaining.push(Remaining { object, since: None, words: vec![error.to_string()] }),
            }
        }
        Ok(remaining)
    }
}

/// Reads an object; `None` where it is gone, or another one has its name.
async fn look(cluster: &Cluster, awaited: &Awaited) -> Result<Option<DynamicObject>> {
    // Nobody needs the content of a Secret to see that it is there.
    let found = if awaited.reference.resource.kind == "Secret" {
        let found = cluster.get_metadata(&awaited.reference).await?;
        found.map(|object| DynamicObject { types: None, metadata: object.metadata, data: serde_json::Value::Null })
    } else {
        cluster.get(&awaited.reference).await?
    };
    Ok(found.filter(|object| object.metadata.uid.as_ref() == Some(&awaited.uid)))
}

impl Remaining {
    fn of(object: String, found: &DynamicObject) -> Self {
        let since = found.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        let mut words = Vec::new();
        if since.is_some() && !found.finalizers().is_empty() {
            words.push(format!("held by {}", found.finalizers().join(", ")));
        }
        words.extend(controllers_words(found));
        Self { object, since, words }
    }

    /// Says what is still there, since when, who holds it, and what its controller says.
    fn line(&self, now: Timestamp) -> String {
        let age = |since| duration(Duration::try_from(now.duration_since(since)).unwrap_or_default());
        let state = match self.since {
            Some(since) => format!("marked for deletion {} ago", age(since)),
            None => "not marked for deletion yet".to_owned(),
        };
        let words = std::iter::once(state).chain(self.words.iter().cloned()).collect::<Vec<_>>().join("; ");
        format!("{} is still there: {words}", self.object)
    }
}

/// Returns the controller's own words about a deletion: the tool's, else those of the condition.
///
/// A Kustomization has none: its conditions speak of what was before.
fn controllers_words(object: &DynamicObject) -> Option<String> {
    let status = object.data.get("status")?;
    let useful = status.get("usefulErrorMessage").and_then(serde_json::Value::as_str).unwrap_or_default();
    if !useful.is_empty() {
        return Some(headline(useful));
    }
    let conditions: Vec<Condition> = serde_json::from_value(status.get("conditions")?.clone()).ok()?;
    let speaks = |condition: &&Condition| {
        matches!(condition.r#type.as_str(), "Deleting" | "DeleteFailed" | "ReconcileFailed") && condition.is_true()
    };
    let condition = conditions.iter().find(speaks)?;
    let message = headline(&condition.message);
    Some(if message.is_empty() { condition.r#type.clone() } else { format!("{}: {message}", condition.r#type) })
}

fn overdue(remaining: &[Remaining]) -> Error {
    let error = Error::of_kind(ErrorKind::Timeout, "deletion timed out");
    remaining.iter().fold(error, |error, object| error.because(object.line(Timestamp::now())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(value: serde_json::Value) -> String {
        let object: DynamicObject = serde_json::from_value(value).expect("the fixture is an object");
        Remaining::of("it".to_owned(), &object).line("2026-11-22T12:00:10Z".parse().expect("a time"))
    }

    #[test]
    fn what_holds_an_object_is_said_in_its_controllers_words() {
        let install = json!({
            "metadata": {
                "name": "hello",
                "deletionTimestamp": "2026-11-22T12:00:00Z",
                "finalizers": ["finalizers.packageinstall.packaging.carvel.dev/delete"],
            },
            "status": {
                "conditions": [{"type": "DeleteFailed", "status": "True", "message": "see usefulErrorMessage"}],
                "usefulErrorMessage": "kapp: Error:\n  deployments.apps is forbidden",
            },
        });
        assert_eq!(
            line(install),
            "it is still there: marked for deletion 10s ago; held by \
             finalizers.packageinstall.packaging.carvel.dev/delete; kapp: Error: deployments.apps is forbidden"
        );
        let kustomization = json!({
            "metadata": {"name": "hello"},
            "status": {"conditions": [{"type": "Ready", "status": "False", "message": "of before"}]},
        });
        assert_eq!(line(kustomization), "it is still there: not marked for deletion yet");
    }
}
