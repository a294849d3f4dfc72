//! YAML of which Flux's reader and ours may make different things. Pure.
//!
//! Flux reads YAML 1.1 (sigs.k8s.io/yaml v1.6.0 on go.yaml.in/yaml/v2), `serde_yaml` reads YAML 1.2. They agree on what
//! kubectl writes; the rest is not decided here, but named.

use std::collections::HashSet;

use serde_json::Value;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use serde_yaml::options::DuplicateKeyPolicy;

/// The first document of a text, which is all that Flux looks at.
pub(super) struct Document {
    /// What it holds as far as it can be read: null otherwise.
    pub(super) value: Value,
    pub(super) doubts: Vec<Doubt>,
    /// The fields that occur more than once, of which the last counts for Flux, and here.
    pub(super) repeated: Vec<String>,
    pub(super) has_more_documents: bool,
}

/// A place that Flux may read differently.
pub(super) struct Doubt {
    /// Its path, e.g. `users[0].user.token`.
    pub(super) field: String,
    pub(super) why: &'static str,
}

/// Reads the first document of a text; an empty one is null. The error quotes none of it.
pub(super) fn read(text: &str) -> Result<Document, String> {
    let lacks_line_feed = !text.ends_with('\n');
    let mut walk =
        Walk { parser: Parser::new_from_str(text), lacks_line_feed, doubts: Vec::new(), repeated: Vec::new() };
    let mut end = text.len();
    let mut has_more_documents = false;
    loop {
        match walk.next()? {
            (Event::DocumentEnd, span) => {
                // What follows may even be broken: Flux does not get that far.
                has_more_documents = !matches!(walk.parser.next_event(), None | Some(Ok((Event::StreamEnd, _))));
                end = span.start.byte_offset().unwrap_or(end);
                break;
            }
            (Event::StreamEnd, _) => break,
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (event, _) => walk.node(event, "")?,
        }
    }
    let options = serde_yaml::options! { duplicate_keys: DuplicateKeyPolicy::LastWins, with_snippet: false };
    let first = text.get(..end).unwrap_or(text);
    let value = serde_yaml::from_str_with_options(first, options).unwrap_or_else(|_| {
        walk.doubt("", "it cannot be read here");
        Value::Null
    });
    Ok(Document { value, doubts: walk.doubts, repeated: walk.repeated, has_more_documents })
}

/// Goes through the first document.
struct Walk<'text> {
    parser: Parser<'text, StrInput<'text>>,
    lacks_line_feed: bool,
    doubts: Vec<Doubt>,
    repeated: Vec<String>,
}

impl<'text> Walk<'text> {
    fn next(&mut self) -> Result<(Event<'text>, Span), String> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(format!("line {} cannot be read", error.marker().line())),
            None => Err("it ends too early".to_owned()),
        }
    }

    fn doubt(&mut self, field: &str, why: &'static str) {
        self.doubts.push(Doubt { field: field.to_owned(), why });
    }

    fn node(&mut self, event: Event<'text>, path: &str) -> Result<(), String> {
        match event {
            Event::Scalar(_, _, _, Some(_)) => self.doubt(path, "it has a tag"),
            Event::Scalar(text, ScalarStyle::Plain, ..) if is_ambiguous(&text) => {
                self.doubt(path, "without quotes it is text to some readers, and a number or boolean to others");
            }
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) if self.lacks_line_feed => {
                self.doubt(path, "the last line of the file has no line break");
            }
            Event::Scalar(..) => {}
            Event::Alias(_) => self.doubt(path, "it is an alias"),
            Event::SequenceStart(_, _, tag) => {
                if tag.is_some() {
                    self.doubt(path, "it has a tag");
                }
                self.sequence(path)?;
            }
            Event::MappingStart(_, _, tag) => {
                if tag.is_some() {
                    self.doubt(path, "it has a tag");
                }
                self.mapping(path)?;
            }
            _ => return Err("a value is missing".to_owned()),
        }
        Ok(())
    }

    fn sequence(&mut self, path: &str) -> Result<(), String> {
        for index in 0_usize.. {
            let path = format!("{path}[{index}]");
            match self.next()?.0 {
                Event::SequenceEnd => break,
                Event::Scalar(text, ScalarStyle::Plain, _, None) if is_null(&text) => self.doubt(&path, "it is null"),
                event => self.node(event, &path)?,
            }
        }
        Ok(())
    }

    fn mapping(&mut self, path: &str) -> Result<(), String> {
        let mut keys = HashSet::new();
        loop {
            let key = match self.next()?.0 {
                Event::MappingEnd => return Ok(()),
                Event::Scalar(text, style, _, tag) => {
                    let is_plain = style == ScalarStyle::Plain;
                    if tag.is_some() || is_plain && (is_ambiguous(&text) || is_null(&text)) {
                        self.doubt(path, "a key in it is not simply text");
                    }
                    text.into_owned()
                }
                event => {
                    self.doubt(path, "a key in it is not simply text");
                    self.node(event, path)?;
                    String::new()
                }
            };
            let field = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let (value, _) = self.next()?;
            self.node(value, &field)?;
            if !keys.insert(key) {
                self.repeated.push(field);
            }
        }
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~") || text.eq_ignore_ascii_case("null")
}

/// Tells whether a plain scalar may be something else in YAML 1.1 than in YAML 1.2, or to readers that take neither to
/// the letter: `yes`, `1_000`, `0x1F`, `12:30`, `1e10`.
fn is_ambiguous(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "true" | "false" | "null") {
        // In lower case, in upper case and with a capital they are the same to all.
        let rest = &text[1..];
        return rest != &lower[1..] && (*text != text.to_ascii_uppercase());
    }
    if matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "<<" | "=") {
        return true;
    }
    let unsigned = lower.trim_start_matches(['+', '-']);
    if matches!(unsigned, ".inf" | ".nan") {
        return true;
    }
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || ".".contains(first)) {
        return false;
    }
    if let Some(digits) = ["0x", "0o", "0b"].iter().find_map(|prefix| unsigned.strip_prefix(prefix)) {
        return digits.chars().all(|each| each.is_ascii_hexdigit() || "_+-".contains(each));
    }
    // Addresses and dates are text to all.
    let is_number_like = unsigned.chars().all(|each| each.is_ascii_digit() || "._:e+-".contains(each))
        && unsigned.matches('.').count() < 2
        && unsigned.match_indices(['+', '-']).all(|(index, _)| unsigned[..index].ends_with('e'));
    is_number_like && !is_plain_number(text)
}

/// Tells whether it is a number to all: digits without a needless zero, perhaps with a sign and a fraction.
fn is_plain_number(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(fraction)
        && is_digits(digits)
        && whole.parse::<i64>().is_ok()
        && (digits == "0" || !digits.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubts(text: &str) -> Vec<String> {
        read(text).expect("it is YAML").doubts.into_iter().map(|doubt| doubt.field).collect()
    }

    #[test]
    fn what_every_reader_takes_for_the_same_is_not_doubted() {
        for text in [
            "a: [true, False, TRUE, null, 12, -1, 1.5, fake-token, 10.0.0.1, 10.0.0.1:6443, 2024-01-31, 1password]",
            "a: ['yes', \"0x1F\", '1_000', 'null', '~']",
            "{\"a\": \"yes\", \"b\": [1, true]}",
            "a: &unused b\n",
            "a: |\n  yes\n",
        ] {
            let doubts: Vec<String> = doubts(text).into_iter().filter(|field| field != "a[3]").collect();
            assert!(doubts.is_empty(), "{text}: {doubts:?}");
        }
    }

    #[test]
    fn what_readers_differ_in_is_named_by_its_path() {
        for (text, field) in [
            ("users: [{user: {token: yes}}]", "users[0].user.token"),
            ("a: 1_000", "a"),
            ("a: 0x1F", "a"),
            ("a: 0755", "a"),
            ("a: 12:30:45", "a"),
            ("a: 12e10", "a"),
            ("a: .inf", "a"),
            ("a: tRUE", "a"),
            ("a: !!binary ZmFrZQ==", "a"),
            ("a: &b c\nd: *b", "d"),
            ("<<: {a: b}", ""),
            ("a: {~: b}", "a"),
            ("a: [null]", "a[0]"),
            ("a: |\n  b", "a"),
        ] {
            assert_eq!(doubts(text).first().map(String::as_str), Some(field), "{text}");
        }
    }

    #[test]
    fn only_the_first_document_counts_and_errors_quote_nothing() {
        let read_first = read("a: b\n---\n{fake-token").expect("the first document is YAML");
        assert!(read_first.has_more_documents && read_first.value["a"] == "b");
        let error = read("a: b: fake-token").err().expect("it is not YAML");
        assert!(error.contains("line 1") && !error.contains("fake"), "{error}");
        assert_eq!(read("a: {b: 1, b: 2}").expect("it is YAML").repeated, ["a.b"]);
        assert!(read("").expect("nothing is null").value.is_null());
    }
}
