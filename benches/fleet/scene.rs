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

use crate::layout::{
    API_SERVERS, PACKAGES, Place, RUN_CLUSTER, RUN_CLUSTERS, api_server, copies, numbers, numbers_on, package,
    run_cluster,
};
use crate::shared::{client, progress};
use crate::support::User;
use crate::template::{DEPLOYER, Template, deployer};

/// How many requests are made at a time.
const AT_A_TIME: usize = 24;

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
