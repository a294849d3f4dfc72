//! What API servers refuse although it is permitted: named with its owner, once, and before anything is written.

use serde_json::{Value, json};
use testbed::{Testbed, Webhook};

use crate::Test;
use crate::support::{Output, PACKAGE, User, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("refusals::a_used_up_quota", quotas),
    ("refusals::a_policy_against_tokens_that_never_expire", token_policy),
    ("refusals::a_policy_with_a_message_for_each_object", policy_with_parameters),
    ("refusals::a_webhook_that_denies", denying_webhook),
    ("refusals::a_webhook_that_is_down", webhook_that_is_down),
    ("refusals::a_namespace_that_is_being_deleted", terminating_namespace),
    ("refusals::an_aggregated_api_that_is_down", api_that_is_down),
];

const ADMISSION: &str = "admissionregistration.k8s.io/v1";

fn bootstrapped<'a>(testbed: &'a Testbed, name: &str) -> User<'a> {
    let user = User::new(testbed, name);
    user.bootstrap().expect_code(0);
    user
}

/// Runs something that must be refused for another reason than a missing permission, and proves that nothing was written.
fn refused(user: &User<'_>, arguments: &[&str]) -> Output {
    let before = user.state();
    let output = user.run(arguments).expect_code(1).does_not_say("permission").does_not_say("✔");
    assert_eq!(before, user.state(), "{output}");
    output
}

/// Asserts how often something is said.
fn says_times(output: &Output, text: &str, times: usize) {
    assert_eq!(output.stderr.matches(text).count(), times, "`{text}` in {output}");
}

/// Waits until the API server refuses what an administrator tries, with these words.
fn eventually_refused(user: &User<'_>, context: &str, arguments: &[&str], words: &str) {
    eventually("a refusal", || {
        let refused = user.testbed.kubectl(context, arguments).err()?;
        refused.to_string().contains(words).then_some(())
    });
}

fn quotas(testbed: &Testbed) {
    let user = bootstrapped(testbed, "quota");
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    user.build(&["create", "quota", "few-secrets", "--hard=count/secrets=0"]);
    user.target(&["create", "quota", "no-roles", "--hard=count/roles.rbac.authorization.k8s.io=0"]);
    let secret = ["-n", build, "create", "secret", "generic", "probe", "--dry-run=server"];
    eventually_refused(&user, "build", &secret, "exceeded quota");
    let role = ["-n", target, "create", "role", "probe", "--verb=get", "--resource=pods", "--dry-run=server"];
    eventually_refused(&user, "prod1", &role, "exceeded quota");

    let output = refused(&user, &user.add_cluster_arguments("prod1", "prod1"))
        .says("2 checks failed; nothing was changed")
        .says(&format!("cannot apply Secret {build}/prod1-kubeconfig on the build cluster (context `build`)"))
        .says("ResourceQuota few-secrets refuses it")
        .says("requested: count/secrets=1")
        .says(&format!("ResourceQuota no-roles refuses Role {target}/"))
        .says(&format!(", Role {target}/{PACKAGE}-installer on the run cluster `prod1` (context `prod1`)"))
        .says(&format!(
            "raise it or ask for less: kubectl --context prod1 -n {target} describe resourcequota no-roles"
        ));
    says_times(&output, "ResourceQuota no-roles refuses", 1);
    says_times(&output, "describe resourcequota", 2);
}

/// Makes a policy for a namespace alone, and waits until it counts.
fn policy(user: &User<'_>, namespace: &str, name: &str, resources: &Value, validation: &Value, probe: &[&str]) {
    let policy = json!({
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [resources]},
            "validations": [validation],
        },
    });
    let binding = json!({
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
        },
    });
    for manifest in [policy, binding] {
        user.testbed.apply("prod1", &manifest.to_string()).expect("kubectl apply");
    }
    eventually_refused(user, "prod1", &[&["-n", namespace], probe, &["--dry-run=server"]].concat(), "denied request");
}

fn delete_policy(user: &User<'_>, name: &str) {
    let kinds = "validatingadmissionpolicybinding,validatingadmissionpolicy";
    user.testbed.kubectl("prod1", &["delete", kinds, name]).expect("kubectl delete");
}

fn on(group: &str, resources: &[&str]) -> Value {
    json!({"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": resources})
}

fn token_policy(testbed: &Testbed) {
    const MESSAGE: &str = "tokens that never expire are forbidden";
    let user = bootstrapped(testbed, "tokens");
    let target = user.workspace.target_namespace();
    let name = format!("no-tokens-{target}");
    let validation = json!({
        "expression": "!has(object.type) || object.type != 'kubernetes.io/service-account-token'",
        "message": MESSAGE,
    });
    let token = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "probe", "annotations": {"kubernetes.io/service-account.name": "default"}},
        "type": "kubernetes.io/service-account-token",
    });
    let token = user.write("token.json", &token.to_string()).display().to_string();
    policy(&user, target, &name, &on("", &["secrets"]), &validation, &["create", "-f", &token]);

    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    let output = refused(&user, &arguments)
        .says(&format!("cannot apply Secret {target}/"))
        .says(&format!("ValidatingAdmissionPolicy {name} refuses it"))
        .says(&format!("kubectl --context prod1 get validatingadmissionpolicy {name} -o yaml"))
        .says("--token-duration 24h")
        .says("--auth workload-identity");
    says_times(&output, MESSAGE, 1);
    arguments.extend(["--token-duration", "24h"]);
    user.run(&arguments).expect_code(0).says("ready");
    // Whoever gets the hint may look at the policy.
    let user_kubeconfig = user.workspace.kubeconfig().display().to_string();
    let look = ["--kubeconfig", &user_kubeconfig, "get", "validatingadmissionpolicy", &name, "-o", "name"];
    testbed.kubectl("prod1", &look).expect("the user may look at policies");
    delete_policy(&user, &name);
}

fn policy_with_parameters(testbed: &Testbed) {
    let user = bootstrapped(testbed, "parameters");
    let target = user.workspace.target_namespace();
    let name = format!("owned-roles-{target}");
    let validation = json!({
        "expression": "has(object.metadata.labels) && 'team' in object.metadata.labels",
        "messageExpression": "'the role ' + object.metadata.name + ' needs the label team'",
    });
    let probe = ["create", "role", "probe", "--verb=get", "--resource=pods"];
    policy(&user, target, &name, &on("rbac.authorization.k8s.io", &["roles"]), &validation, &probe);
    let installer = format!("{PACKAGE}-installer");
    let output = refused(&user, &user.add_cluster_arguments("prod1", "prod1"))
        .says(&format!("ValidatingAdmissionPolicy {name} refuses Role {target}/"))
        .says(&format!("Role {target}/{installer}: the role {installer} needs the label team"))
        .does_not_say("--token-duration");
    says_times(&output, "ValidatingAdmissionPolicy", 1);
    says_times(&output, "needs the label team", 2);
    delete_policy(&user, &name);
}

/// Makes a webhook that is asked about the roles of a namespace.
fn webhook(user: &User<'_>, url: &str, authority: &str, probe: &[&str]) -> String {
    let target = user.workspace.target_namespace();
    let name = format!("roles.{target}.example.com");
    let configuration = json!({
        "apiVersion": ADMISSION,
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": target},
        "webhooks": [{
            "name": name,
            "clientConfig": {"url": url, "caBundle": base64(authority)},
            "rules": [on("rbac.authorization.k8s.io", &["roles", "rolebindings"])],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": target}},
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 5,
        }],
    });
    user.testbed.apply("prod1", &configuration.to_string()).expect("kubectl apply");
    eventually_refused(user, "prod1", &[&["-n", target], probe, &["--dry-run=server"]].concat(), "webhook");
    name
}

fn base64(text: &str) -> Value {
    serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).expect("base64")
}

fn delete_webhook(user: &User<'_>) {
    let target = user.workspace.target_namespace();
    user.testbed.kubectl("prod1", &["delete", "validatingwebhookconfiguration", target]).expect("kubectl delete");
}

const PROBE: [&str; 5] = ["create", "role", "probe", "--verb=get", "--resource=pods"];

fn denying_webhook(testbed: &Testbed) {
    // As Kyverno writes it.
    let message = "\n\nresource Role was blocked due to the following policies \n\nowned-roles:\n  check-team: 'every role needs a team'\n";
    let user = bootstrapped(testbed, "denies");
    let webhook_server = Webhook::start(message).expect("a webhook");
    let name = webhook(&user, webhook_server.url(), webhook_server.authority(), &PROBE);
    let output = refused(&user, &user.add_cluster_arguments("prod1", "prod1"))
        .says(&format!("admission webhook {name} refuses Role "))
        .says("owned-roles: check-team: 'every role needs a team'")
        .says("kubectl --context prod1 get validatingwebhookconfigurations,mutatingwebhookconfigurations");
    says_times(&output, "owned-roles", 1);
    says_times(&output, "admission webhook", 1);
    delete_webhook(&user);
}

fn webhook_that_is_down(testbed: &Testbed) {
    let user = bootstrapped(testbed, "down");
    let authority = std::fs::read_to_string(user.authority_of("prod1")).expect("PEM");
    // Nothing listens on the discard port.
    let name = webhook(&user, "https://127.0.0.1:9/deny", &authority, &PROBE);
    let output = refused(&user, &user.add_cluster_arguments("prod1", "prod1"))
        .says(&format!("admission webhook {name} does not answer, and must be asked about Role "))
        .says("connection refused")
        .says("repair what serves it, or remove its configuration: kubectl --context prod1 get validatingwebhookconfigurations");
    says_times(&output, "does not answer", 1);
    delete_webhook(&user);
}

fn terminating_namespace(testbed: &Testbed) {
    let user = bootstrapped(testbed, "going");
    let going = format!("{}-going", user.workspace.target_namespace());
    testbed.kubectl("prod1", &["create", "namespace", &going]).expect("kubectl");
    user.allow_in("prod1", &going);
    // What gives the user their rights must not go with the namespace.
    let guest = format!("guest-{}", user.workspace.target_namespace());
    let held = ["role/carvelflux-guest".to_owned(), format!("rolebinding/{guest}")];
    let set_finalizers = |finalizers: &Value| {
        for object in &held {
            let patch = json!({"metadata": {"finalizers": finalizers}}).to_string();
            testbed.kubectl("prod1", &["-n", &going, "patch", object, "--type=merge", "-p", &patch]).expect("kubectl");
        }
    };
    set_finalizers(&json!(["example.com/held"]));
    testbed.kubectl("prod1", &["delete", "namespace", &going, "--wait=false"]).expect("kubectl");
    eventually("what holds the namespace", || {
        let namespace = user.get("prod1", &going, "namespace", &going);
        namespace["status"]["conditions"].to_string().contains("finalizers remaining").then_some(())
    });

    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    let at = arguments.iter().position(|argument| *argument == "--target-namespace").expect("the flag is given") + 1;
    arguments[at] = &going;
    arguments.push("--create-namespace");
    let output = refused(&user, &arguments)
        .says(&format!("namespace `{going}` of the run cluster `prod1` (context `prod1`) is being deleted"))
        .says("example.com/held")
        .says("wait until it is gone, and create it again")
        .says(&format!("kubectl --context prod1 get namespace {going}"));
    says_times(&output, "being deleted", 1);

    // Whoever may not look at the namespace is told by the dry runs.
    let (target, name) = (user.workspace.target_namespace(), format!("kube-system-{going}"));
    testbed
        .kubectl("prod1", &["delete", "clusterrolebinding", &format!("carvelflux-engineer-{target}")])
        .expect("kubectl");
    let role = ["create", "clusterrole", &name, "--verb=get", "--resource=namespaces", "--resource-name=kube-system"];
    testbed.kubectl("prod1", &role).expect("kubectl");
    let subject = format!("--serviceaccount={target}:{}", testbed::USER);
    let role = format!("--clusterrole={name}");
    testbed.kubectl("prod1", &["create", "clusterrolebinding", &name, &role, &subject]).expect("kubectl");
    arguments.pop();
    let output = refused(&user, &arguments)
        .says(&format!("namespace {going}, which is being deleted, refuses ServiceAccount {going}/"))
        .says(&format!("RoleBinding {going}/{PACKAGE}-installer on the run cluster"));
    says_times(&output, "being deleted", 1);
    set_finalizers(&json!(null));
    testbed.kubectl("prod1", &["delete", "clusterrole,clusterrolebinding", &name]).expect("kubectl");
}

/// The groups that no server answers for are listed all the same; only who asks for all of them fails.
fn api_that_is_down(testbed: &Testbed) {
    let user = bootstrapped(testbed, "api");
    let target = user.workspace.target_namespace();
    let group = format!("{target}.example.com");
    let name = format!("v1beta1.{group}");
    let service = json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": {
            "group": group, "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": true, "service": {"name": "nowhere", "namespace": target},
        },
    });
    testbed
        .apply("build", &service.to_string().replace(target, user.workspace.build_namespace()))
        .expect("kubectl apply");
    let build_name = name.replace(target, user.workspace.build_namespace());
    eventually("an API that is down", || {
        let service = user.get("build", user.workspace.build_namespace(), "apiservice", &build_name);
        service["status"]["conditions"].to_string().contains("\"False\"").then_some(())
    });
    user.add_cluster("prod1").expect_code(0).says("ready");
    user.run(&["check", "prod1"]).expect_code(0);
    testbed.kubectl("build", &["delete", "apiservice", &build_name]).expect("kubectl delete");
}
