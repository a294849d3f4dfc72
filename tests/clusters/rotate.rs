//! Rotation: a new credential that works before the old one is dead, whatever happens in between.

use serde_json::{Value, json};
use testbed::Testbed;

use crate::Test;
use crate::credentials::{add_cluster, annotation, as_flux, kubeconfig, secret, with_kubeconfig};
use crate::support::{INSTALLS, Output, PACKAGE, PACKAGES, User, eventually};
use crate::terminal::Terminal;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("rotate::replaces_a_token_and_proves_the_old_one_dead", replaces_a_token),
    ("rotate::keeps_or_gives_a_token_its_end", bounded_tokens),
    ("rotate::heals_a_dead_credential", dead_credential),
    ("rotate::takes_many_run_clusters_each_for_itself", many_run_clusters),
    ("rotate::names_what_cannot_be_rotated", not_rotatable),
    ("rotate::asks_for_permissions_first", missing_permissions),
    ("rotate::waits_for_flux_and_names_suspended_kustomizations", flux_does_not_use_it),
    ("rotate::two_at_a_time_do_not_revoke_each_others_credential", two_at_a_time),
    ("rotate::what_add_cluster_has_read_before_is_not_stored_again", add_cluster_meanwhile),
    ("rotate::killed_after_any_step_leaves_a_working_credential", |testbed| killed(testbed, "killed", &[])),
    ("rotate::killed_after_any_step_with_bounded_tokens", |testbed| {
        killed(testbed, "killed-bounded", &["--token-duration", "1h"]);
    }),
    ("rotate::add_cluster_killed_after_any_step_completes", add_cluster_killed),
];

const ROTATE: [&str; 3] = ["rotate", "prod1", "--yes"];

/// Returns the names of the Secrets that tokens of the deployer on a run cluster are in or bound to.
fn token_secrets(user: &User<'_>, run_cluster: &str) -> Vec<String> {
    let arguments = ["-n", user.workspace.target_namespace(), "get", "secrets", "-o", "json"];
    let list: Value =
        serde_json::from_str(&user.testbed.kubectl(run_cluster, &arguments).expect("kubectl")).expect("JSON");
    let deployer = format!("{}-{run_cluster}-deployer", user.workspace.build_namespace());
    let secrets = list["items"].as_array().expect("a list").iter();
    secrets
        .filter(|secret| secret["metadata"]["annotations"]["kubernetes.io/service-account.name"] == deployer.as_str())
        .map(|secret| secret["metadata"]["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// Returns the last line of JSON, after all have been checked against the schema.
fn result_of(output: &Output) -> Value {
    let schema: Value = serde_json::from_str(include_str!("../../docs/events.schema.json")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let mut last = Value::Null;
    for line in output.stdout.lines() {
        last = serde_json::from_str(line).expect("JSON");
        if let Err(error) = validator.validate(&last) {
            panic!("{error} in {last:#}");
        }
    }
    last
}

fn works(user: &User<'_>) -> bool {
    as_flux(user, &["-n", user.workspace.target_namespace(), "get", "packageinstalls"]).0
}

fn is_dead(user: &User<'_>, old: &Value) -> bool {
    let (is_let_in, text) =
        with_kubeconfig(user, old, &["-n", user.workspace.target_namespace(), "get", "packageinstalls"]);
    !is_let_in && text.contains("Unauthorized")
}

/// Asserts that one credential is there, that it works, that the old one does not, and that Flux is content.
fn assert_clean(user: &User<'_>, old: &Value) {
    let stored = secret(user);
    assert_eq!(token_secrets(user, "prod1"), [annotation(&stored, "token-secret")], "token Secrets are left behind");
    assert!(works(user), "the new credential does not work");
    assert!(is_dead(user, old), "the old credential is alive");
    user.reconcile_by_flux(&[PACKAGES, INSTALLS]);
    user.run(&["wait"]).expect_code(0).says("  ready  ");
}

fn replaces_a_token(testbed: &Testbed) {
    let user = User::new(testbed, "rotate");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let old = kubeconfig(&secret(&user));
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    user.run(&ROTATE)
        .expect_code(0)
        .says("which does not expire, and revoke the old one")
        .says(&format!("created Secret {target}/{build}-prod1-deployer-token-"))
        .says(&format!("updated Secret {build}/prod1-kubeconfig"))
        .says("Flux uses the new credential for prod1")
        .says(&format!("deleted Secret {target}/{build}-prod1-deployer-token on"))
        .says("the old credential for prod1 is refused now")
        .says("prod1  rotated\n");
    assert_clean(&user, &old);
    let new = kubeconfig(&secret(&user));
    assert_eq!(new["clusters"], old["clusters"], "the address changed");

    // A further delivery or the same one again knows the new Secret.
    user.add_cluster("prod1").expect_code(0).says("nothing to change");
    let output = user.run(&["rotate", "--all", "--yes", "-o", "json", "-vv"]).expect_code(0);
    for kubeconfig in [&new, &kubeconfig(&secret(&user))] {
        let token = kubeconfig["users"][0]["user"]["token"].as_str().expect("a token");
        assert!(!output.stdout.contains(token) && !output.stderr.contains(token), "a token is shown");
    }
    let result = result_of(&output);
    assert_eq!(result["outcome"], "rotated", "{output}");
    assert_eq!(
        result["rotations"],
        json!([{"namespace": build, "runCluster": "prod1", "outcome": "rotated"}]),
        "{output}"
    );
    assert_clean(&user, &new);
}

fn bounded_tokens(testbed: &Testbed) {
    let user = User::new(testbed, "rotate-bounded");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let old = kubeconfig(&secret(&user));
    user.run(&["rotate", "prod1", "--yes", "--token-duration", "3h"])
        .expect_code(0)
        .says("which lives 3h")
        .says("was granted for 3h")
        .says("prod1  rotated  expires 20");
    assert_clean(&user, &old);
    let stored = secret(&user);
    assert_eq!(
        (annotation(&stored, "authentication"), annotation(&stored, "token-duration")),
        ("bounded-token", "10800s")
    );

    // Without the flag the new one lives as long as the old one did.
    user.run(&ROTATE).expect_code(0).says("was granted for 3h");
    assert_clean(&user, &kubeconfig(&stored));
    let renewed = secret(&user);
    assert!(annotation(&renewed, "expires") > annotation(&stored, "expires"), "the new token does not end later");
}

fn dead_credential(testbed: &Testbed) {
    let user = User::new(testbed, "rotate-dead");
    user.bootstrap().expect_code(0);
    add_cluster(&user, &["--token-duration", "1h"]).expect_code(0);
    let stored = secret(&user);
    user.target(&["delete", "secret", annotation(&stored, "token-secret")]);
    let old = kubeconfig(&stored);
    eventually("the end of the token", || is_dead(&user, &old).then_some(()));
    user.run(&ROTATE).expect_code(0).says("Flux uses the new credential");
    assert_clean(&user, &old);
}

fn many_run_clusters(testbed: &Testbed) {
    let user = User::new(testbed, "rotate-many");
    user.bootstrap().expect_code(0);
    for cluster in ["prod1", "prod2"] {
        user.add_cluster(cluster).expect_code(0);
    }
    let old = kubeconfig(&secret(&user));
    // The context of one leads to another cluster.
    let output = user.run(&["rotate", "--all", "--yes", "--run-context", "prod2=prod1", "-o", "json"]);
    let output =
        output.expect_code(1).says("1 of 2 run clusters not rotated").says("is not the cluster that `prod2` means");
    let result = result_of(&output);
    let outcomes: Vec<&Value> =
        result["rotations"].as_array().expect("a list").iter().map(|rotation| &rotation["outcome"]).collect();
    assert_eq!(outcomes, ["rotated", "failed"], "{output}");
    assert_eq!((&result["outcome"], &result["exitCode"]), (&json!("failed"), &json!(1)));
    assert_clean(&user, &old);
    assert_eq!(token_secrets(&user, "prod2").len(), 1);

    user.run(&["rotate", "prod1", "prod2", "--yes"]).expect_code(0).says("prod1  rotated").says("prod2  rotated");
    for cluster in ["prod1", "prod2"] {
        let names = token_secrets(&user, cluster);
        assert!(names.len() == 1 && names[0].contains("-token-"), "{names:?}");
    }
}

fn not_rotatable(testbed: &Testbed) {
    let user = User::new(testbed, "rotate-others");
    user.bootstrap().expect_code(0);
    user.run(&["rotate", "prod1", "--yes"]).expect_code(2).says("there is no Secret").says("-n");
    user.run(&["rotate", "--all", "--yes"]).expect_code(1).says("there is no credential to rotate");
    user.run(&["rotate", "--yes"]).expect_code(2).says("RUN_CLUSTER or --all");
    user.add_cluster("prod1").expect_code(0);
    user.run(&["rotate", "prod1", "--yes", "--run-context", "prod2=prod2"]).expect_code(2).says("not among");
    user.run(&["rotate", "prod1", "--yes", "--token-duration", "9m"]).expect_code(2).says("less than 10m");
    for (method, says) in [("kubeconfig-file", "--kubeconfig-file FILE"), ("unknown", "yourself")] {
        let annotation = format!("carvelflux.dev/authentication={method}");
        user.build(&["annotate", "--overwrite", "secret", "prod1-kubeconfig", &annotation]);
        let before = user.state();
        user.run(&ROTATE).expect_code(1).says("cannot be rotated here").says(says);
        assert_eq!(before, user.state());
    }
}

fn missing_permissions(testbed: &Testbed) {
    let user = User::new(testbed, "rotate-not-allowed");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let (target, role) = (user.workspace.target_namespace(), "carvelflux-engineer");
    let mut rules = user.get("prod1", target, "role", role)["rules"].clone();
    rules.as_array_mut().expect("rules").retain(|rule| rule["resources"] != json!(["serviceaccounts/token"]));
    let patch = json!({"rules": rules}).to_string();
    testbed.kubectl("prod1", &["-n", target, "patch", "role", role, "--type=merge", "-p", &patch]).expect("kubectl");
    let before = user.state();
    user.run(&["rotate", "prod1", "--yes", "--token-duration", "1h"])
        .expect_code(1)
        .says("you may not do everything that this takes on the run cluster `prod1`")
        .says(&format!("in namespace {target}: create serviceaccounts/token"));
    assert_eq!(before, user.state());
    user.run(&ROTATE).expect_code(0);
}

fn flux_does_not_use_it(testbed: &Testbed) {
    let user = User::new(testbed, "rotate-unused");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let old = kubeconfig(&secret(&user));
    // Flux cannot get through: the old credential must stay.
    let address = "https://127.0.0.1:1";
    let mut broken = old.clone();
    broken["clusters"][0]["cluster"]["server"] = json!(address);
    user.store_kubeconfig(&broken);
    let before = user.state();
    user.run(&ROTATE).expect_code(1).says("`kubectl-patch` manages .data.value.yaml").says("--force-conflicts");
    assert_eq!(before, user.state(), "something was written though somebody else manages the kubeconfig");
    user.run(&["rotate", "prod1", "--yes", "--timeout", "3m", "--force-conflicts"])
        .expect_code(1)
        .says("Flux cannot use the new credential")
        .says("connection refused")
        .says("the old one is not revoked");
    assert!(!is_dead(&user, &old), "the old credential was revoked before Flux used the new one");
    assert_eq!(token_secrets(&user, "prod1").len(), 2);

    // With the address mended, the same command ends clean.
    let mut mended = kubeconfig(&secret(&user));
    mended["clusters"] = old["clusters"].clone();
    user.store_kubeconfig(&mended);
    for kustomization in [PACKAGES, INSTALLS] {
        user.build(&["patch", "kustomization", kustomization, "--type=merge", "-p", r#"{"spec": {"suspend": true}}"#]);
    }
    user.run(&[&ROTATE[..], &["--force-conflicts"]].concat())
        .expect_code(0)
        .says("is suspended: it uses the new credential once it is resumed");
    for kustomization in [PACKAGES, INSTALLS] {
        user.build(&["patch", "kustomization", kustomization, "--type=merge", "-p", r#"{"spec": {"suspend": false}}"#]);
    }
    assert_clean(&user, &old);
}

fn two_at_a_time(testbed: &Testbed) {
    let user = User::new(testbed, "rotate-twice");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    for _ in 0..3 {
        let old = kubeconfig(&secret(&user));
        let outputs = std::thread::scope(|scope| {
            let threads = [(); 2].map(|()| scope.spawn(|| user.run(&ROTATE)));
            threads.map(|thread| thread.join().expect("a run"))
        });
        assert!(works(&user), "no credential works after {} and {}", outputs[0], outputs[1]);
        for output in outputs.into_iter().filter(|output| output.code != 0) {
            let output = output.expect_code(1);
            // Where the other one had already taken its new Secret for an old one, there was nothing to store.
            let is_explained = ["somebody else changed it at the same time", "it was not stored", "is gone from"];
            assert!(is_explained.iter().any(|text| output.stderr.contains(text)), "{output}");
        }
        user.run(&ROTATE).expect_code(0);
        assert_clean(&user, &old);
    }
}

fn add_cluster_meanwhile(testbed: &Testbed) {
    let user = User::new(testbed, "rotate-adding");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let old = kubeconfig(&secret(&user));
    // What add-cluster would mend, with the credential that it finds now.
    user.build(&["label", "secret", "prod1-kubeconfig", "reconcile.fluxcd.io/watch-"]);
    let arguments = user.add_cluster_arguments("prod1", "prod1");
    let arguments: Vec<&str> = arguments.into_iter().filter(|argument| *argument != "--yes").collect();
    let mut terminal = Terminal::start(&user, &arguments);
    terminal.expect("Do you want to continue? (y/N)");
    // The new credential is stored, and the old one still works.
    assert!(kill_after(&user, &ROTATE, "updated Secret"));
    let stored = secret(&user);
    terminal.answer("Do you want to continue? (y/N)", "y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("somebody else changed it at the same time"), "{screen}");
    assert_eq!(secret(&user)["data"], stored["data"], "the old credential is stored again");
    user.run(&ROTATE).expect_code(0);
    assert_clean(&user, &old);
}

/// Runs the plugin, and kills it as soon as it says something; returns whether it did.
fn kill_after(user: &User<'_>, arguments: &[&str], text: &str) -> bool {
    let (mut child, mut lines) = user.start(arguments);
    let is_said = lines.any(|line| line.contains(text));
    // SIGKILL: nothing of the plugin runs any more.
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    is_said
}

fn killed(testbed: &Testbed, name: &str, flags: &[&str]) {
    let user = User::new(testbed, name);
    user.bootstrap().expect_code(0);
    add_cluster(&user, flags).expect_code(0);
    for step in ["This will", "created Secret", "updated Secret", "Flux uses", "deleted Secret"] {
        let old = kubeconfig(&secret(&user));
        assert!(kill_after(&user, &ROTATE, step), "the plugin never says `{step}`");
        assert!(works(&user), "killed after `{step}`, no credential works");
        user.run(&ROTATE).expect_code(0).says("the old credential for prod1 is refused now");
        assert_clean(&user, &old);
    }
}

fn add_cluster_killed(testbed: &Testbed) {
    let user = User::new(testbed, "killed-adding");
    user.bootstrap().expect_code(0);
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let server = user.server_of("prod1");
    let flags = ["--token-duration", "1h", "--flux-server", &server];
    let arguments = [&user.add_cluster_arguments("prod1", "prod1")[..], &flags].concat();
    let deployer = format!("{build}-prod1-deployer");
    for step in [
        format!("created ServiceAccount {target}/{deployer}"),
        format!("created Secret {target}/{deployer}-token"),
        format!("created Role {target}/{deployer}"),
        format!("created RoleBinding {target}/{deployer}"),
        format!("created Secret {build}/prod1-kubeconfig"),
        "pushed".to_owned(),
        format!("created Kustomization {build}/{PACKAGES}"),
        format!("created Kustomization {build}/{INSTALLS}"),
    ] {
        // Where a step was done in the same moment in which the one before was said, it is not said again.
        let is_said = kill_after(&user, &arguments, &step);
        let stored = secret(&user);
        if stored.is_object() {
            assert!(works(&user), "killed after `{step}` ({is_said}), the stored credential does not work");
        }
        assert!(user.temporary_files().len() <= 1, "what the process before left behind is still there");
    }
    user.run(&arguments).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
    assert_eq!(token_secrets(&user, "prod1"), [annotation(&secret(&user), "token-secret")]);
    user.run(&arguments).expect_code(0).says("nothing to change");
    assert!(user.temporary_files().is_empty(), "a clone is left behind");
}
