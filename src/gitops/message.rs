//! The message of a commit: the plugin's own words, or the user's with placeholders. Pure.

use std::str::FromStr;

/// What a commit is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// What is done, as the first word of a sentence: `Deliver` or `Remove`.
    pub(crate) operation: &'a str,
    /// The package, or several of them.
    pub(crate) package: &'a str,
    /// The run cluster.
    pub(crate) run_cluster: &'a str,
}

/// A commit message in which `{operation}`, `{package}` and `{run-cluster}` are filled in; `{{` and `}}` stand for braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Operation,
    Package,
    RunCluster,
}

const PLACEHOLDERS: &str = "{operation}, {package} and {run-cluster}";

impl FromStr for MessageTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("a commit needs a message".to_owned());
        }
        if text.contains(|character: char| character.is_control() && !matches!(character, '\n' | '\t')) {
            return Err("the message holds a control character".to_owned());
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            let brace = &rest[at..=at];
            parts.push(Part::Text(rest[..at].to_owned()));
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                parts.push(Part::Text(brace.to_owned()));
                rest = after;
                continue;
            }
            let Some((name, after)) = rest.split_once('}').filter(|_| brace == "{") else {
                return Err(format!("there is a single `{brace}`: write {brace}{brace} where a brace is meant"));
            };
            parts.push(match name {
                "operation" => Part::Operation,
                "package" => Part::Package,
                "run-cluster" => Part::RunCluster,
                _ => return Err(format!("{{{name}}} is no placeholder; there are {PLACEHOLDERS}")),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts })
    }
}

impl Subject<'_> {
    /// Writes the message of the user's template; without one, a sentence of the plugin's.
    pub(crate) fn message(self, template: Option<&MessageTemplate>) -> String {
        let Some(template) = template else {
            let preposition = if self.operation == REMOVE { "from" } else { "to" };
            return format!("{} {} {preposition} {}", self.operation, self.package, self.run_cluster);
        };
        let words = template.parts.iter().map(|part| match part {
            Part::Text(text) => text,
            Part::Operation => self.operation,
            Part::Package => self.package,
            Part::RunCluster => self.run_cluster,
        });
        words.collect()
    }
}

/// The operation of `add-cluster`.
pub(crate) const DELIVER: &str = "Deliver";

/// The operation of `remove-cluster`.
pub(crate) const REMOVE: &str = "Remove";

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject<'_> = Subject { operation: DELIVER, package: "hello.default.tap", run_cluster: "prod1" };

    fn filled(template: &str) -> Result<String, String> {
        template.parse().map(|template| SUBJECT.message(Some(&template)))
    }

    #[test]
    fn placeholders_are_filled_in() {
        assert_eq!(
            filled("OPS-7: {operation} {package} on {run-cluster}\n\nby {{pipeline}}").as_deref(),
            Ok("OPS-7: Deliver hello.default.tap on prod1\n\nby {pipeline}")
        );
        assert_eq!(filled("#12 {package}").as_deref(), Ok("#12 hello.default.tap"));
        assert_eq!(SUBJECT.message(None), "Deliver hello.default.tap to prod1");
        assert_eq!(Subject { operation: REMOVE, ..SUBJECT }.message(None), "Remove hello.default.tap from prod1");
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (template, problem) in [
            ("{pakage}", "{pakage} is no placeholder; there are {operation}, {package} and {run-cluster}"),
            ("{package", "there is a single `{`"),
            ("a } b", "there is a single `}`"),
            (" \n", "a commit needs a message"),
            ("a\u{1b}[31m", "the message holds a control character"),
        ] {
            let error = filled(template).expect_err(template);
            assert!(error.starts_with(problem), "{template:?}: {error}");
        }
    }
}
