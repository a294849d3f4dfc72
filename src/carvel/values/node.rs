//! Values as a tree, each with the place where it was set. How it is read lives in [`super::reader`]. Pure.

use std::fmt;
use std::rc::Rc;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;
use thiserror::Error;

use super::scalar::{Scalar, plain};

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
    /// Takes a scalar without quotes and tag.
    #[must_use]
    pub fn of_plain(text: &str) -> Self {
        match plain(text) {
            Scalar::Null => Self::Null,
            Scalar::Boolean(flag) => Self::Boolean(flag),
            Scalar::Integer(integer) => Self::Integer(integer),
            Scalar::Number(number) => Self::Number(number),
            Scalar::Text => Self::Text(text.to_owned()),
        }
    }

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

    /// Returns what several documents come to, of which later ones win.
    #[must_use]
    pub fn merged<'a>(documents: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self { place: None, content: Content::Mapping(Vec::new()) };
        for document in documents {
            all.merge(document);
        }
        all
    }

    /// Merges other values onto these as ytt does with those of several files: mappings are merged, all else is replaced.
    ///
    /// ytt refuses a mapping where there is neither a mapping nor null; here it replaces what is there, and
    /// `judge` tells.
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
                        let key = Self { place: None, content: Content::of_plain(&entry.key.text) };
                        map.serialize_entry(&key, &entry.node)?;
                    }
                }
                map.end()
            }
            Content::Unknown => Err(serde::ser::Error::custom("a tag or merge key cannot be written again")),
        }
    }
}

impl Key {
    /// Makes a key of a scalar; `None` for what is no key here.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
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
        !self.is_text || !matches!(Content::of_plain(&self.text), Content::Text(_))
    }
}
