//! The parts of events that speak of deliveries: their names, how far they are, and what became of them.

use serde::Serialize;

use crate::observe::wait::Outcome;
use crate::observe::{Cause, Delivery, Stage, Verdict};
use crate::ui::conclusion::{is_on_run_cluster, keep_waiting};

/// What identifies a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryName {
    namespace: String,
    package: String,
    run_cluster: String,
    target_namespace: String,
}

impl DeliveryName {
    /// Names a delivery.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Self {
        Self {
            namespace: delivery.namespace.clone(),
            package: delivery.package.clone(),
            run_cluster: delivery.run_cluster.clone(),
            target_namespace: delivery.target_namespace.clone(),
        }
    }

    /// Returns the delivery as messages name it.
    #[must_use]
    pub fn display(&self) -> String {
        format!("{} on {}", self.package, self.run_cluster)
    }
}

/// How many of its changes kapp has seen through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    done: u64,
    total: u64,
}

impl Progress {
    /// Reads `[2/3 done]`.
    #[must_use]
    pub fn of(why: &str) -> Option<Self> {
        let (count, _) = why.split_once('[')?.1.split_once(" done]")?;
        let (done, total) = count.split_once('/')?;
        Some(Self { done: done.parse().ok()?, total: total.parse().ok()? })
    }
}

/// What became of a delivery.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conclusion {
    delivery: DeliveryName,
    /// `ready`, `failed`, `unknown`, or `pending` where the deadline passed first.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<Stage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    /// The cluster of the object: `build` or `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Conclusion {
    /// Says what became of a delivery: a failure that had yet to count leaves it pending, with its cause.
    #[must_use]
    pub fn of_outcome(delivery: &Delivery, outcome: &Outcome) -> Self {
        let conclusion = Self::of(delivery, outcome.verdict());
        match outcome.verdict() {
            Verdict::Failed(_) if !outcome.is_decided() => Self { outcome: "pending", ..conclusion },
            _ => conclusion,
        }
    }

    /// Says what a verdict, the last one, makes of a delivery.
    #[must_use]
    pub fn of(delivery: &Delivery, verdict: &Verdict) -> Self {
        let blank = Self {
            delivery: DeliveryName::of(delivery),
            outcome: "pending",
            version: None,
            stage: None,
            cause: None,
            cluster: None,
            object: None,
            message: None,
            hint: None,
        };
        match verdict {
            Verdict::Ready { version } => Self { outcome: "ready", version: Some(version.clone()), ..blank },
            Verdict::Pending { stage, why } => {
                Self { stage: Some(*stage), message: Some(why.clone()), hint: Some(keep_waiting(&[delivery])), ..blank }
            }
            Verdict::Failed(failure) => Self {
                outcome: "failed",
                stage: Some(failure.stage),
                cause: Some(failure.cause),
                cluster: Some(if is_on_run_cluster(&failure.object) { "run" } else { "build" }),
                object: Some(failure.object.clone()),
                message: Some(failure.message.clone()),
                hint: Some(failure.hint.clone()).filter(|hint| !hint.is_empty()),
                ..blank
            },
            Verdict::Unknown { why, hint } => Self {
                outcome: "unknown",
                message: Some(why.clone()),
                hint: Some(hint.clone()).filter(|hint| !hint.is_empty()),
                ..blank
            },
        }
    }
}

/// What `bootstrap` ends with.
#[derive(Clone, Debug, Serialize)]
pub struct SourceResult {
    /// The namespace of the GitRepository.
    pub namespace: String,
    /// The package.
    pub package: String,
    /// The revision that Flux has fetched.
    pub revision: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kapps_count_is_read() {
        assert_eq!(Progress::of("[2/3 done] waiting on x"), Some(Progress { done: 2, total: 3 }));
        assert_eq!(Progress::of("fetching"), None);
    }
}
