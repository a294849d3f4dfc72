//! Files that SOPS has encrypted for age: written as `sops` writes them, and read with the check that `sops` makes.
//!
//! The format is that of getsops/sops v3.13.2 (`sops.go`, `aes/cipher.go`, `stores/stores.go`). Pure but for the random keys.
//! What each value looks like lives in [`cipher`], the keys in [`keys`], and who may read a new file in [`rules`].

mod cipher;
mod keys;
mod rules;

use jiff::Timestamp;
use regex_lite::Regex;
use secrecy::SecretSlice;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};

use self::cipher::{DataKey, is_encrypted};
pub use self::keys::{Identities, Recipient};
pub use self::rules::{CreationRule, RULES_FILE, Rule, SopsRule, creation_rule};
use super::manifest;
use crate::error::{Error, Result};

/// What Flux needs encrypted of a Secret, and no more: it reads kind and metadata as they are.
pub const SECRET_FIELDS: &str = "^(data|stringData)$";

/// The first version of SOPS that reads `mac_only_encrypted`; without that, a changed label would make the file invalid.
const VERSION: &str = "3.9.0";

/// What the digest begins with where it is of the encrypted values only (`MACOnlyEncryptedInitialization` in `sops.go`).
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// Where a file of SOPS names those keys that are not of age.
const OTHER_KEYS: [&str; 7] = ["pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms", "key_groups"];

/// Encrypts a Secret for everyone that a rule names, and returns the only document of its file.
///
/// Each time another text comes of it: what has not changed is better left alone. Fails where nobody is named, or where a value
/// to be encrypted is no text.
pub fn encrypt(secret: &Value, rule: &CreationRule, now: Timestamp) -> Result<Value> {
    let data_key = DataKey::generate();
    let last_modified = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut digest = Sha512::new_with_prefix(ONLY_ENCRYPTED);
    // The code is over the values in the order of the file.
    let mut document = manifest::in_reading_order(secret);
    let selection = Selection::new(Some(rule.encrypted_regex.as_str()))?;
    walk(&mut document, &mut Vec::new(), &mut |value, path| {
        if !selection.includes(path) {
            return Ok(());
        }
        let Value::String(text) = &*value else {
            return Err(Error::new(format!("{} of a Secret is no text", path.join("."))));
        };
        digest.update(text.as_bytes());
        *value = Value::from(data_key.encrypt(text.as_bytes(), "str", &additional_data(path)));
        Ok(())
    })?;
    let age = rule.recipients.iter().map(|recipient| {
        Ok(json!({ "recipient": recipient.to_string(), "enc": recipient.encrypt(data_key.bytes())? }))
    });
    let age: Vec<Value> = age.collect::<Result<_>>()?;
    if age.is_empty() {
        return Err(Error::new("no age recipient is given, so that nobody could decrypt the values"));
    }
    let mac = data_key.encrypt(hexadecimal(&digest.finalize()).as_bytes(), "str", &last_modified);
    if let Some(entries) = document.as_object_mut() {
        let metadata = json!({
            "age": age,
            "lastmodified": last_modified,
            "mac": mac,
            "encrypted_regex": rule.encrypted_regex.as_str(),
            "mac_only_encrypted": true,
            "version": VERSION,
        });
        entries.insert("sops".to_owned(), metadata);
    }
    Ok(document)
}

/// Decrypts a document, and returns it without what SOPS has added; fails where it is not as it was encrypted.
///
/// The document is never repeated in an error.
pub fn decrypt(document: &Value, identities: &Identities) -> Result<Value> {
    let metadata = Metadata::read(document)?;
    let data_key = metadata.data_key(identities)?;
    let mut digest = if metadata.is_mac_of_encrypted { Sha512::new_with_prefix(ONLY_ENCRYPTED) } else { Sha512::new() };
    let mut plain = document.clone();
    if let Some(entries) = plain.as_object_mut() {
        entries.shift_remove("sops");
    }
    walk(&mut plain, &mut Vec::new(), &mut |value, path| {
        let is_selected = metadata.selection.includes(path);
        if is_selected {
            let failed = |why: String| Error::new(format!("{} cannot be decrypted", path.join("."))).because(why);
            let Value::String(text) = &*value else {
                return Err(failed("it is not encrypted, while the rest of the file is".to_owned()));
            };
            if !text.is_empty() && !is_encrypted(text) {
                return Err(failed("it is not encrypted, while the rest of the file is".to_owned()));
            }
            *value = data_key.decrypt(text, &additional_data(path)).map_err(failed)?;
        }
        if is_selected || !metadata.is_mac_of_encrypted {
            digest.update(as_sops_digests(value));
        }
        Ok(())
    })?;
    let mac = data_key.decrypt(&metadata.mac, &metadata.last_modified);
    if mac.ok().as_ref().and_then(Value::as_str) == Some(hexadecimal(&digest.finalize()).as_str()) {
        Ok(plain)
    } else {
        Err(Error::new("the message authentication code of SOPS does not match: the file was changed without `sops`")
            .hint("look at who changed the file with `git log`; `sops edit FILE` makes changes that are valid"))
    }
}

/// Checks what the user's own `sops` has made of a Secret: all of its content is encrypted, and the rest stands as it was, since
/// Flux reads it before it decrypts. Neither document is repeated in an error.
pub fn check_encrypted(document: &Value, plain: &Value) -> Result<()> {
    if document.get("sops").is_none_or(|metadata| !metadata.is_object()) {
        return Err(Error::new("the result has no metadata of SOPS"));
    }
    let empty = Map::new();
    let (encrypted, plain) = (document.as_object().unwrap_or(&empty), plain.as_object().unwrap_or(&empty));
    let names = encrypted.keys().chain(plain.keys()).filter(|name| *name != "sops");
    for name in names {
        let (was, mut is) = (plain.get(name), encrypted.get(name).cloned().unwrap_or_default());
        if ["data", "stringData"].contains(&name.as_str()) {
            let has_same_keys = was.and_then(Value::as_object).map(|was| was.keys().collect::<Vec<_>>())
                == is.as_object().map(|is| is.keys().collect());
            walk(&mut is, &mut vec![name.clone()], &mut |value, path| match value.as_str() {
                Some(text) if text.is_empty() || is_encrypted(text) => Ok(()),
                _ => Err(Error::new(format!("{} is left in plain text", path.join(".")))),
            })?;
            if !has_same_keys {
                return Err(Error::new(format!("{name} does not have the same keys any more")));
            }
        } else if was != Some(&is) {
            return Err(Error::new(format!("{name} is encrypted, which Flux must be able to read")));
        }
    }
    Ok(())
}

/// Tells whether SOPS has encrypted a document for keys beside those of age.
#[must_use]
pub fn has_other_keys(document: &Value) -> bool {
    let is_used = |name: &&str| {
        let keys = document.get("sops").and_then(|metadata| metadata.get(*name)?.as_array());
        keys.is_some_and(|keys| !keys.is_empty())
    };
    OTHER_KEYS.iter().any(is_used)
}

/// Returns whom age has encrypted a document for; none where SOPS has used other keys alone.
#[must_use]
pub fn recipients(document: &Value) -> Vec<String> {
    let keys = document.pointer("/sops/age").and_then(Value::as_array).into_iter().flatten();
    keys.filter_map(|key| Some(key.get("recipient")?.as_str()?.to_owned())).collect()
}

/// What SOPS has written down of a file.
struct Metadata {
    keys: Vec<(String, String)>,
    others: Vec<String>,
    last_modified: String,
    mac: String,
    is_mac_of_encrypted: bool,
    selection: Selection,
}

impl Metadata {
    fn read(document: &Value) -> Result<Self> {
        let sops =
            document.get("sops").and_then(Value::as_object).ok_or_else(|| Error::new("SOPS has not encrypted this"))?;
        let text = |key: &str| sops.get(key).and_then(Value::as_str).map(str::to_owned);
        let missing = |key: &str| Error::new(format!("the metadata of SOPS has no `{key}`"));
        let unsupported =
            ["encrypted_suffix", "unencrypted_regex", "encrypted_comment_regex", "unencrypted_comment_regex"];
        if let Some(key) = unsupported.iter().find(|key| text(key).is_some_and(|value| !value.is_empty())) {
            return Err(Error::new(format!("a file with `{key}` can only be read with your own `sops`")));
        }
        let keys = sops.get("age").and_then(Value::as_array).into_iter().flatten().filter_map(|key| {
            let field = |name: &str| Some(key.get(name)?.as_str()?.to_owned());
            Some((field("recipient")?, field("enc")?))
        });
        let is_used = |name: &&str| sops.get(*name).and_then(Value::as_array).is_some_and(|keys| !keys.is_empty());
        Ok(Self {
            keys: keys.collect(),
            others: OTHER_KEYS.iter().copied().filter(is_used).map(str::to_owned).collect(),
            last_modified: text("lastmodified").ok_or_else(|| missing("lastmodified"))?,
            mac: text("mac").ok_or_else(|| missing("mac"))?,
            is_mac_of_encrypted: sops.get("mac_only_encrypted").and_then(Value::as_bool).unwrap_or_default(),
            selection: Selection::new(text("encrypted_regex").filter(|regex| !regex.is_empty()).as_deref())?,
        })
    }

    fn data_key(&self, identities: &Identities) -> Result<DataKey> {
        let recipients: Vec<&str> = self.keys.iter().map(|(recipient, _)| recipient.as_str()).collect();
        let failed = |why: String| Error::new("the file cannot be decrypted with the age keys at hand").because(why);
        for (_, encrypted) in &self.keys {
            if let Some(key) = identities.decrypt(encrypted) {
                return DataKey::new(key).map_err(failed);
            }
        }
        let known = [recipients.join(", "), self.others.join(", ")].into_iter().filter(|names| !names.is_empty());
        Err(failed(format!("it is encrypted for {}", known.collect::<Vec<_>>().join(" and for "))))
    }
}

/// Which values of a file are encrypted.
struct Selection(Option<Regex>);

impl Selection {
    /// Makes the selection of `encrypted_regex`; without it, all is encrypted but keys that end in `_unencrypted`.
    fn new(encrypted_regex: Option<&str>) -> Result<Self> {
        Ok(Self(encrypted_regex.map(rules::regex).transpose()?))
    }

    fn includes(&self, path: &[String]) -> bool {
        match &self.0 {
            Some(regex) => path.iter().any(|key| regex.is_match(key)),
            None => !path.iter().any(|key| key.ends_with("_unencrypted")),
        }
    }
}

/// Calls a function with every scalar but null, in the order of the document; items of a list have its path.
fn walk(
    value: &mut Value,
    path: &mut Vec<String>,
    visit: &mut impl FnMut(&mut Value, &[String]) -> Result<()>,
) -> Result<()> {
    match value {
        Value::Null => Ok(()),
        Value::Object(entries) => walk_entries(entries, path, visit),
        Value::Array(items) => items.iter_mut().try_for_each(|item| walk(item, path, visit)),
        _ => visit(value, path),
    }
}

fn walk_entries(
    entries: &mut Map<String, Value>,
    path: &mut Vec<String>,
    visit: &mut impl FnMut(&mut Value, &[String]) -> Result<()>,
) -> Result<()> {
    for (key, value) in entries {
        path.push(key.clone());
        let result = walk(value, path, visit);
        path.pop();
        result?;
    }
    Ok(())
}

/// What binds a value to its place (`sops.go`, `Tree.Encrypt`).
fn additional_data(path: &[String]) -> String {
    path.join(":") + ":"
}

/// The bytes of a value that the digest is of (`ToBytes` in `sops.go`).
fn as_sops_digests(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Bool(true) => b"True".to_vec(),
        Value::Bool(false) => b"False".to_vec(),
        other => other.to_string().into_bytes(),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat()
}

/// Bytes that nobody may see.
type SecretBytes = SecretSlice<u8>;

#[cfg(test)]
mod tests;
