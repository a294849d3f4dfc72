//! Flags that had another meaning in an earlier version, where they said how Flux reaches the run cluster: now they are
//! kubectl's, and about the build cluster.

use kube::config::Kubeconfig;

use crate::cli::{AddClusterArgs, EndpointArgs};
use crate::cluster::{Connection, find_kubeconfig};
use crate::error::{Error, Result};
use crate::kubeconfig::{Endpoint, base64};
use crate::ui::Ui;

/// Says what the flags mean now, and refuses those that would send the build cluster's credential to the run cluster.
pub(super) fn check(ui: Ui, connection: &Connection, arguments: &AddClusterArgs) -> Result<()> {
    for name in given_alone(connection, &arguments.endpoint) {
        ui.warning(&format!(
            "--{name} is about the build cluster, as with kubectl; for Flux's way to the run cluster, give --flux-{name}"
        ));
    }
    let (Some(server), Some(context)) = (&connection.server, &arguments.run_context) else { return Ok(()) };
    // Whoever names a cluster entry or a credential, or Flux's address as well, means the build cluster.
    let is_meant = connection.cluster.is_some()
        || connection.user.is_some()
        || connection.token.is_some()
        || connection.client_certificate.is_some()
        || connection.username.is_some()
        || arguments.endpoint.flux_server.is_some();
    if is_meant {
        return Ok(());
    }
    let run_file = connection.of_run_clusters(arguments.run_kubeconfig.as_ref()).kubeconfig;
    let of_build = find_kubeconfig(connection.kubeconfig.as_deref())?.unwrap_or_default();
    let of_run = find_kubeconfig(run_file.as_deref())?.unwrap_or_default();
    // A file that cannot be read is refused where it is used.
    let certificates = connection.certificate_authority.as_ref().and_then(|file| std::fs::read(file).ok());
    let given = reached_at(server.clone(), certificates.map(|pem| base64(&pem)));
    let build = endpoint(&of_build, connection.context.as_ref().or(of_build.current_context.as_ref()));
    let run = endpoint(&of_run, Some(context));
    refuse_run_cluster(&given, build.as_ref(), run.as_ref(), context)
}

/// Returns the flags that are given without their new names.
fn given_alone(connection: &Connection, endpoint: &EndpointArgs) -> impl Iterator<Item = &'static str> + use<> {
    let flags = [
        ("server", connection.server.is_some() && endpoint.flux_server.is_none()),
        ("tls-server-name", connection.tls_server_name.is_some() && endpoint.flux_tls_server_name.is_none()),
        (
            "certificate-authority",
            connection.certificate_authority.is_some() && endpoint.flux_certificate_authority.is_none(),
        ),
    ];
    flags.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name)
}

/// Refuses an address, or a certificate authority, that is the run cluster's and not the build cluster's.
fn refuse_run_cluster(
    given: &Endpoint,
    build: Option<&Endpoint>,
    run: Option<&Endpoint>,
    run_context: &str,
) -> Result<()> {
    let is_server_of = |endpoint: Option<&Endpoint>| endpoint.is_some_and(|endpoint| endpoint.leads_to(&given.server));
    let is_authority_of = |endpoint: Option<&Endpoint>| {
        given.certificate_authority_data.is_some()
            && endpoint.is_some_and(|endpoint| endpoint.certificate_authority_data == given.certificate_authority_data)
    };
    let what = if is_server_of(run) && !is_server_of(build) {
        "the server"
    } else if is_authority_of(run) && !is_authority_of(build) && !is_server_of(build) {
        "the certificate authority"
    } else {
        return Ok(());
    };
    Err(Error::usage("--server is about the build cluster, as with kubectl, but names the run cluster")
        .because(format!(
            "{what} is that of the context `{run_context}`; the build cluster's credential would be sent there"
        ))
        .hint("for Flux's way to the run cluster: --flux-server URL --flux-certificate-authority FILE")
        .hint("if the build cluster is meant, name its cluster entry: --cluster NAME"))
}

/// Makes an endpoint of an address and a certificate authority.
fn reached_at(server: String, certificate_authority_data: Option<String>) -> Endpoint {
    Endpoint { server, certificate_authority_data, tls_server_name: None, proxy_url: None }
}

/// Returns the address and the certificate authority of a context, as far as its kubeconfig says them.
fn endpoint(kubeconfig: &Kubeconfig, context: Option<&String>) -> Option<Endpoint> {
    let context = kubeconfig.contexts.iter().find(|entry| Some(&entry.name) == context)?.context.as_ref()?;
    let cluster = kubeconfig.clusters.iter().find(|entry| entry.name == context.cluster)?.cluster.as_ref()?;
    let certificates = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) => Some(data.clone()),
        (None, Some(file)) => std::fs::read(file).ok().map(|pem| base64(&pem)),
        (None, None) => None,
    };
    Some(reached_at(cluster.server.clone()?, certificates))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::assert_printed;

    fn judge(server: &str, authority: Option<&str>, build: &str) -> Result<()> {
        let endpoint =
            |server: &str, authority: Option<&str>| reached_at(server.to_owned(), authority.map(str::to_owned));
        let build = endpoint(build, Some("build-authority"));
        let run = endpoint("https://prod1.example:6443", Some("run-authority"));
        refuse_run_cluster(&endpoint(server, authority), Some(&build), Some(&run), "prod1")
    }

    #[test]
    fn what_is_the_run_clusters_alone_is_refused() {
        let build = "https://build.example:6443";
        for (server, authority) in [
            ("https://PROD1.example:6443/", None),
            ("https://prod1.example:6443", Some("build-authority")),
            ("https://10.0.0.1:6443", Some("run-authority")),
        ] {
            let refusal = judge(server, authority, build).expect_err(server);
            assert!(refusal.to_string().contains("names the run cluster"), "{refusal}");
        }
        assert_printed("server_of_the_run_cluster", &judge("https://prod1.example:6443", None, build).expect_err("it"));
    }

    #[test]
    fn what_may_be_the_build_clusters_is_not() {
        for (server, authority, build) in [
            ("https://10.0.0.1:6443", None, "https://build.example:6443"),
            ("https://10.0.0.1:6443", Some("of-a-proxy"), "https://build.example:6443"),
            ("https://build.example:6443", Some("run-authority"), "https://build.example:6443"),
            ("https://prod1.example:6443", None, "https://prod1.example:6443"),
        ] {
            assert!(judge(server, authority, build).is_ok(), "{server} {authority:?} {build}");
        }
    }
}
