//! What the program is made of, by the rules of `deny.toml`: what `cargo deny` finds offline. Advisories are the workflow's.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use spdx::{Expression, ParseMode};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn rules() -> toml::Table {
    let text = std::fs::read_to_string(Path::new(ROOT).join("deny.toml")).expect("deny.toml");
    text.parse().expect("TOML")
}

fn texts<'a>(rules: &'a toml::Table, table: &str, key: &str) -> Vec<&'a str> {
    let values = rules[table][key].as_array().expect("a list");
    values.iter().map(|value| value.as_str().or_else(|| value["crate"].as_str()).expect("a text")).collect()
}

/// What Cargo says of all packages, for the platforms of the releases.
fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(ROOT).args(["metadata", "--locked", "--format-version", "1"]);
        for target in texts(&rules(), "graph", "targets") {
            cargo.args(["--filter-platform", target]);
        }
        let output = cargo.output().expect("Cargo");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    })
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn by_id(values: &[Value]) -> BTreeMap<&str, &Value> {
    values.iter().map(|value| (text(value, "id"), value)).collect()
}

/// Returns the packages that the program is built from, without those of its tests.
fn packages() -> Vec<&'static Value> {
    let (packages, nodes) = (by_id(list(metadata(), "packages")), by_id(list(&metadata()["resolve"], "nodes")));
    let mut found = BTreeSet::new();
    let mut next = vec![text(&metadata()["resolve"], "root")];
    while let Some(id) = next.pop() {
        if found.insert(id) {
            let dependencies = list(nodes[id], "deps").iter();
            let needed = dependencies.filter(|one| list(one, "dep_kinds").iter().any(|kind| kind["kind"] != "dev"));
            next.extend(needed.map(|one| text(one, "pkg")));
        }
    }
    found.into_iter().map(|id| packages[id]).collect()
}

/// Returns the name and the version of a package.
fn name(package: &Value) -> String {
    format!("{}@{}", text(package, "name"), text(package, "version"))
}

#[test]
fn licences_are_allowed() {
    let rules = rules();
    let allowed = texts(&rules, "licenses", "allow");
    let mut used = BTreeSet::new();
    for package in packages() {
        let licence = Expression::parse_mode(text(package, "license"), ParseMode::LAX);
        let licence = licence.unwrap_or_else(|error| panic!("{}: {error}", name(package)));
        let fits = licence.evaluate(|requirement| {
            let licence = requirement.to_string();
            let is_allowed = allowed.contains(&licence.as_str());
            if is_allowed {
                used.insert(licence);
            }
            is_allowed
        });
        assert!(fits, "{}: {licence}", name(package));
    }
    let unused: Vec<_> = allowed.iter().filter(|licence| !used.contains(**licence)).collect();
    assert!(unused.is_empty(), "no package has these licences any more: {unused:?}");
}

#[test]
fn packages_come_from_the_registry() {
    for package in packages().into_iter().filter(|package| text(package, "name") != env!("CARGO_PKG_NAME")) {
        assert_eq!(text(package, "source"), REGISTRY, "{}", name(package));
    }
}

#[test]
fn what_is_banned_is_not_there() {
    let rules = rules();
    let banned = texts(&rules, "bans", "deny");
    let found: Vec<String> =
        packages().into_iter().filter(|package| banned.contains(&text(package, "name"))).map(name).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_second_version_of_a_package_has_a_reason() {
    let rules = rules();
    let skipped: BTreeSet<&str> = texts(&rules, "bans", "skip").into_iter().collect();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages() {
        versions.entry(text(package, "name")).or_default().push(text(package, "version"));
    }
    let mut needed = BTreeSet::new();
    let mut unexplained = Vec::new();
    for (name, versions) in versions.into_iter().filter(|(_, versions)| versions.len() > 1) {
        let (explained, others): (Vec<String>, Vec<String>) = versions
            .iter()
            .map(|version| format!("{name}@{version}"))
            .partition(|version| skipped.contains(version.as_str()));
        needed.extend(explained);
        if others.len() > 1 {
            unexplained.push(others);
        }
    }
    assert!(unexplained.is_empty(), "deny.toml has no reason for {unexplained:?}");
    let superfluous: Vec<_> = skipped.into_iter().filter(|version| !needed.contains(*version)).collect();
    assert!(superfluous.is_empty(), "deny.toml explains what is not there: {superfluous:?}");
}

/// Returns the text of all files of Rust below a directory.
fn sources(directory: &Path) -> String {
    let mut text = String::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten() {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(&path).expect("UTF-8"));
            }
        }
    }
    text
}

#[test]
fn every_dependency_is_used() {
    let members: Vec<&str> = list(metadata(), "workspace_members").iter().filter_map(Value::as_str).collect();
    assert!(members.len() > 2, "{members:?}");
    for member in list(metadata(), "packages").iter().filter(|package| members.contains(&text(package, "id"))) {
        let directory = Path::new(text(member, "manifest_path")).parent().expect("a directory");
        let program = sources(&directory.join("src"));
        let tests = ["tests", "benches", "examples"].map(|name| sources(&directory.join(name))).concat();
        for dependency in list(member, "dependencies") {
            let name = dependency["rename"].as_str().unwrap_or(text(dependency, "name")).replace('-', "_");
            let is_used = |text: &str| text.contains(&format!("{name}::")) || text.contains(&format!("use {name};"));
            let fits = is_used(&program) || (dependency["kind"] == "dev" && is_used(&tests));
            assert!(fits, "{} does not use {name}", text(member, "name"));
        }
    }
}
