//! Where each part of a YAML text is written: its documents, mappings, sequences and scalars as ranges of bytes.
//!
//! What the parts mean is read by `super::super::manifest`; what is changed of them is decided in [`super::change`].

use std::ops::Range;

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Scanner, Span, StrInput, StructureStyle, TokenType};

/// A YAML text with the places of its parts.
pub(super) struct Source<'text> {
    /// The text.
    pub(super) text: &'text str,
    /// The documents that are not empty, as `manifest::parse` counts them.
    pub(super) documents: Vec<Document>,
    /// How its lines end.
    pub(super) line_break: &'static str,
    /// Where its comments begin.
    pub(super) comments: Vec<usize>,
    commas: Vec<usize>,
}

/// A document that holds something.
pub(super) struct Document {
    /// Where its `---` begins, or the first of its content where there is none.
    pub(super) start: usize,
    /// What it holds.
    pub(super) root: Node,
}

/// A value.
pub(super) struct Node {
    /// From the first to the last byte, without anchor and tag, and without the line break that ends a block.
    pub(super) range: Range<usize>,
    /// Where the next line after it can begin at the earliest: blank lines may belong to a block scalar.
    pub(super) end: usize,
    /// What it is.
    pub(super) content: Content,
}

/// What a value is.
pub(super) enum Content {
    /// A scalar in one of the styles.
    Scalar(ScalarStyle),
    /// A reference to an anchor.
    Alias,
    /// A mapping, in flow style or not.
    Mapping(Style, Vec<Entry>),
    /// A sequence, in flow style or not.
    Sequence(Style, Vec<Item>),
}

/// How a collection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// By lines and their indentation.
    Block,
    /// By brackets and commas.
    Flow,
}

/// A key and its value.
pub(super) struct Entry {
    /// The key; none where it is no scalar.
    pub(super) key: Option<String>,
    /// Whether the key is in double quotes, as in JSON.
    pub(super) is_quoted: bool,
    /// Where the key begins.
    pub(super) start: usize,
    /// The end of the colon, or of the key where there is none.
    pub(super) after_key: usize,
    /// The value.
    pub(super) value: Node,
}

/// An item of a sequence.
pub(super) struct Item {
    /// Where its dash is or, in flow style, it begins.
    pub(super) start: usize,
    /// The value.
    pub(super) value: Node,
}

impl Node {
    /// Returns whether the node is a collection in flow style.
    pub(super) fn is_flow(&self) -> bool {
        matches!(self.content, Content::Mapping(Style::Flow, _) | Content::Sequence(Style::Flow, _))
    }

    /// Returns whether the node is a collection in block style.
    pub(super) fn is_block_collection(&self) -> bool {
        matches!(self.content, Content::Mapping(Style::Block, _) | Content::Sequence(Style::Block, _))
    }
}

impl<'text> Source<'text> {
    /// Reads a text; none where the parser does not understand it, or does not say where things are.
    pub(super) fn parse(text: &'text str) -> Option<Self> {
        let mut comments = Vec::new();
        let mut commas = Vec::new();
        let mut dashes = Vec::new();
        let mut colons = Vec::new();
        for token in Scanner::new(StrInput::new(text)) {
            let (span, token) = token.ok()?.into_parts();
            match token {
                TokenType::FlowEntry => commas.push(sign(text, span, ',')?),
                TokenType::BlockEntry => dashes.push(span),
                // The span of a dash before a comment is at the comment's end.
                TokenType::Comment(_) => {
                    comments.push(span.byte_range()?.start);
                    if let Some(dash) = dashes.last_mut().filter(|dash| dash.start == span.end) {
                        *dash = Span::empty(span.start);
                    }
                }
                TokenType::Value => colons.push(sign(text, span, ':')?),
                _ => {}
            }
        }
        let dashes: Vec<usize> = dashes.into_iter().map(|span| sign(text, span, '-')).collect::<Option<_>>()?;
        let mut events = Vec::new();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.ok()?;
            if !matches!(event, Event::Comment(..)) {
                events.push((event, span));
            }
        }
        let mut reader = Reader { text, events: events.into_iter(), dashes: dashes.into_iter(), colons };
        let documents = reader.documents()?;
        let line_break = match text.find('\n') {
            Some(end) if text[..end].ends_with('\r') => "\r\n",
            _ => "\n",
        };
        Some(Self { text, documents, line_break, comments, commas })
    }

    /// Returns where the line begins that holds a position, after a byte order mark.
    pub(super) fn line_start(&self, position: usize) -> usize {
        let start = self.text[..position].rfind('\n').map_or(0, |end| end + 1);
        if self.text[start..].starts_with('\u{feff}') { start + '\u{feff}'.len_utf8() } else { start }
    }

    /// Returns where the line after a position begins, or the end of the text.
    pub(super) fn next_line(&self, position: usize) -> usize {
        self.text[position..].find('\n').map_or(self.text.len(), |end| position + end + 1)
    }

    /// Returns how far a position is from the start of its line, in characters.
    pub(super) fn column(&self, position: usize) -> usize {
        self.text[self.line_start(position)..position].chars().count()
    }

    /// Returns whether nothing but spaces stands before a position on its line.
    pub(super) fn is_first_of_line(&self, position: usize) -> bool {
        is_blank(&self.text[self.line_start(position)..position])
    }

    /// Returns whether at most a comment follows on the line of a position.
    pub(super) fn ends_line(&self, position: usize) -> bool {
        let rest = self.text[position..self.next_line(position)].trim_start();
        rest.is_empty() || rest.starts_with('#')
    }

    /// Returns the end of the comma between two positions.
    pub(super) fn comma(&self, range: Range<usize>) -> Option<usize> {
        self.commas.iter().find(|comma| range.contains(comma)).map(|comma| comma + 1)
    }
}

/// Returns where a sign is that the scanner has just read, or is about to: its spans are empty, and blanks lie between.
fn sign(text: &str, span: Span, sign: char) -> Option<usize> {
    let position = span.byte_range()?.start;
    if text[position..].starts_with(sign) && sign != '-' {
        return Some(position);
    }
    text[..position].trim_end_matches([' ', '\t']).strip_suffix(sign).map(str::len)
}

/// Returns whether a text is empty or white space.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// Builds nodes from the parser's events.
struct Reader<'text> {
    text: &'text str,
    events: std::vec::IntoIter<(Event<'text>, Span)>,
    /// Each item of a block sequence has one, in this order.
    dashes: std::vec::IntoIter<usize>,
    colons: Vec<usize>,
}

impl Reader<'_> {
    fn documents(&mut self) -> Option<Vec<Document>> {
        let mut documents = Vec::new();
        while let Some((event, span)) = self.events.next() {
            if !matches!(event, Event::DocumentStart(..)) {
                continue;
            }
            let start = span.byte_range()?.start;
            let (event, span) = self.events.next()?;
            let is_empty = matches!(
                &event,
                Event::Scalar(text, ScalarStyle::Plain, _, None)
                    if matches!(text.as_ref(), "~" | "null" | "Null" | "NULL")
            );
            let root = self.node(&event, span, start)?;
            if !is_empty {
                documents.push(Document { start, root });
            }
        }
        Some(documents)
    }

    /// Builds the node that begins with an event; an empty one stands right after `after`.
    fn node(&mut self, event: &Event<'_>, span: Span, after: usize) -> Option<Node> {
        let range = span.byte_range()?;
        match event {
            Event::Alias(_) => Some(Node { end: range.end, range, content: Content::Alias }),
            Event::Scalar(_, style, ..) => self.scalar(*style, range, after),
            Event::SequenceStart(style, ..) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.events.next()?;
                    if let Event::SequenceEnd = event {
                        return Some(collection(range, span.byte_range()?, Content::Sequence(style_of(*style), items)));
                    }
                    let position = span.byte_range()?.start;
                    let start = if *style == StructureStyle::Block { self.dashes.next()? } else { position };
                    let value = self.node(&event, span, start + 1)?;
                    items.push(Item { start, value });
                }
            }
            Event::MappingStart(style, ..) => {
                let mut entries = Vec::new();
                loop {
                    let (event, span) = self.events.next()?;
                    if let Event::MappingEnd = event {
                        return Some(collection(
                            range,
                            span.byte_range()?,
                            Content::Mapping(style_of(*style), entries),
                        ));
                    }
                    entries.push(self.entry(&event, span)?);
                }
            }
            _ => None,
        }
    }

    fn entry(&mut self, event: &Event<'_>, span: Span) -> Option<Entry> {
        let start = span.byte_range()?.start;
        let key = self.node(event, span, start)?;
        let colon = self.colons.iter().find(|colon| **colon >= key.end).copied();
        let after_key = match colon {
            Some(colon) if is_blank(&self.text[key.range.end..colon]) => colon + 1,
            _ => key.range.end,
        };
        let (value, span) = self.events.next()?;
        let value = self.node(&value, span, after_key)?;
        let (key, is_quoted) = match event {
            Event::Scalar(text, style, ..) => (Some(text.to_string()), *style == ScalarStyle::DoubleQuoted),
            _ => (None, false),
        };
        Some(Entry { key, is_quoted, start, after_key, value })
    }

    fn scalar(&self, style: ScalarStyle, range: Range<usize>, after: usize) -> Option<Node> {
        let content = Content::Scalar(style);
        Some(match style {
            // One that is not written at all.
            ScalarStyle::Plain if range.is_empty() => Node { range: after..after, end: after, content },
            ScalarStyle::Literal | ScalarStyle::Folded => {
                // The span is of the lines, blank ones at the end included.
                let start = self.block_header(after)?;
                let written = self.text[start..range.end.max(start + 1)].trim_end();
                let rest = &self.text[start + written.len()..];
                let end = start + written.len() + rest.find(['\r', '\n']).unwrap_or(rest.len());
                let header = written.lines().next().unwrap_or_default();
                let keeps = header.split('#').next().is_some_and(|indicators| indicators.contains('+'));
                Node { end: if keeps { range.end.max(end) } else { end }, range: start..end, content }
            }
            _ => Node { end: range.end, range, content },
        })
    }

    /// Returns where the indicators of a block scalar are: after a colon or a dash, and the anchor and the tag.
    fn block_header(&self, after: usize) -> Option<usize> {
        let mut position = after;
        loop {
            let rest = &self.text[position..];
            let skipped = match rest.chars().next()? {
                '|' | '>' => return Some(position),
                '&' | '!' => rest.find(char::is_whitespace)?,
                '#' => rest.find('\n')?,
                other if other.is_whitespace() => other.len_utf8(),
                _ => return None,
            };
            position += skipped;
        }
    }
}

fn style_of(style: StructureStyle) -> Style {
    match style {
        StructureStyle::Block => Style::Block,
        StructureStyle::Flow => Style::Flow,
    }
}

/// Makes a collection: one in block style begins and ends with its parts.
fn collection(start: Range<usize>, end: Range<usize>, content: Content) -> Node {
    let parts = match &content {
        Content::Mapping(Style::Block, entries) => {
            entries.first().zip(entries.last()).map(|(first, last)| (first.start, &last.value))
        }
        Content::Sequence(Style::Block, items) => {
            items.first().zip(items.last()).map(|(first, last)| (first.start, &last.value))
        }
        _ => None,
    };
    let (range, end) = match parts {
        Some((first, last)) => (first..last.range.end, last.end),
        None => (start.start..end.end, end.end),
    };
    Node { range, end, content }
}
