//! What a GitOps repository may hold beside Packages: what Flux applies of it is what is looked at.

use serde_json::Value;
use testbed::Testbed;

use crate::Test;
use crate::support::{INSTALL_FILE, INSTALLS, PACKAGE, PACKAGES, User, VERSION};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("repository::package_metadata_beside_the_packages", metadata),
    ("repository::package_metadata_that_comes_later", later_metadata),
    ("repository::kinds_that_no_delivery_should_hold", other_kinds),
    ("repository::names_with_spaces_and_other_letters", names),
    ("repository::packages_that_kapp_controller_refuses", refused_packages),
    ("repository::files_as_people_write_them", written_files),
    ("repository::variables_and_kustomization_files", variables),
    ("repository::versions_that_are_variables", variable_versions),
];

const METADATA_FILE: &str = "hello-app.default.tap/packages/metadata.yml";

/// As `kctrl package release` writes it.
const METADATA: &str = "apiVersion: data.packaging.carvel.dev/v1alpha1
kind: PackageMetadata
metadata:
  creationTimestamp: null
  name: hello-app.default.tap
spec:
  displayName: hello-app
  longDescription: says hello
  shortDescription: says hello
";

fn commit(user: &User<'_>, path: &str, content: &str) {
    user.workspace.repository().commit(&[(path, Some(content))], &format!("Write {path}")).expect("a commit");
}

fn package_file(user: &User<'_>) -> String {
    let file = format!("{PACKAGE}/packages/{VERSION}.yaml");
    user.workspace.repository().read(&file).expect("Git").expect("a Package")
}

fn metadata(testbed: &Testbed) {
    let user = User::new(testbed, "metadata");
    commit(&user, METADATA_FILE, METADATA);
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0).says("ready");
    let applied = user.get("prod1", user.workspace.target_namespace(), "packagemetadata", PACKAGE);
    assert_eq!(applied["spec"]["displayName"], "hello-app");
    user.run(&["check", "prod1"]).expect_code(0);
    let target = user.workspace.target_namespace();
    user.run(&["remove-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--yes"]).expect_code(0);
    assert_eq!(user.get("prod1", target, "packagemetadata", PACKAGE), Value::Null);
}

fn later_metadata(testbed: &Testbed) {
    let user = User::delivered(testbed, "later");
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    commit(&user, METADATA_FILE, METADATA);
    let command = format!(
        "kubectl carvelflux add-cluster prod1 --package {PACKAGE} -n {build} --target-namespace {target} --run-context CONTEXT"
    );
    user.run(&["wait", "--timeout", "2m"]).expect_code(1).says("packagemetadatas").says(&command);
    // The command as it is told.
    let arguments = command.replace("CONTEXT", "prod1").replace("kubectl carvelflux ", "") + " --yes";
    user.run(&arguments.split(' ').collect::<Vec<_>>()).expect_code(0).says("ready");
    assert_ne!(user.get("prod1", target, "packagemetadata", PACKAGE), Value::Null);

    // Other deliveries share the Role: what it allows stays.
    user.workspace.repository().commit(&[(METADATA_FILE, None)], "Remove the metadata").expect("a commit");
    user.add_cluster("prod1").expect_code(0).does_not_say("Role");
    let role = user.get("prod1", target, "role", &format!("{build}-prod1-deployer"));
    assert!(role["rules"].to_string().contains("packagemetadatas"), "{role}");
}

fn other_kinds(testbed: &Testbed) {
    let user = User::new(testbed, "kinds-of-objects");
    user.bootstrap().expect_code(0);
    let packages = format!("{PACKAGE}/packages/settings.yaml");
    let installs = format!("{PACKAGE}/prod1/account.yaml");
    commit(&user, &packages, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n");
    commit(&user, &installs, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: account}\n");
    let before = user.state();
    user.add_cluster("prod1")
        .expect_code(1)
        .says(&format!("the directories of {PACKAGE} hold objects that no delivery should"))
        .says(&format!("{packages} holds a ConfigMap"))
        .says(&format!("{installs} holds a ServiceAccount"));
    assert_eq!(before, user.state());
}

fn names(testbed: &Testbed) {
    let user = User::new(testbed, "letters");
    let repository = user.workspace.repository();
    let package = package_file(&user);
    let directory = format!("Büro 1/{PACKAGE}");
    commit(&user, &format!("{directory}/packages/größer/Version eins.yaml"), &package);
    let url = repository.url();
    user.run(&["bootstrap", &directory, "--git-url", url, "--branch", "main", "--yes"]).expect_code(0);
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    let at = arguments.iter().position(|argument| *argument == "--package").expect("the flag is given") + 1;
    arguments[at] = &directory;
    user.run(&arguments).expect_code(0).says("ready");
    user.run(&arguments).expect_code(0).says("nothing to change");
    let remove = ["remove-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--yes"];
    user.run(&remove).expect_code(0);
    let left = repository.files().expect("Git").into_iter().filter(|file| file.contains("/prod1/"));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
}

fn refused_packages(testbed: &Testbed) {
    let user = User::new(testbed, "refused-packages");
    user.bootstrap().expect_code(0);
    let text = package_file(&user);
    let file = format!("{PACKAGE}/packages/new.yaml");
    for (content, what, correction) in [
        (
            text.replace(VERSION, "v1.2.3"),
            "spec.version: `v1.2.3` is not a semantic version",
            "write spec.version: 1.2.3",
        ),
        (text.replacen(VERSION, "1.2.3", 1), "metadata.name", VERSION),
    ] {
        commit(&user, &file, &content);
        let before = user.state();
        user.add_cluster("prod1")
            .expect_code(1)
            .says(&format!("kapp-controller will refuse the Packages of {PACKAGE}"))
            .says(&file)
            .says(what)
            .says(correction);
        assert_eq!(before, user.state());
    }
}

/// Versions in a file with a byte order mark and Windows' line ends, one of JSON, and one with anchors.
fn written_files(testbed: &Testbed) {
    let user = User::new(testbed, "written-files");
    user.bootstrap().expect_code(0);
    let text = package_file(&user);
    let json: Value = serde_yaml::from_str(&text.replace(VERSION, "20990101000000.1.0")).expect("a Package");
    let anchors = text.replace(VERSION, "20990101000000.2.0");
    let anchors = anchors.replacen("metadata:\n", "metadata:\n  annotations: {one: &text fake, two: *text}\n", 1);
    assert!(anchors.contains("&text"), "{anchors}");
    let of = |name: &str| format!("{PACKAGE}/packages/{name}.yaml");
    commit(&user, &of(VERSION), &format!("\u{feff}{}", text.replace('\n', "\r\n")));
    commit(&user, &of("json"), &format!("{json:#}"));
    commit(&user, &of("anchors"), &anchors);
    for (constraint, version) in [("20990101000000.1.0", "20990101000000.1.0"), (">=0.0.0", "20990101000000.2.0")] {
        let arguments = user.add_cluster_arguments("prod1", "prod1");
        user.run(&[&arguments[..], &["--version-constraints", constraint]].concat()).expect_code(0).says("ready");
        let install = user.get("prod1", user.workspace.target_namespace(), "packageinstall", PACKAGE);
        assert_eq!(install["status"]["version"], version);
    }
    let first = format!("{PACKAGE}.{VERSION}");
    assert_ne!(user.get("prod1", user.workspace.target_namespace(), "package", &first), Value::Null);
}

fn variables(testbed: &Testbed) {
    let user = User::delivered(testbed, "variables");
    let head = user.edit(INSTALL_FILE, |text| text.replace(">=0.0.0", ">=${LOWEST}"));
    user.add_cluster("prod1").expect_code(2).says("`>=${LOWEST}` holds a variable").says("postBuild");
    assert_eq!(head, user.workspace.repository().head().expect("Git"));
    let patch = r#"{"spec":{"postBuild":{"substitute":{"LOWEST":"1.0.0"}}}}"#;
    user.build(&["patch", "kustomization", INSTALLS, "--type=merge", "-p", patch]);
    commit(&user, &format!("{PACKAGE}/packages/kustomization.yaml"), &format!("resources:\n- {VERSION}.yaml\n"));
    user.add_cluster("prod1")
        .expect_code(0)
        .says("what Flux makes of the variables in")
        .says(INSTALL_FILE)
        .says(&format!("what Flux builds with {PACKAGE}/packages/kustomization.yaml cannot be told from here"))
        .says("ready");
    let install = user.get("prod1", user.workspace.target_namespace(), "packageinstall", PACKAGE);
    assert_eq!(install["spec"]["packageRef"]["versionSelection"]["constraints"], ">=1.0.0");
}

fn variable_versions(testbed: &Testbed) {
    let user = User::delivered(testbed, "versions");
    let file = format!("{PACKAGE}/packages/{VERSION}.yaml");
    let head = user.edit(&file, |text| text.replace(VERSION, "${NUMBER}"));
    user.add_cluster("prod1").expect_code(1).says("kapp-controller will refuse the Packages").says("${NUMBER}");
    assert_eq!(head, user.workspace.repository().head().expect("Git"));
    let patch = format!(r#"{{"spec":{{"postBuild":{{"substitute":{{"NUMBER":"{VERSION}"}}}}}}}}"#);
    user.build(&["patch", "kustomization", PACKAGES, "--type=merge", "-p", &patch]);
    user.add_cluster("prod1").expect_code(0).says("what Flux makes of the variables in").says("ready");
}
