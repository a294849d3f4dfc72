//! Waiting for what a plan awaits: what is read, how often and for how long. When it is over is judged in
//! [`crate::plan::awaits`].

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::future::try_join_all;
use jiff::Timestamp;
use kube::api::DynamicObject;
use tokio::time::Instant;

use super::requesting::not_revoked;
use crate::carvel::app_resource;
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::object::ObjectReference;
use crate::plan::awaits::{Remaining, Use, is_noop_delete_copied};
use crate::plan::executor::Executor;
use crate::plan::steps::{Await, AwaitedDeletion, CredentialInUse, Request};
use crate::waiting::{self, Look, Outlook, Waited, outlook};

/// The pause before a Kustomization is asked again whose failure may pass.
const RECONCILE_PAUSE: Duration = Duration::from_secs(3);

/// The pause between two looks at an App.
const APP_PAUSE: Duration = Duration::from_millis(500);

/// The pause between two looks at what is deleted.
const DELETION_PAUSE: Duration = Duration::from_secs(1);

impl Executor<'_> {
    /// Waits until it holds. `token` is what the requests of this plan are answered with.
    pub(super) async fn wait_for(self, awaited: &Await, token: &str, deadline: Instant) -> Result<()> {
        match awaited {
            Await::Fetched { source, freshness } => self.wait_until_fetched(source, *freshness, token, deadline).await,
            Await::NoopDeleteCopied { install } => self.wait_until_copied(install, deadline).await,
            Await::CredentialInUse(in_use) => self.wait_until_in_use(in_use, token, deadline).await,
            Await::Deleted(objects) => self.wait_until_deleted(objects, deadline).await,
        }
    }

    /// Waits until the App keeps what it deployed, too.
    async fn wait_until_copied(self, install: &ObjectReference, deadline: Instant) -> Result<()> {
        let run = self.run_cluster()?;
        let app = ObjectReference { resource: app_resource(), ..install.clone() };
        let what = format!("kapp-controller to copy spec.noopDelete to {} on {}", app.display(), run.display());
        let copied = self.until(deadline, APP_PAUSE, &what, async || {
            let (install, app) = futures::try_join!(run.get(install), run.get(&app))?;
            let is_copied = is_noop_delete_copied(install.as_ref(), app.as_ref());
            Ok(if is_copied { Look::Found(()) } else { Look::NotYet })
        });
        copied.await?.or(|| {
            let message =
                format!("kapp-controller did not copy spec.noopDelete to {} on {}", app.display(), run.display());
            Error::of_kind(ErrorKind::Timeout, message)
                .because("nothing was deleted")
                .hint("is kapp-controller running? kubectl -n kapp-controller get pods")
        })?;
        self.ui.done(&format!("{} on {} will keep its application", install.display(), run.display()));
        Ok(())
    }

    /// Waits until each Kustomization has reconciled with the new credential, or stops before it needs any.
    async fn wait_until_in_use(self, in_use: &CredentialInUse, token: &str, deadline: Instant) -> Result<()> {
        self.ui.notice(&format!("waiting for Flux to use the new credential for {}", in_use.run_cluster));
        let uses = in_use.kustomizations.iter().map(|kustomization| self.reconciled(kustomization, token, deadline));
        let uses = try_join_all(uses).await.map_err(not_revoked)?;
        for (kustomization, credential) in in_use.kustomizations.iter().zip(&uses) {
            if let Use::NotYet(why) = credential {
                self.ui.warning(&format!(
                    "{} is not seen to use the new credential yet: {why}; it reads it with its next try",
                    kustomization.display()
                ));
            }
        }
        if uses.contains(&Use::Seen) {
            self.ui.done(&format!("Flux uses the new credential for {}", in_use.run_cluster));
        }
        Ok(())
    }

    /// Waits for the answer of a Kustomization that was asked to reconcile. Where it fails in a way that may pass, the request of
    /// the plan is made again.
    async fn reconciled(self, kustomization: &ObjectReference, token: &str, deadline: Instant) -> Result<Use> {
        let request = Request::Reconcile { kustomization: kustomization.clone() };
        let (began, mut token, mut last) = (Instant::now(), token.to_owned(), None);
        let what = format!("Flux to reconcile {} with the new credential", kustomization.display());
        let mut changes = pin!(self.build.follow(kustomization));
        let answer = self.until(deadline, Duration::ZERO, &what, async || {
            let Some(object) = changes.next().await.transpose()?.flatten() else {
                return Ok(Look::Found(Ok(Use::Gone)));
            };
            let failure = match CredentialInUse::judge(&object, &token) {
                None => return Ok(Look::NotYet),
                Some(Ok(answer)) => return Ok(Look::Found(Ok(answer))),
                Some(Err(failure)) if began.elapsed() >= failure.grace_period.duration() => {
                    return Ok(Look::Found(Err(CredentialInUse::unusable(failure))));
                }
                Some(Err(failure)) => failure,
            };
            let known = format!("waiting for {what}: {}", failure.message);
            last = Some(failure);
            waiting::pause(RECONCILE_PAUSE).await;
            token = Timestamp::now().to_string();
            self.request(&request, &token, deadline).await?;
            Ok(Look::Still(vec![known]))
        });
        match answer.await? {
            Waited::Found(answer) => answer,
            Waited::Overdue(Some(error)) => Err(error),
            // What it said before says more than that it has not said anything since.
            Waited::Overdue(None) => Err(CredentialInUse::overdue(kustomization, last)),
        }
    }

    /// Waits until all the objects are gone, and says meanwhile what holds them.
    ///
    /// A read that fails is tried again: a cluster may restart meanwhile. Only the deadline ends the wait, or a refusal.
    async fn wait_until_deleted(self, objects: &[AwaitedDeletion], deadline: Instant) -> Result<()> {
        let mut left = Vec::new();
        let deleted = self.until(deadline, DELETION_PAUSE, "deletions", async || {
            left = self.remaining(objects).await?;
            let lines = left.iter().map(Remaining::line).collect();
            Ok(if left.is_empty() { Look::Found(()) } else { Look::Still(lines) })
        });
        if let Waited::Overdue(_) = deleted.await? {
            return Err(Remaining::overdue(&left));
        }
        // What this plan deletes is named by its own steps; this is what others have deleted.
        let by_others = objects.iter().filter(|awaited| awaited.note.is_some());
        let gone: Vec<String> = by_others.map(|awaited| awaited.reference.display()).collect();
        if !gone.is_empty() {
            self.ui.done(&format!("gone with it: {}", gone.join(", ")));
        }
        Ok(())
    }

    async fn remaining(self, objects: &[AwaitedDeletion]) -> Result<Vec<Remaining>> {
        let mut remaining = Vec::new();
        for awaited in objects {
            let cluster = self.cluster(awaited.place)?;
            let object = format!("{} on {}", awaited.reference.display(), cluster.display());
            match read(cluster, &awaited.reference).await {
                Ok(found) => remaining.extend(awaited.judge(object, found.as_ref())),
                Err(error) if outlook(&error) != Outlook::MayPass => return Err(error),
                Err(error) => remaining.push(Remaining { object, since: None, messages: vec![error.to_string()] }),
            }
        }
        Ok(remaining)
    }
}

/// Reads an object. Nobody needs the content of a Secret to see that it is there.
async fn read(cluster: &Cluster, reference: &ObjectReference) -> Result<Option<DynamicObject>> {
    if reference.resource.kind != "Secret" {
        return cluster.get(reference).await;
    }
    let found = cluster.get_metadata(reference).await?;
    Ok(found.map(|object| DynamicObject { types: None, metadata: object.metadata, data: serde_json::Value::Null }))
}
