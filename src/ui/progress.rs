//! How a wait looks: one bar per delivery on a terminal, one line per change elsewhere.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::OwoColorize;

use super::{Ui, escape, print};
use crate::observe::wait::Reporter;
use crate::observe::{Delivery, Verdict};

/// How often a log without changes says that the command is alive.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Returns the display that fits where standard error goes.
#[must_use]
pub fn reporter(ui: Ui) -> Box<dyn Reporter> {
    if ui.has_screen { Box::new(Bars::default()) } else { Box::new(Lines::new()) }
}

/// What stands behind a delivery's name: a short state and its details.
fn state(verdict: &Verdict) -> (&'static str, String) {
    match verdict {
        Verdict::Ready { version } => ("ready", version.clone()),
        Verdict::Pending { stage, why } => (stage.name(), why.clone()),
        Verdict::Failed(failure) => {
            ("failed", failure.message.lines().next_back().unwrap_or_default().trim().to_owned())
        }
        Verdict::Unknown { why, .. } => ("unknown", why.clone()),
    }
}

/// One line per change, for logs.
struct Lines {
    names: Vec<String>,
    pending: Vec<bool>,
    began: Instant,
    last: Instant,
}

impl Lines {
    fn new() -> Self {
        Self { names: Vec::new(), pending: Vec::new(), began: Instant::now(), last: Instant::now() }
    }

    fn line(&mut self, text: &str) {
        self.last = Instant::now();
        print(&format!("{:>4}s  {}", self.began.elapsed().as_secs(), escape(text)));
    }
}

impl Reporter for Lines {
    fn began(&mut self, deliveries: &[Delivery]) {
        self.names = deliveries.iter().map(Delivery::display).collect();
        self.pending = vec![true; deliveries.len()];
    }

    fn notice(&mut self, text: &str) {
        self.line(text);
    }

    fn changed(&mut self, index: usize, verdict: &Verdict, is_final: bool) {
        let (state, details) = state(verdict);
        self.pending[index] = !is_final;
        let text = format!("{}  {state}: {details}", self.names[index]);
        self.line(&text);
    }

    fn tick(&mut self) {
        if self.last.elapsed() >= HEARTBEAT {
            let names: Vec<&str> =
                self.names.iter().zip(&self.pending).filter(|(_, pending)| **pending).map(|(name, _)| name.as_str()).collect();
            let text = format!("still waiting for {}", names.join(", "));
            self.line(&text);
        }
    }

    fn ended(&mut self) {}
}

/// One bar per delivery, redrawn in place, and one for all of them.
#[derive(Default)]
struct Bars {
    screen: MultiProgress,
    bars: Vec<ProgressBar>,
    overall: Option<ProgressBar>,
}

impl Reporter for Bars {
    fn began(&mut self, deliveries: &[Delivery]) {
        self.screen.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let widest = deliveries.iter().map(|delivery| delivery.display().len()).max().unwrap_or_default();
        let (rows, _) = console::Term::stderr().size();
        // The overall line and the cursor's need a row each.
        let shown = usize::from(rows).saturating_sub(2);
        for (index, delivery) in deliveries.iter().enumerate() {
            let bar = if index < shown { self.screen.add(ProgressBar::new_spinner()) } else { ProgressBar::hidden() };
            bar.set_style(style("{spinner} {prefix}  {elapsed:>4}  {wide_msg}"));
            bar.set_prefix(format!("{:widest$}", delivery.display()));
            bar.enable_steady_tick(Duration::from_millis(120));
            self.bars.push(bar);
        }
        if deliveries.len() > 1 {
            let overall = self.screen.add(ProgressBar::new(deliveries.len() as u64));
            overall.set_style(style("  [{bar:20}] {pos}/{len} decided  {elapsed}"));
            self.overall = Some(overall);
        }
    }

    fn notice(&mut self, text: &str) {
        let _ = self.screen.println(escape(text).dimmed().to_string());
    }

    fn changed(&mut self, index: usize, verdict: &Verdict, is_final: bool) {
        let (state, details) = state(verdict);
        let bar = &self.bars[index];
        let details = escape(&details);
        if !is_final {
            bar.set_message(format!("{state}  {details}"));
            return;
        }
        let (mark, state) = match verdict {
            Verdict::Ready { .. } => ("✔".green().to_string(), state.green().to_string()),
            _ => ("✗".red().to_string(), state.red().to_string()),
        };
        bar.set_style(style(&format!("{mark} {{prefix}}  {{elapsed:>4}}  {{wide_msg}}")));
        bar.finish_with_message(format!("{state}  {details}"));
        if let Some(overall) = &self.overall {
            overall.inc(1);
        }
    }

    fn tick(&mut self) {}

    fn ended(&mut self) {
        for bar in &self.bars {
            if !bar.is_finished() {
                bar.abandon();
            }
        }
        if let Some(overall) = &self.overall {
            overall.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
