//! Shorter words for what Flux and kapp say while they work. Pure.

/// What Flux puts between what it does and for how long.
const FLUX_REVISION: &str = " for revision ";
const FLUX_TIMEOUT: &str = " with a timeout of ";

/// Hexadecimal digits that are kept of a commit.
const COMMIT_DIGITS: usize = 8;

/// Shortens what a controller says about its progress, so that it fits beside a bar; failures are quoted in full instead.
#[must_use]
pub fn shorten(words: &str) -> String {
    let words = words.trim();
    if let Some((action, rest)) = words.split_once(FLUX_REVISION)
        && rest.contains(FLUX_TIMEOUT)
    {
        return uncapitalised(action);
    }
    if let Some((action, _)) = words.split_once(FLUX_TIMEOUT) {
        return short_revisions(&uncapitalised(action));
    }
    short_revisions(&short_resource(words))
}

/// Shortens every commit in a text: runs of 40 or 64 hexadecimal digits.
#[must_use]
pub fn short_revisions(text: &str) -> String {
    let mut shortened = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.chars().take_while(char::is_ascii_hexdigit).count();
        let others = rest[digits..].chars().take_while(|character| !character.is_ascii_hexdigit()).map(char::len_utf8);
        let end = digits + others.sum::<usize>();
        let kept = if matches!(digits, 40 | 64) { COMMIT_DIGITS } else { digits };
        shortened.push_str(&rest[..kept]);
        shortened.push_str(&rest[digits..end]);
        rest = &rest[end..];
    }
    shortened
}

/// Turns kapp's `deployment/hello (apps/v1) namespace: apps` into `deployment/hello`.
fn short_resource(words: &str) -> String {
    let Some((resource, namespace)) = words.split_once(" namespace: ") else { return words.to_owned() };
    match resource.rsplit_once(" (") {
        Some((resource, version)) if version.ends_with(')') && !namespace.contains(' ') => resource.to_owned(),
        _ => words.to_owned(),
    }
}

fn uncapitalised(sentence: &str) -> String {
    let mut characters = sentence.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn what_flux_says_is_shortened() {
        let revision = format!("main@sha1:{COMMIT}");
        for (long, short) in [
            (format!("Building manifests for revision {revision} with a timeout of 2m0s"), "building manifests"),
            (format!("Running health checks for revision {revision} with a timeout of 1m30s"), "running health checks"),
            ("Fetching artifact with a timeout of 30s".to_owned(), "fetching artifact"),
            (
                format!("building artifact: new upstream revision '{revision}'"),
                "building artifact: new upstream revision 'main@sha1:01234567'",
            ),
            ("Reconciliation in progress".to_owned(), "Reconciliation in progress"),
        ] {
            assert_eq!(shorten(&long), short);
        }
    }

    #[test]
    fn what_kapp_says_is_shortened() {
        assert_eq!(
            shorten("[2/3 done] waiting on deployment/hello (apps/v1) namespace: apps"),
            "[2/3 done] waiting on deployment/hello"
        );
        assert_eq!(shorten("in namespace: apps there is nothing"), "in namespace: apps there is nothing");
    }

    #[test]
    fn only_whole_commits_are_shortened() {
        assert_eq!(short_revisions(&format!("é {COMMIT}é{COMMIT}")), "é 01234567é01234567");
        assert_eq!(short_revisions("deadbeef cafe"), "deadbeef cafe");
        assert_eq!(short_revisions(""), "");
    }
}
