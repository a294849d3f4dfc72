//! What a plan is carried out with: the clusters, the checkouts and the screen.

use std::time::Duration;

use tokio::time::Instant;

use super::steps::{Change, Commit, Place};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::gitops::checkout::Checkout;
use crate::ui::Ui;
use crate::ui::text::duration;
use crate::waiting::{self, Look, Wait, Waited};

/// What a plan is previewed and carried out with.
#[derive(Clone, Copy)]
pub(crate) struct Executor<'a> {
    /// The build cluster.
    pub(crate) build: &'a Cluster,
    /// The run cluster, where the plan has steps for one.
    pub(crate) run: Option<&'a Cluster>,
    /// The checkouts of the repositories that the plan commits to.
    pub(crate) checkouts: &'a [Checkout],
    /// Where to report.
    pub(crate) ui: Ui,
}

/// The two clusters of a plan, as headings name them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headings {
    /// The build cluster.
    pub(crate) build: String,
    /// The run cluster, where the plan has steps for one.
    pub(crate) run: String,
}

impl Headings {
    pub(super) fn of(&self, place: Place) -> String {
        match place {
            Place::Build => self.build.clone(),
            Place::Run => self.run.clone(),
        }
    }
}

impl<'a> Executor<'a> {
    /// Returns the cluster that a step is about.
    pub(super) fn cluster(self, place: Place) -> Result<&'a Cluster> {
        match place {
            Place::Build => Ok(self.build),
            Place::Run => self.run_cluster(),
        }
    }

    pub(super) fn run_cluster(self) -> Result<&'a Cluster> {
        self.run.ok_or_else(|| Error::new("the plan has steps for a run cluster, but none is connected"))
    }

    /// Returns the checkout that a commit is made in.
    pub(super) fn checkout(self, commit: &Commit) -> Result<&'a Checkout> {
        let checkout = self.checkouts.iter().find(|checkout| checkout.display() == commit.repository);
        checkout.ok_or_else(|| Error::new("the plan has a commit, but no checkout"))
    }

    /// Names the clusters as headings do.
    #[must_use]
    pub(crate) fn headings(self) -> Headings {
        let heading = |cluster: &Cluster| format!("{} at {}", cluster.display(), cluster.server());
        Headings { build: heading(self.build), run: self.run.map(heading).unwrap_or_default() }
    }

    /// Looks again and again until something is found or the deadline passes, and tells what is waited for: `what` is the end of
    /// the sentence "waiting for …".
    pub(super) async fn until<T>(
        self,
        deadline: Instant,
        pause: Duration,
        what: &str,
        look: impl AsyncFnMut() -> Result<Look<T>>,
    ) -> Result<Waited<T>> {
        let tell = |elapsed, line: &str| self.ui.notice(&format!("{:>6}  {line}", duration(elapsed)));
        waiting::until(Wait { deadline, pause, what, tell: &tell }, look).await
    }

    /// Reports an object that was applied.
    pub(super) fn report_applied(self, change: &Change, object: &str, cluster: &Cluster) {
        let verb = if *change == Change::Create { "created" } else { "updated" };
        self.ui.done(&format!("{verb} {object} on {}", cluster.display()));
    }
}
