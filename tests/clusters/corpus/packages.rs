//! Which version is selected, and whether it arrives.

use testbed::{PackageVersion, Testbed, Variant};

use super::{Scene, flux};
use crate::support::{INSTALL_FILE, NEXT_VERSION, PACKAGE, PACKAGES, User, VERSION, eventually};

fn publish(user: &User<'_>, version: &str, variant: Variant) {
    let version = PackageVersion::new(PACKAGE, version).variant(variant);
    user.testbed.publish(user.workspace.repository(), &version).expect("a package");
}

fn constrain(user: &User<'_>, constraints: &str) {
    user.edit(INSTALL_FILE, |text| text.replace(">=0.0.0", constraints));
}

pub(super) fn bundle_not_in_the_registry<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    publish(&user, NEXT_VERSION, Variant::FailsToFetch);
    Scene::of(user)
}

pub(super) fn no_version_matches<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    constrain(&user, ">=20270101000000.0.0");
    Scene::of(user)
}

pub(super) fn build_metadata_left_out<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    constrain(&user, "20261122120000.0.0");
    Scene::of(user)
}

pub(super) fn prerelease<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    publish(&user, "20261123000000.0.0-rc.1", Variant::Works);
    constrain(&user, ">=20261122130000.0.0");
    Scene::of(user)
}

pub(super) fn downgrade<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    publish(&user, NEXT_VERSION, Variant::Works);
    user.run(&["wait", "--timeout", "2m"]).expect_code(0).says(NEXT_VERSION);
    constrain(&user, "<20261122130000.0.0");
    Scene::of(user)
}

pub(super) fn invalid_constraints<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    constrain(&user, "=>1");
    Scene::of(user)
}

pub(super) fn new_version_selected<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    publish(&user, NEXT_VERSION, Variant::Works);
    Scene::of(user).afterwards(|user| assert_deployed(user, NEXT_VERSION))
}

fn assert_deployed(user: &User<'_>, version: &str) {
    let config = user.get("prod1", user.workspace.target_namespace(), "configmap", "hello-app");
    assert_eq!(config["data"]["VERSION"], version, "what was called ready is not deployed");
}

pub(super) fn new_version_not_delivered<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    flux::suspend(&user, PACKAGES);
    publish(&user, NEXT_VERSION, Variant::Works);
    Scene::of(user)
}

/// kapp-controller then reports success with the new version, and deploys nothing.
pub(super) fn app_controlled_by_hand<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.target(&["annotate", "app", PACKAGE, "ext.packaging.carvel.dev/manually-controlled="]);
    publish(&user, NEXT_VERSION, Variant::Works);
    eventually("kapp-controller's claim of the new version", || {
        let install = user.get("prod1", user.workspace.target_namespace(), "packageinstall", PACKAGE);
        (install["status"]["version"] == NEXT_VERSION
            && install["status"]["conditions"][0]["type"] == "ReconcileSucceeded")
            .then_some(())
    });
    Scene::of(user)
}

/// Publishes the same version once more, with templates that cannot be rendered: an old success would be a false green.
pub(super) fn new_content_of_the_same_version<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    publish(&user, VERSION, Variant::FailsToTemplate);
    Scene::of(user)
}

/// Publishes the same version once more, mended: the old failure would be a false red.
pub(super) fn new_content_that_works<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let path = format!("{PACKAGE}/packages/{VERSION}.yaml");
    let good = user.workspace.repository().read(&path).expect("Git").expect("the Package");
    publish(&user, VERSION, Variant::FailsToTemplate);
    user.run(&["wait", "--timeout", "2m"]).expect_code(1);
    user.workspace.repository().commit(&[(&path, Some(&good))], "Mend the package").expect("a commit");
    Scene::of(user).afterwards(|user| assert_deployed(user, VERSION))
}
