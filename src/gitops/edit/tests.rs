//! Tests of [`super`] on files as people write them.
//!
//! Each change that a value can have is made at every place of every file, and what differs between the two texts must lie at
//! that place: it is found by comparing them from both ends, so that it does not depend on what the code under test has done.

use std::ops::Range;

use serde_json::{Value, json};

use super::corpus::FILES;
use super::source::{Content, Node, Source, Style};
use super::*;

fn documents(text: &str) -> Vec<Value> {
    manifest::parse(text).unwrap_or_else(|fault| panic!("{}\n{text}", fault.sentence("the text")))
}

/// A change of one value, and where the text may differ for it.
struct Case {
    document: Value,
    allowed: Range<usize>,
    what: String,
}

/// Collects the changes of a value at a pointer; `slot` is from the end of what stands before it to the end of its last line.
fn cases(source: &Source<'_>, whole: &Value, pointer: &str, node: &Node, slot: Range<usize>, cases: &mut Vec<Case>) {
    let value = whole.pointer(pointer).unwrap();
    let mut own = Vec::new();
    let mut add = |what: &str, allowed: Range<usize>, change: &dyn Fn(&mut Value)| {
        let mut document = whole.clone();
        change(document.pointer_mut(pointer).unwrap());
        if document != *whole && !document.is_null() {
            own.push(Case { document, allowed, what: format!("{what} {pointer}") });
        }
    };
    let replacements = [
        json!("plain"),
        json!("yes"),
        json!("it's # no comment: \"x\" {é}"),
        json!("a: 1\nb: |\n  c\n"),
        json!("  first\n\nsecond"),
        json!("kept\n\n\n"),
        json!("tab\tand \u{1b}[31m\r\n"),
        json!(""),
        json!("\n"),
        json!(17),
        json!(true),
        json!(null),
        json!({}),
        json!([]),
        json!({ "name": "x", "constraints": ">=1.0.0", "deep": { "list": [{ "a": 1, "b": "l\nm\n" }, []] } }),
        json!([{ "secretRef": { "name": "x" } }, "y"]),
    ];
    // Another quarter of them at each place, so that it takes seconds.
    for wanted in replacements.iter().skip(pointer.len() % 4).step_by(4) {
        add(&format!("replace by {wanted}"), slot.clone(), &|value| *value = wanted.clone());
    }
    let end_of = |end: usize| source.next_line(end);
    match &node.content {
        Content::Mapping(style, entries) => {
            let last = entries.last().map_or(slot.start, |entry| entry.value.range.end.max(entry.after_key));
            let end = if *style == Style::Flow { end_of(node.range.end) } else { slot.end };
            for wanted in [json!("x"), json!({ "a": ["b"], "c": "d\ne\n" }), json!("l\nm"), json!(null)] {
                add("add to", last..end, &|value| {
                    drop(value.as_object_mut().unwrap().insert("new/key".to_owned(), wanted.clone()));
                });
            }
            for (index, entry) in entries.iter().enumerate() {
                let Some(key) = entry.key.as_deref().filter(|key| value.get(*key).is_some()) else { continue };
                let before = index.checked_sub(1).map_or(slot.start, |index| entries[index].value.range.end);
                let after = entries.get(index + 1).map_or(slot.end, |next| next.start);
                add(&format!("remove {key} of"), before..after.max(end_of(entry.value.range.end)), &|value| {
                    value.as_object_mut().unwrap().shift_remove(key);
                });
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                let slot = entry.after_key..end_of(entry.value.end.max(entry.after_key)).max(entry.value.end);
                self::cases(source, whole, &pointer, &entry.value, slot, cases);
            }
        }
        Content::Sequence(_, items) => {
            let last = items.last().map_or(slot.start, |item| item.value.range.end);
            for wanted in [json!("x"), json!({ "a": ["b"], "c": "d" }), json!(["y"])] {
                add("append to", last..slot.end, &|value| value.as_array_mut().unwrap().push(wanted.clone()));
                add("prepend to", slot.clone(), &|value| value.as_array_mut().unwrap().insert(0, wanted.clone()));
            }
            for (index, item) in items.iter().enumerate() {
                add(&format!("remove item {index} of"), slot.clone(), &|value| {
                    drop(value.as_array_mut().unwrap().remove(index));
                });
                let slot = item.start..end_of(item.value.end.max(item.start)).max(item.value.end);
                self::cases(source, whole, &format!("{pointer}/{index}"), &item.value, slot, cases);
            }
        }
        Content::Scalar(_) | Content::Alias => {}
    }
    cases.append(&mut own);
}

/// Returns whether a text is the same as an older one except for what stands in a range of the latter.
fn differs_only_in(old: &str, new: &str, range: &Range<usize>) -> bool {
    new.strip_prefix(&old[..range.start]).is_some_and(|rest| rest.ends_with(&old[range.end..]))
}

#[test]
fn a_change_touches_only_its_place_in_files_as_people_write_them() {
    assert!(FILES.len() >= 40);
    let mut faults = Vec::new();
    let mut rewritten = 0;
    for (name, text) in FILES {
        let before = documents(text);
        let source = Source::parse(text).unwrap_or_else(|| panic!("{name} is not understood"));
        assert_eq!(source.documents.len(), before.len(), "{name}");
        let may_be_rewritten = ["anchors", "merge keys", "explicit keys"].contains(name);
        for (index, document) in source.documents.iter().enumerate() {
            let end = source.documents.get(index + 1).map_or(text.len(), |next| next.start);
            let mut found = Vec::new();
            cases(&source, &before[index], "", &document.root, document.start..end, &mut found);
            for case in found {
                let mut wanted = before.clone();
                wanted[index] = case.document;
                let edited = edit(text, &wanted.iter().cloned().map(Some).collect::<Vec<_>>(), &[]).unwrap();
                let is_in_place = !edited.is_rewritten && differs_only_in(text, &edited.text, &case.allowed);
                rewritten += usize::from(edited.is_rewritten);
                if documents(&edited.text) != wanted || !(is_in_place || may_be_rewritten) {
                    faults.push(format!("{name}: {} in {:?} gives\n{}", case.what, case.allowed, edited.text));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} changes went wrong\n{}", faults.len(), faults.join("\n=====\n"));
    assert!(rewritten < 40, "{rewritten} files were rewritten");
}

#[test]
fn documents_come_and_go_between_others() {
    let text = "# first\na: 1 # one\n---\n# second\nb: 2\n---\nc: 3 # three";
    let kept = [Some(json!({ "a": 1 })), None, Some(json!({ "c": 4 }))];
    let edited = edit(text, &kept, &[json!({ "d": "yes" })]).unwrap();
    assert!(!edited.is_rewritten);
    assert_eq!(edited.text, "# first\na: 1 # one\n---\nc: 4 # three\n---\nd: \"yes\"\n");
}

#[test]
fn what_an_anchor_brings_in_is_overridden_where_it_can_be() {
    let text = "base: &base {a: 1, b: &b x}\nname: &name old\ncopy: *name\nderived:\n  <<: *base # of all\n";
    let change = |pointer: &str, value: Option<Value>| {
        let mut document = documents(text).remove(0);
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let entries = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => drop(entries.insert(key.to_owned(), value)),
            None => drop(entries.shift_remove(key)),
        }
        let edited = edit(text, &[Some(document.clone())], &[]).unwrap();
        assert_eq!(documents(&edited.text), [document]);
        (edited.text, edited.is_rewritten)
    };
    assert_eq!(change("/derived/a", Some(json!(2))), (format!("{text}  a: 2\n"), false));
    assert_eq!(
        change("/name", Some(json!("new"))),
        (text.replace("&name old", "&name new").replace("*name", "old"), false)
    );
    assert!(change("/derived/a", None).1);
}
