//! Whether a credential that exists already leads to the cluster that the user means: by the UIDs of what both may read.

use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;

use super::answers::Answers;
use crate::carvel::package_install_resource;
use crate::cluster::{Cluster, User};
use crate::kubeconfig::Endpoint;
use crate::object::{ObjectReference, api_resource};

/// Whether two ways lead to one cluster.
pub(super) enum Comparison {
    Same,
    Other(String),
    Unknown,
}

/// Compares the UID of kube-system, else that of the user's own ServiceAccount, else those of other objects that both may
/// read, else the endpoints.
pub(super) async fn compare(
    answers: &Answers,
    as_flux: &Cluster,
    user: Option<&User>,
    endpoint: &Endpoint,
    run_uid: &str,
) -> Comparison {
    if let Ok(uid) = as_flux.uid().await {
        return if uid == run_uid {
            Comparison::Same
        } else {
            Comparison::Other(format!("its namespace kube-system has the UID {uid}, not {run_uid}"))
        };
    }
    if let Some(user) = user
        && let (Some(there), Some((namespace, name))) = (&user.uid, user.service_account())
    {
        let reference = ObjectReference {
            resource: api_resource("", "v1", "ServiceAccount"),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        };
        if let Ok(here) = answers.run.get_metadata(&reference).await {
            return match here.and_then(|account| account.metadata.uid) {
                Some(here) if here == *there => Comparison::Same,
                Some(_) => Comparison::Other(format!("its {} is another one", reference.display())),
                None => Comparison::Other(format!("it has a {}, the other has none", reference.display())),
            };
        }
    }
    for reference in comparable(answers).await {
        let (Ok(here), Ok(there)) =
            (answers.run.get_metadata(&reference).await, as_flux.get_metadata(&reference).await)
        else {
            continue;
        };
        let uid = |object: &Option<PartialObjectMeta<DynamicObject>>| object.as_ref()?.metadata.uid.clone();
        match (uid(&here), uid(&there)) {
            (Some(here), Some(there)) if here == there => return Comparison::Same,
            (here, there) if here == there => {}
            (_, there) => {
                return Comparison::Other(match there {
                    Some(_) => format!("its {} is another one", reference.display()),
                    None => format!("it has no {}", reference.display()),
                });
            }
        }
    }
    if endpoint.is_same_server(&answers.endpoint) { Comparison::Same } else { Comparison::Unknown }
}

/// Names objects that both are likely to be allowed to read.
async fn comparable(answers: &Answers) -> Vec<ObjectReference> {
    let namespace = &answers.target_namespace;
    let mut references = vec![ObjectReference {
        resource: api_resource("", "v1", "Namespace"),
        namespace: None,
        name: namespace.clone(),
    }];
    for resource in [api_resource("", "v1", "Secret"), package_install_resource()] {
        // What cannot be listed is not compared.
        let objects = answers.run.list_metadata(&resource, namespace).await.unwrap_or_default();
        let name = objects.into_iter().find_map(|object| object.metadata.name);
        references.extend(name.map(|name| ObjectReference {
            resource: resource.clone(),
            namespace: Some(namespace.clone()),
            name,
        }));
    }
    references
}
