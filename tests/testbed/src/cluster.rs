//! One Kubernetes cluster: etcd, API server, controller manager; on a run cluster also what makes
//! Deployments become available (scheduler, kwok and one Node).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cache::create_directory;
use crate::certificates::{Authority, Certificates};
use crate::error::Result;
use crate::kubeconfig::{self, Context};
use crate::kubectl::Kubectl;
use crate::ports::Port;
use crate::process::Process;
use crate::tools::Tools;

/// Where the parts of a testbed put their files.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) work: PathBuf,
    pub(crate) logs: PathBuf,
}

/// A running cluster, with its administrator's access.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    pub(crate) logs: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) kubectl: Kubectl,
    pub(crate) context: Context,
    pub(crate) authority: Authority,
    pub(crate) api_port: u16,
    api_server: Arc<Process>,
    pub(crate) processes: Vec<Arc<Process>>,
    /// Held so that nobody else takes the ports while a component is stopped.
    pub(crate) ports: Vec<Port>,
}

impl Cluster {
    /// Starts etcd, the API server and the controller manager, and waits until the API server is ready.
    pub(crate) fn start(name: &str, tools: &Tools, places: &Places, extra_arguments: &[String]) -> Result<Self> {
        let directory = places.work.join(name);
        let certificates = Certificates::generate(&directory.join("certificates"))?;
        let (client, peer, api) = (Port::reserve()?, Port::reserve()?, Port::reserve()?);
        let context = Context {
            name: name.to_owned(),
            namespace: "default".to_owned(),
            server: format!("https://{}", api.address()),
            authority: kubeconfig::encode_authority(&certificates.authority.certificate),
            user: kubeconfig::certificate_user(&certificates.admin),
        };
        let path = directory.join("kubeconfig.yaml");
        kubeconfig::write(&path, std::slice::from_ref(&context))?;

        let etcd = etcd(name, tools, places, &directory, [&client, &peer])?;
        let api_server = api_server(name, tools, places, &certificates, &client, &api)?;
        let api_server = Arc::new(api_server.arguments(extra_arguments));
        let controllers = component(name, "kube-controller-manager", tools, places, &path)?
            .argument("--use-service-account-credentials")
            .argument(certificates.argument("service-account-private-key-file", "service-accounts.key"))
            .argument(certificates.argument("root-ca-file", "ca.crt"));
        let mut cluster = Self {
            name: name.to_owned(),
            kubectl: Kubectl::new(tools.kubectl(), &path, name, &directory),
            kubeconfig: path,
            directory,
            logs: places.logs.clone(),
            context,
            authority: certificates.authority,
            api_port: api.number(),
            api_server: Arc::clone(&api_server),
            processes: vec![],
            ports: vec![client, peer, api],
        };
        cluster.launch(etcd)?;
        api_server.start()?;
        cluster.processes.push(api_server);
        cluster.wait_until_ready()?;
        cluster.launch(controllers)?;
        Ok(cluster)
    }

    /// Starts one more process of this cluster.
    pub(crate) fn launch(&mut self, process: Process) -> Result<Arc<Process>> {
        process.start()?;
        let process = Arc::new(process);
        self.processes.push(Arc::clone(&process));
        Ok(process)
    }

    /// Waits until the API server answers that it is ready.
    pub(crate) fn wait_until_ready(&self) -> Result<()> {
        self.watch_until(|| self.kubectl.run(&["get", "--raw", "/readyz"]).map(drop).map_err(|error| error.to_string()))
    }

    /// Repeats a probe until it succeeds, as long as the API server runs.
    pub(crate) fn watch_until(&self, probe: impl FnMut() -> Result<(), String>) -> Result<()> {
        self.api_server.wait_until(Duration::from_mins(2), probe)
    }

    /// Applies objects, again and again until all are there: some define what others need, and a busy API server may not answer.
    pub(crate) fn apply(&self, objects: &[Value]) -> Result<()> {
        self.watch_until(|| self.kubectl.apply_objects(objects).map(drop).map_err(|error| error.to_string()))
    }

    /// Starts what makes Deployments become available without a kubelet.
    pub(crate) fn start_workloads(&mut self, tools: &Tools, places: &Places) -> Result<()> {
        self.launch(component(&self.name, "kube-scheduler", tools, places, &self.kubeconfig)?)?;
        let mut kwok = Process::new(&format!("{}/kwok", self.name), &places.logs, tools.program("kwok")?)
            .argument("--manage-all-nodes=true")
            .argument(format!("--kubeconfig={}", self.kubeconfig.display()));
        let stages = ["node/node-initialize.yaml", "heartbeat/node-heartbeat.yaml"].into_iter();
        for stage in stages.chain(["pod/pod-ready.yaml", "pod/pod-complete.yaml", "pod/pod-delete.yaml"]) {
            kwok = kwok.argument(format!("--config={}", tools.share("kwok", stage)?.display()));
        }
        self.launch(kwok)?;
        let capacity = json!({ "cpu": "32", "memory": "256Gi", "pods": "500" });
        self.apply(&[json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": "node-1",
                "labels": { "kubernetes.io/hostname": "node-1", "kubernetes.io/os": "linux" },
                "annotations": { "kwok.x-k8s.io/node": "fake" },
            },
            "status": { "allocatable": capacity, "capacity": capacity },
        })])
    }
}

fn etcd(name: &str, tools: &Tools, places: &Places, directory: &Path, ports: [&Port; 2]) -> Result<Process> {
    let [client, peer] = ports.map(|port| format!("http://{}", port.address()));
    let data = directory.join("etcd");
    create_directory(&data)?;
    Ok(Process::new(&format!("{name}/etcd"), &places.logs, tools.program("etcd")?)
        .argument("--unsafe-no-fsync")
        .argument(format!("--name={name}"))
        .argument(format!("--data-dir={}", data.display()))
        .argument(format!("--listen-client-urls={client}"))
        .argument(format!("--advertise-client-urls={client}"))
        .argument(format!("--listen-peer-urls={peer}"))
        .argument(format!("--initial-advertise-peer-urls={peer}"))
        .argument(format!("--initial-cluster={name}={peer}")))
}

fn api_server(
    name: &str,
    tools: &Tools,
    places: &Places,
    certificates: &Certificates,
    etcd: &Port,
    api: &Port,
) -> Result<Process> {
    let issuer = format!("https://{}", api.address());
    Ok(Process::new(&format!("{name}/kube-apiserver"), &places.logs, tools.program("kube-apiserver")?)
        .argument(format!("--etcd-servers=http://{}", etcd.address()))
        .argument("--bind-address=127.0.0.1")
        .argument("--advertise-address=127.0.0.1")
        .argument(format!("--secure-port={}", api.number()))
        .argument("--authorization-mode=RBAC")
        .argument("--service-cluster-ip-range=10.0.0.0/24")
        .argument("--endpoint-reconciler-type=none")
        // The taint "not ready" is removed by the node lifecycle controller only, which does not run here.
        .argument("--disable-admission-plugins=TaintNodesByCondition")
        .argument(format!("--service-account-issuer={issuer}"))
        .argument(format!("--service-account-jwks-uri={issuer}/openid/v1/jwks"))
        .argument(certificates.argument("service-account-key-file", "service-accounts.pub"))
        .argument(certificates.argument("service-account-signing-key-file", "service-accounts.key"))
        .argument(certificates.argument("client-ca-file", "ca.crt"))
        .argument(certificates.argument("tls-cert-file", "kube-apiserver.crt"))
        .argument(certificates.argument("tls-private-key-file", "kube-apiserver.key"))
        .argument(certificates.argument("requestheader-client-ca-file", "front-proxy-ca.crt"))
        .argument("--requestheader-allowed-names=front-proxy")
        .argument("--requestheader-username-headers=X-Remote-User")
        .argument("--requestheader-group-headers=X-Remote-Group")
        .argument("--requestheader-extra-headers-prefix=X-Remote-Extra-")
        .argument(certificates.argument("proxy-client-cert-file", "front-proxy.crt"))
        .argument(certificates.argument("proxy-client-key-file", "front-proxy.key")))
}

/// Returns one of Kubernetes' own clients of the API server.
fn component(name: &str, program: &str, tools: &Tools, places: &Places, kubeconfig: &Path) -> Result<Process> {
    let process = Process::new(&format!("{name}/{program}"), &places.logs, tools.program(program)?)
        .argument(format!("--kubeconfig={}", kubeconfig.display()))
        .argument("--leader-elect=false")
        .argument("--secure-port=0");
    // On a busy machine the heartbeats of the fake Node come late, and its pods would be evicted.
    let controllers = "--controllers=*,-node-lifecycle-controller,-node-ipam-controller,-node-route-controller";
    Ok(if program == "kube-controller-manager" { process.argument(controllers) } else { process })
}
