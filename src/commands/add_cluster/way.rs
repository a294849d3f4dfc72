//! Flux's way to the run cluster: which address counts, and what is refused about it before it is written.

use kube::config::Kubeconfig;

use super::answers::Answers;
use super::authentication::Authentication;
use super::authentication::reference;
use super::gather::Facts;
use super::kubeconfig_file::KubeconfigFile;
use crate::cli::EndpointArgs;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::flux::RunCredential;
use crate::kubeconfig::{Endpoint, EndpointOverrides};
use crate::object::api_resource;
use crate::observe::wait::Way;
use crate::plan::{Change, Place, Plan, Preview, Step};

/// The Deployment of the controller that reaches run clusters, where Flux runs as pods.
const CONTROLLER: &str = "kustomize-controller";

/// Where every installer of Flux puts it by default.
const FLUX_NAMESPACE: &str = "flux-system";

/// Reads the flags that replace parts of the endpoint.
pub(super) fn overrides(arguments: &EndpointArgs) -> Result<EndpointOverrides> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).map_err(|error| {
            Error::usage(format!("cannot read the certificate authority {}", path.display())).because(error)
        })
    };
    let overrides = EndpointOverrides {
        server: arguments.server.clone(),
        proxy_url: arguments.proxy_url.clone(),
        tls_server_name: arguments.tls_server_name.clone(),
        certificate_authority: arguments.certificate_authority.as_ref().map(read).transpose()?,
    };
    overrides.check()?;
    Ok(overrides)
}

/// Returns how the user's context reaches the run cluster. That it does not verify the server's certificate is no
/// obstacle where Flux gets an authority of its own.
pub(super) fn of_context(kubeconfig: &Kubeconfig, context: &str, overrides: &EndpointOverrides) -> Result<Endpoint> {
    let mut kubeconfig = kubeconfig.clone();
    if overrides.certificate_authority.is_some() {
        for cluster in kubeconfig.clusters.iter_mut().filter_map(|entry| entry.cluster.as_mut()) {
            cluster.insecure_skip_tls_verify = None;
        }
    }
    Endpoint::of_context(&kubeconfig, Some(context), |path| std::fs::read(path))
}

/// Returns how Flux is to reach the run cluster: as the flags say, and for the rest as it does already, or as the user
/// does where it does not yet.
pub(super) fn endpoint(answers: &Answers, known: Option<&Endpoint>) -> Endpoint {
    answers.overrides.apply(known.unwrap_or(&answers.endpoint).clone())
}

/// Refuses an address that Flux cannot reach, or at which another cluster answers.
pub(super) async fn check(
    answers: &Answers,
    authentication: &Authentication,
    known: Option<&Endpoint>,
    endpoint: &Endpoint,
    run_uid: &str,
) -> Result<()> {
    match authentication {
        Authentication::Token { .. } => {}
        Authentication::WorkloadIdentity(identity) if identity.workload.address.is_some() => {}
        Authentication::KubeconfigFile(file) => return check_file(answers, file, known).await,
        _ => return if answers.overrides.is_empty() { Ok(()) } else { Err(not_ours(answers)) },
    }
    if known == Some(endpoint) {
        return Ok(());
    }
    if answers.overrides.server.is_none() && !answers.allows_loopback && endpoint.is_loopback() {
        refuse_where_flux_runs_as_pods(&answers.build, &answers.run_cluster, endpoint).await?;
    }
    if answers.overrides.is_empty() {
        return Ok(());
    }
    // What cannot be reached from here, or does not know the user, Flux finds out about.
    match answers.run.through(endpoint).await?.uid().await {
        Ok(uid) if uid != run_uid => Err(Error::new(format!("another cluster answers at {}", endpoint.server))
            .because(format!("it has the kube-system UID {uid}, {} has {run_uid}", answers.run.display()))
            .hint("name an address of the same cluster: --server https://HOST:PORT")),
        _ => Ok(()),
    }
}

/// Returns the context to observe the run cluster through where Flux's way may not be open to the user.
pub(super) fn run_contexts(answers: &Answers, facts: &Facts) -> Vec<(String, String)> {
    let is_ours = matches!(facts.authentication, Authentication::Token { .. } | Authentication::WorkloadIdentity(_));
    let is_another_way = is_ours && facts.endpoint != answers.endpoint;
    let context = is_another_way.then(|| answers.run.context().to_owned()).or_else(|| facts.run_context.clone());
    context.into_iter().map(|context| (answers.run_cluster.clone(), context)).collect()
}

/// Tells whether the plan gives Flux another way to the run cluster, or its first one.
pub(super) fn novelty(plan: &Plan, preview: &Preview) -> Way {
    let stores = |(step, change): (&Step, &Change)| match step {
        Step::Mint(_) => *change != Change::None,
        Step::Apply(apply) => {
            let is_credential = apply.manifest["kind"] == "Secret" || apply.manifest["kind"] == "ConfigMap";
            apply.place == Place::Build && is_credential && *change != Change::None
        }
        _ => false,
    };
    let creates = |(step, change): &(&Step, &Change)| matches!(step, Step::Apply(apply) if apply.manifest["kind"] == "Kustomization" && **change == Change::Create);
    match (preview.steps(plan).any(stores), preview.steps(plan).filter(creates).count()) {
        (false, _) => Way::Known,
        (true, 2) => Way::New,
        (true, _) => Way::Changed,
    }
}

/// Says that the kubeconfig is somebody else's, address and all.
fn not_ours(answers: &Answers) -> Error {
    Error::usage(format!("cannot change the address of {}: its kubeconfig is yours", answers.run_cluster))
        .because(format!("{} is used as it is", reference(answers, RunCredential::Secret).display()))
        .hint("change it there, and leave --server, --proxy-url, --tls-server-name and --certificate-authority out")
}

/// Refuses a kubeconfig of the user's own with an address of the machine itself, where that would be the controller's pod.
async fn check_file(answers: &Answers, file: &KubeconfigFile, known: Option<&Endpoint>) -> Result<()> {
    let no_file = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    let endpoint = Endpoint::of_context(&file.as_flux_reads_it()?, None, no_file)?;
    if answers.allows_loopback || known == Some(&endpoint) || !endpoint.is_loopback() {
        return Ok(());
    }
    refuse_where_flux_runs_as_pods(&answers.build, &answers.run_cluster, &endpoint).await
}

/// Refuses an address of the machine itself where that would be the controller's own pod.
async fn refuse_where_flux_runs_as_pods(build: &Cluster, run_cluster: &str, endpoint: &Endpoint) -> Result<()> {
    let Some(namespace) = namespace_of_flux(build).await else { return Ok(()) };
    let address = endpoint.proxy_url.as_ref().map_or(endpoint.server.as_str(), |_| "its proxy");
    Err(Error::new(format!("Flux cannot reach the run cluster `{run_cluster}` at {address}"))
        .because(format!(
            "Flux runs as a pod (Deployment {namespace}/{CONTROLLER}), for which a loopback address is the pod itself"
        ))
        .hint("name the address that Flux reaches: --server https://HOST:PORT, or in the kubeconfig that you give")
        .hint("or, where the pod uses the network of its node: --allow-loopback"))
}

/// Returns where Flux runs as pods; `None` where it does not, or that cannot be seen.
async fn namespace_of_flux(build: &Cluster) -> Option<String> {
    let deployments = api_resource("apps", "v1", "Deployment");
    match build.namespaces_of(&deployments, CONTROLLER, None).await {
        Ok(namespaces) => namespaces.into_iter().next(),
        Err(_) => build.namespaces_of(&deployments, CONTROLLER, Some(FLUX_NAMESPACE)).await.ok()?.into_iter().next(),
    }
}
