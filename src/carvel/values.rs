//! The values of a package as ytt v0.51 reads and merges them, each with the place where it was set. Pure.
//!
//! ytt reads YAML 1.1 with a few corners of its own (`pkg/yamlmeta/internal/yaml.v2/resolve.go`), so that neither `kubectl`'s
//! reading nor YAML 1.2 would do. Values may be secret: nothing here prints one, and errors name places and keys only. What a
//! schema says about values is judged in [`validate`], single values are set in [`set`], what is shown instead of values in
//! [`template`].

pub mod set;
pub mod template;
pub mod validate;

mod scalar;

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use thiserror::Error;

pub use scalar::plain as plain_scalar;

/// How many values one text may hold once its aliases are resolved: a few aliases could stand for billions.
const MOST_NODES: usize = 200_000;

/// How deep values may be nested.
const DEEPEST: usize = 200;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What the user calls the text: a file, a flag.
    pub origin: Rc<str>,
    /// The line in it, counted from 1; `None` where it has no lines.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{} line {line}", self.origin),
            None => formatter.write_str(&self.origin),
        }
    }
}

/// A value and its place; `None` is what the schema's defaults put there.
#[derive(Clone)]
pub struct Node {
    /// Where it was set.
    pub place: Option<Place>,
    /// What it is.
    pub content: Content,
}

/// What a value is.
#[derive(Clone)]
pub enum Content {
    /// Nothing.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Number(f64),
    /// Text.
    Text(String),
    /// Several values in order.
    List(Vec<Node>),
    /// Values by key, in the order of the text.
    Mapping(Vec<Entry>),
    /// What is not decided here, such as a tag of somebody's own.
    Unknown,
}

/// One key of a mapping.
#[derive(Clone)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Where the key stands.
    pub place: Option<Place>,
    /// What it stands for.
    pub node: Node,
}

/// The key of a mapping: text, or a number or boolean in ytt's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key as ytt writes it: `y` is `true`.
    pub text: String,
    /// Whether it is text to ytt.
    pub is_text: bool,
}

/// Why a text holds no values.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {reason}")]
pub struct Unreadable {
    /// Where.
    pub place: Place,
    /// What is wrong, without a word of the text.
    pub reason: &'static str,
}

impl fmt::Debug for Node {
    /// Says what kind of value it is, and leaves the value out, which may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Node({})", self.content.kind())
    }
}

impl Content {
    /// Names what it is.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Number(_) => "a number with a fraction",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
            Self::Unknown => "something else",
        }
    }
}

impl Node {
    /// Makes a value of a schema, which has no place in the user's texts.
    #[must_use]
    pub fn of_schema(value: &Value) -> Self {
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(flag) => Content::Boolean(*flag),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(integer), _) => Content::Integer(integer.into()),
                (None, Some(integer)) => Content::Integer(integer.into()),
                (None, None) => Content::Number(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Content::Text(text.clone()),
            Value::Array(items) => Content::List(items.iter().map(Self::of_schema).collect()),
            Value::Object(entries) => {
                let entry = |(key, value): (&String, &Value)| Entry {
                    key: Key { text: key.clone(), is_text: true },
                    place: None,
                    node: Self::of_schema(value),
                };
                Content::Mapping(entries.iter().map(entry).collect())
            }
        };
        Self { place: None, content }
    }

    /// Merges other values onto these as ytt does with those of several files: mappings are merged, all else is replaced.
    ///
    /// ytt refuses a mapping where there is neither a mapping nor null; here it replaces what is there, and
    /// [`validate::judge`] tells.
    pub fn merge(&mut self, over: &Self) {
        match (&mut self.content, &over.content) {
            (Content::Mapping(entries), Content::Mapping(others)) => {
                for other in others {
                    match entries.iter_mut().find(|entry| entry.key == other.key) {
                        Some(entry) => {
                            entry.node.merge(&other.node);
                            entry.place.clone_from(&other.place);
                        }
                        None => entries.push(other.clone()),
                    }
                }
                self.place.clone_from(&over.place);
            }
            _ => *self = over.clone(),
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.content {
            Content::Null => serializer.serialize_unit(),
            Content::Boolean(flag) => serializer.serialize_bool(*flag),
            Content::Integer(integer) => match (i64::try_from(*integer), u64::try_from(*integer)) {
                (Ok(integer), _) => serializer.serialize_i64(integer),
                (_, Ok(integer)) => serializer.serialize_u64(integer),
                _ => serializer.serialize_i128(*integer),
            },
            Content::Number(number) => serializer.serialize_f64(*number),
            Content::Text(text) => serializer.serialize_str(text),
            Content::List(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| sequence.serialize_element(item))?;
                sequence.end()
            }
            Content::Mapping(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    if entry.key.is_text {
                        map.serialize_entry(&entry.key.text, &entry.node)?;
                    } else {
                        // Written as ytt takes it: `true`, `1`.
                        let key = Self { place: None, content: plain_scalar(&entry.key.text) };
                        map.serialize_entry(&key, &entry.node)?;
                    }
                }
                map.end()
            }
            Content::Unknown => Err(serde::ser::Error::custom("a tag or merge key cannot be written again")),
        }
    }
}

/// Reads every document of a text that is not empty; one that is [`Content::Unknown`] stands for what only ytt can judge.
pub fn read(text: &str, origin: &str) -> Result<Vec<Node>, Unreadable> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        origin: origin.into(),
        anchors: HashMap::new(),
        nodes: 0,
        depth: 0,
        template: None,
    };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => break,
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (Event::DocumentEnd, _) => reader.anchors.clear(),
            (event, span) => {
                let node = reader.node(event, span)?;
                if !matches!(node.content, Content::Null) {
                    documents.push(node);
                }
            }
        }
    }
    // ytt refuses it where it belongs to a value (`pkg/yttlibrary/overlay/plain_merge.go`), and not at the end of a text.
    if let Some(place) = reader.template {
        documents.push(Node { place: Some(place), content: Content::Unknown });
    }
    Ok(documents)
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    origin: Rc<str>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    depth: usize,
    /// A comment for ytt's templates.
    template: Option<Place>,
}

impl<'text> Reader<'text> {
    /// Returns the next event that is no comment.
    fn next(&mut self) -> Result<(Event<'text>, Span), Unreadable> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(comment, _), span))) => {
                    if comment.starts_with('@') {
                        self.template = Some(self.place(span));
                    }
                }
                Some(Ok(next)) => return Ok(next),
                Some(Err(error)) => {
                    let line = Some(error.marker().line());
                    let place = Place { origin: self.origin.clone(), line };
                    return Err(Unreadable { place, reason: "it is not valid YAML" });
                }
                None => {
                    let place = Place { origin: self.origin.clone(), line: None };
                    return Err(Unreadable { place, reason: "it ends too early" });
                }
            }
        }
    }

    fn place(&self, span: Span) -> Place {
        Place { origin: self.origin.clone(), line: Some(span.start.line()) }
    }

    fn unreadable(&self, span: Span, reason: &'static str) -> Unreadable {
        Unreadable { place: self.place(span), reason }
    }

    fn node(&mut self, event: Event<'text>, span: Span) -> Result<Node, Unreadable> {
        self.nodes += 1;
        if self.nodes > MOST_NODES || self.depth > DEEPEST {
            return Err(self.unreadable(span, "it holds too many values"));
        }
        let (content, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let content = match tag.as_deref() {
                    None if style == ScalarStyle::Plain => plain_scalar(&text),
                    None => Content::Text(text.into_owned()),
                    Some(tag) if is_core(tag, "str") => Content::Text(text.into_owned()),
                    Some(_) => Content::Unknown,
                };
                (content, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let is_known = tag.as_deref().is_none_or(|tag| is_core(tag, "seq"));
                let list = self.list()?;
                (if is_known { list } else { Content::Unknown }, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                let is_known = tag.as_deref().is_none_or(|tag| is_core(tag, "map"));
                let mapping = self.mapping()?;
                (if is_known { mapping } else { Content::Unknown }, anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.unreadable(span, "an alias stands for what contains it"));
                };
                self.nodes += count(&node);
                if self.nodes > MOST_NODES {
                    return Err(self.unreadable(span, "it holds too many values"));
                }
                return Ok(Node { place: Some(self.place(span)), content: node.content });
            }
            _ => return Err(self.unreadable(span, "a value is missing")),
        };
        let node = Node { place: Some(self.place(span)), content };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<Content, Unreadable> {
        self.depth += 1;
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => break,
                (event, span) => items.push(self.node(event, span)?),
            }
        }
        self.depth -= 1;
        Ok(Content::List(items))
    }

    fn mapping(&mut self) -> Result<Content, Unreadable> {
        self.depth += 1;
        let mut entries: Vec<Entry> = Vec::new();
        let mut keys = std::collections::HashSet::new();
        let mut is_known = true;
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.node(event, span)?;
            let (event, value_span) = self.next()?;
            let node = self.node(event, value_span)?;
            let Some(key) = Key::of(&key.content).filter(|_| !is_merge) else {
                is_known = false;
                continue;
            };
            if !keys.insert((key.text.clone(), key.is_text)) {
                return Err(self.unreadable(span, "a key appears twice"));
            }
            // A value that is left out is reported where its key is.
            let place = Some(self.place(span));
            let node = match node.content {
                Content::Null => Node { place: place.clone(), content: Content::Null },
                _ => node,
            };
            entries.push(Entry { key, place, node });
        }
        self.depth -= 1;
        Ok(if is_known { Content::Mapping(entries) } else { Content::Unknown })
    }
}

fn is_core(tag: &Tag, name: &str) -> bool {
    tag.is_yaml_core_schema_tag(name)
}

fn count(node: &Node) -> usize {
    1 + match &node.content {
        Content::List(items) => items.iter().map(count).sum(),
        Content::Mapping(entries) => entries.iter().map(|entry| 1 + count(&entry.node)).sum(),
        _ => 0,
    }
}

impl Key {
    fn of(content: &Content) -> Option<Self> {
        let (text, is_text) = match content {
            Content::Text(text) => (text.clone(), true),
            Content::Boolean(flag) => (flag.to_string(), false),
            Content::Integer(integer) => (integer.to_string(), false),
            _ => return None,
        };
        Some(Self { text, is_text })
    }

    /// Tells whether ytt may take a key of this text in a schema for another one than this: a schema in JSON no longer says
    /// whether `true` was text.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        !self.is_text || !matches!(plain_scalar(&self.text), Content::Text(_))
    }
}
