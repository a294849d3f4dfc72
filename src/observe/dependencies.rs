//! What a Kustomization waits for: those of its `dependsOn`, followed to the one that fails. Pure.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::delivery::source_of;
use super::expectation::Expectation;
use super::kustomization;
use super::{Cause, Failure, GracePeriod, Key, Stage};
use crate::conditions::{Condition, find};
use crate::flux::{DependencyReference, Kustomization};

/// The reason that Flux gives for a Kustomization that waits for another one.
const NOT_READY: &str = "DependencyNotReady";

/// A Kustomization that another one depends on, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known<'a> {
    /// It was read.
    Object(&'a Kustomization),
    /// It does not exist.
    Missing,
    /// Nothing is known of it.
    NotRead,
}

/// Where Kustomizations are looked up by namespace and name.
pub(crate) trait Kustomizations {
    /// Finds one.
    fn find(&self, key: &Key) -> Known<'_>;
}

/// What comes of the Kustomizations that one waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dependency {
    /// They are in progress.
    Pending,
    /// Not all of them have been read.
    NotRead,
    /// One of them fails; it may be asked to try again where it was tried.
    Failed(Failure, Option<Key>),
}

/// Returns the Kustomizations that one waits for: those of its `dependsOn` that Flux names.
///
/// Flux names the first one only (kustomize-controller `kustomization_controller.go`, `checkDependencies`, v1.9).
pub(crate) fn awaited(object: &Kustomization) -> Vec<Key> {
    let Some(ready) = current_ready(object).filter(|ready| ready.is_false() && ready.reason == NOT_READY) else {
        return Vec::new();
    };
    let own = object.namespace().unwrap_or_default();
    let key = |dependency: &DependencyReference| {
        (dependency.namespace.clone().unwrap_or_else(|| own.clone()), dependency.name.clone())
    };
    let keys = object.spec.depends_on.iter().map(key);
    keys.filter(|(namespace, name)| ready.message.contains(&format!("'{namespace}/{name}'"))).collect()
}

/// Follows what a Kustomization waits for; `None` where it waits for no other one.
///
/// The expectation is that of the Kustomization's own source: what fails at an earlier revision of that is no answer yet.
pub(crate) fn judge(
    object: &Kustomization,
    stage: Stage,
    expectation: &Expectation,
    all: &dyn Kustomizations,
) -> Option<Dependency> {
    if awaited(object).is_empty() {
        return None;
    }
    let mut search =
        Search { waiting: object, stage, expectation, all, path: vec![key_of(object)], seen: BTreeSet::new() };
    Some(search.follow(object))
}

/// The path from the Kustomization of a delivery to the one that it waits for.
struct Search<'a> {
    waiting: &'a Kustomization,
    stage: Stage,
    expectation: &'a Expectation,
    all: &'a dyn Kustomizations,
    path: Vec<Key>,
    seen: BTreeSet<Key>,
}

impl Search<'_> {
    fn follow(&mut self, object: &Kustomization) -> Dependency {
        let mut found = Dependency::Pending;
        for key in awaited(object) {
            if self.path.contains(&key) {
                return Dependency::Failed(self.circle(&key), None);
            }
            if !self.seen.insert(key.clone()) {
                continue;
            }
            let dependency = match self.all.find(&key) {
                Known::NotRead => Dependency::NotRead,
                Known::Missing => Dependency::Failed(self.missing(&key), None),
                Known::Object(dependency) => {
                    let failed = self.failure_of(dependency);
                    failed.map_or_else(
                        || self.behind(key, dependency),
                        |(failure, retry)| Dependency::Failed(failure, retry),
                    )
                }
            };
            match dependency {
                Dependency::Failed(..) => return dependency,
                Dependency::NotRead => found = Dependency::NotRead,
                Dependency::Pending => {}
            }
        }
        found
    }

    /// Follows one that does not fail itself.
    fn behind(&mut self, key: Key, dependency: &Kustomization) -> Dependency {
        self.path.push(key);
        let further = self.follow(dependency);
        self.path.pop();
        further
    }

    /// Says why a Kustomization will not become ready, and whether it may be asked to try again.
    fn failure_of(&self, dependency: &Kustomization) -> Option<(Failure, Option<Key>)> {
        let key = key_of(dependency);
        let ready = current_ready(dependency);
        if dependency.metadata.deletion_timestamp.is_some() || ready.is_some_and(Condition::is_true) {
            return None;
        }
        if let Some(failure) = kustomization::not_reconciled(dependency, self.stage, "is not ready") {
            let message = failure.message;
            return Some((Failure { hint: failure.hint, ..self.failure(&key, &message, failure.grace_period) }, None));
        }
        let ready = ready.filter(|ready| ready.is_false() && ready.reason != NOT_READY)?;
        let attempted = dependency.status.as_ref().map(|status| status.last_attempted_revision.as_str());
        let is_of_source = source_of(dependency) == source_of(self.waiting);
        if is_of_source
            && !attempted.is_some_and(|revision| self.expectation.accepts(revision))
            && !kustomization::fails_before_attempt(&ready.reason)
        {
            return None;
        }
        let (_, grace_period, hint) = kustomization::explain(ready, dependency);
        // Another source may have the remedy already.
        let grace_period =
            if grace_period == GracePeriod::None && !is_of_source { GracePeriod::Short } else { grace_period };
        let failure = Failure { hint, ..self.failure(&key, ready.message.trim(), grace_period) };
        Some((failure, Some(key)))
    }

    fn missing(&self, (namespace, name): &Key) -> Failure {
        let waiting = self.path.last().map(display).unwrap_or_default();
        let hint = format!("create it, or take {namespace}/{name} out of spec.dependsOn of {waiting}");
        Failure { hint, ..self.failure(&(namespace.clone(), name.clone()), "it does not exist", GracePeriod::Long) }
    }

    fn circle(&self, key: &Key) -> Failure {
        let begin = self.path.iter().position(|known| known == key).unwrap_or_default();
        let circle: Vec<String> =
            self.path[begin..].iter().chain([key]).map(|(namespace, name)| format!("{namespace}/{name}")).collect();
        let message = format!("it waits for itself: {}", circle.join(" → "));
        let hint = "take one of them out of the other's spec.dependsOn: Flux never applies Kustomizations that wait for each other";
        Failure { hint: hint.to_owned(), ..self.failure(key, &message, GracePeriod::Short) }
    }

    /// Words a failure of the Kustomization with this key for the delivery that waits for it.
    fn failure(&self, key: &Key, message: &str, grace_period: GracePeriod) -> Failure {
        let through: Vec<String> = self.path.iter().skip(1).map(display).collect();
        let through = if through.is_empty() { String::new() } else { format!(", through {}", through.join(" and ")) };
        Failure {
            cause: Cause::DependencyFailed,
            stage: self.stage,
            object: display(key),
            message: format!("{message}\n{} depends on it{through}", display(&key_of(self.waiting))),
            hint: String::new(),
            grace_period,
            attempt: None,
        }
    }
}

fn key_of(object: &Kustomization) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn display((namespace, name): &Key) -> String {
    format!("Kustomization {namespace}/{name}")
}

fn current_ready(object: &Kustomization) -> Option<&Condition> {
    let conditions = &object.status.as_ref()?.conditions;
    find(conditions, "Ready").filter(|ready| ready.observed_generation == object.metadata.generation)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    #[derive(Default)]
    struct Cluster(BTreeMap<Key, Kustomization>);

    impl Kustomizations for Cluster {
        fn find(&self, key: &Key) -> Known<'_> {
            match self.0.get(key) {
                Some(object) => Known::Object(object),
                None if key.0 == "dev" => Known::Missing,
                None => Known::NotRead,
            }
        }
    }

    /// Makes a Kustomization of namespace dev that depends on others, written `name` or `namespace/name`.
    fn kustomization(name: &str, dependencies: &[&str], ready: &Value, attempted: &str) -> Kustomization {
        let dependencies: Vec<Value> = dependencies
            .iter()
            .map(|dependency| match dependency.split_once('/') {
                Some((namespace, name)) => json!({"namespace": namespace, "name": name}),
                None => json!({"name": dependency}),
            })
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "dev", "generation": 1, "finalizers": ["finalizers.fluxcd.io"]},
            "spec": {
                "path": format!("./{name}"), "dependsOn": dependencies,
                "sourceRef": {"kind": "GitRepository", "name": "repository"},
            },
            "status": {"conditions": [ready], "lastAttemptedRevision": attempted, "observedGeneration": 1},
        }))
        .expect("the fixture is a Kustomization")
    }

    fn ready(status: &str, reason: &str, message: &str) -> Value {
        json!({"type": "Ready", "status": status, "reason": reason, "message": message, "observedGeneration": 1})
    }

    fn waits_for(dependency: &str) -> Value {
        ready("False", "DependencyNotReady", &format!("dependency '{dependency}' is not ready"))
    }

    fn judged(others: impl IntoIterator<Item = Kustomization>, dependency: &str) -> Option<Dependency> {
        let name = dependency.strip_prefix("dev/").unwrap_or(dependency);
        let object = kustomization("app", &["unrelated", name], &waits_for(dependency), "main@sha1:a");
        let cluster = Cluster(others.into_iter().map(|object| (key_of(&object), object)).collect());
        let mut expectation = Expectation::after_request(None);
        expectation.saw("main@sha1:b");
        judge(&object, Stage::Packages, &expectation, &cluster)
    }

    fn failure(others: impl IntoIterator<Item = Kustomization>, dependency: &str) -> (Failure, Option<Key>) {
        match judged(others, dependency) {
            Some(Dependency::Failed(failure, retry)) => (failure, retry),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_that_waits_for_nothing_is_not_looked_at() {
        let object = kustomization("app", &["x"], &ready("True", "ReconciliationSucceeded", ""), "main@sha1:b");
        assert_eq!(judge(&object, Stage::Packages, &Expectation::default(), &Cluster::default()), None);
    }

    #[test]
    fn the_one_that_fails_is_named_with_its_own_words_and_next_step() {
        let broken = kustomization("infra", &[], &ready("False", "BuildFailed", "no such file"), "main@sha1:b");
        let (failure, retry) = failure([broken], "dev/infra");
        assert_eq!((failure.cause, failure.object.as_str()), (Cause::DependencyFailed, "Kustomization dev/infra"));
        assert_eq!(failure.message, "no such file\nKustomization dev/app depends on it");
        assert!(failure.hint.contains("correct the files in infra"), "{}", failure.hint);
        assert_eq!((failure.grace_period, retry), (GracePeriod::None, Some(("dev".to_owned(), "infra".to_owned()))));
    }

    #[test]
    fn a_failure_of_an_earlier_revision_of_the_same_source_is_no_answer_yet() {
        let broken = kustomization("infra", &[], &ready("False", "BuildFailed", "no such file"), "main@sha1:a");
        assert_eq!(judged([broken], "dev/infra"), Some(Dependency::Pending));
    }

    #[test]
    fn a_failure_of_another_source_is_given_time() {
        let mut broken = kustomization("infra", &[], &ready("False", "BuildFailed", "no such file"), "main@sha1:a");
        broken.spec.source_ref.name = "another".to_owned();
        assert_eq!(failure([broken], "dev/infra").0.grace_period, GracePeriod::Short);
    }

    #[test]
    fn one_behind_another_is_found() {
        let between = kustomization("between", &["infra"], &waits_for("dev/infra"), "main@sha1:a");
        let broken = kustomization("infra", &[], &ready("False", "HealthCheckFailed", "timeout"), "main@sha1:b");
        let (failure, _) = failure([between, broken], "dev/between");
        assert_eq!(failure.object, "Kustomization dev/infra");
        assert_eq!(failure.message, "timeout\nKustomization dev/app depends on it, through Kustomization dev/between");
    }

    #[test]
    fn a_circle_never_ends_and_is_said_so() {
        let between = kustomization("between", &["app"], &waits_for("dev/app"), "main@sha1:a");
        let (failure, retry) = failure([between], "dev/between");
        assert!(failure.message.contains("dev/app → dev/between → dev/app"), "{}", failure.message);
        assert_eq!(retry, None);
    }

    #[test]
    fn a_missing_or_suspended_one_is_not_asked_to_try_again() {
        let (missing, retry) = failure([], "dev/infra");
        assert_eq!((missing.object.as_str(), retry), ("Kustomization dev/infra", None));
        assert!(missing.hint.contains("spec.dependsOn of Kustomization dev/app"), "{}", missing.hint);
        let mut suspended = kustomization("infra", &[], &ready("False", "BuildFailed", "old"), "main@sha1:b");
        suspended.spec.suspend = true;
        let (failure, retry) = failure([suspended], "dev/infra");
        assert_eq!((failure.hint.as_str(), retry), ("flux resume kustomization infra -n dev", None));
    }

    #[test]
    fn what_is_in_progress_or_ready_is_awaited() {
        for ready in [ready("Unknown", "Progressing", "applying"), ready("True", "ReconciliationSucceeded", "")] {
            assert_eq!(
                judged([kustomization("infra", &[], &ready, "main@sha1:a")], "dev/infra"),
                Some(Dependency::Pending)
            );
        }
        assert_eq!(judged([], "elsewhere/infra"), Some(Dependency::NotRead));
    }
}
