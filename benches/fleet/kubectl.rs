//! What kubectl needs for the same fleet.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testbed::Testbed;

use crate::layout::RUN_CLUSTERS;
use crate::scene::Scene;
use crate::shared::{connections, memory};

/// How many run at a time.
const AT_A_TIME: usize = 8;

/// Lists the PackageInstalls of every run cluster, and returns how long all of it takes.
pub(crate) fn lists(testbed: &Testbed, scene: &Scene) -> Duration {
    // kubectl keeps what the API server serves; the first run pays for that.
    get(testbed, scene, 0);
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= RUN_CLUSTERS {
                        break;
                    }
                    get(testbed, scene, number);
                }
            });
        }
    });
    started.elapsed()
}

fn get(testbed: &Testbed, scene: &Scene, number: usize) {
    let mut command = kubectl(testbed, scene, number);
    let status = command.args(["get", "packageinstalls"]).status().expect("kubectl starts");
    assert!(status.success(), "kubectl get fails");
}

/// What a waiting kubectl occupies.
pub(crate) struct Waiting {
    pub(crate) peak: String,
    pub(crate) connections: String,
}

/// Lets one kubectl wait for one PackageInstall.
pub(crate) fn waiting(testbed: &Testbed, scene: &Scene) -> Waiting {
    let mut command = kubectl(testbed, scene, 0);
    command.args(["wait", "packageinstall", "--all", "--for=condition=Never", "--timeout=2m"]);
    let mut child = command.spawn().expect("kubectl starts");
    std::thread::sleep(Duration::from_secs(4));
    let waiting = Waiting { peak: memory(child.id(), "VmHWM"), connections: connections(child.id()).to_string() };
    child.kill().and_then(|()| child.wait()).expect("kubectl ends");
    waiting
}

fn kubectl(testbed: &Testbed, scene: &Scene, number: usize) -> Command {
    let kubeconfig: &PathBuf = &scene.kubeconfigs[number];
    let mut command = Command::new(testbed.tools().kubectl());
    command.arg("--kubeconfig").arg(kubeconfig).env("KUBECACHEDIR", testbed.work().join("kubectl-cache-of-fleet"));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}
