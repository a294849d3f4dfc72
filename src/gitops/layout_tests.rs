//! Tests of [`super`] on small repositories.

use std::fs;

use super::*;

fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn package(ref_name: &str, version: &str) -> String {
    format!(
        "apiVersion: data.packaging.carvel.dev/v1alpha1\nkind: Package\nmetadata:\n  name: {ref_name}.{version}\nspec:\n  refName: {ref_name}\n  version: {version}\n  valuesSchema:\n    openAPIv3: {{type: object}}\n"
    )
}

#[test]
fn reads_every_version_and_ignores_other_documents() {
    let two = format!(
        "{}---\nkind: ConfigMap\napiVersion: v1\n---\n{}",
        package("a.b.c", "20240101000000.0.0"),
        package("a.b.c", "2.0.0+build.1")
    );
    let root = repository(&[
        ("sub/app/packages/1.yaml", &two),
        ("sub/app/packages/3.yml", &package("a.b.c", "3.0.0")),
        ("sub/app/packages/README.md", "x"),
        ("sub/app/prod1/params.yaml", ""),
    ]);
    let read = PackageDirectory::read_all(root.path(), "./sub/app/").unwrap();
    assert_eq!((read.path.as_str(), read.name.as_str(), read.ref_name.as_str()), ("sub/app", "app", "a.b.c"));
    assert_eq!(
        read.packages.iter().map(|package| package.version.as_str()).collect::<Vec<_>>(),
        ["20240101000000.0.0", "2.0.0+build.1", "3.0.0"]
    );
    assert_eq!(read.packages[2].file, "sub/app/packages/3.yml");
}

#[test]
fn a_missing_package_is_named_with_those_there_are() {
    let root = repository(&[
        ("a/packages/1.yaml", &package("a.b.c", "1.0.0")),
        ("sub/b/packages/1.yaml", &package("a.b.c", "1.0.0")),
        ("empty/x.txt", ""),
        ("other/packages/1.yaml", "kind: ConfigMap\n"),
    ]);
    assert_eq!(package_directories(root.path()).unwrap(), ["a", "other", "sub/b"]);
    for (package, message) in [
        ("b", "the repository has no directory b"),
        ("empty", "the package empty has no files in empty/packages of the repository"),
        ("other", "no file in other/packages of the repository holds a Package"),
    ] {
        let error = PackageDirectory::read_all(root.path(), package).unwrap_err();
        assert_eq!(error.message(), message);
        assert!(error.hints()[0].contains("sub/b"), "{error:?}");
    }
    let nothing = PackageDirectory::read_all(repository(&[("README.md", "x")]).path(), "a").unwrap_err();
    assert!(nothing.hints()[0].contains("supply chain"));
}

#[test]
fn packages_that_cannot_be_used_are_refused() {
    let mixed = repository(&[
        ("a/packages/1.yaml", &package("a.b.c", "1.0.0")),
        ("a/packages/2.yaml", &package("x.y.z", "1.0.0")),
    ]);
    assert!(PackageDirectory::read_all(mixed.path(), "a").unwrap_err().causes()[0].ends_with("a.b.c, x.y.z"));
    let broken = repository(&[("a/packages/1.yaml", "kind: Package\n  x: [\n")]);
    assert!(
        PackageDirectory::read_all(broken.path(), "a")
            .unwrap_err()
            .message()
            .starts_with("a/packages/1.yaml is not valid YAML at line 2")
    );
    let number = repository(&[("a/packages/1.yaml", &package("a.b.c", "1.0"))]);
    assert_eq!(
        PackageDirectory::read_all(number.path(), "a").unwrap_err().message(),
        "a/packages/1.yaml holds a Package whose spec.version is a number"
    );
    assert!(PackageDirectory::read_all(number.path(), "../a").is_err());
}

#[test]
fn what_flux_applies_is_what_is_looked_at() {
    let metadata = "apiVersion: data.packaging.carvel.dev/v1alpha1\nkind: PackageMetadata\nmetadata:\n  name: a.b.c\n";
    let root = repository(&[
        ("a/packages/1.yaml", &package("a.b.c", "1.0.0").replace('\n', "\r\n")),
        ("a/packages/older/2 ä.yml", &format!("\u{feff}{}", package("a.b.c", "0.9.0"))),
        ("a/packages/.hidden.yaml", metadata),
        ("a/packages/other.yaml", "apiVersion: v1\nkind: ConfigMap\n"),
        ("a/packages/3.json", &package("a.b.c", "3.0.0")),
        ("a/packages/own/kustomization.yaml", "resources: [4.yaml]\n"),
        ("a/packages/own/4.yaml", &package("a.b.c", "4.0.0")),
    ]);
    let read = PackageDirectory::read_all(root.path(), "a").expect("a package");
    let versions: Vec<&str> = read.packages.iter().map(|package| package.version.as_str()).collect();
    assert_eq!(versions, ["1.0.0", "0.9.0"]);
    assert!(read.has_metadata);
    let others: Vec<String> = read.others.iter().map(ToString::to_string).collect();
    assert_eq!(others, ["a/packages/other.yaml holds a ConfigMap"]);
    assert_eq!(read.kustomizations, ["a/packages/own/kustomization.yaml"]);
    read.check(false).expect("nothing is refused");
}

#[test]
fn a_refused_package_is_named_with_file_field_and_correction() {
    let root = repository(&[
        ("a/packages/1.yaml", &package("a.b.c", "1.0.0")),
        ("a/packages/2.yaml", &package("a.b.c", "v1.2.3")),
    ]);
    let error =
        PackageDirectory::read_all(root.path(), "a").expect("a package").check(false).expect_err("it is refused");
    assert_eq!(error.message(), "kapp-controller will refuse the Packages of a");
    let cause = "a/packages/2.yaml: spec.version: `v1.2.3` is not a semantic version such as `1.2.3`; write `1.2.3`";
    assert_eq!(error.causes(), [cause]);
    assert_eq!(error.hints(), ["write spec.version: 1.2.3 in a/packages/2.yaml, commit and push"]);
}

#[test]
fn a_package_that_is_there_twice_is_refused() {
    let root = repository(&[
        ("a/packages/1.yaml", &package("a.b.c", "1.0.0")),
        ("a/packages/copy.yaml", &package("a.b.c", "1.0.0")),
    ]);
    let read = PackageDirectory::read_all(root.path(), "a").expect("a package");
    insta::assert_snapshot!(read.check(false).expect_err("it is refused"), @"Flux cannot build the Packages of a: Package a.b.c.1.0.0 is in a/packages/1.yaml and in a/packages/copy.yaml");
}

#[test]
fn lists_anchors_and_json_are_read_as_flux_does() {
    let item = package("a.b.c", "1.0.0").replace('\n', "\n    ");
    let list = format!("apiVersion: v1\nkind: List\nitems:\n  - {}\n", item.trim_end());
    let anchors = "apiVersion: data.packaging.carvel.dev/v1alpha1\nkind: Package\nmetadata: {name: &name a.b.c.2.0.0}\n\
                   common: &common {refName: a.b.c}\nspec:\n  <<: *common\n  version: 2.0.0\n  releaseNotes: *name\n";
    let json = "{\n\t\"apiVersion\": \"data.packaging.carvel.dev/v1alpha1\",\n\t\"kind\": \"Package\",\n\t\"metadata\": {\"name\": \"a.b.c.3.0.0\"},\n\t\"spec\": {\"refName\": \"a.b.c\", \"version\": \"3.0.0\"}\n}\n";
    let root = repository(&[("a/packages/1.yaml", &list), ("a/packages/2.yaml", anchors), ("a/packages/3.yaml", json)]);
    let read = PackageDirectory::read_all(root.path(), "a").expect("a package");
    let names: Vec<&str> = read.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(names, ["a.b.c.1.0.0", "a.b.c.2.0.0", "a.b.c.3.0.0"]);
    read.check(false).expect("nothing is refused");
    assert!(read.others.is_empty() && !read.has_metadata, "{read:?}");
}

#[test]
fn what_a_kustomization_file_builds_is_not_judged() {
    let files = [
        ("a/packages/1.yaml", package("a.b.c", "v1.2.3")),
        ("a/packages/2.yaml", package("a.b.c", "1.0.0").replace("{type: object}", "{description: '${TEXT}'}")),
        ("a/packages/Kustomization", "resources: [1.yaml]\n".to_owned()),
        ("b/packages/kustomization.yml", "resources: [../../a/packages]\n".to_owned()),
    ];
    let root = repository(&files.each_ref().map(|(path, text)| (*path, text.as_str())));
    let read = PackageDirectory::read_all(root.path(), "a").expect("a package");
    assert!(read.is_built());
    assert_eq!(read.with_variables, ["a/packages/2.yaml"]);
    read.check(false).expect("a patch may correct it");
    let error = PackageDirectory::read_all(root.path(), "b").expect_err("no Package can be read");
    let cause = "what Flux builds with b/packages/kustomization.yml cannot be told from here";
    assert_eq!(error.causes(), [cause]);
}
