//! Flux cannot build or apply what is in Git, or is told not to.

use serde_json::{Value, json};
use testbed::Testbed;

use super::{Scene, access};
use crate::support::{INSTALL_FILE, INSTALLS, PACKAGE, PACKAGES, User, VALUES_FILE, eventually};

pub(super) fn missing_directory<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let files = [(INSTALL_FILE, None), (VALUES_FILE, None)];
    user.workspace.repository().commit(&files, "Remove the delivery").expect("a commit");
    Scene::of(user)
}

pub(super) fn invalid_yaml_fresh<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let object = |name| user.get("build", user.workspace.build_namespace(), "kustomization", name);
    let manifests = [PACKAGES, INSTALLS].map(object);
    user.build(&["delete", "kustomization", INSTALLS]);
    user.build(&["delete", "kustomization", PACKAGES]);
    break_yaml(&user);
    for mut manifest in manifests {
        for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "annotations"] {
            manifest["metadata"].as_object_mut().expect("metadata").remove(field);
        }
        manifest["status"] = Value::Null;
        testbed.apply("build", &manifest.to_string()).expect("kubectl apply");
    }
    Scene::of(user)
}

pub(super) fn invalid_yaml<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    break_yaml(&user);
    Scene::of(user)
}

fn break_yaml(user: &User<'_>) {
    user.edit(INSTALL_FILE, |text| text.replace("spec:\n", "spec:\n  constraints: >=0.0.0\n \tbroken: [\n"));
}

pub(super) fn build_error<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let kustomization = "resources: [packageinstall.yaml, params.yaml, no-such-file.yaml]\n";
    let path = format!("{PACKAGE}/prod1/kustomization.yaml");
    user.workspace.repository().commit(&[(&path, Some(kustomization))], "Add a kustomization").expect("a commit");
    Scene::of(user)
}

pub(super) fn missing_namespace<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    // The deployer would not even be allowed to try.
    access::replace_kubeconfig(&user, |kubeconfig| {
        let view = testbed.kubectl("prod1", &["config", "view", "--raw", "--flatten", "--minify", "-o", "json"]);
        *kubeconfig = serde_json::from_str(&view.expect("kubectl config view")).expect("JSON");
    });
    for kustomization in [PACKAGES, INSTALLS] {
        let patch = r#"{"spec":{"targetNamespace":"no-such-namespace"}}"#;
        user.build(&["patch", "kustomization", kustomization, "--type=merge", "-p", patch]);
    }
    Scene::of(user)
}

pub(super) fn suspended<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    suspend(&user, INSTALLS);
    user.change_replicas(3);
    Scene::of(user)
}

pub(super) fn suspend(user: &User<'_>, kustomization: &str) {
    user.build(&["patch", "kustomization", kustomization, "--type=merge", "-p", r#"{"spec":{"suspend":true}}"#]);
}

/// The Kustomization that fails is neither the delivery's nor the one that it names: another one is in between.
pub(super) fn failed_dependency<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let packages = user.get("build", user.workspace.build_namespace(), "kustomization", PACKAGES);
    let apply = |name: &str, path: &str, dependencies: Value| {
        let manifest = json!({
            "apiVersion": packages["apiVersion"], "kind": "Kustomization",
            "metadata": {"name": name, "namespace": user.workspace.build_namespace()},
            "spec": {
                "sourceRef": packages["spec"]["sourceRef"], "path": path, "interval": "5m", "prune": true,
                "dependsOn": dependencies,
            },
        });
        testbed.apply("build", &manifest.to_string()).expect("kubectl apply");
    };
    apply("infrastructure", "./no-such-directory", json!([]));
    apply("platform", "./no-such-directory-either", json!([{"name": "infrastructure"}]));
    let patch = r#"{"spec":{"dependsOn":[{"name":"platform"}]}}"#;
    user.build(&["patch", "kustomization", PACKAGES, "--type=merge", "-p", patch]);
    Scene::of(user)
}

/// What the delivery depends on is in a namespace of somebody else's, where the user may look at Kustomizations.
pub(super) fn failed_dependency_elsewhere<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let (scene, elsewhere) = dependency_elsewhere(testbed, name);
    let user = &scene.user;
    let namespace = ["-n", elsewhere.as_str()];
    let look =
        ["create", "role", "look", "--verb=get,list,watch", "--resource=kustomizations.kustomize.toolkit.fluxcd.io"];
    testbed.kubectl("build", &[&namespace, &look[..]].concat()).expect("kubectl create");
    let subject = format!("--serviceaccount={}:{}", user.workspace.build_namespace(), testbed::USER);
    let bind = ["create", "rolebinding", "look", "--role=look", &subject];
    testbed.kubectl("build", &[&namespace, &bind[..]].concat()).expect("kubectl create");
    scene
}

/// The user may not look there.
pub(super) fn unknown_dependency_elsewhere<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    dependency_elsewhere(testbed, name).0.timeout("30s")
}

/// Returns the scene, and the namespace in which the last of two Kustomizations fails.
fn dependency_elsewhere<'a>(testbed: &'a Testbed, name: &str) -> (Scene<'a>, String) {
    let user = User::delivered(testbed, name);
    let build = user.workspace.build_namespace();
    let elsewhere = format!("{build}-elsewhere");
    testbed.kubectl("build", &["create", "namespace", &elsewhere]).expect("kubectl create");
    let packages = user.get("build", build, "kustomization", PACKAGES);
    let mut source = packages["spec"]["sourceRef"].clone();
    source["namespace"] = json!(build);
    for (name, dependencies) in [("infrastructure", json!([])), ("platform", json!([{"name": "infrastructure"}]))] {
        let manifest = json!({
            "apiVersion": packages["apiVersion"], "kind": "Kustomization",
            "metadata": {"name": name, "namespace": elsewhere},
            "spec": {
                "sourceRef": source, "path": "./no-such-directory", "interval": "5m", "prune": true,
                "dependsOn": dependencies,
            },
        });
        testbed.apply("build", &manifest.to_string()).expect("kubectl apply");
    }
    let patch = json!({"spec": {"dependsOn": [{"name": "platform", "namespace": elsewhere}]}}).to_string();
    user.build(&["patch", "kustomization", PACKAGES, "--type=merge", "-p", &patch]);
    let namespace = elsewhere.clone();
    let scene = Scene::of(user).afterwards(move |_| {
        testbed.kubectl("build", &["delete", "namespace", &namespace, "--wait=false"]).expect("kubectl delete");
    });
    (scene, elsewhere)
}

/// A policy on the run cluster refuses the values that Flux applies.
pub(super) fn denied_by_a_policy<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    let namespace = user.workspace.target_namespace().to_owned();
    let api = "admissionregistration.k8s.io/v1";
    let policy = json!({
        "apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"],
            }]},
            "validations": [{"expression": "!has(object.metadata.labels) || !object.metadata.labels.exists(l, l.startsWith('kustomize.toolkit'))", "message": "no values here"}],
        },
    });
    let binding = json!({
        "apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": namespace},
        "spec": {
            "policyName": namespace, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
        },
    });
    for manifest in [policy, binding] {
        testbed.apply("prod1", &manifest.to_string()).expect("kubectl apply");
    }
    eventually("the policy", || {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {
            "name": "probe", "namespace": namespace, "labels": {"kustomize.toolkit": "x"},
        }});
        testbed.apply("prod1", &secret.to_string()).is_err().then_some(())
    });
    user.change_replicas(3);
    let kinds = "validatingadmissionpolicybinding,validatingadmissionpolicy";
    Scene::of(user).afterwards(move |_| {
        testbed.kubectl("prod1", &["delete", kinds, &namespace]).expect("kubectl delete");
    })
}
