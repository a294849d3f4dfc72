//! YAML as Flux reads it: sigs.k8s.io/yaml v1.6.0, which turns what go.yaml.in/yaml/v2 reads into JSON. Pure.
//!
//! That is YAML 1.1: a plain `yes` is a boolean and a plain `1e3` a number, and neither is accepted where a kubeconfig
//! wants text. A repeated key wins over the earlier one, and documents after the first are not looked at.

use std::collections::HashMap;

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, options};

use super::node::{Node, insert};
use super::scalar;

/// How many nodes aliases may add before the document counts as an attack; yaml/v2 has a similar limit.
const ALIASED_NODES_LIMIT: usize = 100_000;

/// The first document of a text, and what was passed over in silence.
pub(super) struct Document {
    pub(super) root: Node,
    /// The keys that occur more than once in their mapping.
    pub(super) repeated_keys: Vec<String>,
    pub(super) has_more_documents: bool,
}

/// Why a text cannot be read, in words that quote none of it.
pub(super) type Reason = String;

/// Reads the first document of a text; an empty one is null.
pub(super) fn read(text: &str) -> Result<Document, Reason> {
    // libyaml adds no line feed to a block scalar that the text ends with.
    let parser = Parser::new_from_str_with_options(text, options! { block_scalar_eof_without_line_feed: true });
    let mut reader = Reader { parser, anchors: HashMap::new(), aliased: 0, repeated_keys: Vec::new() };
    loop {
        match reader.next()? {
            Event::StreamEnd => {
                return Ok(Document { root: Node::Null, repeated_keys: Vec::new(), has_more_documents: false });
            }
            Event::DocumentStart(..) => break,
            _ => {}
        }
    }
    let first = reader.next()?;
    let root = reader.node(first)?;
    if root.is_infinite() {
        return Err("a number is not finite".to_owned());
    }
    reader.next()?;
    // What follows may even be broken: Go does not get that far.
    let has_more_documents = !matches!(reader.parser.next_event(), None | Some(Ok((Event::StreamEnd, _))));
    Ok(Document { root, repeated_keys: reader.repeated_keys, has_more_documents })
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    repeated_keys: Vec<String>,
}

impl<'text> Reader<'text> {
    fn next(&mut self) -> Result<Event<'text>, Reason> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(place(&error)),
            None => Err("it ends too early".to_owned()),
        }
    }

    fn node(&mut self, event: Event<'text>) -> Result<Node, Reason> {
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (scalar::resolve(&text, style, tag.as_deref())?, anchor),
            Event::SequenceStart(_, anchor, _) => (self.sequence()?, anchor),
            Event::MappingStart(_, anchor, _) => (self.mapping()?, anchor),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).ok_or("an anchor contains itself")?.clone();
                self.aliased += node.size();
                if self.aliased > ALIASED_NODES_LIMIT {
                    return Err("it has too many aliases".to_owned());
                }
                return Ok(node);
            }
            _ => return Err("a value is missing".to_owned()),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self) -> Result<Node, Reason> {
        let mut elements = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Node::List(elements)),
                event => elements.push(self.node(event)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Node, Reason> {
        let mut entries = Vec::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(Node::Map(entries)),
                Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<" => {
                    let event = self.next()?;
                    merge(&mut entries, self.node(event)?)?;
                    continue;
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let spelled = text.to_string();
                    match self.node(Event::Scalar(text, style, anchor, tag))? {
                        Node::Text(key) => key,
                        Node::Flag(flag) => flag.to_string(),
                        Node::Number | Node::Infinite => spelled,
                        _ => return Err("a key is null".to_owned()),
                    }
                }
                event => match self.node(event)? {
                    Node::Text(key) => key,
                    _ => return Err("a key is no text".to_owned()),
                },
            };
            let event = self.next()?;
            let value = self.node(event)?;
            if entries.iter().any(|(name, _)| *name == key) {
                self.repeated_keys.push(key.clone());
            }
            insert(&mut entries, key, value);
        }
    }
}

/// Takes the entries of a merge key in; what is merged later wins, whoever wrote it (yaml/v2 `decode.go`, `merge`).
fn merge(entries: &mut Vec<(String, Node)>, merged: Node) -> Result<(), Reason> {
    let mappings = match merged {
        Node::List(elements) => elements.into_iter().rev().collect(),
        other => vec![other],
    };
    for mapping in mappings {
        let Node::Map(merged) = mapping else { return Err("a merge key `<<` has no mapping".to_owned()) };
        for (key, value) in merged {
            insert(entries, key, value);
        }
    }
    Ok(())
}

fn place(error: &ScanError) -> Reason {
    format!("line {} cannot be read", error.marker().line())
}
