//! Credentials of the user's own that are not tokens of a kubeconfig: client certificates and credential plugins.

use serde_json::{Value, json};
use testbed::Testbed;

use crate::Test;
use crate::credentials::{kubeconfig as stored_kubeconfig, secret};
use crate::kubeconfig_file::{own_kubeconfig, rules_of_the_guide};
use crate::kubectl::{build_cluster, change_kubeconfig, entry, kubectl_can, reaches, status};
use crate::support::{PACKAGE, User, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("logins::a_refused_credential_is_asked_for_once_more", refused_credential),
    ("logins::a_credential_plugin_is_interrupted_with_the_command", interrupted_plugin),
    ("logins::a_plugin_that_hangs_holds_up_no_other_run_cluster", hanging_plugin),
];

/// Those that need the certificate authorities of the clusters.
pub(crate) const WITH_AUTHORITIES: &[(&str, Test)] = &[
    ("logins::a_client_certificate_of_version_one", version_one),
    ("logins::a_kubeconfig_file_with_a_client_certificate_of_version_one", version_one_for_flux),
];

/// Binds what the workspace's own user is bound to, to a user of this name.
fn bind(user: &User<'_>, context: &str, namespace: &str, name: &str) {
    let subject = format!("--user={name}");
    for (kind, role) in [("rolebinding", "--role"), ("clusterrolebinding", "--clusterrole")] {
        let role = format!("{role}=carvelflux-engineer");
        user.testbed
            .kubectl(context, &["-n", namespace, "create", kind, name, &role, &subject])
            .expect("kubectl create");
    }
}

fn version_one(testbed: &Testbed) {
    let mut user = User::new(testbed, "version-one");
    let name = format!("engineer-{}", user.workspace.build_namespace());
    let mut files = Vec::new();
    for (context, namespace) in
        [("build", user.workspace.build_namespace()), ("prod1", user.workspace.target_namespace())]
    {
        bind(&user, context, namespace, &name);
        let identity = testbed.sign_version_one(context, &name).expect("a certificate");
        let certificate = user.write(&format!("{context}.crt"), &identity.certificate).display().to_string();
        files.push((context, certificate, user.write(&format!("{context}.key"), &identity.key).display().to_string()));
    }
    // The flags, where nothing else says who one is.
    let (server, authority, _) = build_cluster(&user);
    let own = user.variable("KUBECONFIG").expect("a kubeconfig").to_owned();
    user.set("KUBECONFIG", "/nowhere");
    let (_, certificate, key) = &files[0];
    let namespace = user.workspace.build_namespace().to_owned();
    let flags = ["--server", &server, "--certificate-authority", &authority, "-n", &namespace];
    let identity = ["--client-certificate", certificate, "--client-key", key];
    let arguments = [&flags[..], &identity].concat();
    assert!(kubectl_can(&user, &arguments));
    reaches(&user, &arguments);
    let (_, _, other_key) = &files[1];
    let arguments = [&flags[..], &["--client-certificate", certificate, "--client-key", other_key]].concat();
    assert!(!kubectl_can(&user, &arguments));
    status(&user, &arguments).expect_code(2).says("the key is not that of the certificate");

    user.set("KUBECONFIG", &own);
    change_kubeconfig(&mut user, |kubeconfig| {
        for (context, certificate, key) in &files {
            let name = entry(kubeconfig, "contexts", context)["context"]["user"].as_str().expect("a user").to_owned();
            entry(kubeconfig, "users", &name)["user"] = json!({"client-certificate": certificate, "client-key": key});
        }
    });
    assert!(kubectl_can(&user, &[]));
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
    user.run(&["rotate", "prod1", "--run-context", "prod1=prod1", "--yes"]).expect_code(0);
    user.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"]).expect_code(0);
    for context in ["build", "prod1"] {
        testbed.kubectl(context, &["delete", "clusterrolebinding", &name]).expect("kubectl delete");
    }
}

fn version_one_for_flux(testbed: &Testbed) {
    let user = User::new(testbed, "version-one-flux");
    user.bootstrap().expect_code(0);
    let name = format!("flux-{}", user.workspace.build_namespace());
    let mut kubeconfig = own_kubeconfig(&user, "prod1", &rules_of_the_guide());
    let subject = format!("--user={name}");
    user.target(&["create", "rolebinding", &name, "--role=flux", &subject]);
    let identity = testbed.sign_version_one("prod1", &name).expect("a certificate");
    let data = |pem: &str| k8s_openapi::ByteString(pem.as_bytes().to_vec());
    kubeconfig["users"][0]["user"] =
        json!({"client-certificate-data": data(&identity.certificate), "client-key-data": data(&identity.key)});
    let file = user.write("own.json", &kubeconfig.to_string()).display().to_string();
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--kubeconfig-file", &file]);
    user.run(&arguments).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
    let stored: Value = stored_kubeconfig(&secret(&user));
    assert_eq!(stored["users"], kubeconfig["users"]);
    user.run(&["wait"]).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
    user.run(&["check", "prod1"]).expect_code(0);
}

fn refused_credential(testbed: &Testbed) {
    let mut user = User::new(testbed, "refused");
    let (_, _, token) = build_cluster(&user);
    let good = user.write("good-token", token.trim());
    let runs = user.write("runs", "");
    let answer = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}"#;
    let script = |first: &str| {
        format!(
            "echo run >> {runs}; if [ $(wc -l < {runs}) = 1 ]; then {first}; else printf '{answer}' $(cat {good}); fi",
            runs = runs.display(),
            good = good.display()
        )
    };
    let plugin = |user: &mut User<'_>, command: &str, script: &str| {
        std::fs::write(&runs, "").expect("a file");
        change_kubeconfig(user, |kubeconfig| {
            let name = entry(kubeconfig, "contexts", "build")["context"]["user"].as_str().expect("a user").to_owned();
            entry(kubeconfig, "users", &name)["user"] = json!({"exec": {
                "apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": ["-c", script],
                "interactiveMode": "Never", "installHint": "brew install fake-plugin",
            }});
        });
    };
    plugin(&mut user, "/bin/sh", &script(&format!("printf '{answer}' fake-token")));
    reaches(&user, &[]);
    assert_eq!(std::fs::read_to_string(&runs).expect("a file").lines().count(), 2);
    plugin(&mut user, "no-such-plugin", "");
    status(&user, &[]).says("executable no-such-plugin not found").says("brew install fake-plugin");
    // A plugin that does not end is not waited for beyond the deadline of the command.
    plugin(&mut user, "/bin/sh", &format!("sleep 120; echo ended >> {}", runs.display()));
    user.run(&["wait", "--timeout", "3s"]).expect_code(3);
    assert_eq!(std::fs::read_to_string(&runs).expect("a file"), "", "the plugin was waited for");
}

fn interrupted_plugin(testbed: &Testbed) {
    let mut user = User::new(testbed, "interrupted");
    let started = user.write("started", "");
    let script = format!("echo started > {}; exec sleep 120", started.display());
    change_kubeconfig(&mut user, |kubeconfig| {
        for user in kubeconfig["users"].as_array_mut().expect("users") {
            user["user"] = json!({"exec": {
                "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": ["-c", script],
                "interactiveMode": "Never",
            }});
        }
    });
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    let wait = ["wait"];
    let status = ["status"];
    arguments.push("-q");
    for arguments in [&arguments[..], &wait, &status] {
        std::fs::write(&started, "").expect("a file");
        let (mut child, lines) = user.start(arguments);
        eventually("the start of the plugin", || {
            (std::fs::read_to_string(&started).expect("a file") == "started\n").then_some(())
        });
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::INT).expect("a signal");
        assert_eq!(child.wait().expect("it ends").code(), Some(130), "{arguments:?}");
        drop(lines);
    }
}

fn hanging_plugin(testbed: &Testbed) {
    let mut user = User::delivered(testbed, "hanging");
    user.add_cluster("prod2").expect_code(0);
    change_kubeconfig(&mut user, |kubeconfig| {
        let name = entry(kubeconfig, "contexts", "prod2")["context"]["user"].as_str().expect("a user").to_owned();
        entry(kubeconfig, "users", &name)["user"] = json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": ["-c", "exec sleep 120"],
            "interactiveMode": "Never",
        }});
    });
    user.run(&["wait", "--run-context", "prod2=prod2", "--timeout", "20s"])
        .expect_code(3)
        .says(&format!("{PACKAGE} on prod1  ready"))
        .says("reaching the run cluster");
}
