//! The fleet: copies of one real delivery, with everything that the real components wrote about it.
//!
//! The plugin delivers one package for real, and all objects of that delivery are copied under other names: the Flux objects
//! to one namespace of the build cluster, the others to one namespace of a run cluster's API server for each "run cluster".
//! The copies' statuses are written by the benchmark. Flux is stopped. kapp-controller is stopped while the copies are
//! written, and runs when they are measured, because its API server serves the Packages: it finds that everything is as it
//! should be, and does nothing for a day (`syncPeriod`).
//!
//! Several API servers share the run clusters: one kapp-controller allows itself 60 requests a second, three for each list of
//! Packages (`cmd/controller/run.go`, v0.53.1), so that 100 run clusters behind one would measure nothing but that.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use carvelflux::testing::ObjectReference;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use testbed::{BUILD, Process, Testbed, Workspace};

use crate::shared::{client, progress};
use crate::support::{PACKAGE, User, VERSION};

pub(crate) const RUN_CLUSTERS: usize = 100;
pub(crate) const PACKAGES: usize = 10;
pub(crate) const DELIVERIES: usize = RUN_CLUSTERS * PACKAGES;
/// The run cluster of the real delivery.
pub(crate) const RUN_CLUSTER: &str = "prod1";
/// The API servers that hold the namespaces: the testbed's run clusters.
pub(crate) const API_SERVERS: usize = 4;

/// How many requests are made at a time.
const AT_A_TIME: usize = 24;
/// A version below the installed one: there is something to select from.
const OLDER_VERSION: &str = "20261121120000.0.0+build.abc1233";
const DEPLOYER: &str = "deployer";

/// The fleet, and who looks at it.
pub(crate) struct Scene {
    /// The place of the Flux objects, and its user.
    pub(crate) workspace: Workspace,
    /// A kubeconfig file for each run cluster.
    pub(crate) kubeconfigs: Vec<PathBuf>,
    build: Client,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    /// Delivers once, and copies.
    pub(crate) fn make(testbed: &Testbed, user: &User<'_>) -> Self {
        progress("making the delivery that is copied");
        user.bootstrap().expect_code(0);
        user.add_cluster(RUN_CLUSTER).expect_code(0);
        let template = Template::read(testbed, user);
        for controller in ["kustomize-controller", "source-controller"] {
            testbed.process(&format!("{BUILD}/{controller}")).and_then(Process::stop).expect("a stopped controller");
        }
        let workspace = testbed.workspace("fleet").expect("a workspace");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let kubeconfig = testbed.kubeconfig();
        let (build, servers) = runtime.block_on(async {
            let build = client(kubeconfig, BUILD).await;
            let servers = futures::future::join_all(
                (0..API_SERVERS).map(|server| async move { client(kubeconfig, &api_server(server)).await }),
            );
            (build, servers.await)
        });
        let mut scene = Self { workspace, kubeconfigs: Vec::new(), build, runtime };
        scene.fill(testbed, &template, &servers);
        scene
    }

    fn fill(&mut self, testbed: &Testbed, template: &Template, servers: &[Client]) {
        progress("writing the Packages");
        for (server, run) in servers.iter().enumerate() {
            let namespaces = numbers_on(server).map(
                |number| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": run_cluster(number)}}),
            );
            self.write(run, namespaces.collect());
            self.write(run, copies(numbers_on(server), |place| template.packages(place)));
        }
        let kapp_controllers: Vec<&Process> = (0..API_SERVERS)
            .map(|server| testbed.process(&format!("{}/kapp-controller", api_server(server))).expect("kapp-controller"))
            .collect();
        for kapp_controller in &kapp_controllers {
            kapp_controller.stop().expect("a stopped kapp-controller");
        }
        progress("writing the run clusters");
        let mut tokens = vec![String::new(); RUN_CLUSTERS];
        for (server, run) in servers.iter().enumerate() {
            self.write(run, numbers_on(server).flat_map(deployer).collect());
            for (number, token) in numbers_on(server).zip(self.tokens(run, server)) {
                tokens[number] = token;
            }
            self.fill_run_clusters(template, server, run);
        }

        progress("writing the build cluster");
        let namespace = self.workspace.build_namespace();
        let secrets = numbers().zip(&tokens).map(|(number, token)| template.credential(number, namespace, token));
        self.write(&self.build, secrets.collect());
        self.write(&self.build, (0..PACKAGES).map(|package| template.source(package, namespace)).collect());
        self.write(&self.build, copies(numbers(), |place| template.kustomizations(place, namespace)));
        self.kubeconfigs = numbers()
            .zip(&tokens)
            .map(|(number, token)| {
                let path = testbed.work().join(format!("{}.kubeconfig.yaml", run_cluster(number)));
                std::fs::write(&path, template.kubeconfig(number, token).to_string()).expect("a kubeconfig");
                path
            })
            .collect();

        progress("letting kapp-controller look at all of it");
        for (server, kapp_controller) in kapp_controllers.iter().enumerate() {
            kapp_controller.start().expect("kapp-controller");
            testbed.wait_until_ready(&api_server(server)).expect("kapp-controller's API");
        }
        for kapp_controller in kapp_controllers {
            wait_until_quiet(kapp_controller);
        }
    }

    /// Writes values, PackageInstalls and Apps as they are after a successful reconcile.
    fn fill_run_clusters(&self, template: &Template, server: usize, run: &Client) {
        let on_server = || numbers_on(server);
        self.write(run, copies(on_server(), |place| template.secrets(place)));
        // kapp-controller reads values after it fetches them, so that a run of the same second proves nothing.
        std::thread::sleep(Duration::from_secs(2));
        let now = jiff::Timestamp::now().round(jiff::Unit::Second).expect("a time").to_string();
        let installs = self.write(run, copies(on_server(), |place| vec![template.install(place)]));
        let apps = copies(on_server(), |place| vec![template.app(place, &now)]);
        let apps = apps.into_iter().zip(&installs).map(|(mut app, install)| {
            app["metadata"]["ownerReferences"][0]["uid"] = json!(install.metadata.uid);
            app
        });
        self.write(run, apps.collect());
    }

    /// Makes one delivery look as if Flux had yet to apply the newest revision.
    pub(crate) fn hold_one_back(&self) {
        let place = Place { run_cluster: RUN_CLUSTERS - 1, package: PACKAGES - 1 };
        let name = format!("{}-{}-packageinstalls", package(place.package), run_cluster(place.run_cluster));
        let resource = carvelflux::testing::kustomization_resource("v1");
        let api =
            Api::<DynamicObject>::namespaced_with(self.build.clone(), self.workspace.build_namespace(), &resource);
        let older = "main@sha1:0000000000000000000000000000000000000000";
        let patch = json!({"status": {"lastAppliedRevision": older, "lastAttemptedRevision": older}});
        let parameters = PatchParams::default();
        self.runtime.block_on(api.patch_status(&name, &parameters, &Patch::Merge(&patch))).expect("a Kustomization");
    }

    /// Creates objects with their statuses, and returns them in the same order.
    fn write(&self, client: &Client, objects: Vec<Value>) -> Vec<DynamicObject> {
        let writes = stream::iter(objects).map(|object| create(client.clone(), object)).buffered(AT_A_TIME);
        self.runtime.block_on(writes.collect())
    }

    /// Requests a token of every deployer on an API server.
    fn tokens(&self, run: &Client, server: usize) -> Vec<String> {
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(8 * 3600), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let requests = numbers_on(server).map(|number| {
            let api = Api::<ServiceAccount>::namespaced(run.clone(), &run_cluster(number));
            let request = &request;
            async move {
                let parameters = PostParams::default();
                let answer = persist(|| api.create_token_request(DEPLOYER, &parameters, request)).await;
                answer.status.expect("a token").token
            }
        });
        self.runtime.block_on(stream::iter(requests).buffered(AT_A_TIME).collect())
    }
}

/// One delivery of the fleet, by its numbers.
#[derive(Clone, Copy)]
struct Place {
    run_cluster: usize,
    package: usize,
}

fn numbers() -> std::ops::Range<usize> {
    0..RUN_CLUSTERS
}

/// Returns the run clusters that an API server holds.
fn numbers_on(server: usize) -> impl Iterator<Item = usize> + Clone {
    numbers().skip(server).step_by(API_SERVERS)
}

/// Returns the name of an API server: that of the testbed's run cluster.
pub(crate) fn api_server(server: usize) -> String {
    format!("prod{}", server + 1)
}

/// Returns the short name of a run cluster, which is its namespace too.
fn run_cluster(number: usize) -> String {
    format!("run-{number:03}")
}

fn package(number: usize) -> String {
    format!("hello-{number:02}.default.tap")
}

/// Makes the objects of all deliveries of some run clusters.
fn copies(run_clusters: impl Iterator<Item = usize>, make: impl Fn(Place) -> Vec<Value>) -> Vec<Value> {
    run_clusters
        .flat_map(|run_cluster| (0..PACKAGES).map(move |package| Place { run_cluster, package }))
        .flat_map(make)
        .collect()
}

/// Makes the identity that a run cluster's kubeconfig holds, with what the plugin gives it to read.
fn deployer(number: usize) -> Vec<Value> {
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
struct Template {
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
    fn read(testbed: &Testbed, user: &User<'_>) -> Self {
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

    fn packages(&self, place: Place) -> Vec<Value> {
        let newer = self.on_run_cluster(&self.package, place);
        let older = newer.to_string().replace(VERSION, OLDER_VERSION);
        vec![newer, serde_json::from_str(&older).expect("JSON")]
    }

    fn secrets(&self, place: Place) -> Vec<Value> {
        self.secrets.iter().map(|secret| self.on_run_cluster(secret, place)).map(without_owner).collect()
    }

    fn install(&self, place: Place) -> Value {
        let mut install = self.on_run_cluster(&self.install, place);
        install["spec"]["syncPeriod"] = json!("24h0m0s");
        install
    }

    fn app(&self, place: Place, now: &str) -> Value {
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

    fn source(&self, package: usize, namespace: &str) -> Value {
        self.copy(&self.source, Place { run_cluster: 0, package }, namespace)
    }

    fn kustomizations(&self, place: Place, namespace: &str) -> Vec<Value> {
        self.kustomizations.iter().map(|object| self.copy(object, place, namespace)).collect()
    }

    /// Makes the Secret with a run cluster's kubeconfig.
    fn credential(&self, number: usize, namespace: &str, token: &str) -> Value {
        let mut secret = self.copy(&self.credential, Place { run_cluster: number, package: 0 }, namespace);
        secret["stringData"] = json!({"value.yaml": self.kubeconfig(number, token).to_string()});
        secret.as_object_mut().expect("a Secret").remove("data");
        secret
    }

    fn kubeconfig(&self, number: usize, token: &str) -> Value {
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

/// Creates an object, and writes its status where it has one.
async fn create(client: Client, object: Value) -> DynamicObject {
    let reference = ObjectReference::of(&object).expect("a manifest");
    let api: Api<DynamicObject> = match &reference.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &reference.resource),
        None => Api::all_with(client, &reference.resource),
    };
    let manifest: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
    let (creating, patching) = (PostParams::default(), PatchParams::default());
    let created = persist(|| api.create(&creating, &manifest)).await;
    if let Some(status) = object.get("status").filter(|status| !status.is_null()) {
        let patch = Patch::Merge(json!({"status": status}));
        persist(|| api.patch_status(&reference.name, &patching, &patch)).await;
    }
    created
}

/// Makes a request again where a busy API server refuses it.
async fn persist<T, E: Debug, F: Future<Output = Result<T, E>>>(request: impl Fn() -> F) -> T {
    let mut refused = None;
    for _ in 0..5 {
        match request().await {
            Ok(answer) => return answer,
            Err(error) => refused = Some(error),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("the API server refuses: {refused:?}")
}

/// Waits until a component has written nothing into its log for some seconds.
fn wait_until_quiet(process: &Process) {
    let size = || std::fs::metadata(process.log()).map_or(0, |file| file.len());
    let (mut known, mut since) = (size(), Instant::now());
    while since.elapsed() < Duration::from_secs(8) {
        std::thread::sleep(Duration::from_millis(500));
        let current = size();
        if current != known {
            (known, since) = (current, Instant::now());
        }
    }
}
