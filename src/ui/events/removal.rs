//! What `remove-cluster` has removed, and what it has not.

use serde::Serialize;

use super::DeliveryName;
use crate::observe::Delivery;

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
