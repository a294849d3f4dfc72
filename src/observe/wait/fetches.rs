//! Every source is asked once to look for new commits. The answers come while the deliveries are followed already, so that
//! a request that fails holds nobody else up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, LocalBoxStream, SelectAll, StreamExt};
use kube::ResourceExt;

use super::request::Reporter;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::flux::{RECONCILE_REQUESTED_AT, git_repository_resource};
use crate::object::ObjectReference;
use crate::observe::Key;
use crate::observe::expectation::Expectation;
use crate::waiting::{self, Outlook, outlook};

/// How many sources are asked at a time.
const AT_A_TIME: usize = 16;

/// The pause before a request is sent again.
const PAUSE: Duration = Duration::from_secs(2);

/// A request to look for new commits.
struct Request {
    source: Key,
    reference: ObjectReference,
    token: String,
    /// Whether it has failed, and was said to be sent again.
    has_failed: bool,
}

/// What came of a request: what the source had been asked before.
pub(super) struct Answer {
    request: Request,
    earlier: Result<Option<String>>,
}

/// What follows from a request that failed.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// The source does not exist, and is judged as such.
    Judge,
    /// What the source has counts.
    OnlyWatch,
    /// The request is sent again.
    Again,
}

/// The requests to look for new commits that are on their way.
pub(super) struct Fetches {
    build: Cluster,
    /// The version of the source API.
    version: &'static str,
    answers: SelectAll<LocalBoxStream<'static, Answer>>,
    /// The sources whose request is not answered yet, and how it stands, in words.
    unanswered: BTreeMap<Key, String>,
}

impl Fetches {
    /// Begins without a request.
    pub(super) fn new(build: &Cluster, version: &'static str) -> Self {
        Self { build: build.clone(), version, answers: SelectAll::new(), unanswered: BTreeMap::new() }
    }

    /// Asks each of the sources to look for new commits; nothing of a source counts before its request is answered.
    pub(super) fn request(&mut self, sources: BTreeSet<Key>, reporter: &mut dyn Reporter) {
        let mut requests = Vec::new();
        for source in sources {
            let resource = git_repository_resource(self.version);
            let reference = ObjectReference::namespaced(&resource, &source.0, &source.1);
            let doing = format!("asking Flux to look for new commits in {}", reference.display());
            reporter.detail(&doing);
            self.unanswered.insert(source.clone(), doing);
            requests.push(Request { source, reference, token: token(), has_failed: false });
        }
        let build = self.build.clone();
        let answers = stream::iter(requests).map(move |request| send(build.clone(), request, Duration::ZERO));
        self.answers.push(answers.buffer_unordered(AT_A_TIME).boxed_local());
    }

    /// Returns the next answer; `None` while no request is on its way.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        self.answers.next().await
    }

    /// Returns how the request to a source stands that is not answered yet.
    pub(super) fn unanswered(&self, source: &Key) -> Option<&String> {
        self.unanswered.get(source)
    }

    /// Handles what came of a request, and returns what is expected of the source now; nothing yet where it is asked again.
    pub(super) fn take(&mut self, answer: Answer, reporter: &mut dyn Reporter) -> (Key, Option<Expectation>) {
        let Answer { mut request, earlier } = answer;
        let source = request.source.clone();
        let expectation = match earlier {
            Ok(earlier) => {
                let mut expectation = Expectation::after_request(Some(request.token));
                expectation.earlier = earlier;
                expectation
            }
            Err(error) => {
                let is_first = !std::mem::replace(&mut request.has_failed, true);
                match next(&error) {
                    Next::Judge => Expectation::default(),
                    Next::OnlyWatch => {
                        reporter.notice(&format!("{error}; a commit that Flux has not fetched yet is not waited for"));
                        Expectation::default()
                    }
                    Next::Again => {
                        if is_first {
                            reporter.notice(&format!("{error}; retrying"));
                        }
                        self.unanswered.insert(source.clone(), error.to_string());
                        self.answers.push(stream::once(send(self.build.clone(), request, PAUSE)).boxed_local());
                        return (source, None);
                    }
                }
            }
        };
        self.unanswered.remove(&source);
        (source, Some(expectation))
    }
}

/// Returns a token that no earlier request used.
pub(super) fn token() -> String {
    jiff::Timestamp::now().to_string()
}

async fn send(build: Cluster, request: Request, pause: Duration) -> Answer {
    waiting::pause(pause).await;
    let earlier = async {
        // What was asked before is read first: the watches may still show it, answered, once our own request is stored.
        let metadata = build.get_metadata(&request.reference).await?;
        build.annotate(&request.reference, RECONCILE_REQUESTED_AT, &request.token).await?;
        Ok(metadata.and_then(|object| object.annotations().get(RECONCILE_REQUESTED_AT).cloned()))
    };
    let earlier = earlier.await;
    Answer { request, earlier }
}

/// Decides what a request that failed leads to. One that may pass is sent until the deadline: a source that was not asked may
/// not have what was pushed a moment ago, and would be green too early.
fn next(error: &Error) -> Next {
    match outlook(error) {
        Outlook::Missing => Next::Judge,
        Outlook::Refused => Next::OnlyWatch,
        Outlook::MayPass | Outlook::Unauthenticated => Next::Again,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(status: u16) -> Next {
        next(&Error::new("cannot annotate").with_status(status))
    }

    #[test]
    fn what_admission_or_authorization_refuses_is_not_asked_again() {
        for status in [400, 403, 422] {
            assert_eq!(after(status), Next::OnlyWatch, "{status}");
        }
        assert_eq!(after(404), Next::Judge);
    }

    #[test]
    fn what_may_pass_is_asked_again() {
        for status in [401, 409, 429, 500, 503, 504] {
            assert_eq!(after(status), Next::Again, "{status}");
        }
        assert_eq!(next(&Error::new("not reachable")), Next::Again);
    }
}
