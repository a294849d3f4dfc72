//! What counts of the user's own Git configuration: hooks, signing, and URLs that are replaced by others.

use testbed::{Testbed, generate_key};

use crate::Test;
use crate::bad_input::refused;
use crate::support::{PACKAGE, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("git_configuration::hooks_and_signing", hooks_and_signing),
    ("git_configuration::urls_that_are_replaced", replaced_urls),
];

/// Writes a program into the user's directory.
fn program(user: &User<'_>, name: &str, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = user.write(name, &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a program");
    path.display().to_string()
}

fn hooks_and_signing(testbed: &Testbed) {
    let mut user = User::new(testbed, "signing");
    user.bootstrap().expect_code(0);
    let repository = user.workspace.repository().clone();
    let hooks = tempfile::tempdir().expect("a directory");
    let (key, public) = generate_key(hooks.path(), "signing").expect("a key pair");
    let hook = |user: &User<'_>, script: &str| {
        let written = program(user, "hook", script);
        std::fs::copy(written, hooks.path().join("pre-push")).expect("a hook");
    };
    let configure = |user: &mut User<'_>, signing: &str| {
        let hooks = hooks.path().display();
        let configuration =
            user.write("gitconfig", &format!("[core]\n\thooksPath = {hooks}\n[commit]\n\tgpgSign = true\n{signing}"));
        user.set("GIT_CONFIG_GLOBAL", &configuration.display().to_string());
    };
    let signed = format!("[gpg]\n\tformat = ssh\n[user]\n\tsigningKey = {key}\n");

    // Neither what signs nor what judges a push has a say before the other: each ends it before anything is written.
    hook(&user, "echo 'fatal: Authentication failed, thinks the hook' >&2; exit 1");
    configure(&mut user, &signed);
    refused(&user, &user.add_cluster_arguments("prod1", "prod1"), 1)
        .says("your `pre-push` hook refuses the commit; nothing was pushed")
        .says("thinks the hook")
        .says("core.hooksPath")
        .does_not_say("--git-username");
    hook(&user, "echo 'error: failed to push some refs, says a hook that lets it through' >&2");
    for (signing, named) in [
        (
            "[gpg]\n\tformat = ssh\n[gpg \"ssh\"]\n\tprogram = /nowhere/signer\n[user]\n\tsigningKey = /nowhere/key\n",
            "/nowhere/signer",
        ),
        ("[gpg]\n\tprogram = /nowhere/gpg\n", "/nowhere/gpg"),
    ] {
        configure(&mut user, signing);
        refused(&user, &user.add_cluster_arguments("prod1", "prod1"), 1)
            .says("git could not sign the commit; nothing was pushed")
            .says(named);
    }
    configure(&mut user, &signed);
    user.add_cluster("prod1").expect_code(0).says("ready");
    let allowed = user.write("allowed", &format!("engineer@example.com {public}"));
    let allowed = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    repository.git(&["-c", &allowed, "verify-commit", "main"]).expect("a good signature");
    user.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"]).expect_code(0);
    repository.git(&["-c", &allowed, "verify-commit", "main"]).expect("a good signature");
}

fn replaced_urls(testbed: &Testbed) {
    let mut user = User::new(testbed, "replaced");
    let server = testbed.git_over_ssh().expect("an SSH server");
    let repository = user.workspace.repository().clone();
    let directory = tempfile::tempdir().expect("a directory");
    let (key, public) = generate_key(directory.path(), "own").expect("a key pair");
    repository.set_deploy_keys(&[("write", &public)]).expect("deploy keys");
    let known_hosts = user.write("own_hosts", &server.known_hosts()).display().to_string();
    user.set("GIT_SSH_COMMAND", &format!("ssh -F none -i {key} -o UserKnownHostsFile={known_hosts}"));
    let (username, password) = (repository.username(), repository.password());
    let over_ssh = server.url(&repository);
    let configure = |user: &mut User<'_>, kind: &str, username: &str, password: &str| {
        let text = format!("[url \"{over_ssh}\"]\n\t{kind} = {}\n", repository.url());
        let configuration = user.write("gitconfig", &text).display().to_string();
        user.set("GIT_CONFIG_GLOBAL", &configuration);
        user.set("GIT_USERNAME", username);
        user.set("GIT_PASSWORD", password);
    };
    // The user's key opens the repository, and Flux has neither it nor the setting.
    configure(&mut user, "insteadOf", "", "");
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", repository.url(), "--branch", "main", "--yes"];
    refused(&user, &bootstrap, 1)
        .says(&format!("Flux cannot read {}", repository.url()))
        .says(&format!("your own git reads {over_ssh} instead"))
        .says("--git-username NAME --git-password-file FILE")
        .says(&format!("--git-url {over_ssh} --ssh-key-file FILE --known-hosts-file FILE"));
    configure(&mut user, "insteadOf", &username, "fake-wrong-password");
    refused(&user, &bootstrap, 1).says("Flux cannot read").does_not_say("fake-wrong-password");
    configure(&mut user, "insteadOf", &username, &password);
    user.bootstrap().expect_code(0);
    configure(&mut user, "insteadOf", "", "");
    user.bootstrap().expect_code(0).says("nothing to change");
    // Read over HTTP, and pushed over SSH.
    configure(&mut user, "pushInsteadOf", &username, &password);
    user.add_cluster("prod1").expect_code(0).says("ready");
    repository.set_deploy_keys(&[("read", &public)]).expect("deploy keys");
    refused(&user, &["remove-cluster", "prod1", "--run-context", "prod1", "--yes"], 1).says("not allowed to push");
    repository.set_deploy_keys(&[("write", &public)]).expect("deploy keys");
    user.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"]).expect_code(0);
}
