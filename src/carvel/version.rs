//! Versions of Carvel packages: strict parsing and the order in which kapp-controller puts them.
//!
//! The rules are those of github.com/carvel-dev/semver/v4 at 8090ce423695, which kapp-controller v0.53.1 uses through
//! carvel.dev/vendir v0.40.0. The crate `semver` has the same but for two, which are added here: numeric identifiers end
//! at 64 bits, and those of build metadata compare by value alone. `tests/constraints.rs` compares with Go.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use semver::BuildMetadata;
use thiserror::Error;

/// Holds the version of a Package, as `spec.version` of a Package must be written.
///
/// Build metadata takes part in equality and order, unlike in the semver specification (semver.go, `Compare`):
/// `1.0.0` is lower than, and different from, `1.0.0+build.1`. Numeric build identifiers compare by value, so
/// `1.0.0+01` equals `1.0.0+1` although [`Display`](fmt::Display) writes each as it was read.
///
/// kapp-controller refuses to go back to a lower version by exactly this order (kapp-controller v0.53.1,
/// packageinstall.go, `reconcile`), unless the install carries `packaging.carvel.dev/downgradable`.
#[derive(Clone, Debug)]
pub struct Version {
    text: String,
    /// What is compared: numeric build identifiers without leading zeros, by which the crate would tell them apart.
    comparable: semver::Version,
}

impl Version {
    /// Tells whether the version has a prerelease part, such as `-rc.1`.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        !self.comparable.pre.is_empty()
    }

    /// Returns the dot-separated parts of the prerelease, which `prereleases.identifiers` is compared with.
    pub fn prerelease_identifiers(&self) -> impl Iterator<Item = &str> {
        self.comparable.pre.split('.').filter(|identifier| !identifier.is_empty())
    }

    /// Tells whether both versions are equal once `+build` is left out, as other tools compare versions.
    #[must_use]
    pub fn equals_ignoring_build(&self, other: &Self) -> bool {
        self.comparable.cmp_precedence(&other.comparable).is_eq()
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.comparable == other.comparable
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.comparable.hash(state);
    }
}

impl Ord for Version {
    /// Orders by numbers, then prerelease, then build metadata, where none is lower than any (semver.go, `Compare`).
    fn cmp(&self, other: &Self) -> Ordering {
        self.comparable.cmp(&other.comparable)
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
        let invalid = |error: semver::Error| VersionError::Invalid(error.to_string());
        let mut comparable = semver::Version::parse(text).map_err(invalid)?;
        let identifiers = comparable.pre.split('.').chain(comparable.build.split('.'));
        if let Some(number) = identifiers.filter(|text| is_number(text)).find(|text| text.parse::<u64>().is_err()) {
            return Err(VersionError::TooLarge(number.to_owned()));
        }
        let build: Vec<&str> = comparable.build.split('.').map(without_leading_zeros).collect();
        comparable.build = BuildMetadata::new(&build.join(".")).map_err(invalid)?;
        Ok(Self { text: text.to_owned(), comparable })
    }
}

impl fmt::Display for Version {
    /// Writes the version exactly as it was read.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Says why a text is no version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VersionError {
    /// The text is not written as the semver specification says.
    #[error("{0}")]
    Invalid(String),
    /// A numeric identifier needs more than 64 bits, which kapp-controller refuses.
    #[error("the identifier {0} is larger than {maximum}", maximum = u64::MAX)]
    TooLarge(String),
}

fn is_number(identifier: &str) -> bool {
    !identifier.is_empty() && identifier.bytes().all(|byte| byte.is_ascii_digit())
}

fn without_leading_zeros(identifier: &str) -> &str {
    if !is_number(identifier) {
        return identifier;
    }
    match identifier.trim_start_matches('0') {
        "" => "0",
        number => number,
    }
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
        for text in ["20240131235959.0.0+build.4f1c2ab", "18446744073709551615.0.1", "1.2.3--.-a", "1.2.3-0.x+0.01.a-b"]
        {
            assert_eq!(version(text).to_string(), text);
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_version() {
        let message = |text: &str| text.parse::<Version>().unwrap_err().to_string();
        assert_eq!(message("v1.2.3"), "unexpected character 'v' while parsing major version number");
        assert_eq!(message("1.02.3"), "invalid leading zero in minor version number");
        for text in ["1.2.3-18446744073709551616", "1.2.3+a.18446744073709551616"] {
            assert_eq!(message(text), "the identifier 18446744073709551616 is larger than 18446744073709551615");
        }
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
        assert_eq!(version("1.0.0+00.01"), version("1.0.0+0.1"));
        assert_ne!(version("1.0.0+0"), version("1.0.0"));
    }

    #[test]
    fn can_ignore_build_metadata() {
        assert!(version("1.0.0-a+1").equals_ignoring_build(&version("1.0.0-a")));
        assert!(!version("1.0.0-a").equals_ignoring_build(&version("1.0.0")));
    }
}
