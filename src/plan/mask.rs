//! What is shown of secrets: that they are there, and whether they change. Neither their length shows, nor whether two are
//! equal that are not one before and after a change. Pure.

use serde_json::{Map, Value};

use crate::gitops::manifest::{read_documents, write_documents};
use crate::gitops::url::without_credentials;

/// What stands for a secret that stays as it is.
pub(super) const MASK: &str = "***";

/// What stands for a secret that changes, comes or goes; as in kubectl's diff.
const MASK_BEFORE: &str = "*** (before)";
const MASK_AFTER: &str = "*** (after)";

/// The annotation in which `kubectl apply` keeps the whole manifest, the data of a Secret included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Where a document is: people keep values in the ConfigMaps of a repository; those on clusters that a plan is about are the
/// plugin's own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Cluster,
    Repository,
}

/// Masks the secrets of one document before and after a change.
pub(super) fn documents(before: Option<&Value>, after: Option<&Value>, origin: Origin) -> [Option<Value>; 2] {
    let (mut before, mut after) = (before.cloned(), after.cloned());
    // What is no object is a file of values, or of settings that nobody knows.
    let is_secret = [&before, &after].into_iter().flatten().any(|document| document.get("kind").is_none());
    mask(before.as_mut(), after.as_mut(), origin, is_secret);
    [before, after]
}

/// Masks the secrets of a file before and after a change.
///
/// What holds none stays as it is written, comments included. Of other files the documents are rewritten, since comments
/// may hold secrets, too; what is no YAML is masked as a whole.
pub(super) fn files(before: Option<&str>, after: Option<&str>) -> [Option<String>; 2] {
    let parse = |text: Option<&str>| text.map(|text| read_documents(text, "the file")).transpose();
    let (Ok(old), Ok(new)) = (parse(before), parse(after)) else { return whole(before, after) };
    let all = old.iter().flatten().chain(new.iter().flatten());
    if !all.into_iter().any(holds_secrets) {
        return [before, after].map(|text| text.map(without_credentials_of_urls));
    }
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let (mut masked_old, mut masked_new) = (Vec::new(), Vec::new());
    for document in &new {
        let earlier = old.iter().find(|earlier| name(earlier) == name(document));
        masked_new.extend(documents(earlier, Some(document), Origin::Repository)[1].take());
    }
    for document in &old {
        let later = new.iter().find(|later| name(later) == name(document));
        masked_old.extend(documents(Some(document), later, Origin::Repository)[0].take());
    }
    let (Ok(mut old), Ok(mut new)) = (write_documents(&masked_old), write_documents(&masked_new)) else {
        return whole(before, after);
    };
    if before != after && old == new {
        old.push_str("# comments and layout before\n");
        new.push_str("# comments and layout after\n");
    }
    [before.map(|_| old), after.map(|_| new)]
}

/// Redacts a file of the repository for those who may not see its secrets; `None` where it has none.
pub(super) fn redacted(text: &str) -> Option<String> {
    let Ok(documents) = read_documents(text, "the file") else { return Some(format!("# {MASK}: this is no YAML\n")) };
    if !documents.iter().any(holds_secrets) {
        return None;
    }
    let redact = |document: &Value| {
        let mut document = self::documents(Some(document), Some(document), Origin::Repository)[1].take()?;
        if document["kind"] == "Secret"
            && let Some(data) = document.get_mut("data").and_then(Value::as_object_mut)
        {
            // Anything else than base64 would be refused.
            data.values_mut().for_each(|value| *value = crate::kubeconfig::base64(MASK.as_bytes()).into());
        }
        Some(document)
    };
    let redacted: Vec<Value> = documents.iter().filter_map(redact).collect();
    Some(write_documents(&redacted).unwrap_or_else(|_| format!("# {MASK}\n")))
}

fn holds_secrets(document: &Value) -> bool {
    documents(Some(document), None, Origin::Repository)[0].as_ref() != Some(document)
}

fn whole(before: Option<&str>, after: Option<&str>) -> [Option<String>; 2] {
    let line = |mask: &str| format!("{}\n", if before == after { MASK } else { mask });
    [before.map(|_| line(MASK_BEFORE)), after.map(|_| line(MASK_AFTER))]
}

/// Names a document, so that no two Secrets are compared with each other.
fn name(document: &Value) -> [Option<&str>; 3] {
    ["/kind", "/metadata/namespace", "/metadata/name"].map(|path| document.pointer(path).and_then(Value::as_str))
}

fn without_credentials_of_urls(text: &str) -> String {
    let clean = |line: &str| if has_credentials(line) { without_credentials(line) } else { line.to_owned() };
    text.split_inclusive('\n').map(clean).collect()
}

fn has_credentials(text: &str) -> bool {
    text.find("://").is_some_and(|at| text[at..].contains('@'))
}

/// Masks two versions of a value, either of which may be missing.
fn mask(before: Option<&mut Value>, after: Option<&mut Value>, origin: Origin, is_secret: bool) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            mask_fields(Some(before), Some(after), origin, is_secret);
        }
        (Some(Value::Object(before)), None) => mask_fields(Some(before), None, origin, is_secret),
        (None, Some(Value::Object(after))) => mask_fields(None, Some(after), origin, is_secret),
        // The number of items would show something of a secret.
        (Some(Value::Array(before)), Some(Value::Array(after))) if !is_secret => {
            let shared = before.len().min(after.len());
            let (before, before_only) = before.split_at_mut(shared);
            let (after, after_only) = after.split_at_mut(shared);
            for (before, after) in before.iter_mut().zip(after) {
                mask(Some(before), Some(after), origin, false);
            }
            mask_items(before_only, after_only, origin);
        }
        (Some(Value::Array(before)), None) if !is_secret => {
            mask_items(before, &mut [], origin);
        }
        (None, Some(Value::Array(after))) if !is_secret => {
            mask_items(&mut [], after, origin);
        }
        // One kind of value takes the place of another.
        (Some(before), Some(after)) if std::mem::discriminant(before) != std::mem::discriminant(after) => {
            mask(Some(before), None, origin, is_secret);
            mask(None, Some(after), origin, is_secret);
        }
        (before, after) => mask_leaf(before, after, is_secret),
    }
}

/// Masks items that are there only before, or only after.
fn mask_items(before: &mut [Value], after: &mut [Value], origin: Origin) {
    for item in before {
        mask(Some(item), None, origin, false);
    }
    for item in after {
        mask(None, Some(item), origin, false);
    }
}

fn mask_fields(
    mut before: Option<&mut Map<String, Value>>,
    mut after: Option<&mut Map<String, Value>>,
    origin: Origin,
    is_secret: bool,
) {
    let maps = || before.iter().chain(&after);
    let secret: Vec<&str> = maps().flat_map(|map| secret_fields(map, origin)).collect();
    let mut keys: Vec<String> = maps().flat_map(|map| map.keys().cloned()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let is_secret = is_secret || secret.contains(&key.as_str());
        mask(
            before.as_mut().and_then(|map| map.get_mut(&key)),
            after.as_mut().and_then(|map| map.get_mut(&key)),
            origin,
            is_secret,
        );
    }
}

/// Returns the fields of an object that hold secrets, whatever is in them.
fn secret_fields(object: &Map<String, Value>, origin: Origin) -> Vec<&'static str> {
    let mut fields = vec![LAST_APPLIED];
    match object.get("kind").and_then(Value::as_str) {
        Some("Secret") => fields.extend(["data", "stringData"]),
        Some("ConfigMap") if origin == Origin::Repository => fields.extend(["data", "binaryData"]),
        _ => {}
    }
    if object.get("sops").is_some_and(Value::is_object) {
        fields.push("sops");
    }
    fields
}

fn mask_leaf(before: Option<&mut Value>, after: Option<&mut Value>, is_secret: bool) {
    let is_secret = is_secret || [&before, &after].into_iter().flatten().any(|leaf| is_secret_text(leaf));
    match (before, after) {
        (Some(before), Some(after)) if is_secret => {
            let (old, new) = if before == after { (MASK, MASK) } else { (MASK_BEFORE, MASK_AFTER) };
            (*before, *after) = (old.into(), new.into());
        }
        (before, after) if is_secret => {
            if let Some(before) = before {
                *before = MASK_BEFORE.into();
            }
            if let Some(after) = after {
                *after = MASK_AFTER.into();
            }
        }
        (before, after) => {
            for leaf in [before, after].into_iter().flatten() {
                if let Value::String(text) = leaf
                    && has_credentials(text)
                {
                    *text = without_credentials(text);
                }
            }
        }
    }
}

/// Tells whether a text is a secret wherever it is: what SOPS has encrypted, or a private key.
fn is_secret_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains("ENC[") || text.contains("PRIVATE KEY-----"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(name: &str, data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})
    }

    fn yaml(documents: &[Value]) -> String {
        write_documents(documents).expect("YAML")
    }

    #[test]
    fn a_secret_shows_its_keys_and_which_of_them_change() {
        let before = secret("s", &json!({"kept": "bm90LWEtc2VjcmV0", "changed": "b25l", "gone": "dHdv"}));
        let after = secret("s", &json!({"kept": "bm90LWEtc2VjcmV0", "changed": "dGhyZWU=", "new": "bm90LWEtc2VjcmV0"}));
        let [before, after] = documents(Some(&before), Some(&after), Origin::Cluster).map(Option::unwrap_or_default);
        assert_eq!(before["data"], json!({"kept": MASK, "changed": MASK_BEFORE, "gone": MASK_BEFORE}));
        assert_eq!(after["data"], json!({"kept": MASK, "changed": MASK_AFTER, "new": MASK_AFTER}));
    }

    #[test]
    fn what_kubectl_keeps_of_a_secret_and_what_is_in_lists_is_masked() {
        let mut inner = secret("s", &json!({"password": "bm90LXJlYWw="}));
        inner["metadata"]["annotations"] = json!({LAST_APPLIED: "{\"data\":{\"password\":\"bm90LXJlYWw=\"}}"});
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [inner]});
        let [_, masked] = documents(None, Some(&list), Origin::Repository);
        assert!(!json!(masked).to_string().contains("bm90LXJlYWw"), "{masked:?}");
    }

    #[test]
    fn passwords_in_urls_and_what_is_encrypted_never_show() {
        let source =
            json!({"kind": "GitRepository", "spec": {"url": "https://me:not-a-real-one@git.example.com/a.git"}});
        let [_, masked] = documents(None, Some(&source), Origin::Cluster).map(Option::unwrap_or_default);
        assert_eq!(masked["spec"]["url"], "https://git.example.com/a.git");
        let encrypted =
            json!({"kind": "Other", "spec": "ENC[AES256_GCM,data:abc]", "sops": {"mac": "ENC[x]", "version": "3"}});
        let [_, masked] = documents(None, Some(&encrypted), Origin::Repository).map(Option::unwrap_or_default);
        assert_eq!(masked["spec"], MASK_AFTER);
        assert_eq!(masked["sops"], json!({"mac": MASK_AFTER, "version": MASK_AFTER}));
    }

    #[test]
    fn files_without_secrets_stay_as_they_are_written() {
        let text = "# why\nkind: PackageInstall\nspec:   {a: 1} # b\n";
        assert_eq!(files(Some(text), None), [Some(text.to_owned()), None]);
    }

    #[test]
    fn two_secrets_of_a_file_are_never_compared_with_each_other() {
        let data = json!({"values.yml": "bm90LXJlYWw="});
        let (one, other) = (yaml(&[secret("values-1", &data)]), yaml(&[secret("values-2", &data)]));
        let [before, after] = files(Some(&one), Some(&other)).map(Option::unwrap_or_default);
        assert!(before.contains(MASK_BEFORE) && after.contains(MASK_AFTER), "{before}{after}");
        let both = yaml(&[secret("values-1", &data), secret("values-2", &data)]);
        let [_, after] = files(Some(&one), Some(&both)).map(Option::unwrap_or_default);
        assert!(after.contains("values.yml: \"***\"") && after.contains(MASK_AFTER), "{after}");
    }

    #[test]
    fn values_files_settings_and_what_is_no_yaml_are_masked() {
        for text in ["password: not-a-real-one\nports: [1, 2]\n", "a: [not-a-real-one", "not-a-real-one\u{fffd}\n"] {
            let [before, _] = files(Some(text), None).map(Option::unwrap_or_default);
            assert!(!before.contains("not-a-real-one") && before.contains(MASK_BEFORE), "{before}");
        }
        let map = json!({"kind": "ConfigMap", "data": {"values.yml": "not-a-real-one"}});
        let [before, _] = files(Some(&yaml(&[map])), None).map(Option::unwrap_or_default);
        assert!(!before.contains("not-a-real-one"), "{before}");
    }

    #[test]
    fn a_comment_beside_a_secret_is_not_shown_but_its_change_is() {
        let text = yaml(&[secret("s", &json!({"a": "YQ=="}))]);
        let [before, after] =
            files(Some(&text), Some(&format!("{text}# not-a-real-one\n"))).map(Option::unwrap_or_default);
        assert_ne!(before, after);
        assert!(!after.contains("not-a-real-one"), "{after}");
    }

    #[test]
    fn a_redacted_file_is_still_accepted_by_kubernetes() {
        assert_eq!(redacted("kind: PackageInstall\n"), None);
        let text = redacted(&yaml(&[secret("s", &json!({"a": "bm90LXJlYWw="}))])).expect("it holds a secret");
        assert!(text.contains("a: Kioq"), "`***` in base64: {text}");
    }
}
