//! `wait`: until every chosen delivery has installed what the GitOps repository asks for.

use std::collections::BTreeMap;

use super::namespace::selection;
use super::outcome;
use crate::check;
use crate::cli::WaitArgs;
use crate::cluster::{Cluster, Connection, Role};
use crate::error::{Error, Result};
use crate::flux::{Kustomization, kustomization_resource};
use crate::invocation::PROGRAM;
use crate::observe::delivery::find;
use crate::observe::wait::{WaitRequest, wait};
use crate::ui::{Ui, progress};

pub(super) async fn run(ui: Ui, connection: Connection, namespace: Option<String>, arguments: WaitArgs) -> Result<()> {
    let build = Cluster::connect(Role::Build, &connection).await?;
    let versions = check::flux(&build, &build.served_versions().await?)?;
    let selection = selection(ui, &build, namespace, arguments.selection).await?;
    let kustomizations: Vec<Kustomization> =
        build.list_in(&kustomization_resource(versions.kustomization), selection.namespace.as_deref()).await?;

    let all = find(&kustomizations);
    selection.refuse_unknown(&all)?;
    let deliveries = selection.of(all);
    if deliveries.is_empty() {
        return Err(Error::new(format!("there are no deliveries in {} on {}", selection.place(), build.display()))
            .hint(format!(
                "name another namespace with -n, or make one: {PROGRAM} add-cluster RUN_CLUSTER --package PACKAGE"
            )));
    }
    let request = WaitRequest {
        deliveries: deliveries.clone(),
        run_contexts: selection.run_contexts,
        connection,
        timeout: arguments.timeout,
        commit: arguments.revision,
        requests_fetch: !arguments.no_reconcile,
        fails_fast: arguments.fail_fast,
        endpoint_changes: BTreeMap::new(),
    };
    let outcomes = wait(&build, versions, request, progress::reporter(ui).as_mut()).await?;
    outcome::report(ui, &deliveries, &outcomes)
}
