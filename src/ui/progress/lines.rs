//! One line per change, for logs: nothing is redrawn, nothing is said twice in a row.

use std::io::Write;
use std::time::Duration;

use super::board::Board;
use crate::observe::wait::Reporter;
use crate::observe::{Delivery, Verdict};
use crate::ui::Verbosity;
use crate::ui::clock::Clock;
use crate::ui::text::{duration, one_line};

/// How often a log says what is still pending.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// Deliveries that a heartbeat names at most.
const NAMED: usize = 10;

/// Writes lines of text.
pub struct Lines<W> {
    output: W,
    clock: Clock,
    verbosity: Verbosity,
    board: Board,
    /// The last line about each delivery.
    last: Vec<String>,
    last_notice: String,
    heartbeat: Duration,
}

impl<W: Write> Lines<W> {
    /// Writes to `output`; with some verbosity, details as well and the unshortened words of the controllers.
    pub fn new(output: W, clock: Clock, verbosity: Verbosity) -> Self {
        Self {
            output,
            clock,
            verbosity,
            board: Board::default(),
            last: Vec::new(),
            last_notice: String::new(),
            heartbeat: HEARTBEAT,
        }
    }

    fn line(&mut self, text: &str) {
        // Where nobody reads a log any more, there is nobody to tell.
        let _ = writeln!(self.output, "{:>6}  {text}", duration(self.clock.elapsed()));
    }

    /// Names what is pending, and in which stage it is.
    fn still_pending(&self) -> String {
        let pending: Vec<String> = self
            .board
            .entries
            .iter()
            .filter(|entry| entry.is_pending())
            .map(|entry| format!("{} ({})", entry.display(), entry.state.word()))
            .collect();
        let more = pending.len().saturating_sub(NAMED);
        let named = pending[..pending.len() - more].join(", ");
        let count = format!("{}/{} decided", self.board.decided(), self.board.entries.len());
        if more == 0 {
            format!("{count}, still waiting for {named}")
        } else {
            format!("{count}, still waiting for {named} and {more} more")
        }
    }
}

impl<W: Write> Reporter for Lines<W> {
    fn began(&mut self, deliveries: &[Delivery]) {
        self.board = Board::new(deliveries, self.verbosity == Verbosity::Everything);
        self.last = vec![String::new(); deliveries.len()];
        let noun = if deliveries.len() == 1 { "delivery" } else { "deliveries" };
        self.line(&format!("waiting for {} {noun}", deliveries.len()));
    }

    fn notice(&mut self, text: &str) {
        let text = one_line(text);
        if text != self.last_notice {
            self.line(&text);
            self.last_notice = text;
        }
    }

    fn detail(&mut self, text: &str) {
        if self.verbosity >= Verbosity::Details {
            self.line(&one_line(text));
        }
    }

    fn changed(&mut self, index: usize, verdict: &Verdict, is_final: bool) {
        self.board.change(index, verdict, self.clock.elapsed());
        let Some(entry) = self.board.entries.get(index) else { return };
        let state = match verdict {
            Verdict::Failed(failure) => format!("failed in {}", failure.stage.name()),
            _ => entry.state.word().to_owned(),
        };
        let mark = match verdict {
            Verdict::Ready { .. } if is_final => "✔ ",
            _ if is_final => "✗ ",
            _ => "",
        };
        let text = format!("{mark}{}  {state}: {}", entry.display(), entry.details);
        if self.last.get(index) != Some(&text) {
            self.line(&text);
            self.last[index] = text;
        }
    }

    fn tick(&mut self) {
        let elapsed = self.clock.elapsed();
        if elapsed >= self.heartbeat {
            while self.heartbeat <= elapsed {
                self.heartbeat += HEARTBEAT;
            }
            if self.board.decided() < self.board.entries.len() {
                let text = self.still_pending();
                self.line(&text);
            }
        }
    }

    fn ended(&mut self) {}
}
