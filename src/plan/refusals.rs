//! What API servers refuse of a plan, told once for each that refuses, and the remedy that only the plan knows. Pure.

use serde_json::Value;

use crate::error::Error;
use crate::refusal::{Admission, Refusal};

/// An object that an API server refuses.
pub(super) struct Refused {
    /// The object, as messages name it.
    pub(super) object: String,
    /// The cluster, as messages name it.
    pub(super) place: String,
    /// The refusal of this object alone.
    pub(super) error: Error,
}

/// Joins what one owner refuses in one place: one quota, policy or webhook is one thing to look after, however many objects
/// it keeps out. Each failure comes with what it is about, in the order of the first object.
pub(super) fn told_once(refused: Vec<Refused>) -> Vec<(String, Error)> {
    let mut groups: Vec<Vec<Refused>> = Vec::new();
    for one in refused {
        let same = |group: &&mut Vec<Refused>| group.first().is_some_and(|first| has_same_owner(first, &one));
        match groups.iter_mut().find(same) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups.into_iter().filter_map(join).collect()
}

fn has_same_owner(one: &Refused, other: &Refused) -> bool {
    let owner = |refused: &Refused| {
        let admission = refused.error.refusal().and_then(Refusal::admission)?;
        // A quota is named within its namespace, which is in the command.
        Some((admission.owner(), refused.place.clone(), refused.error.hints().first().cloned()))
    };
    owner(one).is_some() && owner(one) == owner(other)
}

fn join(mut group: Vec<Refused>) -> Option<(String, Error)> {
    if group.len() == 1 {
        return group.pop().map(|refused| (refused.object, refused.error));
    }
    let first = group.first()?;
    let admission = first.error.refusal().and_then(Refusal::admission)?.clone();
    let objects: Vec<&str> = group.iter().map(|refused| refused.object.as_str()).collect();
    let objects = objects.join(", ");
    let error = Error::new(format!("{} {} {objects} on {}", admission.owner(), admission.verb(), first.place));
    let reasons: Vec<(&str, &str)> = group.iter().map(|refused| (refused.object.as_str(), reason(refused))).collect();
    let all_agree = reasons.iter().all(|(_, reason)| *reason == admission.reason());
    let error = if all_agree {
        error.because(admission.reason())
    } else {
        reasons.iter().fold(error, |error, (object, reason)| error.because(format!("{object}: {reason}")))
    };
    let error = group.iter().flat_map(|refused| refused.error.hints()).fold(error, Error::hint);
    Some((objects, error.refused(Refusal::Admission(admission))))
}

fn reason(refused: &Refused) -> &str {
    refused.error.refusal().and_then(Refusal::admission).map(Admission::reason).unwrap_or_default()
}

/// Adds to the refusal of an object what the command offers instead of it.
pub(super) fn with_way_out(error: Error, manifest: &Value) -> Error {
    let is_policy = matches!(
        error.refusal().and_then(Refusal::admission),
        Some(Admission::Policy { .. } | Admission::Webhook { .. })
    );
    if is_policy && manifest["type"] == "kubernetes.io/service-account-token" {
        return error.hint(
            "if it forbids tokens that never expire: --token-duration 24h gives Flux one that does, and add-cluster --auth workload-identity none at all",
        );
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(object: &str, place: &str, said: &str) -> Refused {
        let admission = Admission::find(said).expect("a refusal");
        let error = Error::new(format!("cannot apply {object} on {place}"))
            .because(admission.sentence())
            .because(admission.reason())
            .hint(admission.remedy("kubectl", "apps"))
            .refused(Refusal::Admission(admission));
        Refused { object: object.to_owned(), place: place.to_owned(), error }
    }

    fn texts(refused: Vec<Refused>) -> Vec<String> {
        told_once(refused).into_iter().map(|(_, error)| error.to_string()).collect()
    }

    #[test]
    fn what_one_owner_refuses_is_told_once() {
        let gone = "x is forbidden: unable to create new content in namespace apps because it is being terminated";
        let quota =
            |requested: &str| format!("secrets \"x\" is forbidden: exceeded quota: few, requested: {requested}");
        let told = texts(vec![
            refused("Role apps/a", "run", gone),
            refused("Secret apps/a", "run", &quota("secrets=1")),
            refused("RoleBinding apps/a", "run", gone),
            refused("Role apps/b", "build", gone),
            refused("Secret apps/b", "run", &quota("secrets=2")),
        ]);
        assert_eq!(
            told,
            [
                "namespace apps, which is being deleted, refuses Role apps/a, RoleBinding apps/a on run",
                "ResourceQuota few refuses Secret apps/a, Secret apps/b on run: Secret apps/a: requested: secrets=1: Secret apps/b: requested: secrets=2",
                "cannot apply Role apps/b on build: namespace apps, which is being deleted, refuses it",
            ]
        );
        let down = "failed calling webhook \"a.b\": failed to call webhook: timeout";
        let told = texts(vec![refused("Role apps/a", "run", down), refused("Role apps/b", "run", down)]);
        assert_eq!(
            told,
            [
                "admission webhook a.b does not answer, and must be asked about Role apps/a, Role apps/b on run: failed to call webhook: timeout"
            ]
        );
    }

    #[test]
    fn what_has_no_owner_stays_apart() {
        let plain = || Refused { object: String::new(), place: "run".to_owned(), error: Error::new("no answer") };
        assert_eq!(texts(vec![plain(), plain()]), ["no answer", "no answer"]);
    }

    #[test]
    fn a_policy_against_token_secrets_has_a_way_out() {
        let policy =
            "secrets \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no tokens";
        let offers = |said: &str, kind: &str| {
            let error = with_way_out(refused("Secret apps/a", "run", said).error, &json!({"type": kind}));
            error.hints().iter().any(|hint| hint.contains("--token-duration"))
        };
        assert!(offers(policy, "kubernetes.io/service-account-token"));
        assert!(!offers(policy, "Opaque"));
        assert!(!offers(
            "x is forbidden: exceeded quota: few, requested: secrets=1",
            "kubernetes.io/service-account-token"
        ));
    }
}
