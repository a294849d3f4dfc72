//! Deploy keys that `bootstrap` makes, and the host keys of the Git server.

use std::process::Child;

use testbed::{Repository, Testbed, generate_key};

use crate::Test;
use crate::bad_input::refused;
use crate::support::{PACKAGE, User};
use crate::terminal::Terminal;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("deploy_keys::one_is_stored_once_it_has_access_and_kept", stored_once_it_has_access),
    ("deploy_keys::host_keys_are_confirmed_by_a_person", host_keys_are_confirmed),
];

/// A user who has no way to the Git server but the one that `bootstrap` makes.
fn user<'a>(testbed: &'a Testbed, name: &str) -> (User<'a>, Repository, String) {
    let mut user = User::new(testbed, name);
    user.set("GIT_USERNAME", "");
    user.set("GIT_PASSWORD", "");
    let repository = user.workspace.repository().clone();
    let url = testbed.git_over_ssh().expect("an SSH server").url(&repository);
    (user, repository, url)
}

/// Returns the Secret for Flux; null where there is none.
fn stored(user: &User<'_>) -> serde_json::Value {
    user.get("build", user.workspace.build_namespace(), "secret", &format!("{PACKAGE}-gitops-auth"))["data"].clone()
}

/// Waits until the plugin names a public key, and returns it.
fn public_key(lines: &mut impl Iterator<Item = String>, of_type: &str) -> String {
    let is_key = |line: &String| line.starts_with(of_type);
    lines.find(is_key).unwrap_or_else(|| panic!("no key of the type {of_type} is named"))
}

/// Waits for the end; the last of what is said goes into the message of a failure.
fn expect_success(mut child: Child, lines: impl Iterator<Item = String>) {
    let said: Vec<String> = lines.collect();
    assert!(said.iter().all(|line| !line.contains("PRIVATE KEY")), "{said:?}");
    assert!(child.wait().expect("the plugin ends").success(), "{said:#?}");
}

fn stored_once_it_has_access(testbed: &Testbed) {
    let (user, repository, url) = user(testbed, "made-key");
    let server = testbed.git_over_ssh().expect("an SSH server");
    user.write("known_hosts", &server.known_hosts());
    let directory = tempfile::tempdir().expect("a directory");
    let (_, other_host_key) = generate_key(directory.path(), "other").expect("a key pair");
    user.write("other_hosts", &server.known_hosts_with(&other_host_key));
    let without = ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main", "--yes", "--generate-deploy-key"];
    let with = |known_hosts: &'static str, timeout: &'static str| {
        [&without[..], &["--known-hosts-file", known_hosts, "--timeout", timeout]].concat()
    };
    let refuse = |arguments: &[&str], code: i32| refused(&user, arguments, code);

    // Nobody gives it access; another server; a preview; and nobody who could confirm the host keys.
    refuse(&with("known_hosts", "1s"), 3).says("the deploy key cannot read").says("the key is not kept");
    refuse(&with("other_hosts", "1m"), 1)
        .says("none of those that Flux is to accept")
        .says("the server has ssh-ed25519 SHA256:")
        .says("accepted for it: ssh-ed25519 SHA256:")
        .says("somebody may stand between");
    let preview = [&with("known_hosts", "1m")[..], &["--dry-run"]].concat();
    user.run(&preview).expect_code(2).says("a preview makes no deploy key");
    refused(&user, &without, 2).says("SHA256:").says("--yes does not accept them").says("--known-hosts-file FILE");
    let over_http = ["bootstrap", PACKAGE, "--git-url", repository.url(), "--branch", "main", "--yes"];
    refused(&user, &[&over_http[..], &["--generate-deploy-key"]].concat(), 2).says("an SSH key is of no use");

    // Somebody gives it access, and may only then find it on the cluster.
    let (child, mut lines) = user.start(&with("known_hosts", "2m"));
    let key = public_key(&mut lines, "ssh-ed25519 ");
    assert!(key.contains(&format!("{}/{PACKAGE}", user.workspace.build_namespace())), "{key}");
    assert!(stored(&user).is_null(), "a key is stored that may be of no use");
    repository.set_deploy_keys(&[("read", &key)]).expect("deploy keys");
    expect_success(child, lines);
    let first = stored(&user);
    assert_eq!(
        first.as_object().expect("data").keys().collect::<Vec<_>>(),
        ["identity", "identity.pub", "known_hosts"]
    );

    // The same again, with nobody who could confirm anything, keeps key and host keys; also where access was lost meanwhile.
    user.run(&without).expect_code(0).says("nothing to change").does_not_say("Give this deploy key");
    repository.set_deploy_keys(&[]).expect("deploy keys");
    let (child, mut lines) = user.start(&without);
    assert_eq!(public_key(&mut lines, "ssh-ed25519 "), key);
    repository.set_deploy_keys(&[("read", &key)]).expect("deploy keys");
    expect_success(child, lines);
    assert_eq!(first, stored(&user));
    assert!(user.temporary_files().is_empty(), "{:?}", user.temporary_files());
}

fn host_keys_are_confirmed(testbed: &Testbed) {
    let (user, repository, url) = user(testbed, "confirmed");
    let arguments =
        ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main", "--generate-deploy-key=ecdsa", "--yes"];
    let before = user.state();
    let mut terminal = Terminal::start(&user, &arguments);
    terminal.expect("ssh-ed25519 SHA256:");
    terminal.answer("Are these the keys of the server? (y/N)", "n");
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert!(screen.contains("the SSH host keys are not accepted; nothing was changed"), "{screen}");
    assert_eq!(before, user.state());

    let mut terminal = Terminal::start(&user, &arguments);
    terminal.answer("Are these the keys of the server? (y/N)", "y");
    terminal.expect("Give this deploy key read and write access: your own git cannot push there");
    let end = format!("{}/{PACKAGE}", user.workspace.build_namespace());
    terminal.expect(&end);
    // The screen breaks the line.
    let screen = terminal.contents().replace('\n', "");
    let key = &screen[screen.find("ecdsa-sha2-nistp384 ").expect("a public key")..];
    let key = &key[..key.find(&end).expect("its comment") + end.len()];
    repository.set_deploy_keys(&[("write", key)]).expect("deploy keys");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("fetched  main@sha1:") && !screen.contains("but not push"), "{screen}");
    assert!(!stored(&user)["known_hosts"].is_null());
}
