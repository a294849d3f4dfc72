//! Builds the Go programs of this directory, which answer for Go, and asks them.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Builds the program in `tests/oracles/<directory>` under a name of its own, with further arguments of `go build`.
///
/// Its dependencies are pinned by `go.sum`, so this needs the Go module proxy once.
pub(crate) fn build(directory: &str, name: &str, arguments: &[&str]) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let status = Command::new("go")
        .args(["build", "-mod=readonly", "-buildvcs=false", "-o"])
        .arg(&program)
        .args(arguments)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(directory))
        .status()
        .expect("Go");
    assert!(status.success(), "{name} in tests/oracles/{directory} does not build");
    program
}

/// Gets a program's answers to requests, one line of JSON each, in their order.
pub(crate) fn ask(program: &mut Command, requests: &[Value]) -> Vec<Value> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = directory.path().join("requests.jsonl");
    let lines: Vec<String> = requests.iter().map(Value::to_string).collect();
    std::fs::write(&path, lines.join("\n")).expect("a file");
    let output =
        program.stdin(File::open(&path).expect("a file")).stderr(Stdio::inherit()).output().expect("the oracle runs");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), requests.len());
    answers
}
