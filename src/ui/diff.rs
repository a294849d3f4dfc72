//! Unified diffs: their lines, and how they look. Pure.

use owo_colors::OwoColorize;
use similar::{ChangeTag, TextDiff};

use super::text::escape;

/// How many lines around a change are shown.
const CONTEXT: usize = 3;

/// One line of a unified diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffLine {
    part: DiffPart,
    text: String,
}

/// What a line of a diff is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DiffPart {
    /// The name of what differs.
    Header,
    /// Where in it the lines are.
    Position,
    Context,
    Removed,
    Added,
}

/// Compares two texts, either of which may be missing.
#[must_use]
pub fn lines(name: &str, before: Option<&str>, after: Option<&str>) -> Vec<DiffLine> {
    let line = |part: DiffPart, text: String| DiffLine { part, text };
    let name_of = |text: Option<&str>| if text.is_some() { name } else { "/dev/null" };
    let mut lines = vec![
        line(DiffPart::Header, format!("--- {}", name_of(before))),
        line(DiffPart::Header, format!("+++ {}", name_of(after))),
    ];
    let diff = TextDiff::from_lines(before.unwrap_or_default(), after.unwrap_or_default());
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        lines.push(line(DiffPart::Position, hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let (part, sign) = match change.tag() {
                ChangeTag::Equal => (DiffPart::Context, ' '),
                ChangeTag::Delete => (DiffPart::Removed, '-'),
                ChangeTag::Insert => (DiffPart::Added, '+'),
            };
            lines.push(line(part, format!("{sign}{}", change.value().trim_end_matches(['\r', '\n']))));
        }
    }
    lines
}

/// Colours a line; it stays plain where standard output is no terminal.
#[must_use]
pub fn styled(line: &DiffLine) -> String {
    let text = escape(&line.text);
    match line.part {
        DiffPart::Header => text.bold().to_string(),
        DiffPart::Position => text.cyan().to_string(),
        DiffPart::Context => text,
        DiffPart::Removed => text.red().to_string(),
        DiffPart::Added => text.green().to_string(),
    }
}

/// Writes the lines as programs read them.
#[must_use]
pub fn plain(lines: &[DiffLine]) -> String {
    lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_compared_with_nothing() {
        insta::assert_snapshot!(plain(&lines("Role a", None, Some("a: 1\nb: 2\n"))), @r"
        --- /dev/null
        +++ Role a
        @@ -0,0 +1,2 @@
        +a: 1
        +b: 2
        ");
        let many = "- 1\n- 2\n- 3\n- 4\n- 5\n- 6\n- 7\n- 8\n- 9\n";
        insta::assert_snapshot!(plain(&lines("Role a", Some(many), Some(&many.replace("- 5", "- five")))), @r"
        --- Role a
        +++ Role a
        @@ -2,7 +2,7 @@
         - 2
         - 3
         - 4
        -- 5
        +- five
         - 6
         - 7
         - 8
        ");
    }

    #[test]
    fn nothing_drives_the_terminal_but_the_colours() {
        let line = &lines("a", None, Some("\u{1b}[2Jx\n"))[3];
        assert_eq!(styled(line), format!("{}", "+\\u{1b}[2Jx".green()));
    }
}
