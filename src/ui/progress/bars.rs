//! Bars that are redrawn in place: indicatif draws, [`super::layout`] decides what.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use owo_colors::OwoColorize;

use super::board::Board;
use super::layout::{Screen, frame};
use crate::observe::wait::Reporter;
use crate::observe::{Delivery, Verdict};
use crate::ui::Verbosity;
use crate::ui::clock::Clock;
use crate::ui::text::escape;

/// How often the screen is redrawn, so that time passes and a new size is noticed.
const REDRAW: Duration = Duration::from_millis(100);

/// Draws on the terminal behind standard error.
pub struct Bars {
    board: Arc<Mutex<Board>>,
    clock: Clock,
    verbosity: Verbosity,
    has_colors: bool,
    /// All rows together: one thing to draw, so that no half of a change is ever seen.
    rows: Option<ProgressBar>,
    last_notice: String,
}

impl Bars {
    /// Makes bars for a terminal; with some verbosity, details are shown above them.
    #[must_use]
    pub fn new(clock: Clock, has_colors: bool, verbosity: Verbosity) -> Self {
        Self { board: Arc::default(), clock, verbosity, has_colors, rows: None, last_notice: String::new() }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws all rows each time, for the size that the screen has then.
    fn drawing(&self) -> ProgressStyle {
        let (board, clock, has_colors) = (Arc::clone(&self.board), self.clock.clone(), self.has_colors);
        let draw = move |_: &ProgressState, output: &mut dyn Write| {
            let (rows, columns) = Term::stderr().size();
            let screen = Screen { rows: rows.into(), columns: columns.into(), has_colors };
            let board = board.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = output.write_str(&frame(&board, clock.elapsed(), screen).join("\n"));
        };
        ProgressStyle::with_template("{rows}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .with_key("rows", draw)
    }

    fn above(&self, text: &str) {
        let text = escape(text);
        if let Some(rows) = &self.rows {
            rows.println(if self.has_colors { text.dimmed().to_string() } else { text });
        }
    }
}

impl Reporter for Bars {
    fn began(&mut self, deliveries: &[Delivery]) {
        *self.board() = Board::new(deliveries, self.verbosity == Verbosity::Everything);
        let rows = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(self.drawing());
        rows.enable_steady_tick(REDRAW);
        self.rows = Some(rows);
    }

    fn notice(&mut self, text: &str) {
        if text != self.last_notice {
            self.above(text);
            text.clone_into(&mut self.last_notice);
        }
    }

    fn detail(&mut self, text: &str) {
        if self.verbosity >= Verbosity::Details {
            self.above(text);
        }
    }

    fn changed(&mut self, index: usize, verdict: &Verdict, _is_final: bool) {
        let elapsed = self.clock.elapsed();
        self.board().change(index, verdict, elapsed);
    }

    fn tick(&mut self) {}

    fn ended(&mut self) {
        // The results follow, and say it all.
        if let Some(rows) = self.rows.take() {
            rows.finish_and_clear();
        }
    }
}

impl Drop for Bars {
    /// Leaves what was shown last, as complete lines, where the wait was cut short.
    fn drop(&mut self) {
        if let Some(rows) = self.rows.take() {
            rows.disable_steady_tick();
            // Drawing once more would misplace the rows where the terminal has echoed `^C` after them.
            rows.set_draw_target(ProgressDrawTarget::hidden());
            crate::ui::print("");
        }
    }
}
