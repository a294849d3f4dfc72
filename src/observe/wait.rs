//! Follows deliveries until every one is decided, or the deadline passes.
//!
//! Watches say when to look and how far things are ([`follower`], fed by [`intake`]). What is final is decided by fresh reads, parents before
//! children ([`confirm`]): watches of different objects lag differently, and a child that was read before its parent
//! proves nothing.

mod ancestry;
mod confirm;
mod fetches;
mod follower;
mod intake;
mod request;
mod track;
mod view;

use std::time::{Duration, Instant};

use futures::stream::StreamExt;

use self::follower::Follower;
pub use self::request::{EndpointChange, Outcome, Reporter, WaitRequest};
use super::Verdict;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::flux::FluxVersions;
use crate::waiting;

/// How often time alone is looked at: a failure that has lasted long enough, a heartbeat.
const TICK: Duration = Duration::from_millis(250);

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
        () = waiting::reached(deadline) => {
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
            Some(event) = follower.following.next() => follower.take(event, reporter),
            Some(confirmation) = follower.confirmations.next() => follower.confirmed(confirmation, reporter),
            Some(refused) = follower.requests.next() => follower.requested(refused),
            Some(answer) = follower.fetches.next() => follower.fetch_requested(answer, reporter),
            Some(proof) = follower.ancestry.next() => follower.proven(proof),
            _ = ticks.tick() => reporter.tick(),
            () = waiting::reached(deadline) => {
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
