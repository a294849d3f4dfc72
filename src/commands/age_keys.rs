//! The private keys that there are to decrypt values with: the user's own of age, and those that Flux has.

use k8s_openapi::ByteString;
use secrecy::SecretString;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::gitops::sops::Identities;
use crate::object::ObjectReference;

/// The Secret with Flux's keys where nothing names another one, as in Flux's documentation.
pub(super) const KEY_SECRET: &str = "sops-age";

/// The key of that Secret that holds a private key.
pub(super) const KEY_NAME: &str = "age.agekey";

/// How keys of that Secret end that Flux reads; it ignores all others in silence (fluxcd/flux2#5154).
pub(super) const SUFFIX: &str = ".agekey";

/// The names of keys that are not of age, as Flux reads them (kustomize-controller v1.9.3, `internal/decryptor/decryptor.go`).
const OTHERS: [&str; 4] = ["sops.vault-token", "sops.aws-kms", "sops.azure-kv", "sops.gcp-kms"];

/// How the names of PGP keys end.
const PGP_SUFFIX: &str = ".asc";

/// The Secret with Flux's keys.
pub(super) struct KeySecret {
    /// Its name.
    pub(super) name: String,
    /// The keys of age in it; `None` where it has none, or is not there.
    pub(super) identities: Option<Identities>,
    /// Whether it has other keys that Flux decrypts with.
    pub(super) has_other_keys: bool,
}

/// Reads the keys of a Secret on the build cluster, as Flux does.
pub(super) async fn of_flux(build: &Cluster, namespace: &str, name: &str) -> Result<KeySecret> {
    let secret = build.get(&ObjectReference::secret(namespace, name)).await?;
    let read = secret.map(|secret| read(&secret.data["data"], &format!("{namespace}/{name}"))).transpose()?;
    let (identities, has_other_keys) = read.unwrap_or_default();
    Ok(KeySecret { name: name.to_owned(), identities, has_other_keys })
}

/// Returns the keys of age, and whether there are others that Flux reads.
fn read(data: &Value, secret: &str) -> Result<(Option<Identities>, bool)> {
    let entries = data.as_object().into_iter().flatten();
    let mut all = String::new();
    let mut others = Vec::new();
    for (key, value) in entries {
        let text =
            serde_json::from_value(value.clone()).ok().and_then(|ByteString(bytes)| String::from_utf8(bytes).ok());
        match text {
            Some(text) if key.ends_with(SUFFIX) => all.extend([text.as_str(), "\n"]),
            _ => others.push(key.as_str()),
        }
    }
    let has_other_keys = others.iter().any(|key| key.ends_with(PGP_SUFFIX) || OTHERS.contains(key));
    if all.is_empty() && has_other_keys {
        return Ok((None, true));
    }
    if all.is_empty() {
        let others = if others.is_empty() { "nothing".to_owned() } else { others.join(", ") };
        return Err(Error::new(format!("Secret {secret} has no key whose name ends in {SUFFIX}, but {others}"))
            .because("Flux ignores keys of age under other names")
            .hint(format!("store the private key under a name that Flux reads, such as {KEY_NAME}")));
    }
    let identities = Identities::parse(&SecretString::from(all))
        .map_err(|error| error.behind(Error::new(format!("Secret {secret} cannot be used to decrypt"))))?;
    Ok((Some(identities), has_other_keys))
}

/// Reads the user's keys from where `sops` reads them: `SOPS_AGE_KEY` and `SOPS_AGE_KEY_FILE`.
pub(super) fn own() -> Result<Vec<Identities>> {
    let mut texts = Vec::new();
    if let Some(text) = set("SOPS_AGE_KEY") {
        texts.push(("SOPS_AGE_KEY", SecretString::from(text)));
    }
    if let Some(path) = set("SOPS_AGE_KEY_FILE") {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Error::usage("cannot read the file that SOPS_AGE_KEY_FILE names").because(error))?;
        texts.push(("SOPS_AGE_KEY_FILE", SecretString::from(text)));
    }
    let keys = texts.iter().map(|(variable, text)| {
        Identities::parse(text).map_err(|error| error.behind(Error::usage(format!("{variable} cannot be used"))))
    });
    keys.collect()
}

fn set(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    fn encoded(text: &str) -> Value {
        json!(ByteString(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_key_that_flux_would_ignore_is_refused_by_name() {
        let identities = Identities::generate();
        let file = identities.to_key_file();
        let both = json!({"age.agekey": encoded(file.expose_secret()), "team.asc": encoded("fake")});
        let (found, has_other_keys) = read(&both, "dev/sops-age").expect("keys");
        assert_eq!(found.map(|found| found.recipients()), Some(identities.recipients()));
        assert!(has_other_keys);
        let of_pgp = read(&json!({"team.asc": encoded("fake")}), "dev/sops-gpg").expect("a key");
        assert!(of_pgp.0.is_none() && of_pgp.1);
        let error = read(&json!({"age.key": encoded(file.expose_secret())}), "dev/sops-age").err().expect("no key");
        assert_eq!(error.message(), "Secret dev/sops-age has no key whose name ends in .agekey, but age.key");
        let error = read(&json!({"age.agekey": encoded("not-a-real-key")}), "dev/sops-age").err().expect("no key");
        assert!(!format!("{error:?}").contains("not-a-real-key"), "{error:?}");
    }
}
