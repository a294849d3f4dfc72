//! kapp cannot deploy, or does so at last.

use testbed::{PackageVersion, Testbed, Variant};

use super::Scene;
use crate::support::{NEXT_VERSION, PACKAGE, User, eventually};

const INSTALLER: &str = "hello-app.default.tap-installer";

fn publish(user: &User<'_>, variant: Variant) {
    let version = PackageVersion::new(PACKAGE, NEXT_VERSION).variant(variant);
    user.testbed.publish(user.workspace.repository(), &version).expect("a package");
}

pub(super) fn installer_forbidden<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.target(&["delete", "rolebinding", INSTALLER]);
    user.change_replicas(3);
    Scene::of(user)
}

pub(super) fn missing_service_account<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.target(&["delete", "serviceaccount", INSTALLER]);
    user.change_replicas(3);
    Scene::of(user)
}

pub(super) fn quota<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    // kapp writes a ConfigMap for each change.
    user.target(&["create", "quota", "no-more", "--hard=count/configmaps=0"]);
    eventually("the quota", || {
        let status = user.target(&["get", "quota", "no-more", "-o", "jsonpath={.status.used}"]);
        status.contains("configmaps").then_some(())
    });
    user.change_replicas(3);
    Scene::of(user)
}

/// The namespace wants more of pods than those of the package do.
pub(super) fn pod_security<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let namespace = user.workspace.target_namespace();
    user.target(&["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    user.change_replicas(3);
    Scene::of(user)
}

pub(super) fn limit_range<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    // The package's pods name no limits, and a limit for pods is no default for containers.
    let range = r#"{"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small", "namespace": "NAMESPACE"},
        "spec": {"limits": [{"type": "Pod", "max": {"cpu": "10m"}}]}}"#;
    testbed.apply("prod1", &range.replace("NAMESPACE", user.workspace.target_namespace())).expect("kubectl apply");
    user.change_replicas(3);
    Scene::of(user)
}

pub(super) fn quota_of_pods<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.target(&["create", "quota", "few-pods", "--hard=pods=2"]);
    eventually("the quota", || {
        let status = user.target(&["get", "quota", "few-pods", "-o", "jsonpath={.status.used}"]);
        status.contains("pods").then_some(())
    });
    user.change_replicas(3);
    Scene::of(user).timeout("30s")
}

pub(super) fn never_available<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    publish(&user, Variant::NeverBecomesReady);
    Scene::of(user).timeout("30s")
}

pub(super) fn refused_by_the_api_server<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    publish(&user, Variant::FailsToDeploy);
    Scene::of(user)
}

pub(super) fn ownership_conflict<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.target(&["label", "--overwrite", "configmap", "hello-app", "kapp.k14s.io/app=another"]);
    user.change_replicas(3);
    Scene::of(user)
}

/// Somebody scales the Deployment with kubectl; the next run takes that back.
pub(super) fn drift_corrected<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.target(&["scale", "deployment", "hello-app", "--replicas=7"]);
    user.change_replicas(3);
    Scene::of(user).afterwards(|user| user.assert_replicas(3))
}

/// The install fails once or twice, and then does not: what passes within the grace period is not the end.
pub(super) fn flapping<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.target(&["delete", "rolebinding", INSTALLER]);
    user.change_replicas(3);
    Scene::of(user)
        .meanwhile(|user| {
            eventually("the failure of the install", || {
                let install = user.get("prod1", user.workspace.target_namespace(), "packageinstall", PACKAGE);
                let conditions = install["status"]["conditions"].as_array().cloned().unwrap_or_default();
                conditions.iter().any(|condition| condition["type"] == "ReconcileFailed").then_some(())
            });
            let account = format!("--serviceaccount={}:{INSTALLER}", user.workspace.target_namespace());
            user.target(&["create", "rolebinding", INSTALLER, &format!("--role={INSTALLER}"), &account]);
        })
        .afterwards(|user| user.assert_replicas(3))
}
