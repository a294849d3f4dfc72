//! Tests of [`super`] without the real `sops`, which `tests/sops.rs` asks.

use super::*;

/// A change of a document.
type Change<'a> = &'a dyn Fn(&mut Value);

const VALUES: &str = "---\npassword: hunter2\n";

fn secret() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "values", "labels": { "team": "a" } },
        "stringData": { "values.yml": VALUES, "empty": "" },
        "data": { "more.yml": "YTogMQo=" },
    })
}

fn encrypted(identities: &Identities) -> Value {
    let rule = CreationRule::of_secrets(identities.recipients());
    let document = encrypt(&secret(), &rule, Timestamp::UNIX_EPOCH).unwrap();
    let text = manifest::write_documents(&[document]).unwrap();
    assert!(!text.contains("hunter2") && text.contains("lastmodified: \"1970-01-01T00:00:00Z\""), "{text}");
    manifest::read_documents(&text, "test").unwrap().remove(0)
}

#[test]
fn what_is_encrypted_comes_back_and_nothing_else_is_touched() {
    let identities = Identities::generate();
    let document = encrypted(&identities);
    assert_eq!(document["metadata"], secret()["metadata"]);
    assert_eq!(document["stringData"]["empty"], "");
    assert!(document["data"]["more.yml"].as_str().unwrap().starts_with("ENC[AES256_GCM,data:"));
    assert_eq!(decrypt(&document, &identities).unwrap(), secret());
    let again = Identities::parse(&identities.to_key_file()).unwrap();
    assert_eq!(decrypt(&document, &again).unwrap(), secret());
    let error = decrypt(&document, &Identities::generate()).unwrap_err();
    let recipient = identities.recipients()[0].to_string();
    assert!(error.causes()[0].contains(&recipient), "{error:?}");
}

#[test]
fn several_can_decrypt() {
    let both = [Identities::generate(), Identities::generate()];
    let rule = CreationRule::of_secrets(both.iter().flat_map(Identities::recipients).collect());
    let document = encrypt(&secret(), &rule, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(recipients(&document).len(), 2);
    assert!(both.iter().all(|identities| decrypt(&document, identities).unwrap() == secret()));
}

#[test]
fn whatever_was_changed_is_refused_but_what_is_plain() {
    let identities = Identities::generate();
    let document = encrypted(&identities);
    let change = |change: &dyn Fn(&mut Value)| {
        let mut changed = document.clone();
        change(&mut changed);
        decrypt(&changed, &identities)
    };
    let cipher = document["data"]["more.yml"].clone();
    let other = encrypted(&identities);
    let changes: [(&str, Change); 9] = [
        ("a value of another place", &|document| document["stringData"]["values.yml"] = cipher.clone()),
        ("a value of another file", &|document| document["data"]["more.yml"] = other["data"]["more.yml"].clone()),
        ("a value gone", &|document| drop(document["data"].as_object_mut().unwrap().shift_remove("more.yml"))),
        ("an empty value", &|document| document["data"]["more.yml"] = json!("")),
        ("a plain value", &|document| document["data"]["more.yml"] = json!("YTogMgo=")),
        ("another plain value", &|document| document["data"]["new"] = json!("YTogMgo=")),
        ("a number", &|document| document["data"]["new"] = json!(1)),
        ("another time", &|document| document["sops"]["lastmodified"] = json!("1970-01-01T00:00:01Z")),
        ("another MAC", &|document| document["sops"]["mac"] = other["sops"]["mac"].clone()),
    ];
    for (what, changed) in changes {
        let error = change(changed).expect_err(what);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    assert!(change(&|document| document["metadata"]["labels"]["team"] = json!("b")).is_ok());
}

#[test]
fn the_first_rule_for_a_file_counts() {
    let (ours, theirs) = (Identities::generate().recipients(), Identities::generate().recipients());
    let rules = format!(
        "creation_rules:\n- path_regex: ^prod/.*\\.yaml$\n  age: >-\n    {},\n    {}\n- path_regex: legacy/\n  pgp: ABCD\n- path_regex: kinds/\n  encrypted_regex: ^(data|kind)$\n  age: {0}\n- path_regex: half/\n  encrypted_regex: ^data$\n  age: {0}\n- path_regex: nobody/\n- age: [{}]\n",
        ours[0], theirs[0], theirs[0]
    );
    assert_eq!(
        creation_rule(&rules, "prod/params.yaml").unwrap(),
        Rule::OfAge(CreationRule::of_secrets([ours, theirs.clone()].concat()))
    );
    assert_eq!(creation_rule(&rules, "test/params.yaml").unwrap(), Rule::OfAge(CreationRule::of_secrets(theirs)));
    let Rule::OfSops(rule) = creation_rule(&rules, "legacy/params.yaml").unwrap() else { panic!("age has no PGP") };
    assert_eq!((rule.display().as_str(), rule.selects_fields), ("rule 2 of .sops.yaml has `pgp`", false));
    let suffix = creation_rule("creation_rules: [{age: age1x, unencrypted_suffix: _open}]\n", "a.yaml").unwrap();
    assert!(matches!(suffix, Rule::OfSops(SopsRule { selects_fields: true, .. })), "{suffix:?}");
    for (path, part) in [
        ("kinds/params.yaml", "rule 3 of .sops.yaml encrypts `kind`"),
        ("half/params.yaml", "rule 4 of .sops.yaml leaves `stringData`"),
        ("nobody/params.yaml", "rule 5 of .sops.yaml names nobody"),
    ] {
        let error = creation_rule(&rules, path).unwrap_err();
        assert!(error.message().contains(part), "{error:?}");
    }
    assert!(creation_rule("creation_rules: []\n", "a.yaml").unwrap_err().message().contains("no rule for a.yaml"));
    assert!(creation_rule("creation_rules: [{path_regex: '('}]\n", "a.yaml").is_err());
}

#[test]
fn keys_are_read_line_by_line_and_never_repeated() {
    let key = Identities::generate().to_key_file();
    assert_eq!(Identities::parse(&key).unwrap().recipients().len(), 1);
    let error = Identities::parse(&"# none\nAGE-SECRET-KEY-1HUNTER2\n".into()).err().unwrap();
    assert_eq!(error.message(), "line 2 is no private key of age");
    assert!(!format!("{error:?}").contains("HUNTER2"), "{error:?}");
    assert!(Identities::parse(&"# none\n".into()).is_err());
    for text in ["age1x", "ssh-ed25519 AAAA", "AGE-SECRET-KEY-1HUNTER2", ""] {
        assert!(!format!("{:?}", text.parse::<Recipient>().unwrap_err()).contains("HUNTER2"));
    }
}

#[test]
fn what_sops_has_made_is_looked_at() {
    let plain = json!({"kind": "Secret", "metadata": {"name": "a"}, "stringData": {"values.yml": "fake-password"}});
    let rule = CreationRule::of_secrets(Identities::generate().recipients());
    let encrypted = encrypt(&plain, &rule, Timestamp::UNIX_EPOCH).unwrap();
    let check = |pointer: &str, value: Value| {
        let mut document = encrypted.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        check_encrypted(&document, &plain).map_err(|error| error.to_string())
    };
    let same = encrypted["kind"].clone();
    assert_eq!(check("/kind", same), Ok(()));
    let refused = |pointer, value| check(pointer, value).unwrap_err();
    assert_eq!(
        refused("/stringData/values.yml", json!("fake-password")),
        "stringData.values.yml is left in plain text"
    );
    assert_eq!(refused("/stringData", json!({})), "stringData does not have the same keys any more");
    assert_eq!(refused("/metadata/name", json!("ENC[")), "metadata is encrypted, which Flux must be able to read");
    assert_eq!(refused("/sops", Value::Null), "the result has no metadata of SOPS");
    assert!(!has_other_keys(&encrypted) && has_other_keys(&json!({"sops": {"pgp": [{"fp": "A"}]}})));
}
