//! A value of a YAML document, of which a kubeconfig's fields are asked. Pure.

use super::base64;

/// A value. It has no `Debug`, because it may hold a credential.
#[derive(Clone)]
pub(super) enum Node {
    Null,
    Flag(bool),
    /// A number, whose value no field of a kubeconfig has a use for.
    Number,
    /// A number that JSON cannot express.
    Infinite,
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Node {
    /// Returns what a mapping holds under a key; a missing key and null are the same, as in Go.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(name, _)| name == key).map(|(_, node)| node).filter(|node| !matches!(node, Self::Null))
    }

    /// Returns the text under a key, empty where there is none.
    pub(super) fn text(&self, key: &str) -> &str {
        match self.get(key) {
            Some(Self::Text(text)) => text,
            _ => "",
        }
    }

    /// Returns whether the flag under a key is set.
    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Self::Flag(true)))
    }

    /// Returns the decoded bytes under a key, empty where there are none.
    pub(super) fn data(&self, key: &str) -> Vec<u8> {
        base64::decode(self.text(key)).unwrap_or_default()
    }

    /// Returns the elements of the list under a key.
    pub(super) fn list(&self, key: &str) -> &[Self] {
        match self.get(key) {
            Some(Self::List(elements)) => elements,
            _ => &[],
        }
    }

    /// Returns whether the list or mapping under a key has any element.
    pub(super) fn has_elements(&self, key: &str) -> bool {
        match self.get(key) {
            Some(Self::List(elements)) => !elements.is_empty(),
            Some(Self::Map(entries)) => !entries.is_empty(),
            _ => false,
        }
    }

    /// Sets what a mapping holds under a key.
    pub(super) fn put(&mut self, key: &str, value: Self) {
        if let Self::Map(entries) = self {
            insert(entries, key.to_owned(), value);
        }
    }

    /// Takes a key out of a mapping.
    pub(super) fn remove(&mut self, key: &str) {
        if let Self::Map(entries) = self {
            entries.retain(|(name, _)| name != key);
        }
    }

    /// Says what it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "a boolean",
            Self::Number | Self::Infinite => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// Returns whether a number in it cannot be written as JSON.
    pub(super) fn is_infinite(&self) -> bool {
        match self {
            Self::Infinite => true,
            Self::List(elements) => elements.iter().any(Self::is_infinite),
            Self::Map(entries) => entries.iter().any(|(_, node)| node.is_infinite()),
            _ => false,
        }
    }

    /// Counts the values in it.
    pub(super) fn size(&self) -> usize {
        1 + match self {
            Self::List(elements) => elements.iter().map(Self::size).sum(),
            Self::Map(entries) => entries.iter().map(|(_, node)| node.size()).sum(),
            _ => 0,
        }
    }
}

/// Sets a key of a mapping; the last value counts.
pub(super) fn insert(entries: &mut Vec<(String, Node)>, key: String, value: Node) {
    match entries.iter_mut().find(|(name, _)| *name == key) {
        Some((_, old)) => *old = value,
        None => entries.push((key, value)),
    }
}
