//! `--force`: the run cluster is gone for good.

use testbed::Testbed;

use super::{delivered, remove};
use crate::Test;
use crate::support::{INSTALLS, PACKAGE, PACKAGES, eventually};

pub(crate) const DISRUPTIVE: &[(&str, Test)] = &[("remove::the_run_cluster_is_gone", run_cluster_is_gone)];

fn run_cluster_is_gone(testbed: &Testbed) {
    let user = delivered(testbed, "gone");
    let target = user.workspace.target_namespace().to_owned();
    let everything = || user.build(&["get", "kustomizations,secrets,configmaps,serviceaccounts", "-o", "name"]);
    let before = user.state_in("build");
    let process = testbed.process("prod1/kube-apiserver").expect("the process");
    process.stop().expect("it stops");
    remove(&user, &[]).expect_code(1).says("is not reachable").says("--force clears the build cluster and Git");
    assert_eq!(user.state_in("build"), before);
    // Somebody has tried it with kubectl: Flux tries for ever to delete what it cannot reach.
    let controller = testbed.process("build/kustomize-controller").expect("the process");
    let failures = || {
        let log = std::fs::read_to_string(controller.log()).expect("a log");
        let namespace = user.workspace.build_namespace();
        let is_failure =
            |line: &&str| line.contains("Reconciler error") && line.contains(INSTALLS) && line.contains(namespace);
        log.lines().filter(is_failure).count()
    };
    let failures_before = failures();
    user.build(&["delete", "kustomization", INSTALLS, "--wait=false"]);
    eventually("Flux's failure to delete it", || (failures() > failures_before).then_some(()));
    assert!(everything().contains(INSTALLS));

    let output = user
        .run(&["remove-cluster", "prod1", "--force", "--yes"])
        .expect_code(0)
        .says("everything on the run cluster stays there, without an owner")
        .says(&format!("suspended Kustomization {}/{PACKAGES}", user.workspace.build_namespace()));
    assert!(output.stdout.contains(&format!("prod1  orphaned  PackageInstall {target}/{PACKAGE}\n")), "{output}");
    assert!(output.stdout.contains("prod1  orphaned  Package "), "{output}");
    for name in [INSTALLS, PACKAGES, "prod1-kubeconfig", "prod1-removal"] {
        assert!(!everything().contains(name), "{name} is left: {output}");
    }
    assert_eq!(user.workspace.repository().read(crate::support::INSTALL_FILE).expect("Git"), None);
    process.start().expect("it starts");
    testbed.wait_until_ready("prod1").expect("it becomes ready");
    assert!(!user.get("prod1", &target, "packageinstall", PACKAGE).is_null(), "nobody could delete it");
}
