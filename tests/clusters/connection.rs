//! How the plugin reaches clusters, beside kubectl: proxies, flags, pods and the certificates of servers.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use testbed::{Behaviour, Gateway, Proxy, Testbed};

use crate::Test;
use crate::kubectl::{build_cluster, change_kubeconfig, entry, kubeconfig, kubectl_can, reaches, status};
use crate::support::{PACKAGE, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("connection::a_proxy_of_the_environment_counts_where_it_does_for_kubectl", environment),
    ("connection::a_run_goes_through_a_proxy", through_a_proxy),
    ("connection::flags_mean_what_they_mean_to_kubectl", flags),
    ("connection::a_user_is_impersonated_with_all_that_flags_say", impersonation),
    ("connection::a_kubeconfig_means_what_it_means_to_kubectl", kubeconfig_entries),
    ("connection::a_pod_is_its_service_account", pod),
    ("connection::a_certificate_that_is_not_trusted_is_named", certificates),
];

const PASSWORD: &str = "fake-proxy-password";

fn environment(testbed: &Testbed) {
    let environments: [&[(&str, &str)]; 7] = [
        &[("HTTPS_PROXY", "http://127.0.0.1:9")],
        &[("HTTPS_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", "127.0.0.1")],
        &[("HTTPS_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", "localhost,")],
        &[("HTTPS_PROXY", "proxy:3128"), ("NO_PROXY", "127.0.0.0/8")],
        &[("https_proxy", "no URL at all")],
        &[("HTTPS_PROXY", "socks9://proxy"), ("no_proxy", "*")],
        &[("ALL_PROXY", "http://127.0.0.1:9"), ("HTTP_PROXY", "http://127.0.0.1:9")],
    ];
    let mut user = User::new(testbed, "environment");
    for variables in environments {
        for (name, value) in variables {
            user.set(name, value);
        }
        assert!(kubectl_can(&user, &[]), "{variables:?}");
        reaches(&user, &[]);
        for (name, _) in variables {
            user.set(name, "");
        }
    }
    // A server elsewhere is reached through the proxy by both: the proxy is not there.
    user.set("HTTPS_PROXY", &format!("http://me:{PASSWORD}@127.0.0.1:9"));
    let arguments = ["--server", "https://prod.example:6443"];
    assert!(!kubectl_can(&user, &arguments));
    status(&user, &arguments)
        .expect_code(1)
        .says("the connection goes through the proxy http://127.0.0.1:9")
        .says("NO_PROXY=prod.example")
        .does_not_say(PASSWORD);
}

fn through_a_proxy(testbed: &Testbed) {
    for scheme in ["http", "socks5"] {
        let proxy = Proxy::start("me", PASSWORD).expect("a proxy");
        let mut user = User::new(testbed, "proxy");
        let set = |user: &mut User<'_>, password: &str| {
            let url = format!("{scheme}://me:{password}@{}", proxy.address());
            change_kubeconfig(user, |kubeconfig| {
                for cluster in kubeconfig["clusters"].as_array_mut().expect("clusters") {
                    cluster["cluster"]["proxy-url"] = json!(url);
                }
            });
        };
        set(&mut user, PASSWORD);
        let before = proxy.connections();
        let output = user.run(&[
            "bootstrap",
            PACKAGE,
            "--git-url",
            user.workspace.repository().url(),
            "--branch",
            "main",
            "--yes",
            "-vv",
        ]);
        output.expect_code(0).does_not_say(PASSWORD);
        let mut arguments = user.add_cluster_arguments("prod1", "prod1");
        arguments.push("-vv");
        user.run(&arguments).expect_code(0).does_not_say(PASSWORD);
        user.run(&["wait", "-vv"]).expect_code(0).does_not_say(PASSWORD);
        // One connection to each cluster at the least for each command; Flux goes through it as well.
        assert!(proxy.connections() > before + 4, "{} connections", proxy.connections());
        assert_eq!(proxy.refused(), 0);
        set(&mut user, "another-password");
        assert!(!kubectl_can(&user, &[]));
        user.run(&["status"])
            .expect_code(1)
            .says(&format!("the connection goes through the proxy {scheme}://{}", proxy.address()))
            .says("check the proxy")
            .does_not_say("another-password");
    }
}

fn flags(testbed: &Testbed) {
    let mut user = User::new(testbed, "flags");
    let (server, authority, token) = build_cluster(&user);
    let namespace = user.workspace.build_namespace().to_owned();
    let port = server.rsplit_once(':').expect("a port").1;
    let other = format!("https://localhost:{port}");
    let cache = user.write("cache", "").with_extension("d").display().to_string();
    for arguments in [
        vec!["--server", &other],
        vec!["-s", &other, "--cache-dir", &cache, "--disable-compression"],
        vec!["--tls-server-name", "kubernetes"],
        vec!["--token", &token],
        vec!["--certificate-authority", &authority],
        vec!["--insecure-skip-tls-verify"],
        vec![
            "--insecure-skip-tls-verify",
            "--tls-server-name",
            "kubernetes",
            "--cache-dir",
            &cache,
            "--disable-compression",
        ],
        // No name is compared where nothing is verified.
        vec!["--insecure-skip-tls-verify", "--tls-server-name", "other.example"],
        vec!["--cluster", "build"],
    ] {
        assert!(kubectl_can(&user, &arguments), "{arguments:?}");
        reaches(&user, &arguments);
    }
    for (arguments, words) in [
        (vec!["--token", "fake-token"], "Unauthorized"),
        (vec!["--tls-server-name", "other.example"], "is not for other.example"),
        (vec!["--as", "nobody"], "cannot impersonate"),
        (vec!["--as-group", "somebody"], "name the user with --as"),
        (vec!["--cluster", "nowhere"], "no cluster `nowhere`"),
        (vec!["--user", "nobody"], "no user `nobody`"),
        (vec!["--client-certificate", "/nowhere"], "cannot read the client certificate /nowhere"),
        (vec!["--certificate-authority", &authority, "--insecure-skip-tls-verify"], "leave one of both out"),
    ] {
        assert!(!kubectl_can(&user, &arguments), "{arguments:?}");
        let output = status(&user, &arguments).says(words);
        assert_ne!(output.code, 0, "{output}");
    }
    // What was Flux's way to the run cluster in an earlier version would send it the credential of the build cluster.
    let pem = std::fs::read_to_string(user.authority_of("prod1")).expect("PEM");
    let run = Gateway::start(&user.server_of("prod1"), &pem, Behaviour::Unreliable(usize::MAX)).expect("a gateway");
    change_kubeconfig(&mut user, |kubeconfig| {
        entry(kubeconfig, "clusters", "prod1")["cluster"] = json!({
            "server": run.server(),
            "certificate-authority-data": k8s_openapi::ByteString(run.authority().as_bytes().to_vec()),
        });
    });
    let run_authority = user.write("run.pem", run.authority()).display().to_string();
    for old in [["--server", run.server()], ["--server", &other]] {
        let mut arguments = user.add_cluster_arguments("prod1", "prod1");
        arguments.extend(old);
        arguments.extend(["--certificate-authority", &run_authority]);
        user.run(&arguments).expect_code(2).says("names the run cluster").says("--flux-server");
    }
    assert_eq!(run.connections(), 0, "the run cluster was asked");
    // Without any kubeconfig, flags are enough.
    user.set("KUBECONFIG", "/nowhere");
    status(&user, &[]).expect_code(2).says("there is no kubeconfig");
    let arguments = ["--server", &server, "--certificate-authority", &authority, "--token", &token, "-n", &namespace];
    assert!(kubectl_can(&user, &arguments));
    reaches(&user, &arguments).does_not_say(&token);
    user.run(&["add-cluster", "prod1", "--server", &server, "--package", PACKAGE])
        .expect_code(2)
        .says("give --flux-server");
}

fn impersonation(testbed: &Testbed) {
    let user = User::new(testbed, "impersonation");
    let namespace = user.workspace.build_namespace();
    let other = format!("other-{namespace}");
    let impersonate = json!([
        {"apiGroups": [""], "resources": ["users"], "resourceNames": [other], "verbs": ["impersonate"]},
        {"apiGroups": [""], "resources": ["groups"], "resourceNames": ["operators"], "verbs": ["impersonate"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["uids"], "resourceNames": ["uid-7"], "verbs": ["impersonate"]},
        {
            "apiGroups": ["authentication.k8s.io"], "resources": ["userextras/reason"], "resourceNames": ["night shift"],
            "verbs": ["impersonate"],
        },
    ]);
    let rbac = "rbac.authorization.k8s.io";
    let object = |kind: &str, name: &str, fields: Value| {
        let mut object = fields;
        object["apiVersion"] = json!(format!("{rbac}/v1"));
        object["kind"] = json!(kind);
        object["metadata"] = json!({"name": name, "namespace": namespace});
        testbed.apply("build", &object.to_string()).expect("kubectl apply");
    };
    object("ClusterRole", &other, json!({"rules": impersonate}));
    let account = json!([{"kind": "ServiceAccount", "name": testbed::USER, "namespace": namespace}]);
    let role = json!({"apiGroup": rbac, "kind": "ClusterRole", "name": other});
    object("ClusterRoleBinding", &other, json!({"roleRef": role, "subjects": account}));
    // Only the group may do anything.
    let group = json!([{"apiGroup": rbac, "kind": "Group", "name": "operators"}]);
    let role = json!({"apiGroup": rbac, "kind": "Role", "name": "carvelflux-engineer"});
    object("RoleBinding", "operators", json!({"roleRef": role, "subjects": group}));

    let group = ["--as", other.as_str(), "--as-group", "operators"];
    // Only newer kubectl have the flag.
    let is_known_to_kubectl = |arguments: &[&str]| !arguments.contains(&"--as-user-extra");
    for more in [
        &[][..],
        &["--as-uid", "uid-7"],
        &["--as-user-extra", "reason=night shift"],
        &["--as-uid", "uid-7", "--as-user-extra", "reason=night shift"],
    ] {
        let arguments = [&group[..], more].concat();
        assert!(!is_known_to_kubectl(&arguments) || kubectl_can(&user, &arguments), "{arguments:?}");
        reaches(&user, &arguments);
    }
    // That each is sent shows where it is refused.
    for (more, words) in [
        (["--as-uid", "uid-8"], "uids.authentication.k8s.io \"uid-8\" is forbidden"),
        (["--as-user-extra", "reason=day shift"], "userextras.authentication.k8s.io \"day shift\" is forbidden"),
        (["--as-user-extra", "ticket=OPS-7"], "cannot impersonate resource \"userextras/ticket\""),
        (["--as-group", "others"], "groups \"others\" is forbidden"),
    ] {
        let arguments = [&group[..], &more].concat();
        assert!(!is_known_to_kubectl(&arguments) || !kubectl_can(&user, &arguments), "{arguments:?}");
        status(&user, &arguments).expect_code(1).says(words);
    }
    // The same of a kubeconfig, in which a flag replaces one field.
    let mut entries = kubeconfig(&user);
    let name = entry(&mut entries, "contexts", "build")["context"]["user"].as_str().expect("a user").to_owned();
    let fields = entry(&mut entries, "users", &name)["user"].as_object_mut().expect("a user");
    fields.insert("as".to_owned(), json!(other));
    fields.insert("as-groups".to_owned(), json!(["operators"]));
    fields.insert("as-uid".to_owned(), json!("uid-7"));
    fields.insert("as-user-extra".to_owned(), json!({"reason": ["night shift"]}));
    let file = user.write("impersonating.json", &entries.to_string()).display().to_string();
    let arguments = ["--kubeconfig", &file];
    assert!(kubectl_can(&user, &arguments));
    reaches(&user, &arguments);
    let arguments = ["--kubeconfig", &file, "--as-uid", "uid-8"];
    assert!(!kubectl_can(&user, &arguments));
    status(&user, &arguments).expect_code(1).says("uids.authentication.k8s.io \"uid-8\" is forbidden");
    let alone = ["--as", other.as_str()];
    assert!(!kubectl_can(&user, &alone));
    status(&user, &alone).expect_code(1).says(&format!("User \"{other}\" cannot"));
    testbed.kubectl("build", &["delete", "clusterrole,clusterrolebinding", &other]).expect("kubectl delete");
}

/// Several files, relative paths, tokens in files, and plugins that are told about the cluster.
fn kubeconfig_entries(testbed: &Testbed) {
    let mut user = User::new(testbed, "entries");
    let (server, authority, token) = build_cluster(&user);
    let namespace = user.workspace.build_namespace().to_owned();
    let home = PathBuf::from(user.variable("HOME").expect("a directory"));
    let directory = home.join("kubeconfigs");
    std::fs::create_dir(&directory).expect("a directory");
    let write = |name: &str, content: &str| {
        let path = directory.join(name);
        std::fs::write(&path, content).expect("a file");
        path.display().to_string()
    };
    let cluster = json!({"server": server, "certificate-authority": "../build.pem"});
    assert_eq!(PathBuf::from(&authority), home.join("build.pem"));
    let clusters = json!({"clusters": [{"name": "there", "cluster": cluster}], "current-context": "here"});
    let context = json!({"cluster": "there", "user": "me", "namespace": namespace});
    let clusters = write("clusters.json", &clusters.to_string());
    let contexts = json!({
        "contexts": [{"name": "here", "context": context}],
        // Of two entries of one name, the first counts.
        "clusters": [{"name": "there", "cluster": {"server": "https://127.0.0.1:9"}}],
    });
    let contexts = write("contexts.json", &contexts.to_string());
    let as_user = |fields: &Value| {
        let users = json!({"users": [{"name": "me", "user": fields}]}).to_string();
        // Empty entries, and files that are not there, are passed over.
        format!(":/nowhere/config:{clusters}:{}:{contexts}", write("users.json", &users))
    };

    user.set("KUBECONFIG", &as_user(&json!({"tokenFile": "token"})));
    for (content, is_known) in [("fake-token\n", false), (&format!("{token}\n"), true)] {
        write("token", content);
        assert_eq!(kubectl_can(&user, &[]), is_known);
        if is_known {
            reaches(&user, &[]);
        } else {
            status(&user, &[]).expect_code(1).says("Unauthorized").does_not_say("fake-token");
        }
    }

    let script = format!(
        "#!/bin/sh\ncase \"$KUBERNETES_EXEC_INFO\" in *'\"interactive\":false'*) ;; *) exit 3;; esac\n\
         case \"$KUBERNETES_EXEC_INFO\" in *certificate-authority-data*) ;; *) exit 4;; esac\n\
         case \"$KUBERNETES_EXEC_INFO\" in *'\"server\":\"{server}\"'*) ;; *) exit 5;; esac\n\
         printf '{{\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"%s\"}}}}' \"$(cat \"$1\")\"\n"
    );
    let path = PathBuf::from(write("plugin", &script));
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a program");
    let token_file = directory.join("token").display().to_string();
    let plugin = |mode: Option<&str>, tells: bool| {
        let mut exec = json!({
            "apiVersion": "client.authentication.k8s.io/v1beta1", "command": "./plugin", "args": [token_file],
            "provideClusterInfo": tells,
        });
        if let Some(mode) = mode {
            exec["interactiveMode"] = json!(mode);
        }
        json!({"exec": exec})
    };
    for mode in [None, Some("Never"), Some("IfAvailable")] {
        user.set("KUBECONFIG", &as_user(&plugin(mode, true)));
        assert!(kubectl_can(&user, &[]), "{mode:?}");
        reaches(&user, &[]);
    }
    for (fields, words) in [
        (plugin(Some("Never"), false), "exit status: 4"),
        (plugin(Some("Always"), true), "standard input is not a terminal"),
        (json!({"auth-provider": {"name": "gcp", "config": {}}}), "the auth-provider `gcp` of the kubeconfig"),
        (json!({"auth-provider": {"name": "oidc", "config": {"id-token": "fake.id.token"}}}), "Unauthorized"),
    ] {
        user.set("KUBECONFIG", &as_user(&fields));
        assert!(!kubectl_can(&user, &[]), "{fields}");
        let output = status(&user, &[]).says(words).does_not_say("fake.id.token");
        assert_ne!(output.code, 0, "{output}");
    }
}

fn pod(testbed: &Testbed) {
    let user = User::new(testbed, "pod");
    let (server, authority, token) = build_cluster(&user);
    let (host, port) = server.trim_start_matches("https://").split_once(':').expect("a port");
    let namespace = user.workspace.build_namespace().to_owned();
    let token = user.write("token", &token);
    let namespace_file = user.write("namespace", &namespace);
    let mounted = "/run/secrets/kubernetes.io/serviceaccount";
    // As in a container: a file system of its own below /run, where /var/run leads.
    let script = format!(
        "mount -t tmpfs tmpfs /run && mkdir -p {mounted} && cp \"$1\" {mounted}/ca.crt && cp \"$2\" {mounted}/token && \
         cp \"$3\" {mounted}/namespace && shift 3 && exec \"$@\""
    );
    let run = |program: &std::path::Path, arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh", &authority]);
        command.arg(&token).arg(&namespace_file).arg(program).args(arguments).env_clear();
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", user.variable("HOME").expect("a directory"));
        command.env("KUBERNETES_SERVICE_HOST", host).env("KUBERNETES_SERVICE_PORT", port);
        command.output().expect("it runs")
    };
    let kubectl = run(user.testbed.tools().kubectl(), &["get", "serviceaccounts", "-o", "name"]);
    assert!(String::from_utf8_lossy(&kubectl.stdout).contains(testbed::USER), "{kubectl:?}");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    let output = run(env!("CARGO_BIN_EXE_kubectl-carvelflux").as_ref(), &["wait"]);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    assert!(text.contains(&format!("{PACKAGE} on prod1  ready")), "{text}");
}

fn certificates(testbed: &Testbed) {
    let mut user = User::new(testbed, "certificates");
    let authority = std::fs::read_to_string(user.authority_of("build")).expect("PEM");
    let gateway =
        Gateway::start(&user.server_of("build"), &authority, Behaviour::Unreliable(usize::MAX)).expect("a gateway");
    let pem = user.write("gateway.pem", gateway.authority());
    // A bundle with something that is no certificate is a bundle all the same.
    let odd = "-----BEGIN CERTIFICATE-----\nZmFrZQ==\n-----END CERTIFICATE-----\n";
    let bundle = user.write("bundle.pem", &format!("{odd}{}", gateway.authority()));
    let server = gateway.server().to_owned();
    for file in [pem, bundle] {
        let arguments = ["--server", &server, "--certificate-authority", &file.display().to_string()];
        assert!(kubectl_can(&user, &arguments), "{arguments:?}");
        reaches(&user, &arguments);
    }
    // `base64` breaks lines.
    let broken = |user: &mut User<'_>| {
        change_kubeconfig(user, |kubeconfig| {
            let data = &mut entry(kubeconfig, "clusters", "build")["cluster"]["certificate-authority-data"];
            let whole = data.as_str().expect("base64").to_owned();
            *data =
                json!(whole.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n").collect::<String>());
        });
    };
    broken(&mut user);
    assert!(kubectl_can(&user, &[]));
    reaches(&user, &[]);
    assert!(!kubectl_can(&user, &["--server", &server]));
    status(&user, &["--server", &server])
        .expect_code(1)
        .says("there is no secure connection to the build cluster")
        .says("subject CN=gateway")
        .says("signed by no certificate authority that is trusted here")
        .does_not_say("check the address and the network");
    let git = user.workspace.repository().url().to_owned();
    let git = git.split('/').nth(2).expect("a host").to_owned();
    status(&user, &["--server", &format!("https://{git}")]).expect_code(1).says("does not speak TLS");
    change_kubeconfig(&mut user, |kubeconfig| {
        entry(kubeconfig, "clusters", "build")["cluster"]["proxy-url"] = json!(format!("ftp://me:{PASSWORD}@proxy"));
    });
    assert!(!kubectl_can(&user, &[]));
    status(&user, &[]).expect_code(2).says("the proxy-url in the kubeconfig cannot be used").does_not_say(PASSWORD);
}
