//! Compares the lint of kubeconfigs with Flux's own code: fluxcd/pkg `runtime` v0.110.1 and v0.110.3.
//!
//! `tests/oracles/kubeconfig` answers for Go; its dependencies are pinned by `go.sum` and `older.sum`, so building it
//! needs the Go module proxy once. Cases are picked by hand where the rules have a corner, and generated everywhere
//! else, the same ones in each run.

#![allow(clippy::unwrap_used)]

#[path = "oracles/kubeconfig/corpus.rs"]
mod corpus;
#[path = "oracles/kubeconfig/oracle.rs"]
mod oracle;
#[path = "oracles/kubeconfig/outcome.rs"]
mod outcome;
#[path = "oracles/kubeconfig/random.rs"]
mod random;

use std::collections::BTreeMap;

use carvelflux::kubeconfig::{self, FluxBehaviour, Severity, effective, inline_files, lint};
use corpus::{AROUND, BESIDE, CLUSTERS, TEXTS, USERS};
use oracle::{Fixtures, ask};
use outcome::{assert_drops_are_found, describe};
use random::Random;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const GENERATED_COMBINATIONS: usize = 800;
const GENERATED_URLS: usize = 2_000;
const GENERATED_SCALARS: usize = 2_000;

const BEHAVIOURS: [FluxBehaviour; 2] = [FluxBehaviour::ReadsFiles, FluxBehaviour::RefusesFiles];
const CLUSTER: &str = "server: 'https://prod.example:6443', certificate-authority-data: @EC_CERTIFICATE@";
const USER: &str = "token: fake-token";

#[test]
fn picked_kubeconfigs_end_as_in_go() {
    let fixtures = Fixtures::new();
    let mut texts: Vec<String> = TEXTS.iter().map(ToString::to_string).collect();
    texts.extend(CLUSTERS.iter().map(|fields| kubeconfig(fields, USER)));
    texts.extend(USERS.iter().map(|fields| kubeconfig(CLUSTER, fields)));
    texts.extend(USERS.iter().map(|fields| kubeconfig("server: 'http://prod.example'", fields)));
    texts.extend(AROUND.iter().map(|(before, after)| format!("{before}{}{after}", kubeconfig(CLUSTER, USER))));
    for (list, entry) in BESIDE {
        let usable = kubeconfig(CLUSTER, USER);
        texts.push(usable.replace(&format!("{list}: ["), &format!("{list}: [{entry}, ")));
    }
    let outcomes = compare(&fixtures, &texts);
    assert!(outcomes["usable"] > 100 && outcomes["refused"] > 100, "{outcomes:?}");
}

#[test]
fn generated_combinations_end_as_in_go() {
    let fixtures = Fixtures::new();
    let mut random = Random::new(1);
    let texts: Vec<String> = (0..GENERATED_COMBINATIONS)
        .map(|_| {
            let cluster = random.fields(CLUSTERS);
            let user = random.fields(USERS);
            let mut text = kubeconfig(&cluster, &user);
            if random.one_in(4) {
                let (list, entry) = BESIDE[random.below(BESIDE.len())];
                text = text.replace(&format!("{list}: ["), &format!("{list}: [{entry}, "));
            }
            if random.one_in(4) {
                let (before, after) = AROUND[random.below(AROUND.len())];
                text = format!("{before}{text}{after}");
            }
            text
        })
        .collect();
    let outcomes = compare(&fixtures, &texts);
    assert!(outcomes["usable"] > 50 && outcomes["refused"] > 50, "{outcomes:?}");
}

#[test]
fn generated_urls_and_scalars_are_read_as_in_go() {
    let fixtures = Fixtures::new();
    let mut random = Random::new(2);
    let mut texts = Vec::new();
    for _ in 0..GENERATED_URLS {
        let (server, proxy) = (json!(random.url()), json!(random.url()));
        let is_for_server = random.one_in(2);
        let cluster =
            if is_for_server { format!("server: {server}") } else { format!("{CLUSTER}, proxy-url: {proxy}") };
        texts.push(kubeconfig(&cluster, USER));
    }
    texts.extend((0..GENERATED_SCALARS).map(|_| kubeconfig(CLUSTER, &format!("token: {}", random.scalar()))));
    let outcomes = compare(&fixtures, &texts);
    assert!(outcomes["usable"] > 500 && outcomes["refused"] > 500, "{outcomes:?}");
}

#[test]
fn the_key_of_a_secret_is_chosen_as_in_go() {
    let content = |host: &str| kubeconfig(&format!("server: 'https://{host}'"), USER);
    let (a, b) = (content("a.example"), content("b.example"));
    let secrets = [
        json!({"value": a}),
        json!({"value.yaml": b}),
        json!({"value": a, "value.yaml": b}),
        json!({"value": "", "value.yaml": b}),
        json!({"other": a}),
        json!({}),
    ];
    let mut requests = Vec::new();
    for data in &secrets {
        for key in ["", "value", "value.yaml", "other"] {
            requests.push(json!({"data": data, "key": key}));
        }
    }
    for behaviour in BEHAVIOURS {
        for (request, answer) in requests.iter().zip(ask(behaviour, &requests)) {
            let data = request["data"].as_object().unwrap().iter();
            let data: BTreeMap<_, _> =
                data.map(|(key, text)| (key, kubeconfig::base64(text.as_str().unwrap().as_bytes()))).collect();
            let read = kubeconfig::of_secret(&json!({"data": data}), request["key"].as_str());
            let server = read.map(|read| read.clusters[0].cluster.as_ref().unwrap().server.clone().unwrap());
            match answer["error"].as_str() {
                Some(error) => assert!(server.is_err(), "{request}: {error}"),
                None => assert_eq!(server.unwrap(), answer["host"].as_str().unwrap(), "{request}"),
            }
        }
    }
}

#[test]
fn a_kubeconfig_with_its_files_taken_in_is_as_good_as_one_without() {
    let fixtures = Fixtures::new();
    let pairs = [
        ("token: fake-token", "tokenFile: token"),
        ("token: fake-token", "tokenFile: token-line"),
        ("token: fake-token", "tokenFile: missing, token: fake-token"),
        (
            "client-certificate-data: @EC_CERTIFICATE@, client-key-data: @EC_KEY@",
            "client-certificate: EC_CERTIFICATE, client-key: EC_KEY",
        ),
        ("username: fake-user, password: fake-password", "username: fake-user, password: fake-password"),
        ("", ""),
    ];
    for (inline, with_files) in pairs {
        let wanted = fixtures.fill(&kubeconfig(CLUSTER, inline));
        let cluster = "server: 'https://prod.example:6443', certificate-authority: EC_CERTIFICATE";
        let given = kubeconfig(cluster, with_files)
            .replace("users: [", "users: [{name: other, user: {tokenFile: missing, exec: {}}}, ");
        let made = inline_files(&given, |path| match path {
            "token" => Ok(b"fake-token".to_vec()),
            "token-line" => Ok(b"fake-token\n".to_vec()),
            name => fixtures.pem(name).map(Vec::from).ok_or(std::io::ErrorKind::NotFound.into()),
        });
        let made = made.unwrap().expose_secret().to_owned();
        let again = inline_files(&made, |_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        assert_eq!(again.expose_secret(), made);
        for behaviour in BEHAVIOURS {
            let requests = [json!({"data": {"value": wanted}}), json!({"data": {"value": made}})];
            let answers = ask(behaviour, &requests);
            assert_eq!(answers[0], answers[1], "{with_files}");
            assert!(answers[1].get("error").is_none(), "{with_files}: {}", answers[1]);
            let findings = lint(&made, behaviour);
            assert!(findings.iter().all(|finding| with_files.is_empty() && finding.field.is_empty()), "{findings:?}");
        }
    }
}

#[test]
fn what_flux_would_drop_is_not_taken_in_silently() {
    let exec = "exec: {command: login, apiVersion: client.authentication.k8s.io/v1beta1}";
    for (cluster, user) in [
        (CLUSTER, exec),
        (CLUSTER, "token: fake-token, as: admin"),
        ("server: 'https://prod.example', insecure-skip-tls-verify: true", USER),
        ("server: 'http://prod.example'", USER),
        (CLUSTER, "tokenFile: missing"),
    ] {
        let text = Fixtures::new().fill(&kubeconfig(cluster, user));
        let error = inline_files(&text, |_| Err(std::io::ErrorKind::NotFound.into())).unwrap_err();
        assert!(!error.hints().is_empty() && !error.to_string().contains("fake-token"), "{error}");
    }
}

/// Compares our verdict, everything Flux would connect with, and the findings, and counts the outcomes.
fn compare(fixtures: &Fixtures, templates: &[String]) -> BTreeMap<&'static str, usize> {
    let mut outcomes = BTreeMap::new();
    let texts: Vec<String> = templates.iter().map(|template| fixtures.fill(template)).collect();
    let requests: Vec<Value> = texts.iter().map(|text| json!({"data": {"value": text}})).collect();
    for behaviour in BEHAVIOURS {
        for ((template, text), answer) in templates.iter().zip(&texts).zip(ask(behaviour, &requests)) {
            let context = format!("{behaviour:?}, Go says {answer}:\n{template}");
            let findings = lint(text, behaviour);
            let is_refused = findings.iter().any(|finding| finding.severity == Severity::Refused);
            // The lint takes no file to be on the controller's disk, and these are.
            if !template.contains("FILE@") {
                assert_eq!(is_refused, answer.get("error").is_some(), "{findings:#?}\n{context}");
            }
            fixtures.assert_no_secret(&format!("{findings:?}"), &context);
            match effective(text, behaviour, |path| std::fs::read(path)) {
                Ok(ours) => {
                    assert_eq!(describe(&ours), answer, "{context}");
                    fixtures.assert_no_secret(&format!("{ours:?}"), &context);
                    assert_drops_are_found(text, &answer, &findings, &context);
                    *outcomes.entry("usable").or_insert(0) += 1;
                }
                Err(error) => {
                    assert!(answer.get("error").is_some(), "{error}\n{context}");
                    fixtures.assert_no_secret(&format!("{error:?}"), &context);
                    *outcomes.entry("refused").or_insert(0) += 1;
                }
            }
        }
    }
    outcomes
}

fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "current-context: main\ncontexts: [{{name: main, context: {{cluster: prod, user: me}}}}]\n\
         clusters: [{{name: prod, cluster: {{{cluster}}}}}]\nusers: [{{name: me, user: {{{user}}}}}]\n"
    )
}
