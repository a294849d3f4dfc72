//! How failures last, repeat, and count.

use super::*;
use crate::flux::KubeConfigReference;
use crate::observe::RunAccess;

fn track(now: Instant) -> Track {
    let delivery = Delivery {
        package: "hello".to_owned(),
        run_cluster: "prod1".to_owned(),
        namespace: "dev".to_owned(),
        source: ("dev".to_owned(), "hello-gitops-repo".to_owned()),
        packages_kustomization: "packages".to_owned(),
        installs_kustomization: "installs".to_owned(),
        target_namespace: "apps".to_owned(),
        access: RunAccess::Kubeconfig { secret: KubeConfigReference::default(), impersonate: None },
    };
    Track::new(delivery, now)
}

fn failed(grace_period: GracePeriod, retry: Option<&str>) -> Assessment {
    let failure = Failure {
        cause: Cause::NotApplied,
        stage: Stage::Install,
        object: "Kustomization dev/installs".to_owned(),
        message: "words".to_owned(),
        hint: String::new(),
        grace_period,
        attempt: None,
    };
    Assessment { retry: retry.map(|name| ("dev".to_owned(), name.to_owned())), ..Verdict::Failed(failure).into() }
}

const ANSWERED: Evidence = Evidence { is_answered: true, is_stale: false };
const UNANSWERED: Evidence = Evidence { is_answered: false, is_stale: false };

fn is_decided(next: &Next) -> bool {
    matches!(next, Next::Decided(_))
}

#[test]
fn a_failure_that_may_pass_counts_only_when_it_lasts() {
    let start = Instant::now();
    let mut track = track(start);
    assert!(!is_decided(&track.conclude(failed(GracePeriod::Short, None), ANSWERED, start)));
    assert!(!is_decided(&track.conclude(failed(GracePeriod::Short, None), ANSWERED, start + Duration::from_secs(14))));
    assert!(is_decided(&track.conclude(failed(GracePeriod::Short, None), ANSWERED, start + Duration::from_secs(15))));
}

#[test]
fn a_failure_from_before_counts_only_when_a_later_attempt_repeats_it() {
    let start = Instant::now();
    let mut track = track(start);
    let stale = Evidence { is_answered: true, is_stale: true };
    assert!(!is_decided(&track.conclude(failed(GracePeriod::Short, None), stale, start)));
    let late = start + Duration::from_secs(40);
    let next = track.conclude(failed(GracePeriod::Short, None), stale, late);
    assert!(matches!(&next, Next::Wait(Verdict::Pending { why, .. }) if why.contains("will try again")), "{next:?}");
    assert!(is_decided(&track.conclude(failed(GracePeriod::Short, None), ANSWERED, late)));
}

#[test]
fn at_the_deadline_an_unconfirmed_failure_says_why() {
    let start = Instant::now();
    let mut track = track(start);
    let _ = track.conclude(failed(GracePeriod::Long, None), ANSWERED, start);
    let outcome = track.into_outcome(Outcome::TimedOut);
    assert!(matches!(outcome, Outcome::TimedOut(Verdict::Failed(_))), "{outcome:?}");
}

#[test]
fn a_failure_is_the_same_one_after_a_try_and_another_one_after_a_while() {
    let start = Instant::now();
    let again = |track: &mut Track, seconds| {
        let now = start + Duration::from_secs(seconds);
        let _ = track.conclude(Verdict::pending(Stage::Fetch, "again").into(), ANSWERED, now);
        track.conclude(failed(GracePeriod::Short, None), ANSWERED, now + Duration::from_secs(10))
    };
    let mut tries = track(start);
    let _ = tries.conclude(failed(GracePeriod::Short, None), ANSWERED, start);
    assert!(is_decided(&again(&mut tries, 10)));
    let mut rests = track(start);
    let _ = rests.conclude(failed(GracePeriod::Short, None), ANSWERED, start);
    assert!(!is_decided(&again(&mut rests, 60)));
}

#[test]
fn a_kustomizations_failure_counts_only_after_it_has_tried_again() {
    let start = Instant::now();
    let mut track = track(start);
    let next = track.conclude(failed(GracePeriod::Short, Some("installs")), UNANSWERED, start);
    assert!(matches!(next, Next::Retry(..)), "{next:?}");
    track.retry =
        Some((Retry { kustomization: ("dev".to_owned(), "installs".to_owned()), token: "t".to_owned() }, start));
    let later = start + Duration::from_secs(30);
    assert!(!is_decided(&track.conclude(failed(GracePeriod::Short, Some("installs")), UNANSWERED, later)));
    assert!(is_decided(&track.conclude(failed(GracePeriod::Short, Some("installs")), ANSWERED, later)));
}

#[test]
fn a_first_endpoint_that_is_unreachable_counts_at_once_and_a_changed_one_after_a_try() {
    let start = Instant::now();
    let unreachable = || {
        let mut assessment = failed(GracePeriod::Long, Some("installs"));
        if let Verdict::Failed(failure) = &mut assessment.verdict {
            failure.cause = Cause::RunClusterUnreachable;
        }
        assessment
    };
    let mut new = track(start);
    new.endpoint_change = EndpointChange::First;
    assert!(is_decided(&new.conclude(unreachable(), UNANSWERED, start)));
    let mut changed = track(start);
    changed.endpoint_change = EndpointChange::Changed;
    assert!(matches!(changed.conclude(unreachable(), UNANSWERED, start), Next::Retry(..)));
    changed.retry =
        Some((Retry { kustomization: ("dev".to_owned(), "installs".to_owned()), token: "t".to_owned() }, start));
    assert!(!is_decided(&changed.conclude(unreachable(), UNANSWERED, start)));
    assert!(is_decided(&changed.conclude(unreachable(), ANSWERED, start)));
    let mut other = track(start);
    other.endpoint_change = EndpointChange::First;
    assert!(!is_decided(&other.conclude(failed(GracePeriod::Long, None), ANSWERED, start)));
}

#[test]
fn fresh_reads_that_disagree_are_shown_until_something_changes() {
    let start = Instant::now();
    let mut track = track(start);
    let ready = Verdict::Ready { version: "1.0.0".to_owned() };
    let pending = Verdict::pending(Stage::Template, "values");
    let _ = track.conclude(pending.clone().into(), ANSWERED, start);
    assert_eq!(track.presentable(&ready), pending);
    track.touch(start);
    assert_eq!(track.presentable(&ready), Verdict::pending(Stage::Deploy, "confirming"));
}
