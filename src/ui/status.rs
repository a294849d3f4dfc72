//! How a status looks: [`tree`] and [`table`] for people, a document for programs. Of many run clusters, the tree shows what needs
//! attention ([`fleet`]). Pure.

mod branch;
mod delivery;
mod fleet;
pub mod table;
pub mod tree;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::events::Conclusion;
use crate::observe::Verdict;
use crate::observe::survey::Surveyed;

/// The schema of the document; its version changes when a field changes its meaning or goes away.
const SCHEMA: &str = "carvelflux.status/v1";

/// Returns the whole status as one document.
#[must_use]
pub fn document(surveyed: &[Surveyed], now: Timestamp) -> Value {
    let deliveries: Vec<Value> = surveyed.iter().map(delivery).collect();
    json!({"schema": SCHEMA, "time": now.to_string(), "deliveries": deliveries})
}

fn delivery(surveyed: &Surveyed) -> Value {
    let mut value = json!(Conclusion::of(&surveyed.delivery, &surveyed.verdict));
    value["revision"] = json!(surveyed.revision);
    value["fluxReady"] = json!({"packages": surveyed.flux[0], "packageInstalls": surveyed.flux[1]});
    if let Some(versions) = &surveyed.versions {
        value["versions"] = json!({
            "offered": versions.offered,
            "constraints": versions.constraints,
            "selected": versions.selected,
            "installed": versions.installed,
            "lastReconciled": versions.reconciled.map(|time| time.to_string()),
        });
    }
    value
}

/// Returns one name per delivery: namespace, package and run cluster.
#[must_use]
pub fn names(surveyed: &[Surveyed]) -> Vec<String> {
    surveyed
        .iter()
        .map(|one| {
            let delivery = &one.delivery;
            format!("{}/{}/{}", delivery.namespace, delivery.package, delivery.run_cluster)
        })
        .collect()
}

/// Returns the state in a word, and the stage where there is one.
fn outcome(verdict: &Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Ready { .. } => ("ready", ""),
        Verdict::Pending { stage, .. } => ("pending", stage.name()),
        Verdict::Failed(failure) => ("failed", failure.stage.name()),
        Verdict::Unknown { .. } => ("unknown", ""),
    }
}

/// Returns how long ago something was, in its largest unit.
#[must_use]
pub fn age(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(time).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}
