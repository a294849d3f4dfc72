//! What the user that Flux acts as must be allowed on a run cluster.

use futures::future::try_join_all;

use crate::carvel::{DATA_PACKAGING_GROUP, KAPP_CONTROLLER_GROUP, PACKAGING_GROUP};
use crate::cluster::{Access, Cluster};
use crate::error::Result;

/// What Flux applies, reads back and prunes (fluxcd/pkg `ssa/manager_apply.go`, `ssa/manager_delete.go`).
const APPLIED: [(&str, &str); 3] =
    [(DATA_PACKAGING_GROUP, "packages"), (PACKAGING_GROUP, "packageinstalls"), ("", "secrets")];

/// With which verbs.
const APPLYING: [&str; 4] = ["get", "create", "patch", "delete"];

/// What `wait` and `status` read with the same credential.
const READ: [(&str, &str); 3] =
    [(DATA_PACKAGING_GROUP, "packages"), (PACKAGING_GROUP, "packageinstalls"), (KAPP_CONTROLLER_GROUP, "apps")];

/// What a credential lacks in a namespace; each as `verb resource.group`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingAccess {
    /// Without these Flux cannot deliver, or not prune.
    pub to_deliver: Vec<String>,
    /// Without these `wait` and `status` need another credential.
    pub to_read: Vec<String>,
}

/// Asks the API server, as the user that Flux acts as, what is missing in a namespace.
pub async fn flux_access(as_flux: &Cluster, namespace: &str) -> Result<MissingAccess> {
    let delivers = APPLIED.into_iter().flat_map(|resource| APPLYING.map(|verb| (verb, resource)));
    let reads = READ.into_iter().flat_map(|resource| ["get", "list"].map(|verb| (verb, resource)));
    let to_deliver = missing(as_flux, namespace, delivers).await?;
    let to_read = missing(as_flux, namespace, reads).await?;
    let is_news = |access: &String| !to_deliver.contains(access);
    Ok(MissingAccess { to_read: to_read.into_iter().filter(is_news).collect(), to_deliver })
}

async fn missing(
    as_flux: &Cluster,
    namespace: &str,
    accesses: impl Iterator<Item = (&str, (&str, &str))>,
) -> Result<Vec<String>> {
    let asked = accesses.map(|(verb, (group, resource))| async move {
        let is_allowed = as_flux.allows(Access { verb, group, resource, namespace }).await?;
        let name = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
        Ok((!is_allowed).then(|| format!("{verb} {name}")))
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}
