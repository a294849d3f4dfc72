//! Who may read a new file: the creation rules in `.sops.yaml` (getsops/sops v3.13.2, `config/config.go`).

use regex_lite::Regex;
use serde_json::Value;

use super::SECRET_FIELDS;
use super::keys::Recipient;
use crate::error::{Error, Result};
use crate::gitops::manifest;

/// The file with the rules, at the root of the repository.
pub const RULES_FILE: &str = ".sops.yaml";

/// Keys that only the user's own `sops` can use.
const OTHER_KEYS: [&str; 7] =
    ["pgp", "kms", "gcp_kms", "azure_keyvault", "hc_vault_transit_uri", "hckms", "key_groups"];

/// Other ways to say what is encrypted; there may be one of all.
const OTHER_SELECTIONS: [&str; 5] = [
    "encrypted_suffix",
    "unencrypted_suffix",
    "unencrypted_regex",
    "encrypted_comment_regex",
    "unencrypted_comment_regex",
];

/// Who encrypts a new file, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The plugin, for keys of age.
    OfAge(CreationRule),
    /// The user's own `sops`.
    OfSops(SopsRule),
}

/// A rule that only the user's own `sops` can follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SopsRule {
    /// Which rule it is.
    place: String,
    /// What of it needs `sops`.
    key: &'static str,
    /// Whether it says which fields are encrypted.
    pub selects_fields: bool,
}

impl SopsRule {
    /// Names the rule, and what of it needs `sops`.
    #[must_use]
    pub fn display(&self) -> String {
        format!("{} has `{}`", self.place, self.key)
    }
}

/// How the plugin encrypts a new file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreationRule {
    /// Who can decrypt it.
    pub recipients: Vec<Recipient>,
    /// Which fields are encrypted, by their names.
    pub encrypted_regex: String,
}

impl CreationRule {
    /// Encrypts for the given recipients what Flux needs encrypted of a Secret.
    #[must_use]
    pub fn of_secrets(recipients: Vec<Recipient>) -> Self {
        Self { recipients, encrypted_regex: SECRET_FIELDS.to_owned() }
    }
}

/// Returns the rule for a file, given by its path relative to the root of the repository: the first that matches counts.
///
/// Fails where none does, and where Flux could not use the result.
pub fn creation_rule(rules: &str, path: &str) -> Result<Rule> {
    let documents = manifest::read_documents(rules, RULES_FILE)?;
    let rules = documents.first().and_then(|document| document.get("creation_rules")?.as_array());
    for (index, rule) in rules.into_iter().flatten().enumerate() {
        let path_regex = rule.get("path_regex").and_then(Value::as_str).unwrap_or_default();
        if path_regex.is_empty() || regex(path_regex)?.is_match(path) {
            return read(rule, &format!("rule {} of {RULES_FILE}", index + 1));
        }
    }
    Err(Error::new(format!("{RULES_FILE} has no rule for {path}")).hint(format!(
        "add one under `creation_rules`, or run `sops encrypt` yourself: `- path_regex: {}`",
        regex_lite::escape(path)
    )))
}

fn read(rule: &Value, place: &str) -> Result<Rule> {
    let is_set = |key: &str| match rule.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    };
    if let Some(&key) = OTHER_KEYS.iter().chain(&OTHER_SELECTIONS).find(|key| is_set(key)) {
        let selects_fields = OTHER_SELECTIONS.iter().chain(&["encrypted_regex"]).any(|key| is_set(key));
        return Ok(Rule::OfSops(SopsRule { place: place.to_owned(), key, selects_fields }));
    }
    let encrypted_regex = rule.get("encrypted_regex").and_then(Value::as_str).filter(|regex| !regex.is_empty());
    let encrypted_regex = encrypted_regex.unwrap_or(SECRET_FIELDS);
    let selects = regex(encrypted_regex)?;
    if let Some(field) =
        ["apiVersion", "kind", "metadata", "name", "namespace"].iter().find(|field| selects.is_match(field))
    {
        return Err(Error::new(format!("{place} encrypts `{field}`, which Flux must be able to read"))
            .hint(format!("use `encrypted_regex: {SECRET_FIELDS}`")));
    }
    if let Some(field) = ["data", "stringData"].iter().find(|field| !selects.is_match(field)) {
        return Err(Error::new(format!("{place} leaves `{field}` of a Secret in plain text"))
            .hint(format!("use `encrypted_regex: {SECRET_FIELDS}`")));
    }
    let given: Vec<&str> = match rule.get("age") {
        Some(Value::String(list)) => list.split(',').collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let recipients = given.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    let recipients: Vec<Recipient> = recipients.map(str::parse).collect::<Result<_>>()?;
    if recipients.is_empty() {
        return Err(Error::new(format!("{place} names nobody who can decrypt")).hint("add `age: age1…` to the rule"));
    }
    Ok(Rule::OfAge(CreationRule { recipients, encrypted_regex: encrypted_regex.to_owned() }))
}

/// Reads a regular expression of SOPS, which are those of Go.
pub(super) fn regex(text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|why| Error::new(format!("{text:?} is not a regular expression")).because(why))
}
