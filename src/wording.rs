//! Names in sentences: all of a few and the first ones of many, and the one that was probably meant. Pure.

/// How much alike two words must be for one to be proposed for the other, from 0 to 1.
const ALIKE: f64 = 0.75;

/// Lists names, no more than so many, and counts the rest.
pub(crate) fn listed<T: AsRef<str>>(names: &[T], at_most: usize) -> String {
    let shown = names.iter().take(at_most).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > at_most { format!("{shown} and {} more", names.len() - at_most) } else { shown }
}

/// Returns the word that is most like one that there is not; `None` where none is enough alike to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&known.to_lowercase(), &word), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_the_rest_is_counted() {
        let names = ["a", "b", "c"];
        assert_eq!(listed(&names, 3), "a, b, c");
        assert_eq!(listed(&names, 2), "a, b and 1 more");
        assert_eq!(listed(&[] as &[&str], 2), "");
    }

    #[test]
    fn only_what_is_alike_is_proposed() {
        assert_eq!(nearest("replica", ["image", "replicas"]), Some("replicas"));
        assert_eq!(nearest("RUNCLUSTER", ["runCluster", "package"]), Some("runCluster"));
        assert_eq!(nearest("x", ["image", "replicas"]), None);
    }
}
