//! Constraints on versions, read as kapp-controller reads `versionSelection.constraints`.
//!
//! The rules are those of `ParseRange` in github.com/carvel-dev/semver/v4 at 8090ce423695 (range.go), which
//! kapp-controller v0.53.1 uses through carvel.dev/vendir v0.40.0. Its grammar is looser than its documentation, and
//! what it means by some texts surprises; all of this is reproduced and compared with Go in `tests/constraints.rs`:
//!
//! - Terms are separated by spaces only, `||` needs a space on each side, and a term of one byte is **dropped**:
//!   `1.0.0 | 2.0.0`, `1.0.0 - 2.0.0` and `1.0.0 , 2.0.0` all ask for both versions at once and so match nothing, and
//!   `! 1.0.0` asks for exactly `1.0.0`. Spaces may follow `<`, `>` and `=`, but not `!`.
//! - `1.x.x` is `>=1.0.0 <1.1.0`, narrower than `1.x`.
//! - `!=1.x` matches nothing: it becomes `<1.0.0 >=2.0.0`, both at once.
//! - An unknown operator before a wildcard is ignored: `^1.x`, `~1.x`, `v1.x` and `=>1.x` are all exactly `1.0.0`,
//!   while `^1.2.3` is an error.
//! - The letter `x` makes a wildcard wherever it stands: `1.0.0-next.1` and `<=1.0.0+x1` are errors, and
//!   `>=1.0.0-a.x` is `>=1.0.0-a.0`. Only `>=` and `<` work with such versions.
//! - With `prereleases`, `1.x` matches `2.0.0-rc.1` (it is lower than `2.0.0`) but not `1.0.0-rc.1`.
//! - Build metadata counts: `1.0.0` and `<=1.0.0` do not match `1.0.0+build.1`, `>1.0.0` and `!=1.0.0` do.
//!
//! One text is treated differently on purpose, see [`ConstraintsError::EmptyAlternative`].

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::version::{Version, VersionError};

/// Holds parsed constraints: alternatives, in each of which every comparison must hold.
///
/// [`Display`](fmt::Display) writes what kapp-controller understood, with wildcards written out: `1.x.x` becomes
/// `>=1.0.0 <1.1.0`.
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
        let terms = split_terms(text);
        if terms.is_empty() {
            return Err(ConstraintsError::NoTerms);
        }
        let mut alternatives = Vec::new();
        let alternative_terms: Vec<_> = terms.split(|term| term == OR).collect();
        for (index, terms) in alternative_terms.iter().enumerate() {
            if terms.is_empty() {
                return Err(if index == 0 || index + 1 == alternative_terms.len() {
                    ConstraintsError::OuterOr
                } else {
                    ConstraintsError::EmptyAlternative
                });
            }
            let mut all = Vec::new();
            for term in *terms {
                all.extend(read_term(term)?);
            }
            alternatives.push(all);
        }
        Ok(Self { alternatives })
    }
}

impl fmt::Display for Constraints {
    /// Writes the constraints as they were understood; nothing for every version.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, all) in self.alternatives.iter().enumerate() {
            if index > 0 {
                write!(formatter, " {OR} ")?;
            }
            for (index, comparison) in all.iter().enumerate() {
                if index > 0 {
                    formatter.write_str(" ")?;
                }
                write!(formatter, "{comparison}")?;
            }
        }
        Ok(())
    }
}

/// Says why a text is no constraint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConstraintsError {
    /// The text holds no term of at least two bytes, which is what kapp-controller takes for a term.
    #[error("there is no version in it")]
    NoTerms,
    /// The first or the last term is `||`.
    #[error("`||` must stand between two alternatives")]
    OuterOr,
    /// Two `||` follow each other, possibly around a term of one byte that was dropped.
    ///
    /// kapp-controller accepts this, but **crashes** when a version does not match what stands before
    /// (range.go, `ParseRange` combines a nil function), so here it is an error always.
    #[error("`||` follows `||` with nothing in between, which crashes kapp-controller")]
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
    /// The letter `x` stands where no wildcard can.
    #[error(
        "{term:?} holds the letter x, which kapp-controller takes for a wildcard wherever it stands; \
         wildcards look like 1.x or 1.2.x, and versions with an x can only follow >= and <"
    )]
    InvalidWildcard {
        /// The term without its spaces.
        term: String,
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

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.operator {
            Operator::Equal => "",
            Operator::NotEqual => "!=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
        };
        write!(formatter, "{operator}{}", self.version)
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

/// Splits at spaces that do not follow `<`, `>` or `=`, and drops terms of one byte (range.go, `splitAndTrim`).
///
/// A term's length counts the spaces within it, which is why `1.0.0 >` is `1.0.0` but `1.0.0 > ` is an error.
fn split_terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut add = |term: &str| {
        if term.len() > 1 {
            terms.push(term.replace(' ', ""));
        }
    };
    let mut start = 0;
    let mut previous = None;
    for (position, character) in text.char_indices() {
        if character != ' ' {
            previous = Some(character);
        } else if !matches!(previous, Some('<' | '>' | '=')) {
            add(&text[start..position]);
            start = position + 1;
        }
    }
    add(&text[start..]);
    terms
}

/// Turns a term into the comparisons it stands for.
fn read_term(term: &str) -> Result<Vec<Comparison>, ConstraintsError> {
    let Some(version_start) = term.find(is_digit) else {
        return Err(ConstraintsError::NoVersion { term: term.to_owned() });
    };
    let (operator_text, version_text) = term.split_at(version_start);
    let operator_text = operator_text.trim();
    let operator = Operator::parse(operator_text);
    if term.contains('x') {
        return Wildcard::new(version_text)
            .compare(operator)
            .ok_or_else(|| ConstraintsError::InvalidWildcard { term: term.to_owned() });
    }
    let Some(operator) = operator else {
        return Err(ConstraintsError::UnknownOperator { operator: operator_text.to_owned(), term: term.to_owned() });
    };
    let version =
        version_text.parse().map_err(|source| ConstraintsError::InvalidVersion { term: term.to_owned(), source })?;
    Ok(vec![Comparison { operator, version }])
}

/// Holds a version with the letter `x` somewhere, seen as a span of versions.
struct Wildcard {
    /// Where the span begins, as text because it may be no version.
    lower: String,
    /// Which number, counted from 0, must grow to reach the end of the span; none if there is no end.
    growing_number: Option<usize>,
}

impl Wildcard {
    /// Reads the span (range.go, `getWildcardType` and `createVersionFromWildcard`).
    fn new(text: &str) -> Self {
        let parts: Vec<_> = text.split('.').collect();
        let growing_number = match parts.as_slice() {
            [_, "x"] => Some(0),
            [_, _, "x"] => Some(1),
            _ => None,
        };
        // Only first occurrences are replaced, wherever they are. `1.x.x` thereby loses a part after its parts were
        // counted, which makes its minor number grow although it is 0.
        let mut lower = text.replacen(".x.x", ".x", 1).replacen(".x", ".0", 1);
        if lower.split('.').count() == 2 {
            lower.push_str(".0");
        }
        Self { lower, growing_number }
    }

    /// Returns the comparisons that kapp-controller makes of an operator and the span (range.go,
    /// `expandWildcardVersion`); without an operator it knows, it asks for the exact beginning of the span.
    fn compare(&self, operator: Option<Operator>) -> Option<Vec<Comparison>> {
        let lower = |operator| Some(Comparison { operator, version: self.lower.parse().ok()? });
        let upper = |operator| Some(Comparison { operator, version: self.upper()? });
        Some(match operator {
            Some(Operator::Greater) => vec![upper(Operator::GreaterOrEqual)?],
            Some(Operator::GreaterOrEqual) => vec![lower(Operator::GreaterOrEqual)?],
            Some(Operator::Less) => vec![lower(Operator::Less)?],
            Some(Operator::LessOrEqual) => vec![upper(Operator::Less)?],
            Some(Operator::Equal) => vec![lower(Operator::GreaterOrEqual)?, upper(Operator::Less)?],
            Some(Operator::NotEqual) => vec![lower(Operator::Less)?, upper(Operator::GreaterOrEqual)?],
            None => vec![lower(Operator::Equal)?],
        })
    }

    /// Returns the first version behind the span.
    ///
    /// The growing number is a signed 64-bit number with an optional sign and leading zeros, as Go's `strconv.Atoi`
    /// reads it, although versions themselves are stricter: `<=1.007.x` is `<1.8.0`.
    fn upper(&self) -> Option<Version> {
        let growing_number = self.growing_number?;
        let mut parts: Vec<_> = self.lower.split('.').map(str::to_owned).collect();
        let part = parts.get_mut(growing_number)?;
        *part = part.parse::<i64>().ok()?.checked_add(1)?.to_string();
        parts.join(".").parse().ok()
    }
}

/// Tells whether a version begins at this character: any decimal digit of Unicode, although only ASCII digits make a
/// version. It decides whether an unknown operator before a wildcard is ignored or the term refused.
fn is_digit(character: char) -> bool {
    character.is_ascii_digit() || DIGITS_ZERO.iter().any(|&zero| (zero..zero + 10).contains(&u32::from(character)))
}

/// Lists the zeros of the scripts other than ASCII in Unicode 15.0, Go 1.22's version (`unicode.IsDigit`); the other
/// digits of each follow its zero.
const DIGITS_ZERO: [u32; 67] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6, 0x0e50,
    0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50,
    0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136,
    0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0,
    0x11f50, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0,
    0x1e950, 0x1fbf0,
];

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
        for (text, understood) in [
            ("", ""),
            ("1.0.0", "1.0.0"),
            ("=1.0.0 ==2.0.0", "1.0.0 2.0.0"),
            ("!1.0.0 != 2.0.0", "!=1.0.0 !=2.0.0"),
            ("  >  1.0.0   < = 2.0.0 ", ">1.0.0 <=2.0.0"),
            ("\t>=\u{a0}1.0.0", ">=1.0.0"),
            (">=1.0.0 <2.0.0 || 3.0.0", ">=1.0.0 <2.0.0 || 3.0.0"),
        ] {
            assert_eq!(constraints(text).to_string(), understood, "{text:?}");
        }
    }

    #[test]
    fn drops_terms_of_one_byte() {
        assert_eq!(constraints("1.0.0 | 2.0.0 - 3 * >").to_string(), "1.0.0 2.0.0");
        assert_eq!(constraints("! 1.0.0").to_string(), "1.0.0");
        assert_eq!(error("*"), "there is no version in it");
        assert_eq!(error("1.0.0 é"), "there is no version in \"é\"");
        assert_eq!(error("1.0.0 > "), "there is no version in \">\"");
    }

    #[test]
    fn writes_wildcards_out() {
        for (text, understood) in [
            ("1.2.x", ">=1.2.0 <1.3.0"),
            ("=1.x", ">=1.0.0 <2.0.0"),
            ("1.x.x", ">=1.0.0 <1.1.0"),
            (">1.x", ">=2.0.0"),
            (">=1.2.x", ">=1.2.0"),
            ("<1.2.x", "<1.2.0"),
            ("<=1.2.x", "<1.3.0"),
            ("!=1.2.x", "<1.2.0 >=1.3.0"),
            ("^1.x", "1.0.0"),
            ("½1.x", "1.0.0"),
            (">=1.0.0-next.x", ">=1.0.0-next.0"),
            ("<=1.+007.x", "<1.8.0"),
            ("20240131235959.x", ">=20240131235959.0.0 <20240131235960.0.0"),
        ] {
            assert_eq!(constraints(text).to_string(), understood, "{text:?}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_constraints() {
        assert_eq!(error(" "), "there is no version in it");
        assert_eq!(error("|| 1.0.0"), "`||` must stand between two alternatives");
        assert_eq!(error("1.0.0 ||"), "`||` must stand between two alternatives");
        assert_eq!(error("latest"), "there is no version in \"latest\"");
        assert_eq!(error("^1.2.3"), "\"^\" in \"^1.2.3\" is not one of =, ==, !=, !, >, >=, < and <=");
        assert_eq!(
            error(">=1.0.0\n"),
            "\">=1.0.0\\n\" does not hold a version: unexpected character '\\n' after patch version number"
        );
        for text in ["1.0.0-next.1", "1x", "9223372036854775807.x", "٣1.x", "1.01.x", "x.x.x1"] {
            assert!(matches!(text.parse::<Constraints>(), Err(ConstraintsError::InvalidWildcard { .. })), "{text:?}");
        }
        assert_eq!("1.0.0 || * || 2.0.0".parse::<Constraints>(), Err(ConstraintsError::EmptyAlternative));
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
