//! Flux on the build cluster: its CRDs, source-controller and kustomize-controller.

use std::net::TcpStream;
use std::time::Duration;

use crate::cache::create_directory;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::ports::Port;
use crate::process::Process;
use crate::testbed::Options;
use crate::tools::Tools;

/// Installs Flux's CRDs and starts both controllers.
pub(crate) fn install(cluster: &mut Cluster, tools: &Tools, options: &Options) -> Result<()> {
    for controller in ["source-controller", "kustomize-controller"] {
        let definitions = tools.share("flux", controller)?.to_string_lossy().into_owned();
        let apply = ["apply", "--server-side", "--validate=false", "-f", &definitions];
        cluster.watch_until(|| cluster.kubectl.run(&apply).map(drop).map_err(|error| error.to_string()))?;
    }
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    cluster.watch_until(|| cluster.kubectl.run(&wait).map(drop).map_err(|error| error.to_string()))?;

    let (storage, source_health, kustomize_health) = (Port::reserve()?, Port::reserve()?, Port::reserve()?);
    let artifacts = cluster.directory.join("artifacts");
    create_directory(&artifacts)?;
    let source = controller(cluster, tools, "source-controller", &source_health)?
        .argument(format!("--storage-path={}", artifacts.display()))
        .argument(format!("--storage-addr={}", storage.address()))
        .argument(format!("--storage-adv-addr={}", storage.address()));
    let kustomize = controller(cluster, tools, "kustomize-controller", &kustomize_health)?
        .argument(format!("--concurrent={}", options.kustomize_controller_concurrency));
    for (process, health) in [(source, source_health), (kustomize, kustomize_health)] {
        let process = cluster.launch(process.arguments(&options.flux_arguments))?;
        process.wait_until(Duration::from_mins(1), || {
            TcpStream::connect(health.address()).map(drop).map_err(|error| error.to_string())
        })?;
        cluster.ports.push(health);
    }
    cluster.ports.push(storage);
    Ok(())
}

fn controller(cluster: &Cluster, tools: &Tools, program: &str, health: &Port) -> Result<Process> {
    let temporary = cluster.directory.join("temporary").join(program);
    create_directory(&temporary)?;
    Ok(Process::new(&format!("{}/{program}", cluster.name), &cluster.logs, tools.program(program)?)
        .environment("KUBECONFIG", &cluster.kubeconfig)
        .environment("TMPDIR", temporary)
        .argument("--metrics-addr=0")
        .argument("--events-addr=")
        .argument(format!("--health-addr={}", health.address()))
        .argument("--requeue-dependency=2s")
        .argument("--interval-jitter-percentage=0"))
}
