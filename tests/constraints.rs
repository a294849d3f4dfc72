//! Compares versions, constraints and selection with the Go code that kapp-controller v0.53.1 runs.
//!
//! `tests/oracles/versions` answers for Go; its dependencies are pinned by `go.sum`, so building it needs the Go module
//! proxy once. Cases are picked by hand where the Go code has a corner, and generated everywhere else, the same ones in
//! each run.

#![allow(clippy::unwrap_used)]

#[path = "oracles/versions/cases.rs"]
mod cases;
#[path = "oracles/go.rs"]
mod go;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use carvelflux::testing::{
    Constraints, ConstraintsError, Prereleases, SelectionError, Version, VersionRequest, select,
};
use cases::{CONSTRAINTS, INSERTIONS, VERSIONS};
use serde_json::{Value, json};

const GENERATED_COMPARISONS: usize = 4_000;
const GENERATED_CONSTRAINTS: usize = 8_000;
const GENERATED_SELECTIONS: usize = 8_000;

#[test]
fn versions_are_read_and_ordered_as_in_go() {
    let mut random = Random::new(1);
    let mut pairs = Vec::new();
    for left in VERSIONS {
        pairs.extend(VERSIONS.iter().map(|right| (String::from(*left), String::from(*right))));
    }
    for _ in 0..GENERATED_COMPARISONS {
        let left = random.version_or_nearly();
        // A slight change makes versions that differ late, or not at all.
        let right = if random.one_in(2) { random.version_or_nearly() } else { random.change(&left) };
        pairs.push((left, right));
    }
    let answers = ask("compare", pairs.iter().map(|(left, right)| json!({"left": left, "right": right})));

    let mut outcomes = BTreeMap::new();
    for ((left, right), answer) in pairs.iter().zip(answers) {
        let ours = match (left.parse::<Version>(), right.parse::<Version>()) {
            (Ok(left), Ok(right)) => {
                assert_eq!(left == right, left.cmp(&right).is_eq(), "{left} {right}");
                json!({"left": left.to_string(), "right": right.to_string(), "order": left.cmp(&right) as i8})
            }
            _ => json!("error"),
        };
        let theirs = if answer.get("error").is_some() { json!("error") } else { answer };
        assert_eq!(ours, theirs, "versions {left:?} and {right:?}");
        *outcomes.entry(ours["order"].as_i64()).or_insert(0) += 1;
    }
    assert_outcomes(&outcomes, &[None, Some(-1), Some(0), Some(1)]);
}

#[test]
fn constraints_match_as_in_go() {
    let mut random = Random::new(2);
    let known: Vec<String> =
        VERSIONS.iter().filter(|text| text.parse::<Version>().is_ok()).map(ToString::to_string).collect();
    let mut cases: Vec<(String, Vec<String>)> =
        CONSTRAINTS.iter().map(|constraints| (String::from(*constraints), known.clone())).collect();
    for _ in 0..GENERATED_CONSTRAINTS {
        let versions = random.versions();
        cases.push((random.constraints(&versions), versions));
    }
    // Go's parser refuses the empty text, which kapp-controller never hands to it.
    cases.retain(|(constraints, _)| !constraints.is_empty());
    let answers = ask(
        "match",
        cases.iter().map(|(constraints, versions)| json!({"constraints": constraints, "versions": versions})),
    );

    let mut outcomes = BTreeMap::new();
    for ((constraints, versions), answer) in cases.iter().zip(answers) {
        let outcome = match constraints.parse::<Constraints>() {
            Err(ConstraintsError::Undecided { .. }) => "undecided",
            // kapp-controller accepts some of these, and crashes later.
            Err(ConstraintsError::EmptyAlternative) if answer.get("error").is_none() => {
                assert!(constraints.matches("||").count() > 1, "{constraints:?}");
                "refused on purpose"
            }
            Err(error) => {
                assert!(answer.get("error").is_some(), "{constraints:?} is {error}, but Go says {answer}");
                "error"
            }
            Ok(parsed) => {
                let matches: Vec<bool> =
                    versions.iter().map(|version| parsed.matches(&version.parse().unwrap())).collect();
                assert_eq!(json!({"matches": matches}), answer, "{constraints:?} on {versions:?}");
                if matches.contains(&true) { "matches" } else { "matches nothing" }
            }
        };
        *outcomes.entry(outcome).or_insert(0) += 1;
    }
    assert_outcomes(&outcomes, &["error", "matches", "matches nothing", "refused on purpose", "undecided"]);
    report_undecided(&outcomes);
}

#[test]
fn versions_are_selected_as_by_kapp_controller() {
    let mut random = Random::new(3);
    let all: Vec<String> = VERSIONS.iter().filter(|text| !text.starts_with('v')).map(ToString::to_string).collect();
    let mut cases = Vec::new();
    for constraints in CONSTRAINTS {
        for prereleases in [None, Some(vec![]), Some(vec!["rc"]), Some(vec!["1", "alpha"]), Some(vec![""])] {
            let identifiers = prereleases.map(|identifiers| identifiers.into_iter().map(String::from).collect());
            cases.push((all.clone(), request(constraints, identifiers)));
        }
    }
    for _ in 0..GENERATED_SELECTIONS {
        let mut versions = random.versions();
        let constraints = if random.one_in(20) { String::new() } else { random.constraints(&versions) };
        if random.one_in(5) {
            // kapp-controller skips what is no version.
            versions.push(random.version_or_nearly());
        }
        let identifiers = random.one_in(2).then(|| (0..random.below(3)).map(|_| random.identifier()).collect());
        cases.push((versions, request(&constraints, identifiers)));
    }
    let answers = ask(
        "select",
        cases.iter().map(|(versions, request)| {
            let prereleases = request.prereleases.as_ref().map(|some| json!({"identifiers": some.identifiers}));
            json!({"versions": versions, "constraints": request.constraints, "prereleases": prereleases})
        }),
    );

    let mut outcomes = BTreeMap::new();
    for ((versions, request), answer) in cases.iter().zip(answers) {
        let available: Vec<Version> = versions.iter().filter_map(|text| text.parse().ok()).collect();
        let context = format!("{request:?} among {versions:?}, Go says {answer}");
        let outcome = match select(&available, request) {
            Ok(version) => {
                assert_eq!(answer["selected"].as_str(), Some(version.to_string().as_str()), "{context}");
                if version.is_prerelease() { "prerelease" } else { "release" }
            }
            Err(SelectionError::Undecided { .. }) => "undecided",
            Err(SelectionError::InvalidConstraint { source: ConstraintsError::EmptyAlternative, .. })
                if !answer["error"].as_str().is_some_and(|error| error.contains("Parsing version constraint")) =>
            {
                if answer.get("panic").is_some() {
                    "Go panics"
                } else {
                    "refused on purpose"
                }
            }
            Err(SelectionError::InvalidConstraint { .. }) => {
                let message = answer["error"].as_str().unwrap_or_default();
                assert!(message.contains("Parsing version constraint"), "{context}");
                "invalid"
            }
            Err(SelectionError::NoneMatches { all, after_prereleases, hint_build, .. }) => {
                let message = answer["error"].as_str().unwrap_or_default();
                let counts = format!("all={all} -> after-prereleases-filter={after_prereleases}");
                assert!(message.contains("Expected to find") && message.contains(&counts), "{counts}: {context}");
                match hint_build {
                    Some(hint) => {
                        let pin =
                            VersionRequest { constraints: hint.to_string(), prereleases: request.prereleases.clone() };
                        assert_eq!(select(&available, &pin).as_ref(), Ok(&*hint), "{context}");
                        "none, with a hint"
                    }
                    None => "none",
                }
            }
        };
        *outcomes.entry(outcome).or_insert(0) += 1;
    }
    assert_outcomes(
        &outcomes,
        &[
            "Go panics",
            "invalid",
            "none",
            "none, with a hint",
            "prerelease",
            "refused on purpose",
            "release",
            "undecided",
        ],
    );
    report_undecided(&outcomes);
}

fn request(constraints: &str, identifiers: Option<Vec<String>>) -> VersionRequest {
    VersionRequest {
        constraints: constraints.to_owned(),
        prereleases: identifiers.map(|identifiers| Prereleases { identifiers }),
    }
}

/// Checks that the cases were not all of one kind, which would compare little.
fn assert_outcomes<Outcome: Ord + std::fmt::Debug>(outcomes: &BTreeMap<Outcome, usize>, expected: &[Outcome]) {
    assert!(outcomes.keys().eq(expected), "{outcomes:?}");
}

/// Prints which share of the cases is left to kapp-controller to decide.
#[allow(clippy::print_stdout)]
fn report_undecided(outcomes: &BTreeMap<&str, usize>) {
    let (undecided, all) = (outcomes["undecided"], outcomes.values().sum::<usize>());
    println!("{undecided} of {all} cases are undecided ({} %): {outcomes:?}", undecided * 100 / all);
}

/// Sends requests to the Go program, in one run, and returns its answers.
fn ask(question: &str, requests: impl Iterator<Item = Value>) -> Vec<Value> {
    static ORACLE: OnceLock<PathBuf> = OnceLock::new();
    let program = ORACLE.get_or_init(|| go::build("versions", "versions-oracle", &[]));
    go::ask(Command::new(program).arg(question), &requests.collect::<Vec<_>>())
}

/// Generates the same cases in each run, with Knuth's linear congruential generator.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The low bits of such a generator have short periods.
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn identifier(&mut self) -> String {
        let rare = self.one_in(4);
        self.pick(if rare {
            &["next", "x", "A", "-", "a-b", "01a"]
        } else {
            &["0", "1", "2", "10", "alpha", "rc", "4f1c2ab"]
        })
        .into()
    }

    fn number(&mut self) -> &'static str {
        if self.one_in(15) {
            self.pick(&["20240131235959", "20240131235960", "9223372036854775807", "18446744073709551615"])
        } else {
            self.pick(&["0", "0", "1", "1", "2", "3", "10"])
        }
    }

    fn version(&mut self) -> String {
        let mut version = format!("{}.{}.{}", self.number(), self.number(), self.number());
        for separator in ['-', '+'] {
            if self.one_in(3) {
                let identifiers: Vec<_> = (0..=self.below(3)).map(|_| self.identifier()).collect();
                version.push(separator);
                version.push_str(&identifiers.join("."));
            }
        }
        if version.contains('+') && self.one_in(4) {
            version.push_str(self.pick(&[".01", ".007", ".1"]));
        }
        version
    }

    fn versions(&mut self) -> Vec<String> {
        let mut versions: Vec<_> = (0..=self.below(6)).map(|_| self.version()).collect();
        if self.one_in(2) {
            let base = versions[0].split('+').next().unwrap_or_default().to_owned();
            versions.push(format!("{base}+{}", self.identifier()));
        }
        versions
    }

    fn version_or_nearly(&mut self) -> String {
        let version = self.version();
        // A `v` in front is accepted where kapp-controller lists Packages, but no Package can have it.
        if self.one_in(4) { self.change(&version).trim_start_matches('v').to_owned() } else { version }
    }

    /// Removes or inserts something, up to three times.
    fn change(&mut self, text: &str) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let position = self.below(characters.len() + 1);
            if self.one_in(2) && position < characters.len() {
                characters.remove(position);
            } else {
                let insertion = self.pick(INSERTIONS);
                characters.splice(position..position, insertion.chars());
            }
        }
        characters.into_iter().collect()
    }

    fn constraints(&mut self, versions: &[String]) -> String {
        let mut constraints = String::new();
        // Most odd constraints are errors, which say little about the others.
        let odd = self.one_in(2);
        for index in 0..=self.below(4) {
            if index > 0 {
                let separator = if odd && self.one_in(6) {
                    self.pick(&["||", "|| ", " ||", " | ", ", ", " , ", " - ", " || || ", " || * || ", "\t", " ! ", ""])
                } else {
                    self.pick(&[" ", " ", "  ", " || ", " || "])
                };
                constraints.push_str(separator);
            }
            let operator = if odd && self.one_in(8) {
                self.pick(&["^", "~", "v", "=>", "=<", "===", "<>", "~>", "!==", "≥", "-"])
            } else {
                self.pick(&["", "=", "==", "!", "!=", ">", "<", ">=", ">=", "<=", "<="])
            };
            let space = match (odd && self.one_in(4), operator) {
                (true, _) => self.pick(&[" ", "  ", "\t", "\u{a0}"]),
                (false, ">" | ">=" | "<" | "<=") if self.one_in(4) => " ",
                _ => "",
            };
            constraints.push_str(operator);
            constraints.push_str(space);
            constraints.push_str(&self.operand(versions, odd));
        }
        if odd && self.one_in(3) { self.change(&constraints) } else { constraints }
    }

    fn operand(&mut self, versions: &[String], odd: bool) -> String {
        match self.below(if odd { 10 } else { 8 }) {
            0..=4 => versions[self.below(versions.len())].clone(),
            5 => self.version(),
            6 => format!("{}.x", self.number()),
            7 => format!("{}.{}.x", self.number(), self.number()),
            8 => {
                self.pick(&["1.x.x", "1.x.2", "x", "1", "1.0", "1x", "1.xx", "1.2.x-rc", "1.+1.x", "01.x", "*"]).into()
            }
            _ => {
                let version = self.version();
                self.change(&version)
            }
        }
    }
}
