//! Compares what the plugin encrypts and decrypts with the real `sops`, v3.13.2: it is built from the module of the testbed
//! that has kustomize-controller, whose version of SOPS this is.
//!
//! Building it needs the Go module proxy once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use carvelflux::testing::{
    CreationRule, Identities, Rule, creation_rule, decrypt, encrypt, read_documents, write_documents,
};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

#[path = "clusters/sops.rs"]
mod program;

use program::sops;

/// Values as packages have them, and texts that YAML or a cipher could stumble over.
const TEXTS: [&str; 12] = [
    "---\nreplicas: 2\n",
    "a: 1",
    "",
    "\n",
    "yes",
    "0644",
    "12:30:45",
    "  indented\n\n\nand blank lines\n\n",
    "tab\t\"quotes\" 'both' \\ and # no comment: {x}",
    "日本語 🚀\n",
    "Windows\r\nlines\r\n",
    "ENC[AES256_GCM,data:no,iv:no,tag:no,type:str]",
];

/// A change of a document.
type Change<'a> = &'a dyn Fn(&mut Value);

/// A directory with a private key and what it encrypts.
struct Place {
    directory: tempfile::TempDir,
    identities: Identities,
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap(), identities: Identities::generate() };
        fs::write(place.path("keys.txt"), place.identities.to_key_file().expose_secret()).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn rule(&self) -> CreationRule {
        CreationRule::of_secrets(self.identities.recipients())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(sops())
            .args(arguments)
            .current_dir(self.directory.path())
            .env("SOPS_AGE_KEY_FILE", self.path("keys.txt"))
            .env("HOME", self.directory.path())
            .output()
            .expect("sops runs")
    }

    /// Runs `sops`, which must succeed.
    fn sops(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Value {
        only(&fs::read_to_string(self.path(name)).unwrap())
    }
}

fn only(text: &str) -> Value {
    let mut documents = read_documents(text, "the file").unwrap();
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0)
}

fn secret() -> Value {
    let texts = TEXTS.iter().enumerate().map(|(index, text)| (format!("text-{index}.yml"), Value::from(*text)));
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "hello-app-values", "labels": { "answer": "yes" } },
        "type": "Opaque",
        "stringData": texts.collect::<serde_json::Map<_, _>>(),
        "data": { "values.yml": "YTogMQo=" },
    })
}

fn encrypted(place: &Place) -> String {
    write_documents(&[encrypt(&secret(), &place.rule(), Timestamp::now()).unwrap()]).unwrap()
}

#[test]
fn sops_decrypts_what_the_plugin_encrypts() {
    let place = Place::new();
    place.write("params.yaml", &encrypted(&place));
    assert_eq!(only(&place.sops(&["decrypt", "params.yaml"])), secret());
}

#[test]
fn the_plugin_decrypts_what_sops_encrypts_by_every_kind_of_file() {
    let place = Place::new();
    place.write("plain.yaml", &serde_json::to_string_pretty(&secret()).unwrap());
    let recipient = place.identities.recipients()[0].to_string();
    for settings in [
        "encrypted_regex: ^(data|stringData)$",
        "encrypted_regex: ^(data|stringData)$\n  mac_only_encrypted: true",
        "unencrypted_suffix: _unencrypted",
    ] {
        place.write(".sops.yaml", &format!("creation_rules:\n- age: {recipient}\n  {settings}\n"));
        let document = only(&place.sops(&["encrypt", "plain.yaml"]));
        assert!(document["stringData"]["text-0.yml"].as_str().unwrap().starts_with("ENC["), "{settings}");
        assert_eq!(decrypt(&document, &place.identities).unwrap(), secret(), "{settings}");
    }
}

#[test]
fn sops_changes_and_encrypts_anew_what_the_plugin_has_encrypted() {
    let place = Place::new();
    place.write("params.yaml", &encrypted(&place));
    place.sops(&["set", "params.yaml", r#"["stringData"]["text-1.yml"]"#, r#""a: 2""#]);
    place.sops(&["set", "params.yaml", r#"["stringData"]["new.yml"]"#, r#""b: 3\n""#]);
    let mut expected = secret();
    expected["stringData"]["text-1.yml"] = json!("a: 2");
    expected["stringData"]["new.yml"] = json!("b: 3\n");
    assert_eq!(decrypt(&place.read("params.yaml"), &place.identities).unwrap(), expected);

    let other = Identities::generate();
    let recipient = other.recipients()[0].to_string();
    place.sops(&["rotate", "--in-place", "--add-age", &recipient, "params.yaml"]);
    assert_eq!(decrypt(&place.read("params.yaml"), &other).unwrap(), expected);
}

#[test]
fn both_accept_another_label_and_refuse_other_values() {
    let place = Place::new();
    let text = encrypted(&place);
    let other = only(&encrypted(&place));
    let changes: [(&str, bool, Change); 7] = [
        ("a label", true, &|document| document["metadata"]["labels"]["answer"] = json!("no")),
        ("no type", true, &|document| drop(document.as_object_mut().unwrap().shift_remove("type"))),
        ("a value gone", false, &|document| drop(document["data"].as_object_mut().unwrap().shift_remove("values.yml"))),
        ("a plain value", false, &|document| document["data"]["values.yml"] = json!("YTogMgo=")),
        ("a value of another place", false, &|document| {
            document["data"]["values.yml"] = document["stringData"]["text-0.yml"].clone();
        }),
        ("a value of another file", false, &|document| document["data"] = other["data"].clone()),
        ("the MAC of another file", false, &|document| document["sops"]["mac"] = other["sops"]["mac"].clone()),
    ];
    for (what, is_valid, change) in changes {
        let mut document = only(&text);
        change(&mut document);
        place.write("changed.yaml", &document.to_string());
        assert_eq!(place.run(&["decrypt", "changed.yaml"]).status.success(), is_valid, "sops on {what}");
        assert_eq!(decrypt(&document, &place.identities).is_ok(), is_valid, "the plugin on {what}");
    }
}

#[test]
fn creation_rules_name_the_same_keys_for_the_same_files() {
    let place = Place::new();
    let others: Vec<String> = (0..4).map(|_| Identities::generate().recipients()[0].to_string()).collect();
    let rules = format!(
        "creation_rules:\n- path_regex: ^a/.*/params\\.ya?ml$\n  age: {},{}\n- path_regex: (prod|live)\\d+\n  encrypted_regex: ^(data|stringData|x)$\n  age: [{}]\n- path_regex: '\\bsecrets?/'\n  age: {}\n",
        others[0], others[1], others[2], others[3]
    );
    place.write(".sops.yaml", &rules);
    let paths = [
        "a/b/params.yaml",
        "a/params.yaml",
        "b/a/b/params.yml",
        "c/prod12/params.yaml",
        "liveX/p.yaml",
        "x/secret/p.yaml",
        "xsecret/p.yaml",
    ];
    for path in paths {
        fs::create_dir_all(place.path(path).parent().unwrap()).unwrap();
        place.write(path, &secret().to_string());
        let output = place.run(&["encrypt", path]);
        let rule = creation_rule(&rules, path);
        assert_eq!(output.status.success(), rule.is_ok(), "{path}: {rule:?} {output:?}");
        if let Ok(Rule::OfAge(rule)) = rule {
            let document = only(&String::from_utf8(output.stdout).unwrap());
            let named =
                document["sops"]["age"].as_array().unwrap().iter().map(|key| key["recipient"].as_str().unwrap());
            let ours: Vec<String> = rule.recipients.iter().map(ToString::to_string).collect();
            assert_eq!(named.collect::<Vec<_>>(), ours, "{path}");
        }
    }
}
