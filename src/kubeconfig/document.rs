//! A kubeconfig as client-go decodes it, and its entries by name. Pure.
//!
//! The fields are those of client-go v0.36 `tools/clientcmd/api/v1/types.go`; how they are decoded is in apimachinery's
//! `serializer/json`: an unknown field is ignored, but a value of the wrong type is an error wherever it stands, and null
//! is the same as a missing field. No type here has a `Debug`, because each may hold a credential.

use std::collections::{BTreeMap, HashSet};

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::encoding;
use super::finding::Report;
use super::yaml;

/// The fields that name files.
pub(super) const FILE_FIELDS: [&str; 4] = ["certificate-authority", "tokenFile", "client-certificate", "client-key"];

/// A kubeconfig of the right shape.
#[derive(Default)]
pub(super) struct Document {
    pub(super) current_context: String,
    pub(super) clusters: Vec<Entry<Cluster>>,
    pub(super) users: Vec<Entry<User>>,
    pub(super) contexts: Vec<Entry<Context>>,
}

/// One cluster, user or context of a kubeconfig.
#[derive(Clone)]
pub(super) struct Entry<Fields> {
    pub(super) name: String,
    pub(super) fields: Fields,
}

/// The fields of a cluster entry.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Cluster {
    pub(super) server: String,
    pub(super) tls_server_name: String,
    pub(super) insecure_skip_tls_verify: bool,
    pub(super) certificate_authority: String,
    pub(super) certificate_authority_data: Data,
    pub(super) proxy_url: String,
    pub(super) disable_compression: bool,
    extensions: Vec<Object<Extension>>,
}

/// The fields of a user entry.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct User {
    pub(super) client_certificate: String,
    pub(super) client_certificate_data: Data,
    pub(super) client_key: String,
    pub(super) client_key_data: Data,
    pub(super) token: String,
    #[serde(rename = "tokenFile")]
    pub(super) token_file: String,
    #[serde(rename = "as")]
    pub(super) impersonated: String,
    pub(super) as_uid: String,
    pub(super) as_groups: Vec<String>,
    pub(super) as_user_extra: BTreeMap<String, Vec<String>>,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) auth_provider: Option<Object<AuthProvider>>,
    pub(super) exec: Option<Object<Exec>>,
    extensions: Vec<Object<Extension>>,
}

/// The fields of a context entry.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Context {
    pub(super) cluster: String,
    pub(super) user: String,
    namespace: String,
    extensions: Vec<Object<Extension>>,
}

/// A program that gets a credential.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Exec {
    pub(super) command: String,
    args: Vec<String>,
    pub(super) env: Vec<Object<Variable>>,
    pub(super) api_version: String,
    install_hint: String,
    provide_cluster_info: bool,
    pub(super) interactive_mode: String,
}

/// A variable of an exec plugin's environment.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Variable {
    pub(super) name: String,
    value: String,
}

/// What kubectl once had built in for some clouds.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AuthProvider {
    name: String,
    config: BTreeMap<String, String>,
}

/// What another program keeps in a kubeconfig.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Extension {
    name: String,
    extension: Value,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Root {
    kind: String,
    #[serde(rename = "apiVersion")]
    api_version: String,
    preferences: Object<Preferences>,
    clusters: Vec<Value>,
    users: Vec<Value>,
    contexts: Vec<Value>,
    current_context: String,
    extensions: Vec<Object<Extension>>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Preferences {
    colors: bool,
    extensions: Vec<Object<Extension>>,
}

/// Bytes that a kubeconfig holds in base64.
#[derive(Clone, Default, Serialize)]
pub(super) struct Data(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Go takes a list of bytes as well.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Bytes(Vec<u8>),
        }
        match Written::deserialize(deserializer)? {
            Written::Text(text) => encoding::decode(&text).map(Self).ok_or_else(|| D::Error::custom("expected base64")),
            Written::Bytes(bytes) => Ok(Self(bytes)),
        }
    }
}

/// A mapping with known fields; Go takes no list for one, as serde does.
#[derive(Clone, Default, Serialize)]
pub(super) struct Object<Fields>(pub(super) Fields);

impl<'de, Fields: DeserializeOwned> Deserialize<'de> for Object<Fields> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        serde_json::from_value(Value::Object(fields)).map(Self).map_err(D::Error::custom)
    }
}

impl Document {
    /// Reads a kubeconfig, or reports why client-go cannot.
    pub(super) fn read(text: &str, report: &mut Report<'_>) -> Option<Self> {
        let next_step = "check it: kubectl config view --kubeconfig FILE";
        let read = match yaml::read(text) {
            Ok(read) => read,
            Err(reason) => {
                report.refused("", format!("Flux refuses it, because it is not YAML: {reason}"), next_step);
                return None;
            }
        };
        for doubt in &read.doubts {
            report.undecided(&doubt.field, doubt.why, "write it as kubectl does: kubectl config view --raw");
        }
        for field in &read.repeated {
            report.warning(field, "Flux uses the last of the values of this key", "remove the others");
        }
        if read.has_more_documents {
            report.warning("", "Flux reads only the first of the YAML documents", "store a single document");
        }
        if !matches!(read.value, Value::Object(_) | Value::Null) {
            let effect = format!("Flux refuses it, because it is {} and no kubeconfig", kind(&read.value));
            report.refused("", effect, next_step);
            return None;
        }
        let root: Root = decode(read.value, "", report);
        check_kind(&root, report);
        let document = Self {
            current_context: root.current_context,
            clusters: entries(root.clusters, "cluster", report),
            users: entries(root.users, "user", report),
            contexts: entries(root.contexts, "context", report),
        };
        (!report.is_refused()).then_some(document)
    }

    /// Returns the entry of the current context.
    pub(super) fn context(&self) -> Option<&Entry<Context>> {
        find(&self.contexts, &self.current_context)
    }

    /// Returns the cluster entry that the current context leads to; without a context, the one without a name.
    pub(super) fn cluster(&self) -> Option<&Entry<Cluster>> {
        find(&self.clusters, self.context().map_or("", |context| &context.fields.cluster))
    }

    /// Returns the user entry that the current context leads to; without a context, the one without a name.
    pub(super) fn user(&self) -> Option<&Entry<User>> {
        find(&self.users, self.context().map_or("", |context| &context.fields.user))
    }
}

fn find<'all, Fields>(entries: &'all [Entry<Fields>], name: &str) -> Option<&'all Entry<Fields>> {
    entries.iter().find(|entry| entry.name == name)
}

/// Names an entry in findings.
pub(super) fn label(kind: &str, name: &str) -> String {
    format!("{kind} `{name}`")
}

/// Reports a `kind` or `apiVersion` that client-go knows no type for; both may be missing.
fn check_kind(root: &Root, report: &mut Report<'_>) {
    for (field, is_known, expected) in [
        ("kind", matches!(root.kind.as_str(), "" | "Config"), "Config"),
        ("apiVersion", matches!(root.api_version.as_str(), "" | "/" | "v1" | "/v1"), "v1"),
    ] {
        if !is_known {
            let hint = format!("write `{field}: {expected}`");
            report.refused(field, "Flux refuses it, because it is not a kubeconfig", hint);
        }
    }
}

/// Decodes the entries of a list, and reports names that occur twice.
fn entries<Fields: DeserializeOwned + Default + Serialize>(
    list: Vec<Value>,
    kind: &str,
    report: &mut Report<'_>,
) -> Vec<Entry<Fields>> {
    let mut names = HashSet::new();
    let mut decoded = Vec::new();
    // What Flux makes of null is among the doubts already.
    for mut entry in list.into_iter().filter(|entry| !entry.is_null()) {
        let name = entry["name"].as_str().unwrap_or_default().to_owned();
        let mut report = report.about(label(kind, &name));
        if !names.insert(name.clone()) {
            // The message of client-go's `conversion.go` quotes the whole list.
            let effect = "Flux refuses the kubeconfig, because the name is taken by an earlier entry, and shows all of \
                          these entries with their credentials in its error";
            let hint = "rename or remove one of them, and replace the credentials if Flux has seen them";
            report.refused("name", effect, hint);
        }
        let fields = entry.get_mut(kind).map(Value::take).unwrap_or_default();
        check_entry(&entry, kind, &mut report);
        decoded.push(Entry { name, fields: decode(fields, kind, &mut report) });
    }
    decoded
}

/// Checks what an entry has beside its fields.
fn check_entry(entry: &Value, kind: &str, report: &mut Report<'_>) {
    let Value::Object(entry) = entry else {
        return report.refused("", "Flux refuses the kubeconfig, because this is not a mapping", "write a mapping");
    };
    for (key, value) in entry.iter().filter(|(key, _)| *key != kind) {
        match (key.as_str(), value) {
            ("name", Value::String(_) | Value::Null) => {}
            ("name", _) => {
                report.refused("name", "Flux refuses the kubeconfig, because this is not text", "put it in quotes");
            }
            _ => report.warning(key, "Flux ignores it, because kubeconfigs have no such field", "remove it"),
        }
    }
}

/// Decodes a mapping, and reports each field that does not fit or that nobody knows. `path` is that of the mapping.
fn decode<Fields: DeserializeOwned + Default + Serialize>(value: Value, path: &str, report: &mut Report<'_>) -> Fields {
    let fields = match without_nulls(value) {
        Value::Object(fields) => fields,
        Value::Null => return Fields::default(),
        _ => {
            report.refused(path, "Flux refuses the kubeconfig, because this is not a mapping", "write a mapping");
            return Fields::default();
        }
    };
    let known = serde_json::to_value(Fields::default()).unwrap_or_default();
    for (key, value) in &fields {
        if known.get(key).is_none() {
            let similar = known.as_object().and_then(|known| known.keys().find(|name| name.eq_ignore_ascii_case(key)));
            let hint = similar.map_or_else(|| "remove it".to_owned(), |name| format!("write `{name}`"));
            report.warning(key, "Flux ignores it, because kubeconfigs have no such field", hint);
        } else if let Err(error) = serde_json::from_value::<Fields>(json!({key.as_str(): value})) {
            let (expected, hint) = expectation(&error, value);
            report.refused(key, format!("Flux refuses the kubeconfig, because this is not {expected}"), hint);
        } else if key == "extensions" && has_a_name_twice(value) {
            let effect = "Flux refuses the kubeconfig, because two of them have the same name";
            report.refused(key, effect, "remove one of them");
        }
    }
    serde_json::from_value(Value::Object(fields)).unwrap_or_default()
}

/// Says what belongs into a field, and how to get there.
fn expectation(error: &serde_json::Error, value: &Value) -> (&'static str, &'static str) {
    // The message quotes the value, which may be a credential, and says last what was expected.
    let message = error.to_string();
    let all = [
        ("base64", "base64", "encode it: base64 -w0 FILE"),
        ("a boolean", "true or false", "write true or false without quotes"),
        ("a sequence", "a list", "write a list"),
        ("a map", "a mapping", "write a mapping"),
    ];
    let expected = all.into_iter().find(|(end, ..)| message.ends_with(&format!("expected {end}")));
    let is_bare = matches!(value, Value::Number(_) | Value::Bool(_));
    let text = ("text", if is_bare { "put it in quotes" } else { "write text" });
    expected.map_or(text, |(_, expected, hint)| (expected, hint))
}

/// Tells whether two extensions have one name; one without content does not count.
fn has_a_name_twice(extensions: &Value) -> bool {
    let mut names = HashSet::new();
    let mut filled = extensions.as_array().into_iter().flatten().filter(|each| each.get("extension").is_some());
    filled.any(|each| !names.insert(each["name"].as_str().unwrap_or_default()))
}

/// Leaves out what is null: the same as what is missing.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let filled = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(filled.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::Array(elements) => {
            Value::Array(elements.into_iter().filter(|each| !each.is_null()).map(without_nulls).collect())
        }
        other => other,
    }
}

/// Says what a value is, for messages.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
