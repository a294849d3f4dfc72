//! The shape of a kubeconfig: what client-go refuses to decode, and what it ignores because it does not know it. Pure.
//!
//! The fields are those of client-go v0.36 `tools/clientcmd/api/v1/types.go`; how they are decoded is in apimachinery's
//! `serializer/json` (lenient, but a value of the wrong type is an error wherever it stands).

use super::base64;
use super::document::label;
use super::finding::Report;
use super::node::Node;

/// A field's name and what may stand in it.
type Fields = &'static [(&'static str, Shape)];

/// What may stand in a field; null may everywhere.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Flag,
    /// Bytes in base64.
    Data,
    List(&'static Shape),
    /// A mapping with keys of the user's choice.
    MapOf(&'static Shape),
    Object(Fields),
    /// A list of objects whose names must differ.
    Named(Fields),
    Anything,
}

const EXTENSIONS: Shape = Shape::Named(&[("name", Shape::Text), ("extension", Shape::Anything)]);

const KUBECONFIG: Fields = &[
    ("kind", Shape::Text),
    ("apiVersion", Shape::Text),
    ("preferences", Shape::Object(&[("colors", Shape::Flag), ("extensions", EXTENSIONS)])),
    ("clusters", Shape::Named(&[("name", Shape::Text), ("cluster", Shape::Object(CLUSTER))])),
    ("users", Shape::Named(&[("name", Shape::Text), ("user", Shape::Object(USER))])),
    ("contexts", Shape::Named(&[("name", Shape::Text), ("context", Shape::Object(CONTEXT))])),
    ("current-context", Shape::Text),
    ("extensions", EXTENSIONS),
];

const CLUSTER: Fields = &[
    ("server", Shape::Text),
    ("tls-server-name", Shape::Text),
    ("insecure-skip-tls-verify", Shape::Flag),
    ("certificate-authority", Shape::Text),
    ("certificate-authority-data", Shape::Data),
    ("proxy-url", Shape::Text),
    ("disable-compression", Shape::Flag),
    ("extensions", EXTENSIONS),
];

const USER: Fields = &[
    ("client-certificate", Shape::Text),
    ("client-certificate-data", Shape::Data),
    ("client-key", Shape::Text),
    ("client-key-data", Shape::Data),
    ("token", Shape::Text),
    ("tokenFile", Shape::Text),
    ("as", Shape::Text),
    ("as-uid", Shape::Text),
    ("as-groups", Shape::List(&Shape::Text)),
    ("as-user-extra", Shape::MapOf(&Shape::List(&Shape::Text))),
    ("username", Shape::Text),
    ("password", Shape::Text),
    ("auth-provider", Shape::Object(&[("name", Shape::Text), ("config", Shape::MapOf(&Shape::Text))])),
    ("exec", Shape::Object(EXEC)),
    ("extensions", EXTENSIONS),
];

const EXEC: Fields = &[
    ("command", Shape::Text),
    ("args", Shape::List(&Shape::Text)),
    ("env", Shape::List(&Shape::Object(&[("name", Shape::Text), ("value", Shape::Text)]))),
    ("apiVersion", Shape::Text),
    ("installHint", Shape::Text),
    ("provideClusterInfo", Shape::Flag),
    ("interactiveMode", Shape::Text),
];

const CONTEXT: Fields =
    &[("cluster", Shape::Text), ("user", Shape::Text), ("namespace", Shape::Text), ("extensions", EXTENSIONS)];

/// Reports what does not fit into a kubeconfig, and says whether it is refused for that.
pub(super) fn check_kubeconfig(root: &Node, report: &mut Report<'_>) -> bool {
    check_object(root, KUBECONFIG, "", report) | check_kind(root, report)
}

/// Reports a `kind` or `apiVersion` that client-go knows no type for; both may be missing.
fn check_kind(root: &Node, report: &mut Report<'_>) -> bool {
    let mut is_refused = false;
    for (field, is_known, expected) in [
        ("kind", matches!(root.text("kind"), "" | "Config"), "Config"),
        ("apiVersion", matches!(root.text("apiVersion"), "" | "/" | "v1" | "/v1"), "v1"),
    ] {
        if !is_known {
            is_refused = true;
            report.refused(
                field,
                "Flux refuses it, because it is no kubeconfig",
                format!("write `{field}: {expected}`"),
            );
        }
    }
    is_refused
}

/// Reports what does not fit the shape, and says whether it is refused for that.
fn check(node: &Node, shape: Shape, field: &str, report: &mut Report<'_>) -> bool {
    let expected = match (shape, node) {
        (_, Node::Null) | (Shape::Anything, _) | (Shape::Text, Node::Text(_)) | (Shape::Flag, Node::Flag(_)) => {
            return false;
        }
        (Shape::Data, Node::Text(text)) => {
            let is_refused = base64::decode(text).is_none();
            if is_refused {
                report.refused(
                    field,
                    "Flux refuses the kubeconfig, because this is not base64",
                    "encode it: base64 -w0 FILE",
                );
            }
            return is_refused;
        }
        (Shape::List(inner), Node::List(elements)) => {
            return elements.iter().fold(false, |is_refused, each| check(each, *inner, field, report) | is_refused);
        }
        (Shape::MapOf(inner), Node::Map(entries)) => {
            return entries.iter().fold(false, |is_refused, (_, each)| check(each, *inner, field, report) | is_refused);
        }
        (Shape::Object(fields), Node::Map(_)) => return check_object(node, fields, field, report),
        (Shape::Named(fields), Node::List(elements)) => return check_named(elements, fields, field, report),
        (Shape::Text | Shape::Data, _) => "text",
        (Shape::Flag, _) => "true or false",
        (Shape::List(_) | Shape::Named(_), _) => "a list",
        (Shape::MapOf(_) | Shape::Object(_), _) => "a mapping",
    };
    let effect = format!("Flux refuses the kubeconfig, because this is {} instead of {expected}", node.kind());
    let hint = match (shape, node) {
        (Shape::Text | Shape::Data, Node::Number | Node::Flag(_)) => "put it in quotes".to_owned(),
        (Shape::Flag, Node::Text(_)) => "write true or false without quotes".to_owned(),
        _ => format!("write {expected}"),
    };
    report.refused(field, effect, hint);
    true
}

fn check_object(node: &Node, fields: Fields, path: &str, report: &mut Report<'_>) -> bool {
    let Node::Map(entries) = node else { return false };
    let mut is_refused = false;
    for (key, value) in entries {
        // The finding names the entry already.
        let field =
            if matches!(path, "" | "cluster" | "user" | "context") { key.clone() } else { format!("{path}.{key}") };
        if let Some((_, shape)) = fields.iter().find(|(name, _)| name == key) {
            is_refused |= check(value, *shape, &field, report);
            continue;
        }
        let similar = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        let hint = similar.map_or_else(|| "remove it".to_owned(), |(name, _)| format!("write `{name}`"));
        report.warning(&field, "Flux ignores it, because kubeconfigs have no such field", hint);
    }
    is_refused
}

fn check_named(elements: &[Node], fields: Fields, path: &str, report: &mut Report<'_>) -> bool {
    let mut is_refused = false;
    let mut names: Vec<&str> = Vec::new();
    for element in elements {
        let name = element.text("name");
        let is_entry = matches!(path, "clusters" | "users" | "contexts");
        let about = if is_entry { label(path, name) } else { report.entry().to_owned() };
        let mut report = report.about(about);
        if names.contains(&name) {
            is_refused = true;
            if is_entry {
                // The message of client-go's `conversion.go` quotes the whole list.
                let effect = "Flux refuses the kubeconfig, because the name is taken by an earlier entry, and shows all \
                              of these entries with their credentials in its error";
                let hint = "rename or remove one of them, and replace the credentials if Flux has seen them";
                report.refused("name", effect, hint);
            } else {
                let effect = "Flux refuses the kubeconfig, because the name is taken by an earlier one";
                report.refused(path, effect, "remove one of them");
            }
        }
        // An extension without content does not count.
        if is_entry || element.get("extension").is_some() {
            names.push(name);
        }
        is_refused |= check(element, Shape::Object(fields), if is_entry { "" } else { path }, &mut report);
    }
    is_refused
}
