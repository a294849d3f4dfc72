//! What ytt v0.51 will refuse about values: unknown keys, wrong types, limits (`pkg/schema/check.go`, `assign.go`,
//! `pkg/validations`). Pure; `tests/values.rs` compares with ytt.
//!
//! The defaults merged with the values are judged, as ytt does: "required" in a schema of ytt's is an empty default with a
//! least length of 1. What is refused here, ytt refuses; ytt may refuse more, by rules that it does not export.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use super::node::{Content, Entry, Key, Node, Place};
use super::words::{self, in_one_line};
use crate::carvel::schema::{Kind, Limits, Schema, ValuesSchema, child};
use crate::wording::nearest;

/// Something about values, which quotes none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it is; `None` where it was set nowhere.
    pub place: Option<Place>,
    /// The path of the value; empty for all of them.
    pub path: String,
    /// What is wrong, or not decided.
    pub what: String,
    /// Whether more values, from elsewhere, could mend it.
    pub may_be_mended: bool,
}

/// What was found out about values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What ytt will refuse.
    pub findings: Vec<Finding>,
    /// What cannot be told here.
    pub doubts: Vec<Finding>,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(formatter, "{place}: ")?;
        }
        let path = if self.path.is_empty() { "the values" } else { &self.path };
        write!(formatter, "{path} {}", self.what)
    }
}

/// Judges values, given in the order in which later ones win.
#[must_use]
pub fn judge(schema: &ValuesSchema, documents: &[Node]) -> Judgement {
    let mut judge = Judge::default();
    let Kind::Mapping { .. } = &schema.root.kind else {
        judge.doubt(None, "", "have a schema that is no mapping of keys");
        return judge.judgement;
    };
    let mut all = Node::of_schema(&schema.root.default_value().unwrap_or(Value::Null));
    judge.types(&schema.root, &mut all, "");
    for document in documents {
        match &document.content {
            Content::Mapping(_) => judge.overlay(&mut all, document, ""),
            Content::Unknown => {
                judge.doubt(document.place.as_ref(), "", "have a tag, or a comment for ytt's templates");
            }
            other => judge.find(document.place.as_ref(), "", &format!("are {}, not a mapping", other.kind())),
        }
        judge.types(&schema.root, &mut all, "");
    }
    judge.limits(&schema.root, &all, "", None);
    let origins: Vec<&str> = documents.iter().filter_map(|node| Some(&*node.place.as_ref()?.origin)).collect();
    let order = |finding: &Finding| {
        let place = finding.place.as_ref()?;
        // Single values are set in documents of other origins.
        let number = origins.iter().position(|origin| **origin == *place.origin);
        Some((number.unwrap_or(origins.len()), place.line))
    };
    judge.judgement.findings.sort_by_key(order);
    judge.judgement
}

#[derive(Default)]
struct Judge {
    judgement: Judgement,
}

impl Judge {
    fn find(&mut self, place: Option<&Place>, path: &str, what: &str) {
        add(&mut self.judgement.findings, place, path, what, false);
    }

    fn doubt(&mut self, place: Option<&Place>, path: &str, what: &str) {
        add(&mut self.judgement.doubts, place, path, what, false);
    }

    /// Merges as ytt does, which refuses a mapping in the place of what is neither mapping nor null.
    fn overlay(&mut self, under: &mut Node, over: &Node, path: &str) {
        match (&mut under.content, &over.content) {
            (Content::Mapping(entries), Content::Mapping(others)) => {
                for other in others {
                    match entries.iter_mut().find(|entry| entry.key.text == other.key.text) {
                        Some(entry) => {
                            if other.key.is_doubtful() {
                                self.doubt(other.place.as_ref(), path, DOUBTFUL_KEY);
                            }
                            self.overlay(&mut entry.node, &other.node, &child(path, &other.key.text));
                            entry.place.clone_from(&other.place);
                        }
                        None => entries.push(other.clone()),
                    }
                }
                under.place.clone_from(&over.place);
            }
            (Content::Null | Content::Unknown, _) => *under = over.clone(),
            (kind, Content::Mapping(_)) => {
                let what = format!("is a mapping where {} is expected", kind.kind());
                self.find(over.place.as_ref(), path, &what);
            }
            _ => *under = over.clone(),
        }
    }

    /// Checks types and adds the defaults of keys that are missing in mappings which are there.
    fn types(&mut self, schema: &Schema, node: &mut Node, path: &str) {
        let place = node.place.clone();
        match (&schema.kind, &mut node.content) {
            (Kind::Any, _) => {}
            (_, Content::Null) => {
                if !schema.is_nullable && place.is_some() {
                    self.find(place.as_ref(), path, &format!("must not be null; it is {}", article(schema)));
                }
            }
            (_, Content::Unknown) => self.doubt(place.as_ref(), path, "has a tag or a merge key"),
            (Kind::Mapping { properties, is_closed }, Content::Mapping(entries)) => {
                for entry in entries.iter_mut() {
                    match properties.iter().find(|(key, _)| *key == entry.key.text) {
                        Some((key, property)) => {
                            if entry.place.is_some() && entry.key.is_doubtful() {
                                self.doubt(entry.place.as_ref(), path, DOUBTFUL_KEY);
                            }
                            self.types(property, &mut entry.node, &child(path, key));
                        }
                        None if *is_closed => self.unknown_key(entry, properties, path),
                        None => {
                            self.doubt(entry.place.as_ref(), &child(path, &entry.key.text), "is not in the schema");
                        }
                    }
                }
                for (key, property) in properties {
                    if !entries.iter().any(|entry| entry.key.text == *key)
                        && let Some(default) = property.default_value()
                    {
                        let key = Key { text: key.clone(), is_text: true };
                        let mut node = Node::of_schema(&default);
                        self.types(property, &mut node, path);
                        entries.push(Entry { key, place: None, node });
                    }
                }
            }
            (Kind::List(items), Content::List(nodes)) => {
                for (index, node) in nodes.iter_mut().enumerate() {
                    self.types(items, node, &format!("{path}[{index}]"));
                }
            }
            (kind, content) => {
                let fits = matches!(
                    (kind, content as &Content),
                    (Kind::Text, Content::Text(_))
                        | (Kind::Integer, Content::Integer(_))
                        | (Kind::Number, Content::Integer(_) | Content::Number(_))
                        | (Kind::Boolean, Content::Boolean(_))
                );
                if !fits && place.is_some() {
                    let what = format!("is {} and must be {}", content.kind(), article(schema));
                    self.find(place.as_ref(), path, &what);
                }
            }
        }
    }

    fn unknown_key(&mut self, entry: &Entry, properties: &[(String, Schema)], path: &str) {
        let nearest = nearest(&entry.key.text, properties.iter().map(|(key, _)| key.as_str()));
        let what = match (nearest, properties) {
            (Some(key), _) => format!("is no key of this package; did you mean {}?", child(path, key)),
            (None, []) => "is no key of this package: there are none here".to_owned(),
            (None, properties) if properties.len() <= 10 => {
                let keys: Vec<&str> = properties.iter().map(|(key, _)| key.as_str()).collect();
                format!("is no key of this package; there are {}", keys.join(", "))
            }
            (None, _) => "is no key of this package".to_owned(),
        };
        self.find(entry.place.as_ref(), &child(path, &entry.key.text), &what);
    }

    /// Checks what else holds for values of the right type. `around` is where the nearest value stands that somebody set.
    fn limits(&mut self, schema: &Schema, node: &Node, path: &str, around: Option<&Place>) {
        let around = node.place.as_ref().or(around);
        for what in self.broken_limits(schema, &node.content, node.place.as_ref(), path) {
            let what = if node.place.is_some() { what } else { format!("has to be set: it {what}") };
            add(&mut self.judgement.findings, around, path, &what, true);
        }
        match (&schema.kind, &node.content) {
            (Kind::Mapping { properties, .. }, Content::Mapping(entries)) => {
                for entry in entries {
                    if let Some((key, property)) = properties.iter().find(|(key, _)| *key == entry.key.text) {
                        self.limits(property, &entry.node, &child(path, key), around);
                    }
                }
            }
            (Kind::List(items), Content::List(nodes)) => {
                for (index, node) in nodes.iter().enumerate() {
                    // ytt exports no rules for the items themselves, only for what is in them.
                    self.limits(items, node, &format!("{path}[{index}]"), around);
                }
            }
            _ => {}
        }
    }

    /// Says what must be instead; nothing where all is well, or the value is null or of another type.
    fn broken_limits(&mut self, schema: &Schema, content: &Content, place: Option<&Place>, path: &str) -> Vec<String> {
        let limits = &schema.limits;
        let mut broken = Vec::new();
        let length = match content {
            Content::Null => return broken,
            Content::Unknown => {
                if schema.limits != Limits::default() {
                    self.doubt(place, path, "has a tag or a merge key");
                }
                return broken;
            }
            Content::Text(text) => Some(text.len()),
            Content::List(items) => Some(items.len()),
            Content::Mapping(entries) => Some(entries.len()),
            _ => None,
        };
        if !is_right_type(schema, content) {
            return broken;
        }
        if let Some(length) = length.and_then(|length| u64::try_from(length).ok())
            && (limits.shortest.is_some_and(|shortest| length < shortest)
                || limits.longest.is_some_and(|longest| length > longest))
        {
            broken.push(length_in_words(schema));
        }
        for (limit, wrong, word) in
            [(&limits.minimum, Ordering::Less, "at least"), (&limits.maximum, Ordering::Greater, "at most")]
        {
            let Some(limit) = limit else { continue };
            match compare(content, limit) {
                Standing::Ordered(order) if order != wrong => {}
                Standing::Undecided => self.doubt(place, path, "has a limit that is no number and no text"),
                _ => broken.push(format!("must be {word} {}", in_one_line(limit))),
            }
        }
        if let Some(allowed) = &limits.allowed {
            let standings: Vec<Standing> = allowed.iter().map(|each| compare(content, each)).collect();
            if standings.contains(&Standing::Ordered(Ordering::Equal)) {
                return broken;
            }
            if standings.contains(&Standing::Undecided) {
                self.doubt(place, path, "has to be one of values that are no numbers and no texts");
            } else {
                let words: Vec<String> = allowed.iter().map(in_one_line).collect();
                broken.push(format!("must be one of {}", words.join(", ")));
            }
        }
        broken
    }
}

fn is_right_type(schema: &Schema, content: &Content) -> bool {
    matches!(
        (&schema.kind, content),
        (Kind::Any, _)
            | (Kind::Text, Content::Text(_))
            | (Kind::Integer, Content::Integer(_))
            | (Kind::Number, Content::Integer(_) | Content::Number(_))
            | (Kind::Boolean, Content::Boolean(_))
            | (Kind::List(_), Content::List(_))
            | (Kind::Mapping { .. }, Content::Mapping(_))
    )
}

const DOUBTFUL_KEY: &str = "has a key that may be a number or a boolean to ytt";

fn add(list: &mut Vec<Finding>, place: Option<&Place>, path: &str, what: &str, may_be_mended: bool) {
    let finding = Finding { place: place.cloned(), path: path.to_owned(), what: what.to_owned(), may_be_mended };
    if !list.contains(&finding) {
        list.push(finding);
    }
}

fn article(schema: &Schema) -> String {
    match &schema.kind {
        Kind::Any => "anything".to_owned(),
        Kind::Text => "text: put it in quotes".to_owned(),
        Kind::Integer => "an integer".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::Boolean => "true or false".to_owned(),
        Kind::List(_) => "a list".to_owned(),
        Kind::Mapping { .. } => "a mapping".to_owned(),
    }
}

fn length_in_words(schema: &Schema) -> String {
    let only_lengths = Limits { shortest: schema.limits.shortest, longest: schema.limits.longest, ..Limits::default() };
    let words = words::limits(&Schema { limits: only_lengths, ..schema.clone() }).join(", ");
    if words == "not empty" { "must not be empty".to_owned() } else { format!("must have {words}") }
}

/// How a value stands to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Ordered(Ordering),
    /// ytt cannot compare the two, and refuses the value.
    Incomparable,
    /// It is not decided here.
    Undecided,
}

/// Compares as Starlark does: numbers with numbers, text with text by bytes.
fn compare(content: &Content, limit: &Value) -> Standing {
    let order = match (content, &Node::of_schema(limit).content) {
        (Content::Text(left), Content::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Content::Integer(left), Content::Integer(right)) => Some(left.cmp(right)),
        (Content::Boolean(left), Content::Boolean(right)) => Some(left.cmp(right)),
        (Content::Number(left), Content::Number(right)) if left.is_finite() => left.partial_cmp(right),
        (Content::Number(left), Content::Integer(right)) if left.is_finite() => match as_float(*right) {
            Some(right) => left.partial_cmp(&right),
            None => return Standing::Undecided,
        },
        (Content::Integer(left), Content::Number(right)) => match as_float(*left) {
            Some(left) => left.partial_cmp(right),
            None => return Standing::Undecided,
        },
        (left, right) if is_simple(left) && is_simple(right) => None,
        _ => return Standing::Undecided,
    };
    order.map_or(Standing::Incomparable, Standing::Ordered)
}

/// Tells whether it is certain that a value cannot be compared with one of another kind.
fn is_simple(content: &Content) -> bool {
    match content {
        Content::Text(_) | Content::Integer(_) | Content::Boolean(_) => true,
        Content::Number(number) => number.is_finite(),
        Content::Null | Content::List(_) | Content::Mapping(_) | Content::Unknown => false,
    }
}

/// Returns an integer as a number with a fraction, where nothing is lost.
fn as_float(integer: i128) -> Option<f64> {
    i32::try_from(integer).ok().map(f64::from)
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
