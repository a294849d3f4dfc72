//! Values of a package: the check of a values file, the Secret that carries it, and that Secret's name.
//!
//! Values may be secret, so nothing here repeats them. Which file the Secret goes to is decided in [`super::delivery`].

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::edit::edit;
use super::manifest;
use crate::error::{Error, Result};
use crate::names::is_subdomain;

/// The key of a values Secret, as in the guide.
pub const VALUES_KEY: &str = "values.yml";

/// How many characters of the content's digest end the name of a values Secret.
const SUFFIX_LENGTH: usize = 10;

/// Checks that a text can be used as values: YAML, with a mapping in every document, and at least one.
///
/// The error names `origin`, line and column, and never the content.
pub fn check_values(text: &str, origin: &str) -> Result<()> {
    let hint = "values look like this: `replicas: 2`";
    let documents = manifest::parse(text).map_err(|fault| Error::usage(fault.sentence(origin)).hint(hint))?;
    if documents.is_empty() {
        return Err(Error::usage(format!("{origin} holds no values")).hint(hint));
    }
    for (index, document) in documents.iter().enumerate() {
        let found = match document {
            Value::Object(_) => continue,
            Value::Array(_) => "a list",
            _ => "a single value",
        };
        let place = if documents.len() == 1 { String::new() } else { format!(" in document {}", index + 1) };
        return Err(
            Error::usage(format!("{origin} holds {found}{place} instead of a mapping of names to values")).hint(hint)
        );
    }
    Ok(())
}

/// Changes a text of one document so that it holds other values, and keeps its comments, its order and its quotes; `None` where
/// that cannot be done in place.
#[must_use]
pub fn with_values(text: &SecretString, wanted: &Value) -> Option<SecretString> {
    let edited = edit(text.expose_secret(), &[Some(wanted.clone())], &[]).ok()?;
    (!edited.is_rewritten).then(|| edited.text.into())
}

/// Builds the Secret that hands values to a `PackageInstall`; it holds them in plain text.
#[must_use]
pub fn values_secret(name: &str, values_yaml: &SecretString) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name },
        "stringData": { VALUES_KEY: values_yaml.expose_secret() },
    })
}

/// Names the values Secret of a package as `<package>-values-<suffix>`, where the suffix changes with the content.
///
/// A new name changes the `PackageInstall` that refers to it, so its generation moves and Flux waits for the new values. The
/// suffix is the first ten hexadecimal characters of the content's SHA-256. Fails when the name is none that Kubernetes accepts.
pub fn values_secret_name(package: &str, values: &SecretString) -> Result<String> {
    name_with_digest_of(package, values.expose_secret())
}

/// Names an encrypted values Secret after its ciphertext: a digest of the plaintext would tell whether a guess is right.
///
/// SOPS protects neither the name nor any other metadata here (`mac_only_encrypted`), so that it can be given afterwards.
pub fn encrypted_values_secret_name(package: &str, encrypted: &Value) -> Result<String> {
    let ciphertext = [&encrypted["stringData"], &encrypted["data"]].map(Value::to_string).concat();
    name_with_digest_of(package, &ciphertext)
}

fn name_with_digest_of(package: &str, text: &str) -> Result<String> {
    let digest = Sha256::digest(text.as_bytes());
    let suffix = digest[..SUFFIX_LENGTH / 2].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let name = format!("{package}-values-{suffix}");
    if is_subdomain(&name) {
        return Ok(name);
    }
    Err(Error::usage(format!("{name} is not a name that Kubernetes accepts for a Secret"))
        .because(
            "a name has at most 253 lower case letters, digits, `-` and `.`, with a letter or digit around each `.`",
        )
        .hint("rename the package's directory in the GitOps repository: the name of the Secret begins with it"))
}

/// Says whether two names differ only in the suffix that follows the content: one replaces the other.
#[must_use]
pub fn is_same_values_secret(left: &str, right: &str) -> bool {
    left == right || matches!((without_suffix(left), without_suffix(right)), (Some(left), Some(right)) if left == right)
}

fn without_suffix(name: &str) -> Option<&str> {
    let (prefix, suffix) = name.rsplit_once('-')?;
    let is_digest =
        suffix.len() == SUFFIX_LENGTH && suffix.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_digest && prefix.ends_with("-values")).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_mappings() {
        for text in ["a: 1\n", "---\na: 1\n---\nb: 2\n", "{}\n", "a: 1\n---\n"] {
            check_values(text, "v.yaml").unwrap();
        }
        for (text, message) in [
            ("", "v.yaml holds no values"),
            ("# nothing\n", "v.yaml holds no values"),
            ("- a\n", "v.yaml holds a list instead of a mapping of names to values"),
            ("hunter2\n", "v.yaml holds a single value instead of a mapping of names to values"),
            ("a: 1\n---\n- b\n", "v.yaml holds a list in document 2 instead of a mapping of names to values"),
        ] {
            assert_eq!(check_values(text, "v.yaml").unwrap_err().message(), message);
        }
    }

    #[test]
    fn errors_name_the_place_and_never_the_content() {
        for text in [
            "hunter2: 1\nhunter2: 2\n",
            "a: 1\nb: hunter2: x\n",
            "a: 'hunter2\n",
            "a: @hunter2",
            "a: *hunter2\n",
            "a: !!int hunter2\n",
        ] {
            let error = check_values(text, "v.yaml").unwrap_err();
            assert!(error.message().starts_with("v.yaml is not valid YAML at line "), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn the_name_follows_the_content() {
        let name = |text: &str| values_secret_name("hello-app.default.tap", &text.into()).unwrap();
        assert_eq!(name("a: 1\n"), "hello-app.default.tap-values-37b128c59f");
        assert_ne!(name("a: 1\n"), name("a: 2\n"));
        assert!(is_same_values_secret(&name("a: 1\n"), &name("a: 2\n")));
        assert!(!is_same_values_secret(&name("a: 1\n"), "hello-app-values"));
        assert!(!is_same_values_secret("a-values-0123456789", "b-values-0123456789"));
        // A Secret's name has a limit for all of it, and none for its parts.
        assert!(values_secret_name(&format!("{}.default.tap", "a".repeat(60)), &"a: 1".into()).is_ok());
        assert!(values_secret_name(&format!("tap.{}", "a".repeat(60)), &"a: 1".into()).is_ok());
        for package in ["Hello", "a_b", ".a", "a..b", "", &"a".repeat(236)] {
            let error = values_secret_name(package, &"a: 1".into()).unwrap_err();
            // What a hint names must exist.
            assert!(error.hints().iter().all(|hint| !hint.contains("--")), "{error:?}");
        }
    }

    #[test]
    fn the_secret_is_the_one_of_the_guide() {
        let text =
            manifest::write_documents(&[values_secret("hello-app-values", &"---\nreplicas: 2\n".into())]).unwrap();
        let expected = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: hello-app-values\nstringData:\n  values.yml: |\n    ---\n    replicas: 2\n";
        assert_eq!(text, expected);
    }
}
