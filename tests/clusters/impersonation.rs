//! `--impersonate`: the guide's `serviceAccountName`, bound to the subject that Flux really uses.

use serde_json::{Value, json};
use testbed::Testbed;

use crate::Test;
use crate::support::{INSTALLS, PACKAGE, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("impersonation::with_a_token_delivers_and_deletes", with_a_token),
    ("impersonation::with_a_kubeconfig_file_delivers_and_deletes", with_a_kubeconfig_file),
    ("impersonation::a_powerful_account_is_refused", powerful_account),
    ("impersonation::what_cannot_be_granted_is_refused", what_cannot_be_granted),
];

const ACCOUNT: &str = "default-ns-sa";

fn arguments<'b>(user: &'b User<'_>) -> Vec<&'b str> {
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--impersonate", ACCOUNT]);
    arguments
}

fn bootstrapped<'a>(testbed: &'a Testbed, name: &str) -> User<'a> {
    let user = User::new(testbed, name);
    user.bootstrap().expect_code(0);
    user.workspace.allow_impersonation(testbed, "prod1").expect("the permission to grant impersonation");
    user
}

/// Asks the run cluster whether a user may do something, as `kubectl auth can-i` does.
fn may(user: &User<'_>, who: &str, namespace: &str, what: &[&str]) -> bool {
    let arguments = [&["auth", "can-i", "--as", who, "-n", namespace], what].concat();
    user.testbed.kubectl("prod1", &arguments).is_ok()
}

fn with_a_token(testbed: &Testbed) {
    let user = bootstrapped(testbed, "as-token");
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    user.run(&arguments(&user)).expect_code(0).says("ready");
    let kustomization = user.get("build", build, "kustomization", INSTALLS);
    assert_eq!(kustomization["spec"]["serviceAccountName"], ACCOUNT);

    let deployer = format!("system:serviceaccount:{target}:{build}-prod1-deployer");
    let impersonated = format!("system:serviceaccount:{build}:{ACCOUNT}");
    assert!(may(&user, &impersonated, target, &["create", "packageinstalls.packaging.carvel.dev"]));
    assert!(!may(&user, &impersonated, build, &["get", "secrets"]));
    assert!(!may(&user, &deployer, target, &["create", "packageinstalls.packaging.carvel.dev"]), "only impersonation");
    assert!(may(&user, &deployer, build, &["impersonate", &format!("serviceaccounts/{ACCOUNT}")]));
    assert!(!may(&user, &deployer, build, &["impersonate", "serviceaccounts/default"]));
    assert!(!may(&user, &deployer, target, &["impersonate", &format!("serviceaccounts/{ACCOUNT}")]));
    assert_eq!(user.get("prod1", build, "serviceaccount", ACCOUNT), Value::Null, "it need not exist");

    user.run(&arguments(&user)).expect_code(0).says("nothing to change");
    user.add_cluster("prod1").expect_code(0).says("nothing to change");
    user.run(&["wait"]).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
    user.run(&["status"]).expect_code(0).says("ready");
    let mut other = user.add_cluster_arguments("prod1", "prod1");
    other.extend(["--impersonate", "somebody-else"]);
    user.run(&other).expect_code(1).says(&format!("another spec.serviceAccountName: `{ACCOUNT}`"));

    // Without the account on the build cluster, this would leave everything behind.
    assert_ne!(user.get("build", build, "serviceaccount", ACCOUNT), Value::Null);
    user.assert_deleting_prunes();
}

fn with_a_kubeconfig_file(testbed: &Testbed) {
    let user = bootstrapped(testbed, "as-file");
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let kubeconfig = crate::kubeconfig_file::own_kubeconfig(&user, "prod1", &json!([]));
    user.write("own.yaml", &kubeconfig.to_string());
    // An account of that name which somebody else has made serves as well, and stays theirs.
    user.build(&["create", "serviceaccount", ACCOUNT]);
    let mut arguments = arguments(&user);
    arguments.extend(["--kubeconfig-file", "own.yaml"]);
    user.run(&arguments).expect_code(0).says("ready");
    let flux = format!("system:serviceaccount:{target}:flux");
    assert!(may(&user, &flux, build, &["impersonate", &format!("serviceaccounts/{ACCOUNT}")]));
    assert!(!may(&user, &flux, target, &["create", "packageinstalls.packaging.carvel.dev"]), "only impersonation");
    user.run(&arguments).expect_code(0).says("nothing to change");
    user.add_cluster("prod1").expect_code(0).says("nothing to change");
    let account = user.get("build", build, "serviceaccount", ACCOUNT);
    assert_eq!(account["metadata"]["labels"], Value::Null, "it was not taken over");
    user.assert_deleting_prunes();
}

fn powerful_account(testbed: &Testbed) {
    let user = bootstrapped(testbed, "as-admin");
    let build = user.workspace.build_namespace();
    let group = format!("--group=system:serviceaccounts:{build}");
    let binding = ["-n", build, "create", "rolebinding", "everything", "--clusterrole=cluster-admin", &group];
    testbed.kubectl("prod1", &binding).expect("kubectl");
    let before = user.state();
    user.run(&arguments(&user))
        .expect_code(1)
        .says(&format!("ServiceAccount {build}/{ACCOUNT} may do everything in namespace {build}"))
        .says("RoleBinding everything binds cluster-admin")
        .does_not_say("✔");
    assert_eq!(before, user.state());
}

fn what_cannot_be_granted(testbed: &Testbed) {
    let user = User::new(testbed, "as-nobody");
    user.bootstrap().expect_code(0);
    let before = user.state();
    let build = user.workspace.build_namespace();
    user.run(&arguments(&user))
        .expect_code(1)
        .says(&format!("has no namespace `{build}`"))
        .says(&format!("system:serviceaccount:{build}:{ACCOUNT}"))
        .does_not_say("✔");
    testbed.kubectl("prod1", &["create", "namespace", build]).expect("kubectl");
    user.run(&arguments(&user))
        .expect_code(1)
        .says("you may not do everything that this takes on the run cluster `prod1`")
        .says(&format!("in namespace {build}: create, get, patch rolebindings.rbac.authorization.k8s.io"))
        .does_not_say("✔");
    let mut wrong = user.add_cluster_arguments("prod1", "prod1");
    wrong.extend(["--impersonate", "dev:flux"]);
    user.run(&wrong).expect_code(2).says("`dev:flux` cannot be the name of a service account");
    assert_eq!(before, user.state());
}
