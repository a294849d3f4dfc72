//! Whether the values are encrypted in Git, for whom, and with which key Flux decrypts them.
//!
//! Flux's way is SOPS: the private keys are a Secret beside the Kustomization, whose `spec.decryption` names it
//! (kustomize-controller v1.9.3, `internal/decryptor`). The format lives in `crate::gitops::sops`.

use std::cell::OnceCell;
use std::path::Path;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::values::{replaced_secret, secret_name};
use crate::check::Checks;
use crate::cluster::Cluster;
use crate::commands::add_cluster::facts::Encryption;
use crate::commands::add_cluster::request::Request;
use crate::commands::age_keys::{self, KEY_NAME, KEY_SECRET, KeySecret};
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Kustomization, decryption_with, kustomization_resource};
use crate::gitops::delivery::{ExistingSecret, RunClusterDirectory};
use crate::gitops::layout::PackageDirectory;
use crate::gitops::manifest::{in_reading_order, read_documents, write_documents};
use crate::gitops::sops::{
    self, CreationRule, Identities, RULES_FILE, Recipient, Rule, SECRET_FIELDS, SopsRule, creation_rule, encrypt,
};
use crate::gitops::sops_program::SopsProgram;
use crate::gitops::tree::{self, FileChange};
use crate::gitops::values::{VALUES_KEY, encrypted_values_secret_name, is_same_values_secret, values_secret};
use crate::names;

/// The keys that there are.
pub(super) struct Keys {
    /// `spec.decryption` of the Kustomization, where there is one.
    decryption: Option<Value>,
    /// The Secret with Flux's keys, which may not be there yet.
    secret: KeySecret,
    /// The text of `.sops.yaml`.
    rules: Option<String>,
    /// The user's own `sops`, for the keys that only it can use.
    program: SopsProgram,
}

/// Reads which keys Flux has, and decrypts the values that they or the user's own can; `None` where nothing is encrypted or to be.
pub(super) async fn keys(
    request: &Request,
    build: &Cluster,
    versions: FluxVersions,
    root: &Path,
    directory: &mut RunClusterDirectory,
) -> Result<Option<Keys>> {
    if !request.encryption.encrypts && !directory.secrets.iter().any(|secret| secret.encrypted) {
        return Ok(None);
    }
    let name = names::package_installs_kustomization(request.package_name(), &request.run_cluster);
    let resource = kustomization_resource(versions.kustomization);
    let existing: Option<Kustomization> = build.read(&resource, &request.namespace, &name).await?;
    let decryption = existing.and_then(|existing| existing.spec.decryption);
    let named = decryption.as_ref().and_then(|decryption| decryption.pointer("/secretRef/name")?.as_str());
    let secret = age_keys::of_flux(build, &request.namespace, named.unwrap_or(KEY_SECRET)).await?;
    let own = age_keys::own()?;
    for identities in own.iter().chain(&secret.identities) {
        directory.decrypt(identities)?;
    }
    let program = SopsProgram::of_user(root);
    directory.decrypt_by(&program).await?;
    let rules = if tree::is_there(root, RULES_FILE)? {
        Some(tree::read(root, RULES_FILE)?.content.expose_secret().to_owned())
    } else {
        None
    };
    Ok(Some(Keys { decryption, secret, rules, program }))
}

/// The keys that there are and may be made, and the time.
#[derive(Clone, Copy)]
pub(super) struct Situation<'a> {
    pub(super) keys: &'a Keys,
    /// The key that is made where one is asked for: one for all deliveries of a command.
    pub(super) new_key: &'a OnceCell<Identities>,
    pub(super) now: Timestamp,
}

/// Decides what is encrypted, and encrypts it. The values are left out where they are in Git already.
pub(super) async fn encryption(
    checks: &mut Checks,
    request: &Request,
    package: &PackageDirectory,
    directory: &RunClusterDirectory,
    Situation { keys, new_key, now }: Situation<'_>,
    new: Option<&SecretString>,
) -> Result<Encryption> {
    let earlier = earlier(request, package, directory, new.is_some())?;
    let is_encrypted = earlier.is_some_and(|secret| secret.encrypted);
    let is_to_encrypt = if is_encrypted { new.is_some() } else { request.encryption.encrypts };
    if !is_to_encrypt {
        return kept(request, directory, keys);
    }
    if new.is_none() && earlier.is_none() {
        return Err(
            Error::usage("there are no values to encrypt").hint("give them with --values FILE, or leave --encrypt out")
        );
    }
    if let (Some(earlier), Some(new)) = (earlier, new) {
        let is_same_name = request.values.secret_name.as_ref().is_none_or(|name| *name == earlier.name);
        let is_same = earlier.contents.get(VALUES_KEY).is_some_and(|text| text.expose_secret() == new.expose_secret());
        if is_encrypted && earlier.is_decrypted && is_same_name && is_same && earlier.contents.len() == 1 {
            return Ok(Encryption { keeps_values: true, ..kept(request, directory, keys)? });
        }
    }
    if let Some(earlier) = earlier.filter(|earlier| earlier.encrypted && !earlier.is_decrypted) {
        let warning = format!("the values in {} are encrypted again, changed or not", earlier.file);
        let warning = Error::new(warning).because("without a private key nobody can tell whether they are the same");
        checks.warn("encryption", warning.hint("give the key: SOPS_AGE_KEY_FILE=FILE"));
    }
    if let Some(earlier) = earlier.filter(|earlier| !earlier.encrypted) {
        let warning = format!("the history of the repository still holds the values of {} in plain text", earlier.file);
        checks.warn("encryption", Error::new(warning).hint("change what is secret in them"));
    }

    let is_made = request.encryption.generates_key && keys.secret.identities.is_none();
    let new_key = is_made.then(|| new_key.get_or_init(Identities::generate));
    let flux = new_key.or(keys.secret.identities.as_ref());
    let file = directory.values_file(earlier);
    let document = earlier.map(|earlier| directory.document(earlier)).transpose()?.flatten();
    let rule = rule(request, keys, &file, document.as_ref(), flux)?;
    if let Rule::OfAge(rule) = &rule {
        check_flux_can(request, keys, flux, &rule.recipients)?;
    }
    let rules = match &rule {
        Rule::OfAge(rule) if request.encryption.generates_key && keys.rules.is_none() => Some(FileChange {
            path: RULES_FILE.to_owned(),
            before: None,
            content: Some(rules_file(&rule.recipients).into()),
        }),
        _ => None,
    };

    let Some(text) = new.or_else(|| earlier?.contents.get(VALUES_KEY)) else {
        return Err(
            Error::new(format!("{file} has no values under `{VALUES_KEY}`")).hint("give the values with --values FILE")
        );
    };
    let mut secret = values_secret("unnamed", text);
    if let Some(metadata) = document.as_ref().and_then(|document| document.get("metadata")) {
        secret["metadata"] = metadata.clone();
    }
    let for_nobody;
    let of_age = match &rule {
        Rule::OfAge(rule) => rule,
        // `sops` may protect the name as well, which therefore comes first: a digest of another ciphertext, as random as its own.
        Rule::OfSops(_) => {
            for_nobody = CreationRule::of_secrets(Identities::generate().recipients());
            &for_nobody
        }
    };
    let mut encrypted = encrypt(&secret, of_age, now)?;
    let name = match (&request.values.secret_name, earlier) {
        (Some(name), _) => name.clone(),
        // A name that somebody has chosen stays.
        (None, Some(earlier))
            if new.is_none() && !is_same_values_secret(&earlier.name, &secret_name(&request.values, package)?) =>
        {
            earlier.name.clone()
        }
        (None, _) => encrypted_values_secret_name(&package.name, &encrypted)?,
    };
    let (secret, new_key) = match &rule {
        Rule::OfAge(_) => {
            encrypted["metadata"]["name"] = json!(name);
            (encrypted, new_key)
        }
        Rule::OfSops(rule) => {
            secret["metadata"]["name"] = json!(name);
            (encrypted_by_sops(request, keys, rule, &file, &in_reading_order(&secret)).await?, None)
        }
    };
    let decryption = keys.decryption.clone().unwrap_or_else(|| decryption_with(&keys.secret.name));
    let key = new_key.map(|identities| key_secret(request, &keys.secret.name, identities));
    Ok(Encryption { decryption: Some(decryption), key, rules, secret: Some(secret), keeps_values: false })
}

/// Has the user's own `sops` encrypt the values Secret, and looks at what it has made.
async fn encrypted_by_sops(
    request: &Request,
    keys: &Keys,
    rule: &SopsRule,
    file: &str,
    secret: &Value,
) -> Result<Value> {
    let plain = SecretString::from(write_documents(std::slice::from_ref(secret))?);
    let regex = (!rule.selects_fields).then_some(SECRET_FIELDS);
    let Some(text) = keys.program.encrypt(file, &plain, regex).await? else {
        return Err(Error::new(format!(
            "{}, for which `sops` is needed, and there is none on your PATH",
            rule.display()
        ))
        .hint("install it: https://getsops.io, 3.10 or newer")
        .hint("or name who can decrypt with a key of age: --age-recipient age1…"));
    };
    let document = read_documents(&text, file)?.into_iter().next().unwrap_or_default();
    sops::check_encrypted(&document, secret).map_err(|error| {
        error
            .behind(Error::new(format!("Flux could not use what your `sops` makes of {file}: {}", rule.display())))
            .hint(format!("use `encrypted_regex: {SECRET_FIELDS}` in the rule"))
    })?;
    let recipients = sops::recipients(&document);
    let flux = keys.secret.identities.as_ref();
    if !uses_secret(keys) || keys.secret.has_other_keys || flux.is_some_and(|flux| is_one_of(flux, &recipients)) {
        return Ok(document);
    }
    let (namespace, name) = (&request.namespace, &keys.secret.name);
    Err(Error::new("Flux could not decrypt the values")
        .because(format!("{}, and Secret {namespace}/{name} holds no such key", rule.display()))
        .hint(format!(
            "store the key under a name that Flux knows, such as team.asc for PGP, sops.vault-token or sops.aws-kms: kubectl -n {namespace} create secret generic {name} --from-file=team.asc=FILE"
        ))
        .hint("or let it use a key of its own: spec.decryption of the Kustomization without secretRef"))
}

/// Leaves the values as they are; Flux must be able to decrypt those that are encrypted.
fn kept(request: &Request, directory: &RunClusterDirectory, keys: &Keys) -> Result<Encryption> {
    let mut decryption = keys.decryption.clone();
    for secret in directory.secrets.iter().filter(|secret| secret.encrypted) {
        let recipients = directory.document(secret)?.map(|document| sops::recipients(&document)).unwrap_or_default();
        // Other keys are in a cloud, or where somebody else has put them.
        if recipients.is_empty() {
            continue;
        }
        let flux = keys.secret.identities.as_ref();
        if !uses_secret(keys) || flux.is_some_and(|flux| is_one_of(flux, &recipients)) {
            decryption = decryption.or_else(|| Some(decryption_with(&keys.secret.name)));
            continue;
        }
        return Err(cannot_decrypt(request, keys, &secret.file));
    }
    Ok(Encryption { decryption, ..Encryption::default() })
}

/// Finds the Secret whose values are replaced or encrypted.
fn earlier<'directory>(
    request: &Request,
    package: &PackageDirectory,
    directory: &'directory RunClusterDirectory,
    has_new: bool,
) -> Result<Option<&'directory ExistingSecret>> {
    let replaced = replaced_secret(&request.values, package, directory)?;
    if replaced.is_some() || has_new {
        return Ok(replaced);
    }
    let last = directory.install.as_ref().and_then(|install| install.values_secrets.last());
    Ok(last.and_then(|name| directory.secrets.iter().find(|secret| secret.name == *name)))
}

/// Says for whom to encrypt: as flags do, else `.sops.yaml`, else the file that is there, else a key that is made.
fn rule(
    request: &Request,
    keys: &Keys,
    file: &str,
    document: Option<&Value>,
    flux: Option<&Identities>,
) -> Result<Rule> {
    let of_age = |recipients| Ok(Rule::OfAge(CreationRule::of_secrets(recipients)));
    if !request.encryption.recipients.is_empty() {
        return of_age(request.encryption.recipients.clone());
    }
    if let Some(rules) = &keys.rules {
        return creation_rule(rules, file);
    }
    let recipients = document.map(sops::recipients).unwrap_or_default();
    if !recipients.is_empty() {
        return of_age(recipients.iter().map(|recipient| recipient.parse()).collect::<Result<_>>()?);
    }
    match flux.filter(|_| request.encryption.generates_key) {
        Some(flux) => of_age(flux.recipients()),
        None => Err(Error::usage(format!("nobody is named to encrypt {file} for"))
            .because(format!("the repository has no {RULES_FILE}"))
            .hint("make a key, and a .sops.yaml that names it: --generate-age-key")
            .hint("or name who can decrypt: --age-recipient age1…")),
    }
}

/// Refuses to encrypt what Flux could not decrypt.
fn check_flux_can(request: &Request, keys: &Keys, flux: Option<&Identities>, recipients: &[Recipient]) -> Result<()> {
    let named: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    if !uses_secret(keys) || flux.is_some_and(|flux| is_one_of(flux, &named)) {
        return Ok(());
    }
    Err(cannot_decrypt(request, keys, "the values"))
}

/// Tells whether Flux decrypts with the keys of a Secret: a `spec.decryption` without one means keys of Flux's own.
fn uses_secret(keys: &Keys) -> bool {
    keys.decryption.as_ref().is_none_or(|decryption| decryption.get("secretRef").is_some())
}

fn is_one_of(identities: &Identities, recipients: &[String]) -> bool {
    identities.recipients().iter().any(|own| recipients.contains(&own.to_string()))
}

fn cannot_decrypt(request: &Request, keys: &Keys, what: &str) -> Error {
    let (namespace, name) = (&request.namespace, &keys.secret.name);
    let error = Error::new(format!("Flux could not decrypt {what}"));
    if keys.secret.identities.is_some() {
        return error
            .because(format!("no key of Secret {namespace}/{name} is one of those that it is encrypted for"))
            .hint(format!("add the key to the Secret, under a name that ends in {}", age_keys::SUFFIX))
            .hint(format!("or the public key of the Secret to {RULES_FILE}, and `sops updatekeys` the files"));
    }
    error
        .because(format!("Secret {namespace}/{name} with the private key does not exist"))
        .hint(format!("store the key: kubectl -n {namespace} create secret generic {name} --from-file={KEY_NAME}=FILE"))
}

/// Builds the Secret with a new private key, as Flux expects it.
fn key_secret(request: &Request, name: &str, identities: &Identities) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": request.namespace},
        "type": "Opaque",
        "stringData": {KEY_NAME: identities.to_key_file().expose_secret()},
    })
}

/// Writes rules for all YAML files of the repository.
fn rules_file(recipients: &[Recipient]) -> String {
    let recipients: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    format!(
        "creation_rules:\n- path_regex: \\.ya?ml$\n  encrypted_regex: {}\n  mac_only_encrypted: true\n  age: {}\n",
        sops::SECRET_FIELDS,
        recipients.join(",")
    )
}

#[cfg(test)]
#[path = "encryption_tests.rs"]
mod tests;
