//! The wait until a pull request has brought the files of the deliveries to the branch that Flux follows.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::Instant;

use super::repositories::{self, CloneKey};
use crate::check;
use crate::commands::add_cluster::clusters::Target;
use crate::commands::add_cluster::request::Request;
use crate::commands::{git, merge};
use crate::error::Result;
use crate::flux::GitRepository;
use crate::gitops::checkout::Checkout;
use crate::ui::Ui;
use crate::waiting::Waited;
use crate::wording::listed;

/// How many directories an error names.
const SHOWN: usize = 3;

/// Waits until the branches hold for all deliveries what a commit holds. A repository is cloned once.
pub(in crate::commands::add_cluster) async fn wait_for_merge(
    ui: Ui,
    targets: &[Target],
    commit: &str,
    timeout: Duration,
) -> Result<()> {
    let Some(clusters) = targets.first().map(|first| &first.clusters) else { return Ok(()) };
    let deadline = Instant::now() + timeout;
    let versions = check::flux(&clusters.build, &clusters.build_served)?;
    let mut requests: BTreeMap<&str, Vec<&Request>> = BTreeMap::new();
    for request in targets.iter().flat_map(Target::deliveries) {
        requests.entry(&request.package).or_default().push(request);
    }
    let sources = requests.into_values().map(async |requests| {
        let source = repositories::source(&clusters.build, versions, requests[0]).await?;
        Ok((source, requests))
    });
    for (source, directories) in by_clone(try_join_all(sources).await?)? {
        let directories: Vec<&str> = directories.iter().map(String::as_str).collect();
        let checkout = git::readable(ui, &clusters.build, &source, &clusters.git).await?;
        checkout.fetch_commit(commit).await?;
        let what = format!("the merge of {commit} into {}", checkout.display());
        let is_merged = async || checkout.holds_what(commit, &directories).await;
        let waited = merge::wait(ui, deadline, &what, is_merged).await?;
        let missing = match &waited {
            Waited::Overdue(None) => missing(&checkout, commit, &directories).await?,
            _ => directories,
        };
        waited.or(|| {
            let places = listed(&missing, SHOWN);
            merge::overdue(format!("{} does not hold what {commit} holds in {places}", checkout.display())).hint(
                "where it was merged and changed since, leave --wait-for-merge out, and merge what that would change",
            )
        })?;
    }
    Ok(())
}

/// Returns the directories in which the branch does not hold what a commit holds.
async fn missing<'a>(checkout: &Checkout, commit: &str, directories: &[&'a str]) -> Result<Vec<&'a str>> {
    let mut missing = Vec::new();
    for directory in directories {
        if !checkout.holds_what(commit, &[directory]).await? {
            missing.push(*directory);
        }
    }
    Ok(missing)
}

/// Puts the directories of deliveries together whose repositories one clone shows.
fn by_clone(sources: Vec<(GitRepository, Vec<&Request>)>) -> Result<Vec<(GitRepository, Vec<String>)>> {
    let mut clones: Vec<(CloneKey, (GitRepository, Vec<String>))> = Vec::new();
    for (source, requests) in sources {
        let key = CloneKey::of(&source)?;
        let directories = requests.iter().map(|request| format!("{}/{}", request.package, request.run_cluster));
        match clones.iter_mut().find(|(known, _)| *known == key) {
            Some((_, (_, all))) => all.extend(directories),
            None => clones.push((key, (source, directories.collect()))),
        }
    }
    Ok(clones.into_iter().map(|(_, clone)| clone).collect())
}
