//! Which namespace of the build cluster is meant, where neither a flag says so nor the usual one has deliveries.

use std::collections::BTreeMap;

use crate::check;
use crate::cli::SelectionArgs;
use crate::cluster::Cluster;
use crate::conversation::{Choice, Question};
use crate::error::Result;
use crate::flux::{Kustomization, kustomization_resource};
use crate::names;
use crate::observe::Selection;
use crate::observe::delivery::find;
use crate::ui::Ui;
use crate::ui::{alike, prompt};

/// Returns which deliveries are meant: those of all namespaces, or of the one that is meant.
pub(super) async fn selection(
    ui: Ui,
    build: &Cluster,
    given: Option<String>,
    arguments: SelectionArgs,
) -> Result<Selection> {
    let namespace = match given {
        Some(given) => given,
        None if arguments.all_namespaces => build.default_namespace().to_owned(),
        None => with_deliveries(ui, build, None).await?,
    };
    Ok(arguments.in_namespace(namespace))
}

/// Returns the namespace that is meant: the flag's, else the usual one; on a terminal, where that has no deliveries, one of those
/// that have some.
pub(super) async fn with_deliveries(ui: Ui, build: &Cluster, given: Option<String>) -> Result<String> {
    let usual = match given {
        Some(given) => return Ok(given),
        None => build.default_namespace().to_owned(),
    };
    if !ui.is_interactive {
        return Ok(usual);
    }
    let versions = check::flux(build, &build.served_versions().await?)?;
    let resource = kustomization_resource(versions.kustomization);
    let here: Vec<Kustomization> = build.list(&resource, &usual).await?;
    if !find(&here).is_empty() {
        return Ok(usual);
    }
    // Who may not look everywhere finds out that there is nothing here.
    let Ok(everywhere) = build.list_in::<Kustomization>(&resource, None).await else { return Ok(usual) };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for delivery in find(&everywhere) {
        *counts.entry(delivery.namespace).or_default() += 1;
    }
    if counts.is_empty() {
        return Ok(usual);
    }
    let choices = counts.into_iter().map(|(name, count)| Choice::new(name, alike::count(count))).collect();
    let question = Question::one_of("Namespace on the build cluster", "--namespace", choices).or_another();
    prompt::text(question.checked(names::check_namespace)).await
}
