//! How Flux authenticates on the run cluster and at which endpoint it reaches it: as the flags ask for, or as it does already.
//!
//! Whether a kubeconfig that exists already works is proven in [`super::access`]; what is set up lives in the plan.

use kube::ResourceExt;
use kube::api::DynamicObject;
use secrecy::SecretString;

use crate::authentication::Method;
use crate::authentication::acceptance::{Addresses, Verdict};
use crate::authentication::stored::StoredCredential;
use crate::cluster::Cluster;
use crate::commands::add_cluster::clusters::Clusters;
use crate::commands::add_cluster::facts::{Authentication, ExistingCredential, Identity};
use crate::commands::add_cluster::request::{AuthenticationRequest, KubeconfigFile, Request, WorkloadIdentityRequest};
use crate::error::{Error, Result};
use crate::flux::{Provider, RunCredential, WorkloadIdentity, impersonated_user};
use crate::kubeconfig::{Endpoint, decoded};
use crate::labels;
use crate::names;
use crate::object::api_resource;

/// The Deployment of the controller that reaches run clusters, where Flux runs as pods.
const CONTROLLER: &str = "kustomize-controller";

/// The account that Kubernetes makes in every namespace.
const DEFAULT_ACCOUNT: &str = "default";

/// Where every installer of Flux puts it by default.
const FLUX_NAMESPACE: &str = "flux-system";

/// Reads what Flux has already: a Secret with a kubeconfig, else the ConfigMap of a workload identity.
pub(super) async fn existing(build: &Cluster, request: &Request) -> Result<Option<ExistingCredential>> {
    for kind in [RunCredential::Secret, RunCredential::ConfigMap] {
        if let Some(object) = build.get(&request.credential_reference(kind)).await? {
            return Ok(Some(ExistingCredential { kind, object }));
        }
    }
    Ok(None)
}

/// Returns the stored token if it authenticates where Flux will use it, and refuses an address that knows no tokens of service
/// accounts at all, where that can be told before one is made. The text is a warning.
///
/// `namespace` is one that exists and has an account to try.
pub(super) async fn working_token(
    run: &Cluster,
    endpoint: &Endpoint,
    stored: Option<&StoredCredential>,
    namespace: &str,
) -> Result<(Option<SecretString>, Option<Error>)> {
    let addresses = Addresses::of(run, endpoint).await?;
    let known = match stored.and_then(StoredCredential::token) {
        Some(token) => {
            let namespace = stored.and_then(|stored| stored.deployer_namespace.as_deref()).unwrap_or_default();
            Some((token, addresses.know(token, namespace).await?))
        }
        None => None,
    };
    match known {
        Some((token, Verdict::Answered(..))) => return Ok((Some(token.clone()), None)),
        Some((_, Verdict::Failed(error))) => return Err(error),
        _ => {}
    }
    match (known, addresses.probe(namespace, DEFAULT_ACCOUNT).await) {
        (_, Some(Verdict::Refused(words))) => {
            let what = format!("Flux could not use a token of a service account on {}", run.display());
            Err(addresses.refusal(&what, &words))
        }
        (Some((token, Verdict::OutOfReach(error))), None | Some(Verdict::OutOfReach(_) | Verdict::Failed(_))) => {
            let warning = Error::new("only Flux can tell whether the stored credential works")
                .because(error)
                .because("your own address knows only its own users");
            Ok((Some(token.clone()), Some(warning)))
        }
        _ => Ok((None, None)),
    }
}

/// Decides how Flux authenticates: as it is asked for where nothing is stored yet, else as is stored. Pure.
///
/// Refuses to change the method of a run cluster that was added already: the old credential would stay valid. What was
/// stored without the plugin may become a kubeconfig file, and the file another one; on demand it becomes a token. A token's duration is no other method: one that
/// works is left as it is, and `rotate` gives another.
pub(super) fn authentication(
    request: &Request,
    user_endpoint: &Endpoint,
    existing: Option<&ExistingCredential>,
    stored: Option<&StoredCredential>,
) -> Result<Authentication> {
    let object = existing.map(|existing| &existing.object);
    let identity = |asked: &WorkloadIdentityRequest| {
        identity(request, user_endpoint, asked, object).map(Authentication::WorkloadIdentity)
    };
    match (object.map(Method::of), &request.authentication) {
        (None, Some(AuthenticationRequest::Token { duration })) => Ok(Authentication::Token { duration: *duration }),
        (None, None) | (Some(Method::Token), None | Some(AuthenticationRequest::Token { .. })) => {
            Ok(Authentication::Token { duration: None })
        }
        (Some(Method::BoundedToken), None | Some(AuthenticationRequest::Token { .. })) => {
            Ok(Authentication::Token { duration: stored.and_then(StoredCredential::granted) })
        }
        // What somebody else has made is taken over by a credential that allows less.
        (Some(Method::Unmanaged), Some(AuthenticationRequest::Token { duration })) if request.force_conflicts => {
            Ok(Authentication::Token { duration: *duration })
        }
        (
            None | Some(Method::Unmanaged | Method::KubeconfigFile),
            Some(AuthenticationRequest::KubeconfigFile(file)),
        ) => Ok(Authentication::KubeconfigFile(file.clone())),
        (None | Some(Method::WorkloadIdentity), Some(AuthenticationRequest::WorkloadIdentity(asked))) => {
            identity(asked)
        }
        (Some(Method::WorkloadIdentity), None) => identity(&WorkloadIdentityRequest::default()),
        (Some(method), None) => Ok(Authentication::Stored(method)),
        (Some(method), Some(asked)) => {
            let object = existing.map(|existing| request.credential_reference(existing.kind).display());
            let error = Error::new(format!(
                "{} already authenticates with another method: {}",
                request.run_cluster,
                method.name()
            ))
            .because(format!("{} would be replaced, and what it allows would stay valid", object.unwrap_or_default()))
            .hint("leave the flags of the other method out, or choose another name for the run cluster");
            Err(match (method, asked) {
                (Method::Unmanaged, AuthenticationRequest::Token { .. }) => {
                    error.hint("or replace the kubeconfig, and revoke what it allows yourself: --force-conflicts")
                }
                _ => error,
            })
        }
    }
}

/// Decides which workload identity Flux uses: what the flags leave open stays as it is stored, or follows from the run
/// cluster's address. Pure.
fn identity(
    request: &Request,
    user_endpoint: &Endpoint,
    asked: &WorkloadIdentityRequest,
    stored: Option<&DynamicObject>,
) -> Result<Identity> {
    let stored_user = stored.and_then(|stored| stored.annotations().get(labels::IDENTITY_USER).cloned());
    let known = stored.and_then(|stored| WorkloadIdentity::of(stored).ok()?.endpoint());
    let stored = stored.map(WorkloadIdentity::of).transpose()?.unwrap_or_default();
    let provider = asked.provider.unwrap_or(stored.provider);
    let is_cloud = provider != Provider::Generic;
    let cluster = asked.cluster_resource.clone().or(stored.cluster);
    let service_account = asked
        .identity_service_account
        .clone()
        .or(stored.service_account)
        .or_else(|| (!is_cloud).then(|| names::identity(&request.run_cluster)));
    let audiences = if asked.audiences.is_empty() { stored.audiences } else { asked.audiences.clone() };
    let mut workload =
        WorkloadIdentity { provider, cluster, audiences, service_account, ..WorkloadIdentity::default() };
    // A cloud knows address and authority by the cluster's name, also when they change.
    if workload.cluster.is_none() || !request.endpoint.is_empty() {
        let endpoint = endpoint(request, user_endpoint, known.as_ref());
        if endpoint.tls_server_name.is_some() || endpoint.proxy_url.is_some() {
            return Err(Error::usage("Flux cannot use a TLS server name or a proxy with a workload identity")
                .because(format!("{} is reached with one", endpoint.server))
                .hint("reach the API server without (an empty --flux-tls-server-name or --flux-proxy-url), or choose another method to authenticate"));
        }
        workload.address = Some(endpoint.server);
        workload.certificate_authority = endpoint.certificate_authority_data.as_deref().and_then(decoded);
    }
    workload.check()?;
    let own_user = || {
        let account = workload.service_account.as_ref().filter(|_| !is_cloud)?;
        Some(impersonated_user(&request.namespace, account))
    };
    let user = asked.identity_user.clone().or(stored_user).or_else(own_user).ok_or_else(|| {
        Error::usage(format!("provider {} requires --identity-user", provider.name()))
            .because("the roles on the run cluster are bound to it")
            .hint("name it: --identity-user USER; docs/authentication.md says who it is in each cloud")
    })?;
    Ok(Identity { workload, user })
}

/// Returns the endpoint at which Flux is to reach the run cluster: as the flags say, and for the rest as it does already, or
/// as the user does where it does not yet. Pure.
pub(super) fn endpoint(request: &Request, user_endpoint: &Endpoint, known: Option<&Endpoint>) -> Endpoint {
    request.endpoint.apply(known.unwrap_or(user_endpoint).clone())
}

/// Refuses an endpoint that Flux cannot reach, or at which another cluster answers.
pub(super) async fn check_endpoint(
    clusters: &Clusters,
    request: &Request,
    authentication: &Authentication,
    known: Option<&Endpoint>,
    endpoint: &Endpoint,
    run_uid: &str,
) -> Result<()> {
    match authentication {
        Authentication::Token { .. } => {}
        Authentication::WorkloadIdentity(identity) if identity.workload.address.is_some() => {}
        Authentication::KubeconfigFile(file) => return check_endpoint_of_file(clusters, request, file, known).await,
        _ => return if request.endpoint.is_empty() { Ok(()) } else { Err(not_ours(request)) },
    }
    if known == Some(endpoint) {
        return Ok(());
    }
    if request.endpoint.server.is_none() && !request.allow_loopback && endpoint.is_loopback() {
        refuse_where_flux_runs_as_pods(&clusters.build, &request.run_cluster, endpoint).await?;
    }
    if request.endpoint.is_empty() {
        return Ok(());
    }
    // What cannot be reached from here, or does not know the user, Flux finds out about.
    match clusters.run.through(endpoint).await?.uid().await {
        Ok(uid) if uid != run_uid => Err(Error::new(format!("another cluster answers at {}", endpoint.server))
            .because(format!("it has the kube-system UID {uid}, {} has {run_uid}", clusters.run.display()))
            .hint("name an address of the same cluster: --flux-server https://HOST:PORT")),
        _ => Ok(()),
    }
}

/// Says that the kubeconfig is somebody else's, address and all.
fn not_ours(request: &Request) -> Error {
    Error::usage(format!("cannot change the address of {}: its kubeconfig is yours", request.run_cluster))
        .because(format!("{} is used as it is", request.credential_reference(RunCredential::Secret).display()))
        .hint("change it there, and leave the flags that begin with --flux- out")
}

/// Refuses a kubeconfig of the user's own with an address of the machine itself, where that would be the controller's pod.
async fn check_endpoint_of_file(
    clusters: &Clusters,
    request: &Request,
    file: &KubeconfigFile,
    known: Option<&Endpoint>,
) -> Result<()> {
    let no_file = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    let endpoint = Endpoint::of_context(&file.as_flux_reads_it()?, None, no_file)?;
    if request.allow_loopback || known == Some(&endpoint) || !endpoint.is_loopback() {
        return Ok(());
    }
    refuse_where_flux_runs_as_pods(&clusters.build, &request.run_cluster, &endpoint).await
}

/// Refuses an address of the machine itself where that would be the controller's own pod.
async fn refuse_where_flux_runs_as_pods(build: &Cluster, run_cluster: &str, endpoint: &Endpoint) -> Result<()> {
    let Some(namespace) = namespace_of_flux(build).await else { return Ok(()) };
    let address = endpoint.proxy_url.as_ref().map_or(endpoint.server.as_str(), |_| "its proxy");
    Err(Error::new(format!("Flux cannot reach the run cluster `{run_cluster}` at {address}"))
        .because(format!(
            "Flux runs as a pod (Deployment {namespace}/{CONTROLLER}), for which a loopback address is the pod itself"
        ))
        .hint("name the address that Flux reaches: --flux-server https://HOST:PORT, or in the kubeconfig that you give")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::assert_printed;

    fn user_endpoint() -> Endpoint {
        Endpoint {
            server: "https://prod1.example:6443".to_owned(),
            certificate_authority_data: None,
            tls_server_name: None,
            proxy_url: None,
        }
    }

    fn stored(method: Method) -> ExistingCredential {
        let mut object = DynamicObject::new("prod1-kubeconfig", &api_resource("", "v1", "Secret"));
        object.annotations_mut().insert(labels::AUTHENTICATION.to_owned(), method.name().to_owned());
        ExistingCredential { kind: RunCredential::Secret, object }
    }

    #[test]
    fn the_method_of_a_run_cluster_stays() {
        let asked = AuthenticationRequest::WorkloadIdentity(WorkloadIdentityRequest::default());
        let request = Request { authentication: Some(asked), ..Request::example() };
        let answer = authentication(&request, &user_endpoint(), Some(&stored(Method::Token)), None);
        assert_printed("another_method", &answer.expect_err("the token would stay valid"));
    }

    #[test]
    fn a_cloud_does_not_tell_who_its_identity_is() {
        let asked = WorkloadIdentityRequest {
            provider: Some(Provider::Aws),
            cluster_resource: Some("arn:aws:eks:eu-west-1:123456789012:cluster/prod1".to_owned()),
            ..WorkloadIdentityRequest::default()
        };
        let request =
            Request { authentication: Some(AuthenticationRequest::WorkloadIdentity(asked)), ..Request::example() };
        let answer = authentication(&request, &user_endpoint(), None, None);
        assert_printed("missing_identity_user", &answer.expect_err("the roles would be bound to nobody"));
    }

    #[test]
    fn the_address_in_a_kubeconfig_of_the_users_own_stays() {
        assert_printed("address_of_a_kubeconfig_file", &not_ours(&Request::example()));
    }
}
