//! `--kubeconfig-file`: the guide's own way, with a kubeconfig that the user brings.

use serde_json::{Value, json};
use testbed::Testbed;

use crate::Test;
use crate::support::{INSTALLS, PACKAGE, User, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("kubeconfig_file::delivers_is_replaced_and_deletes", delivers_is_replaced_and_deletes),
    ("kubeconfig_file::what_flux_cannot_use_is_refused", what_flux_cannot_use),
    ("kubeconfig_file::files_are_taken_in_on_request", files_are_taken_in),
    ("kubeconfig_file::another_cluster_is_refused", another_cluster),
    ("kubeconfig_file::missing_permissions_are_named", missing_permissions),
    ("kubeconfig_file::one_made_by_hand_is_taken_over_on_request", made_by_hand),
];

/// Makes the account of the guide in the target namespace, with these rules, and returns a kubeconfig with a token of it.
pub(crate) fn own_kubeconfig(user: &User<'_>, cluster: &str, rules: &Value) -> Value {
    let namespace = user.workspace.target_namespace();
    let metadata = json!({"name": "flux", "namespace": namespace});
    let objects = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "flux"},
            "subjects": [{"kind": "ServiceAccount", "name": "flux", "namespace": namespace}],
        }),
    ];
    for object in objects {
        user.testbed.apply(cluster, &object.to_string()).expect("kubectl apply");
    }
    let token = user.testbed.kubectl(cluster, &["-n", namespace, "create", "token", "flux"]).expect("a token");
    let view = user.testbed.kubectl(cluster, &["config", "view", "--raw", "--flatten", "--minify", "-o", "json"]);
    let view: Value = serde_json::from_str(&view.expect("kubectl config view")).expect("JSON");
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "flux",
        "contexts": [{"name": "flux", "context": {"cluster": "run", "user": "flux"}}],
        "clusters": [{"name": "run", "cluster": view["clusters"][0]["cluster"]}],
        "users": [{"name": "flux", "user": {"token": token.trim()}}],
    })
}

/// Returns the rules of the guide.
pub(crate) fn rules_of_the_guide() -> Value {
    let verbs = ["get", "list", "watch", "create", "update", "patch", "delete"];
    json!([
        {"apiGroups": ["data.packaging.carvel.dev"], "resources": ["packages"], "verbs": verbs},
        {"apiGroups": ["packaging.carvel.dev"], "resources": ["packageinstalls"], "verbs": verbs},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": verbs},
        {"apiGroups": ["kappctrl.k14s.io"], "resources": ["apps"], "verbs": ["get", "list", "watch"]},
    ])
}

fn token(kubeconfig: &Value) -> &str {
    kubeconfig["users"][0]["user"]["token"].as_str().expect("a token")
}

/// Returns the arguments of `add-cluster` with a kubeconfig file.
fn with_file<'b>(user: &'b User<'_>, file: &'b str) -> Vec<&'b str> {
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--kubeconfig-file", file]);
    arguments
}

fn bootstrapped<'a>(testbed: &'a Testbed, name: &str) -> User<'a> {
    let user = User::new(testbed, name);
    user.bootstrap().expect_code(0);
    user
}

fn delivers_is_replaced_and_deletes(testbed: &Testbed) {
    let user = bootstrapped(testbed, "own-file");
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let first = own_kubeconfig(&user, "prod1", &rules_of_the_guide());
    user.write("own.yaml", &first.to_string());
    user.run(&with_file(&user, "own.yaml"))
        .expect_code(0)
        .says("created Secret")
        .says("ready")
        .does_not_say("deployer")
        .does_not_say(token(&first));
    let secret = user.get("build", build, "secret", "prod1-kubeconfig");
    assert_eq!(secret["metadata"]["annotations"]["carvelflux.dev/authentication"], "kubeconfig-file");
    let deployer = format!("{build}-prod1-deployer");
    assert_eq!(user.get("prod1", target, "serviceaccount", &deployer), Value::Null, "no deployer is needed");
    user.run(&with_file(&user, "own.yaml")).expect_code(0).says("nothing to change");
    user.add_cluster("prod1").expect_code(0).says("nothing to change");
    let mut with_token = user.add_cluster_arguments("prod1", "prod1");
    with_token.extend(["--auth", "token"]);
    user.run(&with_token).expect_code(1).says("already authenticates with another method: kubeconfig-file");

    let second = own_kubeconfig(&user, "prod1", &rules_of_the_guide());
    assert_ne!(token(&first), token(&second));
    user.run_with_input(&with_file(&user, "-"), &second.to_string())
        .expect_code(0)
        .says("updated Secret")
        .does_not_say(token(&first))
        .does_not_say(token(&second));
    assert_ne!(secret["data"], user.get("build", build, "secret", "prod1-kubeconfig")["data"]);
    user.assert_deleting_prunes();
}

fn what_flux_cannot_use(testbed: &Testbed) {
    let user = bootstrapped(testbed, "unfit");
    let usable = own_kubeconfig(&user, "prod1", &rules_of_the_guide());
    let before = user.state();
    let refused = |edit: &dyn Fn(&mut Value), words: &[&str]| {
        let mut kubeconfig = usable.clone();
        edit(&mut kubeconfig);
        user.write("unfit.yaml", &kubeconfig.to_string());
        let mut output = user.run(&with_file(&user, "unfit.yaml")).expect_code(2).does_not_say(token(&usable));
        for word in words {
            output = output.says(word);
        }
    };
    let exec =
        json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "cloud-login", "interactiveMode": "Never"});
    refused(
        &|kubeconfig| kubeconfig["users"][0]["user"] = json!({"exec": exec}),
        &["no credential that Flux uses", "Flux does not run the plugin"],
    );
    refused(
        &|kubeconfig| kubeconfig["users"][0]["user"]["tokenFile"] = json!("/token"),
        &["since kustomize-controller 1.9.5", "--inline-files"],
    );
    refused(&|kubeconfig| kubeconfig["current-context"] = json!("nowhere"), &["it has no such context"]);
    user.write("unfit.yaml", "- no kubeconfig");
    user.run(&with_file(&user, "unfit.yaml")).expect_code(2).says("a list and no kubeconfig");
    user.run(&with_file(&user, "absent.yaml")).expect_code(2).says("absent.yaml");
    let mut both = with_file(&user, "unfit.yaml");
    both.extend(["--auth", "token"]);
    user.run(&both).expect_code(2).says("cannot be used with");

    let mut revoked = usable;
    revoked["users"][0]["user"]["token"] = json!("fake-token");
    user.write("unfit.yaml", &revoked.to_string());
    user.run(&with_file(&user, "unfit.yaml"))
        .expect_code(1)
        .says("does not work on the run cluster `prod1`")
        .says("Unauthorized")
        .does_not_say("fake-token");
    assert_eq!(before, user.state());
}

fn files_are_taken_in(testbed: &Testbed) {
    let user = bootstrapped(testbed, "inline");
    let mut kubeconfig = own_kubeconfig(&user, "prod1", &rules_of_the_guide());
    user.write("token", &format!("{}\n", token(&kubeconfig)));
    kubeconfig["users"][0]["user"] = json!({"tokenFile": "token"});
    kubeconfig["clusters"].as_array_mut().expect("clusters").push(json!({
        "name": "other", "cluster": {"server": "https://other.example", "certificate-authority": "/absent"},
    }));
    user.write("own.yaml", &kubeconfig.to_string());
    let mut arguments = with_file(&user, "own.yaml");
    arguments.extend(["--inline-files", "--allow-plain-values"]);
    user.run(&arguments).expect_code(0).says("ready").does_not_say("Warning");
}

fn another_cluster(testbed: &Testbed) {
    let user = bootstrapped(testbed, "other-file");
    let other = own_kubeconfig(&user, "prod2", &rules_of_the_guide());
    user.write("own.yaml", &other.to_string());
    let words = "leads to another cluster than the run cluster `prod1`";
    user.run(&with_file(&user, "own.yaml")).expect_code(1).says(words).says("ServiceAccount").does_not_say("✔");

    // With the permission to read kube-system, nothing has to be guessed.
    let reader = format!("{}-reader", user.workspace.target_namespace());
    let account = format!("{}:flux", user.workspace.target_namespace());
    let kubectl = |arguments: &[&str]| testbed.kubectl("prod2", arguments).expect("kubectl");
    kubectl(&["create", "clusterrole", &reader, "--verb=get", "--resource=namespaces"]);
    kubectl(&["create", "clusterrolebinding", &reader, "--clusterrole", &reader, "--serviceaccount", &account]);
    user.run(&with_file(&user, "own.yaml")).expect_code(1).says(words).says("its namespace kube-system has the UID");
    kubectl(&["delete", "clusterrole,clusterrolebinding", &reader]);
}

fn missing_permissions(testbed: &Testbed) {
    let user = bootstrapped(testbed, "may-not");
    let mut rules = rules_of_the_guide();
    rules[1]["verbs"] = json!(["get", "list", "watch"]);
    let kubeconfig = own_kubeconfig(&user, "prod1", &rules);
    user.write("own.yaml", &kubeconfig.to_string());
    user.run(&with_file(&user, "own.yaml"))
        .expect_code(1)
        .says("may not: create packageinstalls.packaging.carvel.dev, patch packageinstalls.packaging.carvel.dev")
        .says(&format!("system:serviceaccount:{}:flux", user.workspace.target_namespace()))
        .does_not_say("✔");

    // What only `wait` needs may be missing: the user's own context takes its place.
    let mut rules = rules_of_the_guide();
    rules.as_array_mut().expect("rules").pop();
    own_kubeconfig(&user, "prod1", &rules);
    // API servers take a moment to see a grant.
    let account = format!("--as=system:serviceaccount:{0}:flux", user.workspace.target_namespace());
    let review = ["-n", user.workspace.target_namespace(), "auth", "can-i", "create", "packageinstalls", &account];
    eventually("the grant", || testbed.kubectl("prod1", &review).ok());
    user.run(&with_file(&user, "own.yaml"))
        .expect_code(0)
        .says("get apps.kappctrl.k14s.io, list apps.kappctrl.k14s.io")
        .says("--run-context")
        .says(&format!("{PACKAGE} on prod1  ready"));
    // A reconcile that has just begun says nothing for a moment.
    eventually("Flux's Ready", || user.flux_ready(INSTALLS).starts_with("True").then_some(()));
}

fn made_by_hand(testbed: &Testbed) {
    let user = bootstrapped(testbed, "by-hand");
    let kubeconfig = own_kubeconfig(&user, "prod1", &rules_of_the_guide());
    let file = user.write("own.yaml", &kubeconfig.to_string());
    let store = |key: &str| {
        user.build(&["delete", "secret", "prod1-kubeconfig", "--ignore-not-found"]);
        let from_file = format!("--from-file={key}={}", file.display());
        user.build(&["create", "secret", "generic", "prod1-kubeconfig", &from_file]);
    };
    store("value.yaml");
    user.add_cluster("prod1")
        .expect_code(0)
        .says("is not managed by this plugin and is used as it is")
        .does_not_say("updated Secret");
    let secret = || user.get("build", user.workspace.build_namespace(), "secret", "prod1-kubeconfig");
    assert_eq!(secret()["metadata"]["annotations"], Value::Null, "it was not taken over");
    // Another token for the same account.
    let other = own_kubeconfig(&user, "prod1", &rules_of_the_guide());
    user.write("own.yaml", &other.to_string());
    user.run(&with_file(&user, "own.yaml")).expect_code(1).says("--force-conflicts").does_not_say("✔");
    let mut forced = with_file(&user, "own.yaml");
    forced.push("--force-conflicts");
    user.run(&forced).expect_code(0).says("updated Secret").does_not_say(token(&other));
    assert_eq!(secret()["metadata"]["annotations"]["carvelflux.dev/authentication"], "kubeconfig-file");

    // Flux would not look at the new key while the old one is there.
    store("value");
    user.run(&forced).expect_code(1).says("Flux would go on using the key `value`").does_not_say("✔");
}
