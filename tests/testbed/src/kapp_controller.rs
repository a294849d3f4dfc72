//! kapp-controller on a run cluster, as two local processes, with its aggregated API.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cache::{create_directory, write};
use crate::cluster::Cluster;
use crate::command::output_of;
use crate::error::{Error, Result};
use crate::kubectl::Kubectl;
use crate::ports::Port;
use crate::process::Process;
use crate::tools::Tools;

const NAMESPACE: &str = "kapp-controller";
const API_SERVICE: &str = "v1alpha1.data.packaging.carvel.dev";

// kapp-controller and its sidecar expect a container: fixed directories, which each gets in a mount namespace of
// its own. The sidecar also appends to the CA bundle of the system where that is a file Red Hat's way.
const ENTER_MOUNTS: &str = r#"
set -e
mount -t tmpfs tmpfs /home
mkdir -p /home/kapp-controller
mount -t tmpfs tmpfs /run
mkdir -p /run/secrets/kubernetes.io
if [ ! -e /var/run/secrets ]; then mount --bind /run /var/run; fi
cp -r "$SERVICE_ACCOUNT_FILES" /run/secrets/kubernetes.io/serviceaccount
if [ -d /etc/pki/tls/certs ]; then mount -t tmpfs tmpfs /etc/pki/tls/certs; fi
exec "$@"
"#;

/// Installs kapp-controller's API objects and starts both processes.
pub(crate) fn install(cluster: &mut Cluster, tools: &Tools) -> Result<()> {
    let port = Port::reserve()?;
    let objects = objects(tools, port.number())?;
    // The first attempt makes the namespace and the definitions that the rest needs.
    cluster.apply(&objects)?;

    let directory = cluster.directory.join("kapp-controller");
    let (memory, account, no_account) =
        (directory.join("memory"), directory.join("service-account"), directory.join("no-service-account"));
    for directory in [&memory, &account, &no_account] {
        create_directory(directory)?;
    }
    let token = cluster.kubectl.run(&["create", "token", "kapp-controller-sa", "-n", NAMESPACE, "--duration=48h"])?;
    write(&account.join("token"), token.trim())?;
    write(&account.join("ca.crt"), &cluster.authority.certificate)?;
    write(&account.join("namespace"), NAMESPACE)?;

    let process = |name: &str, account: &std::path::Path| -> Result<Process> {
        Ok(Process::new(&format!("{}/{name}", cluster.name), &cluster.logs, "unshare")
            .arguments(["--mount", "sh", "-c", ENTER_MOUNTS, "sh"])
            .argument(tools.program("kapp-controller")?)
            .environment("SERVICE_ACCOUNT_FILES", account)
            .environment("HOME", "/home/kapp-controller")
            .environment("TMPDIR", &memory)
            .environment("PATH", tools.carvel_path())
            .environment("KAPPCTRL_MEM_TMP_DIR", &memory)
            .environment("KAPPCTRL_SIDECAREXEC_SOCK", memory.join("sidecarexec.sock"))
            .environment("KAPPCTRL_SYSTEM_NAMESPACE", NAMESPACE)
            .environment("KAPPCTRL_API_PORT", port.number().to_string())
            .environment("KAPPCTRL_KUBERNETES_CA_DATA", &cluster.authority.certificate)
            .environment("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .environment("KUBERNETES_SERVICE_PORT", cluster.api_port.to_string()))
    };
    let sidecar = process("kapp-controller-sidecarexec", &no_account)?.argument("--sidecarexec");
    let controller = process("kapp-controller", &account)?
        .argument("-packaging-global-namespace=kapp-controller-packaging-global")
        .argument("-metrics-bind-address=0")
        .argument("-enable-api-priority-and-fairness=false");
    cluster.launch(sidecar)?;
    let controller = cluster.launch(controller)?;
    let mut answers = probe(&cluster.kubectl);
    controller.wait_until(Duration::from_mins(2), || {
        TcpStream::connect(port.address()).map_err(|error| error.to_string())?;
        answers()
    })?;
    drop(answers);
    cluster.ports.push(port);
    Ok(())
}

/// Returns a probe of the aggregated API.
pub(crate) fn probe(kubectl: &Kubectl) -> impl FnMut() -> Result<(), String> {
    let mut attempt = 0_u32;
    move || {
        attempt += 1;
        // The API server looks again after a growing while, or at once when the object changes.
        let poke = format!("testbed/attempt={attempt}");
        let poked = kubectl.run(&["annotate", "--overwrite", "apiservice", API_SERVICE, &poke]);
        poked.and_then(|_| kubectl.run(&["get", "packages", "-A"])).map(drop).map_err(|error| error.to_string())
    }
}

/// Renders kapp-controller's own configuration and points its aggregated API at a local port.
fn objects(tools: &Tools, port: u16) -> Result<Vec<Value>> {
    let rendered = output_of(
        std::process::Command::new(tools.program("ytt")?)
            .arg("-f")
            .arg(tools.share("kapp-controller", "config")?)
            .arg("-f")
            .arg(tools.share("kapp-controller", "values-schema.yml")?)
            .args(["-o", "json"]),
    )?;
    let documents = serde_json::Deserializer::from_str(&rendered).into_iter::<Value>();
    let mut objects = Vec::new();
    for document in documents {
        let mut object =
            document.map_err(|error| Error::failed(format!("kapp-controller's configuration is no JSON: {error}")))?;
        match object["kind"].as_str() {
            Some("Deployment") => continue,
            Some("Service") => {
                object["spec"] = json!({ "type": "ExternalName", "externalName": "localhost" });
            }
            Some("APIService") => object["spec"]["service"]["port"] = json!(port),
            _ => {}
        }
        objects.push(object);
    }
    Ok(objects)
}
