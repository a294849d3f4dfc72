//! Status conditions as Flux and kapp-controller write them.

use serde::{Deserialize, Serialize};

/// One entry of `status.conditions`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What the condition is about, such as `Ready`.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word for why; kapp-controller leaves it empty.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
    /// The generation the condition speaks of; kapp-controller leaves it out.
    pub observed_generation: Option<i64>,
}

impl Condition {
    /// Tells whether the status is `True`.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }

    /// Tells whether the status is `False`.
    #[must_use]
    pub fn is_false(&self) -> bool {
        self.status == "False"
    }
}

/// Finds a condition by its type.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], r#type: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.r#type == r#type)
}
