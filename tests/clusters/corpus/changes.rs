//! Values, templates, and statuses that are older than they look.

use testbed::{PackageVersion, Testbed, Variant};

use super::Scene;
use crate::support::{INSTALL_FILE, NEXT_VERSION, PACKAGE, User, VALUES_FILE};

pub(super) fn missing_values_secret<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.edit(INSTALL_FILE, |text| {
        let (before, name) = text.rsplit_once("name: ").expect("the values Secret is named last");
        format!("{before}name: no-such-values\n{}", name.split_once('\n').map_or("", |(_, rest)| rest))
    });
    Scene::of(user)
}

/// Changes the values to what the package does not know; the success of before still stands.
pub(super) fn unknown_value<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.edit(VALUES_FILE, |text| text.replace("replicas: 2", "no_such_value: 1"));
    Scene::of(user)
}

pub(super) fn template_error<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let version = PackageVersion::new(PACKAGE, NEXT_VERSION).variant(Variant::FailsToTemplate);
    testbed.publish(user.workspace.repository(), &version).expect("a package");
    Scene::of(user)
}

/// Waits for a few such commits: each must be deployed when `wait` ends.
pub(super) fn only_the_values_changed<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    for replicas in [3, 4] {
        user.change_replicas(replicas);
        user.run(&["wait", "--timeout", "2m"]).expect_code(0);
        user.assert_replicas(replicas);
    }
    user.change_replicas(5);
    Scene::of(user).afterwards(|user| user.assert_replicas(5))
}

pub(super) fn mended_values<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.edit(VALUES_FILE, |text| text.replace("replicas: 2", "no_such_value: 1"));
    user.run(&["wait", "--timeout", "2m"]).expect_code(1);
    user.edit(VALUES_FILE, |text| text.replace("no_such_value: 1", "replicas: 3"));
    Scene::of(user).afterwards(|user| user.assert_replicas(3))
}
