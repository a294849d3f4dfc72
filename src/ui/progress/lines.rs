//! Lines for logs: nothing is redrawn, nothing is said twice in a row, and many deliveries do not make many lines.

use std::io::Write;
use std::time::Duration;

use super::board::{Board, Entry, State};
use crate::observe::wait::Reporter;
use crate::observe::{Delivery, Verdict};
use crate::ui::Verbosity;
use crate::ui::alike;
use crate::ui::clock::Clock;
use crate::ui::text::{duration, one_line};

/// How often a log says what is still pending.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// A stage that lasts less is not worth a line.
const WORTH_A_LINE: Duration = Duration::from_secs(3);

/// Up to so many deliveries have lines of their own; of more, what happens within [`COLLECT`] is told together.
const FEW: usize = 10;

/// How long what happens to many deliveries is collected.
const COLLECT: Duration = Duration::from_secs(10);

/// Of so few pending deliveries a heartbeat says what each waits for.
const EXPLAINED: usize = 3;

/// Writes lines of text.
///
/// A line is worth what a person wants to read afterwards: a stage that lasts, every failure, every decision, and a heartbeat.
/// The words of the controllers in between are details.
pub struct Lines<W> {
    output: W,
    clock: Clock,
    verbosity: Verbosity,
    board: Board,
    /// The last line about each delivery.
    last: Vec<String>,
    /// The stage of each delivery that was told to last.
    told: Vec<Option<State>>,
    last_notice: String,
    heartbeat: Duration,
    /// When what is collected is told.
    due: Duration,
    /// What is collected: deliveries, by index, that are decided.
    collected: Vec<usize>,
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
            told: Vec::new(),
            last_notice: String::new(),
            heartbeat: HEARTBEAT,
            due: COLLECT,
            collected: Vec::new(),
        }
    }

    fn line(&mut self, text: &str) {
        // Where nobody reads a log any more, there is nobody to tell.
        let _ = writeln!(self.output, "{:>6}  {text}", duration(self.clock.elapsed()));
    }

    /// Names what is pending, and in which stage it is.
    fn still_pending(&self) -> String {
        let pending: Vec<&Entry> = self.board.entries.iter().filter(|entry| entry.is_pending()).collect();
        let is_explained = pending.len() <= EXPLAINED;
        let named = pending.iter().map(|entry| match entry.details.as_str() {
            details if is_explained && !details.is_empty() => {
                format!("{} ({}: {details})", entry.display(), entry.state.word())
            }
            _ => format!("{} ({})", entry.display(), entry.state.word()),
        });
        let (decided, all) = (self.board.decided(), self.board.entries.len());
        format!("{decided}/{all} decided, still waiting for {}", alike::listed(named))
    }

    fn has_details(&self) -> bool {
        self.verbosity >= Verbosity::Details
    }

    fn has_few(&self) -> bool {
        self.board.entries.len() <= FEW
    }

    /// Tells which stages last, and what was collected, once it is time; where details are wanted, all is told at once.
    fn tell(&mut self) {
        let elapsed = self.clock.elapsed();
        let is_due = || self.has_few() || elapsed >= self.due || self.board.decided() == self.board.entries.len();
        if self.has_details() || !is_due() {
            return;
        }
        self.due = elapsed + COLLECT;
        let collected = std::mem::take(&mut self.collected);
        self.tell_together(&collected, |entry| match entry.state {
            // The versions of packages have nothing to do with each other.
            State::Ready => ("✔ ", "ready".to_owned()),
            _ => ("✗ ", format!("{}: {}", state_in_words(entry.state), entry.details)),
        });
        let mut lasting = Vec::new();
        for (index, (entry, told)) in self.board.entries.iter().zip(&mut self.told).enumerate() {
            let lasts = entry.is_pending() && elapsed.saturating_sub(entry.since) >= WORTH_A_LINE;
            if lasts && !entry.details.is_empty() && *told != Some(entry.state) {
                *told = Some(entry.state);
                lasting.push(index);
            }
        }
        if self.has_few() {
            for index in lasting {
                self.tell_one(index, "");
            }
        } else {
            self.tell_together(&lasting, |entry| ("", entry.state.word().to_owned()));
        }
    }

    /// Writes a line for each thing that is said of deliveries.
    fn tell_together(&mut self, indices: &[usize], say: impl Fn(&Entry) -> (&'static str, String)) {
        let entries: Vec<&Entry> = indices.iter().filter_map(|index| self.board.entries.get(*index)).collect();
        let lines: Vec<String> = alike::together(entries, |entry| Some(say(entry).1))
            .iter()
            .filter_map(|group| {
                let (mark, said) = say(group.first()?);
                let names =
                    alike::names(group.iter().map(|entry| (entry.package.as_str(), entry.run_cluster.as_str())));
                Some(match group.len() {
                    1 => format!("{mark}{names}  {said}"),
                    many => format!("{mark}{}  {said}: {names}", alike::count(many)),
                })
            })
            .collect();
        for line in lines {
            self.line(&line);
        }
    }

    /// Writes the line of a delivery, unless it is the last that was written of it.
    fn tell_one(&mut self, index: usize, mark: &str) {
        let Some(entry) = self.board.entries.get(index) else { return };
        let text = format!("{mark}{}  {}: {}", entry.display(), state_in_words(entry.state), entry.details);
        if self.last.get(index) != Some(&text) {
            self.line(&text);
            self.last[index] = text;
        }
    }
}

/// Says how far a delivery is, and of a failed one in which stage.
fn state_in_words(reached: State) -> String {
    match reached {
        State::Failed(stage) => format!("failed in {}", stage.name()),
        _ => reached.word().to_owned(),
    }
}

impl<W: Write> Reporter for Lines<W> {
    fn began(&mut self, deliveries: &[Delivery]) {
        self.board = Board::new(deliveries, self.verbosity == Verbosity::Everything);
        self.last = vec![String::new(); deliveries.len()];
        self.told = vec![None; deliveries.len()];
        self.line(&format!("waiting for {}", alike::count(deliveries.len())));
    }

    fn notice(&mut self, text: &str) {
        let text = one_line(text);
        if text != self.last_notice {
            self.line(&text);
            self.last_notice = text;
        }
    }

    fn detail(&mut self, text: &str) {
        if self.has_details() {
            self.line(&one_line(text));
        }
    }

    fn changed(&mut self, index: usize, verdict: &Verdict, is_final: bool) {
        // What lasted until now.
        self.tell();
        self.board.change(index, verdict, self.clock.elapsed());
        let mark = match verdict {
            Verdict::Ready { .. } if is_final => "✔ ",
            _ if is_final => "✗ ",
            _ => "",
        };
        match verdict {
            _ if self.has_details() => self.tell_one(index, mark),
            Verdict::Pending { .. } => {}
            // It is about to be confirmed.
            Verdict::Ready { .. } if !is_final => {}
            _ if self.has_few() => self.tell_one(index, mark),
            _ if is_final => {
                self.collected.push(index);
                self.tell();
            }
            _ => {}
        }
    }

    fn tick(&mut self) {
        self.tell();
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

    fn ended(&mut self) {
        self.due = Duration::ZERO;
        self.tell();
    }
}
