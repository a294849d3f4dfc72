//! Waiting for what a plan awaits: what is read, how often and for how long. When it is over is judged in
//! [`crate::plan::awaits`].

use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::DynamicObject;
use tokio::time::Instant;

use super::requesting::{fetch_limit, not_revoked};
use crate::carvel::app_resource;
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::flux::RECONCILE_REQUESTED_AT;
use crate::object::ObjectReference;
use crate::observe::Failure;
use crate::observe::expectation::short_revision;
use crate::observe::fetch::{self, Freshness};
use crate::plan::awaits::{Remaining, Use, is_noop_delete_copied};
use crate::plan::executor::Executor;
use crate::plan::steps::{Await, AwaitedDeletion, CredentialInUse};
use crate::ui::text::duration;
use crate::waiting::{self, Look, Waited};

/// The pause before a Kustomization is asked again whose failure may pass.
const RECONCILE_PAUSE: Duration = Duration::from_secs(3);

/// The pause between two looks at an App.
const APP_PAUSE: Duration = Duration::from_millis(500);

/// How long kapp-controller may take to copy a field to the App.
const APP_LIMIT: Duration = Duration::from_mins(2);

/// The pause between two looks at what is deleted.
const DELETION_PAUSE: Duration = Duration::from_secs(1);

/// How long things may take without a message about them.
const SILENCE: Duration = Duration::from_secs(3);

/// How long until it is repeated that something is still there, although nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(30);

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

    async fn wait_until_fetched(
        self,
        source: &ObjectReference,
        freshness: Freshness,
        token: &str,
        deadline: Instant,
    ) -> Result<()> {
        let is_asked = match freshness {
            Freshness::NewCommits => true,
            // The request may have been refused, and Flux is not to be asked to answer it then.
            Freshness::CurrentSpec => {
                let object = self.build.get_metadata(source).await?;
                object.is_some_and(|object| {
                    object.annotations().get(RECONCILE_REQUESTED_AT).is_some_and(|at| at == token)
                })
            }
        };
        let request = is_asked.then(|| token.to_owned());
        let limit = fetch_limit(freshness, deadline);
        let revision = fetch::until_fetched(self.build, source, request, freshness, limit).await?;
        self.ui.done(&format!("Flux has fetched {}", short_revision(&revision)));
        Ok(())
    }

    /// Waits until the App keeps what it deployed, too.
    async fn wait_until_copied(self, install: &ObjectReference, deadline: Instant) -> Result<()> {
        let run = self.run_cluster()?;
        let app = ObjectReference { resource: app_resource(), ..install.clone() };
        let deadline = deadline.min(Instant::now() + APP_LIMIT);
        let copied = waiting::until(deadline, APP_PAUSE, async || {
            let (install, app) = futures::try_join!(run.get(install), run.get(&app))?;
            let is_copied = is_noop_delete_copied(install.as_ref(), app.as_ref());
            Ok(if is_copied { Look::Found(()) } else { Look::NotYet })
        });
        if let Waited::Overdue(error) = copied.await? {
            let overdue = Error::of_kind(
                ErrorKind::Timeout,
                format!("kapp-controller did not copy spec.noopDelete to {} on {}", app.display(), run.display()),
            )
            .because("nothing was deleted")
            .hint("is kapp-controller running? kubectl -n kapp-controller get pods");
            return Err(error.into_iter().fold(overdue, Error::because));
        }
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

    /// Waits for the answer of a Kustomization that was asked to reconcile. One that fails in a way that may pass is asked
    /// again.
    async fn reconciled(self, kustomization: &ObjectReference, token: &str, deadline: Instant) -> Result<Use> {
        let began = Instant::now();
        let mut token = token.to_owned();
        let mut last: Option<Failure> = None;
        let answer = waiting::until(deadline, RECONCILE_PAUSE, async || {
            let is_there = if last.is_none() {
                self.build.get_metadata(kustomization).await?.is_some()
            } else {
                token = Timestamp::now().to_string();
                match self.build.annotate(kustomization, RECONCILE_REQUESTED_AT, &token).await {
                    Err(error) if error.status() == Some(404) => false,
                    asked => asked.map(|()| true)?,
                }
            };
            if !is_there {
                return Ok(Look::Found(Ok(Use::Gone)));
            }
            let limit = deadline.saturating_duration_since(Instant::now());
            let judge = |object: &DynamicObject| CredentialInUse::judge(object, &token);
            let failure = match self.build.wait_for(kustomization, limit, judge).await {
                Ok(Ok(answer)) => return Ok(Look::Found(Ok(answer))),
                Ok(Err(failure)) => failure,
                // What it said before says more than that it has not said anything since.
                Err(error) if error.kind() == ErrorKind::Timeout => {
                    return Ok(Look::Found(Err(CredentialInUse::overdue(kustomization, last.take()))));
                }
                Err(error) => return Err(error),
            };
            if began.elapsed() >= failure.grace_period.duration() {
                return Ok(Look::Found(Err(CredentialInUse::unusable(failure))));
            }
            last = Some(failure);
            Ok(Look::NotYet)
        });
        match answer.await? {
            Waited::Found(answer) => answer,
            Waited::Overdue(Some(error)) => Err(error),
            Waited::Overdue(None) => Err(CredentialInUse::overdue(kustomization, last)),
        }
    }

    /// Waits until all the objects are gone, and says meanwhile what holds them.
    ///
    /// A read that fails is tried again: a cluster may restart meanwhile. Only the deadline ends the wait, or a refusal.
    async fn wait_until_deleted(self, objects: &[AwaitedDeletion], deadline: Instant) -> Result<()> {
        let began = Instant::now();
        let (mut said, mut said_at) = (Vec::new(), began);
        let mut left = Vec::new();
        let deleted = waiting::until(deadline, DELETION_PAUSE, async || {
            let remaining = self.remaining(objects).await?;
            if remaining.is_empty() {
                return Ok(Look::Found(()));
            }
            let is_due = if said == remaining { said_at.elapsed() >= HEARTBEAT } else { began.elapsed() >= SILENCE };
            if is_due {
                for object in &remaining {
                    self.ui.notice(&format!("{:>6}  {}", duration(began.elapsed()), object.line(Timestamp::now())));
                }
                (said, said_at) = (remaining.clone(), Instant::now());
            }
            left = remaining;
            Ok(Look::NotYet)
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
                Err(error) if matches!(error.status(), Some(401 | 403)) => return Err(error),
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
