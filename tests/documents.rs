//! The documents: links lead somewhere, and what is listed in them is what there is.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).expect("the file is there")
}

/// Returns all documents at the top and in `docs`.
fn documents() -> Vec<PathBuf> {
    let mut documents = Vec::new();
    let mut directories = vec![PathBuf::from(ROOT), Path::new(ROOT).join("docs")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && directory.ends_with("docs") {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    documents
}

/// Returns the targets of all links of a document that are no URLs.
fn relative_links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        .collect()
}

/// Returns the anchors that a forge makes of the headings: lower case, spaces as dashes, no punctuation.
fn anchors(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            heading
                .chars()
                .filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'))
                .map(|character| if character == ' ' { '-' } else { character })
                .collect()
        })
        .collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut count = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).expect("the file is there");
        for link in relative_links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { document.clone() } else { document.parent().expect("a directory").join(file) };
            assert!(target.exists(), "{}: {link} leads nowhere", document.display());
            if !anchor.is_empty() {
                let anchors = anchors(&std::fs::read_to_string(&target).expect("the file is there"));
                assert!(anchors.contains(anchor), "{}: {link} names no heading", document.display());
            }
            count += 1;
        }
    }
    assert!(count > 10, "only {count} links were found");
}

#[test]
fn troubleshooting_has_an_entry_for_each_cause() {
    let source = read("src/observe/mod.rs");
    let causes = source.split("pub enum Cause {").nth(1).and_then(|rest| rest.split("\n}").next()).expect("the enum");
    let causes: BTreeSet<String> = causes
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .filter_map(|line| line.strip_suffix(','))
        .map(kebab_case)
        .collect();
    assert!(causes.contains("source-not-fetched"), "{causes:?}");
    let troubleshooting = read("docs/troubleshooting.md");
    let entries: BTreeSet<String> =
        troubleshooting.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    assert_eq!(causes, entries);
}

/// Writes a variant as serde's `kebab-case` does.
fn kebab_case(variant: &str) -> String {
    let mut name = String::new();
    for character in variant.chars() {
        if character.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(character.to_lowercase());
    }
    name
}

/// A checkout ends at the first file whose name Windows does not allow (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
#[test]
fn every_file_can_be_checked_out_on_windows() {
    let output = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(ROOT).output().expect("git");
    let files = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(files.split('\0').count() > 100, "{files}");
    for file in files.split('\0') {
        let is_allowed = |character: char| !character.is_control() && !"<>:\"\\|?*".contains(character);
        assert!(file.chars().all(is_allowed) && !file.ends_with(['.', ' ']), "{file}");
    }
}
