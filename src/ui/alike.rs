//! Deliveries that are not ready for the same reason, which are told as one. Pure.

use std::collections::HashMap;

use crate::observe::{Delivery, Verdict};
use crate::wording;

/// So many deliveries with the same reason are told as one: two can be read one by one.
pub(crate) const MANY: usize = 3;

/// How many deliveries are named at most where they are told as one.
const NAMED: usize = 10;

/// Returns what makes the reasons of two deliveries the same: the verdict with the names of package, run cluster and target
/// namespace left out. `None` for what is ready.
pub(crate) fn reason(delivery: &Delivery, verdict: &Verdict) -> Option<String> {
    let reason = match verdict {
        Verdict::Ready { .. } => return None,
        Verdict::Pending { stage, why } => format!("pending {} {why}", stage.name()),
        Verdict::Failed(failure) => format!("failed {} {:?} {}", failure.stage.name(), failure.cause, failure.message),
        Verdict::Unknown { why, .. } => format!("unknown {why}"),
    };
    let names = [
        (delivery.package.as_str(), "<package>"),
        (delivery.run_cluster.as_str(), "<run cluster>"),
        (delivery.target_namespace.as_str(), "<target namespace>"),
    ];
    Some(names.into_iter().fold(reason, |reason, (name, placeholder)| without_name(&reason, name, placeholder)))
}

/// Replaces a name wherever it is not a part of a longer word: `prod1` in `prod1-kubeconfig`, but not in `prod10`.
pub(crate) fn without_name(text: &str, name: &str, placeholder: &str) -> String {
    if name.is_empty() {
        return text.to_owned();
    }
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        let continues = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
        let is_part = continues(before.chars().next_back().or_else(|| replaced.chars().next_back()))
            || continues(after.chars().next());
        replaced.push_str(before);
        replaced.push_str(if is_part { name } else { placeholder });
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

/// Puts together what has the same reason, in the order in which the reasons first appear; what has none stays alone.
pub(crate) fn together<T>(items: impl IntoIterator<Item = T>, reason: impl Fn(&T) -> Option<String>) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for item in items {
        let Some(reason) = reason(&item) else {
            groups.push(vec![item]);
            continue;
        };
        if let Some(group) = known.get(&reason).and_then(|index| groups.get_mut(*index)) {
            group.push(item);
        } else {
            known.insert(reason, groups.len());
            groups.push(vec![item]);
        }
    }
    groups
}

/// Names deliveries, given as package and run cluster, briefly: the package once where it is the same, and no more than
/// [`NAMED`] of them.
pub(crate) fn names<'a>(deliveries: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let deliveries: Vec<(&str, &str)> = deliveries.into_iter().collect();
    let package = deliveries.first().map(|(package, _)| *package).unwrap_or_default();
    let is_one_package = deliveries.iter().all(|(other, _)| *other == package);
    if is_one_package {
        let run_clusters = deliveries.iter().map(|(_, run_cluster)| (*run_cluster).to_owned());
        return format!("{package} on {}", listed(run_clusters));
    }
    listed(deliveries.iter().map(|(package, run_cluster)| format!("{package} on {run_cluster}")))
}

/// Lists words, no more than [`NAMED`] of them, and counts the rest.
pub(crate) fn listed(words: impl Iterator<Item = String>) -> String {
    wording::listed(&words.collect::<Vec<_>>(), NAMED)
}

/// Names deliveries as [`names`] does.
pub(crate) fn names_of<'a>(deliveries: impl IntoIterator<Item = &'a Delivery>) -> String {
    names(deliveries.into_iter().map(|delivery| (delivery.package.as_str(), delivery.run_cluster.as_str())))
}

/// Counts deliveries in words.
pub(crate) fn count(deliveries: usize) -> String {
    format!("{deliveries} {}", if deliveries == 1 { "delivery" } else { "deliveries" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_within_a_longer_word_stays() {
        let text = "Secret prod1-kubeconfig of prod1, not of prod10 or xprod1prod1";
        assert_eq!(
            without_name(text, "prod1", "<run cluster>"),
            "Secret <run cluster>-kubeconfig of <run cluster>, not of prod10 or xprod1prod1"
        );
    }

    #[test]
    fn names_are_short() {
        assert_eq!(names([("a", "prod1"), ("a", "prod2")]), "a on prod1, prod2");
        assert_eq!(names([("a", "prod1"), ("b", "prod1")]), "a on prod1, b on prod1");
        let clusters: Vec<String> = (1..=12).map(|number| format!("prod{number}")).collect();
        let said = names(clusters.iter().map(|cluster| ("a", cluster.as_str())));
        assert!(said.ends_with("prod10 and 2 more"), "{said}");
    }

    #[test]
    fn the_same_reason_is_told_once() {
        let groups = together(["x1", "y", "x2", "-", "-"], |item| {
            (!item.starts_with('-')).then(|| item.chars().take(1).collect())
        });
        assert_eq!(groups, [vec!["x1", "x2"], vec!["y"], vec!["-"], vec!["-"]]);
    }
}
