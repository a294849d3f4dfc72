//! Reads values as ytt does, with the line of each: its aliases are resolved, and what is doubtful is [`Content::Unknown`]. Pure.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::node::{Content, Entry, Key, Node, Place, Unreadable};

/// How many values one text may hold once its aliases are resolved: a few aliases could stand for billions.
const MOST_NODES: usize = 200_000;

/// How deep values may be nested.
const DEEPEST: usize = 200;

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
                    None if style == ScalarStyle::Plain => Content::of_plain(&text),
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
        let mut keys = HashSet::new();
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
