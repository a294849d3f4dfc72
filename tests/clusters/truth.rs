//! What is told once a cause is removed, in the words of the terminal; the causes themselves are in `corpus`.

use testbed::Testbed;

use crate::Test;
use crate::support::{INSTALL_FILE, INSTALLS, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("truth::templates_fail_and_are_mended", templates_fail_and_are_mended),
    ("truth::paused_and_suspended", paused_and_suspended),
];

fn templates_fail_and_are_mended(testbed: &Testbed) {
    let user = User::delivered(testbed, "template");
    user.write("values.yaml", "workload_name: hello-app\nno_such_value: 1\n");
    user.add_cluster("prod1").expect_code(1).says("template").says("ytt: Error").says("no_such_value");
    user.write("values.yaml", "workload_name: hello-app\nreplicas: 1\n");
    user.add_cluster("prod1").expect_code(0).says("ready");
    user.assert_replicas(1);
}

fn paused_and_suspended(testbed: &Testbed) {
    let user = User::delivered(testbed, "paused");
    let suspend = |object: &str, suspend: bool| {
        let patch = format!(r#"{{"spec":{{"suspend":{suspend}}}}}"#);
        user.build(&["patch", object, "--type=merge", "-p", &patch]);
    };
    user.edit(INSTALL_FILE, |text| text.replace("spec:\n", "spec:\n  paused: true\n"));
    user.run(&["wait", "--timeout", "1m"]).expect_code(1).says("it is paused").says("\"paused\":false");
    user.edit(INSTALL_FILE, |text| text.replace("  paused: true\n", ""));
    user.run(&["wait", "--timeout", "1m"]).expect_code(0);

    let kustomization = format!("kustomization/{INSTALLS}");
    suspend(&kustomization, true);
    user.change_replicas(3);
    user.run(&["wait", "--timeout", "1m"]).expect_code(1).says("it is suspended").says("flux resume kustomization");
    suspend(&kustomization, false);
    user.run(&["wait", "--timeout", "2m"]).expect_code(0);
    suspend("gitrepository/hello-app.default.tap-gitops-repo", true);
    user.run(&["wait", "--timeout", "1m"]).expect_code(1).says("flux resume source git");
    suspend("gitrepository/hello-app.default.tap-gitops-repo", false);
    user.run(&["wait", "--timeout", "1m"]).expect_code(0);
    user.assert_replicas(3);
}
