//! The cases of kapp-controller's `pkg/packageinstall/app_test.go`, and what the API server makes of them.

use serde_json::{Value, json};

use super::*;

fn install(annotations: &Value, values: &[&str]) -> PackageInstall {
    let values: Vec<Value> = values.iter().map(|name| json!({"secretRef": {"name": name}})).collect();
    serde_json::from_value(json!({
        "apiVersion": "packaging.carvel.dev/v1alpha1", "kind": "PackageInstall",
        "metadata": {"name": "hello", "namespace": "apps", "annotations": annotations},
        "spec": {"serviceAccountName": "installer", "values": values},
    }))
    .expect("a PackageInstall")
}

fn steps(value: Value) -> Vec<Value> {
    serde_json::from_value(value).expect("a list")
}

#[test]
fn bundles_and_images_get_a_placeholder_for_their_credential() {
    let package = steps(
        json!([{"imgpkgBundle": {"image": "a"}}, {"image": {"url": "b", "secretRef": {"name": "own"}}}, {"git": {"url": "c"}}]),
    );
    assert_eq!(
        fetch(&install(&json!({}), &[]), &package),
        steps(json!([
            {"imgpkgBundle": {"image": "a", "secretRef": {"name": "hello-fetch-0"}}},
            {"image": {"url": "b", "secretRef": {"name": "own"}}},
            {"git": {"url": "c"}},
        ]))
    );
    let annotated = install(
        &json!({
            "ext.packaging.carvel.dev/fetch-0-secret-name": "mine",
            "ext.packaging.carvel.dev/fetch-2-secret-name": "git",
        }),
        &[],
    );
    let fetched = fetch(&annotated, &package);
    assert_eq!(fetched[0]["imgpkgBundle"]["secretRef"]["name"], "mine");
    assert_eq!(fetched[1]["image"]["secretRef"]["name"], "own");
    assert_eq!(fetched[2]["git"]["secretRef"]["name"], "git");
}

#[test]
fn values_go_to_the_first_step_that_takes_them() {
    let package = steps(json!([
        {"sops": {}},
        {"ytt": {"paths": ["config"], "valuesFrom": [{"path": "defaults.yaml"}]}},
        {"ytt": {"paths": ["-"]}},
        {"kbld": {}},
    ]));
    let rendered = templates(&install(&json!({}), &["one", "two"]), &package);
    assert_eq!(
        rendered[1]["ytt"]["valuesFrom"],
        json!([{"path": "defaults.yaml"}, {"secretRef": {"name": "one"}}, {"secretRef": {"name": "two"}}])
    );
    assert_eq!((&rendered[0], &rendered[2], &rendered[3]), (&package[0], &package[2], &package[3]));
}

#[test]
fn overlays_go_inline_in_the_order_of_their_suffixes() {
    let annotations = json!({
        "ext.packaging.carvel.dev/ytt-paths-from-secret-name.2": "second",
        "ext.packaging.carvel.dev/ytt-paths-from-secret-name": "first",
        "ext.packaging.carvel.dev/ytt-paths-from-secret-names": "other",
        "ext.packaging.carvel.dev/ytt-data-values-overlays": "",
    });
    let install = install(&annotations, &["values"]);
    let rendered = templates(&install, &steps(json!([{"ytt": {}}])));
    assert_eq!(
        rendered[0]["ytt"]["inline"]["pathsFrom"],
        json!([{"secretRef": {"name": "first"}}, {"secretRef": {"name": "second"}}, {"secretRef": {"name": "values"}}])
    );
    assert_eq!(overlay_secrets(&install), ["first", "second"]);
}

#[test]
fn helm_takes_name_namespace_and_values() {
    let annotations = json!({
        "ext.packaging.carvel.dev/helm-template-name": "release",
        "ext.packaging.carvel.dev/helm-template-values-from-secret-name.0": "more",
    });
    let rendered = templates(&install(&annotations, &["values"]), &steps(json!([{"helmTemplate": {}}, {"ytt": {}}])));
    assert_eq!(
        rendered,
        steps(json!([
            {"helmTemplate": {"name": "release", "valuesFrom": [{"secretRef": {"name": "more"}}, {"secretRef": {"name": "values"}}]}},
            {"ytt": {}},
        ]))
    );
}

#[test]
fn what_go_leaves_out_makes_no_difference() {
    let one = steps(json!([{"ytt": {"paths": [], "strict": false, "inline": null}}]));
    assert!(is_same(&one, &steps(json!([{"ytt": {}}]))));
    assert!(!is_same(&one, &steps(json!([{"kbld": {}}]))));
    assert!(!is_same(&one, &[]));
}
