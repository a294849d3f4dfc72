//! Installs that are being deleted, paused or canceled.

use super::*;

#[test]
fn a_paused_or_canceled_install_is_never_ready() {
    for field in ["paused", "canceled"] {
        let mut fixture = Fixture::done();
        fixture.install["spec"][field] = json!(true);
        assert_eq!(fixture.cause(), Cause::Paused, "{field}");
    }
}

#[test]
fn a_paused_app_is_not_taken_for_the_running_install() {
    let mut fixture = Fixture::done();
    fixture.app["spec"]["paused"] = json!(true);
    fixture.assert_pending();
}

#[test]
fn a_deletion_in_progress_is_pending_whatever_the_conditions_say() {
    let mut fixture = Fixture::done();
    fixture.install["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    fixture.app["status"]["deploy"] = json!({
        "stdout": "10:00:01AM: ---- waiting on 1 changes [2/3 done] ----\n10:00:01AM: ongoing: delete configmap/hello (v1) namespace: apps",
    });
    let Verdict::Pending { why, .. } = fixture.judge() else { panic!("it is being deleted") };
    assert!(why.contains("waiting on delete configmap/hello"), "{why}");
}

#[test]
fn a_deletion_that_cannot_end_names_the_missing_service_account() {
    let mut fixture = Fixture::done();
    fixture.install["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    fixture.install["status"]["conditions"] = json!([{"type": "DeleteFailed", "status": "True"}]);
    fixture.install["status"]["usefulErrorMessage"] =
        json!("Preparing kapp: Getting service account: serviceaccounts \"installer\" not found");
    let Verdict::Failed(failure) = fixture.judge() else { panic!("it is stuck") };
    assert_eq!(failure.cause, Cause::DeleteFailed);
    assert!(failure.hint.contains("create serviceaccount installer"), "{}", failure.hint);
}

#[test]
fn an_app_that_is_being_deleted_is_made_again() {
    let mut fixture = Fixture::done();
    fixture.app["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    fixture.assert_pending();
}
