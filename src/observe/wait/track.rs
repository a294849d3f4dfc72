//! What is known about one delivery while it is waited for, and when to look at it again. Pure.

use std::time::{Duration, Instant};

use super::request::{EndpointChange, Outcome};
use crate::observe::delivery::Delivery;
use crate::observe::verdict::{Assessment, DependencyState};
use crate::observe::{Cause, Failure, GracePeriod, Key, Stage, Verdict};

/// The first pause between two fresh reads that disagree with the watches; it doubles, and starts again with any change.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a failure may be out of sight and still be the same one.
const GAP: Duration = Duration::from_secs(45);

/// The pause between two requests to a Kustomization to try again.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// A request to a Kustomization to try once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Retry {
    /// The Kustomization.
    pub(super) kustomization: Key,
    /// What it will answer with.
    pub(super) token: String,
}

/// One delivery.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) delivery: Delivery,
    /// Index of the run cluster's view; `None` until it is reached.
    pub(super) view: Option<usize>,
    /// What was shown last.
    pub(super) shown: Verdict,
    /// The final verdict.
    pub(super) outcome: Option<Verdict>,
    /// Whether something changed since it was last judged.
    pub(super) is_dirty: bool,
    /// Whether it was waiting for other Kustomizations when it was last judged.
    pub(super) dependency: DependencyState,
    /// Whether fresh reads are in progress.
    pub(super) is_confirming: bool,
    /// The retry that was requested, and when.
    pub(super) retry: Option<(Retry, Instant)>,
    /// Whether no retry can be requested, so that Flux's own must do.
    pub(super) is_retry_refused: bool,
    /// Whether Flux was just given another endpoint or credential for the run cluster.
    pub(super) endpoint_change: EndpointChange,
    /// What fresh reads said, while the watches say more.
    confirmed: Option<Verdict>,
    /// The failure that fresh reads found last, and that does not count yet.
    unconfirmed: Option<Failure>,
    not_before: Instant,
    pause: Duration,
    /// Which failure fresh reads have been finding, since when, and when last.
    failing: Option<(Cause, Instant, Instant)>,
}

/// What is known beside a fresh assessment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    /// Whether the requested retry has been made.
    pub(super) is_answered: bool,
    /// Whether the failure is the one of an attempt that had ended before anybody looked.
    pub(super) is_stale: bool,
}

/// What follows from a fresh assessment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The verdict is final.
    Decided(Verdict),
    /// Not yet: this is how it stands.
    Wait(Verdict),
    /// Not yet, and this Kustomization should try again.
    Retry(Key, Verdict),
}

impl Track {
    pub(super) fn new(delivery: Delivery, now: Instant) -> Self {
        Self {
            delivery,
            view: None,
            shown: Verdict::pending(Stage::Source, "reading"),
            outcome: None,
            is_dirty: true,
            dependency: DependencyState::None,
            is_confirming: false,
            retry: None,
            is_retry_refused: false,
            endpoint_change: EndpointChange::Unchanged,
            confirmed: None,
            unconfirmed: None,
            not_before: now,
            pause: FIRST_PAUSE,
            failing: None,
        }
    }

    /// Returns how it ended; `open` makes an outcome of what is not decided.
    pub(super) fn into_outcome(self, open: fn(Verdict) -> Outcome) -> Outcome {
        match (self.outcome, self.unconfirmed) {
            (Some(verdict), _) => Outcome::Decided(verdict),
            // What it was waiting to be repaired says more than that it was waiting.
            (None, Some(failure)) => open(Verdict::Failed(failure)),
            (None, None) => open(self.shown),
        }
    }

    /// Takes note of a change that may concern it.
    pub(super) fn touch(&mut self, now: Instant) {
        self.is_dirty = true;
        self.confirmed = None;
        self.pause = FIRST_PAUSE;
        self.not_before = now;
    }

    /// Tells whether it is to be judged now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.outcome.is_none()
            && !self.is_confirming
            && (self.is_dirty || (self.confirmed.is_some() && now >= self.not_before))
    }

    /// Returns what to show for what the watches say, which fresh reads may have contradicted.
    pub(super) fn presentable(&self, watched: &Verdict) -> Verdict {
        match (watched, &self.confirmed) {
            // The watches do not show what it waits for.
            (_, Some(confirmed)) if self.dependency == DependencyState::NotRead => confirmed.clone(),
            (Verdict::Pending { .. } | Verdict::Unknown { .. }, _) => watched.clone(),
            (_, Some(confirmed)) => confirmed.clone(),
            (Verdict::Ready { .. }, None) => Verdict::pending(Stage::Deploy, "confirming"),
            (Verdict::Failed(failure), None) => may_pass(failure),
        }
    }

    /// Handles what fresh reads say.
    pub(super) fn conclude(&mut self, assessment: Assessment, evidence: Evidence, now: Instant) -> Next {
        self.is_confirming = false;
        self.not_before = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let Verdict::Failed(failure) = assessment.verdict else {
            if matches!(assessment.verdict, Verdict::Ready { .. }) {
                return Next::Decided(assessment.verdict);
            }
            self.unconfirmed = None;
            self.confirmed = Some(assessment.verdict.clone());
            return Next::Wait(assessment.verdict);
        };
        let since = match self.failing {
            // In between, a controller that tries again looks as if nothing were wrong.
            Some((cause, since, last)) if cause == failure.cause && now.duration_since(last) <= GAP => since,
            _ => now,
        };
        self.failing = Some((failure.cause, since, now));
        let is_stale = evidence.is_stale && failure.grace_period != GracePeriod::None;
        let pending = if is_stale { tries_again(&failure) } else { may_pass(&failure) };
        self.confirmed = Some(pending.clone());
        self.unconfirmed = Some(failure.clone());
        let is_unreachable = matches!(failure.cause, Cause::RunClusterUnreachable | Cause::CertificateRefused);
        // An endpoint that never worked does not fail for a moment only.
        let grace_period = if is_unreachable && self.endpoint_change != EndpointChange::Unchanged {
            Duration::ZERO
        } else {
            failure.grace_period.duration()
        };
        let is_untried = is_unreachable && self.endpoint_change == EndpointChange::First;
        // A suspended one does not try, and nobody but a person resumes it; one that nobody has looked at has not tried.
        let is_idle = matches!(failure.cause, Cause::Suspended | Cause::NotObserved);
        let can_retry = !self.is_retry_refused && !is_idle && !is_untried;
        if let Some(kustomization) = assessment.retry.filter(|_| can_retry) {
            match &self.retry {
                Some((retry, _)) if retry.kustomization == kustomization && !evidence.is_answered => {
                    return Next::Wait(pending);
                }
                Some((retry, requested)) if retry.kustomization == kustomization => {
                    if now.duration_since(since) < grace_period {
                        let is_time = now.duration_since(*requested) >= RETRY_PAUSE;
                        return if is_time { Next::Retry(kustomization, pending) } else { Next::Wait(pending) };
                    }
                }
                _ => return Next::Retry(kustomization, pending),
            }
        }
        if !is_stale && now.duration_since(since) >= grace_period {
            return Next::Decided(Verdict::Failed(failure));
        }
        Next::Wait(pending)
    }

    /// Takes note that fresh reads failed.
    pub(super) fn unreadable(&mut self, why: &str, now: Instant) -> Verdict {
        self.is_confirming = false;
        self.not_before = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let verdict = Verdict::pending(Stage::Install, why);
        self.confirmed = Some(verdict.clone());
        verdict
    }
}

fn may_pass(failure: &Failure) -> Verdict {
    Verdict::pending(failure.stage, format!("not yet: {}", first_line(failure)))
}

fn tries_again(failure: &Failure) -> Verdict {
    let why = format!("kapp-controller will try again; before this it failed: {}", first_line(failure));
    Verdict::pending(failure.stage, why)
}

fn first_line(failure: &Failure) -> &str {
    failure.message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
