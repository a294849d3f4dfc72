//! Components that stop or cannot be reached; each is brought back in the end.

use testbed::Testbed;

use super::Scene;
use crate::support::User;

const API_SERVICE: &str = "v1alpha1.data.packaging.carvel.dev";

pub(super) fn kapp_controller_stopped<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    testbed.process("prod1/kapp-controller").expect("the process").stop().expect("it stops");
    user.change_replicas(3);
    Scene::of(user).afterwards(|user| {
        user.testbed.process("prod1/kapp-controller").expect("the process").start().expect("it starts");
        user.testbed.wait_until_ready("prod1").expect("it becomes ready");
    })
}

/// kapp-controller runs on, and no Package can be read.
pub(super) fn api_service_unavailable<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let port = testbed
        .kubectl("prod1", &["get", "apiservice", API_SERVICE, "-o", "jsonpath={.spec.service.port}"])
        .expect("kubectl");
    point_at(testbed, "9");
    Scene::of(user).timeout("15s").afterwards(move |user| {
        point_at(user.testbed, &port);
        user.testbed.wait_until_ready("prod1").expect("it becomes ready");
    })
}

fn point_at(testbed: &Testbed, port: &str) {
    let patch = format!(r#"{{"spec":{{"service":{{"port":{port}}}}}}}"#);
    testbed.kubectl("prod1", &["patch", "apiservice", API_SERVICE, "--type=merge", "-p", &patch]).expect("kubectl");
}

pub(super) fn kustomize_controller_stopped<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    testbed.process("build/kustomize-controller").expect("the process").stop().expect("it stops");
    user.change_replicas(3);
    Scene::of(user).timeout("20s").afterwards(|user| {
        user.testbed.process("build/kustomize-controller").expect("the process").start().expect("it starts");
    })
}

/// A multi-tenant installation: Flux impersonates an account although no Kustomization names one.
pub(super) fn impersonated_by_default<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let controller = testbed.process("build/kustomize-controller").expect("the process");
    controller.restart_with("--default-service-account=tenant").expect("it starts");
    user.change_replicas(3);
    Scene::of(user).afterwards(|user| {
        let controller = user.testbed.process("build/kustomize-controller").expect("the process");
        controller.restart_with("--default-service-account=").expect("it starts");
    })
}
