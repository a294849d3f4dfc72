//! Compares the lint of kubeconfigs with Flux's own code: fluxcd/pkg `runtime` v0.110.1 and v0.110.3.
//!
//! `tests/oracles/kubeconfig` answers for Go; its dependencies are pinned by `go.sum` and `older.sum`, so building it
//! needs the Go module proxy once. Cases are whole kubeconfigs: picked by hand where the rules have a corner, put together
//! from those, the same ones in each run, or changed in one field. A verdict must be Go's; where the lint says that Flux
//! may read something differently, there is none.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "oracles/kubeconfig/changes.rs"]
mod changes;
#[path = "oracles/kubeconfig/corpus.rs"]
mod corpus;
#[path = "oracles/go.rs"]
mod go;
#[path = "oracles/kubeconfig/oracle.rs"]
mod oracle;
#[path = "oracles/kubeconfig/outcome.rs"]
mod outcome;
#[path = "oracles/kubeconfig/random.rs"]
mod random;

use std::collections::BTreeMap;

use carvelflux::testing::{FluxBehaviour, Severity, base64, effective, inline_files, lint, of_secret};
use changes::changes;
use corpus::{AROUND, BESIDE, CHANGED, CLUSTERS, TEXTS, USERS};
use oracle::{Fixtures, ask};
use outcome::{assert_drops_are_found, describe};
use random::Random;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const GENERATED_COMBINATIONS: usize = 800;

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
fn a_change_of_any_field_ends_as_in_go() {
    let fixtures = Fixtures::new();
    let texts: Vec<String> =
        CHANGED.iter().flat_map(|(cluster, user)| changes(&fixtures.fill(&kubeconfig(cluster, user)))).collect();
    let outcomes = compare(&fixtures, &texts);
    assert!(outcomes["usable"] > 100 && outcomes["refused"] > 100, "{outcomes:?}");
}

#[test]
fn a_certificate_without_extensions_is_usable() {
    let fixtures = Fixtures::new();
    let user = "client-certificate-data: @V1_CERTIFICATE@, client-key-data: @EC_KEY@";
    let text = fixtures.fill(&kubeconfig(CLUSTER, user));
    for behaviour in BEHAVIOURS {
        assert_eq!(lint(&text, behaviour).len(), 0, "{behaviour:?}");
        assert!(effective(&text, behaviour, |path| std::fs::read(path)).is_ok());
        assert!(ask(behaviour, &[json!({"data": {"value": text}})])[0].get("error").is_none());
    }
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
                data.map(|(key, text)| (key, base64(text.as_str().unwrap().as_bytes()))).collect();
            let read = of_secret(&json!({"data": data}), request["key"].as_str());
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

/// Compares our verdict, everything Flux would connect with, and the findings, and counts the outcomes. What is undecided
/// may still not show a secret, and what is called refused all the same must be.
fn compare(fixtures: &Fixtures, templates: &[String]) -> BTreeMap<&'static str, usize> {
    let mut outcomes = BTreeMap::new();
    let texts: Vec<String> = templates.iter().map(|template| fixtures.fill(template)).collect();
    let requests: Vec<Value> = texts.iter().map(|text| json!({"data": {"value": text}})).collect();
    for behaviour in BEHAVIOURS {
        for ((template, text), answer) in templates.iter().zip(&texts).zip(ask(behaviour, &requests)) {
            let context = format!("{behaviour:?}, Go says {answer}:\n{template}");
            let findings = lint(text, behaviour);
            let has = |severity| findings.iter().any(|finding| finding.severity == severity);
            let is_decided = !has(Severity::Undecided);
            // The lint takes no file to be on the controller's disk, and these are.
            if !template.contains("FILE@") && (is_decided || has(Severity::Refused)) {
                assert_eq!(has(Severity::Refused), answer.get("error").is_some(), "{findings:#?}\n{context}");
            }
            fixtures.assert_no_secret(&format!("{findings:?}"), &context);
            let outcome = match effective(text, behaviour, |path| std::fs::read(path)) {
                Ok(ours) => {
                    fixtures.assert_no_secret(&format!("{ours:?}"), &context);
                    if is_decided {
                        assert_eq!(describe(&ours), answer, "{context}");
                        assert_drops_are_found(text, &answer, &findings, &context);
                    }
                    "usable"
                }
                Err(error) => {
                    fixtures.assert_no_secret(&format!("{error:?}"), &context);
                    assert!(!is_decided || answer.get("error").is_some(), "{error}\n{context}");
                    "refused"
                }
            };
            *outcomes.entry(if is_decided { outcome } else { "undecided" }).or_insert(0) += 1;
        }
    }
    println!("{outcomes:?}");
    let undecided = outcomes.get("undecided").copied().unwrap_or_default();
    assert!(undecided < outcomes.values().sum::<usize>() / 2, "{outcomes:?}");
    outcomes
}

fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "current-context: main\ncontexts: [{{name: main, context: {{cluster: prod, user: me}}}}]\n\
         clusters: [{{name: prod, cluster: {{{cluster}}}}}]\nusers: [{{name: me, user: {{{user}}}}}]\n"
    )
}
