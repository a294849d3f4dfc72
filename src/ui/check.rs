//! How checks look: lines for people ([`mod@lines`]), or a document for programs. Pure.

mod finding;
mod fleet;
pub mod lines;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::check::{Checks, Finding, Outcome};
use crate::error::Error;
use crate::ui::text::one_line;

/// The schema of the document; its version changes when a field changes its meaning or goes away.
const SCHEMA: &str = "carvelflux.check/v1";

/// The checks of one cluster.
#[derive(Debug)]
pub struct Section {
    /// The cluster as messages name it.
    pub title: String,
    /// The namespace on the build cluster; `None` means all.
    pub namespace: Option<String>,
    /// The run cluster's short name; `None` for the build cluster.
    pub run_cluster: Option<String>,
    /// What was found.
    pub checks: Checks,
}

impl Section {
    /// Names the cluster at the beginning of a line.
    fn name(&self) -> String {
        let title = one_line(&self.title);
        let mut characters = title.chars();
        characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
    }
}

/// Returns all of it as one document.
#[must_use]
pub fn document(sections: &[Section], now: Timestamp) -> Value {
    let mut all = sections.iter().flat_map(|section| section.checks.findings());
    let is_failed = all.any(|finding| word(finding) == "failed");
    json!({
        "schema": SCHEMA,
        "time": now.to_string(),
        "outcome": if is_failed { "failed" } else { "passed" },
        "clusters": sections.iter().map(section).collect::<Vec<_>>(),
    })
}

fn section(section: &Section) -> Value {
    let checks: Vec<Value> = section.checks.findings().iter().map(check).collect();
    json!({
        "cluster": if section.run_cluster.is_some() { "run" } else { "build" },
        "runCluster": section.run_cluster,
        "namespace": section.namespace,
        "checks": checks,
    })
}

fn check(finding: &Finding) -> Value {
    let explained = |message: &str, error: Option<&Error>| {
        json!({
            "name": finding.name,
            "outcome": word(finding),
            "message": message,
            "causes": error.map(Error::causes).unwrap_or_default(),
            "hints": error.map(Error::hints).unwrap_or_default(),
        })
    };
    match &finding.outcome {
        Outcome::Passed(text) | Outcome::Unknown(text) => explained(text, None),
        Outcome::Warned(error) | Outcome::Failed(error) => explained(error.message(), Some(error)),
    }
}

/// Returns the outcome in a word.
fn word(finding: &Finding) -> &'static str {
    match finding.outcome {
        Outcome::Passed(_) => "passed",
        Outcome::Unknown(_) => "unknown",
        Outcome::Warned(_) => "warning",
        Outcome::Failed(_) => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections() -> Vec<Section> {
        let mut checks = Checks::default();
        checks.pass("Flux", "");
        checks.pass("Flux's capacity", "0 unfinished");
        checks.unknown("accounts", "RoleBindings may not be listed");
        checks.warn("names", Error::new("careful").hint("look"));
        checks.fail("connection", Error::new("refused\u{1b}[2J").because("x509\nunknown authority"));
        vec![Section {
            title: "the build cluster".to_owned(),
            namespace: Some("dev".to_owned()),
            run_cluster: None,
            checks,
        }]
    }

    #[test]
    fn the_document_says_the_same() {
        let document = document(&sections(), Timestamp::UNIX_EPOCH);
        assert_eq!((&document["schema"], &document["outcome"]), (&json!(SCHEMA), &json!("failed")));
        let checks = &document["clusters"][0]["checks"];
        assert_eq!(
            checks[3],
            json!({"name": "names", "outcome": "warning", "message": "careful", "causes": [], "hints": ["look"]})
        );
        assert_eq!((&checks[2]["outcome"], &checks[4]["outcome"]), (&json!("unknown"), &json!("failed")));
    }
}
