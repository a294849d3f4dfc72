//! The objects that a plan is about, and what the build cluster's Flux knows of their fields.

use futures::future::{try_join, try_join_all};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::commands::add_cluster::clusters::Target;
use crate::commands::add_cluster::facts::Facts;
use crate::commands::add_cluster::manifests::{kustomizations, references};
use crate::error::{Error, Result};
use crate::object::ObjectReference;
use crate::plan::{LiveObjects, Place};

/// How many objects of a run cluster's deliveries are read at a time.
const AT_A_TIME: usize = 16;

/// Completes the facts, those of each run cluster in turn, with the objects that the plan is about.
pub(super) async fn read(targets: &[Target], facts: &mut [Vec<Facts>]) -> Result<()> {
    try_join_all(targets.iter().zip(facts).map(|(target, facts)| of_target(target, facts))).await?;
    Ok(())
}

async fn of_target(target: &Target, facts: &mut [Facts]) -> Result<()> {
    let clusters = &target.clusters;
    let mut wanted: Vec<(Place, ObjectReference)> = Vec::new();
    for (request, facts) in target.deliveries().zip(facts.iter()) {
        // Nothing exists in a namespace that has yet to be created.
        let is_new = |reference: &ObjectReference| {
            facts.creates_namespace && reference.namespace.as_ref() == Some(&request.target_namespace)
        };
        for (place, reference) in references(request, facts) {
            let may_exist = place == Place::Build || !is_new(&reference);
            let reference = (place, reference);
            if may_exist && !wanted.contains(&reference) {
                wanted.push(reference);
            }
        }
    }
    let reads = wanted.into_iter().map(async |(place, reference)| {
        let cluster = if place == Place::Build { &clusters.build } else { &clusters.run };
        let object = cluster.get(&reference).await?;
        Ok::<_, Error>(object.map(|object| (place, reference, object)))
    });
    let reads = stream::iter(reads).buffered(AT_A_TIME).try_collect::<Vec<_>>();
    let Some((request, first)) = target.deliveries().zip(facts.iter()).next() else { return Ok(()) };
    // All Kustomizations have the same fields.
    let [manifest, _] = kustomizations(request, first);
    let (live, has_health_check_expressions) =
        try_join(reads, has_health_check_expressions(&clusters.build, &manifest)).await?;
    let live = LiveObjects::new(live.into_iter().flatten());
    for facts in facts {
        facts.live = live.clone();
        facts.has_health_check_expressions = has_health_check_expressions;
    }
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
                .hint("upgrade Flux to 2.7 or newer, or choose another method to authenticate"))
        }
        Err(error) if error.to_string().contains("healthCheckExprs") => Ok(false),
        // What else is refused is told with everything else that is.
        Ok(_) | Err(_) => Ok(true),
    }
}
