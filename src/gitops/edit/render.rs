//! A value as the YAML that takes a place in a text: in its style, with its indentation.
//!
//! Where it goes is decided in [`super::change`].

use std::fmt::Write;

use serde_json::Value;
use serde_yaml::granit_parser::ScalarStyle;

/// Returns the lines of a value in block style, without indentation.
pub(super) fn block(value: &Value) -> Option<Vec<String>> {
    let options = serde_yaml::ser_options! { folded_wrap_chars: usize::MAX };
    let text = serde_yaml::to_string_with_options(value, options).ok()?;
    Some(text.trim_end_matches('\n').split('\n').map(str::to_owned).collect())
}

/// Indents lines, except those that are empty.
pub(super) fn indented(lines: &[String], indentation: usize) -> Vec<String> {
    let indent = |line: &String| if line.is_empty() { String::new() } else { " ".repeat(indentation) + line };
    lines.iter().map(indent).collect()
}

/// Returns a value in flow style; with `is_json`, as JSON has it.
pub(super) fn flow(value: &Value, is_json: bool) -> String {
    match value {
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| flow_entry(key, value, is_json));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|item| flow(item, is_json)).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) if is_json => double_quoted(text),
        Value::String(_) => inline(value, ScalarStyle::Plain, true),
        _ => value.to_string(),
    }
}

/// Returns a key with its value in flow style.
pub(super) fn flow_entry(key: &str, value: &Value, is_json: bool) -> String {
    format!("{}: {}", flow(&Value::from(key), is_json), flow(value, is_json))
}

/// Returns a scalar on one line, in the style of the one whose place it takes as far as its text allows.
pub(super) fn inline(value: &Value, style: ScalarStyle, is_in_flow: bool) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let is_printable = !text.chars().any(needs_escape);
    match style {
        ScalarStyle::DoubleQuoted => double_quoted(text),
        ScalarStyle::SingleQuoted if is_printable => format!("'{}'", text.replace('\'', "''")),
        _ => {
            // What a YAML 1.1 reader would take for something else is quoted by the serializer.
            let written = serde_yaml::to_string(value).unwrap_or_default();
            let written = written.strip_suffix('\n').unwrap_or(&written);
            let is_plain = written == text && is_printable;
            let is_safe = !is_in_flow || !text.contains([',', '[', ']', '{', '}', ':', '#', '?', '"', '\'']);
            if is_plain && is_safe { text.clone() } else { double_quoted(text) }
        }
    }
}

/// Returns the indicators and the lines of a text as a literal block; none where a block cannot hold it.
///
/// `step` is by how much its lines are indented further than what holds the block.
pub(super) fn literal(text: &str, step: usize) -> Option<(String, Vec<String>)> {
    let body = text.trim_end_matches('\n');
    if body.is_empty() || body.split('\n').any(|line| line.chars().any(needs_escape)) {
        return None;
    }
    let first = body.split('\n').find(|line| !line.is_empty()).unwrap_or_default();
    let indentation = match (first.starts_with(' '), step) {
        (false, _) => String::new(),
        (true, 1..=9) => step.to_string(),
        (true, _) => return None,
    };
    let chomping = match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let text = text.strip_suffix('\n').unwrap_or(text);
    Some((format!("|{indentation}{chomping}"), text.split('\n').map(str::to_owned).collect()))
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // As JSON writes it, which YAML reads, too.
            other if needs_escape(other) => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(quoted, "\\u{unit:04x}");
                }
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns whether a character stands for itself in double quotes only when it is escaped (YAML 1.2, chapter 5.1), or is
/// one of the line breaks that YAML 1.1 knows and YAML 1.2 does not.
fn needs_escape(character: char) -> bool {
    (character.is_control() && character != '\t') || matches!(character, '\u{feff}' | '\u{2028}' | '\u{2029}')
}
