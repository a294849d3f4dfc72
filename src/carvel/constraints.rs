//! Constraints on versions, read as kapp-controller reads `versionSelection.constraints`.
//!
//! The rules are those of `ParseRange` in github.com/carvel-dev/semver/v4 at 8090ce423695 (range.go), which
//! kapp-controller v0.53.1 uses through carvel.dev/vendir v0.40.0. Decided is what its documentation describes: operators,
//! spaces for "and", `||` for "or", and the wildcards `1.x` and `1.2.x`. Its parser makes something of other texts, too,
//! often not what was meant: it drops `|`, `-` and `*`, takes `^1.x` for `1.0.0`, and `!=1.x` for nothing at all. What
//! becomes of those is left to kapp-controller, see [`ConstraintsError::Undecided`].
//!
//! - Build metadata counts: `1.0.0` and `<=1.0.0` do not match `1.0.0+build.1`, `>1.0.0` and `!=1.0.0` do.
//! - With `prereleases`, `1.x` matches `2.0.0-rc.1` (it is lower than `2.0.0`) but not `1.0.0-rc.1`.
//!
//! `tests/constraints.rs` compares with Go.

use std::str::FromStr;

use thiserror::Error;

use super::version::{Version, VersionError};

/// Holds parsed constraints: alternatives, in each of which every comparison must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraints {
    /// No alternatives mean no constraints.
    alternatives: Vec<Vec<Comparison>>,
}

impl Constraints {
    /// Tells whether the version fulfils the constraints; whether prereleases are wanted is not asked here.
    #[must_use]
    pub fn matches(&self, version: &Version) -> bool {
        self.alternatives.is_empty()
            || self.alternatives.iter().any(|all| all.iter().all(|comparison| comparison.holds_for(version)))
    }

    /// Returns the versions that comparisons are made with.
    pub fn named_versions(&self) -> impl Iterator<Item = &Version> {
        self.alternatives.iter().flatten().map(|comparison| &comparison.version)
    }

    /// Returns the versions which the constraints name exactly, alone in their alternative: both of `1.0.0 || =2.0.0`.
    pub fn pinned_versions(&self) -> impl Iterator<Item = &Version> {
        self.alternatives.iter().filter_map(|all| match all.as_slice() {
            [Comparison { operator: Operator::Equal, version }] => Some(version),
            _ => None,
        })
    }
}

impl FromStr for Constraints {
    type Err = ConstraintsError;

    /// Reads constraints (range.go, `ParseRange`).
    ///
    /// The empty text means every version; kapp-controller does not even parse it (vendir v0.40.0, selector.go,
    /// `HighestConstrainedVersionWithAdditionalConstraints`).
    fn from_str(text: &str) -> Result<Self, ConstraintsError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        // Go's parser knows the digits and the spaces of all scripts.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(ConstraintsError::Undecided { text: text.to_owned() });
        }
        let (short, terms): (Vec<String>, _) = split_terms(text).into_iter().partition(|term| term.len() == 1);
        if terms.is_empty() {
            return Err(ConstraintsError::NoVersion { term: text.to_owned() });
        }
        let mut alternatives = Vec::new();
        for terms in terms.split(|term| term == OR) {
            if terms.is_empty() {
                return Err(ConstraintsError::EmptyAlternative);
            }
            let comparisons = terms.iter().map(|term| read_term(term)).collect::<Result<Vec<_>, _>>()?;
            alternatives.push(comparisons.into_iter().flatten().collect());
        }
        match short.into_iter().next() {
            Some(text) => Err(ConstraintsError::Undecided { text }),
            None => Ok(Self { alternatives }),
        }
    }
}

/// Says why a text is no constraint, or not one whose meaning is decided here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConstraintsError {
    /// The documentation does not say what this means: kapp-controller may accept or refuse it.
    #[error("{text:?} is not documented; what it means is left to kapp-controller to decide")]
    Undecided {
        /// What is not documented: one term, or all of it.
        text: String,
    },
    /// `||` stands at one end, or behind another one.
    ///
    /// kapp-controller accepts the latter, but **crashes** when a version does not match what stands before
    /// (range.go, `ParseRange` combines a nil function), so here it is an error always.
    #[error("`||` must stand between two alternatives")]
    EmptyAlternative,
    /// A term has no digit, with which a version begins.
    #[error("there is no version in {term:?}")]
    NoVersion {
        /// The term without its spaces.
        term: String,
    },
    /// What stands before the version is no operator.
    #[error("{operator:?} in {term:?} is not one of =, ==, !=, !, >, >=, < and <=")]
    UnknownOperator {
        /// What stands before the version.
        operator: String,
        /// The term without its spaces.
        term: String,
    },
    /// What follows the operator is no version.
    #[error("{term:?} does not hold a version: {source}")]
    InvalidVersion {
        /// The term without its spaces.
        term: String,
        /// What is wrong with the version.
        source: VersionError,
    },
}

const OR: &str = "||";

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    version: Version,
}

impl Comparison {
    fn holds_for(&self, version: &Version) -> bool {
        match self.operator {
            Operator::Equal => *version == self.version,
            Operator::NotEqual => *version != self.version,
            Operator::Greater => *version > self.version,
            Operator::GreaterOrEqual => *version >= self.version,
            Operator::Less => *version < self.version,
            Operator::LessOrEqual => *version <= self.version,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "" | "=" | "==" => Self::Equal,
            "!" | "!=" => Self::NotEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            _ => return None,
        })
    }
}

/// Splits at spaces that do not follow `<`, `>` or `=`, and removes the others (range.go, `splitAndTrim`).
fn split_terms(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match terms.last_mut() {
            Some(term) if term.is_empty() || term.ends_with(['<', '>', '=']) => term.push_str(word),
            _ => terms.push(word.to_owned()),
        }
    }
    terms.retain(|term| !term.is_empty());
    terms
}

/// Turns a term into the comparisons it stands for.
fn read_term(term: &str) -> Result<Vec<Comparison>, ConstraintsError> {
    let Some(version_start) = term.find(|character: char| character.is_ascii_digit()) else {
        return Err(ConstraintsError::NoVersion { term: term.to_owned() });
    };
    let (operator_text, version_text) = term.split_at(version_start);
    let operator = Operator::parse(operator_text);
    // kapp-controller takes this letter for a wildcard wherever it stands, in `1.0.0-next.1` as well.
    if term.contains('x') {
        return operator
            .and_then(|operator| read_wildcard(operator, version_text))
            .ok_or_else(|| ConstraintsError::Undecided { text: term.to_owned() });
    }
    let Some(operator) = operator else {
        return Err(ConstraintsError::UnknownOperator { operator: operator_text.to_owned(), term: term.to_owned() });
    };
    let version =
        version_text.parse().map_err(|source| ConstraintsError::InvalidVersion { term: term.to_owned(), source })?;
    Ok(vec![Comparison { operator, version }])
}

/// Returns the comparisons that `1.x` and `1.2.x` stand for behind an operator (range.go, `expandWildcardVersion`).
fn read_wildcard(operator: Operator, text: &str) -> Option<Vec<Comparison>> {
    let numbers = text.strip_suffix(".x")?;
    // Go reads the number that grows as a signed one.
    let next = |number: &str| number.parse::<i64>().ok()?.checked_add(1);
    let (lower, upper) = match numbers.split_once('.') {
        None => (format!("{numbers}.0.0"), format!("{}.0.0", next(numbers)?)),
        Some((major, minor)) => (format!("{numbers}.0"), format!("{major}.{}.0", next(minor)?)),
    };
    let (lower, upper) = (lower.parse().ok()?, upper.parse().ok()?);
    let comparison = |operator, version| Comparison { operator, version };
    Some(match operator {
        Operator::Greater => vec![comparison(Operator::GreaterOrEqual, upper)],
        Operator::GreaterOrEqual => vec![comparison(Operator::GreaterOrEqual, lower)],
        Operator::Less => vec![comparison(Operator::Less, lower)],
        Operator::LessOrEqual => vec![comparison(Operator::Less, upper)],
        Operator::Equal => vec![comparison(Operator::GreaterOrEqual, lower), comparison(Operator::Less, upper)],
        Operator::NotEqual => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn constraints(text: &str) -> Constraints {
        text.parse().unwrap()
    }

    fn error(text: &str) -> String {
        text.parse::<Constraints>().unwrap_err().to_string()
    }

    fn matching(text: &str, versions: &[&str]) -> Vec<String> {
        let constraints = constraints(text);
        let versions = versions.iter().map(|version| version.parse::<Version>().unwrap());
        versions.filter(|version| constraints.matches(version)).map(|version| version.to_string()).collect()
    }

    #[test]
    fn understands_operators_spaces_and_alternatives() {
        let versions = ["0.9.0", "1.0.0", "1.5.0", "2.0.0", "3.0.0"];
        for (text, expected) in [
            ("1.0.0", vec!["1.0.0"]),
            ("=1.0.0 ==2.0.0", vec![]),
            ("!1.0.0 != 2.0.0", vec!["0.9.0", "1.5.0", "3.0.0"]),
            ("  >  1.0.0   < = 2.0.0 ", vec!["1.5.0", "2.0.0"]),
            (">=1.0.0 <2.0.0 || 3.0.0", vec!["1.0.0", "1.5.0", "3.0.0"]),
        ] {
            assert_eq!(matching(text, &versions), expected, "{text:?}");
        }
    }

    #[test]
    fn understands_wildcards() {
        let versions = ["1.1.9", "1.2.0", "1.2.9", "1.3.0", "2.0.0"];
        for (text, expected) in [
            ("1.2.x", vec!["1.2.0", "1.2.9"]),
            ("=1.x", vec!["1.1.9", "1.2.0", "1.2.9", "1.3.0"]),
            (">1.2.x", vec!["1.3.0", "2.0.0"]),
            (">=1.2.x", vec!["1.2.0", "1.2.9", "1.3.0", "2.0.0"]),
            ("<1.2.x", vec!["1.1.9"]),
            ("<=1.2.x", vec!["1.1.9", "1.2.0", "1.2.9"]),
        ] {
            assert_eq!(matching(text, &versions), expected, "{text:?}");
        }
    }

    #[test]
    fn leaves_what_is_not_documented_to_kapp_controller() {
        for text in [
            "1.0.0 | 2.0.0",
            "1.0.0 - 2.0.0",
            "! 1.0.0",
            "1.0.0 >",
            "!=1.x",
            "^1.x",
            "1.x.x",
            "1.x.2",
            "01.x",
            "1.0.0-next.1",
            "18446744073709551615.x",
            ">=1.0.0\n",
            "٣1.x",
        ] {
            assert!(matches!(text.parse::<Constraints>(), Err(ConstraintsError::Undecided { .. })), "{text:?}");
        }
        assert_eq!(error("^1.x"), "\"^1.x\" is not documented; what it means is left to kapp-controller to decide");
    }

    #[test]
    fn says_what_is_wrong_with_constraints() {
        assert_eq!(error("*"), "there is no version in \"*\"");
        for text in ["|| 1.0.0", "1.0.0 ||", "1.0.0 || * || 2.0.0"] {
            assert_eq!(error(text), "`||` must stand between two alternatives");
        }
        assert_eq!(error("latest"), "there is no version in \"latest\"");
        assert_eq!(error("^1.2.3"), "\"^\" in \"^1.2.3\" is not one of =, ==, !=, !, >, >=, < and <=");
        assert_eq!(
            error(">=1.0"),
            "\">=1.0\" does not hold a version: unexpected end of input while parsing minor version number"
        );
    }

    #[test]
    fn takes_build_metadata_for_a_difference() {
        let versions = ["1.0.0-a", "1.0.0", "1.0.0+build.1", "1.0.0+build.2", "1.0.1"];
        assert_eq!(matching("1.0.0", &versions), ["1.0.0"]);
        assert_eq!(matching("1.0.0+build.1", &versions), ["1.0.0+build.1"]);
        assert_eq!(matching("<=1.0.0", &versions), ["1.0.0-a", "1.0.0"]);
        assert_eq!(matching(">1.0.0", &versions), ["1.0.0+build.1", "1.0.0+build.2", "1.0.1"]);
        assert_eq!(matching("1.0.x", &versions), ["1.0.0", "1.0.0+build.1", "1.0.0+build.2", "1.0.1"]);
        assert_eq!(matching("", &versions), versions);
    }

    #[test]
    fn names_pinned_versions() {
        let pinned = |text| constraints(text).pinned_versions().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(pinned("1.0.0 || >2.0.0 || ==3.0.0"), ["1.0.0", "3.0.0"]);
        assert!(pinned("1.0.0 <2.0.0").is_empty());
    }
}
