//! Text that fits a screen and cannot drive it: escaping, measuring, truncating. Pure.

use std::time::Duration;

use unicode_width::UnicodeWidthChar;

/// Makes control characters visible: what a server says must not drive the terminal.
///
/// Line breaks and tabs stay; where text must be one line, use [`one_line`].
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => escaped.push(character),
            '\r' => {}
            control if drives_a_terminal(control) => escaped.extend(control.escape_unicode()),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Tells whether a terminal would act on the character: controls of both sets (C0, C1), and the marks that reorder text
/// so that it reads differently from what it says.
#[must_use]
pub fn drives_a_terminal(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Escapes text and joins its lines and runs of white space with single spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    escape(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the line of a message that says most: the first, with the next where it only announces it.
#[must_use]
pub fn headline(message: &str) -> String {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "…");
    let first = lines.next().unwrap_or_default();
    match lines.next() {
        Some(second) if first.ends_with(':') => one_line(&format!("{first} {second}")),
        _ => one_line(first),
    }
}

/// Returns the columns that text takes on a screen, rather too many than too few.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Cuts text to the given columns, and marks the cut.
#[must_use]
pub fn fit(text: &str, columns_left: usize) -> String {
    if width(text) <= columns_left {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut left = columns_left.saturating_sub(1);
    for character in text.chars() {
        let taken = columns(character);
        if taken > left {
            break;
        }
        left -= taken;
        fitted.push(character);
    }
    if columns_left > 0 {
        fitted.push('…');
    }
    fitted
}

/// Cuts or pads text to exactly the given columns.
#[must_use]
pub fn column(text: &str, columns: usize) -> String {
    let fitted = fit(text, columns);
    let padding = columns.saturating_sub(width(&fitted));
    fitted + &" ".repeat(padding)
}

fn columns(character: char) -> usize {
    // This selector widens the character before it on some terminals; counting it keeps lines from wrapping there.
    if character == '\u{fe0f}' { 1 } else { character.width().unwrap_or(0) }
}

/// Writes a duration for people, such as `12s`, `1m05s` or `1h02m`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_made_harmless() {
        assert_eq!(escape("a\u{1b}[31mred\r\nb\u{9b}\u{7f}"), "a\\u{1b}[31mred\nb\\u{9b}\\u{7f}");
        assert_eq!(escape("\u{202e}live\u{2066}evil\u{2069}"), "\\u{202e}live\\u{2066}evil\\u{2069}");
        assert_eq!(one_line(" a\n\tb\u{1b}c  d "), "a b\\u{1b}c d");
    }

    #[test]
    fn wide_characters_are_never_cut_in_half_and_never_wrap() {
        assert_eq!((width("包裹"), width("e\u{301}"), width("❤\u{fe0f}")), (4, 1, 2));
        assert_eq!(fit("包裹名", 5), "包裹…");
        assert_eq!(fit("包裹名", 4), "包…");
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!((fit("abc", 1).as_str(), fit("abc", 0).as_str()), ("…", ""));
        assert_eq!(column("包裹名", 4), "包… ");
        for columns in 0..12 {
            assert_eq!(width(&column("a包裹b名\u{fe0f}", columns)), columns);
        }
    }

    #[test]
    fn the_line_that_says_most_is_chosen() {
        assert_eq!(headline("ytt: Error:\n\n- struct lacks field\n  more"), "ytt: Error: - struct lacks field");
        assert_eq!(headline("…\nExit status 1\nmore"), "Exit status 1");
        assert_eq!(headline(""), "");
    }

    #[test]
    fn durations_are_short() {
        let shown = [0, 59, 65, 3725].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(shown, ["0s", "59s", "1m05s", "1h02m"]);
    }
}
