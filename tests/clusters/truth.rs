//! What is told once a cause is removed, in the words of the terminal; the causes themselves are in `corpus`.

use serde_json::json;
use testbed::Testbed;

use crate::Test;
use crate::support::{INSTALL_FILE, INSTALLS, PACKAGE, User, VALUES_FILE, eventually};

const INSTALLER: &str = "hello-app.default.tap-installer";

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("truth::templates_fail_and_are_mended", templates_fail_and_are_mended),
    ("truth::a_grant_before_the_wait_counts", a_grant_before_the_wait_counts),
    ("truth::paused_and_suspended", paused_and_suspended),
    ("truth::a_policy_refuses_the_request_to_fetch", refused_request),
];

fn templates_fail_and_are_mended(testbed: &Testbed) {
    let user = User::delivered(testbed, "template");
    user.write("values.yaml", "workload_name: hello-app\nno_such_value: 1\n");
    user.add_cluster("prod1").expect_code(2).says("no_such_value is no key of this package");
    user.edit(VALUES_FILE, |text| text.replace("replicas: 2", "no_such_value: 2"));
    user.run(&["wait", "--timeout", "3m"]).expect_code(1).says("template").says("ytt: Error").says("no_such_value");
    user.write("values.yaml", "workload_name: hello-app\nreplicas: 1\n");
    user.add_cluster("prod1").expect_code(0).says("ready");
    user.assert_replicas(1);
}

/// kapp-controller lets more and more time pass between its attempts; the last one says nothing about a later grant.
fn a_grant_before_the_wait_counts(testbed: &Testbed) {
    let user = User::delivered(testbed, "grant");
    let namespace = user.workspace.target_namespace();
    let mut binding = user.get("prod1", namespace, "rolebinding", INSTALLER);
    for field in ["uid", "resourceVersion", "managedFields"] {
        binding["metadata"].as_object_mut().expect("metadata").remove(field);
    }
    user.target(&["delete", "rolebinding", INSTALLER]);
    user.change_replicas(3);
    user.run(&["wait", "--timeout", "3m"]).expect_code(1).says("forbidden");
    eventually("the fifth failure", || {
        let app = user.get("prod1", namespace, "app", PACKAGE);
        let failures = app["status"]["consecutiveReconcileFailures"].as_u64().unwrap_or_default();
        (failures >= 5).then_some(())
    });
    testbed.apply("prod1", &binding.to_string()).expect("kubectl apply");
    user.run(&["wait", "--timeout", "3m"]).expect_code(0).says("kapp-controller will try again");
    user.assert_replicas(3);
}

fn paused_and_suspended(testbed: &Testbed) {
    let user = User::delivered(testbed, "paused");
    let suspend = |object: &str, suspend: bool| {
        let patch = format!(r#"{{"spec":{{"suspend":{suspend}}}}}"#);
        user.build(&["patch", object, "--type=merge", "-p", &patch]);
    };
    user.edit(INSTALL_FILE, |text| text.replace("spec:\n", "spec:\n  paused: true\n"));
    user.run(&["wait", "--timeout", "3m"]).expect_code(1).says("it is paused").says("\"paused\":false");
    user.edit(INSTALL_FILE, |text| text.replace("  paused: true\n", ""));
    user.run(&["wait", "--timeout", "3m"]).expect_code(0);

    let kustomization = format!("kustomization/{INSTALLS}");
    suspend(&kustomization, true);
    user.change_replicas(3);
    user.run(&["wait", "--timeout", "3m"]).expect_code(1).says("it is suspended").says("flux resume kustomization");
    suspend(&kustomization, false);
    user.run(&["wait", "--timeout", "2m"]).expect_code(0);
    suspend("gitrepository/hello-app.default.tap-gitops-repo", true);
    user.run(&["wait", "--timeout", "3m"]).expect_code(1).says("flux resume source git");
    suspend("gitrepository/hello-app.default.tap-gitops-repo", false);
    user.run(&["wait", "--timeout", "3m"]).expect_code(0);
    user.assert_replicas(3);
}

/// An admission policy answers with 422, a webhook with 400: neither of them changes by asking again.
fn refused_request(testbed: &Testbed) {
    const REQUEST: &str = "reconcile.fluxcd.io/requestedAt";
    const REFUSAL: &str = "nobody hurries Flux here";
    let user = User::delivered(testbed, "refused");
    let namespace = user.workspace.build_namespace();
    let value = |object: &str| format!("{object}.metadata.?annotations[?'{REQUEST}'].orValue('')");
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [{
                    "apiGroups": ["source.toolkit.fluxcd.io"],
                    "apiVersions": ["*"],
                    "operations": ["UPDATE"],
                    "resources": ["gitrepositories"],
                }],
            },
            "validations": [{
                "expression": format!("{} == {}", value("object"), value("oldObject")),
                "message": REFUSAL,
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": namespace},
        "spec": {
            "policyName": namespace,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
        },
    });
    testbed.apply("build", &policy.to_string()).expect("kubectl apply");
    testbed.apply("build", &binding.to_string()).expect("kubectl apply");
    let annotate = ["-n", namespace, "annotate", "--overwrite", "gitrepository", "--all"];
    eventually("the policy", || {
        let request = format!("{REQUEST}=test-{:?}", std::time::Instant::now());
        testbed.kubectl("build", &[&annotate[..], &[request.as_str()]].concat()).is_err().then_some(())
    });
    user.run(&["wait", "--timeout", "3m"]).expect_code(0).says(REFUSAL).says("is not waited for").says("ready");
    user.bootstrap().expect_code(0);
    user.write("values.yaml", "workload_name: hello-app\nreplicas: 3\n");
    user.add_cluster("prod1").expect_code(1).says("cannot be asked to look for new commits").says(REFUSAL);
    let kinds = "validatingadmissionpolicybinding,validatingadmissionpolicy";
    testbed.kubectl("build", &["delete", kinds, namespace]).expect("kubectl delete");
}
