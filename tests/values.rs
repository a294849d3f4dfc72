//! Compares what is found wrong with values with what the real ytt refuses, on generated pairs of schema and values.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking, and says so")]

#[path = "oracles/values/generate.rs"]
mod generate;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use carvelflux::testing::{ValuesSchema, judge, read_values};
use fastrand::Rng;
use serde_json::Value;
use testbed::Tools;

const SCHEMAS: u64 = 250;
const VALUES_PER_SCHEMA: usize = 10;

/// How one pair came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    Refused,
    Undecided,
}

#[test]
fn values_are_refused_as_by_ytt() {
    let ytt = Tools::prepare_for_packages().expect("the tools").program("ytt").expect("ytt");
    let compare_some = |first: u64| {
        let seeds = (0..SCHEMAS).filter(move |seed| seed % 2 == first);
        seeds.flat_map(|seed| compare(&ytt, seed)).collect::<Vec<Outcome>>()
    };
    let outcomes = std::thread::scope(|scope| {
        let other = scope.spawn(|| compare_some(1));
        [compare_some(0), other.join().expect("all pairs agree")].concat()
    });
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let (taken, refused, undecided) = (count(Outcome::Taken), count(Outcome::Refused), count(Outcome::Undecided));
    eprintln!("{taken} values taken, {refused} refused as by ytt, {undecided} left to ytt");
    assert!(taken + refused >= 2_000 && taken >= 500 && refused >= 500, "too few pairs of each kind were compared");
}

/// Compares values for one schema.
fn compare(ytt: &Path, seed: u64) -> Vec<Outcome> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let mut random = Rng::with_seed(seed);
    let generated = generate::schema(&mut random);
    let schema_file = write(directory.path(), "schema.yml", &generated.write());
    let config_file = write(directory.path(), "config.yml", "done: true\n");
    let exported = Command::new(ytt)
        .arg("-f")
        .arg(&schema_file)
        .args(["--data-values-schema-inspect", "-o", "openapi-v3"])
        .output()
        .expect("ytt runs");
    assert!(exported.status.success(), "{}\n{}", generated.write(), String::from_utf8_lossy(&exported.stderr));
    let exported = String::from_utf8(exported.stdout).expect("UTF-8");
    let document: Value = serde_yaml::from_str(&exported).expect("YAML");
    let schema = ValuesSchema::read(&document["components"]["schemas"]["dataValues"]).expect("a schema");
    assert!(schema.undecided.is_empty(), "{:?} in\n{exported}", schema.undecided);

    (0..VALUES_PER_SCHEMA)
        .map(|_| {
            let values = generated.values(&mut random);
            let values_file = write(directory.path(), "values.yml", &values);
            let theirs = Command::new(ytt)
                .args(["-f"])
                .arg(&schema_file)
                .arg("-f")
                .arg(&config_file)
                .arg("--data-values-file")
                .arg(&values_file)
                .output()
                .expect("ytt runs");
            let pair = || {
                let said = String::from_utf8_lossy(&theirs.stderr);
                format!("schema {seed}:\n{}\n{exported}\nvalues:\n{values}\nytt:\n{said}", generated.write())
            };
            let (is_refused, is_decided) = match read_values(&values, "values.yml") {
                Err(_) => (true, true),
                Ok(documents) => {
                    let judgement = judge(&schema, &documents);
                    let is_refused = !judgement.findings.is_empty();
                    (is_refused, is_refused || judgement.doubts.is_empty())
                }
            };
            match (is_decided, is_refused) {
                (false, _) => Outcome::Undecided,
                (true, true) => {
                    assert!(!theirs.status.success(), "refused here, and not by ytt: {}", pair());
                    Outcome::Refused
                }
                (true, false) => {
                    assert!(theirs.status.success(), "taken here, and not by ytt: {}", pair());
                    Outcome::Taken
                }
            }
        })
        .collect()
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).expect("a file");
    path
}
