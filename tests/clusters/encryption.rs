//! Values that are encrypted in Git: the real kustomize-controller decrypts them, and nothing else holds them in plain text.

use carvelflux::testing::Identities;
use secrecy::ExposeSecret as _;
use testbed::Testbed;

use crate::Test;
use crate::bad_input::refused;
use crate::support::{INSTALLS, PACKAGE, User, VALUES_FILE};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("encryption::flux_decrypts_what_is_encrypted_and_a_removal_leaves_nothing", encrypted_from_the_first_run),
    ("encryption::plain_values_become_encrypted_and_keys_that_flux_ignores_are_refused", plain_becomes_encrypted),
    ("encryption::rules_that_only_sops_can_follow_go_through_the_users_own", rules_of_groups),
];

const SECRET: &str = "fake-password-of-nobody";

fn with<'a>(user: &'a User<'_>, more: &[&'a str]) -> Vec<&'a str> {
    [user.add_cluster_arguments("prod1", "prod1").as_slice(), more].concat()
}

fn encrypted_from_the_first_run(testbed: &Testbed) {
    let user = User::new(testbed, "sealed");
    user.bootstrap().expect_code(0);
    user.write("values.yaml", &format!("workload_name: hello-app\nhostname: {SECRET}\n"));

    // Nobody is named to encrypt for; nothing is written.
    let before = user.state();
    user.run(&with(&user, &["--encrypt", "age"])).expect_code(2).says("--generate-age-key").does_not_say(SECRET);
    assert_eq!(before, user.state(), "something was written");

    let made = user.run(&with(&user, &["--encrypt", "age", "--generate-age-key"]));
    made.expect_code(0).says("Secret").says("sops-age").says(".sops.yaml").says("ready").does_not_say(SECRET);
    let repository = user.workspace.repository();
    let file = repository.read(VALUES_FILE).expect("Git").expect("the values");
    assert!(file.contains("ENC[AES256_GCM,") && !file.contains(SECRET), "{file}");
    let namespace = user.workspace.build_namespace();
    let key = user.get("build", namespace, "secret", "sops-age");

    // The same again changes nothing: neither the key nor the ciphertext.
    user.run(&with(&user, &["--encrypt", "age", "--generate-age-key"])).expect_code(0).says("nothing to change");
    user.add_cluster("prod1").expect_code(0).says("nothing to change");
    // Who may read Flux's key needs none of their own; where a flag names the repository, no cluster is asked.
    user.run(&["values", PACKAGE, "--run-cluster", "prod1"]).expect_code(0).says(SECRET);
    let named = ["values", PACKAGE, "--run-cluster", "prod1", "--git-url", repository.url(), "--branch", "main"];
    user.run(&named).expect_code(1).says("SOPS_AGE_KEY_FILE").does_not_say(SECRET);

    // A single value is set in what only the key can read.
    let complete = with(&user, &[]);
    let at = complete.iter().position(|argument| *argument == "--values").expect("the flag is given");
    let set = [&complete[..at], &complete[at + 2..], &["--set", "replicas=2"]].concat();
    user.run(&set).expect_code(0).says("ready").does_not_say(SECRET);
    user.assert_replicas(2);
    let file = repository.read(VALUES_FILE).expect("Git").expect("the values");
    assert!(!file.contains("replicas") && !file.contains(SECRET), "{file}");
    assert_eq!(key["metadata"]["uid"], user.get("build", namespace, "secret", "sops-age")["metadata"]["uid"]);

    // What was changed without SOPS is refused; Flux itself would not notice.
    let intact = file.clone();
    user.edit(VALUES_FILE, |text| {
        text.replace("version: 3.9.0", "version: 3.9.1").replace("lastmodified: \"2", "lastmodified: \"1")
    });
    user.run(&set).expect_code(1).says("message authentication code").does_not_say(SECRET);
    user.edit(VALUES_FILE, |_| intact.clone());

    user.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"]).expect_code(0);
    let left = user.target(&["get", "packageinstalls,apps,deployments,packages", "-o", "name"]);
    assert_eq!(left.trim(), "");
}

fn plain_becomes_encrypted(testbed: &Testbed) {
    let user = User::new(testbed, "sealing");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0).says("in plain text").says("--allow-plain-values");

    let namespace = user.workspace.build_namespace();
    user.build(&["create", "secret", "generic", "sops-age", "--from-literal=age.key=not-a-real-key"]);
    let complete = with(&user, &["--encrypt", "age", "--generate-age-key"]);
    refused(&user, &complete, 1)
        .says("no key whose name ends in .agekey, but age.key")
        .says("such as age.agekey")
        .does_not_say("not-a-real-key");
    user.build(&["delete", "secret", "sops-age"]);
    let rules = |text| user.workspace.repository().commit(&[(".sops.yaml", text)], "Say who reads").expect("a commit");
    rules(Some("creation_rules:\n- path_regex: ^other/\n  age: age1x\n"));
    refused(&user, &complete, 1).says(&format!(".sops.yaml has no rule for {VALUES_FILE}")).says("path_regex");
    rules(None);

    user.run(&complete).expect_code(0).says("history").says("spec.decryption").says("ready");
    let file = user.workspace.repository().read(VALUES_FILE).expect("Git").expect("the values");
    assert!(file.contains("ENC[AES256_GCM,") && !file.contains("workload_name"), "{file}");
    let installs = user.get("build", namespace, "kustomization", INSTALLS);
    assert_eq!(installs["spec"]["decryption"]["secretRef"]["name"], "sops-age");

    // Without the key, Flux could not go on.
    user.build(&["delete", "secret", "sops-age"]);
    refused(&user, &with(&user, &[]), 1)
        .says("Flux could not decrypt the values")
        .says("sops-age with the private key does not exist")
        .says("--from-file=age.agekey=FILE");
}

fn rules_of_groups(testbed: &Testbed) {
    let mut user = User::new(testbed, "groups");
    user.bootstrap().expect_code(0);
    user.write("values.yaml", &format!("workload_name: hello-app\nhostname: {SECRET}\n"));
    let repository = user.workspace.repository().clone();
    let identities = Identities::generate();
    let recipient = identities.recipients()[0].to_string();
    let rules = format!("creation_rules:\n- path_regex: params\\.yaml$\n  key_groups:\n  - age: [{recipient}]\n");
    repository.commit(&[(".sops.yaml", Some(&rules))], "Say who reads").expect("a commit");

    // Whoever has no `sops` is told which rule needs it.
    let programs = tempfile::tempdir().expect("a directory");
    let git = String::from_utf8(user.shell("command -v git").stdout).expect("a path");
    std::os::unix::fs::symlink(git.trim(), programs.path().join("git")).expect("a link");
    user.set("PATH", &programs.path().display().to_string());
    refused(&user, &with(&user, &["--encrypt", "age"]), 1)
        .says("rule 1 of .sops.yaml has `key_groups`, for which `sops` is needed")
        .does_not_say(SECRET);

    let path = std::env::var("PATH").expect("a PATH");
    user.set("PATH", &format!("{}:{path}", crate::sops::sops().parent().expect("a directory").display()));
    // Keys that the environment names do not count.
    user.set("SOPS_AGE_RECIPIENTS", &Identities::generate().recipients()[0].to_string());
    refused(&user, &with(&user, &["--encrypt", "age"]), 1)
        .says("Flux could not decrypt the values")
        .says("sops-age holds no such key")
        .does_not_say(SECRET);

    let key = user.write("age.agekey", identities.to_key_file().expose_secret()).display().to_string();
    user.build(&["create", "secret", "generic", "sops-age", &format!("--from-file={key}")]);
    user.run(&with(&user, &["--encrypt", "age"])).expect_code(0).says("ready").does_not_say(SECRET);
    let file = repository.read(VALUES_FILE).expect("Git").expect("the values");
    assert!(file.contains("ENC[AES256_GCM,") && file.contains(&recipient) && !file.contains(SECRET), "{file}");
    user.run(&with(&user, &[])).expect_code(0).says("nothing to change");
    user.run(&["values", PACKAGE, "--run-cluster", "prod1"]).expect_code(0).says(SECRET);
    user.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"]).expect_code(0);
    assert_eq!(user.target(&["get", "packageinstalls,apps,deployments,packages", "-o", "name"]).trim(), "");
}
