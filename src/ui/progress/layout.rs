//! The rows that show a board on a screen of a given size: never more rows, never wider. Pure.

use std::time::Duration;

use owo_colors::{OwoColorize, Style};

use super::board::{Board, Entry, State};
use crate::observe::Stage;
use crate::ui::text::{column, duration, fit, width};

/// What there is room for, and whether it may be coloured.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Rows of text.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Whether colours are wanted.
    pub has_colors: bool,
}

/// The number of stages of a delivery.
const STAGES: usize = 6;

/// Below this width there is no room for the bars of the deliveries.
const ROOM_FOR_BARS: usize = 60;

/// Columns of a delivery's row beside its name, without bar and details.
const FIXED: usize = 21;

/// Fewer columns than this are of no use for details.
const ROOM_FOR_DETAILS: usize = 10;

const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// How long a frame of the spinner stands.
const SPINNER_FRAME: u128 = 120;

/// Returns the rows that show the board: deliveries under the name of their run cluster, and a line for all of them.
///
/// Where not all fit, failed and unfinished ones come first, and the others are counted.
#[must_use]
pub fn frame(board: &Board, elapsed: Duration, screen: Screen) -> Vec<String> {
    // One row stays free, so that what was on the screen before does not vanish altogether.
    let rows = screen.rows.saturating_sub(1).max(1);
    let shown = choose(board, rows.saturating_sub(1));
    let columns = Columns::of(board, screen.columns);
    let mut frame = Vec::new();
    let mut heading: Option<&str> = None;
    for (index, entry) in board.entries.iter().enumerate() {
        if !shown.contains(&index) {
            continue;
        }
        if heading != Some(&entry.run_cluster) {
            frame.push(row(&[(entry.run_cluster.clone(), Style::new().bold())], screen));
            heading = Some(&entry.run_cluster);
        }
        frame.push(row(&columns.entry(entry, elapsed), screen));
    }
    let hidden: Vec<&Entry> =
        board.entries.iter().enumerate().filter(|(index, _)| !shown.contains(index)).map(|(_, entry)| entry).collect();
    if !hidden.is_empty() && rows > 1 {
        frame.push(row(&[(more(&hidden), Style::new().dimmed())], screen));
    }
    frame.push(row(&overall(board, elapsed, screen.columns), screen));
    frame
}

/// Chooses the entries that fit into the rows together with their headings, by index.
fn choose(board: &Board, rows: usize) -> Vec<usize> {
    let clusters = |indices: &[usize]| {
        let mut names: Vec<&str> = indices.iter().map(|index| board.entries[*index].run_cluster.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    };
    let mut order: Vec<usize> = (0..board.entries.len()).collect();
    if order.len() + clusters(&order) <= rows {
        return order;
    }
    order.sort_by_key(|index| match board.entries[*index].state {
        State::Failed(_) | State::Unknown => 0,
        State::Pending(_) => 1,
        State::Ready => 2,
    });
    // A row goes to the count of the others.
    let rows = rows.saturating_sub(1);
    let mut chosen = Vec::new();
    for index in order {
        chosen.push(index);
        if chosen.len() + clusters(&chosen) > rows {
            chosen.pop();
            break;
        }
    }
    chosen
}

/// Says how many are not shown, and what they are.
fn more(hidden: &[&Entry]) -> String {
    let count = |is_meant: fn(&Entry) -> bool| hidden.iter().filter(|entry| is_meant(entry)).count();
    let kinds = [
        (count(|entry| matches!(entry.state, State::Failed(_))), "failed"),
        (count(|entry| entry.state == State::Unknown), "unknown"),
        (count(Entry::is_pending), "unfinished"),
        (count(|entry| entry.state == State::Ready), "ready"),
    ];
    let kinds: Vec<String> =
        kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}")).collect();
    format!("… and {} more: {}", hidden.len(), kinds.join(", "))
}

/// Counts what is decided: no percentages, because nobody knows how long the rest takes.
fn overall(board: &Board, elapsed: Duration, columns: usize) -> Vec<(String, Style)> {
    let (all, decided) = (board.entries.len(), board.decided());
    let length = (columns / 4).clamp(4, 20);
    let filled = (length * decided).checked_div(all).unwrap_or(length);
    let count = |word: &str| match board.entries.iter().filter(|entry| entry.state.word() == word).count() {
        0 => None,
        count => Some(format!("{count} {word}")),
    };
    let bad: Vec<String> = ["failed", "unknown"].into_iter().filter_map(count).collect();
    vec![
        (format!("[{}{}]", "#".repeat(filled), "-".repeat(length - filled)), Style::new()),
        (format!(" {decided}/{all} decided  {}", duration(elapsed)), Style::new()),
        (if bad.is_empty() { String::new() } else { format!("  {}", bad.join(", ")) }, Style::new().red()),
    ]
}

/// How the row of a delivery is divided.
struct Columns {
    name: usize,
    has_bar: bool,
    has_details: bool,
}

impl Columns {
    fn of(board: &Board, columns: usize) -> Self {
        let widest = board.entries.iter().map(|entry| width(&entry.package)).max().unwrap_or_default();
        let beside_details = widest.min(columns / 3);
        let has_details = columns >= FIXED + beside_details + ROOM_FOR_DETAILS;
        let name = if has_details { beside_details } else { widest.min(columns.saturating_sub(FIXED)) };
        Self { name, has_bar: columns >= ROOM_FOR_BARS, has_details }
    }

    fn entry(&self, entry: &Entry, elapsed: Duration) -> Vec<(String, Style)> {
        let style = match entry.state {
            State::Pending(_) => Style::new().cyan(),
            State::Ready => Style::new().green(),
            State::Failed(_) | State::Unknown => Style::new().red(),
        };
        let time = if entry.is_pending() { elapsed.saturating_sub(entry.since) } else { entry.since };
        let mut parts = vec![
            (format!("  {} ", mark(entry.state, elapsed)), style),
            (format!("{}  ", column(&entry.package, self.name)), Style::new()),
        ];
        if self.has_bar {
            parts.push((format!("{} ", bar(entry.state)), style));
        }
        parts.push((format!("{:<8} ", entry.state.word()), style));
        parts.push((format!("{:>6}", duration(time)), Style::new().dimmed()));
        if self.has_details {
            parts.push((format!("  {}", entry.details), Style::new()));
        }
        parts
    }
}

fn mark(state: State, elapsed: Duration) -> char {
    let frame = usize::try_from(elapsed.as_millis() / SPINNER_FRAME).unwrap_or_default();
    match state {
        State::Pending(_) => SPINNER[frame % SPINNER.len()],
        State::Ready => '✔',
        State::Failed(_) => '✗',
        State::Unknown => '?',
    }
}

/// Draws the stages that lie behind a delivery.
fn bar(reached: State) -> String {
    let (behind, here) = match reached {
        State::Pending(stage) => (behind(stage), "-"),
        State::Ready => (STAGES, ""),
        State::Failed(stage) => (behind(stage), "!"),
        State::Unknown => (0, "?"),
    };
    let ahead = STAGES.saturating_sub(behind + here.len());
    format!("[{}{here}{}]", "#".repeat(behind), "-".repeat(ahead))
}

fn behind(stage: Stage) -> usize {
    [Stage::Source, Stage::Packages, Stage::Install, Stage::Fetch, Stage::Template, Stage::Deploy]
        .iter()
        .take_while(|earlier| **earlier < stage)
        .count()
}

/// Joins the parts of a row, cut to the width of the screen.
fn row(parts: &[(String, Style)], screen: Screen) -> String {
    let whole: usize = parts.iter().map(|(text, _)| width(text)).sum();
    let mut left = screen.columns;
    let mut row = String::new();
    for (text, style) in parts {
        // The cut is marked in the part that it falls into, which is the last one to be shown.
        let is_last = whole > screen.columns && width(text) >= left;
        let text = if is_last { fit(&format!("{text} "), left) } else { text.clone() };
        left = left.saturating_sub(width(&text));
        if screen.has_colors {
            row.push_str(&text.style(*style).to_string());
        } else {
            row.push_str(&text);
        }
        if is_last {
            break;
        }
    }
    if screen.has_colors { row } else { row.trim_end().to_owned() }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
