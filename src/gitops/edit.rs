//! Changes to YAML files that leave everything else as its author wrote it: comments, order, quotes, indentation.
//!
//! Pure: text in, text out. Which documents a delivery changes is decided in [`super::delivery`].

mod change;
#[cfg(test)]
mod corpus;
mod render;
mod replace;
mod source;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::change::Changer;
use self::source::Source;
use super::manifest;
use crate::error::Result;

/// How many differences are changed in place; a file that differs in more is another one.
const MOST_CHANGES: usize = 200;

/// A text that holds what was wanted.
pub(super) struct Edited {
    /// The text.
    pub(super) text: String,
    /// Whether the text was rewritten as a whole, because the changes were not possible in place: comments are gone.
    pub(super) is_rewritten: bool,
}

/// Changes a text so that its documents have the given values, or are gone where there is none, and adds documents at its end.
///
/// There must be one entry for each document of the text that is not empty.
pub(super) fn edit(text: &str, documents: &[Option<Value>], added: &[Value]) -> Result<Edited> {
    let kept: Vec<Value> = documents.iter().flatten().cloned().collect();
    if let Some(text) = in_place(text, documents, &kept) {
        return Ok(Edited { text: with_documents(text, added)?, is_rewritten: false });
    }
    let wanted = [kept.as_slice(), added].concat();
    Ok(Edited { text: manifest::write_documents(&wanted)?, is_rewritten: true })
}

fn in_place(text: &str, documents: &[Option<Value>], wanted: &[Value]) -> Option<String> {
    let mut text = without_documents(text, documents)?;
    let mut comments = None;
    for _ in 0..MOST_CHANGES {
        let found = manifest::parse(&text).ok()?;
        let source = Source::parse(&text)?;
        // One may have become a part of a text that stands before it.
        if comments.is_some_and(|comments| source.comments.len() < comments) {
            return None;
        }
        if found == wanted {
            return Some(text);
        }
        if found.len() != wanted.len() || source.documents.len() != wanted.len() {
            return None;
        }
        let index = found.iter().zip(wanted).position(|(found, wanted)| found != wanted)?;
        let mut patches = Changer::first_change(&source, index, &found[index], &wanted[index])?;
        let is_kept = |comment: &&usize| !patches.iter().any(|patch| patch.range.contains(comment));
        comments = Some(source.comments.iter().filter(is_kept).count());
        patches.sort_by_key(|patch| std::cmp::Reverse(patch.range.start));
        let mut changed = text.clone();
        for patch in patches {
            changed.replace_range(patch.range, &patch.text);
        }
        text = changed;
    }
    None
}

fn without_documents(text: &str, documents: &[Option<Value>]) -> Option<String> {
    let mut text = text.to_owned();
    if documents.iter().all(Option::is_some) {
        return Some(text);
    }
    let source = Source::parse(&text)?;
    if source.documents.len() != documents.len() {
        return None;
    }
    let starts: Vec<usize> = source.documents.iter().map(|document| document.start).collect();
    for (index, _) in documents.iter().enumerate().rev().filter(|(_, document)| document.is_none()) {
        let end = starts.get(index + 1).copied().unwrap_or(text.len());
        text.replace_range(starts[index]..end, "");
    }
    Some(text)
}

fn with_documents(mut text: String, added: &[Value]) -> Result<String> {
    for document in added {
        let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str(line_break);
        }
        text.push_str(&manifest::write_documents(std::slice::from_ref(document))?.replace('\n', line_break));
    }
    Ok(text)
}
