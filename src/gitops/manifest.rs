//! YAML as Kubernetes reads it: text to JSON values and back.
//!
//! Which documents mean what lives in [`super::layout`] and [`super::delivery`]; nothing here touches a file.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The order in which people expect the keys of a manifest; all others follow as given.
const FIRST_KEYS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Reads every document of a YAML file the way `kubectl` does; empty documents are left out.
///
/// YAML 1.1 applies (`yes` is a boolean, `0644` is octal) and a repeated key is refused. `origin` is what the user calls the
/// text; the error names it with line and column. Not for text that may hold secrets: the cause may name a key of it.
pub fn read_documents(text: &str, origin: &str) -> Result<Vec<Value>> {
    parse(text).map_err(|fault| Error::new(fault.sentence(origin)).because(fault.reason))
}

/// Returns the objects of a document: itself, or the items of a List, which kustomize puts in its place
/// (sigs.k8s.io/kustomize `api/resource/factory.go`, `inlineAnyEmbeddedLists`).
pub(super) fn items(mut document: Value) -> Vec<Value> {
    let is_list = document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match document.get_mut("items").map(Value::take) {
        Some(Value::Array(entries)) if is_list => entries.into_iter().flat_map(items).collect(),
        Some(other) => {
            document["items"] = other;
            vec![document]
        }
        None => vec![document],
    }
}

/// Writes documents in an order and style made for reading and reviewing, each one after a `---` line.
///
/// Strings that YAML 1.1 readers would take for something else are quoted.
pub fn write_documents(documents: &[Value]) -> Result<String> {
    let mut text = String::new();
    for document in documents {
        // Folding would let one changed word reflow a whole paragraph of the diff.
        let options = serde_yaml::ser_options! { folded_wrap_chars: usize::MAX };
        let body = serde_yaml::to_string_with_options(&in_reading_order(document), options)
            .map_err(|error| Error::new("cannot write a manifest as YAML").because(error))?;
        text.push_str("---\n");
        text.push_str(&body);
        if !body.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}

/// Where and why a text is no YAML.
pub(super) struct Fault {
    position: Option<(u64, u64)>,
    /// What the parser says, which may repeat a key of the text.
    reason: String,
}

impl Fault {
    /// Returns the sentence that names the file and the place, and nothing of the content.
    pub(super) fn sentence(&self, origin: &str) -> String {
        match self.position {
            Some((line, column)) => format!("{origin} is not valid YAML at line {line}, column {column}"),
            None => format!("{origin} is not valid YAML"),
        }
    }
}

/// Parses every document that is not empty.
pub(super) fn parse(text: &str) -> Result<Vec<Value>, Fault> {
    let options = serde_yaml::options! { legacy_octal_numbers: true, with_snippet: false };
    serde_yaml::from_multiple_with_options(text, options).map_err(|error| {
        let position = error.location().map(|location| (location.line(), location.column()));
        let reason = match error.without_snippet() {
            serde_yaml::Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` appears twice"),
            serde_yaml::Error::DuplicateMappingKey { .. } => "a key appears twice".to_owned(),
            other => without_position(&other.to_string()),
        };
        Fault { position, reason }
    })
}

/// Removes the place that the parser appends to its messages, because the sentence before already names it.
fn without_position(message: &str) -> String {
    message.rfind(" at line ").map_or(message, |end| &message[..end]).to_owned()
}

/// Orders the entries of a document as [`write_documents`] writes them.
pub fn in_reading_order(document: &Value) -> Value {
    let Value::Object(entries) = document else { return document.clone() };
    let mut ordered = Map::new();
    for key in FIRST_KEYS {
        if let Some(value) = entries.get(key) {
            ordered.insert(key.to_owned(), value.clone());
        }
    }
    for (key, value) in entries {
        ordered.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(ordered)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strings_that_look_like_something_else_survive_and_are_quoted() {
        for text in [
            "yes",
            "on",
            "No",
            "y",
            "12:30:45",
            "0644",
            "1e3",
            "0x1f",
            "1_000",
            "null",
            "~",
            "",
            "true",
            "2024-01-01",
            ">=0.0.0",
            "1.10",
            "a: b",
            "# c",
            "- d",
            "*e",
            "!f",
            "@g",
            "%h",
            "{i}",
            "=",
            "<<",
            ".inf",
            " padded ",
            "0b1",
            "0o7",
            "+1",
        ] {
            let written = write_documents(&[json!({ text: text, "in": [text] })]).unwrap();
            assert_eq!(read_documents(&written, "test").unwrap(), [json!({ text: text, "in": [text] })], "{written}");
            assert!(written.contains(&format!(": \"{text}\"\n")), "{text:?} is not quoted in {written}");
        }
    }

    #[test]
    fn text_of_several_lines_is_a_block_and_survives() {
        for text in ["a\nb\n", "a\nb", "a\n\nb\n\n", "  a\nb\n", "---\nreplicas: 2\n", "\n", "\ta\nb\n", "a \nb\n"] {
            let document = json!({ "stringData": { "values.yml": text } });
            let written = write_documents(std::slice::from_ref(&document)).unwrap();
            assert_eq!(read_documents(&written, "test").unwrap(), [document], "{written}");
            assert!(written.contains("values.yml: |"), "{written}");
        }
        let windows = json!({ "a": "a\r\nb\r\n" });
        assert_eq!(
            read_documents(&write_documents(std::slice::from_ref(&windows)).unwrap(), "test").unwrap(),
            [windows]
        );
    }

    #[test]
    fn a_long_line_stays_one_line() {
        let long = "word ".repeat(60).trim().to_owned();
        assert_eq!(write_documents(&[json!({ "a": long })]).unwrap(), format!("---\na: {long}\n"));
    }

    #[test]
    fn each_document_starts_with_a_marker_and_the_usual_keys() {
        let documents = [
            json!({ "spec": { "b": 1, "a": 2 }, "metadata": { "name": "x" }, "kind": "K", "apiVersion": "v1" }),
            json!({ "a": [] }),
        ];
        let expected = "---\napiVersion: v1\nkind: K\nmetadata:\n  name: x\nspec:\n  b: 1\n  a: 2\n---\na: []\n";
        assert_eq!(write_documents(&documents).unwrap(), expected);
    }

    #[test]
    fn reads_yaml_as_kubectl_does() {
        let text =
            "\u{feff}--- # comment\n---\na: yes\nmode: 0644\ntime: 12:30:45\nversion: 20240101000000.0.0\n---\n...\n";
        let expected = json!({ "a": true, "mode": 420, "time": "12:30:45", "version": "20240101000000.0.0" });
        assert_eq!(read_documents(text, "test").unwrap(), [expected]);
        assert!(read_documents("# nothing\n", "test").unwrap().is_empty());
    }

    #[test]
    fn an_error_names_file_line_and_reason() {
        let error = read_documents("a: 1\nb: 2\na: 3\n", "app/packages/1.yaml").unwrap_err();
        assert_eq!(error.message(), "app/packages/1.yaml is not valid YAML at line 3, column 1");
        assert_eq!(error.causes(), ["the key `a` appears twice"]);
        let error = read_documents("a: 1\n---\na: b: c\n", "x.yaml").unwrap_err();
        assert_eq!(error.message(), "x.yaml is not valid YAML at line 3, column 5");
        assert_eq!(error.causes(), ["mapping values are not allowed in this context"]);
    }
}
