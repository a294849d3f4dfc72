//! The objects of the real delivery, and their copies under the names of others.

use serde_json::{Value, json};
use testbed::{BUILD, Testbed};

use crate::layout::{API_SERVERS, Place, RUN_CLUSTER, api_server, package, run_cluster};
use crate::support::{PACKAGE, User, VERSION};

/// A version below the installed one: there is something to select from.
const OLDER_VERSION: &str = "20261121120000.0.0+build.abc1233";
pub(crate) const DEPLOYER: &str = "deployer";

/// Makes the identity that a run cluster's kubeconfig holds, with what the plugin gives it to read.
pub(crate) fn deployer(number: usize) -> Vec<Value> {
    let metadata = json!({"name": DEPLOYER, "namespace": run_cluster(number)});
    let rule = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": ["get", "list", "watch"]});
    let rules = json!([
        rule("packaging.carvel.dev", &["packageinstalls"]),
        rule("kappctrl.k14s.io", &["apps"]),
        rule("data.packaging.carvel.dev", &["packages"]),
        rule("", &["secrets"]),
    ]);
    let group = "rbac.authorization.k8s.io";
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata, "rules": rules}),
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": DEPLOYER},
            "subjects": [{"kind": "ServiceAccount", "name": DEPLOYER, "namespace": run_cluster(number)}],
        }),
    ]
}

/// The objects of the real delivery.
pub(crate) struct Template {
    build_namespace: String,
    target_namespace: String,
    source: Value,
    kustomizations: Vec<Value>,
    credential: Value,
    package: Value,
    install: Value,
    app: Value,
    secrets: Vec<Value>,
    /// The administrator's entries of the API servers.
    clusters: Vec<Value>,
}

impl Template {
    pub(crate) fn read(testbed: &Testbed, user: &User<'_>) -> Self {
        let list = |context: &str, namespace: &str, kind: &str| -> Vec<Value> {
            let text = testbed.kubectl(context, &["get", kind, "-n", namespace, "-o", "json"]).expect("kubectl get");
            let list: Value = serde_json::from_str(&text).expect("JSON");
            list["items"].as_array().expect("a list").iter().map(bare).collect()
        };
        let (flux, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
        let one = |objects: Vec<Value>| objects.into_iter().next().expect("an object of the delivery");
        let name = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let credentials =
            list(BUILD, flux, "secrets").into_iter().filter(|secret| name(secret).ends_with("-kubeconfig"));
        let secrets =
            list(RUN_CLUSTER, target, "secrets").into_iter().filter(|secret| name(secret).starts_with(PACKAGE));
        let cluster = |server: usize| -> Value {
            let view = ["config", "view", "--raw", "--minify", "-o", "json"];
            let view = testbed.kubectl(&api_server(server), &view).expect("kubectl config");
            serde_json::from_str::<Value>(&view).expect("JSON")["clusters"][0]["cluster"].clone()
        };
        Self {
            build_namespace: flux.to_owned(),
            target_namespace: target.to_owned(),
            source: one(list(BUILD, flux, "gitrepositories")),
            kustomizations: list(BUILD, flux, "kustomizations"),
            credential: one(credentials.collect()),
            package: one(list(RUN_CLUSTER, target, "packages")),
            install: one(list(RUN_CLUSTER, target, "packageinstalls")),
            app: one(list(RUN_CLUSTER, target, "apps")),
            secrets: secrets.collect(),
            clusters: (0..API_SERVERS).map(cluster).collect(),
        }
    }

    /// Copies an object under the names of another delivery.
    fn copy(&self, object: &Value, place: Place, build_namespace: &str) -> Value {
        let run_cluster = run_cluster(place.run_cluster);
        let text = object
            .to_string()
            .replace(PACKAGE, &package(place.package))
            .replace(&self.build_namespace, build_namespace)
            .replace(&self.target_namespace, &run_cluster)
            .replace(RUN_CLUSTER, &run_cluster);
        serde_json::from_str(&text).expect("JSON")
    }

    fn on_run_cluster(&self, object: &Value, place: Place) -> Value {
        self.copy(object, place, "build")
    }

    pub(crate) fn packages(&self, place: Place) -> Vec<Value> {
        let newer = self.on_run_cluster(&self.package, place);
        let older = newer.to_string().replace(VERSION, OLDER_VERSION);
        vec![newer, serde_json::from_str(&older).expect("JSON")]
    }

    pub(crate) fn secrets(&self, place: Place) -> Vec<Value> {
        self.secrets.iter().map(|secret| self.on_run_cluster(secret, place)).map(without_owner).collect()
    }

    pub(crate) fn install(&self, place: Place) -> Value {
        let mut install = self.on_run_cluster(&self.install, place);
        install["spec"]["syncPeriod"] = json!("24h0m0s");
        install
    }

    pub(crate) fn app(&self, place: Place, now: &str) -> Value {
        let mut app = self.on_run_cluster(&self.app, place);
        app["spec"]["syncPeriod"] = json!("24h0m0s");
        for stage in ["fetch", "template", "deploy"] {
            for field in ["startedAt", "updatedAt"] {
                if app["status"][stage].get(field).is_some() {
                    app["status"][stage][field] = json!(now);
                }
            }
        }
        app
    }

    pub(crate) fn source(&self, package: usize, namespace: &str) -> Value {
        self.copy(&self.source, Place { run_cluster: 0, package }, namespace)
    }

    pub(crate) fn kustomizations(&self, place: Place, namespace: &str) -> Vec<Value> {
        self.kustomizations.iter().map(|object| self.copy(object, place, namespace)).collect()
    }

    /// Makes the Secret with a run cluster's kubeconfig.
    pub(crate) fn credential(&self, number: usize, namespace: &str, token: &str) -> Value {
        let mut secret = self.copy(&self.credential, Place { run_cluster: number, package: 0 }, namespace);
        secret["stringData"] = json!({"value.yaml": self.kubeconfig(number, token).to_string()});
        secret.as_object_mut().expect("a Secret").remove("data");
        secret
    }

    pub(crate) fn kubeconfig(&self, number: usize, token: &str) -> Value {
        let name = run_cluster(number);
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": self.clusters[number % API_SERVERS]}],
            "users": [{"name": DEPLOYER, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": DEPLOYER, "namespace": name}}],
            "current-context": name,
        })
    }
}

/// Keeps of an object what can be created again, all of it of the first generation.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
            metadata.remove(field);
        }
    }
    observe_first_generation(&mut object["status"]);
    object
}

fn observe_first_generation(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| {
            if name == "observedGeneration" { *value = json!(1) } else { observe_first_generation(value) }
        }),
        Value::Array(items) => items.iter_mut().for_each(observe_first_generation),
        _ => {}
    }
}

fn without_owner(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("ownerReferences");
    }
    object
}
