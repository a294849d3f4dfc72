//! Asks Flux to look for new commits now, and waits for what comes of it.

use std::cell::RefCell;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::DynamicObject;
use tokio::time::Instant;

use super::expectation::Expectation;
use super::source::{self, Source};
use super::{Cause, Failure, GracePeriod, Verdict};
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::flux::{GitRepository, RECONCILE_REQUESTED_AT};
use crate::object::ObjectReference;
use crate::waiting::{self, Look, Waited};

/// The pause before a fetch that failed is requested again, while its failure may pass.
const PAUSE: Duration = Duration::from_secs(3);

/// Whether a fetch that nobody asked for may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A commit was pushed a moment ago: without being asked, Flux fetches it with its interval only.
    NewCommits,
    /// Whatever Flux has fetched of the current spec will do.
    CurrentSpec,
}

/// Requests a fetch and returns the request that Flux will answer; `None` where it is refused, and what Flux has will do.
pub(crate) async fn ask(
    build: &Cluster,
    source: &ObjectReference,
    token: &str,
    freshness: Freshness,
    limit: Duration,
) -> Result<Option<String>> {
    match request(build, source, token, limit.min(GracePeriod::Long.duration())).await {
        Err(error) if is_refusal(&error) && freshness == Freshness::CurrentSpec => Ok(None),
        answer => answer.map(|()| Some(token.to_owned())),
    }
}

/// Waits until a GitRepository has answered a request, and returns the revision that it has then.
///
/// A failure that may pass by itself is given the time that it may take, and the request is made again.
pub(crate) async fn until_fetched(
    build: &Cluster,
    source: &ObjectReference,
    mut request: Option<String>,
    freshness: Freshness,
    limit: Duration,
) -> Result<String> {
    let began = Instant::now();
    let deadline = began + limit;
    let mut last: Option<Failure> = None;
    let fetched = waiting::until(deadline, PAUSE, async || {
        let left = deadline.saturating_duration_since(Instant::now());
        if last.is_some() {
            request = ask(build, source, &jiff::Timestamp::now().to_string(), freshness, left).await?;
        }
        match fetch_once(build, source, Expectation::after_request(request.clone()), left).await {
            Ok(Err(failure)) if began.elapsed() < failure.grace_period.duration().min(limit) => {
                last = Some(failure);
                Ok(Look::NotYet)
            }
            // It has waited as long as it may already.
            answer => Ok(Look::Found(answer)),
        }
    });
    let failure = match fetched.await? {
        Waited::Found(answer) => match answer? {
            Ok(revision) => return Ok(revision),
            Err(failure) => Some(failure),
        },
        Waited::Overdue(Some(error)) => return Err(error),
        Waited::Overdue(None) => last,
    };
    let error = Error::new(format!("{} is not fetched", source.display()));
    Err(failure.into_iter().fold(error, |error, failure| error.because(failure.message).hint(failure.hint)))
}

/// Tells whether a request to an object that exists is refused for good, as by an admission policy or webhook, or for want of
/// a permission.
pub(super) fn is_refusal(error: &Error) -> bool {
    error.status().is_some_and(|status| matches!(status, 400..500) && !matches!(status, 401 | 404 | 408 | 409 | 429))
}

/// Asks a GitRepository to look for new commits, again where the failure may pass; it will answer with `token`.
async fn request(build: &Cluster, source: &ObjectReference, token: &str, limit: Duration) -> Result<()> {
    let mut last = None;
    let asked = waiting::until(Instant::now() + limit, PAUSE, async || {
        match build.annotate(source, RECONCILE_REQUESTED_AT, token).await {
            Ok(()) => Ok(Look::Found(())),
            Err(error) if error.status() == Some(404) => Err(error),
            Err(error) if is_refusal(&error) => Err(cannot_ask(source, &error)),
            Err(error) => {
                last = Some(error);
                Ok(Look::NotYet)
            }
        }
    });
    match (asked.await?, last) {
        (Waited::Overdue(_), Some(error)) => Err(error),
        _ => Ok(()),
    }
}

/// Says that Flux cannot be asked, in the words of whoever refuses it.
fn cannot_ask(source: &ObjectReference, refusal: &Error) -> Error {
    let error = Error::new(format!("Flux cannot be asked to look for new commits in {}", source.display()))
        .because(refusal)
        .with_status(refusal.status().unwrap_or_default());
    let error = refusal.hints().iter().fold(error, Error::hint);
    error.hint(format!(
        "allow the annotation {RECONCILE_REQUESTED_AT}, or run the command again once Flux has fetched with its interval"
    ))
}

async fn fetch_once(
    build: &Cluster,
    source: &ObjectReference,
    expectation: Expectation,
    limit: Duration,
) -> Result<Result<String, Failure>> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flux::git_repository_resource;

    #[test]
    fn a_refusal_names_the_policy_and_the_way_out() {
        let source = ObjectReference {
            resource: git_repository_resource("v1"),
            namespace: Some("dev".to_owned()),
            name: "hello".to_owned(),
        };
        let refusal = Error::new("cannot annotate").because("denied by policy: nobody hurries Flux").with_status(422);
        assert!(is_refusal(&refusal));
        let error = cannot_ask(&source, &refusal);
        assert!(error.to_string().contains("nobody hurries Flux"), "{error}");
        assert!(error.hints().iter().any(|hint| hint.contains(RECONCILE_REQUESTED_AT)), "{error:?}");
    }
}
