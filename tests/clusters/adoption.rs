//! Deliveries that were made by hand after the guide are taken over without touching the application.

use serde_json::{Value, json};
use testbed::{PackageVersion, Testbed};

use crate::Test;
use crate::support::{Output, PACKAGE, User, VERSION, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("adoption::a_delivery_made_after_the_guide_is_taken_over_as_it_runs", after_the_guide),
    ("adoption::of_several_installs_in_a_directory_the_packages_own_is_taken_over", of_several),
    ("adoption::one_that_names_an_account_is_taken_over_in_spite_of_interruptions", with_an_account),
];

/// The names that a person chose: the guide prescribes none of them.
const INSTALL: &str = "hello-app";
const VALUES_SECRET: &str = "hello-app-values";
const INSTALLER: &str = "default-ns-sa";

/// Which of the variants of the guide a person has made.
struct Variant {
    /// The file of the `PackageInstall`, in the directory of the run cluster.
    install_file: &'static str,
    /// The file of the values Secret.
    values_file: &'static str,
    /// Whether Flux impersonates the account of the Kustomizations.
    names_account: bool,
    /// The file with the `PackageInstall` of another package, in the same directory.
    other_file: Option<&'static str>,
}

/// The other package.
const OTHER: &str = "other-app.default.tap";

/// Does by hand what the guide says, and waits until the application runs.
fn deliver_by_hand(user: &User<'_>, variant: &Variant) {
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let view = user.testbed.kubectl("prod1", &["config", "view", "--raw", "--flatten", "--minify", "-o", "json"]);
    let kubeconfig = view.expect("kubectl config view");
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": INSTALLER, "namespace": target}});
    // Flux impersonates the account of that name in the namespace of the Kustomizations, not in the target namespace.
    let subjects =
        [target, build].map(|namespace| json!({"kind": "ServiceAccount", "name": INSTALLER, "namespace": namespace}));
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": INSTALLER, "namespace": target},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": subjects,
    });
    for object in [account, binding] {
        user.testbed.apply("prod1", &object.to_string()).expect("kubectl apply");
    }
    let install = format!(
        "---\napiVersion: packaging.carvel.dev/v1alpha1\nkind: PackageInstall\nmetadata:\n  name: {INSTALL}\nspec:\n  \
         serviceAccountName: {INSTALLER}\n  packageRef:\n    refName: {PACKAGE}\n    versionSelection:\n      \
         constraints: {VERSION}\n  values:\n  - secretRef:\n      name: {VALUES_SECRET}\n"
    );
    let values = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {VALUES_SECRET}\nstringData:\n  values.yml: |\n    ---\n    \
         workload_name: hello-app\n    replicas: 2\n"
    );
    let path = |file: &str| format!("{PACKAGE}/prod1/{file}");
    let other = variant.other_file.map(|file| {
        // Its versions are in the namespace already, however they got there.
        let repository = user.workspace.repository();
        user.testbed.publish(repository, &PackageVersion::new(OTHER, VERSION)).expect("a package");
        let package = repository.read(&format!("{OTHER}/packages/{VERSION}.yaml")).expect("Git").expect("a version");
        let mut package: Value = serde_yaml::from_str(&package).expect("YAML");
        package["metadata"]["namespace"] = json!(target);
        user.testbed.apply("prod1", &package.to_string()).expect("kubectl apply");
        (path(file), format!("{install}{values}").replace("hello-app", "other-app"))
    });
    let (install_file, values_file) = (path(variant.install_file), path(variant.values_file));
    let mut files =
        vec![(install_file.as_str(), Some(install.as_str())), (values_file.as_str(), Some(values.as_str()))];
    files.extend(other.as_ref().map(|(path, text)| (path.as_str(), Some(text.as_str()))));
    user.workspace.repository().commit(&files, "Deliver hello-app to prod1").expect("a commit");

    let repository = user.workspace.repository();
    let metadata = |name: &str| json!({"name": name, "namespace": build});
    let kustomization = |name: &str, directory: &str| {
        let mut kustomization = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": metadata(&format!("{PACKAGE}-prod1-{name}")),
            "spec": {
                "sourceRef": {"kind": "GitRepository", "name": format!("{PACKAGE}-gitops-repo"), "namespace": build},
                "path": format!("./{PACKAGE}/{directory}"),
                "interval": "5m", "timeout": "5m", "prune": true, "wait": true,
                "kubeConfig": {"secretRef": {"name": "prod1-kubeconfig"}},
                "targetNamespace": target,
            },
        });
        if variant.names_account {
            kustomization["spec"]["serviceAccountName"] = json!(INSTALLER);
        }
        kustomization
    };
    let objects = [
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("prod1-kubeconfig"), "stringData": {"value.yaml": kubeconfig}}),
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata(&format!("{PACKAGE}-gitops-auth")), "type": "Opaque",
            "stringData": {"username": repository.username(), "password": repository.password()},
        }),
        json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": metadata(&format!("{PACKAGE}-gitops-repo")),
            "spec": {
                "url": repository.url(), "ignore": "!.git\n", "interval": "30s", "ref": {"branch": "main"}, "timeout": "60s",
                "secretRef": {"name": format!("{PACKAGE}-gitops-auth")},
            },
        }),
        kustomization("packages", "packages"),
        kustomization("packageinstalls", "prod1"),
    ];
    for object in objects {
        user.testbed.apply("build", &object.to_string()).expect("kubectl apply");
    }
    for name in std::iter::once(INSTALL).chain(variant.other_file.map(|_| "other-app")) {
        eventually("the application runs", || {
            let install = user.get("prod1", target, "packageinstall", name);
            let conditions = install["status"]["conditions"].as_array()?;
            conditions.iter().any(|condition| condition["type"] == "ReconcileSucceeded").then_some(())
        });
    }
}

/// Returns what must not change: who the objects of the application are, and how often its workload was changed.
fn application(user: &User<'_>) -> Vec<Value> {
    identity(user, INSTALL)
}

fn identity(user: &User<'_>, name: &str) -> Vec<Value> {
    let target = user.workspace.target_namespace();
    let mut identity = Vec::new();
    for kind in ["packageinstall", "app", "deployment", "service"] {
        let object = user.get("prod1", target, kind, name);
        assert!(object["metadata"]["uid"].is_string(), "{kind} {name} is there");
        identity.push(object["metadata"]["uid"].clone());
        if kind == "deployment" {
            identity.push(object["metadata"]["generation"].clone());
        }
    }
    identity
}

/// Runs `add-cluster` for the delivery.
fn adopt(user: &User<'_>, more: &[&str]) -> Output {
    let common = ["add-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1"];
    let target = ["--target-namespace", user.workspace.target_namespace()];
    user.run(&[&common[..], &target, more].concat())
}

/// The flags that give the delivery narrow identities.
const NARROW: [&str; 5] = ["--auth", "token", "--installer", "server", "--force-conflicts"];

fn after_the_guide(testbed: &Testbed) {
    let user = User::new(testbed, "after-guide");
    let files = Variant {
        install_file: "packageinstall.yaml",
        values_file: "params.yaml",
        names_account: false,
        other_file: None,
    };
    deliver_by_hand(&user, &files);
    let running = application(&user);
    let before = user.state();
    user.run(&["check", "prod1"]).expect_code(0).says("credential: unmanaged");
    adopt(&user, &["--yes"]).expect_code(1).says("give --force-conflicts").says("--diff");
    adopt(&user, &["--diff", "--force-conflicts"])
        .expect_code(1)
        .says("+  healthCheckExprs:")
        .says("+  retryInterval: 1m")
        .says("without it Flux is Ready before the PackageInstall has reconciled");
    assert_eq!(before, user.state());

    // The kubeconfig, the accounts and the files stay as they are.
    let head = user.workspace.repository().head().expect("Git");
    adopt(&user, &["--force-conflicts", "--yes"]).expect_code(0).says("is used as it is").says("ready");
    adopt(&user, &["--yes"]).expect_code(0).says("nothing to change").does_not_say("what was made without this plugin");
    assert_eq!(head, user.workspace.repository().head().expect("Git"));
    assert_eq!(running, application(&user));

    adopt(&user, &["--auth", "token", "--yes"]).expect_code(1).says("revoke what it allows yourself");
    adopt(&user, &[&NARROW[..], &["--yes"]].concat())
        .expect_code(0)
        .says("stays valid until whoever made it revokes it")
        .says("ready");
    assert_eq!(running, application(&user));
    let stored = user.get("build", user.workspace.build_namespace(), "secret", "prod1-kubeconfig");
    assert_eq!(stored["metadata"]["annotations"]["carvelflux.dev/authentication"], "token");
    let install = user.get("prod1", user.workspace.target_namespace(), "packageinstall", INSTALL);
    assert_eq!(install["spec"]["serviceAccountName"], format!("{PACKAGE}-installer"));
    adopt(&user, &["--yes"]).expect_code(0).says("nothing to change");
    user.run(&["rotate", "prod1", "--run-context", "prod1=prod1", "--yes"]).expect_code(0);
    assert_eq!(running, application(&user));
}

fn with_an_account(testbed: &Testbed) {
    let user = User::new(testbed, "guide-account");
    let files =
        Variant { install_file: "hello.yml", values_file: "values/secret.yaml", names_account: true, other_file: None };
    deliver_by_hand(&user, &files);
    let running = application(&user);
    let before = user.state();
    // The account that Flux really impersonates is in a namespace that needs not be there.
    let build = user.workspace.build_namespace();
    adopt(&user, &[&NARROW[..], &["--yes"]].concat())
        .expect_code(1)
        .says(&format!("system:serviceaccount:{build}:{INSTALLER}"))
        .says(&format!("create namespace {build}"));
    assert_eq!(before, user.state());
    user.workspace.allow_impersonation(testbed, "prod1").expect("the permission to grant impersonation");

    // Interrupted after each thing that it does, it does not touch the application.
    let interruptions = (0..30)
        .take_while(|_| is_killed_after_one_step(&user))
        .inspect(|_| assert_eq!(running, application(&user)))
        .count();
    assert!((5..30).contains(&interruptions), "{interruptions} interruptions");
    adopt(&user, &[&NARROW[..], &["--yes"]].concat()).expect_code(0).says("ready");
    assert_eq!(running, application(&user));
}

fn of_several(testbed: &Testbed) {
    let user = User::new(testbed, "guide-several");
    let files = Variant {
        install_file: "hello.yaml",
        values_file: "values.yaml",
        names_account: false,
        // Before the package's own.
        other_file: Some("another.yaml"),
    };
    deliver_by_hand(&user, &files);
    let both = || (application(&user), identity(&user, "other-app"));
    let running = both();
    let other_file = || user.workspace.repository().read(&format!("{PACKAGE}/prod1/another.yaml")).expect("Git");
    let other = other_file().expect("a file");
    let before = user.state();
    adopt(&user, &[&NARROW[..], &["--dry-run"]].concat())
        .expect_code(0)
        .says(&format!("this delivery is PackageInstall {INSTALL} in {PACKAGE}/prod1/hello.yaml"))
        .says(&format!("others stay as they are: PackageInstall other-app in {PACKAGE}/prod1/another.yaml"));
    assert_eq!(before, user.state());

    let interruptions =
        (0..30).take_while(|_| is_killed_after_one_step(&user)).inspect(|_| assert_eq!(running, both())).count();
    assert!((5..30).contains(&interruptions), "{interruptions} interruptions");
    adopt(&user, &[&NARROW[..], &["--yes"]].concat()).expect_code(0).says("ready");
    assert_eq!(running, both());
    assert_eq!(Some(other), other_file(), "the other one's file is as it was");
    let account = |name| user.get("prod1", user.workspace.target_namespace(), "packageinstall", name);
    assert_eq!(account(INSTALL)["spec"]["serviceAccountName"], format!("{PACKAGE}-installer"));
    assert_eq!(account("other-app")["spec"]["serviceAccountName"], INSTALLER);
    adopt(&user, &["--yes"]).expect_code(0).says("nothing to change");
}

/// Kills `add-cluster` as soon as it says that something was done; returns whether there was anything to do.
fn is_killed_after_one_step(user: &User<'_>) -> bool {
    let common = ["add-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--yes"];
    let target = ["--target-namespace", user.workspace.target_namespace()];
    let (mut child, mut lines) = user.start(&[&common[..], &target, &NARROW].concat());
    let is_done = |line: &String| line.starts_with("✔ ") && !line.contains("nothing to change");
    let has_done_something = lines.any(|line| is_done(&line));
    child.kill().expect("a signal");
    child.wait().expect("the plugin ends");
    has_done_something
}
