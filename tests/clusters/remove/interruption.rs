//! Removals that are interrupted, or do not come to an end: the same command goes on.

use std::collections::BTreeSet;
use std::process::{Child, Command};

use testbed::Testbed;

use super::{assert_rest, delivered, remove, rest};
use crate::Test;
use crate::support::{INSTALLS, PACKAGE, PACKAGES, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("remove::killed_after_every_step_it_goes_on", killed_after_every_step),
    ("remove::interrupted_by_ctrl_c_it_goes_on", interrupted),
    ("remove::an_installer_without_rights_is_named", installer_without_rights),
];

pub(crate) const DISRUPTIVE: &[(&str, Test)] =
    &[("remove::flux_stopped", flux_stopped), ("remove::kapp_controller_stopped_on_the_way", kapp_controller_stopped)];

/// Starts the removal, and reads what it says until `stop` says so.
fn start_and_read(user: &User<'_>, more: &[&str], mut stop: impl FnMut(&str) -> bool) -> Child {
    let arguments = [&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"], more].concat();
    let (child, mut lines) = user.start(&arguments);
    lines.any(|line| stop(&line));
    child
}

fn killed_after_every_step(testbed: &Testbed) {
    let user = User::new(testbed, "killed");
    user.bootstrap().expect_code(0);
    let bootstrapped = rest(&user);
    user.add_cluster("prod1").expect_code(0);
    let mut seen = BTreeSet::new();
    loop {
        let mut is_new = false;
        let mut child = start_and_read(&user, &[], |line| {
            is_new = line.starts_with('✔') && seen.insert(line.to_owned());
            is_new
        });
        if !is_new {
            // Killed after its very last step, which it may not have said any more, it has nothing to do.
            let code = child.wait().expect("it ends").code();
            assert!(matches!(code, Some(0 | 2)), "the last run fails with {code:?}; done: {seen:#?}");
            break;
        }
        // SIGKILL.
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
        assert!(seen.len() < 40, "it does not come to an end: {seen:#?}");
    }
    // A step that was done, but not yet said when the kill came, is not among them.
    assert!(seen.len() >= 5, "{seen:#?}");
    assert_rest(&user, &bootstrapped);
    assert_eq!(user.workspace.repository().read(crate::support::INSTALL_FILE).expect("Git"), None);
    user.add_cluster("prod1").expect_code(0);
}

fn interrupted(testbed: &Testbed) {
    let user = User::new(testbed, "ctrl-c");
    user.bootstrap().expect_code(0);
    let bootstrapped = rest(&user);
    user.add_cluster("prod1").expect_code(0);
    let mut child = start_and_read(&user, &[], |line| line.contains("deleted Kustomization"));
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(signalled.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    // Whoever wants it back instead has it back.
    user.add_cluster("prod1").expect_code(0).says("  ready  ");
    let mut child = start_and_read(&user, &[], |line| line.contains("deleted Kustomization"));
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    remove(&user, &[]).expect_code(0).says("prod1  removed");
    assert_rest(&user, &bootstrapped);
}

fn installer_without_rights(testbed: &Testbed) {
    let user = delivered(testbed, "no-rights");
    let target = user.workspace.target_namespace();
    let installer = format!("{PACKAGE}-installer");
    let mut binding = user.get("prod1", target, "rolebinding", &installer);
    user.target(&["delete", "rolebinding", &installer]);
    remove(&user, &["--timeout", "15s"])
        .expect_code(3)
        .says("deletion timed out")
        .says(&format!("PackageInstall {target}/{PACKAGE} on the run cluster"))
        .says("finalizers.packageinstall.packaging.carvel.dev/delete")
        .says("is forbidden")
        .says("the same command completes the rest");
    // Nothing that the deletion still needs is gone.
    assert!(!user.get("prod1", target, "serviceaccount", &installer).is_null());
    assert!(!user.get("build", user.workspace.build_namespace(), "secret", "prod1-kubeconfig").is_null());
    assert!(!user.get("build", user.workspace.build_namespace(), "kustomization", PACKAGES).is_null());
    binding["metadata"] = serde_json::json!({
        "name": installer,
        "namespace": target,
        "labels": binding["metadata"]["labels"],
        "annotations": binding["metadata"]["annotations"],
    });
    testbed.apply("prod1", &binding.to_string()).expect("kubectl apply");
    remove(&user, &[]).expect_code(0).says("prod1  removed");
    assert!(user.get("prod1", target, "rolebinding", &installer).is_null());
}

fn flux_stopped(testbed: &Testbed) {
    let user = delivered(testbed, "no-flux");
    let process = testbed.process("build/kustomize-controller").expect("the process");
    process.stop().expect("it stops");
    remove(&user, &["--timeout", "20s"])
        .expect_code(3)
        .says(INSTALLS)
        .says("finalizers.fluxcd.io")
        .says("is kustomize-controller running?");
    process.start().expect("it starts");
    remove(&user, &[]).expect_code(0).says("prod1  removed");
}

fn kapp_controller_stopped(testbed: &Testbed) {
    let user = delivered(testbed, "no-kapp-delete");
    let process = testbed.process("prod1/kapp-controller").expect("the process");
    let mut child = start_and_read(&user, &["--timeout", "20s"], |line| line.contains("created ConfigMap"));
    process.stop().expect("it stops");
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
    // While it does not answer, nothing more is deleted.
    let before = rest_of_build(&user);
    remove(&user, &[]).expect_code(1).says("is kapp-controller's API server available?");
    assert_eq!(before, rest_of_build(&user));
    process.start().expect("it starts");
    testbed.wait_until_ready("prod1").expect("it becomes ready");
    remove(&user, &[]).expect_code(0).says("prod1  removed");
    assert!(rest(&user).iter().all(|name| !name.contains("hello-app.default.tap-prod1")));
}

fn rest_of_build(user: &User<'_>) -> String {
    user.build(&["get", "kustomizations,secrets,configmaps", "-o", "name"])
}
