//! Versions of Carvel packages: strict parsing and the order in which kapp-controller puts them.
//!
//! The rules are those of github.com/carvel-dev/semver/v4 at 8090ce423695, which kapp-controller v0.53.1 uses through
//! carvel.dev/vendir v0.40.0 (and byte for byte github.com/k14s/semver/v4 at 266d47ac6115, which it uses directly).
//! The crate `semver` is no substitute: it tells `+01` from `+1` and accepts numeric identifiers beyond 64 bits.
//! `tests/constraints.rs` compares this module with Go.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use thiserror::Error;

/// Holds the version of a Package, as `spec.version` of a Package must be written.
///
/// Build metadata takes part in equality and order, unlike in the semver specification (semver.go, `Compare`):
/// `1.0.0` is lower than, and different from, `1.0.0+build.1`. Numeric build identifiers compare by value, so
/// `1.0.0+01` equals `1.0.0+1` although [`Display`](fmt::Display) writes each as it was read.
///
/// kapp-controller refuses to go back to a lower version by exactly this order (kapp-controller v0.53.1,
/// packageinstall.go, `reconcile`), unless the install carries `packaging.carvel.dev/downgradable`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: Vec<Identifier>,
    build: Vec<Identifier>,
}

impl Version {
    /// Tells whether the version has a prerelease part, such as `-rc.1`.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }

    /// Returns the dot-separated parts of the prerelease, which `prereleases.identifiers` is compared with.
    pub fn prerelease_identifiers(&self) -> impl Iterator<Item = &str> {
        self.prerelease.iter().map(|identifier| identifier.text.as_str())
    }

    /// Tells whether both versions are equal once `+build` is left out, as other tools compare versions.
    #[must_use]
    pub fn equals_ignoring_build(&self, other: &Self) -> bool {
        self.compare_ignoring_build(other).is_eq()
    }

    fn compare_ignoring_build(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            // A release is higher than its prereleases, so an absent prerelease is the highest one.
            match (self.is_prerelease(), other.is_prerelease()) {
                (true, true) => self.prerelease.cmp(&other.prerelease),
                (left, right) => right.cmp(&left),
            }
        })
    }
}

impl Ord for Version {
    /// Orders by numbers, then prerelease, then build metadata, where none is lower than any (semver.go, `Compare`).
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare_ignoring_build(other).then_with(|| self.build.cmp(&other.build))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Version {
    type Err = VersionError;

    /// Reads a version as a Package may carry it (semver.go, `Parse`): no `v`, no spaces, three numbers.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VersionError::TooFewNumbers { version: text.to_owned() });
        };
        let (rest, build) = split_suffix(rest, '+');
        let (patch, prerelease) = split_suffix(rest, '-');
        Ok(Self {
            major: parse_number(Part::Major, major)?,
            minor: parse_number(Part::Minor, minor)?,
            patch: parse_number(Part::Patch, patch)?,
            prerelease: parse_identifiers(Part::Prerelease, prerelease)?,
            build: parse_identifiers(Part::Build, build)?,
        })
    }
}

impl fmt::Display for Version {
    /// Writes the version exactly as it was read.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)?;
        for (separator, identifiers) in [('-', &self.prerelease), ('+', &self.build)] {
            let mut separator = separator;
            for identifier in identifiers {
                write!(formatter, "{separator}{}", identifier.text)?;
                separator = '.';
            }
        }
        Ok(())
    }
}

/// Says why a text is no version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VersionError {
    /// The text has no characters.
    #[error("the version is empty")]
    Empty,
    /// The text has fewer than two dots.
    #[error("{version:?} needs three numbers: major.minor.patch")]
    TooFewNumbers {
        /// The whole version.
        version: String,
    },
    /// One of the three numbers is empty or holds something other than digits.
    #[error("the {part} {text:?} is not a number")]
    NotANumber {
        /// Which number it is.
        part: Part,
        /// The number as written.
        text: String,
    },
    /// A number has leading zeros.
    #[error("the {part} {text:?} must not have leading zeros")]
    LeadingZero {
        /// Where the number stands.
        part: Part,
        /// The number as written.
        text: String,
    },
    /// A number needs more than 64 bits, which kapp-controller refuses in identifiers too.
    #[error("the {part} {text:?} is larger than {maximum}", maximum = u64::MAX)]
    TooLarge {
        /// Where the number stands.
        part: Part,
        /// The number as written.
        text: String,
    },
    /// A dot, `-` or `+` has nothing behind it.
    #[error("the {part} has an empty part")]
    EmptyIdentifier {
        /// Whether it stands in the prerelease or in the build metadata.
        part: Part,
    },
    /// An identifier holds something other than ASCII letters, digits and hyphens.
    #[error("the {part} {text:?} may hold only letters, digits and hyphens")]
    InvalidIdentifier {
        /// Whether it stands in the prerelease or in the build metadata.
        part: Part,
        /// The identifier as written.
        text: String,
    },
}

/// Names a part of a version in a [`VersionError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first number.
    Major,
    /// The second number.
    Minor,
    /// The third number.
    Patch,
    /// What follows `-`.
    Prerelease,
    /// What follows `+`.
    Build,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Major => "major number",
            Self::Minor => "minor number",
            Self::Patch => "patch number",
            Self::Prerelease => "prerelease",
            Self::Build => "build metadata",
        })
    }
}

/// Holds one dot-separated part of a prerelease or of build metadata.
#[derive(Clone, Debug)]
struct Identifier {
    text: String,
    /// The value, if the text is digits only.
    number: Option<u64>,
}

impl Ord for Identifier {
    /// Orders numbers by value below texts by ASCII (semver.go, `versionExtension.Compare`).
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.number, other.number) {
            (Some(left), Some(right)) => left.cmp(&right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => self.text.cmp(&other.text),
        }
    }
}

impl PartialOrd for Identifier {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Identifier {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Identifier {}

impl Hash for Identifier {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.number {
            Some(number) => number.hash(state),
            None => self.text.hash(state),
        }
    }
}

fn split_suffix(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn parse_number(part: Part, text: &str) -> Result<u64, VersionError> {
    let text_owned = || text.to_owned();
    if !is_digits(text) {
        return Err(VersionError::NotANumber { part, text: text_owned() });
    }
    if has_leading_zero(text) {
        return Err(VersionError::LeadingZero { part, text: text_owned() });
    }
    text.parse().map_err(|_| VersionError::TooLarge { part, text: text_owned() })
}

fn parse_identifiers(part: Part, text: Option<&str>) -> Result<Vec<Identifier>, VersionError> {
    text.map_or(Ok(Vec::new()), |text| text.split('.').map(|text| parse_identifier(part, text)).collect())
}

fn parse_identifier(part: Part, text: &str) -> Result<Identifier, VersionError> {
    if text.is_empty() {
        return Err(VersionError::EmptyIdentifier { part });
    }
    let owned = text.to_owned();
    if !is_digits(text) {
        return if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            Ok(Identifier { text: owned, number: None })
        } else {
            Err(VersionError::InvalidIdentifier { part, text: owned })
        };
    }
    if part == Part::Prerelease && has_leading_zero(text) {
        return Err(VersionError::LeadingZero { part, text: owned });
    }
    match text.parse() {
        Ok(number) => Ok(Identifier { text: owned, number: Some(number) }),
        Err(_) => Err(VersionError::TooLarge { part, text: owned }),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_leading_zero(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn writes_versions_as_they_were_read() {
        for text in [
            "0.0.0",
            "20240131235959.0.0+build.4f1c2ab",
            "18446744073709551615.0.1",
            "1.2.3-rc.1",
            "1.2.3--.-a",
            "1.2.3+001.a-b",
            "1.2.3-0.x+0.01",
        ] {
            assert_eq!(version(text).to_string(), text);
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_version() {
        let message = |text: &str| text.parse::<Version>().unwrap_err().to_string();
        assert_eq!(message(""), "the version is empty");
        assert_eq!(message("1.2"), "\"1.2\" needs three numbers: major.minor.patch");
        assert_eq!(message("v1.2.3"), "the major number \"v1\" is not a number");
        assert_eq!(message("1..3"), "the minor number \"\" is not a number");
        assert_eq!(message("1.2.3\n"), "the patch number \"3\\n\" is not a number");
        assert_eq!(message("1.02.3"), "the minor number \"02\" must not have leading zeros");
        assert_eq!(
            message("18446744073709551616.0.0"),
            "the major number \"18446744073709551616\" is larger than 18446744073709551615"
        );
        assert_eq!(message("1.2.3-01"), "the prerelease \"01\" must not have leading zeros");
        assert_eq!(message("1.2.3-"), "the prerelease has an empty part");
        assert_eq!(message("1.2.3+a..b"), "the build metadata has an empty part");
        assert_eq!(message("1.2.3+a_b"), "the build metadata \"a_b\" may hold only letters, digits and hyphens");
        assert_eq!(
            message("1.2.3+18446744073709551616"),
            "the build metadata \"18446744073709551616\" is larger than 18446744073709551615"
        );
    }

    #[test]
    fn orders_prereleases_below_and_build_metadata_above_the_release() {
        let ascending = [
            "0.9.9+z",
            "1.0.0-0",
            "1.0.0-0+a",
            "1.0.0-9",
            "1.0.0-10",
            "1.0.0-10.0",
            "1.0.0--",
            "1.0.0-B",
            "1.0.0-a",
            "1.0.0-a.1",
            "1.0.0-a.b",
            "1.0.0",
            "1.0.0+0",
            "1.0.0+2",
            "1.0.0+10",
            "1.0.0+10.0",
            "1.0.0+a",
            "1.0.1-a",
            "9.10.0",
            "10.0.0",
            "20240131235959.0.0",
        ];
        let mut sorted: Vec<Version> = ascending.iter().rev().map(|text| version(text)).collect();
        sorted.sort();
        assert_eq!(sorted.iter().map(ToString::to_string).collect::<Vec<_>>(), ascending);
    }

    #[test]
    fn compares_numeric_build_identifiers_by_value() {
        assert_eq!(version("1.0.0+01"), version("1.0.0+1"));
        assert_ne!(version("1.0.0+1"), version("1.0.0"));
    }

    #[test]
    fn can_ignore_build_metadata() {
        assert!(version("1.0.0-a+1").equals_ignoring_build(&version("1.0.0-a")));
        assert!(!version("1.0.0-a").equals_ignoring_build(&version("1.0.0")));
    }
}
