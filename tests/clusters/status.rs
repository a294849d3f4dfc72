//! `status`, and the ways to say what `wait` waits for.

use std::process::Stdio;

use serde_json::{Value, json};
use testbed::{PackageVersion, Testbed};

use crate::Test;
use crate::support::{PACKAGE, User, VERSION};
use crate::terminal::Terminal;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("status::shows_every_run_cluster_and_hides_nothing", shows_every_run_cluster),
    ("status::a_viewer_without_secrets_names_contexts", viewer_without_secrets),
    ("status::without_apps_nothing_is_called_ready", without_apps_nothing_is_ready),
    ("status::is_redrawn_with_every_change", redrawn_with_every_change),
    ("wait::a_named_commit_must_be_reached", named_commit),
    ("wait::several_at_once_do_not_disturb_each_other", several_at_once),
    ("wait::a_new_credential_is_taken_up", new_credential),
    ("wait::json_ends_with_the_result", json_result),
    ("wait::twenty_deliveries_over_several_namespaces", twenty_deliveries),
];

fn delivered<'a>(testbed: &'a Testbed, name: &str, clusters: &[&str]) -> User<'a> {
    let user = User::new(testbed, name);
    user.bootstrap().expect_code(0);
    for cluster in clusters {
        user.add_cluster(cluster).expect_code(0);
    }
    user
}

fn document(user: &User<'_>, arguments: &[&str]) -> Value {
    let output = user.run(arguments).expect_code(0);
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error} in {output}"))
}

fn shows_every_run_cluster(testbed: &Testbed) {
    let user = delivered(testbed, "status", &["prod1", "prod2"]);
    let status = document(&user, &["status", "-o", "json"]);
    assert_eq!(status["schema"], "carvelflux.status/v1");
    for (index, cluster) in ["prod1", "prod2"].into_iter().enumerate() {
        let delivery = &status["deliveries"][index];
        assert_eq!(delivery["delivery"]["runCluster"], cluster);
        assert_eq!(delivery["outcome"], "ready", "{status}");
        assert_eq!(delivery["versions"]["offered"], json!([VERSION]));
        assert_eq!(delivery["versions"]["selected"], VERSION);
        assert_eq!(delivery["versions"]["installed"], VERSION);
        assert!(delivery["versions"]["lastReconciled"].is_string());
    }
    user.run(&["status"])
        .expect_code(0)
        .says("2 deliveries, all ready")
        .says(&format!("✔ {PACKAGE}  ready  {VERSION}"));
    user.run(&["status", "-o", "wide"]).expect_code(0).says("RUN CLUSTER").says("main@sha1:");
    let yaml: Value = serde_yaml::from_str(&user.run(&["status", "-o", "yaml"]).stdout).expect("YAML");
    assert_eq!(yaml["deliveries"][1]["versions"], status["deliveries"][1]["versions"]);
    let namespace = user.workspace.build_namespace();
    user.run(&["status", "-o", "name", "--run-cluster", "prod2"]).says(&format!("{namespace}/{PACKAGE}/prod2"));
    user.run(&["status", "-A"]).expect_code(1).says("in all namespaces");

    // Nothing listens on the discard port.
    let secret = user.get("build", namespace, "secret", "prod2-kubeconfig");
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "fake-token"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    let manifest = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prod2-kubeconfig", "namespace": namespace},
        "stringData": {"value.yaml": kubeconfig.to_string()},
    });
    assert!(secret.is_object());
    testbed.kubectl("build", &["-n", namespace, "delete", "secret", "prod2-kubeconfig"]).expect("kubectl");
    testbed.apply("build", &manifest.to_string()).expect("kubectl apply");
    user.run(&["status"])
        .expect_code(0)
        .says("unreachable from here")
        .says("Flux's own Ready")
        .says(&format!("✔ {PACKAGE}  ready"))
        .says(&format!("not ready: {PACKAGE} on prod2"))
        .does_not_say("fake-token");
}

/// A role after the guide lets nobody read Apps, and a PackageInstall alone may speak of older values.
fn without_apps_nothing_is_ready(testbed: &Testbed) {
    let user = delivered(testbed, "noapps", &["prod1"]);
    let namespace = user.workspace.target_namespace();
    let name = format!("{}-prod1-deployer", user.workspace.build_namespace());
    let role = user.get("prod1", namespace, "role", &name);
    let rules = role["rules"].as_array().expect("rules");
    let index = rules.iter().position(|rule| rule["resources"] == json!(["apps"])).expect("the rule for Apps");
    let patch = json!([{"op": "remove", "path": format!("/rules/{index}")}]).to_string();
    user.target(&["patch", "role", &name, "--type=json", "-p", &patch]);
    let status = document(&user, &["status", "-o", "json"]);
    let delivery = &status["deliveries"][0];
    assert_eq!(delivery["outcome"], "unknown", "{status}");
    assert_eq!(delivery["versions"]["selected"], VERSION, "{status}");
    let message = delivery["message"].as_str().expect("a message");
    assert!(message.contains("ReconcileSucceeded, which may be about older values"), "{message}");
    assert!(message.contains("cannot list resource \"apps\""), "{message}");
    user.run(&["wait", "--timeout", "3m"]).expect_code(1).says("unknown").says("apps.kappctrl.k14s.io is forbidden");
}

fn redrawn_with_every_change(testbed: &Testbed) {
    let user = delivered(testbed, "redrawn", &["prod1"]);
    let mut terminal = Terminal::start(&user, &["status", "--watch"]);
    terminal.expect("1 delivery, all ready");
    // A change on the run cluster, then one on the build cluster.
    let pause = |paused: bool| {
        let patch = format!(r#"{{"spec":{{"paused":{paused}}}}}"#);
        user.target(&["patch", "packageinstall", PACKAGE, "--type=merge", "-p", &patch]);
    };
    pause(true);
    terminal.expect("it is paused");
    pause(false);
    terminal.expect("1 delivery, all ready");
    user.add_cluster("prod2").expect_code(0);
    terminal.expect("2 deliveries, all ready");
    let screen = terminal.contents();
    assert_eq!(screen.matches("GitRepository ").count(), 1, "it is not drawn in place:\n{screen}");
    terminal.interrupt();
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
}

/// Makes a kubeconfig whose user may read the Flux objects, and no Secret.
fn viewer(testbed: &Testbed, user: &User<'_>) -> String {
    let namespace = user.workspace.build_namespace();
    let manifests = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "viewer", "namespace": namespace}}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "viewer", "namespace": namespace},
            "rules": [{
                "apiGroups": ["source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"],
                "resources": ["gitrepositories", "kustomizations"],
                "verbs": ["get", "list"],
            }],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "viewer", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "viewer"},
            "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": namespace}],
        }),
    ];
    for manifest in manifests {
        testbed.apply("build", &manifest.to_string()).expect("kubectl apply");
    }
    let token = testbed.kubectl("build", &["-n", namespace, "create", "token", "viewer"]).expect("a token");
    let text = std::fs::read_to_string(user.workspace.kubeconfig()).expect("the kubeconfig");
    let mut document: Value = serde_yaml::from_str(&text).expect("YAML");
    let name = document["contexts"]
        .as_array()
        .and_then(|contexts| contexts.iter().find(|context| context["name"] == "build"))
        .map(|context| context["context"]["user"].clone())
        .expect("the build context");
    for entry in document["users"].as_array_mut().expect("users") {
        if entry["name"] == name {
            entry["user"] = json!({"token": token.trim()});
        }
    }
    user.write("viewer.yaml", &document.to_string()).display().to_string()
}

fn viewer_without_secrets(testbed: &Testbed) {
    let user = delivered(testbed, "viewer", &["prod1"]);
    let viewer = viewer(testbed, &user);
    user.run(&["status", "--kubeconfig", &viewer]).expect_code(0).says("? ").says("--run-context prod1=CONTEXT");
    let with_context = ["--kubeconfig", &viewer, "--run-context", "prod1=prod1"];
    user.run(&[&["status"], &with_context[..]].concat()).expect_code(0).says("1 delivery, all ready");
    // The viewer may neither ask Flux to fetch nor watch: both are said, and the wait goes on without.
    user.run(&[&["wait", "--timeout", "3m"], &with_context[..]].concat())
        .expect_code(0)
        .says("is not waited for")
        .says("reading lists every few seconds instead")
        .says("ready");
    user.run(&["wait", "--kubeconfig", &viewer, "--timeout", "3m"]).expect_code(1).says("--run-context prod1=CONTEXT");
}

fn named_commit(testbed: &Testbed) {
    let user = delivered(testbed, "commit", &["prod1"]);
    let path = format!("{PACKAGE}/prod1/params.yaml");
    let commit = user.edit(&path, |text| text.replace("replicas: 2", "replicas: 3"));
    user.run(&["wait", "--revision", &commit, "--timeout", "2m"]).expect_code(0);
    let deployment = user.get("prod1", user.workspace.target_namespace(), "deployment", "hello-app");
    assert_eq!(deployment["spec"]["replicas"], 3);
    user.run(&["wait", "--revision", &commit[..8], "--no-reconcile", "--timeout", "1m"]).expect_code(0);
    let unknown = "0123456789012345678901234567890123456789";
    user.run(&["wait", "--revision", unknown, "--timeout", "10s"]).expect_code(3).says("waiting for commit 0123456789");
    user.run(&["wait", "--revision", "main"]).expect_code(2).says("expected a commit");
}

fn several_at_once(testbed: &Testbed) {
    let user = delivered(testbed, "several", &["prod1", "prod2"]);
    user.edit(&format!("{PACKAGE}/prod1/params.yaml"), |text| text.replace("replicas: 2", "replicas: 3"));
    let waits: Vec<_> = ["prod1", "prod2", "prod1"]
        .into_iter()
        .map(|cluster| {
            let mut command = user.command();
            command.args(["wait", "--run-cluster", cluster, "--timeout", "2m"]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
        })
        .collect();
    for wait in waits {
        let output = wait.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The credential that a wait began with dies under it.
fn new_credential(testbed: &Testbed) {
    let user = delivered(testbed, "renewed", &["prod1"]);
    let path = format!("{PACKAGE}/prod1/params.yaml");
    let commit = user.edit(&path, |text| text.replace("replicas: 2", "replicas: 3"));
    let (mut wait, mut lines) = user.start(&["wait", "--revision", &commit, "--no-reconcile", "--timeout", "3m", "-v"]);
    // What it says of the delivery first it has read with the credential that is about to be replaced.
    let begun = lines.by_ref().find(|line| line.contains(&format!("{PACKAGE} on prod1")));
    user.run(&["rotate", "prod1", "--run-context", "prod1=prod1", "--yes"]).expect_code(0);
    let request = format!("reconcile.fluxcd.io/requestedAt={commit}");
    user.build(&["annotate", "--overwrite", "gitrepository", &format!("{PACKAGE}-gitops-repo"), &request]);
    let said = begun.into_iter().chain(lines).collect::<Vec<String>>().join("\n");
    assert_eq!(wait.wait().expect("it ends").code(), Some(0), "{said}");
    assert!(said.contains("nauthorized"), "the old credential was not refused, so that this proves nothing:\n{said}");
}

fn twenty_deliveries(testbed: &Testbed) {
    let packages = ["fleet-one.default.tap", "fleet-two.default.tap"];
    let users: Vec<User<'_>> = (0..5).map(|number| User::new(testbed, &format!("fleet{number}"))).collect();
    let deliver = |user: &User<'_>, package: &str| {
        let repository = user.workspace.repository();
        testbed.publish(repository, &PackageVersion::new(package, VERSION)).expect("a package");
        let name = package.split('.').next().expect("a name");
        user.write(&format!("{name}.yaml"), &format!("workload_name: {name}\nreplicas: 1\n"));
        user.run(&["bootstrap", package, "--git-url", repository.url(), "--branch", "main", "--yes"]).expect_code(0);
        for cluster in ["prod1", "prod2"] {
            let mut arguments = user.add_cluster_arguments(cluster, cluster);
            let values = format!("{name}.yaml");
            for (flag, value) in [("--package", package), ("--values", &values)] {
                let at = arguments.iter().position(|argument| *argument == flag).expect("the flag is given");
                arguments[at + 1] = value;
            }
            user.run(&arguments).expect_code(0);
        }
    };
    std::thread::scope(|scope| {
        for user in &users {
            scope.spawn(|| packages.iter().for_each(|package| deliver(user, package)));
        }
    });
    // Somebody who may look into all namespaces waits for all of them at once.
    let administrator = testbed.kubeconfig().display().to_string();
    let mut arguments = vec!["wait", "-A", "--kubeconfig", &administrator, "--context", "build", "--timeout", "3m"];
    for package in packages {
        arguments.extend(["--package", package]);
    }
    let output = users[0].run(&arguments).expect_code(0);
    assert_eq!(output.stdout.lines().filter(|line| line.contains("  ready  ")).count(), 20, "{output}");
}

fn json_result(testbed: &Testbed) {
    let user = delivered(testbed, "json", &["prod1"]);
    let output = user.run(&["wait", "-o", "json"]).expect_code(0);
    let lines: Vec<Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON on every line")).collect();
    let result = lines.last().expect("a result");
    assert_eq!((&result["kind"], &result["exitCode"]), (&json!("result"), &json!(0)), "{output}");
    assert_eq!(result["deliveries"][0]["version"], VERSION);
    let output = user.run(&["wait", "-o", "json", "--package", "nothing"]).expect_code(2);
    let last: Value = serde_json::from_str(output.stdout.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["kind"], "error", "{output}");
}
