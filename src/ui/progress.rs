//! How a wait looks while it lasts: one event stream, three renderings.
//!
//! On a terminal [`bars`] are redrawn in place ([`board`] holds what they show, [`layout`] makes the rows), in a log
//! [`lines`] are added, and for programs there is [`json`]. What is said at the end lives in [`super::conclusion`].

pub mod bars;
pub mod board;
pub mod json;
pub mod layout;
pub mod lines;

use super::clock::Clock;
use super::{Format, Ui, Verbosity};
use crate::observe::wait::Reporter;
use crate::observe::{Delivery, Verdict};

/// Returns the display that fits what was asked for and where the output goes.
#[must_use]
pub fn reporter(ui: Ui) -> Box<dyn Reporter> {
    reporter_with_clock(ui, Clock::start())
}

/// Returns the display with a clock of one's own.
#[must_use]
pub fn reporter_with_clock(ui: Ui, clock: Clock) -> Box<dyn Reporter> {
    match ui.format {
        _ if ui.verbosity == Verbosity::Quiet => Box::new(Silence),
        Format::Json => Box::new(json::Json::new(std::io::stdout(), clock, ui.verbosity)),
        Format::Text if ui.has_screen => Box::new(bars::Bars::new(clock, ui.has_colors, ui.verbosity)),
        Format::Text => Box::new(lines::Lines::new(std::io::stderr(), clock, ui.verbosity)),
    }
}

/// Shows nothing: only the results and the errors that follow are wanted.
struct Silence;

impl Reporter for Silence {
    fn began(&mut self, _deliveries: &[Delivery]) {}
    fn notice(&mut self, _text: &str) {}
    fn changed(&mut self, _index: usize, _verdict: &Verdict, _is_final: bool) {}
    fn tick(&mut self) {}
    fn ended(&mut self) {}
}
