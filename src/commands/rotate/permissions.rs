//! What the person who runs `rotate` must be allowed beside what the dry runs of its steps prove; asked before anything is
//! written.

use super::gather::Facts;
use super::targets::Answers;
use crate::check::Checks;
use crate::check::permissions::{Need, missing, take};
use crate::error::Result;
use crate::names;
use crate::object::{ObjectReference, api_resource};

/// Asks both clusters, and names everything that is missing at once.
pub(super) async fn check(answers: &Answers, facts: &Facts, is_bounded: bool) -> Result<()> {
    let on_build = facts.working.iter().flat_map(|kustomization| {
        // It is asked to reconcile, and its answer is watched.
        Need::on(kustomization, &["get", "list", "watch", "patch"])
    });
    let (build, run) = futures::join!(
        missing(&answers.build, on_build),
        missing(&facts.run, on_run_cluster(answers, facts, is_bounded)),
    );
    let mut checks = Checks::default();
    take(&mut checks, &answers.build, build);
    take(&mut checks, &facts.run, run);
    checks.refuse_if_failed()
}

fn on_run_cluster(answers: &Answers, facts: &Facts, is_bounded: bool) -> Vec<Need> {
    let namespace = &facts.deployer_namespace;
    if is_bounded {
        let deployer = names::deployer(&answers.namespace, &facts.run_cluster);
        let mut tokens = ObjectReference::namespaced(&api_resource("", "v1", "ServiceAccount"), namespace, &deployer);
        tokens.resource.plural.push_str("/token");
        return Need::on(&tokens, &["create"]);
    }
    // The control plane fills the new Secret in, which is watched; its name is not known yet.
    Need::on(&ObjectReference::secret(namespace, ""), &["list", "watch"])
}
