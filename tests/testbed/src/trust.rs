//! Run clusters that trust the build cluster's tokens, as for Flux's workload identity with the provider `generic`.

use std::path::Path;

use serde_json::json;

use crate::cache::write;
use crate::cluster::Cluster;
use crate::error::Result;

/// What a run cluster puts before the names of the build cluster's users.
pub const USER_PREFIX: &str = "build:";

/// Lets everybody read the keys with which the build cluster signs tokens.
pub(crate) fn publish_keys(build: &Cluster) -> Result<()> {
    build.apply(&[json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": "service-account-issuer-discovery-for-all" },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "system:service-account-issuer-discovery",
        },
        "subjects": [{
            "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:unauthenticated",
        }],
    })])
}

/// Writes whom a run cluster's API server trusts, and returns the argument that names the file. Tokens must be for the run
/// cluster, by its name.
pub(crate) fn argument(build: &Cluster, run_cluster: &str, directory: &Path) -> Result<String> {
    let path = directory.join(format!("{run_cluster}-authentication.yaml"));
    let configuration = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [{
            "issuer": {
                "url": build.context.server,
                "audiences": [run_cluster],
                "certificateAuthority": build.authority.certificate,
            },
            "claimMappings": { "username": { "claim": "sub", "prefix": USER_PREFIX } },
        }],
    });
    write(&path, configuration.to_string())?;
    Ok(format!("--authentication-config={}", path.display()))
}
