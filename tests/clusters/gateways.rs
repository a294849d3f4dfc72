//! API servers behind a gateway that refuses a request now and then.

use std::path::PathBuf;

use serde_json::{Value, json};
use testbed::{Gateway, Testbed};

use crate::Test;
use crate::support::{PACKAGE, User};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("gateways::an_unreliable_api_server_changes_nothing_but_time", unreliable)];

/// Puts a gateway before a cluster of the user's kubeconfig.
fn put_before(user: &mut User<'_>, context: &str, every: usize) -> Gateway {
    let authority = std::fs::read_to_string(user.authority_of(context)).expect("PEM");
    let gateway = Gateway::start(&user.server_of(context), &authority, every).expect("a gateway");
    let mut kubeconfig = kubeconfig(user);
    let pem = user.write(&format!("{context}-gateway.pem"), gateway.authority());
    let cluster = entry(&mut kubeconfig, "clusters", context);
    cluster["cluster"] = json!({"server": gateway.server(), "certificate-authority": pem});
    let path = user.write("kubeconfig-of-gateways.json", &kubeconfig.to_string());
    user.set("KUBECONFIG", &path.display().to_string());
    gateway
}

fn kubeconfig(user: &User<'_>) -> Value {
    let path = user.variable("KUBECONFIG").map(PathBuf::from).expect("a kubeconfig");
    serde_yaml::from_str(&std::fs::read_to_string(path).expect("a kubeconfig")).expect("YAML")
}

fn entry<'a>(kubeconfig: &'a mut Value, list: &str, name: &str) -> &'a mut Value {
    let entries = kubeconfig[list].as_array_mut().expect("a list");
    entries.iter_mut().find(|entry| entry["name"] == name).expect("an entry")
}

fn direct(user: &User<'_>) -> Vec<String> {
    let authority = user.authority_of("prod1").display().to_string();

    vec!["--flux-server".to_owned(), user.server_of("prod1"), "--flux-certificate-authority".to_owned(), authority]
}

fn unreliable(testbed: &Testbed) {
    let mut user = User::new(testbed, "unreliable");
    let direct = direct(&user);
    let gateways = ["build", "prod1"].map(|context| put_before(&mut user, context, 12));
    user.bootstrap().expect_code(0);
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(direct.iter().map(String::as_str));
    user.run(&arguments).expect_code(0);
    user.run(&["check", "prod1"]).expect_code(0);
    user.run(&["wait"]).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
    user.run(&["status"]).expect_code(0).says("ready");
    user.run(&["rotate", "prod1", "--run-context", "prod1=prod1", "--yes"]).expect_code(0);
    user.run(&arguments).expect_code(0).says("nothing to change");
    user.run(&["remove-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--yes"]).expect_code(0);
    let refused = gateways.map(|gateway| gateway.refused());
    assert!(refused.iter().all(|&refused| refused > 3), "the gateways refused next to nothing: {refused:?}");
}
