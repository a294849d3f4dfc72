//! Compares which files Flux's artifact holds with the Go code that source-controller v1.9.3 runs.
//!
//! `tests/oracles/sourceignore` answers for Go.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says so"
)]

#[path = "oracles/go.rs"]
mod go;
#[allow(dead_code, reason = "the generator of whole kubeconfigs is not needed here")]
#[path = "oracles/kubeconfig/random.rs"]
mod random;

use std::fs;
use std::process::Command;

use carvelflux::testing::{Artifact, GitRepositorySpec};
use random::Random;
use serde_json::{Value, json};

const FILES: &[&str] = &[
    "README.md",
    "logo.png",
    ".sops.yaml",
    ".github/workflows/build.yaml",
    "a b/c.yaml",
    "app.tap/packages/1.0.0.yaml",
    "app.tap/packages/deep/2.0.0.yml",
    "app.tap/packages/.hidden.yaml",
    "app.tap/packages/x.zip",
    "app.tap/prod1/packageinstall.yaml",
    "app.tap/prod1/params.yaml",
    "packages/app.tap/packages/1.0.0.yaml",
    "apps/app.tap/packages/grüße.yaml",
    "apps/app.tap/prod[1]/a*b.yaml",
    "apps/app.tap/prod2/-.yaml",
];

/// Patterns that people write, and those at the edges of the language.
const PATTERNS: &[&str] = &[
    "/packages",
    "packages",
    "packages/",
    "/packages/",
    "!packages",
    "!/app.tap/packages",
    "*.yaml",
    "*.yml",
    "!*.yaml",
    "*",
    "/*",
    "!/app.tap",
    "/**",
    "**",
    "**/packages",
    "**/packages/",
    "packages/**",
    "/packages/**",
    "app.tap/**/1.0.0.yaml",
    "**/prod1/**",
    "**/app.tap/packages",
    "app.tap/*/packageinstall.yaml",
    "/*/*/packages",
    "a**b",
    "/a**/b",
    "app.tap/**",
    "**/*.yaml",
    "!**/*.yaml",
    "prod[1-2]",
    "prod[12]",
    "prod[^1]",
    "prod[",
    "prod[]",
    "prod[1",
    "prod[1-]",
    "prod[-1]",
    "prod\\[1\\]",
    "a\\*b.yaml",
    "?.yaml",
    "gr??e.yaml",
    "gr[a-ü]ße.yaml",
    "# comment",
    "\\#",
    " packages",
    "packages ",
    "packages\\ ",
    "a b",
    "/a b/",
    "!",
    "/",
    "//",
    "app.tap//packages",
    "./packages",
    "../packages",
    "a/",
    ".sops.yaml",
    "!.sops.yaml",
    "packages\t",
    "[!p]*",
    "\\",
    "app\\",
    ".*",
    "!.gitignore",
    "app.tap/packages/deep",
    "deep/*.yml",
    "**/deep/*.yml",
    "**/",
    "!**/",
    "*/",
    "!*/",
    "params.*",
    "*a*a*.yaml",
    "[[]",
    "prod[[]1]",
    "prod[\\]1]*",
];

#[test]
fn artifacts_hold_what_they_hold_in_go() {
    let mut random = Random::new(7);
    let mut requests: Vec<Value> = vec![request(&[], None)];
    for pattern in PATTERNS {
        requests.push(request(&[], Some(pattern)));
        requests.push(request(&[("app.tap/.sourceignore", pattern)], None));
        requests.push(request(&[(".sourceignore", &format!("*\n{pattern}"))], Some("!*.yaml")));
    }
    for _ in 0..600 {
        let mut list = |most: usize| {
            let lines: Vec<&str> = (0..=random.below(most)).map(|_| PATTERNS[random.below(PATTERNS.len())]).collect();
            let end = ["\n", "\r\n"][random.below(2)];
            lines.join(end) + ["", end][random.below(2)]
        };
        let (outer, inner, ignored) = (list(4), list(2), list(3));
        requests.push(match random.below(4) {
            0 => request(&[(".sourceignore", &outer)], None),
            1 => request(&[(".sourceignore", &outer), ("app.tap/.sourceignore", &inner)], None),
            2 => request(&[("apps/app.tap/.sourceignore", &inner)], Some(&ignored)),
            _ => request(&[(".sourceignore", &outer), ("app.tap/packages/.sourceignore", &inner)], Some(&ignored)),
        });
    }
    let program = go::build("sourceignore", "sourceignore-oracle", &[]);
    let answers = go::ask(&mut Command::new(program), &requests);
    let mut left_out = 0;
    for (request, answer) in requests.iter().zip(answers) {
        let theirs: Vec<&str> = answer.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let ours = held(request);
        left_out += usize::from(ours.len() < FILES.len());
        assert_eq!(ours, theirs, "{request:#}");
    }
    assert!(left_out > requests.len() / 2, "next to nothing was left out");
    eprintln!("{} artifacts agree, {left_out} of them without some files", requests.len());
}

fn request(lists: &[(&str, &str)], ignored: Option<&str>) -> Value {
    let files = FILES.iter().map(|file| (*file, "")).chain(lists.iter().copied());
    let files: serde_json::Map<_, _> = files.map(|(path, content)| (path.to_owned(), content.into())).collect();
    json!({"files": files, "ignore": ignored})
}

/// Returns the files that are in the artifact by our own judgement, in the order of Go's walk.
fn held(request: &Value) -> Vec<String> {
    let root = tempfile::tempdir().expect("a directory");
    let files = request["files"].as_object().expect("files");
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, content.as_str().expect("a text")).expect("a file");
    }
    let source =
        GitRepositorySpec { ignore: request["ignore"].as_str().map(str::to_owned), ..GitRepositorySpec::default() };
    let artifact = Artifact::of(root.path(), &source).expect("an artifact");
    let mut held: Vec<String> = files.keys().filter(|path| artifact.left_out(path).is_none()).cloned().collect();
    held.sort_by(|one, other| one.split('/').cmp(other.split('/')));
    held
}
