//! What a display knows about every delivery at the moment. Pure.

use std::time::Duration;

use crate::observe::{Delivery, Stage, Verdict};
use crate::ui::phrases::shorten;
use crate::ui::text::{headline, one_line};

/// The deliveries of a wait, in their order.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// Whether the controllers' own words are wanted in full.
    pub is_wordy: bool,
    /// One entry per delivery.
    pub entries: Vec<Entry>,
}

/// One delivery.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The package.
    pub package: String,
    /// The run cluster.
    pub run_cluster: String,
    /// How far it is.
    pub state: State,
    /// What there is to say about it, on one line.
    pub details: String,
    /// When the stage began, or, once decided, how long it took.
    pub since: Duration,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is in this stage.
    Pending(Stage),
    /// It is what the revision asks for.
    Ready,
    /// It failed in this stage.
    Failed(Stage),
    /// It cannot be read from here.
    Unknown,
}

impl State {
    /// Returns the word for it: of a pending one, the stage.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending(stage) => stage.name(),
            Self::Ready => "ready",
            Self::Failed(_) => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl Board {
    /// Sets up the deliveries, none of them begun.
    #[must_use]
    pub fn new(deliveries: &[Delivery], is_wordy: bool) -> Self {
        let entry = |delivery: &Delivery| Entry {
            package: one_line(&delivery.package),
            run_cluster: one_line(&delivery.run_cluster),
            state: State::Pending(Stage::Source),
            details: String::new(),
            since: Duration::ZERO,
        };
        Self { is_wordy, entries: deliveries.iter().map(entry).collect() }
    }

    /// Records a new verdict, at a time since the beginning.
    pub fn change(&mut self, index: usize, verdict: &Verdict, elapsed: Duration) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        let state = match verdict {
            Verdict::Ready { .. } => State::Ready,
            Verdict::Pending { stage, .. } => State::Pending(*stage),
            Verdict::Failed(failure) => State::Failed(failure.stage),
            Verdict::Unknown { .. } => State::Unknown,
        };
        if state != entry.state {
            entry.since = elapsed;
        }
        entry.state = state;
        entry.details = details(verdict, self.is_wordy);
    }

    /// Returns how many are decided.
    #[must_use]
    pub fn decided(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.is_pending()).count()
    }
}

impl Entry {
    /// Tells whether it is not decided yet.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending(_))
    }

    /// Returns the delivery as messages name it.
    #[must_use]
    pub fn display(&self) -> String {
        format!("{} on {}", self.package, self.run_cluster)
    }
}

/// Says on one line what a verdict has to say beside its state.
fn details(verdict: &Verdict, is_wordy: bool) -> String {
    match verdict {
        Verdict::Pending { why, .. } if is_wordy => one_line(why),
        Verdict::Ready { version } => one_line(version),
        Verdict::Pending { why, .. } => one_line(&shorten(why)),
        Verdict::Failed(failure) => headline(&failure.message),
        Verdict::Unknown { why, .. } => headline(why),
    }
}
