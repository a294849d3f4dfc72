//! Installs that are paused, canceled, deleted.

use testbed::Testbed;

use super::Scene;
use crate::support::{INSTALL_FILE, INSTALLS, PACKAGE, User, eventually};

fn set(user: &User<'_>, field: &str) {
    user.edit(INSTALL_FILE, |text| text.replace("spec:\n", &format!("spec:\n  {field}: true\n")));
}

pub(super) fn paused<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    set(&user, "paused");
    Scene::of(user)
}

pub(super) fn paused_with_new_values<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    set(&user, "paused");
    user.change_replicas(3);
    Scene::of(user)
}

pub(super) fn canceled<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    set(&user, "canceled");
    Scene::of(user)
}

pub(super) fn canceled_with_new_values<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    set(&user, "canceled");
    user.change_replicas(3);
    Scene::of(user)
}

/// Flux takes back what somebody set with kubectl, so that the new values arrive.
pub(super) fn paused_by_hand<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.target(&["patch", "packageinstall", PACKAGE, "--type=merge", "-p", r#"{"spec":{"paused":true}}"#]);
    user.change_replicas(3);
    Scene::of(user).afterwards(|user| user.assert_replicas(3))
}

/// Flux makes it again with its next reconcile, minutes later, and says Ready until then.
pub(super) fn deleted_by_hand<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.target(&["delete", "packageinstall", PACKAGE]);
    Scene::of(user).timeout("15s").afterwards(|user| {
        user.reconcile_by_flux(&[INSTALLS]);
        user.run(&["wait", "--timeout", "2m"]).expect_code(0);
        user.assert_replicas(2);
    })
}

pub(super) fn deletion_in_progress<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let hold = r#"{"metadata":{"finalizers":["example.com/hold"]}}"#;
    user.target(&["patch", "configmap", "hello-app", "--type=merge", "-p", hold]);
    user.target(&["delete", "packageinstall", PACKAGE, "--wait=false"]);
    eventually("the deletion of the ConfigMap", || {
        let config = user.get("prod1", user.workspace.target_namespace(), "configmap", "hello-app");
        config["metadata"]["deletionTimestamp"].is_string().then_some(())
    });
    Scene::of(user).timeout("15s").afterwards(|user| {
        let release = r#"{"metadata":{"finalizers":null}}"#;
        user.target(&["patch", "configmap", "hello-app", "--type=merge", "-p", release]);
    })
}

/// Without its service account an install cannot be deleted (carvel-dev/kapp-controller#114).
pub(super) fn deletion_stuck<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let account = "hello-app.default.tap-installer";
    user.target(&["delete", "serviceaccount", account]);
    user.target(&["delete", "packageinstall", PACKAGE, "--wait=false"]);
    Scene::of(user).afterwards(move |user| {
        user.target(&["create", "serviceaccount", account]);
    })
}
