//! The questions about the values of a package, and what their answers come to. Pure but for [`edit`], which runs an editor.

use secrecy::{ExposeSecret, SecretString};

use super::topics::{ASK, DEFAULTS, EDIT, Topic};
use crate::carvel::schema::{Kind, Schema, ValuesSchema};
use crate::carvel::values::set::{Assignment, Reading};
use crate::carvel::values::validate::judge;
use crate::carvel::values::{Node, read, template, words};
use crate::conversation::{Answer, Choice, Question};
use crate::error::{Error, Result};
use crate::ui::editor;

/// What values a version of a package takes.
#[derive(Clone)]
pub(super) struct PackageValues {
    /// The package and its version, as messages name them.
    pub(super) name: String,
    pub(super) schema: ValuesSchema,
}

/// Words in names of values that are not shown while they are typed.
const HIDDEN: [&str; 5] = ["password", "passwd", "secret", "token", "credential"];

impl PackageValues {
    /// Lists the values that have no usable default, each with its path.
    pub(super) fn open(&self) -> Vec<(String, &Schema)> {
        let refused = judge(&self.schema, &[]).findings;
        let is_refused = |path: &str| refused.iter().any(|finding| finding.path == path);
        let mut entries = self.schema.entries();
        entries.retain(|(path, schema)| {
            let is_leaf = !matches!(&schema.kind, Kind::Mapping { properties, .. } if !properties.is_empty());
            is_leaf && !path.contains("[]") && (is_refused(path) || schema.default_value().is_none())
        });
        entries
    }

    /// Asks how they are given.
    pub(super) fn ways(&self) -> Question {
        let open = self.open().len();
        let noun = if open == 1 { "value that has" } else { "values that have" };
        let ask = (open > 0).then(|| Choice::new(ASK, format!("for the {open} {noun} no usable default")));
        let defaults = (open == 0).then(|| Choice::new(DEFAULTS, "nothing has to be set"));
        let edit = Choice::new(EDIT, "all of them, in your editor");
        let choices = ask.into_iter().chain(defaults).chain([edit]).collect();
        Question::one_of("Values of the package", Topic::Values.flag(), choices)
    }

    /// Asks for one of them.
    pub(super) fn question(&self, index: usize) -> Option<Question> {
        let (path, schema) = self.open().into_iter().nth(index)?;
        let flag = "--set";
        let about = schema.title.as_deref().or(schema.description.as_deref()).unwrap_or_default();
        let about = about.lines().next().unwrap_or_default();
        let separator = if about.is_empty() { "" } else { ": " };
        let what = format!("{path}{separator}{about}, {}", kind(schema));
        let question = match (&schema.limits.allowed, &schema.kind) {
            (Some(allowed), _) => {
                let choices = allowed.iter().map(|value| Choice::new(words::in_one_line(value), "")).collect();
                Question::one_of(what, flag, choices)
            }
            (None, Kind::Boolean) => Question::one_of_names(what, flag, &["yes".to_owned(), "no".to_owned()]),
            (None, Kind::Text) if is_secret(&path) => Question::hidden(what, flag),
            _ => Question::text(what, flag),
        };
        let values = self.clone();
        let is_text = matches!(schema.kind, Kind::Text);
        Some(question.checked(move |answer| values.check(&path, answer, is_text)))
    }

    /// Says why a value would be refused.
    fn check(&self, path: &str, answer: &str, is_text: bool) -> Result<()> {
        let mut values = Node::merged([]);
        assignment(path, answer, is_text)?.apply(&mut values)?;
        let is_about = |found: &str| found == path || found.starts_with(&format!("{path}["));
        let mut findings = judge(&self.schema, &[values]).findings.into_iter();
        match findings.find(|finding| is_about(&finding.path)) {
            Some(finding) => Err(Error::usage(format!("{path} {}", finding.what))),
            None => Ok(()),
        }
    }

    /// Takes the answers.
    pub(super) fn assignments(&self, answer: impl Fn(usize) -> Option<Answer>) -> Vec<Assignment> {
        let open = self.open();
        let assigned = open.iter().enumerate().filter_map(|(index, (path, schema))| {
            let is_text = matches!(schema.kind, Kind::Text);
            match answer(index)? {
                Answer::Text(text) => assignment(path, &text, is_text).ok(),
                Answer::Secret(secret) => assignment(path, secret.expose_secret(), is_text).ok(),
            }
        });
        assigned.collect()
    }

    /// Has all values edited, again and again until they are accepted.
    pub(super) async fn edit(&self) -> Result<SecretString> {
        let mut text: SecretString = template::values_file(&self.schema, &format!("values of {}", self.name))?.into();
        let mut refusal = Vec::new();
        loop {
            let shown = with_refusal(text.expose_secret(), &refusal);
            let edited = editor::edit(&shown, "values.yaml").await?;
            let is_unchanged = edited.expose_secret() == shown.expose_secret();
            text = without_refusal(edited.expose_secret());
            refusal = self.refused(text.expose_secret());
            if refusal.is_empty() {
                return Ok(text);
            }
            if is_unchanged {
                let error = Error::usage("the values were left as they are, and cannot be used");
                return Err(refusal.iter().fold(error, Error::because));
            }
        }
    }

    /// Says what is wrong with edited values, without repeating one.
    fn refused(&self, text: &str) -> Vec<String> {
        match read(text, "values.yaml") {
            Ok(documents) => judge(&self.schema, &documents).findings.iter().map(ToString::to_string).collect(),
            Err(unreadable) => vec![format!("{}: {}", unreadable.place, unreadable.reason)],
        }
    }
}

/// Marks the lines that say what was wrong.
const REFUSAL: &str = "# ! ";

/// Puts what is wrong before the text, as `kubectl edit` does. Line numbers are those of the text alone.
fn with_refusal(text: &str, refusal: &[String]) -> SecretString {
    let lines = refusal.iter().flat_map(|line| [REFUSAL, line, "\n"]);
    lines.chain([text]).collect::<String>().into()
}

fn without_refusal(text: &str) -> SecretString {
    let lines: String = text.split_inclusive('\n').skip_while(|line| line.starts_with(REFUSAL)).collect();
    lines.into()
}

fn assignment(path: &str, answer: &str, is_text: bool) -> Result<Assignment> {
    let (answer, reading) = match answer {
        _ if is_text => (answer, Reading::Text),
        "yes" => ("true", Reading::Yaml),
        "no" => ("false", Reading::Yaml),
        _ => (answer, Reading::Yaml),
    };
    Assignment::new("--set", path, answer, reading)
}

fn is_secret(path: &str) -> bool {
    let path = path.to_lowercase();
    HIDDEN.iter().any(|word| path.contains(word))
}

/// Says what form the answer has.
fn kind(schema: &Schema) -> String {
    match schema.kind {
        Kind::Any | Kind::List(_) | Kind::Mapping { .. } => format!("{} as YAML", words::type_name(schema)),
        _ => words::type_name(schema),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Form;
    use serde_json::json;

    fn values() -> PackageValues {
        let schema = json!({"type": "object", "additionalProperties": false, "properties": {
            "name": {"type": "string", "title": "Name", "default": "", "minLength": 1},
            "replicas": {"type": "integer", "default": 1},
            "database": {"type": "object", "additionalProperties": false, "properties": {
                "port": {"type": "integer", "minimum": 1},
                "password": {"type": "string", "default": "", "minLength": 1},
            }},
            "tls": {"type": "boolean"},
            "size": {"type": "string", "enum": ["small", "large"], "default": ""},
        }});
        let schema = ValuesSchema::read(&schema).expect("a schema");
        PackageValues { name: "hello 1.0.0".to_owned(), schema }
    }

    #[test]
    fn what_has_no_usable_default_is_asked_by_its_type() {
        let values = values();
        let paths: Vec<String> = values.open().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["name", "database.port", "database.password", "tls", "size"]);
        let form = |index| values.question(index).expect("a question").form;
        assert_eq!(form(0), Form::Text { default: None });
        assert_eq!(form(2), Form::Hidden);
        let choices = |index| match form(index) {
            Form::OneOf { choices, .. } => choices.into_iter().map(|choice| choice.value).collect(),
            _ => Vec::new(),
        };
        assert_eq!(choices(3), ["yes", "no"]);
        assert_eq!(choices(4), ["small", "large"]);
        assert_eq!(values.question(0).expect("a question").to_string(), "name: Name, string (--set)");
        assert!(values.question(5).is_none());
    }

    #[test]
    fn a_wrong_value_is_refused_at_once_and_never_repeated() {
        let values = values();
        let refusal = |index: usize, answer: &str| {
            values.question(index).expect("a question").check(answer).err().map(|error| error.to_string())
        };
        assert_eq!(refusal(0, "web"), None);
        assert_eq!(refusal(1, "5432"), None);
        for (index, answer) in [(1, "many"), (1, "0"), (3, "perhaps"), (4, "medium")] {
            let reason = refusal(index, answer).unwrap_or_else(|| panic!("{answer} is accepted"));
            assert!(index == 3 || index == 4 || !reason.contains(answer), "{reason}");
        }
    }

    #[test]
    fn answers_become_values_of_their_types() {
        let answers = ["web", "5432", "not-a-password", "yes", "large"];
        let mut all = Node::merged([]);
        let assignments = values().assignments(|index| Some(answers[index].into()));
        for assignment in assignments {
            assignment.apply(&mut all).expect("it fits");
        }
        let yaml = template::yaml(&all).expect("YAML");
        assert_eq!(yaml, "name: web\ndatabase:\n  port: 5432\n  password: not-a-password\ntls: true\nsize: large\n");
    }

    #[test]
    fn what_is_wrong_stands_before_the_text_and_is_taken_away_again() {
        let values = values();
        let refusal = values.refused("name: web\nreplicas: many\n");
        assert!(refusal.iter().any(|line| line.starts_with("values.yaml line 2: replicas ")), "{refusal:?}");
        let shown = with_refusal("name: web\n", &refusal);
        assert!(shown.expose_secret().starts_with("# ! values.yaml line "), "what is wrong comes first");
        assert_eq!(without_refusal(shown.expose_secret()).expose_secret(), "name: web\n");
        assert!(!values.refused("name: [\n").is_empty());
    }
}
