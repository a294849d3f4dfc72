//! One value in the place of another, whatever the two are.
//!
//! Which value it is, is decided in [`super::change`]; how it is written, in [`super::render`].

use serde_json::Value;
use serde_yaml::granit_parser::ScalarStyle;

use super::change::{Changer, Holder, Patch, Slot};
use super::render::{block, flow, indented, inline, literal};
use super::source::{Content, Node, is_blank};

impl Changer<'_> {
    /// Writes a value in the place of another; none where that would need more than its place.
    pub(super) fn replace(&self, node: &Node, slot: Slot, value: &Value) -> Option<Vec<Patch>> {
        let written = self.source.text.get(slot.after..node.range.start).unwrap_or_default();
        if written.split_whitespace().any(|word| word.starts_with('!')) {
            // A tag says what the old value is.
            let range = slot.after..node.range.end;
            let untagged = Node { range, end: node.end, content: Content::Scalar(ScalarStyle::Plain) };
            return self.replace(&untagged, slot, value);
        }
        let is_collection = |value: &Value| match value {
            Value::Object(entries) => !entries.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => false,
        };
        let old_style = match node.content {
            Content::Scalar(style) => style,
            _ => ScalarStyle::Plain,
        };
        if slot.is_in_flow {
            let text = match value {
                Value::Object(_) | Value::Array(_) => flow(value, self.is_json),
                _ if self.is_json => flow(value, true),
                _ => inline(value, old_style, true),
            };
            return Some(vec![in_place(node, slot, &text)]);
        }
        match value {
            _ if is_collection(value) => self.replace_by_lines(node, slot, value),
            Value::Object(_) | Value::Array(_) => Some(vec![in_place(node, slot, &flow(value, false))]),
            Value::String(text) => self.replace_by_text(node, slot, text, old_style),
            _ => Some(vec![in_place(node, slot, &inline(value, old_style, false))]),
        }
    }

    /// Writes a collection in block style.
    fn replace_by_lines(&self, node: &Node, slot: Slot, value: &Value) -> Option<Vec<Patch>> {
        let lines = block(value)?;
        let source = self.source;
        match slot.holder {
            Holder::Document => Some(vec![Patch { range: node.range.clone(), text: lines.join(source.line_break) }]),
            Holder::Item => {
                let lines = indented(&lines, slot.column? + 2);
                let text = format!(" {}", lines.join(source.line_break).trim_start());
                Some(vec![Patch { range: slot.after..node.range.end.max(slot.after), text }])
            }
            Holder::Entry => {
                let step = if value.is_array() { 0 } else { 2 };
                let lines = indented(&lines, slot.column? + step);
                let end = node.range.end.max(slot.after);
                let is_short = !source.text[slot.after..end].contains('\n');
                if is_short && source.ends_line(end) {
                    let removed = Patch { range: slot.after..end, text: String::new() };
                    return Some(vec![removed, self.lines_after(end, &lines)]);
                }
                let text = source.line_break.to_owned() + &lines.join(source.line_break);
                Some(vec![Patch { range: slot.after..end, text }])
            }
        }
    }

    /// Writes a text: of several lines as a literal block, and one that was a block stays one.
    fn replace_by_text(&self, node: &Node, slot: Slot, text: &str, old_style: ScalarStyle) -> Option<Vec<Patch>> {
        let source = self.source;
        let was_block = is_block_scalar(node);
        let column = slot.column.filter(|_| text.contains('\n') || was_block);
        let written = &source.text[node.range.clone()];
        let mut end = node.range.end.max(slot.after);
        if node.is_block_collection() {
            // With what is said beside its last line.
            let line = &source.text[end..self.line_after(end)];
            end += line.trim_end_matches(['\r', '\n']).len();
        }
        let Some((header, lines)) = column.and_then(|column| {
            let first = written.lines().skip(1).find(|line| !is_blank(line)).filter(|_| was_block);
            let indentation = first.map_or(0, |line| line.len() - line.trim_start_matches(' ').len());
            let step = indentation.checked_sub(column).filter(|step| (1..=9).contains(step)).unwrap_or(2);
            // A comment that is indented as much would become a part of the text.
            let next = source.text[self.line_after(end)..].lines().find(|line| !is_blank(line)).unwrap_or_default();
            if !was_block && next.starts_with(' ') && next.trim_start().starts_with('#') {
                return None;
            }
            let (header, lines) = literal(text, step)?;
            Some((header, indented(&lines, column + step)))
        }) else {
            let style = if was_block { ScalarStyle::DoubleQuoted } else { old_style };
            return Some(vec![in_place(node, slot, &inline(&Value::from(text), style, false))]);
        };
        let keeps = header.ends_with('+');
        if was_block || node.is_block_collection() {
            let start = if was_block { node.range.start } else { slot.after };
            let after_header = if was_block {
                let first = written.lines().next().unwrap_or_default();
                first.trim_start_matches(|character: char| character.is_ascii_digit() || "|>+-".contains(character))
            } else {
                ""
            };
            let space = if was_block { "" } else { " " };
            let first = format!("{space}{header}{after_header}");
            let mut text = [&[first], lines.as_slice()].concat().join(source.line_break);
            // Blank lines after it would belong to the text of a block that keeps them.
            if keeps || node.end > node.range.end {
                end = self.after_blank_lines(end);
                text.push_str(source.line_break);
            }
            return Some(vec![Patch { range: start..end, text }]);
        }
        if !source.ends_line(end) {
            return None;
        }
        let space = if node.range.start == slot.after { " " } else { "" };
        let mut added = self.lines_after(end, &lines);
        if keeps {
            added.range.end = self.after_blank_lines(end).max(added.range.start);
            if !added.text.ends_with('\n') {
                added.text.push_str(source.line_break);
            }
        }
        Some(vec![Patch { range: node.range.start..end, text: format!("{space}{header}") }, added])
    }
}

fn is_block_scalar(node: &Node) -> bool {
    matches!(node.content, Content::Scalar(ScalarStyle::Literal | ScalarStyle::Folded))
}

/// Writes something that needs one line only.
fn in_place(node: &Node, slot: Slot, text: &str) -> Patch {
    let is_of_lines = node.is_block_collection() || is_block_scalar(node);
    // A block may begin on a line of its own, with no more indentation than its key.
    let start = if is_of_lines && slot.holder != Holder::Document { slot.after } else { node.range.start };
    let follows_sign = match slot.holder {
        Holder::Document => false,
        Holder::Entry => true,
        Holder::Item => !slot.is_in_flow,
    };
    let space = match (slot.needs_colon, start == slot.after && follows_sign) {
        (true, _) => ": ",
        (false, true) => " ",
        (false, false) => "",
    };
    Patch { range: start..node.range.end.max(start), text: format!("{space}{text}") }
}
