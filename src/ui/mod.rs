//! Everything a person sees: results on standard output, all else on standard error.
//!
//! Questions live in [`prompt`], the display of a wait in [`progress`], what is said at its end in [`conclusion`],
//! the form of errors in [`errors`], and what a program reads instead in [`events`].

pub mod alike;
pub mod check;
pub mod clock;
pub mod conclusion;
pub mod diff;
pub mod editor;
pub mod errors;
pub mod events;
pub mod extent;
pub mod phrases;
pub mod progress;
pub mod prompt;
pub mod status;
mod terminal;
pub mod text;
pub mod values;

use std::io::{IsTerminal, Write};

use jiff::Timestamp;
use owo_colors::OwoColorize;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use events::{Body, Event};
pub use text::escape;

/// Writes a document for people and programs, over several lines.
pub fn json(document: &impl Serialize) -> Result<String> {
    serde_json::to_string_pretty(document).map_err(|error| Error::new("cannot write JSON").because(error))
}

/// Where output goes, how, and whether a person is there to answer.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    /// Whether questions can be asked: standard input and standard error are a terminal.
    pub is_interactive: bool,
    /// Whether standard error is a terminal that can be redrawn.
    pub has_screen: bool,
    /// Whether standard error may be coloured.
    pub has_colors: bool,
    /// The format of the result.
    pub format: Format,
    /// How much to say beside it.
    pub verbosity: Verbosity,
}

/// The format of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A line per delivery, for people.
    #[default]
    Text,
    /// Events, one a line, for programs.
    Json,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Text, Self::Json];

    /// Returns the name of the format, as `-o` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// How much to say beside results and errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing.
    Quiet,
    /// What changes.
    #[default]
    Normal,
    /// Also retries and reads.
    Details,
    /// Also the controllers' own words in full.
    Everything,
}

impl Ui {
    /// Looks at the standard streams, `TERM` and the variables about colour, such as `NO_COLOR`.
    #[must_use]
    pub fn detect(format: Format, verbosity: Verbosity) -> Self {
        let stderr = std::io::stderr();
        let is_terminal = stderr.is_terminal();
        Self {
            is_interactive: std::io::stdin().is_terminal() && is_terminal,
            has_screen: is_terminal && !console::is_dumb(),
            has_colors: anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never,
            format,
            verbosity,
        }
    }

    /// Prints one line of the result to standard output.
    pub fn result(self, line: &str) -> Result<()> {
        writeln!(anstream::stdout(), "{}", escape(line)).map_err(closed_or_failed)
    }

    /// Prints one line of the result that is escaped already, and may be styled.
    pub fn result_styled(self, line: &str) -> Result<()> {
        writeln!(anstream::stdout(), "{line}").map_err(closed_or_failed)
    }

    /// Prints text of the result as it is: a document that somebody saves must not be escaped.
    pub fn document(self, text: &str) -> Result<()> {
        std::io::stdout().write_all(text.as_bytes()).map_err(closed_or_failed)
    }

    /// Prints lines of the result in the place of the ones before; one after the other where there is no screen.
    pub fn screen(self, lines: &[String]) -> Result<()> {
        let terminal = console::Term::stdout();
        let mut lines = lines.to_vec();
        if terminal.is_term() && self.has_screen {
            terminal.clear_screen().map_err(closed_or_failed)?;
            let rows = usize::from(terminal.size().0).saturating_sub(1);
            if lines.len() > rows {
                let hidden = lines.len() - rows.saturating_sub(1);
                lines.truncate(rows.saturating_sub(1));
                lines.push(format!("… and {hidden} more lines"));
            }
        }
        lines.iter().try_for_each(|line| self.result_styled(line))
    }

    /// Writes an event to standard output.
    pub fn event(self, event: &Event) -> Result<()> {
        event.write(&mut std::io::stdout()).map_err(closed_or_failed)
    }

    /// Prints a line about what goes on.
    pub fn status(self, line: &str) {
        if self.verbosity > Verbosity::Quiet {
            print(&escape(line));
        }
    }

    /// Tells how a wait goes on: a program is told, too.
    pub fn notice(self, line: &str) {
        if self.format == Format::Json && self.verbosity > Verbosity::Quiet {
            // Where nobody reads it, the message on standard error must do.
            let _ = Event::new(Timestamp::now(), Body::Notice { message: line.trim().to_owned() })
                .write(&mut std::io::stdout());
        }
        self.status(line);
    }

    /// Prints a line about what is going to be asked.
    pub fn proposal(self, line: &str) {
        print(&escape(line));
    }

    /// Tells what somebody has to do while the command waits for it; also where little is said.
    pub fn demand(self, line: &str) {
        if self.format == Format::Json {
            // Where nobody reads it, the message on standard error must do.
            let _ =
                Event::new(Timestamp::now(), Body::Notice { message: line.to_owned() }).write(&mut std::io::stdout());
        }
        self.proposal(line);
    }

    /// Prints a line about something that was done.
    pub fn done(self, line: &str) {
        if self.verbosity > Verbosity::Quiet {
            print(&format!("{} {}", "✔".green(), escape(line)));
        }
    }

    /// Prints a warning.
    pub fn warning(self, line: &str) {
        if self.verbosity > Verbosity::Quiet {
            print(&format!("{} {}", "Warning:".yellow().bold(), escape(line)));
        }
    }

    /// Prints why deliveries are not ready: lines of [`conclusion`], which are escaped already.
    pub fn explanation(self, lines: &[String]) {
        for line in lines {
            print(line);
        }
    }

    /// Prints an error: what failed, why, and what to do next. Where events were asked for, it ends them.
    pub fn error(self, error: &Error) {
        end_events(self.format, error);
        if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::Differences) {
            print(&errors::printed(error));
        }
    }
}

/// Writes the last event of a command that ends without a result.
pub fn end_events(format: Format, error: &Error) {
    if format == Format::Json && !error.is_reported() && error.kind() != ErrorKind::BrokenPipe {
        // Where nobody reads it, the message on standard error must do.
        let _ = Event::new(Timestamp::now(), Body::error(error)).write(&mut std::io::stdout());
    }
}

/// Tells a reader that went away, which is no failure, from other reasons why nothing can be written.
fn closed_or_failed(error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        Error::of_kind(ErrorKind::BrokenPipe, "standard output is closed")
    } else {
        Error::new("cannot write to standard output").because(error)
    }
}

/// Prints a line to standard error. Where nobody reads it any more, there is nobody to tell.
fn print(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}
