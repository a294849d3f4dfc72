//! Components that stop: never a false green, and everything goes on once they are back.

use testbed::Testbed;

use crate::Test;
use crate::support::{PACKAGE, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("disruption::kustomize_controller_stopped", kustomize_controller_stopped),
    ("disruption::kapp_controller_stopped", kapp_controller_stopped),
    ("disruption::run_cluster_api_server_restarted", api_server_restarted),
];

fn delivered<'a>(testbed: &'a Testbed, name: &str) -> User<'a> {
    let user = User::new(testbed, name);
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    user
}

fn change_values(user: &User<'_>) {
    user.edit(&format!("{PACKAGE}/prod1/params.yaml"), |text| text.replace("replicas: 2", "replicas: 3"));
}

fn assert_delivered(user: &User<'_>) {
    user.run(&["wait", "--timeout", "3m"]).expect_code(0).says("ready");
    assert_replicas(user, 3);
}

fn assert_replicas(user: &User<'_>, replicas: u32) {
    let deployment = user.get("prod1", user.workspace.target_namespace(), "deployment", "hello-app");
    assert_eq!(deployment["spec"]["replicas"], replicas);
}

fn kustomize_controller_stopped(testbed: &Testbed) {
    let user = delivered(testbed, "no-kustomize");
    let process = testbed.process("build/kustomize-controller").expect("the process");
    process.stop().expect("it stops");
    change_values(&user);
    user.run(&["wait", "--timeout", "20s"]).expect_code(3).says("waiting for Flux to apply").does_not_say("  ready  ");
    process.start().expect("it starts");
    assert_delivered(&user);
}

fn kapp_controller_stopped(testbed: &Testbed) {
    let user = delivered(testbed, "no-kapp");
    let process = testbed.process("prod1/kapp-controller").expect("the process");
    process.stop().expect("it stops");
    change_values(&user);
    // The run cluster's old success still stands.
    user.run(&["wait", "--timeout", "20s"]).expect_code(3).does_not_say("  ready  ");
    process.start().expect("it starts");
    testbed.wait_until_ready("prod1").expect("it becomes ready");
    // It tracks a Secret once it has run the App: what changes before that it notices with its next sync, minutes later.
    // A run that the stop cut off is begun anew at once, however, and reads the new values; green is right only then.
    let waited = user.run(&["wait", "--timeout", "20s"]);
    if waited.code == 0 {
        assert_replicas(&user, 3);
    } else {
        waited.expect_code(3).says("has yet to read the new values").does_not_say("  ready  ");
    }
    user.write("values.yaml", "workload_name: hello-app\nreplicas: 3\n# delivered anew\n");
    user.add_cluster("prod1").expect_code(0).says("pushed");
    assert_delivered(&user);
}

fn api_server_restarted(testbed: &Testbed) {
    let user = delivered(testbed, "restart");
    let process = testbed.process("prod1/kube-apiserver").expect("the process");
    process.stop().expect("it stops");
    change_values(&user);
    let waiting = user
        .command()
        .args(["wait", "--timeout", "4m"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the plugin starts");
    user.run(&["wait", "--timeout", "15s"]).expect_code(3).does_not_say("  ready  ").says("retrying");
    process.start().expect("it starts");
    testbed.wait_until_ready("prod1").expect("it becomes ready");
    let output = waiting.wait_with_output().expect("the plugin ends");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_delivered(&user);
}
