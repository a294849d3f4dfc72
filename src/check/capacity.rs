//! Whether Flux has idle workers: each unfinished Kustomization occupies one of kustomize-controller's workers.

use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::conditions;
use crate::error::Error;
use crate::flux::Kustomization;
use crate::object::{ObjectReference, api_resource};

/// How many Kustomizations Flux works on at a time where nothing else is said (kustomize-controller `main.go`, `--concurrent`).
const DEFAULT_WORKERS: usize = 4;

/// Says how many workers are occupied, or warns that all are; `kustomizations` are those of all namespaces, or those that
/// may be read.
pub async fn capacity<'a>(
    build: &Cluster,
    kustomizations: impl IntoIterator<Item = &'a Kustomization>,
) -> Result<String, Error> {
    let workers = workers(build).await;
    let unfinished = kustomizations.into_iter().filter(|kustomization| is_unfinished(kustomization)).count();
    let words = format!("{unfinished} unfinished Kustomizations, {workers} workers");
    if unfinished <= workers {
        return Ok(words);
    }
    Err(Error::new(format!("Flux is busy: {words}"))
        .because("while Flux waits for an install to become ready, it occupies a worker; others have to wait for their turn")
        .hint("see which: flux get kustomizations -A --status-selector ready=unknown; more workers: --concurrent of kustomize-controller"))
}

/// Reads how many workers kustomize-controller has, where its Deployment is in the usual place and may be read.
async fn workers(build: &Cluster) -> usize {
    let reference = ObjectReference {
        resource: api_resource("apps", "v1", "Deployment"),
        namespace: Some("flux-system".to_owned()),
        name: "kustomize-controller".to_owned(),
    };
    let deployment = build.get(&reference).await.ok().flatten();
    deployment.as_ref().and_then(concurrency).unwrap_or(DEFAULT_WORKERS)
}

fn concurrency(deployment: &DynamicObject) -> Option<usize> {
    let containers = deployment.data.pointer("/spec/template/spec/containers")?.as_array()?;
    let arguments = containers.iter().filter_map(|container| container["args"].as_array()).flatten();
    arguments.filter_map(Value::as_str).find_map(|argument| argument.strip_prefix("--concurrent=")?.parse().ok())
}

/// Tells whether a Kustomization occupies a worker, or will as soon as one is free.
fn is_unfinished(kustomization: &Kustomization) -> bool {
    let status = kustomization.status.clone().unwrap_or_default();
    let ready = conditions::find(&status.conditions, "Ready");
    !kustomization.spec.suspend && ready.is_none_or(|ready| !ready.is_true() && !ready.is_false())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_workers_are_read_from_the_arguments() {
        let deployment = |arguments: &[&str]| -> DynamicObject {
            let containers = json!([{"name": "manager", "args": arguments}]);
            let object = json!({"metadata": {}, "spec": {"template": {"spec": {"containers": containers}}}});
            serde_json::from_value(object).expect("the fixture is an object")
        };
        assert_eq!(concurrency(&deployment(&["--log-level=info", "--concurrent=20"])), Some(20));
        assert_eq!(concurrency(&deployment(&["--log-level=info"])), None);
    }

    #[test]
    fn one_that_failed_waits_for_its_next_try_and_occupies_nobody() {
        let kustomization = |ready: &[&str], suspend: bool| -> Kustomization {
            let conditions: Vec<Value> =
                ready.iter().map(|status| json!({"type": "Ready", "status": status})).collect();
            serde_json::from_value(json!({
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "k"},
                "spec": {"suspend": suspend}, "status": {"conditions": conditions},
            }))
            .expect("the fixture is a Kustomization")
        };
        assert!(is_unfinished(&kustomization(&["Unknown"], false)));
        assert!(is_unfinished(&kustomization(&[], false)));
        assert!(!is_unfinished(&kustomization(&["False"], false)));
        assert!(!is_unfinished(&kustomization(&["True"], false)));
        assert!(!is_unfinished(&kustomization(&["Unknown"], true)));
    }
}
