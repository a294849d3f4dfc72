//! A file of values as a schema describes it: the defaults, with what is said about them as comments. Pure.

use serde_json::Value;

use super::node::{Content, Entry, Key, Node};
use super::words::{self, in_one_line};
use crate::carvel::schema::{Kind, Schema, ValuesSchema};
use crate::error::{Error, Result};

/// Characters that end a comment for some reader of YAML.
const LINE_BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// Writes a file of values in which everything has its default.
pub fn values_file(schema: &ValuesSchema, title: &str) -> Result<String> {
    let mut lines = comments(title, "");
    match &schema.root.kind {
        Kind::Mapping { properties, .. } if !properties.is_empty() => write_properties(&mut lines, properties, "")?,
        _ => lines.push("{}".to_owned()),
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// Writes values as YAML.
pub fn yaml(node: &Node) -> Result<String> {
    let options = serde_yaml::ser_options! { folded_wrap_chars: usize::MAX };
    serde_yaml::to_string_with_options(node, options)
        .map_err(|error| Error::new("cannot write the values as YAML").because(error))
}

fn write_properties(lines: &mut Vec<String>, properties: &[(String, Schema)], margin: &str) -> Result<()> {
    for (key, property) in properties {
        if margin.is_empty() {
            lines.push(String::new());
        }
        lines.extend(comments(&about(property), margin));
        match (&property.kind, property.default_value()) {
            (Kind::Mapping { properties, .. }, Some(Value::Object(_))) if !properties.is_empty() => {
                lines.push(format!("{margin}{}", name(key)?));
                write_properties(lines, properties, &format!("{margin}  "))?;
            }
            (kind, default) => {
                let default = Node::of_schema(&default.unwrap_or(Value::Null));
                lines.extend(indented(&written(key, default.content)?, margin));
                lines.extend(inside(key, kind, margin)?);
            }
        }
    }
    Ok(())
}

/// Shows what could be in a mapping that is null, or in the items of a list, as comments.
fn inside(key: &str, kind: &Kind, margin: &str) -> Result<Vec<String>> {
    let (properties, is_list) = match kind {
        Kind::Mapping { properties, .. } => (properties, false),
        Kind::List(items) => match &items.kind {
            Kind::Mapping { properties, .. } => (properties, true),
            _ => return Ok(Vec::new()),
        },
        _ => return Ok(Vec::new()),
    };
    if properties.is_empty() {
        return Ok(Vec::new());
    }
    let mut lines = Vec::new();
    write_properties(&mut lines, properties, "  ")?;
    if is_list {
        // The first line that is no comment begins the item.
        if let Some(first) = lines.iter_mut().find(|line| !line.trim_start().starts_with('#')) {
            first.replace_range(..2, "- ");
        }
    }
    let shown = std::iter::once(name(key)?).chain(lines).map(|line| format!("{margin}# {line}").trim_end().to_owned());
    Ok(shown.collect())
}

/// Writes a key whose mapping follows.
fn name(key: &str) -> Result<String> {
    Ok(written(key, Content::Null)?.trim_end().trim_end_matches("null").trim_end().to_owned())
}

fn written(key: &str, content: Content) -> Result<String> {
    // A key such as `n` is a boolean to ytt, and exported as `false`.
    let key = Key { text: key.to_owned(), is_text: matches!(Content::of_plain(key), Content::Text(_)) };
    let entry = Entry { key, place: None, node: Node { place: None, content } };
    yaml(&Node { place: None, content: Content::Mapping(vec![entry]) })
}

fn indented<'text>(text: &'text str, margin: &'text str) -> impl Iterator<Item = String> + 'text {
    text.trim_end_matches('\n').split('\n').map(move |line| format!("{margin}{line}").trim_end().to_owned())
}

fn comments(text: &str, margin: &str) -> Vec<String> {
    let lines = text.split(LINE_BREAKS).filter(|line| !line.trim().is_empty());
    // ytt takes `#@` and `#!` for more than a comment.
    lines.map(|line| format!("{margin}# {}", line.trim_end())).collect()
}

/// Says what a value is for, and what it may be.
fn about(schema: &Schema) -> String {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(schema.title.clone());
    lines.extend(schema.description.clone());
    let mut facts = Vec::new();
    if schema.is_deprecated {
        facts.push("deprecated".to_owned());
    }
    facts.push(words::type_name(schema));
    facts.extend(words::limits(schema));
    if facts != ["mapping"] {
        lines.push(format!("({})", facts.join("; ")));
    }
    lines.extend(schema.example.as_ref().map(|example| format!("example: {}", in_one_line(example))));
    lines.join("\n")
}
