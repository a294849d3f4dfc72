//! The decision table of PackageInstall and App, from recorded shapes of status.

use serde_json::{Value, json};

use super::*;

mod changes;
mod lifecycle;
mod selection;

const VERSION: &str = "20261122120000.0.0+build.abc1234";

/// An install that is done; each test breaks one thing.
struct Fixture {
    install: Value,
    app: Value,
    versions: Vec<&'static str>,
    /// Fields of the Packages that are other than usual, by version.
    packages: Vec<(&'static str, Value)>,
    secret: (&'static str, &'static str),
}

impl Fixture {
    fn done() -> Self {
        Self {
            install: json!({
                "apiVersion": "packaging.carvel.dev/v1alpha1", "kind": "PackageInstall",
                "metadata": {"name": "hello", "namespace": "apps", "generation": 2},
                "spec": {
                    "serviceAccountName": "installer",
                    "packageRef": {"refName": "hello.tap", "versionSelection": {"constraints": ""}},
                    "values": [{"secretRef": {"name": "values"}}],
                },
                "status": {"observedGeneration": 2, "version": VERSION, "conditions": [{"type": "ReconcileSucceeded", "status": "True"}]},
            }),
            app: json!({
                "apiVersion": "kappctrl.k14s.io/v1alpha1", "kind": "App",
                "metadata": {
                    "name": "hello", "namespace": "apps", "generation": 1,
                    "annotations": {"packaging.carvel.dev/package-version": VERSION},
                },
                "spec": {
                    "serviceAccountName": "installer",
                    "fetch": [{"imgpkgBundle": {"image": "registry/hello@sha256:1", "secretRef": {"name": "hello-fetch-0"}}}],
                    "template": [{"ytt": {"paths": ["config"], "valuesFrom": [{"secretRef": {"name": "values"}}]}}],
                    "deploy": [{"kapp": {}}],
                },
                "status": {
                    "observedGeneration": 1,
                    "conditions": [{"type": "ReconcileSucceeded", "status": "True"}],
                    "fetch": {"exitCode": 0, "startedAt": "2026-11-22T12:00:05Z", "updatedAt": "2026-11-22T12:00:06Z"},
                    "template": {"exitCode": 0, "updatedAt": "2026-11-22T12:00:06Z"},
                    "deploy": {"exitCode": 0, "finished": true, "startedAt": "2026-11-22T12:00:06Z", "updatedAt": "2026-11-22T12:00:08Z"},
                },
            }),
            versions: vec![VERSION],
            packages: Vec::new(),
            secret: ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"),
        }
    }

    /// Returns a version of the package as kapp-controller serves it.
    fn package(&self, version: &str) -> PackageSpec {
        let mut package = json!({
            "refName": "hello.tap", "version": version,
            "template": {"spec": {
                "fetch": [{"imgpkgBundle": {"image": "registry/hello@sha256:1"}}],
                "template": [{"ytt": {"paths": ["config"]}}],
                "deploy": [{"kapp": {}}],
            }},
        });
        if let Some((_, edit)) = self.packages.iter().find(|(edited, _)| *edited == version) {
            for (field, value) in edit.as_object().expect("a mapping") {
                package[field] = value.clone();
            }
        }
        serde_json::from_value(package).expect("a Package")
    }

    fn judge(&self) -> Verdict {
        self.judge_settled(false)
    }

    fn judge_settled(&self, is_settled: bool) -> Verdict {
        let install: PackageInstall = serde_json::from_value(self.install.clone()).expect("a PackageInstall");
        let app: Option<App> = serde_json::from_value(self.app.clone()).expect("an App or null");
        let packages: Vec<PackageSpec> = self.versions.iter().map(|version| self.package(version)).collect();
        let values = [ValuesSecret {
            name: "values".to_owned(),
            created: self.secret.0.parse().ok(),
            changed: self.secret.1.parse().ok(),
        }];
        let installed = Installed {
            install: Some(&install),
            app: app.as_ref(),
            packages: Some(&packages),
            values: Some(&values),
            app_refused: None,
            is_settled,
        };
        judge(&installed, "apps", "hello")
    }

    fn cause(&self) -> Cause {
        match self.judge() {
            Verdict::Failed(failure) => failure.cause,
            other => panic!("{other:?}"),
        }
    }

    fn fail_app(&mut self, stage: &str, fields: Value) {
        self.app["status"]["conditions"] = json!([{"type": "ReconcileFailed", "status": "True", "message": "failed"}]);
        // kapp-controller repeats the App's failure like this.
        self.install["status"]["conditions"] = json!([{
            "type": "ReconcileFailed", "status": "True", "message": "Error (see .status.usefulErrorMessage for details)",
        }]);
        self.install["status"]["usefulErrorMessage"] = json!("failed");
        self.app["status"][stage] = fields;
    }

    fn assert_pending(&self) {
        let verdict = self.judge();
        assert!(matches!(verdict, Verdict::Pending { .. }), "{verdict:?}");
    }
}

#[test]
fn what_is_done_is_ready() {
    assert_eq!(Fixture::done().judge(), Verdict::Ready { version: VERSION.to_owned() });
}

#[test]
fn an_old_success_does_not_count_for_a_new_generation() {
    let mut fixture = Fixture::done();
    fixture.install["metadata"]["generation"] = json!(3);
    fixture.assert_pending();
    let mut fixture = Fixture::done();
    fixture.app["metadata"]["generation"] = json!(2);
    fixture.assert_pending();
}

#[test]
fn a_success_before_the_app_is_updated_does_not_count() {
    // kapp-controller v0.53.1 writes the PackageInstall's status from the old App before it updates the App.
    let mut fixture = Fixture::done();
    fixture.install["spec"]["values"] = json!([{"secretRef": {"name": "values-2"}}]);
    fixture.assert_pending();
    let mut fixture = Fixture::done();
    fixture.versions.push("20261122130000.0.0+build.def5678");
    fixture.assert_pending();
}

#[test]
fn an_old_failure_does_not_count_for_new_values() {
    let mut fixture = Fixture::done();
    fixture.fail_app("template", json!({"exitCode": 1, "stderr": "ytt: Error"}));
    fixture.install["spec"]["values"] = json!([{"secretRef": {"name": "values-2"}}]);
    fixture.assert_pending();
}

#[test]
fn values_changed_after_the_last_run_are_awaited() {
    let mut fixture = Fixture::done();
    fixture.secret.1 = "2026-11-22T12:00:09Z";
    fixture.assert_pending();
}

#[test]
fn a_run_that_had_not_fetched_yet_when_the_values_changed_has_read_them() {
    let mut fixture = Fixture::done();
    fixture.secret.1 = "2026-11-22T12:00:05Z";
    assert!(matches!(fixture.judge(), Verdict::Ready { .. }), "fetched at :06, so the templates were rendered later");
}

#[test]
fn values_changed_in_the_second_of_the_fetch_are_awaited_until_nothing_more_comes() {
    let mut fixture = Fixture::done();
    fixture.secret.1 = "2026-11-22T12:00:06Z";
    fixture.assert_pending();
    assert!(matches!(fixture.judge_settled(true), Verdict::Ready { .. }));
    fixture.secret.1 = "2026-11-22T12:00:07Z";
    assert!(matches!(fixture.judge_settled(true), Verdict::Pending { .. }), "a later change is never settled");
}

#[test]
fn a_secret_that_was_only_created_was_there_when_the_templates_were_rendered() {
    let mut fixture = Fixture::done();
    fixture.secret = ("2026-11-22T12:00:06Z", "2026-11-22T12:00:06Z");
    assert!(matches!(fixture.judge(), Verdict::Ready { .. }));
    fixture.app["status"]["template"] = json!({"exitCode": 1});
    fixture.assert_pending();
}

#[test]
fn a_failure_on_the_packageinstall_alone_is_not_covered_by_the_apps_success() {
    let mut fixture = Fixture::done();
    fixture.install["status"]["conditions"] =
        json!([{"type": "ReconcileFailed", "status": "True", "message": "Invalid fields"}]);
    assert_eq!(fixture.cause(), Cause::InstallRejected);
}

#[test]
fn a_failed_template_quotes_ytt() {
    let mut fixture = Fixture::done();
    fixture.fail_app("template", json!({"exitCode": 1, "stderr": "ytt: Error: unexpected key"}));
    let Verdict::Failed(failure) = fixture.judge() else { panic!("ytt failed") };
    assert_eq!((failure.cause, failure.stage), (Cause::TemplateFailed, Stage::Template));
    assert_eq!(failure.message, "ytt: Error: unexpected key");
    assert_eq!(failure.grace_period, GracePeriod::None);
}

#[test]
fn each_cause_is_named() {
    let mut fixture = Fixture::done();
    fixture
        .fail_app("deploy", json!({"exitCode": 1, "finished": true, "stderr": "kapp: Error: configmaps is forbidden"}));
    assert_eq!(fixture.cause(), Cause::Forbidden);
    fixture.fail_app("deploy", json!({"exitCode": 1, "finished": true, "stderr": "kapp: Error: Timed out"}));
    assert_eq!(fixture.cause(), Cause::DeployFailed);
    fixture.fail_app(
        "deploy",
        json!({"error": "Preparing kapp: Getting service account: serviceaccounts \"installer\" not found"}),
    );
    assert_eq!(fixture.cause(), Cause::NoServiceAccount);
    fixture.fail_app(
        "fetch",
        json!({"exitCode": 1, "stderr": "vendir: Error: not found", "startedAt": "2026-11-22T12:00:05Z"}),
    );
    assert_eq!(fixture.cause(), Cause::FetchFailed);
}

#[test]
fn an_install_without_app_is_pending_or_rejected() {
    let mut fixture = Fixture::done();
    fixture.app = Value::Null;
    fixture.install["status"] =
        json!({"observedGeneration": 2, "conditions": [{"type": "Reconciling", "status": "True"}]});
    fixture.assert_pending();
    fixture.install["status"]["conditions"] =
        json!([{"type": "ReconcileFailed", "status": "True", "message": "Invalid fields: spec.values[0].secretRef"}]);
    assert_eq!(fixture.cause(), Cause::InstallRejected);
}

#[test]
fn a_missing_package_resource_is_not_a_success() {
    let mut fixture = Fixture::done();
    fixture.versions.clear();
    assert_eq!(fixture.cause(), Cause::NoVersionMatches);
}
