//! The workflows that test and release the plugin, as actionlint judges them.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use testbed::Tools;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn workflows() -> Vec<PathBuf> {
    let directory = std::fs::read_dir(Path::new(ROOT).join(".github/workflows")).expect("the workflows");
    directory.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn actionlint_finds_nothing() {
    let actionlint = Tools::prepare_for_releases().and_then(|tools| tools.program("actionlint")).expect("actionlint");
    // What else is installed on a machine must not change the answer.
    let output = Command::new(actionlint)
        .args(["-no-color", "-shellcheck=", "-pyflakes="])
        .args(workflows())
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn actions_are_named_by_the_commit_that_was_read() {
    let mut count = 0;
    for path in workflows() {
        let text = std::fs::read_to_string(&path).expect("the file is there");
        for line in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")) {
            let (action, version) = line.split_once(" # v").unwrap_or((line, ""));
            let commit = action.split_once('@').map(|(_, commit)| commit).unwrap_or_default();
            let is_commit = commit.len() == 40 && commit.chars().all(|character| character.is_ascii_hexdigit());
            assert!(is_commit && !version.is_empty(), "{}: {line}", path.display());
            count += 1;
        }
    }
    assert!(count > 5, "only {count} actions were found");
}
