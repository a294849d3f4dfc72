//! The results of commands: of `remove-cluster`, `rotate` and previews in detail.

use serde::Serialize;

use super::{Conclusion, DeliveryName, Part, SourceResult};
use crate::error::Error;
use crate::observe::Delivery;

/// What a command ends with.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandResult {
    /// `ready`, `removed`, `rotated`, `applied`, `committed`, `previewed`, `exported`, `same`, `different`, `failed` or `timeout`.
    pub outcome: &'static str,
    /// The exit code of the command.
    pub exit_code: u8,
    /// One entry per delivery, in the order of `started`.
    pub deliveries: Vec<Conclusion>,
    /// What `bootstrap` made known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceResult>,
    /// What `remove-cluster` has removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removal: Option<Removal>,
    /// What brings about what files were committed for, as commands, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
    /// What became of each run cluster that `rotate` was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rotations: Vec<Rotation>,
    /// What the command would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<Box<PreviewResult>>,
}

/// What became of a removal.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Removal {
    namespace: String,
    run_cluster: String,
    /// The deliveries that are gone.
    deliveries: Vec<DeliveryName>,
    /// Whether what kapp-controller had deployed runs on.
    workloads_kept: bool,
    /// What was found and stays on purpose, each with the reason, in words.
    left: Vec<String>,
    /// What Flux had applied and nobody could delete, and what it acted as there, as kind, namespace and name.
    orphaned: Vec<String>,
}

impl Removal {
    /// Describes a removal.
    #[must_use]
    pub fn new(
        namespace: &str,
        run_cluster: &str,
        deliveries: &[Delivery],
        workloads_kept: bool,
        left: Vec<String>,
        orphaned: Vec<String>,
    ) -> Self {
        Self {
            namespace: namespace.to_owned(),
            run_cluster: run_cluster.to_owned(),
            deliveries: deliveries.iter().map(DeliveryName::of).collect(),
            workloads_kept,
            left,
            orphaned,
        }
    }

    /// Returns the lines that say it to a person.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let end = match (self.workloads_kept, self.orphaned.is_empty()) {
            (true, _) => "removed  its application runs on",
            (false, true) => "removed",
            (false, false) => "removed  what is on the run cluster stays there",
        };
        let mut lines: Vec<String> =
            self.deliveries.iter().map(|delivery| format!("{}  {end}", delivery.display())).collect();
        if lines.is_empty() {
            lines.push(format!("{}  {end}", self.run_cluster));
        }
        lines.extend(self.orphaned.iter().map(|object| format!("{}  orphaned  {object}", self.run_cluster)));
        lines
    }
}

/// What became of a rotation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    namespace: String,
    run_cluster: String,
    /// `rotated` or `failed`.
    outcome: &'static str,
    /// When the new credential expires (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// The Kustomizations that use it once they are resumed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suspended: Vec<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Part>,
}

impl Rotation {
    /// Describes a rotation that completed.
    #[must_use]
    pub fn done(namespace: &str, run_cluster: &str, expires: Option<String>, suspended: Vec<String>) -> Self {
        Self {
            namespace: namespace.to_owned(),
            run_cluster: run_cluster.to_owned(),
            outcome: "rotated",
            expires,
            suspended,
            failure: None,
        }
    }

    /// Describes a rotation that failed.
    #[must_use]
    pub fn failed(namespace: &str, run_cluster: &str, error: &Error) -> Self {
        Self {
            outcome: "failed",
            failure: Some(Part::of(error)),
            ..Self::done(namespace, run_cluster, None, Vec::new())
        }
    }

    /// Returns the line that says it to a person.
    #[must_use]
    pub fn line(&self) -> String {
        let end = self.expires.as_ref().map(|expires| format!("  expires {expires}")).unwrap_or_default();
        format!("{}  {}{end}", self.run_cluster, self.outcome)
    }
}

/// What a command would do.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewResult {
    /// What would be done, in this order.
    pub changes: Vec<PreviewChange>,
    /// How many objects the command is about that stay as they are.
    pub unchanged: usize,
    /// What cannot be known before, with what it depends on, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// The unified diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// The files that were exported.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// What was not exported, with the reason, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// Something that would change.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewChange {
    /// The cluster or the repository, in words.
    pub place: String,
    /// `create`, `update`, `delete`, or `write` of a file.
    pub action: &'static str,
    /// Kind, namespace and name of the object, or the path of the file.
    pub name: String,
    /// Which fields change, or why, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}
