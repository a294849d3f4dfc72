//! The time that renderings show: the real one, or one that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A clock that tells the time, and how much of it has passed since it was made.
#[derive(Clone, Debug)]
pub struct Clock {
    began: Timestamp,
    passed: Passed,
}

#[derive(Clone, Debug)]
enum Passed {
    Since(Instant),
    Milliseconds(Arc<AtomicU64>),
}

impl Clock {
    /// Starts the real clock.
    #[must_use]
    pub fn start() -> Self {
        Self { began: Timestamp::now(), passed: Passed::Since(Instant::now()) }
    }

    /// Makes a clock that stands still until the counter of milliseconds is changed.
    #[must_use]
    pub fn by_hand(began: Timestamp, milliseconds: Arc<AtomicU64>) -> Self {
        Self { began, passed: Passed::Milliseconds(milliseconds) }
    }

    /// Returns the time since the clock was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match &self.passed {
            Passed::Since(began) => began.elapsed(),
            Passed::Milliseconds(counter) => Duration::from_millis(counter.load(Ordering::Relaxed)),
        }
    }

    /// Returns the time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.began.saturating_add(self.elapsed()).unwrap_or(self.began)
    }
}
