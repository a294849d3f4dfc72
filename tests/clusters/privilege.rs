//! Who may do what, and who owns what: objects made by hand, shards.

use serde_json::{Value, json};
use testbed::{Options, Testbed};

use crate::Test;
use crate::support::{INSTALLS, PACKAGE, PACKAGES, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("privilege::objects_made_by_hand_are_adopted_on_demand", adoption),
    ("privilege::nothing_of_another_build_cluster_is_adopted", another_build_cluster),
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
    let before = user.everything();
    user.run(&bootstrap)
        .expect_code(1)
        .says("`kubectl` manages .spec.interval, .spec.timeout")
        .says("give --force-conflicts");
    assert_eq!(before, user.everything());
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
    let before = user.everything();
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    user.run(&arguments)
        .expect_code(1)
        .says("3 checks failed; nothing was changed")
        .says(&format!("ServiceAccount {target}/{installer} on the run cluster `prod1`"))
        .says("it was not made by this plugin")
        .says("`kubectl` manages .spec.interval, .spec.timeout");
    assert_eq!(before, user.everything());
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
    user.run(&[&bootstrap[..], &["--timeout", "5s"]].concat())
        .expect_code(3)
        .says("source-controller has never looked at it")
        .says("the labels app.kubernetes.io/managed-by=carvelflux")
        .says("--watch-label-selector")
        .says("--label sharding.fluxcd.io/key=SHARD");
    bootstrap.extend(["--label", "sharding.fluxcd.io/key=shard1"]);
    user.run(&bootstrap).expect_code(0).says("fetched");

    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--label", "sharding.fluxcd.io/key=shard2"]);
    let timed_out = [&arguments[..], &["--timeout", "5s"]].concat();
    user.run(&timed_out)
        .expect_code(3)
        .says("kustomize-controller has never looked at it")
        .says("only the controller of shard shard2 looks at it");
    user.run(&["status"])
        .expect_code(0)
        .says("kustomize-controller has never looked at it")
        .says("is kustomize-controller running");

    let last = arguments.len() - 1;
    arguments[last] = "sharding.fluxcd.io/key=shard1";
    user.run(&arguments).expect_code(0).says("ready");
    // What an earlier run labelled stays.
    user.run(&user.add_cluster_arguments("prod1", "prod1")).expect_code(0).says("nothing to change");
    user.bootstrap().expect_code(0).says("nothing to change");
}
