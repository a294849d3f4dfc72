//! Repositories that Flux reads with a deploy key, or whose server has a certificate of a private certificate authority: from `bootstrap` to
//! an installed package, and to another credential.

use testbed::{Testbed, generate_key};

use crate::Test;
use crate::bad_input::refused;
use crate::support::{PACKAGE, User, VALUES_FILE};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("git_access::ssh_with_a_deploy_key", ssh),
    ("git_access::https_with_a_private_authority", https),
    ("git_access::encrypted_values_over_ssh_with_nothing_but_the_deploy_key", encrypted_over_ssh),
    ("git_access::secrets_that_are_there_and_tokens", secrets_and_tokens),
];

/// Returns what the Secret for Flux holds of a key, in base64.
fn stored(user: &User<'_>, key: &str) -> String {
    let secret = user.get("build", user.workspace.build_namespace(), "secret", &format!("{PACKAGE}-gitops-auth"));
    secret["data"][key].as_str().unwrap_or_default().to_owned()
}

/// Takes away what the user's environment has for the other trials.
fn without_password(user: &mut User<'_>) {
    user.set("GIT_USERNAME", "");
    user.set("GIT_PASSWORD", "");
}

fn ssh(testbed: &Testbed) {
    let mut user = User::new(testbed, "ssh-access");
    without_password(&mut user);
    let server = testbed.git_over_ssh().expect("an SSH server");
    let repository = user.workspace.repository().clone();
    let url = server.url(&repository);
    let directory = tempfile::tempdir().expect("a directory");
    let key = |name: &str| generate_key(directory.path(), name).expect("a key pair");
    let [(own, own_public), (first, first_public), (second, second_public)] = ["own", "first", "second"].map(key);
    let (_, other_host_key) = key("other-host");
    repository.set_deploy_keys(&[("write", &own_public), ("read", &first_public)]).expect("deploy keys");
    user.write("known_hosts", &server.known_hosts());
    user.write("other_hosts", &server.known_hosts_with(&other_host_key));
    // The user's own way to the server must not help Flux's key.
    let known_hosts = user.write("own_hosts", &server.known_hosts()).display().to_string();
    user.set("GIT_SSH_COMMAND", &format!("ssh -F none -i {own} -o UserKnownHostsFile={known_hosts}"));

    let bootstrap = |key: &str, known_hosts: &str| {
        let flags = ["--ssh-key-file", key, "--known-hosts-file", known_hosts, "--yes"].map(str::to_owned);
        let head = ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main"].map(str::to_owned);
        head.into_iter().chain(flags).collect::<Vec<_>>()
    };
    let refuse = |arguments: &[String]| refused(&user, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    refuse(&bootstrap(&first, "other_hosts")).says("host key").says("--known-hosts-file").says("ssh-keyscan");
    refuse(&bootstrap(&second, "known_hosts")).says("does not accept the SSH key").says(second_public.trim());

    let run = |arguments: &[String]| user.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    run(&bootstrap(&first, "known_hosts")).expect_code(0).does_not_say("PRIVATE KEY");
    let before = stored(&user, "identity");
    run(&bootstrap(&first, "known_hosts")).expect_code(0).says("nothing to change");
    user.add_cluster("prod1").expect_code(0).says("ready");

    // Another key, and the first one is taken away.
    repository
        .set_deploy_keys(&[("write", &own_public), ("read", &first_public), ("read", &second_public)])
        .expect("deploy keys");
    run(&bootstrap(&second, "known_hosts")).expect_code(0);
    assert_ne!(before, stored(&user, "identity"));
    repository.set_deploy_keys(&[("write", &own_public), ("read", &second_public)]).expect("deploy keys");
    user.change_replicas(3);
    user.run(&["wait"]).expect_code(0).says("ready");
    user.assert_replicas(3);
    user.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"]).expect_code(0);
    assert!(user.temporary_files().is_empty(), "{:?}", user.temporary_files());
}

fn https(testbed: &Testbed) {
    let mut user = User::new(testbed, "private-authority");
    let server = testbed.git().https().expect("a server with TLS");
    let repository = user.workspace.repository().clone();
    let url = server.url(&repository);
    let authority = user.write("git-ca.pem", server.authority()).display().to_string();
    // As companies have it: the user's own git knows the authority, and Flux does not.
    user.set("GIT_SSL_CAINFO", &authority);
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main", "--yes"];
    let with_authority = [&bootstrap[..], &["--git-ca-file", "git-ca.pem"]].concat();
    refused(&user, &bootstrap, 1).says("which only settings of your own git accept").says("--git-ca-file FILE");
    user.write("no-ca.pem", "no certificate");
    refused(&user, &[&bootstrap[..], &["--git-ca-file", "no-ca.pem"]].concat(), 2).says("holds no certificate");
    let other = user.authority_of("build").display().to_string();
    refused(&user, &[&bootstrap[..], &["--git-ca-file", &other]].concat(), 1).says("--git-ca-file");
    let away = ["bootstrap", PACKAGE, "--git-url", "https://127.0.0.1:9/a.git", "--branch", "main", "--yes"];
    refused(&user, &[&away[..], &["--git-ca-file", "git-ca.pem"]].concat(), 1).says("http.proxy");
    // Settings that Flux does not have do not count while its credential is tried.
    let proxy = user.write("gitconfig", "[http]\n\tproxy = http://127.0.0.1:9\n").display().to_string();
    user.set("GIT_CONFIG_GLOBAL", &proxy);
    user.run(&with_authority).expect_code(0);
    user.set("GIT_CONFIG_GLOBAL", "/dev/null");
    user.run(&with_authority).expect_code(0).says("nothing to change");
    user.add_cluster("prod1").expect_code(0).says("ready");

    // Another password; the authority stays.
    let before = stored(&user, "ca.crt");
    let password = "another-fake-password";
    repository.change_password(password);
    user.set("GIT_PASSWORD", password);
    user.run(&bootstrap).expect_code(0).does_not_say(password);
    assert_eq!(before, stored(&user, "ca.crt"));
    user.change_replicas(3);
    user.run(&["wait"]).expect_code(0).says("ready");
    user.assert_replicas(3);

    // Another CA beside the first one, as while a server changes over; and a token in place of the password, then another one.
    user.write("two-cas.pem", &[server.authority(), &std::fs::read_to_string(&other).expect("a file")].concat());
    user.run(&[&bootstrap[..], &["--git-ca-file", "two-cas.pem"]].concat()).expect_code(0);
    let two = stored(&user, "ca.crt");
    assert_ne!(before, two);
    let username = repository.username();
    for (replicas, token) in [(1, "a-first-fake-token"), (2, "a-second-fake-token")] {
        repository.change_password(token);
        user.write("token", token);
        without_password(&mut user);
        let with_token = [&bootstrap[..], &["--git-token-file", "token"]].concat();
        user.run(&with_token).expect_code(0).says("fetched").does_not_say(token);
        assert!(stored(&user, "password").is_empty() && stored(&user, "ca.crt") == two);
        user.change_replicas(replicas);
        user.run(&["wait"]).expect_code(0).says("ready");
        user.assert_replicas(replicas);
    }
    user.set("GIT_USERNAME", &username);
    user.set("GIT_PASSWORD", "a-second-fake-token");
    user.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"]).expect_code(0);
}

fn secrets_and_tokens(testbed: &Testbed) {
    let mut user = User::new(testbed, "own-secrets");
    let repository = user.workspace.repository().clone();
    let (username, password) = (repository.username(), repository.password());
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", repository.url(), "--branch", "main", "--yes"];
    let with = |more: &[&'static str]| [&bootstrap[..], more].concat();
    let secret = |name: &str, data: &[(&str, &str)]| {
        let data: serde_json::Map<_, _> =
            data.iter().map(|(key, value)| ((*key).to_owned(), serde_json::json!(value))).collect();
        let secret = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": data,
            "metadata": {"name": name, "namespace": user.workspace.build_namespace()},
        });
        testbed.apply("build", &secret.to_string()).expect("kubectl apply");
    };
    secret("half", &[("password", &password)]);
    secret("wrong", &[("username", &username), ("password", "another-fake-password")]);
    secret("right", &[("username", &username), ("password", &password)]);
    secret("app", &[("githubAppID", "1"), ("githubAppPrivateKey", "fake"), ("githubAppInstallationID", "1")]);
    secret("proxy", &[("address", "http://127.0.0.1:9")]);
    refused(&user, &with(&["--git-secret", "nowhere"]), 1).says("nowhere does not exist").says("--git-secret NAME");
    refused(&user, &with(&["--git-secret", "half"]), 1).says("half has no username");
    // The user's own password would do.
    refused(&user, &with(&["--git-secret", "wrong"]), 1).says("does not accept the user name and password");
    refused(&user, &with(&["--git-secret", "right", "--provider", "github"]), 1).says("has no githubAppID");
    refused(&user, &with(&["--git-proxy-secret", "right"]), 1).says("right has no address");
    refused(&user, &with(&["--git-proxy-secret", "nowhere"]), 1).says("nowhere does not exist");
    // The API server knows the fields; nobody here is GitHub, Azure or a proxy.
    let before = user.state();
    let fields = ["--provider", "github", "--git-secret", "app", "--git-proxy-secret", "proxy", "--diff"];
    user.run(&with(&fields)).expect_code(1).says("provider: github").says("name: app").says("proxySecretRef");
    user.run(&with(&["--provider", "azure", "--diff"])).expect_code(1).says("provider: azure");
    assert_eq!(before, user.state(), "something was written");

    // It is named, and never written; also when nobody names it any more.
    user.run(&with(&["--git-secret", "right"])).expect_code(0).says("fetched");
    without_password(&mut user);
    user.run(&bootstrap).expect_code(0).says("nothing to change");
    let after = user.state();
    assert!(before.iter().all(|(object, version)| after.get(object) == Some(version)), "the user's own Secret changed");
    let source =
        user.get("build", user.workspace.build_namespace(), "gitrepository", &format!("{PACKAGE}-gitops-repo"));
    assert_eq!(source["spec"]["secretRef"]["name"], "right");

    user.write("token", "a-fake-token");
    refused(&user, &with(&["--git-token-file", "token"]), 1).does_not_say("a-fake-token");
    user.write("token", &format!("{password}\n"));
    user.run(&with(&["--git-token-file", "token"])).expect_code(0).says("fetched");
    assert!(!stored(&user, "bearerToken").is_empty() && stored(&user, "password").is_empty());
    user.write("client.crt", "no certificate");
    let files = ["--git-client-cert-file", "client.crt", "--git-client-key-file", "client.crt"];
    refused(&user, &with(&files), 2).says("client.crt holds no certificate");
}

fn encrypted_over_ssh(testbed: &Testbed) {
    let mut user = User::new(testbed, "sealed-ssh");
    without_password(&mut user);
    let server = testbed.git_over_ssh().expect("an SSH server");
    let repository = user.workspace.repository().clone();
    let directory = tempfile::tempdir().expect("a directory");
    let (key, public) = generate_key(directory.path(), "deploy").expect("a key pair");
    user.write("known_hosts", &server.known_hosts());
    repository.set_deploy_keys(&[("read", &public)]).expect("deploy keys");
    let url = server.url(&repository);
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main", "--yes"];
    let with_key = [&bootstrap[..], &["--ssh-key-file", &key, "--known-hosts-file", "known_hosts"]].concat();
    user.run(&with_key).expect_code(0);
    user.write("values.yaml", "workload_name: hello-app\nhostname: fake-password-of-nobody\n");
    let encrypted =
        [user.add_cluster_arguments("prod1", "prod1").as_slice(), &["--encrypt", "age", "--generate-age-key"]].concat();
    let before = user.target(&["get", "all,secrets,packages,packageinstalls,apps,roles,rolebindings", "-o", "name"]);
    refused(&user, &encrypted, 1)
        .says("neither your own git nor the credential that Flux has can push")
        .says("give the deploy key write access")
        .does_not_say("fake-password");

    repository.set_deploy_keys(&[("write", &public)]).expect("deploy keys");
    let added = user.run(&encrypted).expect_code(0).says("ready").says(&format!("{PACKAGE}-gitops-auth: "));
    added.does_not_say("fake-password").does_not_say("PRIVATE KEY");
    let file = repository.read(VALUES_FILE).expect("Git").expect("the values");
    assert!(file.contains("ENC[AES256_GCM,") && !file.contains("fake-password"), "{file}");
    assert!(!user.target(&["get", "packageinstalls", "-o", "name"]).is_empty());

    // Flux would stop at the first commit that is not signed.
    let source = format!("{PACKAGE}-gitops-repo");
    user.build(&["create", "secret", "generic", "signers", "--from-literal=key.asc=fake"]);
    let verify = r#"{"spec": {"verify": {"mode": "HEAD", "secretRef": {"name": "signers"}}}}"#;
    user.build(&["patch", "gitrepository", &source, "--type=merge", "-p", verify]);
    let remove = ["remove-cluster", "prod1", "--run-context", "prod1", "--yes"];
    refused(&user, &remove, 1).says("that are not signed").says("commit.gpgSign");
    user.build(&["patch", "gitrepository", &source, "--type=merge", "-p", r#"{"spec": {"verify": null}}"#]);

    user.run(&remove).expect_code(0).says("removed");
    let after = user.target(&["get", "all,secrets,packages,packageinstalls,apps,roles,rolebindings", "-o", "name"]);
    assert_eq!(before, after);
    assert_eq!(repository.read(VALUES_FILE).expect("Git"), None);
    assert!(user.temporary_files().is_empty(), "{:?}", user.temporary_files());
}
