//! The printed form of an error: what failed, why, and what to do next. Pure.

use std::fmt::Write;

use owo_colors::OwoColorize;

use super::text::escape;
use crate::error::Error;

/// Returns an error as it is printed: its message, its causes and its hints; then those of the failures that it joins.
#[must_use]
pub fn printed(error: &Error) -> String {
    let mut text = format!("{} {}", "Error:".red().bold(), indented(error.message()));
    explain(&mut text, error, "  ");
    for (number, part) in error.parts().iter().enumerate() {
        add(&mut text, format_args!("  {}. {}", number + 1, indented(part.message())));
        explain(&mut text, part, "     ");
    }
    text
}

/// Adds why something failed and what to do next, below its message.
fn explain(text: &mut String, error: &Error, margin: &str) {
    match error.causes() {
        [] => {}
        [cause] => add(text, format_args!("{margin}{} {}", "Caused by:".bold(), indented(cause))),
        causes => {
            add(text, format_args!("{margin}{}", "Caused by:".bold()));
            for (number, cause) in causes.iter().enumerate() {
                add(text, format_args!("{margin}  {}. {}", number + 1, indented(cause)));
            }
        }
    }
    for hint in error.hints() {
        add(text, format_args!("{margin}{} {}", "Hint:".cyan().bold(), indented(hint)));
    }
}

/// Adds a line; writing to a text does not fail.
fn add(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = write!(text, "\n{line}");
}

/// Escapes text and sets its further lines below the first.
fn indented(text: &str) -> String {
    escape(text).replace('\n', "\n      ")
}

/// Compares the printed form of an error, without colours, with its snapshot in `tests/errors/`.
#[cfg(test)]
pub(crate) fn assert_printed(name: &str, error: &Error) {
    insta::with_settings!({
        snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, anstream::adapter::strip_str(&printed(error)).to_string());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_were_found_together_are_numbered() {
        let parts = vec![
            Error::new("first\nof two lines").because("one").because("two\u{1b}[2J").hint("do this").hint("or that"),
            Error::usage("second").because("only one"),
        ];
        assert_printed("several", &Error::several(crate::error::ErrorKind::Failed, "2 checks failed", parts));
    }
}
