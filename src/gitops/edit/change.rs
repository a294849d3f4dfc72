//! The first place where a document differs from what is wanted, and what to write there.
//!
//! One difference at a time: the text is read again after each, so that no two changes can be in each other's way. What is
//! added and removed is decided here; how one value takes the place of another, in [`super::replace`].

use std::ops::Range;

use serde_json::{Map, Value};

use super::render::{block, flow, flow_entry, indented};
use super::source::{Content, Entry, Item, Node, Source, Style, is_blank};

/// What takes the place of a range of the text.
#[derive(Debug)]
pub(super) struct Patch {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// Where a value stands.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    /// The end of what comes before it: a colon, a dash, or the start of the document.
    pub(super) after: usize,
    /// The column of the key or the dash that it belongs to; none at the top of a document.
    pub(super) column: Option<usize>,
    /// What it belongs to.
    pub(super) holder: Holder,
    /// Whether brackets are around it.
    pub(super) is_in_flow: bool,
    /// Whether the key before it stands alone, without a colon.
    pub(super) needs_colon: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// A document, whose whole content it is.
    Document,
    /// A mapping, under a key.
    Entry,
    /// A sequence.
    Item,
}

/// Writes the changes of one document.
pub(super) struct Changer<'source> {
    pub(super) source: &'source Source<'source>,
    /// Whether the document is JSON: keys and strings are in double quotes.
    pub(super) is_json: bool,
}

impl<'source> Changer<'source> {
    /// Looks at a document whose value is `before`, and returns the patches for the first difference from `after`; none where
    /// they differ in something that cannot be changed in place.
    pub(super) fn first_change(
        source: &'source Source<'source>,
        document: usize,
        before: &Value,
        after: &Value,
    ) -> Option<Vec<Patch>> {
        let root = &source.documents.get(document)?.root;
        let is_json = match &root.content {
            Content::Mapping(Style::Flow, entries) => entries.first().is_some_and(|entry| entry.is_quoted),
            _ => false,
        };
        let slot = Slot {
            after: root.range.start,
            column: None,
            holder: Holder::Document,
            is_in_flow: root.is_flow(),
            needs_colon: false,
        };
        Self { source, is_json }.change(root, slot, before, after)
    }

    fn change(&self, node: &Node, slot: Slot, before: &Value, after: &Value) -> Option<Vec<Patch>> {
        match (&node.content, before, after) {
            (Content::Mapping(style, entries), Value::Object(old), Value::Object(new)) => {
                self.change_mapping(node, *style, entries, slot, old, new)
            }
            (Content::Sequence(style, items), Value::Array(old), Value::Array(new)) if items.len() == old.len() => {
                self.change_sequence(node, *style, items, slot, old, new)
            }
            _ => self.replace(node, slot, after),
        }
    }

    fn change_mapping(
        &self,
        node: &Node,
        style: Style,
        entries: &[Entry],
        slot: Slot,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) -> Option<Vec<Patch>> {
        let find = |key: &str| entries.iter().position(|entry| entry.key.as_deref() == Some(key));
        for (key, value) in old {
            match (new.get(key), find(key)) {
                (Some(wanted), _) if wanted == value => {}
                (Some(wanted), Some(index)) => {
                    let entry = &entries[index];
                    let slot = Slot {
                        after: entry.after_key,
                        column: Some(self.source.column(entry.start)),
                        holder: Holder::Entry,
                        is_in_flow: slot.is_in_flow || style == Style::Flow,
                        needs_colon: !self.source.text[..entry.after_key].ends_with(':'),
                    };
                    return self.change(&entry.value, slot, value, wanted);
                }
                // A merge key brought it in; what the mapping itself says has precedence.
                (Some(wanted), None) => return self.add_entry(node, style, entries, slot, key, wanted),
                (None, Some(_)) if entries.len() == 1 => return self.replace(node, slot, &Value::Object(Map::new())),
                (None, Some(index)) => {
                    let parts: Vec<_> = entries.iter().map(|entry| (entry.start, &entry.value)).collect();
                    return Some(self.remove(style, &parts, index));
                }
                (None, None) => return None,
            }
        }
        let (key, value) = new.iter().find(|(key, _)| !old.contains_key(*key))?;
        self.add_entry(node, style, entries, slot, key, value)
    }

    fn change_sequence(
        &self,
        node: &Node,
        style: Style,
        items: &[Item],
        slot: Slot,
        old: &[Value],
        new: &[Value],
    ) -> Option<Vec<Patch>> {
        let first = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let last = old[first..].iter().rev().zip(new[first..].iter().rev()).take_while(|(old, new)| old == new).count();
        match (items[first..items.len() - last].first(), new[first..new.len() - last].first()) {
            (Some(item), Some(wanted)) => {
                let slot = Slot {
                    after: item.start + usize::from(style == Style::Block),
                    column: Some(self.source.column(item.start)),
                    holder: Holder::Item,
                    is_in_flow: slot.is_in_flow || style == Style::Flow,
                    needs_colon: false,
                };
                self.change(&item.value, slot, &old[first], wanted)
            }
            (Some(_), None) if items.len() == 1 => self.replace(node, slot, &Value::Array(Vec::new())),
            (Some(_), None) => {
                let parts: Vec<_> = items.iter().map(|item| (item.start, &item.value)).collect();
                Some(self.remove(style, &parts, first))
            }
            (None, Some(wanted)) => self.add_item(node, style, items, slot, first, wanted),
            (None, None) => None,
        }
    }

    fn add_entry(
        &self,
        node: &Node,
        style: Style,
        entries: &[Entry],
        slot: Slot,
        key: &str,
        value: &Value,
    ) -> Option<Vec<Patch>> {
        let last = entries.last().map(|entry| (entry.start, entry.value.end.max(entry.after_key)));
        match (style, entries.first()) {
            (Style::Block, Some(first)) => {
                let entry = Value::Object(Map::from_iter([(key.to_owned(), value.clone())]));
                let column = self.source.column(first.start);
                let lines = indented(&block(&entry)?, column);
                Some(vec![self.lines_after(self.after_comments(node.end, column), &lines)])
            }
            (Style::Block, None) => {
                self.replace(node, slot, &Value::Object(Map::from_iter([(key.to_owned(), value.clone())])))
            }
            (Style::Flow, _) => Some(self.add_to_flow(node, last, &flow_entry(key, value, self.is_json))),
        }
    }

    fn add_item(
        &self,
        node: &Node,
        style: Style,
        items: &[Item],
        slot: Slot,
        index: usize,
        value: &Value,
    ) -> Option<Vec<Patch>> {
        let last = items.last().map(|item| (item.start, item.value.end));
        let patch = |position: usize, text: String| Patch { range: position..position, text };
        match (style, items.get(index), items.first()) {
            (Style::Flow, Some(next), _) => Some(vec![patch(next.start, flow(value, self.is_json) + ", ")]),
            (Style::Flow, None, _) => Some(self.add_to_flow(node, last, &flow(value, self.is_json))),
            (Style::Block, next, Some(first)) => {
                let column = self.source.column(first.start);
                let lines = indented(&block(&Value::Array(vec![value.clone()]))?, column);
                Some(vec![match next {
                    Some(next) => {
                        let lines = lines.join(self.source.line_break);
                        let text = lines.trim_start().to_owned() + self.source.line_break + &" ".repeat(column);
                        patch(next.start, text)
                    }
                    None => self.lines_after(self.after_comments(node.end, column), &lines),
                }])
            }
            (Style::Block, _, None) => self.replace(node, slot, &Value::Array(vec![value.clone()])),
        }
    }

    /// Adds a part at the end of a collection in flow style, whose last part and its end are given.
    fn add_to_flow(&self, node: &Node, last: Option<(usize, usize)>, text: &str) -> Vec<Patch> {
        let patch = |range: Range<usize>, text: String| Patch { range, text };
        let close = node.range.end - 1;
        let Some((start, end)) = last else {
            let inside = node.range.start + 1..close;
            let range = if is_blank(&self.source.text[inside.clone()]) { inside } else { inside.start..inside.start };
            return vec![patch(range, text.to_owned())];
        };
        let comma = self.source.comma(end..close);
        let after = comma.unwrap_or(end);
        let line = self.source.next_line(after);
        if self.source.is_first_of_line(start) && line <= close {
            let indentation = &self.source.text[self.source.line_start(start)..start];
            let comma_after = if comma.is_some() { "," } else { "" };
            let added = patch(line..line, format!("{indentation}{text}{comma_after}{}", self.source.line_break));
            return if comma.is_some() { vec![added] } else { vec![patch(end..end, ",".to_owned()), added] };
        }
        vec![patch(after..after, if comma.is_some() { format!(" {text}") } else { format!(", {text}") })]
    }

    /// Removes one of at least two parts of a collection, which are given with their starts.
    fn remove(&self, style: Style, parts: &[(usize, &Node)], index: usize) -> Vec<Patch> {
        let source = self.source;
        let patch = |range: Range<usize>| Patch { range, text: String::new() };
        let (start, node) = parts[index];
        let next = parts.get(index + 1).map(|(next, _)| *next);
        let previous = index.checked_sub(1).map(|index| parts[index].1.end);
        if style == Style::Block {
            if source.is_first_of_line(start) {
                return vec![patch(source.line_start(start)..self.line_after(node.end))];
            }
            let end = next.filter(|next| is_blank(&source.text[node.end..*next])).unwrap_or(node.end);
            return vec![patch(start..end)];
        }
        let lines = source.line_start(start)..source.next_line(node.end);
        match (next, previous) {
            (Some(next), _) => {
                let comma = source.comma(node.end..next).unwrap_or(node.end);
                if is_blank(&source.text[comma..next]) {
                    vec![patch(start..next)]
                } else if source.is_first_of_line(start) && source.ends_line(comma) {
                    vec![patch(lines.start..source.next_line(comma))]
                } else {
                    vec![patch(start..comma)]
                }
            }
            (None, Some(previous)) => {
                let comma = source.comma(previous..start).unwrap_or(previous);
                if is_blank(&source.text[comma..start]) {
                    vec![patch(previous..node.end)]
                } else {
                    vec![patch(comma - 1..comma), patch(start..node.end)]
                }
            }
            (None, None) => vec![patch(start..node.end)],
        }
    }

    /// Adds lines after the line that ends a part of the text.
    pub(super) fn lines_after(&self, end: usize, lines: &[String]) -> Patch {
        let position = self.line_after(end);
        let line_break = self.source.line_break;
        let text = lines.join(line_break);
        let is_new_line = position == 0 || self.source.text[..position].ends_with('\n');
        let text = if is_new_line { text + line_break } else { line_break.to_owned() + &text };
        Patch { range: position..position, text }
    }

    /// Returns the end of the comments that follow a part and, by their indentation, are about what lies deeper than a column.
    fn after_comments(&self, end: usize, column: usize) -> usize {
        let mut end = end;
        loop {
            let line = self.line_after(end);
            let comment = self.source.text[line..].trim_start_matches(' ');
            let start = self.source.text.len() - comment.len();
            if !comment.starts_with('#') || start - line <= column || line == end {
                return end;
            }
            end = start;
        }
    }

    /// Returns where the line after a part begins; a block that keeps its blank lines ends there already.
    pub(super) fn line_after(&self, end: usize) -> usize {
        let is_line_start = end > 0 && self.source.text[..end].ends_with('\n');
        if is_line_start { end } else { self.source.next_line(end) }
    }

    /// Returns where the first line begins that holds something, after the line of a position.
    pub(super) fn after_blank_lines(&self, end: usize) -> usize {
        let mut line = self.source.next_line(end);
        while line < self.source.text.len() {
            let next = self.source.next_line(line);
            if !is_blank(&self.source.text[line..next]) {
                break;
            }
            line = next;
        }
        line
    }
}
