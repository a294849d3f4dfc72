//! The schema of a package's values: `spec.valuesSchema.openAPIv3` of a Package, as ytt v0.51 exports it
//! (`pkg/schema/openapi.go`). Pure.
//!
//! Values are judged by it in [`super::values`]. What ytt checks and never exports is unknown here: custom rules, `when=`,
//! `not_null`, rules for the items of a list, and lengths of values that may be null or anything.

use serde_json::{Map, Value};

/// Keywords that say nothing about which values are valid.
const SILENT: &[&str] = &[
    "$comment",
    "$id",
    "$schema",
    "default",
    "deprecated",
    "description",
    "example",
    "examples",
    "externalDocs",
    "nullable",
    "readOnly",
    "title",
    "type",
    "writeOnly",
    "xml",
];

/// What values a package takes.
#[derive(Clone, Debug, PartialEq)]
pub struct ValuesSchema {
    /// All values, a mapping in all that ytt exports but the oddest.
    pub root: Schema,
    /// The rules that ytt never exports, each as `path: keyword`: what they mean is left to whoever wrote them.
    pub undecided: Vec<String>,
}

/// What one value may be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Its type.
    pub kind: Kind,
    /// Whether it may be null.
    pub is_nullable: bool,
    /// What it is where nobody sets it; `None` where the schema does not say.
    pub default: Option<Value>,
    /// A few words for it.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it should not be set any more.
    pub is_deprecated: bool,
    /// A value that it could have.
    pub example: Option<Value>,
    /// What else holds for it.
    pub limits: Limits,
}

/// The type of a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Kind {
    /// Any.
    #[default]
    Any,
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list of such items.
    List(Box<Schema>),
    /// A mapping with these keys, in their order.
    Mapping {
        /// What each key stands for.
        properties: Vec<(String, Schema)>,
        /// Whether there may be no others.
        is_closed: bool,
    },
}

/// What holds for a value beside its type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// The only values.
    pub allowed: Option<Vec<Value>>,
    /// The lowest value: a number, or a text.
    pub minimum: Option<Value>,
    /// The highest value.
    pub maximum: Option<Value>,
    /// The least length: bytes of a text, as ytt counts them, items of a list, keys of a mapping.
    pub shortest: Option<u64>,
    /// The greatest length.
    pub longest: Option<u64>,
}

impl ValuesSchema {
    /// Reads a schema; `None` where it is none, or so different that nothing can be said about values.
    #[must_use]
    pub fn read(openapi: &Value) -> Option<Self> {
        let mut undecided = Vec::new();
        let root = Schema::read(openapi, "", &mut undecided)?;
        Some(Self { root, undecided })
    }

    /// Lists everything that can be set below the root, by path, in the order of the schema.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, &Schema)> {
        let mut entries = Vec::new();
        collect(&self.root, "", &mut entries);
        entries
    }
}

fn collect<'schema>(schema: &'schema Schema, path: &str, entries: &mut Vec<(String, &'schema Schema)>) {
    match &schema.kind {
        Kind::Mapping { properties, .. } => {
            for (key, property) in properties {
                let path = child(path, key);
                entries.push((path.clone(), property));
                collect(property, &path, entries);
            }
        }
        // Of single values in a list, the list's own line says enough.
        Kind::List(items) if matches!(items.kind, Kind::Mapping { .. } | Kind::List(_)) => {
            collect(items, &format!("{path}[]"), entries);
        }
        _ => {}
    }
}

/// Returns the path of a key below another one.
#[must_use]
pub fn child(path: &str, key: &str) -> String {
    let key = if key.contains(['.', '[', ']', '=']) { key.replace('.', "\\.") } else { key.to_owned() };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

impl Schema {
    fn read(value: &Value, path: &str, undecided: &mut Vec<String>) -> Option<Self> {
        let fields = value.as_object()?;
        let text = |key: &str| fields.get(key).and_then(Value::as_str).map(|text| text.trim().to_owned());
        let flag = |key: &str| fields.get(key).and_then(Value::as_bool).unwrap_or_default();
        let mut known = SILENT.to_vec();
        let kind = read_kind(fields, path, undecided, &mut known)?;
        let limits = Limits::read(fields, &kind, &mut known);
        let unknown = fields.keys().filter(|key| !known.contains(&key.as_str()) && !key.starts_with("x-"));
        let place = if path.is_empty() { "all values" } else { path };
        undecided.extend(unknown.map(|keyword| format!("{place}: {keyword}")));
        Some(Self {
            is_nullable: flag("nullable") || matches!(kind, Kind::Any),
            default: fields.get("default").cloned(),
            title: text("title"),
            description: text("description"),
            is_deprecated: flag("deprecated"),
            example: fields.get("example").cloned(),
            limits,
            kind,
        })
    }

    /// Returns what the value is where nobody sets it: of a mapping, what its keys are then.
    #[must_use]
    pub fn default_value(&self) -> Option<Value> {
        match (&self.default, &self.kind) {
            (Some(default), _) => Some(default.clone()),
            (None, _) if self.is_nullable => Some(Value::Null),
            (None, Kind::Mapping { properties, .. }) => {
                let known = |(key, property): &(String, Self)| Some((key.clone(), property.default_value()?));
                Some(Value::Object(properties.iter().filter_map(known).collect()))
            }
            (None, Kind::List(_)) => Some(Value::Array(Vec::new())),
            (None, _) => None,
        }
    }
}

/// Reads the type with what belongs to it; a type that is not known here may be anything.
fn read_kind(
    fields: &Map<String, Value>,
    path: &str,
    undecided: &mut Vec<String>,
    known: &mut Vec<&'static str>,
) -> Option<Kind> {
    let open = |undecided: &mut Vec<String>| {
        undecided.push(format!("{}: type", if path.is_empty() { "all values" } else { path }));
        Some(Kind::Any)
    };
    match fields.get("type") {
        // ytt exports no type for anything, kctrl this one for what a Helm chart leaves open.
        None if !fields.contains_key("properties") => Some(Kind::Any),
        Some(Value::String(name)) => match name.as_str() {
            "null" => Some(Kind::Any),
            "string" => Some(Kind::Text),
            "integer" => Some(Kind::Integer),
            "number" => {
                if fields.get("format").is_none_or(|format| format == "float") {
                    known.push("format");
                }
                Some(Kind::Number)
            }
            "boolean" => Some(Kind::Boolean),
            "array" => {
                known.push("items");
                let items = match fields.get("items") {
                    Some(items) => Schema::read(items, &format!("{path}[]"), undecided)?,
                    None => Schema { is_nullable: true, ..Schema::default() },
                };
                Some(Kind::List(Box::new(items)))
            }
            "object" => {
                known.push("properties");
                let properties = match fields.get("properties") {
                    None | Some(Value::Null) => Vec::new(),
                    Some(properties) => {
                        let read = |(key, property): (&String, &Value)| {
                            Some((key.clone(), Schema::read(property, &child(path, key), undecided)?))
                        };
                        properties.as_object()?.iter().map(read).collect::<Option<_>>()?
                    }
                };
                let is_closed = fields.get("additionalProperties") == Some(&Value::Bool(false));
                if is_closed {
                    known.push("additionalProperties");
                }
                Some(Kind::Mapping { properties, is_closed })
            }
            _ => open(undecided),
        },
        _ => open(undecided),
    }
}

impl Limits {
    /// Reads the limits that make sense for a type; the keywords of the others stay unknown.
    fn read(fields: &Map<String, Value>, kind: &Kind, known: &mut Vec<&'static str>) -> Self {
        let (shortest, longest) = match kind {
            Kind::Text => ("minLength", "maxLength"),
            Kind::List(_) => ("minItems", "maxItems"),
            Kind::Mapping { .. } => ("minProperties", "maxProperties"),
            _ => ("", ""),
        };
        let mut take = |keyword: &'static str| {
            known.push(keyword);
            fields.get(keyword)
        };
        let (shortest, longest) = (take(shortest).and_then(Value::as_u64), take(longest).and_then(Value::as_u64));
        Self {
            allowed: take("enum").and_then(Value::as_array).cloned(),
            minimum: take("minimum").cloned(),
            maximum: take("maximum").cloned(),
            shortest,
            longest,
        }
    }
}
