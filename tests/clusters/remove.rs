//! `remove-cluster`: what it deletes, what it leaves, and that nothing is left behind.

pub(crate) mod forced;
pub(crate) mod identities;
pub(crate) mod interruption;

use testbed::{PackageVersion, Testbed};

use crate::Test;
use crate::support::{INSTALL_FILE, INSTALLS, Output, PACKAGE, PACKAGES, User, VALUES_FILE, VERSION};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("remove::leaves_nothing_behind_and_adding_again_works", leaves_nothing_behind),
    ("remove::one_of_two_packages", one_of_two_packages),
    ("remove::one_of_two_run_clusters_without_git", one_of_two_run_clusters),
    ("remove::what_flux_would_leave_behind_is_refused", refusals),
    ("remove::the_application_runs_on", application_runs_on),
    ("remove::a_delivery_made_by_hand", made_by_hand),
    ("remove::kustomizations_deleted_by_hand", deleted_by_hand),
    ("remove::what_others_use_stays", used_by_others),
    ("remove::shared_packages_stay", shared_packages),
    ("remove::forced_although_the_run_cluster_lives", forced_by_mistake),
];

/// A second package of the same repository.
const OTHER: &str = "other-app.default.tap";

/// Delivers to `prod1`.
fn delivered<'a>(testbed: &'a Testbed, name: &str) -> User<'a> {
    let user = User::new(testbed, name);
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    user
}

/// Runs `remove-cluster prod1` with everything it needs, and more.
fn remove(user: &User<'_>, more: &[&str]) -> Output {
    user.run(&[&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"], more].concat())
}

/// Lists everything of a delivery and of its application that is still there.
fn rest(user: &User<'_>) -> Vec<String> {
    let mut rest = user.everything();
    let ours = |name: &&str| *name != "configmap/kube-root-ca.crt";
    let kinds = "apps,packages,deployments,services,ingresses,configmaps";
    rest.extend(user.target(&["get", kinds, "-o", "name"]).lines().filter(ours).map(str::to_owned));
    let names = user.build(&["get", "configmaps,serviceaccounts", "-o", "name"]);
    rest.extend(names.lines().filter(ours).map(|name| format!("build {name}")));
    rest
}

/// Asserts that nothing else is left, once the garbage collector has been there too.
fn assert_rest(user: &User<'_>, expected: &[String]) {
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let expected = sorted(expected.to_vec());
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while sorted(rest(user)) != expected && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    assert_eq!(sorted(rest(user)), expected);
}

fn leaves_nothing_behind(testbed: &Testbed) {
    let user = User::new(testbed, "remove");
    user.bootstrap().expect_code(0);
    let bootstrapped = rest(&user);
    user.add_cluster("prod1").expect_code(0);
    let output = remove(&user, &[])
        .expect_code(0)
        .says(&format!("PackageInstall {}/{PACKAGE} (version {VERSION}", user.workspace.target_namespace()))
        .says("kapp-controller deletes its ConfigMap, Deployment, Service");
    assert_eq!(output.stdout, format!("{PACKAGE} on prod1  removed\n"), "{output}");
    assert_rest(&user, &bootstrapped);
    let repository = user.workspace.repository();
    for file in [INSTALL_FILE, VALUES_FILE] {
        assert_eq!(repository.read(file).expect("Git"), None, "{file} is still there");
    }
    assert!(repository.read(&format!("{PACKAGE}/packages/{VERSION}.yaml")).expect("Git").is_some(), "{output}");

    remove(&user, &[]).expect_code(2).says("nothing is delivered to a run cluster `prod1`");
    user.add_cluster("prod1").expect_code(0).says("  ready  ");
    let result = remove(&user, &["-o", "json"]).expect_code(0);
    let last: serde_json::Value = serde_json::from_str(result.stdout.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["outcome"], "removed", "{last:#}");
    assert_eq!(last["removal"]["deliveries"][0]["package"], PACKAGE, "{last:#}");
}

/// Delivers a second package to `prod1`, in the same namespace.
fn deliver_other(user: &User<'_>) {
    let repository = user.workspace.repository();
    user.testbed.publish(repository, &PackageVersion::new(OTHER, VERSION)).expect("a package");
    user.run(&["bootstrap", OTHER, "--git-url", repository.url(), "--branch", "main", "--yes"]).expect_code(0);
    user.write("other.yaml", "workload_name: other-app\nreplicas: 1\n");
    let target = user.workspace.target_namespace();
    let place = ["add-cluster", "prod1", "--package", OTHER, "--run-context", "prod1", "--target-namespace", target];
    user.run(&[&place[..], &["--values", "other.yaml", "--yes"]].concat()).expect_code(0);
}

fn one_of_two_packages(testbed: &Testbed) {
    let user = User::new(testbed, "two");
    user.bootstrap().expect_code(0);
    let bootstrapped = rest(&user);
    user.add_cluster("prod1").expect_code(0);
    deliver_other(&user);
    remove(&user, &["--package", PACKAGE])
        .expect_code(0)
        .says("Secret")
        .says(&format!("prod1-kubeconfig stays: Kustomization {OTHER}-prod1-"));
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    assert!(user.get("prod1", target, "deployment", "hello-app").is_null());
    assert!(user.get("prod1", target, "role", &format!("{PACKAGE}-installer")).is_null());
    assert!(!user.get("prod1", target, "role", &format!("{build}-prod1-deployer")).is_null());
    user.run(&["wait"]).expect_code(0).says(&format!("{OTHER} on prod1  ready"));
    assert_eq!(user.get("prod1", target, "deployment", "other-app")["status"]["availableReplicas"], 1);
    // The last delivery takes the deployer and the credential with it.
    remove(&user, &[]).expect_code(0).says(&format!("{OTHER} on prod1  removed"));
    let mut expected = bootstrapped;
    expected.push(format!("build gitrepository.source.toolkit.fluxcd.io/{OTHER}-gitops-repo"));
    expected.push(format!("build secret/{OTHER}-gitops-auth"));
    assert_rest(&user, &expected);
}

fn one_of_two_run_clusters(testbed: &Testbed) {
    let user = delivered(testbed, "clusters");
    user.add_cluster("prod2").expect_code(0);
    let arguments = ["remove-cluster", "prod2", "--run-context", "prod1", "--yes"];
    user.run(&arguments).expect_code(1).says("is not the run cluster that Flux delivers to as `prod2`");
    let before = rest(&user);
    remove(&user, &["--keep-git"]).expect_code(0).says("prod1  removed").does_not_say("pushed");
    assert!(user.workspace.repository().read(INSTALL_FILE).expect("Git").is_some());
    let left = rest(&user);
    let of_prod2 =
        |names: &[String]| -> Vec<String> { names.iter().filter(|name| name.contains("prod2")).cloned().collect() };
    assert_eq!(of_prod2(&left), of_prod2(&before));
    user.run(&["wait"]).expect_code(0).says(&format!("{PACKAGE} on prod2  ready"));
    let deployment = user.get("prod1", user.workspace.target_namespace(), "deployment", "hello-app");
    assert!(deployment.is_null(), "{deployment:#}");
}

fn refusals(testbed: &Testbed) {
    let user = delivered(testbed, "refused");
    let before = rest(&user);
    for (kustomization, patch, undo, says) in [
        (INSTALLS, r#"{"spec": {"suspend": true}}"#, r#"{"spec": {"suspend": false}}"#, "flux resume kustomization"),
        (PACKAGES, r#"{"spec": {"prune": false}}"#, r#"{"spec": {"prune": true}}"#, "has `prune: false`"),
        (
            PACKAGES,
            r#"{"spec": {"deletionPolicy": "Orphan"}}"#,
            r#"{"spec": {"deletionPolicy": null}}"#,
            "has `deletionPolicy: Orphan`",
        ),
    ] {
        user.build(&["patch", "kustomization", kustomization, "--type=merge", "-p", patch]);
        remove(&user, &[]).expect_code(1).says(kustomization).says(says);
        user.build(&["patch", "kustomization", kustomization, "--type=merge", "-p", undo]);
    }
    // Whoever deletes the application, or what Flux applied, must still be able to.
    let installer = format!("{PACKAGE}-installer");
    user.target(&["delete", "serviceaccount", &installer]);
    remove(&user, &[]).expect_code(1).says(&installer).says("--keep-workloads");
    user.add_cluster("prod1").expect_code(0);
    let deployer = format!("{}-prod1-deployer", user.workspace.build_namespace());
    user.target(&["delete", "rolebinding", &deployer]);
    remove(&user, &[]).expect_code(1).says("Flux may not delete secrets").says("add-cluster prod1");
    user.add_cluster("prod1").expect_code(0);
    assert_rest(&user, &before);
    remove(&user, &[]).expect_code(0);
}

fn application_runs_on(testbed: &Testbed) {
    let user = delivered(testbed, "runs-on");
    let target = user.workspace.target_namespace();
    let owned = |kind: &str, name: &str| {
        let object = user.get("prod1", target, kind, name);
        (object["metadata"]["uid"].clone(), object["metadata"]["ownerReferences"].clone(), object["spec"].clone())
    };
    let pods = || user.target(&["get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"]);
    let before = (owned("deployment", "hello-app"), pods());
    assert!(before.0.0.is_string() && !before.1.is_empty(), "{before:?}");
    remove(&user, &["--keep-workloads"]).expect_code(0).says("spec.noopDelete").says("its application runs on");
    assert_eq!((owned("deployment", "hello-app"), pods()), before);
    for kind in ["packageinstalls", "apps", "packages", "roles", "serviceaccounts"] {
        let names = user.target(&["get", kind, "-o", "name"]);
        let left: Vec<&str> = names
            .lines()
            .filter(|name| !["serviceaccount/default", "serviceaccount/platform-engineer"].contains(name))
            .filter(|name| !name.ends_with("/carvelflux-engineer"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
    // Delivered again, the application is taken over as it is.
    user.add_cluster("prod1").expect_code(0);
    assert_eq!(owned("deployment", "hello-app").0, before.0.0);
}

/// Takes everything away by which the plugin knows its own objects, as if a person had followed the guide.
fn made_by_hand(testbed: &Testbed) {
    let user = delivered(testbed, "by-hand");
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let annotations = ["run-cluster-uid-", "deployer-namespace-", "authentication-", "token-secret-"]
        .map(|name| format!("carvelflux.dev/{name}"));
    let arguments: Vec<&str> =
        ["annotate", "secret", "prod1-kubeconfig"].into_iter().chain(annotations.iter().map(String::as_str)).collect();
    user.build(&arguments);
    let owner = ["annotate", "roles,rolebindings,serviceaccounts,secrets", "--all", "carvelflux.dev/build-namespace-"];
    user.target(&owner);
    // Its objects tell the cluster, although its user may not read the UID of kube-system.
    let wrong = ["remove-cluster", "prod1", "--run-context", "prod2", "--yes"];
    user.run(&wrong).expect_code(1).says("is not the run cluster that Flux delivers to as `prod1`");
    remove(&user, &[])
        .expect_code(0)
        .says("prod1-kubeconfig stays: it is not managed by this plugin")
        .says(&format!("ServiceAccount {target}/{PACKAGE}-installer stays: it was not made by this plugin"));
    assert!(user.get("prod1", target, "packageinstall", PACKAGE).is_null());
    assert!(user.get("prod1", target, "deployment", "hello-app").is_null());
    assert!(!user.get("build", build, "secret", "prod1-kubeconfig").is_null());
    assert!(!user.get("prod1", target, "serviceaccount", &format!("{PACKAGE}-installer")).is_null());
    assert!(user.get("build", build, "kustomization", INSTALLS).is_null());
}

fn deleted_by_hand(testbed: &Testbed) {
    let user = User::new(testbed, "halves");
    user.bootstrap().expect_code(0);
    let bootstrapped = rest(&user);
    for named in [false, true] {
        user.add_cluster("prod1").expect_code(0);
        user.build(&["delete", "kustomization", INSTALLS, PACKAGES]);
        // kapp-controller still needs the installer.
        crate::support::eventually("the end of the PackageInstall", || {
            let target = user.workspace.target_namespace();
            user.get("prod1", target, "packageinstall", PACKAGE).is_null().then_some(())
        });
        let more: &[&str] = if named { &["--package", PACKAGE] } else { &[] };
        let output = remove(&user, more).expect_code(0);
        assert_rest(&user, &bootstrapped);
        assert_eq!(output.stderr.contains("pushed"), named, "{output}");
        assert_eq!(output.stderr.contains("may stay: you may not list them all"), !named, "{output}");
        let file = user.workspace.repository().read(INSTALL_FILE).expect("Git");
        assert_eq!(file.is_none(), named, "without its name nobody knows the directory");
    }
    remove(&user, &["--package", "hello-ap.default.tap"]).expect_code(2).says("there is no delivery of hello-ap");
}

/// Makes a Kustomization that does nothing, and needs the credential of `prod1`.
fn suspended_kustomization(user: &User<'_>, name: &str, path: &str, target: &str) {
    let kustomization = serde_json::json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": user.workspace.build_namespace()},
        "spec": {
            "sourceRef": {"kind": "GitRepository", "name": format!("{PACKAGE}-gitops-repo")},
            "path": path,
            "kubeConfig": {"secretRef": {"name": "prod1-kubeconfig"}},
            "targetNamespace": target,
            "interval": "5m",
            "prune": false,
            "suspend": true,
        },
    });
    user.testbed.apply("build", &kustomization.to_string()).expect("kubectl apply");
}

fn shared_packages(testbed: &Testbed) {
    let user = User::new(testbed, "share");
    user.bootstrap().expect_code(0);
    let bootstrapped = rest(&user);
    user.add_cluster("prod1").expect_code(0);
    let target = user.workspace.target_namespace();
    suspended_kustomization(&user, "hello-too", &format!("./{PACKAGE}/prod1-too"), target);
    remove(&user, &["--timeout", "3m"]).expect_code(0).says(&format!("{PACKAGE} on prod1  removed"));
    assert!(user.get("prod1", target, "packageinstall", PACKAGE).is_null());
    assert!(!user.get("build", user.workspace.build_namespace(), "kustomization", PACKAGES).is_null());
    assert!(user.target(&["get", "packages", "-o", "name"]).contains(PACKAGE));
    // The last of both takes them with it.
    user.build(&["delete", "kustomization", "hello-too"]);
    remove(&user, &[]).expect_code(0);
    assert_rest(&user, &bootstrapped);
}

fn used_by_others(testbed: &Testbed) {
    let user = delivered(testbed, "others");
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let installer = format!("{PACKAGE}-installer");
    let install = serde_json::json!({
        "apiVersion": "packaging.carvel.dev/v1alpha1",
        "kind": "PackageInstall",
        "metadata": {"name": "by-hand", "namespace": target},
        "spec": {
            "serviceAccountName": installer,
            "packageRef": {"refName": "none.example.com", "versionSelection": {"constraints": "1.0.0"}},
        },
    });
    testbed.apply("prod1", &install.to_string()).expect("kubectl apply");
    let mistyped = ["remove-cluster", "prod-1", "--package", PACKAGE, "--run-context", "prod1", "--yes"];
    user.run(&mistyped).expect_code(2).says(&format!("nothing of {PACKAGE} is left for a run cluster `prod-1`"));
    suspended_kustomization(&user, "something-else", &format!("./{PACKAGE}/prod1"), "elsewhere");
    remove(&user, &[])
        .expect_code(0)
        .says(&format!("ServiceAccount {target}/{installer} stays: something else deploys with it"))
        .says("prod1-kubeconfig stays: Kustomization something-else uses it")
        .says(&format!("{PACKAGE}/prod1 stays in Git: Kustomization {build}/something-else reads it, too"));
    let deployer = format!("{build}-prod1-deployer");
    for (kind, name) in [("serviceaccount", &installer), ("rolebinding", &installer), ("serviceaccount", &deployer)] {
        assert!(!user.get("prod1", target, kind, name).is_null(), "{kind} {name} is gone");
    }
    assert!(user.get("prod1", target, "rolebinding", &deployer).is_null(), "nothing is delivered there any more");
    assert!(user.workspace.repository().read(INSTALL_FILE).expect("Git").is_some());
    user.target(&["delete", "packageinstall", "by-hand"]);
}

fn forced_by_mistake(testbed: &Testbed) {
    let user = User::new(testbed, "mistake");
    user.bootstrap().expect_code(0);
    let bootstrapped = rest(&user);
    user.add_cluster("prod1").expect_code(0);
    let force = ["remove-cluster", "prod1", "--force", "--yes"];
    user.run(&[&force[..], &["--run-context", "prod1"]].concat()).expect_code(2);
    let deployer = format!("{}/{}-prod1-deployer", user.workspace.target_namespace(), user.workspace.build_namespace());
    user.run(&force)
        .expect_code(0)
        .says("may read these files, too: you may not list its Kustomizations")
        .says(&format!("prod1  orphaned  ServiceAccount {deployer}\n"))
        .says(&format!("prod1  orphaned  Secret {deployer}-token"))
        .says(&format!("prod1  orphaned  Role {deployer}\n"))
        .says("`prod1` still answers: without --force nothing would be left on it")
        .says("prod1  orphaned  PackageInstall");
    let deployment = || user.get("prod1", user.workspace.target_namespace(), "deployment", "hello-app");
    assert!(!deployment().is_null());
    // Added again, what was orphaned has its owner back, and goes.
    user.add_cluster("prod1").expect_code(0);
    remove(&user, &[]).expect_code(0);
    assert!(deployment().is_null());
    assert_rest(&user, &bootstrapped);
}
