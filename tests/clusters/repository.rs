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
    let file = format!("{PACKAGE}/packages/{VERSION}.yaml");
    let package = repository.read(&file).expect("Git").expect("a Package");
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
