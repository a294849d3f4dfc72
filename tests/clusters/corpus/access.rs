//! Flux may not act on the run cluster, or cannot reach it.

use serde_json::{Value, json};
use testbed::Testbed;

use super::Scene;
use crate::credentials::as_flux;
use crate::support::{INSTALLS, PACKAGES, User, eventually};

const SECRET: &str = "prod1-kubeconfig";

/// Edits the kubeconfig that Flux uses; Flux then reconciles at once.
pub(super) fn replace_kubeconfig(user: &User<'_>, edit: impl Fn(&mut Value)) {
    let text =
        user.build(&["get", "secret", SECRET, "-o", r#"go-template={{index .data "value.yaml" | base64decode}}"#]);
    let mut kubeconfig: Value = serde_json::from_str(&text).expect("add-cluster writes JSON");
    edit(&mut kubeconfig);
    let patch = json!({"stringData": {"value.yaml": kubeconfig.to_string()}}).to_string();
    user.build(&["patch", "secret", SECRET, "--type=merge", "-p", &patch]);
}

pub(super) fn deployer_may_not_write<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let role = format!("{}-prod1-deployer", user.workspace.build_namespace());
    let mut object = user.get("prod1", user.workspace.target_namespace(), "role", &role);
    for rule in object["rules"].as_array_mut().expect("rules") {
        rule["verbs"] = json!(["get", "list", "watch"]);
    }
    let patch = json!({"rules": object["rules"]}).to_string();
    user.target(&["patch", "role", &role, "--type=merge", "-p", &patch]);
    user.change_replicas(3);
    Scene::of(user)
}

pub(super) fn deployer_may_do_nothing<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let binding = format!("{}-prod1-deployer", user.workspace.build_namespace());
    user.target(&["delete", "rolebinding", &binding]);
    user.change_replicas(3);
    Scene::of(user)
}

pub(super) fn impersonation_refused<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    for kustomization in [PACKAGES, INSTALLS] {
        let patch = r#"{"spec":{"serviceAccountName":"default-ns-sa"}}"#;
        user.build(&["patch", "kustomization", kustomization, "--type=merge", "-p", patch]);
    }
    Scene::of(user)
}

pub(super) fn wrong_authority<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let view = testbed.kubectl("build", &["config", "view", "--raw", "--flatten", "--minify", "-o", "json"]);
    let other: Value = serde_json::from_str(&view.expect("kubectl config view")).expect("JSON");
    replace_kubeconfig(&user, |kubeconfig| {
        let authority = &other["clusters"][0]["cluster"]["certificate-authority-data"];
        kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"] = authority.clone();
    });
    Scene::of(user)
}

pub(super) fn unreachable<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    replace_kubeconfig(&user, |kubeconfig| {
        kubeconfig["clusters"][0]["cluster"]["server"] = json!("https://127.0.0.1:9");
    });
    Scene::of(user)
}

/// No API server issues a token that is over in less than ten minutes, so this one is made up; the answer is the same.
pub(super) fn expired_token<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    const EXPIRED: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImZha2UifQ.\
                           eyJleHAiOjE3MDAwMDAwMDAsImlzcyI6Imh0dHBzOi8vMTI3LjAuMC4xIn0.ZmFrZS1zaWduYXR1cmU";
    let user = User::delivered(testbed, name);
    replace_kubeconfig(&user, |kubeconfig| kubeconfig["users"][0]["user"] = json!({"token": EXPIRED}));
    Scene::of(user)
}

pub(super) fn revoked_token<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.target(&["delete", "secret", &format!("{}-prod1-deployer-token", user.workspace.build_namespace())]);
    // The API server remembers for some seconds whom a token belongs to.
    eventually("the end of the token", || as_flux(&user, &["auth", "whoami"]).1.contains("Unauthorized").then_some(()));
    user.change_replicas(3);
    Scene::of(user)
}

pub(super) fn missing_kubeconfig<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.build(&["delete", "secret", SECRET]);
    Scene::of(user)
}

pub(super) fn exec_only_kubeconfig<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    replace_kubeconfig(&user, |kubeconfig| {
        let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "cloud-login", "interactiveMode": "Never"});
        kubeconfig["users"][0]["user"] = json!({"exec": exec});
    });
    Scene::of(user)
}
