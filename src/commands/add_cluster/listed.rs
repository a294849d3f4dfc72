//! What a [`List`] of deliveries asks for: the files that it names, read, and the deliveries put together by run cluster.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::list::{List, ListedDelivery, ListedRunCluster, ListedValues};
use super::package_request::{ValuesFile, ValuesRequest, version_constraints};
use super::request::{self, AuthenticationRequest};
use super::targets::{PackageRequest, RunClusterRequest};
use crate::check::Checks;
use crate::cli::AddClusterArgs;
use crate::error::{Error, Result};
use crate::gitops::values::check_values;
use crate::names;
use crate::ui::prompt;

/// Reads a list, and the files that it names, which are relative to it; `-` is standard input. All that is wrong is named together.
pub(super) async fn read(path: &Path, arguments: &AddClusterArgs) -> Result<Vec<RunClusterRequest>> {
    let is_input = path == Path::new("-");
    let origin = if is_input { "standard input".to_owned() } else { path.display().to_string() };
    let text = prompt::file(path).await.map_err(|error| {
        Error::usage(format!("cannot read the list of deliveries {origin}"))
            .because(error)
            .hint("name a file with a list under `deliveries`: --from-file FILE")
    })?;
    let list = List::parse(&text, &origin)?;
    let directory = path.parent().filter(|_| !is_input).unwrap_or(Path::new("")).to_owned();
    let mut checks = Checks::default();
    let mut run_clusters: Vec<RunClusterRequest> = Vec::new();
    for delivery in list.deliveries {
        let place = delivery.place.clone();
        let known = run_clusters.iter().position(|known| known.name == delivery.run_cluster);
        let index = if let Some(index) = known {
            index
        } else {
            let of_list = list.run_clusters.iter().find(|one| one.name == delivery.run_cluster);
            let place = of_list.map_or(&place, |one| &one.place);
            let read = run_cluster(&delivery.run_cluster, of_list, &directory, arguments).await;
            let Ok(read) = checks.take_silently("run cluster", read.map_err(|error| error.about(place))) else {
                continue;
            };
            run_clusters.push(read);
            run_clusters.len() - 1
        };
        let read = package(delivery, &directory).await.and_then(|read| {
            let packages = run_clusters.get(index).map(|known| known.packages.as_slice()).unwrap_or_default();
            let name = names::of_package(&read.package);
            names::check_package(name)?;
            if packages.iter().any(|known| names::of_package(&known.package) == name) {
                let run_cluster = run_clusters.get(index).map(|known| known.name.clone()).unwrap_or_default();
                return Err(Error::usage(format!("{name} is delivered to {run_cluster} twice")));
            }
            Ok(read)
        });
        if let Ok(read) = checks.take_silently("delivery", read.map_err(|error| error.about(&place)))
            && let Some(run_cluster) = run_clusters.get_mut(index)
        {
            run_cluster.packages.push(read);
        }
    }
    checks.refuse_if_failed()?;
    Ok(run_clusters)
}

/// Reads how a run cluster is reached: as the list says, else through the context of its name.
async fn run_cluster(
    name: &str,
    listed: Option<&ListedRunCluster>,
    directory: &Path,
    arguments: &AddClusterArgs,
) -> Result<RunClusterRequest> {
    let (mut endpoint, mut authentication) = (arguments.endpoint.clone(), arguments.authentication.clone());
    if let Some(listed) = listed {
        let below = |file: &Option<PathBuf>| file.as_ref().map(|file| directory.join(file));
        endpoint.flux_server = listed.flux_server.clone();
        endpoint.flux_tls_server_name = listed.flux_tls_server_name.clone();
        endpoint.flux_proxy_url = listed.flux_proxy_url.clone().or(endpoint.flux_proxy_url);
        endpoint.flux_certificate_authority =
            below(&listed.flux_certificate_authority).or(endpoint.flux_certificate_authority);
        authentication.kubeconfig_file = below(&listed.kubeconfig_file);
    }
    if authentication.kubeconfig_file.is_some()
        && (authentication.auth.is_some() || authentication.token_duration.is_some())
    {
        return Err(Error::usage(format!("the kubeconfig file of {name} contradicts --auth and --token-duration"))
            .hint("deliver to run clusters of another method with a list of their own"));
    }
    Ok(RunClusterRequest {
        name: name.to_owned(),
        context: listed.and_then(|listed| listed.run_context.clone()).unwrap_or_else(|| name.to_owned()),
        reached: None,
        endpoint: request::endpoint_overrides(&endpoint)?,
        authentication: AuthenticationRequest::of(&authentication).await?,
        packages: Vec::new(),
    })
}

async fn package(delivery: ListedDelivery, directory: &Path) -> Result<PackageRequest> {
    let mut files = Vec::new();
    for values in delivery.values {
        files.push(match values {
            ListedValues::File(file) => ValuesFile::read(&directory.join(file)).await?,
            ListedValues::Inline(text) => {
                let origin = format!("the values at {}", delivery.place);
                check_values(text.expose_secret(), &origin)?;
                ValuesFile { origin, text }
            }
        });
    }
    names::check_namespace(&delivery.target_namespace)?;
    Ok(PackageRequest {
        package: names::normalised_path(&delivery.package).to_owned(),
        target_namespace: delivery.target_namespace,
        version_constraints: version_constraints(delivery.version_constraints.as_ref())?,
        values: ValuesRequest { files, ..ValuesRequest::default() },
    })
}
