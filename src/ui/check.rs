//! How checks look: a line for each with what to do below it, or a document for programs. Pure.

use jiff::Timestamp;
use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::text::{escape, one_line};
use crate::check::{Checks, Finding, Outcome};
use crate::error::Error;

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

/// Returns the lines for people; the last one is the answer.
#[must_use]
pub fn lines(sections: &[Section]) -> Vec<String> {
    let mut lines = Vec::new();
    for section in sections {
        let namespace =
            section.namespace.as_ref().map_or("all namespaces".to_owned(), |name| format!("namespace {name}"));
        lines.push(format!("{}  {}", capitalised(&one_line(&section.title)).bold(), one_line(&namespace)));
        lines.extend(section.checks.findings().iter().flat_map(finding));
    }
    let count = |state: &str| all(sections).filter(|finding| word(finding) == state).count();
    let warnings = count("warning");
    let noun = if warnings == 1 { "warning" } else { "warnings" };
    lines.push(format!("{} passed, {warnings} {noun}, {} failed", count("passed"), count("failed")));
    lines
}

fn finding(finding: &Finding) -> Vec<String> {
    let name = one_line(&finding.name);
    let (mark, error) = match &finding.outcome {
        Outcome::Passed(detail) if detail.is_empty() => return vec![format!("  {} {name}", "✔".green())],
        Outcome::Passed(detail) => return vec![format!("  {} {name}: {}", "✔".green(), one_line(detail))],
        Outcome::Warned(warning) => ("!".yellow().to_string(), warning),
        Outcome::Failed(error) => ("✗".red().to_string(), error),
    };
    let mut lines = vec![format!("  {mark} {name}: {}", one_line(error.message()))];
    let texts = error
        .causes()
        .iter()
        .map(|cause| ("Caused by:", cause))
        .chain(error.hints().iter().map(|hint| ("Hint:", hint)));
    for (label, text) in texts {
        let text = escape(text);
        let mut said = text.lines().filter(|line| !line.trim().is_empty());
        lines.extend(said.next().map(|first| format!("      {} {first}", label.bold())));
        lines.extend(said.map(|line| format!("        {line}")));
    }
    lines
}

/// Returns all of it as one document.
#[must_use]
pub fn document(sections: &[Section], now: Timestamp) -> Value {
    let is_failed = all(sections).any(|finding| word(finding) == "failed");
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
        Outcome::Passed(detail) => explained(detail, None),
        Outcome::Warned(error) | Outcome::Failed(error) => explained(error.message(), Some(error)),
    }
}

fn all(sections: &[Section]) -> impl Iterator<Item = &Finding> {
    sections.iter().flat_map(|section| section.checks.findings())
}

fn word(finding: &Finding) -> &'static str {
    match finding.outcome {
        Outcome::Passed(_) => "passed",
        Outcome::Warned(_) => "warning",
        Outcome::Failed(_) => "failed",
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections() -> Vec<Section> {
        let mut checks = Checks::default();
        checks.pass("Flux", "");
        checks.pass("Flux's capacity", "0 unfinished");
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
    fn each_check_is_a_line_with_its_reason_below() {
        let lines: Vec<String> =
            lines(&sections()).iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert_eq!(
            lines,
            [
                "The build cluster  namespace dev",
                "  ✔ Flux",
                "  ✔ Flux's capacity: 0 unfinished",
                "  ! names: careful",
                "      Hint: look",
                "  ✗ connection: refused\\u{1b}[2J",
                "      Caused by: x509",
                "        unknown authority",
                "2 passed, 1 warning, 1 failed",
            ]
        );
    }

    #[test]
    fn the_document_says_the_same() {
        let document = document(&sections(), Timestamp::UNIX_EPOCH);
        assert_eq!((&document["schema"], &document["outcome"]), (&json!(SCHEMA), &json!("failed")));
        let checks = &document["clusters"][0]["checks"];
        assert_eq!(
            checks[2],
            json!({"name": "names", "outcome": "warning", "message": "careful", "causes": [], "hints": ["look"]})
        );
        assert_eq!(checks[3]["outcome"], "failed");
    }
}
