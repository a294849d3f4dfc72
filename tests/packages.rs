//! Compares what is found wrong with Packages and PackageMetadatas with the Go code that kapp-controller v0.53.1 runs.
//!
//! `tests/oracles/packages` answers for Go.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking, and says so")]

#[path = "oracles/go.rs"]
mod go;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use carvelflux::testing::{of_package, of_package_metadata};
use serde_json::{Value, json};

/// Reference names, good ones first.
const NAMES: &[&str] = &[
    "hello.example.com",
    "hello-app.default.tap",
    "1.2.3",
    "a.b.c.d",
    "hello",
    "hello.com",
    "",
    ".",
    "..",
    "a..b",
    "a.b.",
    ".a.b.c",
    "Hello.example.com",
    "hello_world.example.com",
    "hello.example.com ",
    "-hello.example.com",
    "hello-.example.com",
    "hellö.example.com",
    "hello/world.example.com",
];

/// Versions, good ones first.
const VERSIONS: &[&str] = &[
    "1.2.3",
    "0.0.0",
    "1.2.3-rc.1",
    "1.2.3+build.1",
    "20261122120000.0.0+build.abc1234",
    "v1.2.3",
    "1.2",
    "1",
    "",
    "latest",
    "1.2.3.4",
    "01.2.3",
    "1.2.3-01",
    "1.2.3-",
    "1.2.3+",
    "1.2.3 ",
    " 1.2.3",
    "=1.2.3",
    "1.2.x",
    "1.2.3-ä",
    "99999999999999999999.0.0",
];

/// Constraints whose meaning is documented, good ones first; see `tests/constraints.rs` for all others.
const CONSTRAINTS: &[&str] = &[">=1.2.3", ">1.0.0 <2.0.0 || >3.0.0", "1.2.3", "", ">=", "newer", ">=v1.2.3", "~1.2.3"];

#[test]
fn packages_are_refused_as_in_go() {
    let mut packages = Vec::new();
    for ref_name in NAMES {
        for version in VERSIONS {
            let right = format!("{ref_name}.{version}");
            for name in [right.as_str(), ref_name, "", &format!("{right}x")] {
                packages.push(json!({"kind": "Package", "metadata": {"name": name},
                    "spec": {"refName": ref_name, "version": version}}));
            }
        }
    }
    for constraints in CONSTRAINTS {
        for field in ["kubernetesVersionSelection", "kappControllerVersionSelection"] {
            let mut package = json!({"kind": "Package", "metadata": {"name": "hello.example.com.1.2.3"},
                "spec": {"refName": "hello.example.com", "version": "1.2.3"}});
            package["spec"][field] = json!({"constraints": constraints});
            packages.push(package);
        }
    }
    compare(&packages, |package| of_package(package).iter().map(|invalid| invalid.field).collect());
}

#[test]
fn metadata_is_refused_as_in_go() {
    let metadata: Vec<Value> =
        NAMES.iter().map(|name| json!({"kind": "PackageMetadata", "metadata": {"name": name}})).collect();
    compare(&metadata, |metadata| of_package_metadata(metadata).iter().map(|invalid| invalid.field).collect());
}

fn compare(manifests: &[Value], judge: impl Fn(&Value) -> Vec<&'static str>) {
    let mut refused = 0;
    for (manifest, answer) in manifests.iter().zip(ask(manifests)) {
        let fields = |fields: Vec<&str>| {
            let mut fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
            fields.sort();
            fields.dedup();
            fields
        };
        let theirs = answer["fields"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let ours = judge(manifest);
        refused += usize::from(!ours.is_empty());
        assert_eq!(fields(ours), fields(theirs), "{manifest}");
    }
    assert!(refused > 0 && refused < manifests.len(), "only one outcome was compared");
    eprintln!("{} manifests agree, {refused} of them refused", manifests.len());
}

fn ask(manifests: &[Value]) -> Vec<Value> {
    static ORACLE: OnceLock<PathBuf> = OnceLock::new();
    let program = ORACLE.get_or_init(|| go::build("packages", "packages-oracle", &[]));
    go::ask(&mut Command::new(program), manifests)
}
