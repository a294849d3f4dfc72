//! Whether one cluster has several names: staging and production may share one, or somebody mistook one for the other.

use kube::ResourceExt;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::labels;
use crate::object::api_resource;

/// Names the credentials in a namespace on the build cluster, other than `own`, that lead to the cluster with this UID.
pub async fn other_names(build: &Cluster, namespace: &str, uid: &str, own: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for kind in ["Secret", "ConfigMap"] {
        let objects = build.list_metadata(&api_resource("", "v1", kind), namespace).await?;
        let same = objects.iter().filter(|object| {
            object.annotations().get(labels::RUN_CLUSTER_UID).is_some_and(|known| known == uid)
                && object.name_any() != own
        });
        names.extend(same.map(|object| format!("{kind} {namespace}/{}", object.name_any())));
    }
    Ok(names)
}

/// Says that a cluster has several names.
#[must_use]
pub fn of_one_cluster(run_cluster: &str, others: &[String]) -> Error {
    Error::new(format!("{run_cluster} has another name already: {} leads to the same cluster", others.join(", ")))
        .because("their namespaces kube-system have one UID")
        .hint("this is as it should be where several stages share a cluster; else check the context of the run cluster")
}
