//! Who may do what, and who owns what: objects made without the plugin, shards.

use serde_json::{Value, json};
use testbed::{Options, Testbed};

use crate::Test;
use crate::support::{INSTALLS, PACKAGE, PACKAGES, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("privilege::objects_made_by_hand_are_adopted_on_demand", adoption),
    ("privilege::nothing_of_another_build_cluster_is_adopted", another_build_cluster),
    ("privilege::installers_by_kind_of_workload", installer_kinds),
    ("privilege::an_installer_with_rules_from_a_file", role_file),
    ("privilege::an_existing_service_account", existing_account),
    ("privilege::a_target_namespace_is_created_on_demand", created_namespace),
    ("privilege::missing_permissions_are_named_together", missing_permissions),
    ("privilege::advisories", advisories),
];

/// Tests that start a testbed of their own.
pub(crate) const OWN: &[(&str, fn())] = &[("privilege::a_sharded_flux", shards)];

fn guides_kustomization(user: &User<'_>, name: &str, path: &str) -> Value {
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": user.workspace.build_namespace()},
        "spec": {
            "sourceRef": {"kind": "GitRepository", "name": format!("{PACKAGE}-gitops-repo")},
            "path": path,
            "interval": "7m",
            "timeout": "5m",
            "prune": true,
            "targetNamespace": user.workspace.target_namespace(),
            "kubeConfig": {"secretRef": {"name": "prod1-kubeconfig"}},
        },
    })
}

fn adoption(testbed: &Testbed) {
    let user = User::new(testbed, "adoption");
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let repository = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": format!("{PACKAGE}-gitops-repo"), "namespace": build},
        "spec": {
            "url": user.workspace.repository().url(),
            "ref": {"branch": "main"},
            "interval": "7m",
            "timeout": "50s",
        },
    });
    testbed.apply("build", &repository.to_string()).expect("kubectl apply");
    let url = user.workspace.repository().url();
    let mut bootstrap = vec!["bootstrap", PACKAGE, "--git-url", url, "--branch", "main", "--yes"];
    let before = user.state();
    user.run(&bootstrap)
        .expect_code(1)
        .says("`kubectl` manages .spec.interval, .spec.timeout")
        .says("give --force-conflicts");
    assert_eq!(before, user.state());
    bootstrap.push("--force-conflicts");
    user.run(&bootstrap).expect_code(0).says("fetched");
    let adopted = user.get("build", build, "gitrepository", &format!("{PACKAGE}-gitops-repo"));
    assert_eq!(adopted["spec"]["interval"], "30s");

    let installer = format!("{PACKAGE}-installer");
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": installer, "namespace": target},
    });
    testbed.apply("prod1", &account.to_string()).expect("kubectl apply");
    for (name, path) in [(PACKAGES, "packages"), (INSTALLS, "prod1")] {
        let kustomization = guides_kustomization(&user, name, &format!("./{PACKAGE}/{path}"));
        testbed.apply("build", &kustomization.to_string()).expect("kubectl apply");
    }
    let before = user.state();
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    user.run(&arguments)
        .expect_code(1)
        .says("3 checks failed; nothing was changed")
        .says(&format!("ServiceAccount {target}/{installer} on the run cluster `prod1`"))
        .says("it was not made by this plugin")
        .says("`kubectl` manages .spec.interval, .spec.timeout");
    assert_eq!(before, user.state());
    arguments.push("--force-conflicts");
    user.run(&arguments).expect_code(0).says("ready");
    user.run(&user.add_cluster_arguments("prod1", "prod1")).expect_code(0).says("nothing to change");
}

fn another_build_cluster(testbed: &Testbed) {
    let user = User::new(testbed, "another");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let installer = format!("{PACKAGE}-installer");
    user.target(&["annotate", "--overwrite", "role", &installer, "carvelflux.dev/build-cluster-uid=another"]);
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.push("--force-conflicts");
    user.run(&arguments).expect_code(1).says("belongs to another owner").says("with the kube-system UID another");
}

/// Flux's controllers look only at the objects of one shard.
fn shards() {
    let selector = "--watch-label-selector=sharding.fluxcd.io/key in (shard1)";
    let options = Options { run_clusters: 1, flux_arguments: vec![selector.to_owned()], ..Options::default() };
    let testbed = Testbed::start(&options).expect("a testbed");
    let user = User::new(&testbed, "shard");
    let url = user.workspace.repository().url();
    let mut bootstrap = vec!["bootstrap", PACKAGE, "--git-url", url, "--branch", "main", "--yes"];
    user.run(&[&bootstrap[..], &["--timeout", "10s"]].concat())
        .expect_code(3)
        .says("source-controller has never looked at it")
        .says("the labels app.kubernetes.io/managed-by=carvelflux")
        .says("--watch-label-selector")
        .says("--label sharding.fluxcd.io/key=SHARD");
    bootstrap.extend(["--label", "sharding.fluxcd.io/key=shard1"]);
    user.run(&bootstrap).expect_code(0).says("fetched");

    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--label", "sharding.fluxcd.io/key=shard2"]);
    let timed_out = [&arguments[..], &["--timeout", "10s"]].concat();
    user.run(&timed_out)
        .expect_code(3)
        .says("kustomize-controller has never looked at it")
        .says("only the controller of shard shard2 looks at it");
    user.run(&["status"])
        .expect_code(0)
        .says("kustomize-controller has never looked at it")
        .says("is kustomize-controller running");
    let others = (1..=3).map(|number| {
        let mut other = guides_kustomization(&user, &format!("other-{number}"), "./other");
        other["metadata"]["labels"] = json!({"sharding.fluxcd.io/key": "shard2"});
        other.to_string()
    });
    testbed.apply("build", &others.collect::<Vec<_>>().join("\n")).expect("kubectl apply");
    user.run(&["check"])
        .expect_code(1)
        .says("kustomize-controller has never looked at it")
        .says("! Flux's capacity: Flux is busy: 5 unfinished Kustomizations, 4 workers");

    let last = arguments.len() - 1;
    arguments[last] = "sharding.fluxcd.io/key=shard1";
    user.run(&arguments).expect_code(0).says("ready");
    // What an earlier run labelled stays.
    user.run(&user.add_cluster_arguments("prod1", "prod1")).expect_code(0).says("nothing to change");
    user.bootstrap().expect_code(0).says("nothing to change");
}

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [arguments, more].concat()
}

/// Returns the resources that the installer may write, as `group/resource`.
fn writable(user: &User<'_>) -> Vec<String> {
    let role = user.get("prod1", user.workspace.target_namespace(), "role", &format!("{PACKAGE}-installer"));
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut resources: Vec<String> = role["rules"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|rule| texts(&rule["verbs"]).iter().any(|verb| verb == "create"))
        .flat_map(|rule| {
            let group = texts(&rule["apiGroups"]).join(",");
            texts(&rule["resources"]).into_iter().map(move |resource| format!("{group}/{resource}"))
        })
        .collect();
    resources.sort();
    resources
}

fn installer_kinds(testbed: &Testbed) {
    let user = User::new(testbed, "kinds");
    user.bootstrap().expect_code(0);
    let arguments = user.add_cluster_arguments("prod1", "prod1");
    // The package has a Service, which a worker has not.
    user.run(&with(&arguments, &["--installer", "worker", "--timeout", "2m"]))
        .expect_code(1)
        .says("{apiGroups: [\"\"], resources: [\"services\"]");
    assert_eq!(writable(&user), ["/configmaps", "apps/deployments"]);
    let names = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let server = names(&["/configmaps", "/services", "apps/deployments", "networking.k8s.io/ingresses"]);
    user.run(&with(&arguments, &["--installer", "server"])).expect_code(0).says("ready");
    assert_eq!(writable(&user), server);
    user.write("values.yaml", "workload_name: hello-app\nhttp_route: {}\n");
    user.run(&with(&arguments, &["--wait=false"]));
    assert!(writable(&user).contains(&"gateway.networking.k8s.io/httproutes".to_owned()));
    user.write("values.yaml", crate::support::VALUES);
    user.run(&with(&arguments, &["--installer", "web", "--wait=false"]));
    assert_eq!(writable(&user), ["/configmaps", "serving.knative.dev/services"]);
    // Without a flag, what it was made with stays.
    user.run(&with(&arguments, &["--wait=false"])).says("nothing to change");
    assert_eq!(writable(&user), ["/configmaps", "serving.knative.dev/services"]);
    user.run(&with(&arguments, &["--installer", "server", "--installer-service-account", "x"]))
        .expect_code(2)
        .says("cannot be used with");
}

fn role_file(testbed: &Testbed) {
    let user = User::new(testbed, "rules");
    user.bootstrap().expect_code(0);
    let arguments = user.add_cluster_arguments("prod1", "prod1");
    let before = user.state();
    user.write("role.yaml", "kind: Role\nrules: [{apiGroups: [apps], resources: [deployments]}]\n");
    let with_file = with(&arguments, &["--installer-role-file", "role.yaml"]);
    user.run(&with_file)
        .expect_code(2)
        .says("rule 1 of role.yaml cannot be a rule of a Role")
        .says("verbs is missing or empty");
    // Nobody can grant what they do not hold.
    user.write("role.yaml", "- {apiGroups: ['*'], resources: ['*'], verbs: ['*']}\n");
    user.run(&with_file).expect_code(1).says("attempting to grant RBAC permissions not currently held");
    assert_eq!(before, user.state());
    let rules = "kind: ClusterRole\nrules:\n- {apiGroups: [''], resources: [configmaps, services], verbs: [get, list, create, update, delete]}\n- {apiGroups: [apps], resources: [deployments], verbs: [get, list, create, update, delete]}\n";
    user.write("role.yaml", rules);
    user.run(&with_file).expect_code(0).says("ready").does_not_say("wildcards");
    // Standard input can be read only once.
    let from_input = with(&arguments, &["--installer-role-file", "-"]);
    user.run_with_input(&from_input, rules).expect_code(0).says("nothing to change");
    // The file is not needed again.
    user.run(&arguments).expect_code(0).says("nothing to change");
    assert_eq!(writable(&user).len(), 3);
}

fn existing_account(testbed: &Testbed) {
    let user = User::new(testbed, "account");
    user.bootstrap().expect_code(0);
    let arguments = user.add_cluster_arguments("prod1", "prod1");
    let with_account = with(&arguments, &["--installer-service-account", "tenant"]);
    let target = user.workspace.target_namespace();
    let before = user.state();
    user.run(&with_account).expect_code(1).says(&format!("ServiceAccount {target}/tenant does not exist"));
    assert_eq!(before, user.state());
    user.target(&["create", "serviceaccount", "tenant"]);
    user.target(&[
        "create",
        "rolebinding",
        "tenant",
        "--clusterrole=edit",
        &format!("--serviceaccount={target}:tenant"),
    ]);
    user.run(&with_account).expect_code(0).says("ready");
    assert_eq!(user.get("prod1", target, "role", &format!("{PACKAGE}-installer")), Value::Null);
    let install = user.get("prod1", target, "packageinstall", PACKAGE);
    assert_eq!(install["spec"]["serviceAccountName"], "tenant");
    user.run(&arguments).expect_code(0).says("nothing to change");
}

fn created_namespace(testbed: &Testbed) {
    let user = User::new(testbed, "namespace");
    user.bootstrap().expect_code(0);
    let target = user.workspace.target_namespace();
    let new = format!("{target}-new");
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    let at = arguments.iter().position(|argument| *argument == "--target-namespace").expect("the flag is given") + 1;
    arguments[at] = &new;
    user.run(&arguments).expect_code(1).says(&format!("has no namespace `{new}`")).says("--create-namespace");
    arguments.push("--create-namespace");
    user.run(&arguments)
        .expect_code(1)
        .says("in the whole cluster: create, patch namespaces")
        .says("create, delete, get, list, patch, update, watch deployments.apps");
    assert_eq!(user.get("prod1", &new, "namespace", &new), Value::Null);

    // Whoever may create namespaces has rights in all of them.
    let role = user.get("prod1", target, "role", "carvelflux-engineer");
    let mut rules = role["rules"].as_array().cloned().expect("rules");
    rules.push(json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "patch"]}));
    let metadata = json!({"name": format!("creator-{target}")});
    for manifest in [
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("creator-{target}")},
            "subjects": [{"kind": "ServiceAccount", "name": testbed::USER, "namespace": target}],
        }),
    ] {
        testbed.apply("prod1", &manifest.to_string()).expect("kubectl apply");
    }
    user.run(&arguments).expect_code(0).says("ready").says(&format!("created Namespace {new}"));
    let namespace = user.get("prod1", &new, "namespace", &new);
    assert_eq!(namespace["metadata"]["labels"]["app.kubernetes.io/managed-by"], Value::Null);
    user.run(&arguments).expect_code(0).says("nothing to change");
    testbed.kubectl("prod1", &["delete", "namespace", &new, "--wait=false"]).expect("kubectl");
}

/// Takes resources out of the user's Role.
fn take_away(user: &User<'_>, context: &str, namespace: &str, resources: &[&str]) {
    let mut role = user.get(context, namespace, "role", "carvelflux-engineer");
    for rule in role["rules"].as_array_mut().expect("rules") {
        rule["resources"].as_array_mut().expect("resources").retain(|one| !resources.iter().any(|taken| one == taken));
    }
    let rules: Vec<Value> = role["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .filter(|rule| rule["resources"] != json!([]))
        .cloned()
        .collect();
    let patch = json!([{"op": "replace", "path": "/rules", "value": rules}]).to_string();
    let arguments = ["-n", namespace, "patch", "role", "carvelflux-engineer", "--type=json", "-p", &patch];
    user.testbed.kubectl(context, &arguments).expect("kubectl patch");
}

fn missing_permissions(testbed: &Testbed) {
    let user = User::new(testbed, "permissions");
    user.bootstrap().expect_code(0);
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    take_away(&user, "build", build, &["kustomizations"]);
    take_away(&user, "prod1", target, &["serviceaccounts", "rolebindings"]);
    let before = user.state();
    user.add_cluster("prod1")
        .expect_code(1)
        .says("2 checks failed; nothing was changed")
        .says("you may not do everything that this takes on the build cluster (context `build`)")
        .says(&format!("in namespace {build}: create, get, list, patch kustomizations.kustomize.toolkit.fluxcd.io"))
        .says("docs/permissions/build-cluster.yaml")
        .says(&format!("in namespace {target}: create, get, patch rolebindings.rbac.authorization.k8s.io"))
        .says(&format!("in namespace {target}: create, get, patch serviceaccounts"))
        .says("docs/permissions/run-cluster.yaml");
    assert_eq!(before, user.state());
}

fn advisories(testbed: &Testbed) {
    let user = User::new(testbed, "advisories");
    user.bootstrap().expect_code(0);
    let plain = [user.add_cluster_arguments("prod1", "prod1"), vec!["--allow-plain-values"]].concat();
    user.run(&plain).expect_code(0).does_not_say("Warning:");
    let target = user.workspace.target_namespace();
    let uid = testbed
        .kubectl("prod1", &["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"])
        .expect("kubectl");
    user.build(&["create", "secret", "generic", "stage1-kubeconfig"]);
    user.build(&["annotate", "secret", "stage1-kubeconfig", &format!("carvelflux.dev/run-cluster-uid={uid}")]);
    user.target(&["create", "serviceaccount", "boss"]);
    user.target(&[
        "create",
        "rolebinding",
        "boss",
        "--clusterrole=cluster-admin",
        &format!("--serviceaccount={target}:boss"),
    ]);
    user.add_cluster("prod1")
        .expect_code(0)
        .says("prod1 has another name already: Secret")
        .says("stage1-kubeconfig leads to the same cluster")
        .says(&format!("ServiceAccount {target}/boss may do more than a package should in namespace {target}"))
        .says("RoleBinding boss binds cluster-admin")
        .says("nothing to change");
}
