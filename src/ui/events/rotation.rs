//! What became of the rotation of a run cluster's credential.

use serde::Serialize;

use super::Part;
use crate::error::Error;

/// What became of a rotation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    namespace: String,
    run_cluster: String,
    /// `rotated` or `failed`.
    outcome: &'static str,
    /// When the new credential ends (RFC 3339).
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
    /// Describes a rotation that came to its end.
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
