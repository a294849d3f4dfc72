//! The events of `-o json`, as `docs/events.schema.json` describes them.
//!
//! Fields and kinds are only ever added under one version; what is renamed or removed makes a new one.

mod deliveries;
mod results;

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::text::drives_a_terminal;
use crate::error::{Error, ErrorKind};
use crate::observe::Stage;
pub use deliveries::{Conclusion, DeliveryName, Progress, SourceResult};
pub use results::{CommandResult, PreviewChange, PreviewResult, Removal, Rotation};

/// The name and version of the schema, which every line carries.
pub const SCHEMA: &str = "carvelflux.events/v1";

/// One line.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    schema: &'static str,
    /// When it was written, in UTC, to the millisecond.
    time: String,
    #[serde(flatten)]
    body: Body,
}

/// What a line says.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Body {
    /// The wait begins, for these deliveries.
    Started {
        /// All of them.
        deliveries: Vec<DeliveryName>,
    },
    /// Something that concerns all of them.
    Notice {
        /// In words.
        message: String,
    },
    /// Something that only helps to find out why; with `-v`.
    Detail {
        /// In words.
        message: String,
    },
    /// A delivery is in another stage, or says something new about it.
    Changed {
        /// Which one.
        delivery: DeliveryName,
        /// Where it is.
        stage: Stage,
        /// What it waits for.
        message: String,
        /// kapp's own count, where it says one.
        #[serde(skip_serializing_if = "Option::is_none")]
        progress: Option<Progress>,
    },
    /// A delivery is decided.
    Decided(Box<Conclusion>),
    /// The end, with what became of every delivery.
    Result(CommandResult),
    /// The end, where there is no result.
    Error {
        /// `failed`, `usage`, `timeout` or `interrupted`.
        reason: &'static str,
        /// The exit code of the command.
        exit_code: u8,
        /// What failed.
        message: String,
        /// Why, outermost first.
        causes: Vec<String>,
        /// What to do next.
        hints: Vec<String>,
        /// The failures that were found together, where there are several.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        failures: Vec<Part>,
    },
}

/// One of several failures.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// What failed.
    message: String,
    /// Why, outermost first.
    causes: Vec<String>,
    /// What to do next.
    hints: Vec<String>,
}

impl Event {
    /// Dates an event.
    #[must_use]
    pub fn new(time: Timestamp, body: Body) -> Self {
        Self { schema: SCHEMA, time: format!("{time:.3}"), body }
    }

    /// Writes it as one line, in one piece, and at once.
    pub fn write(&self, output: &mut impl Write) -> io::Result<()> {
        let mut line = Vec::new();
        self.serialize(&mut serde_json::Serializer::with_formatter(&mut line, Printable))?;
        line.push(b'\n');
        output.write_all(&line)?;
        output.flush()
    }
}

impl Body {
    /// Says why a command ended without a result.
    #[must_use]
    pub fn error(error: &Error) -> Self {
        Self::Error {
            reason: match error.kind() {
                ErrorKind::Failed | ErrorKind::DiffFailed | ErrorKind::Differences | ErrorKind::BrokenPipe => "failed",
                ErrorKind::Usage => "usage",
                ErrorKind::Timeout => "timeout",
                ErrorKind::Interrupted => "interrupted",
            },
            exit_code: error.kind().exit_code(),
            message: error.message().to_owned(),
            causes: error.causes().to_vec(),
            hints: error.hints().to_vec(),
            failures: error.parts().iter().map(Part::of).collect(),
        }
    }
}

impl Part {
    fn of(error: &Error) -> Self {
        Self { message: error.message().to_owned(), causes: error.causes().to_vec(), hints: error.hints().to_vec() }
    }
}

/// Escapes what could drive a terminal that the JSON is printed on; JSON itself allows most of it.
struct Printable;

impl serde_json::ser::Formatter for Printable {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for character in fragment.chars() {
            if drives_a_terminal(character) {
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                write!(writer, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_line_drives_a_terminal() {
        let message = "a\u{1b}[2J\u{9b}2J\u{202e}b\u{7f} 包".to_owned();
        let mut line = Vec::new();
        Event::new(Timestamp::UNIX_EPOCH, Body::Notice { message: message.clone() })
            .write(&mut line)
            .expect("a Vec takes all");
        let line = String::from_utf8(line).expect("JSON is UTF-8");
        assert_eq!(
            line,
            "{\"schema\":\"carvelflux.events/v1\",\"time\":\"1970-01-01T00:00:00.000Z\",\"kind\":\"notice\",\
             \"message\":\"a\\u001b[2J\\u009b2J\\u202eb\\u007f 包\"}\n"
        );
        let read: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        assert_eq!(read["message"], message);
    }
}
