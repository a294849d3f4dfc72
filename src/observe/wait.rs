//! Follows deliveries until every one is decided, or the deadline passes.
//!
//! Watches say when to look and how far things are ([`follower`], fed by [`intake`]). What is final is decided by fresh reads, parents before
//! children ([`confirm`]): watches of different objects lag differently, and a child that was read before its parent
//! proves nothing.

mod confirm;
mod fetches;
mod follower;
mod intake;
mod requests;
mod track;
mod view;

use std::time::{Duration, Instant};

use futures::stream::StreamExt;

use self::follower::Follower;
use super::Verdict;
use super::delivery::Delivery;
use crate::cluster::{Cluster, Connection};
use crate::error::{Error, Result};
use crate::flux::FluxVersions;

/// How often time alone is looked at: a failure that has lasted long enough, a heartbeat.
const TICK: Duration = Duration::from_millis(250);

/// What to wait for.
#[derive(Debug)]
pub struct WaitRequest {
    /// The deliveries, all of one namespace.
    pub deliveries: Vec<Delivery>,
    /// Contexts to reach run clusters through, instead of Flux's credential.
    pub run_contexts: Vec<(String, String)>,
    /// The kubeconfig flags, for these contexts.
    pub connection: Connection,
    /// The time for everything together.
    pub timeout: Duration,
    /// The commit that the sources must reach; `None` means what they have once they have looked for new commits.
    pub commit: Option<String>,
    /// Whether to ask the sources to look for new commits.
    pub requests_fetch: bool,
    /// Whether the first failure ends the wait for all.
    pub fails_fast: bool,
    /// What is known about Flux's way to the run clusters.
    pub way: Way,
}

/// What is known about Flux's way to a run cluster: its address, and the certificates there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// It has been open, so that a failure may be a restart.
    #[default]
    Known,
    /// Flux was just told another one: what its next try says counts.
    Changed,
    /// Flux was just told its first one: what it says counts.
    New,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was decided.
    Decided(Verdict),
    /// The deadline passed; the last verdict says what it waited for, or which failure had yet to count.
    TimedOut(Verdict),
    /// Another delivery's failure ended the wait; the last verdict says how far it was.
    Stopped(Verdict),
}

impl Outcome {
    /// Returns the last verdict.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        let (Self::Decided(verdict) | Self::TimedOut(verdict) | Self::Stopped(verdict)) = self;
        verdict
    }

    /// Tells whether the verdict is final.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        matches!(self, Self::Decided(_))
    }
}

/// Shows what happens while waiting.
pub trait Reporter {
    /// Begins with these deliveries; later calls name them by index.
    fn began(&mut self, deliveries: &[Delivery]);
    /// Says something that concerns all of them.
    fn notice(&mut self, text: &str);
    /// Says something that only helps to find out why it takes so long.
    fn detail(&mut self, _text: &str) {}
    /// Shows a new verdict on a delivery; `is_final` once it is decided.
    fn changed(&mut self, index: usize, verdict: &Verdict, is_final: bool);
    /// Gives the chance to show that time passes.
    fn tick(&mut self);
    /// Ends, and leaves the screen as it was found.
    fn ended(&mut self);
    /// Returns why there is nobody left to report to, which ends the wait.
    fn failure(&mut self) -> Option<Error> {
        None
    }
}

/// Follows the deliveries of the request until each is decided, and returns the outcomes in the same order.
pub async fn wait(
    build: &Cluster,
    versions: FluxVersions,
    request: WaitRequest,
    reporter: &mut dyn Reporter,
) -> Result<Vec<Outcome>> {
    reporter.began(&request.deliveries);
    let deadline = tokio::time::Instant::now() + request.timeout;
    let mut follower = tokio::select! {
        follower = Follower::begin(build, versions, &request, reporter) => follower?,
        () = tokio::time::sleep_until(deadline) => {
            reporter.ended();
            let verdict = Verdict::pending(super::Stage::Source, "reading how Flux reaches the run clusters");
            return Ok(vec![Outcome::TimedOut(verdict); request.deliveries.len()]);
        }
    };
    let mut is_late = false;
    let mut ticks = tokio::time::interval(TICK);
    while !follower.is_decided(request.fails_fast) && reporter.failure().is_none() {
        follower.look(Instant::now(), reporter);
        tokio::select! {
            Some(update) = follower.updates.next() => follower.take(update, reporter),
            Some(confirmation) = follower.confirmations.next() => follower.confirmed(confirmation, reporter),
            Some(refused) = follower.requests.next() => follower.requested(refused),
            Some(answer) = follower.fetches.next() => follower.fetch_requested(answer, reporter),
            Some(proof) = follower.proofs.next() => follower.proven(proof),
            Some(renewal) = follower.renewals.next() => follower.take_renewal(renewal),
            _ = ticks.tick() => reporter.tick(),
            () = tokio::time::sleep_until(deadline) => {
                is_late = true;
                break;
            }
        }
    }
    reporter.ended();
    match reporter.failure() {
        Some(failure) => Err(failure),
        None => Ok(follower.outcomes(is_late)),
    }
}
