//! Which version is selected, and why none is.

use super::*;

#[test]
fn a_constraint_without_build_metadata_is_explained() {
    let mut fixture = Fixture::done();
    fixture.install["spec"]["packageRef"]["versionSelection"]["constraints"] = json!("20261122120000.0.0");
    let Verdict::Failed(failure) = fixture.judge() else { panic!("no version matches") };
    assert_eq!(failure.cause, Cause::NoVersionMatches);
    assert!(failure.hint.contains(VERSION), "{}", failure.hint);
    fixture.install["spec"]["packageRef"]["versionSelection"]["constraints"] = json!(">");
    assert_eq!(fixture.cause(), Cause::InvalidConstraints);
}

#[test]
fn constraints_that_are_not_documented_are_left_to_kapp_controller() {
    let mut fixture = Fixture::done();
    fixture.install["spec"]["packageRef"]["versionSelection"]["constraints"] = json!("1.x.x");
    fixture.assert_pending();
    assert!(matches!(fixture.judge_settled(true), Verdict::Ready { .. }), "kapp-controller had the time to choose");
}

#[test]
fn a_refused_downgrade_fails_at_once() {
    let mut fixture = Fixture::done();
    fixture.versions = vec!["1.0.0"];
    fixture.install["status"]["conditions"] = json!([{
        "type": "ReconcileFailed", "status": "True", "message": "Error (see .status.usefulErrorMessage for details)",
    }]);
    fixture.install["status"]["usefulErrorMessage"] =
        json!("Stopped installing matched version '1.0.0' since last attempted version '2.0.0' is higher.");
    assert_eq!(fixture.cause(), Cause::DowngradeRefused);
}

#[test]
fn a_refused_downgrade_does_not_count_for_another_version() {
    let mut fixture = Fixture::done();
    fixture.versions = vec!["3.0.0"];
    fixture.install["status"]["conditions"] = json!([{
        "type": "ReconcileFailed", "status": "True", "message": "Error (see .status.usefulErrorMessage for details)",
    }]);
    fixture.install["status"]["usefulErrorMessage"] =
        json!("Stopped installing matched version '1.0.0' since last attempted version '2.0.0' is higher.");
    fixture.assert_pending();
}

#[test]
fn a_prerelease_is_explained() {
    let mut fixture = Fixture::done();
    fixture.versions = vec!["2.0.0-rc.1"];
    let Verdict::Failed(failure) = fixture.judge() else { panic!("it is not accepted") };
    assert_eq!(failure.cause, Cause::NoVersionMatches);
    assert!(failure.hint.contains("2.0.0-rc.1 is a prerelease"), "{}", failure.hint);
    fixture.install["spec"]["packageRef"]["versionSelection"]["prereleases"] = json!({});
    fixture.assert_pending();
}

#[test]
fn a_version_for_another_kubernetes_may_be_passed_over() {
    const NEWER: &str = "20261122130000.0.0";
    let mut fixture = Fixture::done();
    fixture.versions.push(NEWER);
    fixture.packages.push((NEWER, json!({"kubernetesVersionSelection": {"constraints": ">=1.99.0"}})));
    fixture.assert_pending();
    assert!(matches!(fixture.judge_settled(true), Verdict::Ready { .. }), "kapp-controller had the time to choose it");
    fixture.install["metadata"]["annotations"] =
        json!({"packaging.carvel.dev/ignore-kubernetes-version-selection": ""});
    assert!(matches!(fixture.judge_settled(true), Verdict::Pending { .. }));
}

#[test]
fn the_filter_that_left_nothing_is_explained() {
    for (details, hint) in [
        ("all=0 -> after-prereleases-filter=0", "refName"),
        ("all=2 -> after-prereleases-filter=0 -> after-kapp-controller-version-check=0", "prereleases: {}"),
        (
            "all=1 -> after-prereleases-filter=1 -> after-kubernetes-version-check=0",
            "ignore-kubernetes-version-selection",
        ),
        (
            "all=1 -> after-prereleases-filter=1 -> after-kapp-controller-version-check=0",
            "ignore-kapp-controller-version",
        ),
        ("all=1 -> after-prereleases-filter=1 -> after-constraints-filter=0", "constraints"),
    ] {
        let mut fixture = Fixture::done();
        fixture.app = Value::Null;
        let message = format!("Expected to find at least one version, but did not (details: {details})");
        fixture.install["status"]["conditions"] =
            json!([{"type": "ReconcileFailed", "status": "True", "message": message}]);
        let Verdict::Failed(failure) = fixture.judge() else { panic!("{details}") };
        assert_eq!(failure.cause, Cause::NoVersionMatches);
        assert!(failure.hint.contains(hint), "{details}: {}", failure.hint);
    }
}
