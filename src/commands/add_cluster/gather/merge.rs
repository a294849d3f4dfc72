//! The wait until a pull request has brought the files of a delivery to the branch that Flux follows.

use std::time::Duration;

use tokio::time::Instant;

use super::repositories;
use crate::check;
use crate::commands::add_cluster::clusters::Clusters;
use crate::commands::add_cluster::request::Request;
use crate::commands::{git, merge};
use crate::error::Result;
use crate::ui::Ui;

/// Waits until the branch holds for the delivery what a commit holds.
pub(in crate::commands::add_cluster) async fn wait_for_merge(
    ui: Ui,
    request: &Request,
    clusters: &Clusters,
    commit: &str,
    timeout: Duration,
) -> Result<()> {
    let deadline = Instant::now() + timeout;
    let versions = check::flux(&clusters.build, &clusters.build_served)?;
    let source = repositories::source(&clusters.build, versions, request).await?;
    let checkout = git::readable(ui, &clusters.build, &source, &clusters.git).await?;
    checkout.fetch_commit(commit).await?;
    let directory = format!("{}/{}", request.package, request.run_cluster);
    let what = format!("the merge of {commit} into {}", checkout.display());
    let is_merged = async || checkout.holds_what(commit, &[&directory]).await;
    let waited = merge::wait(ui, deadline, &what, is_merged).await?;
    waited.or(|| {
        merge::overdue(format!("{} does not hold what {commit} holds in {directory}", checkout.display()))
            .hint("where it was merged and changed since, leave --wait-for-merge out, and merge what that would change")
    })
}
