//! What is there of the objects that the plan is about: read once it is known which these are. Reads only.

use futures::future::try_join_all;
use serde_json::Value;

use super::answers::Answers;
use super::delivery_plan::{kustomizations, objects};
use super::gather::Facts;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::object::ObjectReference;
use crate::plan::{LiveObjects, Place};

/// Completes the facts with the objects that the plan is about, and with what the build cluster's Flux knows.
pub(super) async fn read(answers: &Answers, facts: &mut Facts) -> Result<()> {
    // Nothing is there in a namespace that has yet to be made.
    let is_there = |(place, reference): &(Place, ObjectReference)| {
        let is_new = facts.makes_namespace && reference.namespace.as_ref() == Some(&answers.target_namespace);
        *place == Place::Build || !is_new
    };
    let reads = objects(answers, facts).into_iter().filter(is_there).map(|(place, reference)| async move {
        let cluster = if place == Place::Build { &answers.build } else { &answers.run };
        let object = cluster.get(&reference).await?;
        Ok::<_, Error>(object.map(|object| (place, reference, object)))
    });
    // Both Kustomizations have the same fields.
    let [manifest, _] = kustomizations(answers, facts);
    let (live, has_health_check_expressions) =
        futures::future::try_join(try_join_all(reads), has_health_check_expressions(&answers.build, &manifest)).await?;
    facts.live = LiveObjects::new(live.into_iter().flatten());
    facts.has_health_check_expressions = has_health_check_expressions;
    Ok(())
}

/// Asks the build cluster, in a dry run, whether its Flux knows `healthCheckExprs`: it does since 2.5.
///
/// A workload identity cannot be left out: Flux knows it since 2.7.
async fn has_health_check_expressions(build: &Cluster, manifest: &Value) -> Result<bool> {
    match build.apply(manifest, true).await {
        Err(error) if error.to_string().contains("configMapRef") => {
            Err(Error::new(format!("Flux on {} knows no workload identities", build.display()))
                .because(&error)
                .hint("upgrade Flux to 2.7 or newer, or choose another way to authenticate"))
        }
        Err(error) if error.to_string().contains("healthCheckExprs") => Ok(false),
        // What else is refused is told with everything else that is.
        Ok(_) | Err(_) => Ok(true),
    }
}
