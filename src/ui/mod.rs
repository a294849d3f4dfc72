//! Everything a person sees: results on standard output, all else on standard error.
//!
//! Questions live in [`prompt`], the display of a wait in [`progress`].

pub mod progress;
pub mod prompt;

use std::io::{IsTerminal, Write};

use owo_colors::OwoColorize;

use crate::error::{Error, ErrorKind, Result};

/// Where output goes, and whether a person is there to answer.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    /// Whether questions can be asked: standard input and standard error are a terminal.
    pub is_interactive: bool,
    /// Whether standard error is a terminal that can be redrawn.
    pub has_screen: bool,
}

impl Ui {
    /// Looks at the standard streams and `TERM`.
    #[must_use]
    pub fn detect() -> Self {
        let stderr = std::io::stderr().is_terminal();
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { is_interactive: std::io::stdin().is_terminal() && stderr, has_screen: stderr && !is_dumb }
    }

    /// Prints one line of the result to standard output.
    pub fn result(self, line: &str) -> Result<()> {
        writeln!(anstream::stdout(), "{}", escape(line)).map_err(|error| {
            if error.kind() == std::io::ErrorKind::BrokenPipe {
                Error::of_kind(ErrorKind::BrokenPipe, "standard output is closed")
            } else {
                Error::new("cannot write to standard output").because(error)
            }
        })
    }

    /// Prints a line about what goes on.
    pub fn status(self, line: &str) {
        print(&escape(line));
    }

    /// Prints a line about something that was done.
    pub fn done(self, line: &str) {
        print(&format!("{} {}", "✔".green(), escape(line)));
    }

    /// Prints something to beware of.
    pub fn warning(self, line: &str) {
        print(&format!("{} {}", "Warning:".yellow().bold(), escape(line)));
    }

    /// Prints an error: what failed, why, and what to do next.
    pub fn error(self, error: &Error) {
        match error.kind() {
            ErrorKind::BrokenPipe => return,
            _ => print(&format!("{} {}", "Error:".red().bold(), indented(error.message()))),
        }
        match error.causes() {
            [] => {}
            [cause] => print(&format!("  {} {}", "Caused by:".bold(), indented(cause))),
            causes => {
                print(&format!("  {}", "Caused by:".bold()));
                for (number, cause) in causes.iter().enumerate() {
                    print(&format!("    {}. {}", number + 1, indented(cause)));
                }
            }
        }
        for hint in error.hints() {
            print(&format!("  {} {}", "Hint:".cyan().bold(), indented(hint)));
        }
    }
}

/// Prints a line to standard error. Where nobody reads it any more, there is nobody to tell.
fn print(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Escapes text and sets its further lines below the first.
fn indented(text: &str) -> String {
    escape(text).replace('\n', "\n      ")
}

/// Makes control characters visible: what a server says must not drive the terminal.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => escaped.push(character),
            '\r' => {}
            control if control.is_control() => escaped.extend(control.escape_unicode()),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_made_harmless() {
        assert_eq!(escape("a\u{1b}[31mred\r\nb\u{9b}"), "a\\u{1b}[31mred\nb\\u{9b}");
    }
}
