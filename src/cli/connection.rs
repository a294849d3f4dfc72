//! kubectl's flags of the connection: each has the name and the meaning that it has there, and is about the build cluster.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::parse::{parse_duration, parse_extra, parse_secret};
use crate::cluster::Connection;

/// How to reach the build cluster: kubectl's own flags.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Build cluster, as with kubectl (run clusters are reached through contexts)")]
pub struct ConnectionArgs {
    /// Path of the kubeconfig file (default: $KUBECONFIG, then ~/.kube/config, then the service account of the pod)
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Kubeconfig context of the build cluster
    #[arg(long, global = true, value_name = "CONTEXT", env = "CARVELFLUX_CONTEXT", hide_env_values = true)]
    pub context: Option<String>,
    /// Kubeconfig cluster of the build cluster
    #[arg(long, global = true, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Kubeconfig user for the build cluster
    #[arg(long, global = true, value_name = "NAME")]
    pub user: Option<String>,
    /// Namespace of the Flux objects on the build cluster
    #[arg(short, long, global = true, value_name = "NAMESPACE", env = "CARVELFLUX_NAMESPACE", hide_env_values = true)]
    pub namespace: Option<String>,
    /// Address of the API server
    #[arg(short, long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// Name in the API server's certificate, where it is not the address's
    #[arg(long, global = true, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// File with the certificates of the CA that signed that of the API server
    #[arg(long, global = true, value_name = "FILE")]
    pub certificate_authority: Option<String>,
    /// Do not verify the API server's certificate: everybody on the way can read the credential
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub insecure_skip_tls_verify: Option<bool>,
    /// Bearer token; other users of the machine can read arguments
    #[arg(long, global = true, value_name = "TOKEN", value_parser = parse_secret)]
    pub token: Option<SecretString>,
    /// File with a client certificate
    #[arg(long, global = true, value_name = "FILE")]
    pub client_certificate: Option<String>,
    /// File with the key of the client certificate
    #[arg(long, global = true, value_name = "FILE")]
    pub client_key: Option<String>,
    /// User name for basic authentication, which some gateways ask for
    #[arg(long, global = true, value_name = "NAME", hide = true)]
    pub username: Option<String>,
    /// Password for basic authentication
    #[arg(long, global = true, value_name = "PASSWORD", value_parser = parse_secret, hide = true)]
    pub password: Option<SecretString>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    pub impersonate: Option<String>,
    /// Group to impersonate; may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub impersonate_groups: Vec<String>,
    /// UID to impersonate
    #[arg(long = "as-uid", global = true, value_name = "UID")]
    pub impersonate_uid: Option<String>,
    /// Extra field of the user to impersonate; may be repeated
    #[arg(long = "as-user-extra", global = true, value_name = "KEY=VALUE", value_parser = parse_extra)]
    pub impersonate_extra: Vec<(String, String)>,
    /// Time to wait for a single request (such as 10s; 0 means no limit)
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    pub request_timeout: Option<Duration>,
    /// Accepted for kubectl's sake, without effect: nothing is cached
    #[arg(long, global = true, value_name = "DIRECTORY", hide = true)]
    pub cache_dir: Option<PathBuf>,
    /// Accepted for kubectl's sake, without effect: nothing is compressed
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    pub disable_compression: Option<bool>,
}

impl ConnectionArgs {
    /// Returns the connection that the flags ask for.
    pub(crate) fn connection(&self) -> Connection {
        Connection {
            kubeconfig: self.kubeconfig.clone(),
            context: given(self.context.as_ref()),
            cluster: given(self.cluster.as_ref()),
            user: given(self.user.as_ref()),
            server: given(self.server.as_ref()),
            tls_server_name: given(self.tls_server_name.as_ref()),
            certificate_authority: given(self.certificate_authority.as_ref()),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify.unwrap_or_default(),
            token: self.token.clone().filter(|secret| !secret.expose_secret().is_empty()),
            username: given(self.username.as_ref()),
            password: self.password.clone().filter(|secret| !secret.expose_secret().is_empty()),
            client_certificate: given(self.client_certificate.as_ref()),
            client_key: given(self.client_key.as_ref()),
            impersonate: given(self.impersonate.as_ref()),
            impersonate_uid: given(self.impersonate_uid.as_ref()),
            impersonate_groups: self.impersonate_groups.clone(),
            impersonate_extra: self.impersonate_extra.clone(),
            request_timeout: self.request_timeout,
            login_timeout: None,
            runs_no_plugin: false,
        }
    }
}

/// Takes an empty text for none, as kubectl does: it is what a variable without a value leaves.
fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}
