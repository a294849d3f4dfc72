//! Asks Flux to look for new commits now, and waits for what comes of it.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::DynamicObject;

use super::expectation::Expectation;
use super::source::{self, Source};
use super::{Cause, Failure, Verdict};
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::flux::{GitRepository, RECONCILE_REQUESTED_AT};
use crate::object::ObjectReference;

/// The pause before a fetch that failed is requested again, while its failure may pass.
const PAUSE: Duration = Duration::from_secs(3);

/// Requests a fetch of a GitRepository and returns the revision that it has then.
///
/// A failure that may pass by itself is given the time that it may take.
pub async fn fetch(build: &Cluster, source: &ObjectReference, limit: Duration) -> Result<String> {
    let began = Instant::now();
    loop {
        match fetch_once(build, source, limit.saturating_sub(began.elapsed())).await? {
            Ok(revision) => return Ok(revision),
            Err(failure) if began.elapsed() >= failure.patience.duration().min(limit) => {
                return Err(Error::new(format!("{} is not fetched", failure.object))
                    .because(failure.message)
                    .hint(failure.hint));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn fetch_once(build: &Cluster, source: &ObjectReference, limit: Duration) -> Result<Result<String, Failure>> {
    let token = jiff::Timestamp::now().to_string();
    build.annotate(source, RECONCILE_REQUESTED_AT, &token).await?;
    let expectation = Expectation::after_request(Some(token));
    let unobserved = RefCell::new(None);
    let decided = |object: &DynamicObject| {
        let repository: GitRepository = object.clone().try_parse().ok()?;
        unobserved.replace(None);
        match source::judge(Some(&repository), &repository.name_any(), &expectation) {
            Source::At(revision) => Some(Ok(revision)),
            // One that was made a moment ago looks like this, too.
            Source::Not(Verdict::Failed(failure)) if failure.cause == Cause::NotObserved => {
                unobserved.replace(Some(failure));
                None
            }
            Source::Not(Verdict::Failed(failure)) => Some(Err(failure)),
            Source::Not(_) => None,
        }
    };
    let fetched = build.wait_for(source, limit, decided).await;
    fetched.map_err(|error| match (error.kind(), unobserved.take()) {
        (ErrorKind::Timeout, Some(failure)) => error.because(failure.message).hint(failure.hint),
        (ErrorKind::Timeout, None) => error.hint("is source-controller running? kubectl -n flux-system get pods"),
        _ => error,
    })
}
