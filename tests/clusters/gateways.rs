//! API servers behind gateways: one that refuses a request now and then, and one that knows only its own users.

use serde_json::{Value, json};
use testbed::{Behaviour, Gateway, Others, Testbed};

use crate::Test;
use crate::credentials::{add_cluster, annotation, kubeconfig as stored_kubeconfig, secret, with_kubeconfig};
use crate::kubeconfig_file::{own_kubeconfig, rules_of_the_guide};
use crate::kubectl::{change_kubeconfig, entry, kubeconfig};
use crate::support::{PACKAGE, User, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("gateways::an_unreliable_api_server_changes_nothing_but_time", unreliable),
    ("gateways::a_kubeconfig_whose_storing_is_not_answered_is_stored_once", lost_answer),
    ("gateways::a_deletion_that_is_not_answered_is_sent_again", lost_answer_to_a_deletion),
    ("gateways::one_that_knows_only_its_own_users_is_refused_without_a_trace", only_own_users),
    ("gateways::login_pages_are_no_api_server", login_pages),
    ("gateways::beside_one_that_knows_only_its_own_users_flux_has_an_address_of_its_own", beside_own_users),
    ("gateways::one_that_knows_only_its_own_users_knows_those_of_a_kubeconfig_file", own_user),
    ("gateways::rotate_stores_no_credential_that_flux_could_not_use", rotation),
];

/// The token of the user of a gateway that knows only its own users.
const OWN_TOKEN: &str = "not-a-token-of-the-cluster";

/// Puts a gateway before a cluster of the user's kubeconfig.
fn put_before(user: &mut User<'_>, context: &str, behaviour: Behaviour) -> Gateway {
    let authority = std::fs::read_to_string(user.authority_of(context)).expect("PEM");
    let is_own_user = matches!(behaviour, Behaviour::OwnUsers { .. });
    let gateway = Gateway::start(&user.server_of(context), &authority, behaviour).expect("a gateway");
    let mut kubeconfig = kubeconfig(user);
    let pem = user.write(&format!("{context}-gateway.pem"), gateway.authority());
    let cluster = entry(&mut kubeconfig, "clusters", context);
    cluster["cluster"] = json!({"server": gateway.server(), "certificate-authority": pem});
    if is_own_user {
        entry(&mut kubeconfig, "users", context)["user"] = json!({"token": OWN_TOKEN});
    }
    let path = user.write("kubeconfig-of-gateways.json", &kubeconfig.to_string());
    user.set("KUBECONFIG", &path.display().to_string());
    gateway
}

/// Puts a gateway before `prod1` that knows only its own users, and none of the cluster's.
fn put_own_users_before(user: &mut User<'_>) -> Gateway {
    let credential = token_of(user);
    put_own_users_with(user, &credential, Others::Unauthorized)
}

/// Returns the user's token for `prod1`.
fn token_of(user: &User<'_>) -> String {
    let mut kubeconfig = kubeconfig(user);
    entry(&mut kubeconfig, "users", "prod1")["user"]["token"].as_str().expect("a token").to_owned()
}

fn put_own_users_with(user: &mut User<'_>, credential: &str, others: Others) -> Gateway {
    let (prefix, token) = ("/k8s/clusters/c-m-x".to_owned(), OWN_TOKEN.to_owned());
    put_before(user, "prod1", Behaviour::OwnUsers { prefix, token, credential: credential.to_owned(), others })
}

fn direct(user: &User<'_>) -> Vec<String> {
    let authority = user.authority_of("prod1").display().to_string();
    vec!["--flux-server".to_owned(), user.server_of("prod1"), "--flux-certificate-authority".to_owned(), authority]
}

fn unreliable(testbed: &Testbed) {
    let mut user = User::new(testbed, "unreliable");
    let direct = direct(&user);
    let gateways = ["build", "prod1"].map(|context| put_before(&mut user, context, Behaviour::Unreliable(12)));
    user.bootstrap().expect_code(0);
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(direct.iter().map(String::as_str));
    user.run(&arguments).expect_code(0);
    user.run(&["check", "prod1"]).expect_code(0);
    user.run(&["wait"]).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
    user.run(&["status"]).expect_code(0).says("ready");
    user.run(&["version"]).expect_code(0);
    user.run(&[&arguments[..], &["--diff"]].concat()).expect_code(0);
    user.run(&["values", PACKAGE]).expect_code(0).says("workload_name");
    user.run(&["values", PACKAGE, "--run-cluster", "prod1"]).expect_code(0).says("replicas: 2");
    let rotate = ["rotate", "prod1", "--run-context", "prod1=prod1", "--yes"];
    user.run(&[&rotate[..], &["--token-duration", "24h"]].concat()).expect_code(0).says("24h");
    user.run(&rotate).expect_code(0);
    user.run(&arguments).expect_code(0).says("nothing to change");
    user.run(&["remove-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--yes"]).expect_code(0);
    let refused = gateways.map(|gateway| gateway.refused());
    assert!(refused.iter().all(|&refused| refused > 3), "the gateways refused next to nothing: {refused:?}");
}

/// What replaces a kubeconfig is for the version that was read, so that it must not be stored twice.
fn lost_answer(testbed: &Testbed) {
    let mut user = User::new(testbed, "lost-answer");
    user.bootstrap().expect_code(0);
    let stored = |user: &User<'_>| stored_kubeconfig(&secret(user))["users"][0]["user"]["token"].clone();
    let deliver = |user: &User<'_>| {
        let kubeconfig = own_kubeconfig(user, "prod1", &rules_of_the_guide());
        user.write("own.json", &kubeconfig.to_string());
        add_cluster(user, &["--kubeconfig-file", "own.json"]).expect_code(0).says("ready");
        assert_eq!(stored(user), kubeconfig["users"][0]["user"]["token"]);
    };
    deliver(&user);
    let path = format!("/api/v1/namespaces/{}/secrets/prod1-kubeconfig", user.workspace.build_namespace());
    let gateway = put_before(&mut user, "build", Behaviour::UnreliableWrites(path));
    // It is refused, and stored by the second request.
    deliver(&user);
    assert_eq!((gateway.requests(), gateway.refused()), (2, 1));
    // It is stored by the first, whose answer is lost.
    deliver(&user);
    assert_eq!((gateway.requests(), gateway.refused()), (3, 2));
}

/// The record of a removal is made and deleted by one run: what deletes it knows its UID from making it.
fn lost_answer_to_a_deletion(testbed: &Testbed) {
    let mut user = User::new(testbed, "lost-deletion");
    user.bootstrap().expect_code(0);
    add_cluster(&user, &[]).expect_code(0);
    let path = format!("/api/v1/namespaces/{}/configmaps/prod1-removal", user.workspace.build_namespace());
    let gateway = put_before(&mut user, "build", Behaviour::UnreliableWrites(path));
    user.run(&["remove-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--yes"]).expect_code(0);
    // It is made by the second request, and deleted by the first, whose answer is lost.
    assert_eq!((gateway.requests(), gateway.refused()), (4, 2));
}

/// Takes the permission to request tokens away from the user.
fn forbid_tokens(user: &User<'_>) {
    let role = "carvelflux-engineer";
    let mut rules = user.get("prod1", user.workspace.target_namespace(), "role", role)["rules"].clone();
    rules.as_array_mut().expect("rules").retain(|rule| rule["resources"] != json!(["serviceaccounts/token"]));
    user.target(&["patch", "role", role, "--type=merge", "-p", &json!({"rules": rules}).to_string()]);
}

fn only_own_users(testbed: &Testbed) {
    let mut user = User::new(testbed, "only-own-users");
    user.bootstrap().expect_code(0);
    let direct = direct(&user);
    let direct: Vec<&str> = direct.iter().map(String::as_str).collect();
    let gateway = put_own_users_before(&mut user);
    let refused = |stays: &[&str]| {
        let before = user.state();
        let output = add_cluster(&user, &[])
            .expect_code(1)
            .says("knows only its own users")
            .says("--flux-server https://HOST:PORT")
            .says("--kubeconfig-file FILE")
            .does_not_say("completes the rest")
            .does_not_say(OWN_TOKEN);
        let mut after = user.state();
        for &name in stays {
            after.insert(name.to_owned(), before[name].clone());
        }
        assert_eq!(before, after, "something is left: {output}");
        output
    };
    refused(&[]).does_not_say("created");

    // Who may not request tokens finds out with the first one, and nothing of it stays on the clusters.
    forbid_tokens(&user);
    let output = refused(&["Git"]);
    output.says("it was not stored").says("took ServiceAccount").says("the commit stays in Git");

    // What another run has made stays.
    add_cluster(&user, &direct).expect_code(0);
    user.build(&["delete", "secret", "prod1-kubeconfig"]);
    refused(&[]).says("it was not stored").does_not_say("took ");
    assert!(gateway.refused() > 0, "the gateway refused nobody");
}

/// Others answer with something of their own, which is no answer of an API server.
fn login_pages(testbed: &Testbed) {
    let mut user = User::new(testbed, "login-pages");
    user.bootstrap().expect_code(0);
    let (own, credential) = (user.variable("KUBECONFIG").expect("a kubeconfig").to_owned(), token_of(&user));
    for (others, words) in [
        (Others::Forbidden, "it answers with HTTP 403: "),
        (Others::Page, "its answer is no JSON"),
        (Others::Redirected, "its answer is no JSON"),
    ] {
        user.set("KUBECONFIG", &own);
        let gateway = put_own_users_with(&mut user, &credential, others);
        let before = user.state();
        add_cluster(&user, &[])
            .expect_code(1)
            .says(words)
            .says("knows only its own users")
            .says("--flux-server https://HOST:PORT")
            .does_not_say("completes the rest");
        assert_eq!(before, user.state(), "something is left");
        assert!(gateway.refused() > 0, "the gateway refused nobody");
    }
    // Whoever may not request tokens finds out with the first one; the gateway is the last.
    user.set("KUBECONFIG", &own);
    forbid_tokens(&user);
    let _gateway = put_own_users_with(&mut user, &credential, Others::Page);
    let output = add_cluster(&user, &[]).expect_code(1).says("it was not stored").says("took ServiceAccount");
    output.says("knows only its own users").does_not_say("completes the rest");
    // One's own credential that has ended is told as what it is.
    change_kubeconfig(&mut user, |kubeconfig| {
        entry(kubeconfig, "users", "prod1")["user"] = json!({"token": "another-fake-token"});
    });
    add_cluster(&user, &[]).expect_code(1).says("is no Kubernetes API server").does_not_say("is not reachable");
}

fn beside_own_users(testbed: &Testbed) {
    let mut user = User::new(testbed, "beside-own-users");
    user.bootstrap().expect_code(0);
    let direct = direct(&user);
    let direct: Vec<&str> = direct.iter().map(String::as_str).collect();
    let gateway = put_own_users_before(&mut user);
    add_cluster(&user, &direct).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
    for flags in [&direct[..], &[]] {
        add_cluster(&user, flags).expect_code(0).says("nothing to change");
    }
    user.run(&["check", "prod1", "--run-context", "prod1=prod1"]).expect_code(0);
    user.run(&["wait"]).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));

    let is_dead =
        |kubeconfig: &Value| with_kubeconfig(&user, kubeconfig, &["auth", "whoami"]).1.contains("Unauthorized");
    let first = stored_kubeconfig(&secret(&user));
    assert!(!is_dead(&first));
    user.run(&["rotate", "prod1", "--yes"]).expect_code(0).says("the old credential for prod1 is refused now");
    assert!(is_dead(&first), "the old credential still works where Flux goes");

    // A credential that does not work any more is told from one that only the gateway does not know.
    let second = secret(&user);
    user.target(&["delete", "secret", annotation(&second, "token-secret")]);
    eventually("the end of the token", || is_dead(&stored_kubeconfig(&second)).then_some(()));
    add_cluster(&user, &[]).expect_code(0).says("updated Secret");
    assert!(!is_dead(&stored_kubeconfig(&secret(&user))));

    // An address that knows nobody is refused, whatever else is known.
    let authority = user.write("gateway.pem", gateway.authority()).display().to_string();
    let before = user.state();
    add_cluster(&user, &["--flux-server", gateway.server(), "--flux-certificate-authority", &authority])
        .expect_code(1)
        .says("knows only its own users");
    assert_eq!(before, user.state());
    user.run(&["remove-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--yes"]).expect_code(0);
    assert!(gateway.refused() > 0, "the gateway refused nobody");
}

/// Returns the cluster entry of a kubeconfig that leads to a gateway.
fn cluster_of(gateway: &Gateway) -> Value {
    let authority = k8s_openapi::ByteString(gateway.authority().as_bytes().to_vec());
    json!({"server": gateway.server(), "certificate-authority-data": authority})
}

fn rotation(testbed: &Testbed) {
    let mut user = User::new(testbed, "rotate-own-users");
    user.bootstrap().expect_code(0);
    let direct = direct(&user);
    let direct: Vec<&str> = direct.iter().map(String::as_str).collect();
    let gateway = put_own_users_before(&mut user);
    add_cluster(&user, &direct).expect_code(0);
    let mut moved = stored_kubeconfig(&secret(&user));
    moved["clusters"][0]["cluster"] = cluster_of(&gateway);
    user.store_kubeconfig(&moved);
    let refused = || {
        let before = user.state();
        let output = user.run(&["rotate", "prod1", "--yes", "--force-conflicts"]);
        let output = output.expect_code(1).says("knows only its own users").does_not_say("completes the rest");
        assert_eq!(before, user.state(), "something is left: {output}");
        output
    };
    refused().does_not_say("created");
    forbid_tokens(&user);
    refused().says("it was not stored").says("took Secret");
}

fn own_user(testbed: &Testbed) {
    let mut user = User::new(testbed, "own-user");
    user.bootstrap().expect_code(0);
    let gateway = put_own_users_before(&mut user);
    let of_gateway = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "prod1",
        "contexts": [{"name": "prod1", "context": {"cluster": "prod1", "user": "prod1"}}],
        "clusters": [{"name": "prod1", "cluster": cluster_of(&gateway)}],
        "users": [{"name": "prod1", "user": {"token": OWN_TOKEN}}],
    });
    user.write("own.json", &of_gateway.to_string());
    add_cluster(&user, &["--kubeconfig-file", "own.json"])
        .expect_code(0)
        .says(&format!("{PACKAGE} on prod1  ready"))
        .does_not_say(OWN_TOKEN);
    user.run(&["wait"]).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
    user.run(&["remove-cluster", "prod1", "--package", PACKAGE, "--run-context", "prod1", "--yes"]).expect_code(0);
}
