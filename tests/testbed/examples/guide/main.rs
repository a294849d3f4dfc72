//! Delivers a package by hand, as the guide describes it, to prove the testbed without the plugin.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use testbed::sandbox::{self, Entered};
use testbed::{BUILD, Error, Options, PackageVersion, Result, Testbed, Workspace};

const PACKAGE: &str = "hello-app.default.tap";
const VERSION: &str = "20261122120000.0.0+build.abc1234";

#[expect(clippy::print_stderr, reason = "this is where errors end up")]
fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    if let Entered::Finished(code) = sandbox::enter()? {
        return Ok(code.into());
    }
    let started = Instant::now();
    let step = |what: &str| say(&format!("{:6.1} s  {what}", started.elapsed().as_secs_f32()));
    let testbed = match std::env::args().nth(1) {
        Some(kubeconfig) => Testbed::connect(Path::new(&kubeconfig))?,
        None => Testbed::start(&Options::default())?,
    };
    step("clusters are ready");
    let workspace = testbed.workspace("guide")?;
    step("workspace is ready");
    testbed.publish(workspace.repository(), &PackageVersion::new(PACKAGE, VERSION))?;
    for cluster in testbed.run_clusters() {
        deliver(&testbed, &workspace, cluster)?;
    }
    testbed.apply(BUILD, &fill(include_str!("build-cluster.yaml"), &workspace, ""))?;
    step("delivery is set up");
    for cluster in testbed.run_clusters() {
        wait(&testbed, &workspace, cluster)?;
        step(&format!("installed on {cluster}"));
        let namespace = workspace.target_namespace();
        say(&testbed.kubectl(cluster, &["get", "packageinstall,deployment,service,pods", "-n", namespace])?);
    }
    Ok(ExitCode::SUCCESS)
}

fn deliver(testbed: &Testbed, workspace: &Workspace, cluster: &str) -> Result<()> {
    let namespace = workspace.target_namespace();
    let user = format!("--user=system:serviceaccount:{namespace}:installer");
    testbed.kubectl(cluster, &["create", "serviceaccount", "installer", "-n", namespace])?;
    testbed.kubectl(cluster, &["create", "rolebinding", "installer", "-n", namespace, "--clusterrole=admin", &user])?;
    workspace.repository().commit(
        &[
            (&format!("{PACKAGE}/{cluster}/packageinstall.yaml"), Some(include_str!("packageinstall.yaml"))),
            (&format!("{PACKAGE}/{cluster}/params.yaml"), Some(include_str!("params.yaml"))),
        ],
        &format!("Install on {cluster}"),
    )?;
    let kubeconfig = testbed.kubectl(cluster, &["config", "view", "--raw", "--flatten", "--minify", "-o", "json"])?;
    let name = format!("{cluster}-kubeconfig");
    let value = format!("--from-literal=value.yaml={kubeconfig}");
    testbed.kubectl(BUILD, &["create", "secret", "generic", &name, "-n", workspace.build_namespace(), &value])?;
    testbed.apply(BUILD, &fill(include_str!("delivery.yaml"), workspace, cluster)).map(drop)
}

fn wait(testbed: &Testbed, workspace: &Workspace, cluster: &str) -> Result<()> {
    let namespace = workspace.target_namespace();
    let conditions = "jsonpath={.status.conditions[*].type}";
    let query = ["get", "packageinstall", "hello-app", "-n", namespace, "-o", conditions];
    let deadline = Instant::now() + Duration::from_secs(90);
    while testbed.kubectl(cluster, &query).ok().as_deref() != Some("ReconcileSucceeded") {
        if Instant::now() > deadline {
            say(&testbed.kubectl(BUILD, &["get", "gitrepositories,kustomizations", "-A"])?);
            say(&testbed.kubectl(cluster, &["get", "packageinstall,app", "-n", namespace, "-o", "yaml"])?);
            return Err(Error::Failed(format!("the package did not arrive on {cluster}, see above")));
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    Ok(())
}

fn fill(template: &str, workspace: &Workspace, cluster: &str) -> String {
    let repository = workspace.repository();
    template
        .replace("{build_namespace}", workspace.build_namespace())
        .replace("{target_namespace}", workspace.target_namespace())
        .replace("{cluster}", cluster)
        .replace("{url}", repository.url())
        .replace("{username}", &repository.username())
        .replace("{password}", &repository.password())
}

#[expect(clippy::print_stdout, reason = "this is the program's result")]
fn say(text: &str) {
    println!("{text}");
}
