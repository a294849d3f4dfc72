//! Changes that move no generation, and failures that are older than they look.

use super::*;

#[test]
fn new_content_of_the_same_version_is_awaited() {
    let mut fixture = Fixture::done();
    let image = json!([{"imgpkgBundle": {"image": "registry/hello@sha256:2"}}]);
    fixture.packages.push((
        VERSION,
        json!({"template": {"spec": {
            "fetch": image, "template": [{"ytt": {"paths": ["config"]}}], "deploy": [{"kapp": {}}],
        }}}),
    ));
    let Verdict::Pending { why, .. } = fixture.judge() else { panic!("the App has the old bundle") };
    assert!(why.contains("new content of version"), "{why}");
    fixture.app["spec"]["fetch"][0]["imgpkgBundle"]["image"] = json!("registry/hello@sha256:2");
    assert!(matches!(fixture.judge(), Verdict::Ready { .. }));
}

#[test]
fn another_overlay_is_awaited() {
    let mut fixture = Fixture::done();
    fixture.install["metadata"]["annotations"] =
        json!({"ext.packaging.carvel.dev/ytt-paths-from-secret-name": "overlay"});
    fixture.assert_pending();
    fixture.app["spec"]["template"][0]["ytt"]["inline"] = json!({"pathsFrom": [{"secretRef": {"name": "overlay"}}]});
    assert!(matches!(fixture.judge(), Verdict::Ready { .. }));
}

#[test]
fn another_service_account_or_namespace_is_awaited() {
    for (field, value) in [("serviceAccountName", json!("other")), ("defaultNamespace", json!("other"))] {
        let mut fixture = Fixture::done();
        fixture.install["spec"][field] = value;
        fixture.assert_pending();
    }
}

#[test]
fn an_app_that_is_controlled_by_hand_keeps_its_version() {
    let mut fixture = Fixture::done();
    fixture.app["metadata"]["annotations"]["ext.packaging.carvel.dev/manually-controlled"] = json!("");
    assert!(matches!(fixture.judge(), Verdict::Ready { .. }));
    fixture.versions.push("20261122130000.0.0");
    assert_eq!(fixture.cause(), Cause::ManuallyControlled);
}

#[test]
fn a_failure_that_the_packageinstall_repeats_from_the_app_is_the_apps_to_tell() {
    let mut fixture = Fixture::done();
    fixture.fail_app("template", json!({"exitCode": 1, "stderr": "ytt: Error"}));
    fixture.app["status"]["conditions"] = json!([{"type": "ReconcileSucceeded", "status": "True"}]);
    fixture.assert_pending();
}

#[test]
fn secrets_of_overlays_are_read_like_values() {
    let mut fixture = Fixture::done();
    fixture.install["metadata"]["annotations"] =
        json!({"ext.packaging.carvel.dev/ytt-paths-from-secret-name.0": "overlay"});
    let install: PackageInstall = serde_json::from_value(fixture.install).expect("a PackageInstall");
    assert_eq!(rendered_secrets(&install), ["values", "overlay"]);
}
