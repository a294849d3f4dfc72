//! API servers behind a gateway: a front door that knows only its own users, and one that refuses a request now and then.

use std::path::PathBuf;

use serde_json::{Value, json};
use testbed::{Behaviour, Gateway, Testbed};

use crate::Test;
use crate::support::{PACKAGE, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("gateways::an_unreliable_api_server_changes_nothing_but_time", unreliable),
    ("gateways::a_front_door_is_seen_before_anything_is_written", front_door_alone),
    ("gateways::a_front_door_with_a_direct_address_for_flux", front_door_with_direct_address),
];

/// What a front door's user has; it is no token of the cluster.
const TOKEN: &str = "fake-front-door-token";

/// Puts a gateway before a cluster of the user's kubeconfig; `token` is the user's at the gateway, if it has its own.
fn put_before(user: &mut User<'_>, context: &str, behaviour: Behaviour, token: Option<&str>) -> Gateway {
    let authority = std::fs::read_to_string(user.authority_of(context)).expect("PEM");
    let gateway = Gateway::start(&user.server_of(context), &authority, behaviour).expect("a gateway");
    let mut kubeconfig = kubeconfig(user);
    let pem = user.write(&format!("{context}-gateway.pem"), gateway.authority());
    let cluster = entry(&mut kubeconfig, "clusters", context);
    cluster["cluster"] = json!({"server": gateway.server(), "certificate-authority": pem});
    if let Some(token) = token {
        entry(&mut kubeconfig, "users", context)["user"] = json!({"token": token});
    }
    let path = user.write("kubeconfig-of-gateways.json", &kubeconfig.to_string());
    user.set("KUBECONFIG", &path.display().to_string());
    gateway
}

/// Puts a front door before `prod1`, whose users reach the cluster with the rights that the user has there.
fn front_door(user: &mut User<'_>) -> Gateway {
    let upstream_token = entry(&mut kubeconfig(user), "users", "prod1")["user"]["token"].clone();
    let behaviour = Behaviour::OwnUsers {
        prefix: "/k8s/clusters/c-m-fake".to_owned(),
        token: TOKEN.to_owned(),
        upstream_token: upstream_token.as_str().expect("a token").to_owned(),
    };
    put_before(user, "prod1", behaviour, Some(TOKEN))
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

    vec!["--server".to_owned(), user.server_of("prod1"), "--certificate-authority".to_owned(), authority]
}

fn unreliable(testbed: &Testbed) {
    let mut user = User::new(testbed, "unreliable");
    let direct = direct(&user);
    let gateways =
        ["build", "prod1"].map(|context| put_before(&mut user, context, Behaviour::Unreliable { every: 12 }, None));
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

fn front_door_alone(testbed: &Testbed) {
    let mut user = User::new(testbed, "front-door");
    let gateway = front_door(&mut user);
    user.bootstrap().expect_code(0);
    let before = user.state();
    user.add_cluster("prod1")
        .expect_code(1)
        .says("knows only its own users")
        .says("--kubeconfig-file")
        .does_not_say(TOKEN);
    assert_eq!(before, user.state());
    assert!(gateway.refused() > 0, "no token of the cluster was tried at the front door");
}

fn front_door_with_direct_address(testbed: &Testbed) {
    let mut user = User::new(testbed, "direct");
    let direct = direct(&user);
    let _gateway = front_door(&mut user);
    user.bootstrap().expect_code(0);
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(direct.iter().map(String::as_str));
    user.run(&arguments).expect_code(0).does_not_say(TOKEN);
    let before = user.state();
    user.add_cluster("prod1").expect_code(0).says("nothing to change");
    assert_eq!(before, user.state());

    // The front door refuses every token of the cluster: that is no proof that one is revoked.
    user.run(&["rotate", "prod1", "--run-context", "prod1=prod1", "--yes"]).expect_code(0).does_not_say(TOKEN);
    user.run(&["wait"]).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
}
