//! Waiting until Flux has fetched what it was asked to.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::flux::{GitRepository, RECONCILE_REQUESTED_AT};
use crate::object::ObjectReference;
use crate::observe::expectation::{Expectation, short_revision};
use crate::observe::source::{Source, judge};
use crate::observe::{Cause, Failure, Verdict};
use crate::plan::executor::Executor;
use crate::plan::steps::{Freshness, Request};
use crate::waiting::{self, Look, Waited};

/// The pause before a fetch that failed is requested again, while its failure may pass.
const PAUSE: Duration = Duration::from_secs(3);

impl Executor<'_> {
    /// Waits until a GitRepository has answered the request with this token.
    ///
    /// A failure that may pass by itself is given the time that it may take, and the request of the plan is made again.
    pub(super) async fn wait_until_fetched(
        self,
        source: &ObjectReference,
        freshness: Freshness,
        token: &str,
        deadline: Instant,
    ) -> Result<()> {
        let request = Request::Fetch { source: source.clone(), freshness };
        let mut expectation = self.expected_of(source, freshness, token).await?;
        let (began, mut last) = (Instant::now(), None);
        let what = format!("Flux to fetch {} on {}", source.display(), self.build.display());
        let mut changes = pin!(self.build.follow(source));
        let fetched = self.until(deadline, Duration::ZERO, &what, async || {
            let object = changes.next().await.transpose()?.flatten();
            let repository: Option<GitRepository> = object.and_then(|object| object.try_parse().ok());
            let failure = match judge(repository.as_ref(), &source.name, &expectation) {
                Source::At(revision) => return Ok(Look::Found(Ok(revision))),
                // One that was made a moment ago looks like this, too.
                Source::Not(Verdict::Failed(failure)) if failure.cause == Cause::NotObserved => {
                    let known = format!("waiting for {what}: {}", failure.message);
                    last = Some(failure);
                    return Ok(Look::Still(vec![known]));
                }
                Source::Not(Verdict::Failed(failure)) if began.elapsed() >= failure.grace_period.duration() => {
                    return Ok(Look::Found(Err(failure)));
                }
                Source::Not(Verdict::Failed(failure)) => failure,
                Source::Not(_) => return Ok(Look::NotYet),
            };
            let known = format!("waiting for {what}: {}", failure.message);
            last = Some(failure);
            waiting::pause(PAUSE).await;
            let token = Timestamp::now().to_string();
            self.request(&request, &token, deadline).await?;
            expectation = self.expected_of(source, freshness, &token).await?;
            Ok(Look::Still(vec![known]))
        });
        match fetched.await? {
            Waited::Found(Ok(revision)) => {
                self.ui.done(&format!("Flux has fetched {}", short_revision(&revision)));
                Ok(())
            }
            Waited::Found(Err(failure)) => Err(not_fetched(source, Error::new, &failure)),
            Waited::Overdue(error) => Err(overdue(source, error, last)),
        }
    }

    /// Returns what is expected of a source: an answer to the request, unless that was refused and what Flux has will do.
    async fn expected_of(self, source: &ObjectReference, freshness: Freshness, token: &str) -> Result<Expectation> {
        let is_asked = match freshness {
            Freshness::NewCommits => true,
            Freshness::CurrentSpec => {
                let object = self.build.get_metadata(source).await?;
                let asked = object.and_then(|object| object.metadata.annotations?.remove(RECONCILE_REQUESTED_AT));
                asked.is_some_and(|asked| asked == token)
            }
        };
        Ok(Expectation::after_request(is_asked.then(|| token.to_owned())))
    }
}

/// Says that Flux has not fetched in time: because of its last failure, if it said any, else of that of the last look.
fn overdue(source: &ObjectReference, error: Option<Error>, last: Option<Failure>) -> Error {
    let timeout = |message| Error::of_kind(ErrorKind::Timeout, message);
    match (error, last) {
        (_, Some(failure)) => not_fetched(source, timeout, &failure),
        (error, None) => {
            let overdue = timeout(format!("{} was not fetched in time", source.display())).hint(
                "is source-controller running? kubectl -n flux-system get pods; or allow more time with --timeout",
            );
            error.into_iter().fold(overdue, |overdue, error| error.behind(overdue))
        }
    }
}

fn not_fetched(source: &ObjectReference, kind: impl FnOnce(String) -> Error, failure: &Failure) -> Error {
    kind(format!("{} is not fetched", source.display())).because(&failure.message).hint(&failure.hint)
}
