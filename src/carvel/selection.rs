//! Selection of the Package version that a `PackageInstall` asks for.
//!
//! The rules are those of kapp-controller v0.53.1 (pkg/packageinstall/packageinstall.go, `referencedPkgVersion`) and
//! of carvel.dev/vendir v0.40.0 (pkg/vendir/versions), on which it relies; `tests/constraints.rs` compares with them.
//!
//! Left out are the two checks that need a cluster: `spec.kubernetesVersionSelection` and
//! `spec.kappControllerVersionSelection` of a Package, together with the annotations of a `PackageInstall` that override
//! them (`packaging.carvel.dev/ignore-kubernetes-version-selection` and
//! `packaging.carvel.dev/ignore-kapp-controller-version-selection`). kapp-controller removes Packages that fail these
//! checks after the prereleases and before it applies the constraints, so it may select a lower version than
//! [`select`], or none.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::constraints::{Constraints, ConstraintsError};
use super::version::Version;

/// Says which versions an install accepts: `spec.packageRef.versionSelection` of a `PackageInstall`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRequest {
    /// The constraints as written; the empty text accepts every version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub constraints: String,
    /// Whether prereleases are accepted too; if absent, only one that the constraints name exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prereleases: Option<Prereleases>,
}

/// Says which prereleases an install accepts: all of them if there are no identifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prereleases {
    /// Dot-separated parts of prereleases, of which an accepted prerelease must have at least one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<String>,
}

impl Prereleases {
    /// Tells whether the prerelease is accepted (vendir v0.40.0, semvers.go, `shouldKeepPrerelease`).
    fn accept(&self, prerelease: &Version) -> bool {
        self.identifiers.is_empty()
            || prerelease.prerelease_identifiers().any(|part| self.identifiers.iter().any(|accepted| accepted == part))
    }
}

/// Says why no version was selected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SelectionError {
    /// The constraints cannot be read, whatever versions there are.
    #[error("the version constraints {constraints:?} are invalid: {source}")]
    InvalidConstraint {
        /// The constraints as written.
        constraints: String,
        /// What is wrong with them.
        source: ConstraintsError,
    },
    /// The constraints are not documented: which version they select is left to kapp-controller to decide.
    #[error("the version constraints {constraints:?} are not decided here: {source}")]
    Undecided {
        /// The constraints as written.
        constraints: String,
        /// What is not documented in them.
        source: ConstraintsError,
    },
    /// No available version fulfils the request.
    #[error("{}", describe_none_matches(constraints, *all, *after_prereleases, hint_build.as_deref()))]
    NoneMatches {
        /// The constraints as written.
        constraints: String,
        /// How many versions there are.
        all: usize,
        /// How many of them remain once unwanted prereleases are left out.
        after_prereleases: usize,
        /// All versions, the lowest first.
        available: Vec<Version>,
        /// The versions around those that the constraints name, the highest first; the highest ones where they name none.
        nearest: Vec<Version>,
        /// The highest available version that differs only in `+build` from one the constraints name exactly, and that
        /// the install would accept if they named it instead.
        hint_build: Option<Box<Version>>,
    },
}

/// Selects the version that kapp-controller would install: the highest that fulfils the request.
///
/// Of versions that are equal (`1.0.0+1` and `1.0.0+01`) it selects the last one given (vendir v0.40.0, semvers.go,
/// `Highest`). Invalid constraints are reported even if there is no version.
pub fn select<'a>(
    available: impl IntoIterator<Item = &'a Version>,
    request: &VersionRequest,
) -> Result<Version, SelectionError> {
    let constraints = || request.constraints.clone();
    let filter = Filter::new(request).map_err(|source| match source {
        ConstraintsError::Undecided { .. } => SelectionError::Undecided { constraints: constraints(), source },
        _ => SelectionError::InvalidConstraint { constraints: constraints(), source },
    })?;
    let mut available: Vec<&Version> = available.into_iter().collect();
    // Equal versions must keep their order for the last one to be selected, which this sort guarantees.
    available.sort();
    let remaining: Vec<&Version> = available.iter().copied().filter(|version| filter.keeps(version)).collect();
    if let Some(highest) = remaining.iter().rfind(|version| filter.constraints.matches(version)) {
        return Ok((*highest).clone());
    }
    Err(SelectionError::NoneMatches {
        constraints: constraints(),
        all: available.len(),
        after_prereleases: remaining.len(),
        hint_build: find_other_build(&available, &filter, request).map(Box::new),
        nearest: find_nearest(&available, &filter.constraints),
        available: available.into_iter().cloned().collect(),
    })
}

/// Finds the versions just below and above each that the constraints name.
fn find_nearest(sorted: &[&Version], constraints: &Constraints) -> Vec<Version> {
    let around = constraints.named_versions().flat_map(|named| {
        let above = sorted.partition_point(|version| *version < named);
        [above.checked_sub(1), Some(above)]
    });
    let mut indexes: Vec<usize> = around.flatten().filter(|index| *index < sorted.len()).collect();
    if indexes.is_empty() {
        indexes = (sorted.len().saturating_sub(NEAREST)..sorted.len()).collect();
    }
    indexes.sort_unstable();
    indexes.dedup();
    indexes.into_iter().rev().take(NEAREST).map(|index| sorted[index].clone()).collect()
}

/// How many versions are named where none matches.
const NEAREST: usize = 5;

/// Holds a request once it is read.
struct Filter {
    constraints: Constraints,
    prereleases: Option<Prereleases>,
}

impl Filter {
    /// Reads the request.
    ///
    /// One prerelease as the whole of the constraints, without operator and spaces, stands for `prereleases: {}`
    /// (kapp-controller v0.53.1, packageinstall.go, `referencedPkgVersion`); `=1.0.0-rc.1` does not.
    fn new(request: &VersionRequest) -> Result<Self, ConstraintsError> {
        let pins_prerelease = || request.constraints.parse::<Version>().is_ok_and(|version| version.is_prerelease());
        Ok(Self {
            constraints: request.constraints.parse()?,
            prereleases: request.prereleases.clone().or_else(|| pins_prerelease().then(Prereleases::default)),
        })
    }

    /// Tells whether the version is a release or an accepted prerelease.
    fn keeps(&self, version: &Version) -> bool {
        !version.is_prerelease() || self.prereleases.as_ref().is_some_and(|prereleases| prereleases.accept(version))
    }
}

fn find_other_build(sorted: &[&Version], filter: &Filter, request: &VersionRequest) -> Option<Version> {
    let differs_in_build =
        |version: &&&Version| filter.constraints.pinned_versions().any(|pinned| pinned.equals_ignoring_build(version));
    // A version with an `x` cannot be named exactly, and `prereleases` of the request may rule a version out.
    let can_be_pinned = |version: &&&Version| {
        let pin = VersionRequest { constraints: version.to_string(), prereleases: request.prereleases.clone() };
        Filter::new(&pin).is_ok_and(|filter| filter.keeps(version) && filter.constraints.matches(version))
    };
    sorted.iter().rev().filter(differs_in_build).find(can_be_pinned).map(|version| (*version).clone())
}

fn describe_none_matches(constraints: &str, all: usize, after_prereleases: usize, hint: Option<&Version>) -> String {
    let message = match (all, after_prereleases) {
        (0, _) => "there are no versions to select from".to_owned(),
        (_, 0) => "all available versions are prereleases that the install does not accept".to_owned(),
        (_, remaining) if remaining == all => format!("no available version matches {constraints:?}"),
        _ => format!("no available version matches {constraints:?}, unwanted prereleases aside"),
    };
    match hint {
        Some(version) => format!("{message}; {version} differs only in its build metadata, which counts"),
        None => message,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn versions(texts: &[&str]) -> Vec<Version> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn request(constraints: &str, prereleases: Option<&[&str]>) -> VersionRequest {
        let prereleases = prereleases
            .map(|identifiers| Prereleases { identifiers: identifiers.iter().map(ToString::to_string).collect() });
        VersionRequest { constraints: constraints.to_owned(), prereleases }
    }

    fn selected(available: &[&str], request: &VersionRequest) -> String {
        match select(&versions(available), request) {
            Ok(version) => version.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn selects_the_highest_version() {
        let available = ["1.0.0", "1.10.0+b", "1.10.0+a", "1.9.0", "2.0.0-rc.1"];
        assert_eq!(selected(&available, &request("", None)), "1.10.0+b");
        assert_eq!(selected(&available, &request("<1.10.0", None)), "1.9.0");
        assert_eq!(selected(&["1.0.0+1", "1.0.0+01"], &request("1.0.0+001", None)), "1.0.0+01");
        assert_eq!(selected(&["1.0.0+01", "1.0.0+1"], &request("1.0.0+001", None)), "1.0.0+1");
    }

    #[test]
    fn accepts_prereleases_only_on_request() {
        let available = ["1.0.0", "1.1.0-alpha.1", "1.1.0-rc.1", "1.1.0-rc.2"];
        assert_eq!(selected(&available, &request(">=1.0.0", None)), "1.0.0");
        assert_eq!(selected(&available, &request(">=1.0.0", Some(&[]))), "1.1.0-rc.2");
        assert_eq!(selected(&available, &request(">=1.0.0", Some(&["alpha"]))), "1.1.0-alpha.1");
        assert_eq!(selected(&available, &request("", Some(&["1"]))), "1.1.0-rc.1");
        assert_eq!(selected(&available, &request("", Some(&[""]))), "1.0.0");
    }

    #[test]
    fn accepts_one_exact_prerelease() {
        let available = ["1.0.0", "1.1.0-rc.1"];
        assert_eq!(selected(&available, &request("1.1.0-rc.1", None)), "1.1.0-rc.1");
        for constraints in ["=1.1.0-rc.1", " 1.1.0-rc.1", "1.1.0-rc.1 || 1.1.0-rc.1"] {
            assert!(select(&versions(&available), &request(constraints, None)).is_err(), "{constraints:?}");
        }
        assert!(select(&versions(&available), &request("1.1.0-rc.1", Some(&["beta"]))).is_err());
    }

    #[test]
    fn counts_what_remains_and_lists_what_there_is() {
        let available = versions(&["2.0.0", "1.1.0-rc.1", "1.0.0"]);
        assert_eq!(
            select(&available, &request(">3.0.0", None)),
            Err(SelectionError::NoneMatches {
                constraints: ">3.0.0".to_owned(),
                all: 3,
                after_prereleases: 2,
                available: versions(&["1.0.0", "1.1.0-rc.1", "2.0.0"]),
                nearest: versions(&["2.0.0"]),
                hint_build: None,
            })
        );
    }

    #[test]
    fn the_nearest_versions_are_around_those_that_are_named() {
        let available = versions(&["1.0.0", "1.1.0", "1.2.0", "2.0.0", "2.1.0", "3.0.0", "4.0.0"]);
        let nearest = |constraints: &str| match select(&available, &request(constraints, None)) {
            Err(SelectionError::NoneMatches { nearest, .. }) => {
                nearest.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(nearest("1.1.5"), "1.2.0 1.1.0");
        assert_eq!(nearest(">1.2.0 <2.0.0"), "2.0.0 1.2.0 1.1.0");
        assert_eq!(nearest(">9.0.0"), "4.0.0");
        assert_eq!(nearest("0.1.0"), "1.0.0");
    }

    #[test]
    fn hints_at_a_version_with_other_build_metadata() {
        let hint = |available: &[&str], request: &VersionRequest| match select(&versions(available), request) {
            Err(SelectionError::NoneMatches { hint_build, .. }) => hint_build.map(|version| version.to_string()),
            other => panic!("{other:?}"),
        };
        let available = ["1.0.0+build.1", "1.0.0+build.2", "1.1.0", "2.0.0-rc.1+build.1", "3.0.0+x"];
        assert_eq!(hint(&available, &request("1.0.0", None)).as_deref(), Some("1.0.0+build.2"));
        assert_eq!(hint(&available, &request("=1.0.0+build.3", None)).as_deref(), Some("1.0.0+build.2"));
        assert_eq!(hint(&available, &request("2.0.0-rc.1", None)).as_deref(), Some("2.0.0-rc.1+build.1"));
        assert_eq!(hint(&available, &request("2.0.0-rc.1", Some(&["beta"]))), None);
        assert_eq!(hint(&available, &request("3.0.0", None)), None);
        assert_eq!(hint(&available, &request("1.0.0 <2.0.0", None)), None);
    }

    #[test]
    fn explains_failures() {
        assert_eq!(selected(&[], &request("", None)), "there are no versions to select from");
        assert_eq!(
            selected(&["1.0.0-a"], &request("", None)),
            "all available versions are prereleases that the install does not accept"
        );
        assert_eq!(
            selected(&["1.0.0+b"], &request("1.0.0", None)),
            "no available version matches \"1.0.0\"; 1.0.0+b differs only in its build metadata, which counts"
        );
        assert_eq!(
            selected(&["1.0.0", "1.0.0-a"], &request("2.0.0", None)),
            "no available version matches \"2.0.0\", unwanted prereleases aside"
        );
        assert_eq!(
            selected(&[], &request("latest", None)),
            "the version constraints \"latest\" are invalid: there is no version in \"latest\""
        );
    }

    #[test]
    fn reads_the_fields_of_a_package_install() {
        let read = |text| serde_json::from_str::<VersionRequest>(text).unwrap();
        assert_eq!(read(r#"{"constraints": "1.x"}"#), request("1.x", None));
        assert_eq!(read(r#"{"prereleases": {}}"#), request("", Some(&[])));
        assert_eq!(
            serde_json::to_string(&request("", Some(&["rc"]))).unwrap(),
            r#"{"prereleases":{"identifiers":["rc"]}}"#
        );
    }
}
