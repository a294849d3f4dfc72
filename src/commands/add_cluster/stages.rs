//! The plans of a command: previewed and shown as one, carried out stage by stage.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::clusters::Target;
use super::plan::{self, Delivery, Stage};
use crate::check::Checks;
use crate::cli::AddClusterArgs;
use crate::cluster::Cluster;
use crate::commands::preview::Previewed;
use crate::error::{Error, ErrorKind, Result};
use crate::gitops::checkout::Checkout;
use crate::observe::wait::EndpointChange;
use crate::plan::execute::{Executor, execute, show_together};
use crate::plan::{Plan, Preview, Step};
use crate::ui::{Ui, prompt};

/// Plans that can be carried out.
pub(super) struct Prepared<'a> {
    ui: Ui,
    build: &'a Cluster,
    targets: &'a [Target],
    checkouts: &'a [Checkout],
    stages: Vec<Vec<PreparedPlan>>,
}

/// A plan of one stage.
struct PreparedPlan {
    /// The number of the run cluster that it is about, if it is about a single one.
    run: Option<usize>,
    plan: Plan,
    preview: Preview,
}

impl<'a> Prepared<'a> {
    /// Plans the deliveries, given for each run cluster in turn, and asks the API servers what the plans would change; all that is
    /// refused is reported together.
    pub(super) async fn of(
        ui: Ui,
        build: &'a Cluster,
        targets: &'a [Target],
        deliveries: &[Vec<Delivery<'_>>],
        checkouts: &'a [Checkout],
        warnings: Vec<String>,
        arguments: &AddClusterArgs,
    ) -> Result<Self> {
        let mut stages = plan::stages(deliveries);
        if let Some((_, first)) = stages.first_mut().and_then(|stage| stage.first_mut()) {
            first.warnings.splice(0..0, warnings);
        }
        let mut prepared = Self { ui, build, targets, checkouts, stages: Vec::new() };
        let timed = |(run, plan): (Option<usize>, Plan)| {
            let plan = Plan { timeout: Some(arguments.confirm.timeout), ..plan };
            (run, if arguments.confirm.wait { plan } else { plan.without_waiting() })
        };
        let stages: Vec<Stage> = stages.into_iter().map(|stage| stage.into_iter().map(timed).collect()).collect();
        let live = |run: Option<usize>| Some(deliveries.get(run?)?.first()?.facts.live.clone());
        let previews = join_all(stages.iter().flatten().map(async |(run, plan)| {
            Preview::of(plan, &live(*run).unwrap_or_default(), prepared.executor(*run)).await
        }));
        let mut previews = previews.await.into_iter();
        let mut checks = Checks::default();
        for stage in stages {
            let mut of_stage = Vec::new();
            for ((run, plan), preview) in stage.into_iter().zip(previews.by_ref()) {
                match preview {
                    Ok(preview) => of_stage.push(PreparedPlan { run, plan, preview }),
                    Err(refused) => checks.fail_with("plan", refused),
                }
            }
            prepared.stages.push(of_stage);
        }
        checks.refuse_if_failed()?;
        Ok(prepared)
    }

    /// Shows the plans as one, asks, and carries them out; says so where there is nothing to do.
    ///
    /// Returns what went wrong for each of several run clusters: the others go on. Before the commit nobody does: files of a
    /// delivery in place must find what they need.
    pub(super) async fn confirm_and_execute(&self, is_confirmed: bool) -> Result<Vec<Option<Error>>> {
        let mut failed: Vec<Option<Error>> = self.targets.iter().map(|_| None).collect();
        let previewed = self.previewed();
        let shown: Vec<_> = previewed.iter().map(|one| (one.plan, one.preview, one.executor.headings())).collect();
        if !show_together(&shown, self.ui, is_confirmed) {
            return Ok(failed);
        }
        if !is_confirmed {
            prompt::confirm().await?;
        }
        for stage in &self.stages {
            let commits = stage.iter().flat_map(|one| &one.plan.steps).any(|step| matches!(step, Step::Commit(_)));
            if commits && failed.iter().any(Option::is_some) {
                let failures = failed.into_iter().flatten().collect();
                return Err(Error::several(ErrorKind::Failed, "nothing was committed", failures));
            }
            let has_failed = |run: usize| failed.get(run).is_some_and(Option::is_some);
            let begun: Vec<&PreparedPlan> = stage.iter().filter(|one| !one.run.is_some_and(has_failed)).collect();
            let results =
                join_all(begun.iter().map(|one| execute(&one.plan, &one.preview, self.executor(one.run)))).await;
            for (one, result) in begun.into_iter().zip(results) {
                let Err(error) = result else { continue };
                match one.run.filter(|_| self.targets.len() > 1).and_then(|run| failed.get_mut(run)) {
                    Some(of_run_cluster) => *of_run_cluster = Some(error),
                    None => return Err(error),
                }
            }
        }
        Ok(failed)
    }

    /// Returns all plans in the order in which they are carried out.
    pub(super) fn previewed(&self) -> Vec<Previewed<'_>> {
        let plans = self.stages.iter().flatten();
        let previewed = plans.map(|PreparedPlan { run, plan, preview }| Previewed {
            plan,
            preview,
            executor: self.executor(*run),
            run_cluster: run.and_then(|run| self.targets.get(run)).map_or("", |target| &target.first().run_cluster),
        });
        previewed.collect()
    }

    /// Tells for each run cluster whether Flux gets another credential or endpoint for it, or its first one.
    pub(super) fn endpoint_changes(&self) -> BTreeMap<String, EndpointChange> {
        let of_target = |(number, target): (usize, &Target)| {
            let plans = self.stages.iter().flatten().filter(|one| one.run == Some(number));
            let plans: Vec<_> = plans.map(|one| (&one.plan, &one.preview)).collect();
            (target.first().run_cluster.clone(), plan::endpoint_change(&plans))
        };
        self.targets.iter().enumerate().map(of_target).collect()
    }

    fn executor(&self, run: Option<usize>) -> Executor<'a> {
        let run = run.and_then(|run| self.targets.get(run)).map(|target| &target.clusters.run);
        Executor { build: self.build, run, checkouts: self.checkouts, ui: self.ui }
    }
}
