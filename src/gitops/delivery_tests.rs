//! Tests of [`super`] on the files of the guide.

use std::fs;

use super::*;
use crate::gitops::install::{PackageInstallSpec, update_package_install};
use crate::gitops::values::{values_secret, values_secret_name};

const INSTALL: &str = "\
# by hand
apiVersion: packaging.carvel.dev/v1alpha1
kind: PackageInstall
metadata:
  name: hello-app
spec:
  serviceAccountName: default-ns-sa
  packageRef:
    refName: hello-app.mycompany.com
    versionSelection:
      constraints: 1.0.0
  values:
  - secretRef:
      name: hello-app-values
";

const PARAMS: &str = "\
---
apiVersion: v1
kind: Secret
metadata:
  name: hello-app-values
stringData:
  values.yml: |
    ---
    replicas: 2
data:
  extra.yml: cG9ydDogMQo=
  binary: /w==
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: other
";

fn directory(files: &[(&str, &str)]) -> Result<RunClusterDirectory> {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("hello/prod1")).unwrap();
    fs::create_dir_all(root.path().join("hello/packages")).unwrap();
    for (name, text) in files {
        fs::write(root.path().join("hello/prod1").join(name), text).unwrap();
    }
    RunClusterDirectory::read(root.path(), "hello/", "prod1")
}

fn content(change: &FileChange) -> Option<&str> {
    change.content.as_ref().map(ExposeSecret::expose_secret)
}

fn spec(directory: &RunClusterDirectory, values_secret: &str) -> PackageInstallSpec {
    let install = directory.install.as_ref().unwrap();
    PackageInstallSpec {
        name: install.name.clone(),
        service_account: install.service_account.clone().unwrap(),
        ref_name: install.ref_name.clone().unwrap(),
        constraints: install.constraints.clone().unwrap(),
        values_secret: Some(values_secret.to_owned()),
        prereleases: install.prereleases,
        ..PackageInstallSpec::default()
    }
}

#[test]
fn reads_the_files_of_the_guide() {
    let read = directory(&[("packageinstall.yaml", INSTALL), ("params.yaml", PARAMS), ("notes.txt", "x")]).unwrap();
    let install = read.install.as_ref().unwrap();
    assert_eq!((install.file.as_str(), install.name.as_str()), ("hello/prod1/packageinstall.yaml", "hello-app"));
    assert_eq!(install.constraints.as_deref(), Some("1.0.0"));
    assert_eq!(install.values_secrets, ["hello-app-values"]);
    let [secret] = read.secrets.as_slice() else { panic!("{read:?}") };
    assert_eq!(secret.contents["values.yml"].expose_secret(), "---\nreplicas: 2\n");
    assert_eq!(secret.contents["extra.yml"].expose_secret(), "port: 1\n");
    assert_eq!(secret.contents.len(), 2);
    assert!(!secret.encrypted && read.kustomization.is_none());
    assert!(!format!("{read:?}").contains("replicas"));
}

#[test]
fn a_missing_directory_is_empty_and_a_wrong_one_is_refused() {
    let read = directory(&[]).unwrap();
    assert!(read.install.is_none() && read.secrets.is_empty() && read.files.is_empty());
    let error = directory(&[("a.yaml", INSTALL), ("b.yaml", INSTALL)]).unwrap_err();
    assert!(error.message().contains("several PackageInstalls, and not exactly one of the package"), "{error}");
    let error = directory(&[("params.yaml", "a: hunter2: x\n")]).unwrap_err();
    assert_eq!(error.message(), "hello/prod1/params.yaml is not valid YAML at line 1, column 11");
    assert!(!format!("{error:?}").contains("hunter2"));
    for name in ["packages", "../x", "", "a/b", ".git"] {
        assert!(RunClusterDirectory::read(Path::new("/nowhere"), "hello", name).is_err(), "{name}");
    }
}

/// A version of the package, whose reference name is not that of its directory.
const PACKAGE: &str = "\
apiVersion: data.packaging.carvel.dev/v1alpha1
kind: Package
metadata: {name: hello-app.mycompany.com.1.0.0}
spec: {refName: hello-app.mycompany.com, version: 1.0.0}
";

#[test]
fn of_several_installs_the_packages_own_is_changed_and_the_others_stay() {
    let other =
        INSTALL.replace("name: hello-app\n", "name: database\n").replace("hello-app.mycompany", "database.other");
    let both = format!("{other}---\n{INSTALL}");
    let files = [("../packages/1.0.0.yaml", PACKAGE), ("all.yaml", both.as_str()), ("params.yaml", PARAMS)];
    let before = directory(&files).unwrap();
    assert_eq!(before.install.as_ref().map(|install| install.name.as_str()), Some("hello-app"));
    let others: Vec<&str> = before.other_installs.iter().map(|install| install.name.as_str()).collect();
    assert_eq!(others, ["database"]);
    let mut wanted = spec(&before, "hello-app-values");
    wanted.constraints = "2.0.0".to_owned();
    let install = update_package_install(&before.install.as_ref().unwrap().document, &wanted);
    let files = before.with_delivery(&install, None).unwrap();
    let [all] = files.changes.as_slice() else { panic!("{files:?}") };
    let changed = INSTALL.replace("constraints: 1.0.0", "constraints: \"2.0.0\"");
    assert_eq!(content(all), Some(format!("{other}---\n{changed}").as_str()));

    // Two of the same package may both be meant.
    let second = INSTALL.replace("name: hello-app\n", "name: again\n");
    let twice = format!("{both}---\n{second}");
    let error = directory(&[("../packages/1.0.0.yaml", PACKAGE), ("all.yaml", twice.as_str())]).unwrap_err();
    let expected = "hello-app in hello/prod1/all.yaml installs hello-app.mycompany.com, again in";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn a_first_delivery_writes_both_files() {
    let install = crate::gitops::install::package_install(&spec(&directory(&[("i.yaml", INSTALL)]).unwrap(), "v"));
    let files = directory(&[]).unwrap().with_delivery(&install, Some(&values_secret("v", &"a: 1\n".into()))).unwrap();
    let changes = files.changes;
    let paths: Vec<_> = changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(paths, ["hello/prod1/packageinstall.yaml", "hello/prod1/params.yaml"]);
    assert!(content(&changes[1]).unwrap().ends_with("  values.yml: |\n    a: 1\n"));
}

#[test]
fn new_values_replace_the_old_and_keep_all_else() {
    let name = |values: &str| values_secret_name("hello", &values.into()).unwrap();
    let before = directory(&[("all.yaml", &format!("{INSTALL}{PARAMS}"))]).unwrap();
    let install = update_package_install(&before.install.as_ref().unwrap().document, &spec(&before, &name("a: 1\n")));
    let files = before.with_delivery(&install, Some(&values_secret(&name("a: 1\n"), &"a: 1\n".into()))).unwrap();
    let [all, params] = files.changes.as_slice() else { panic!("{files:?}") };
    let added = format!("  - secretRef:\n      name: {}\n", name("a: 1\n"));
    assert_eq!(content(all), Some(format!("{INSTALL}{added}{PARAMS}").as_str()));

    let labelled =
        content(params).unwrap().replace("stringData:", "  labels: {team: a} # ours\nstringData: # all of it");
    let after = directory(&[("all.yaml", content(all).unwrap()), ("params.yaml", &labelled)]).unwrap();
    let install = &after.install.as_ref().unwrap().document;
    let unchanged = after.with_delivery(install, Some(&values_secret(&name("a: 1\n"), &"a: 1\n".into()))).unwrap();
    assert!(unchanged.changes.is_empty());
    let next = update_package_install(install, &spec(&after, &name("a: 2\n")));
    let files = after.with_delivery(&next, Some(&values_secret(&name("a: 2\n"), &"a: 2\n".into()))).unwrap();
    assert!(files.rewritten.is_empty());
    let [all_next, params] = files.changes.as_slice() else { panic!("{files:?}") };
    let renamed = |text: &str| text.replace(&name("a: 1\n"), &name("a: 2\n"));
    assert_eq!(content(all_next), Some(renamed(content(all).unwrap()).as_str()));
    assert_eq!(content(params), Some(renamed(&labelled).replace("a: 1", "a: 2").as_str()));
}

#[test]
fn files_keep_what_is_not_changed_of_them() {
    let read = directory(&[("packageinstall.yaml", INSTALL), ("params.yaml", PARAMS)]).unwrap();
    let install = &read.install.as_ref().unwrap().document;
    assert!(read.with_delivery(install, None).unwrap().changes.is_empty());
    let wanted = update_package_install(
        install,
        &PackageInstallSpec { constraints: ">=2.0.0".to_owned(), ..spec(&read, "hello-app-values") },
    );
    let files = read.with_delivery(&wanted, None).unwrap();
    let [change] = files.changes.as_slice() else { panic!("{files:?}") };
    assert_eq!(content(change), Some(INSTALL.replace("1.0.0", "\">=2.0.0\"").as_str()));
}

#[test]
fn a_file_that_cannot_be_changed_in_place_is_named() {
    let anchored = INSTALL.replace("    versionSelection:\n", "    versionSelection:\n      <<: {prereleases: {}}\n");
    let read = directory(&[("packageinstall.yaml", &anchored)]).unwrap();
    let wanted = update_package_install(
        &read.install.as_ref().unwrap().document,
        &PackageInstallSpec { prereleases: false, ..spec(&read, "hello-app-values") },
    );
    let files = read.with_delivery(&wanted, None).unwrap();
    assert_eq!(files.rewritten, ["hello/prod1/packageinstall.yaml"]);
    assert!(!content(&files.changes[0]).unwrap().contains("by hand"));
}

#[test]
fn encrypted_secrets_are_recognised() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: v}\ndata: {values.yml: 'ENC[AES256_GCM,data:x]'}\nsops: {version: 3.9.0}\n";
    let read = directory(&[("params.yaml", text)]).unwrap();
    assert!(read.secrets[0].encrypted);
    assert_eq!(read.secrets[0].contents["values.yml"].expose_secret(), "ENC[AES256_GCM,data:x]");
}

#[test]
fn what_flux_applies_of_the_directory_is_what_is_looked_at() {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("deep/er/packageinstall.yml", INSTALL),
        (".hidden.yaml", PARAMS),
        ("account.yaml", "apiVersion: v1\nkind: ServiceAccount\n"),
        ("not-applied.json", "{\"kind\": \"ConfigMap\"}"),
        ("overlay/Kustomization", "resources: [x.yaml]\n"),
        ("overlay/x.yaml", "apiVersion: v1\nkind: ConfigMap\n"),
    ] {
        let path = root.path().join("app/prod1").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let read = RunClusterDirectory::read(root.path(), "app", "prod1").unwrap();
    assert_eq!(read.install.map(|install| install.file).as_deref(), Some("app/prod1/deep/er/packageinstall.yml"));
    assert_eq!(read.secrets.len(), 1);
    let others: Vec<String> = read.others.iter().map(ToString::to_string).collect();
    let held = ["app/prod1/.hidden.yaml holds a ConfigMap", "app/prod1/account.yaml holds a ServiceAccount"];
    assert_eq!(others, held);
    assert_eq!(read.kustomization, None);
    fs::write(root.path().join("app/prod1/Kustomization"), "resources: []\n").unwrap();
    let read = RunClusterDirectory::read(root.path(), "app", "prod1").unwrap();
    assert_eq!(read.kustomization.as_deref(), Some("app/prod1/Kustomization"));
}
