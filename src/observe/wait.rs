//! Follows deliveries until every one is decided, or the deadline passes.
//!
//! Watches say when to look and how far things are ([`follower`], fed by [`intake`]; run clusters join as they are
//! [reached](reaching)). What is final is decided by fresh reads, parents before children ([`confirm`]): watches of different
//! objects lag differently, and a child that was read before its parent proves nothing.

mod ancestry;
mod confirm;
mod fetches;
mod follower;
mod intake;
mod reaching;
mod request;
mod track;
mod view;

use std::time::{Duration, Instant};

use futures::stream::StreamExt;

use self::follower::Follower;
pub use self::request::{EndpointChange, Outcome, Reporter, WaitRequest};
use crate::cluster::{Cluster, Connection};
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
    // The deadline ends logins, too: a limit of their own would pass at the same moment, and tell another outcome.
    let connection = Connection { login_timeout: None, ..request.connection };
    let request = WaitRequest { connection, ..request };
    reporter.began(&request.deliveries);
    let deadline = tokio::time::Instant::now() + request.timeout;
    let mut follower = Follower::begin(build, versions, &request, reporter);
    let mut is_late = false;
    let mut ticks = waiting::ticks(TICK);
    while !follower.is_decided(request.fails_fast) && reporter.failure().is_none() {
        follower.look(Instant::now(), reporter);
        tokio::select! {
            Some(arrival) = follower.arrivals.next() => follower.arrived(arrival, reporter),
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
