//! Carries a plan out, step by step. Interrupting it at any point and running the command again completes it.

use std::time::Duration;

use k8s_openapi::ByteString;
use kube::api::DynamicObject;
use secrecy::SecretString;

use super::{Change, Place, Plan, Step, StoreCredential};
use crate::cluster::{Access, Cluster, ObjectReference, Role};
use crate::error::{Error, Result};
use crate::gitops::checkout::Checkout;
use crate::observe::expectation::short_revision;
use crate::observe::fetch::fetch;
use crate::ui::{Ui, prompt};

/// How long the control plane may take to fill in a token, or to let it in.
const MINT_LIMIT: Duration = Duration::from_secs(30);

/// How long Flux may take to fetch a pushed commit.
const FETCH_LIMIT: Duration = Duration::from_secs(90);

/// What a plan is carried out with.
#[derive(Clone, Copy)]
pub struct Executor<'a> {
    /// The build cluster.
    pub build: &'a Cluster,
    /// The run cluster, where the plan has steps for one.
    pub run: Option<&'a Cluster>,
    /// The checkout of the GitOps repository, where the plan has a commit.
    pub checkout: Option<&'a Checkout>,
    /// Where to report.
    pub ui: Ui,
}

/// Shows the plan, asks, and carries it out; says so where there is nothing to do.
pub async fn confirm_and_execute(plan: &Plan, executor: Executor<'_>, is_confirmed: bool) -> Result<()> {
    let ui = executor.ui;
    for warning in &plan.warnings {
        ui.warning(warning);
    }
    if !plan.changes_something() {
        ui.done(&format!("nothing to change: {} objects are as wanted already", plan.steps.len()));
        return Ok(());
    }
    for line in super::show::lines(plan, executor.build, executor.run) {
        // Who is asked must see what about.
        if is_confirmed { ui.status(&line) } else { ui.proposal(&line) }
    }
    if !is_confirmed {
        prompt::confirm()?;
    }
    let is_pushed = plan.steps.iter().any(|step| matches!(step, Step::Commit(commit) if !commit.changes.is_empty()));
    for step in &plan.steps {
        executor
            .execute(step, is_pushed)
            .await
            .map_err(|error| error.hint("what is done stays; the same command completes the rest"))?;
    }
    Ok(())
}

impl Executor<'_> {
    async fn execute(self, step: &Step, is_pushed: bool) -> Result<()> {
        match step {
            Step::Apply(apply) if apply.change == Change::None => Ok(()),
            Step::Apply(apply) => {
                let cluster = match apply.place {
                    Place::Build => self.build,
                    Place::Run => self.run_cluster()?,
                };
                cluster.apply(&apply.manifest, false).await?;
                self.report(&apply.change, &ObjectReference::of(&apply.manifest)?.display(), cluster);
                Ok(())
            }
            Step::StoreCredential(store) if store.change == Change::None => Ok(()),
            Step::StoreCredential(store) => self.store_credential(store).await,
            Step::Commit(commit) if commit.changes.is_empty() => Ok(()),
            Step::Commit(commit) => {
                let checkout = self.checkout.ok_or_else(|| Error::new("the plan has a commit, but no checkout"))?;
                let outcome = checkout.commit_and_push(&commit.changes, &commit.message).await?;
                self.ui.done(&format!(
                    "pushed {} to {}",
                    &outcome.sha()[..8.min(outcome.sha().len())],
                    commit.repository
                ));
                Ok(())
            }
            Step::Fetch { source } if is_pushed => {
                let revision = fetch(self.build, source, FETCH_LIMIT).await?;
                self.ui.done(&format!("Flux has fetched {}", short_revision(&revision)));
                Ok(())
            }
            Step::Fetch { .. } => Ok(()),
        }
    }

    fn run_cluster(&self) -> Result<&Cluster> {
        self.run.ok_or_else(|| Error::new("the plan has steps for a run cluster, but none is connected"))
    }

    fn report(self, change: &Change, what: &str, cluster: &Cluster) {
        let verb = if *change == Change::Create { "created" } else { "updated" };
        self.ui.done(&format!("{verb} {what} on {}", cluster.display()));
    }

    /// Reads the minted token, proves that it works, and stores the kubeconfig.
    async fn store_credential(self, store: &StoreCredential) -> Result<()> {
        let run = self.run_cluster()?;
        let token = run.wait_for(&store.token_secret, MINT_LIMIT, token_of).await?;
        let secret = store.secret_with(&token);
        let kubeconfig = crate::kubeconfig::of_secret(&secret, None)?;
        let as_flux = Cluster::from_kubeconfig(Role::Run(store.run_cluster.clone()), kubeconfig, None).await?;
        prove(&as_flux, &store.target_namespace).await?;
        self.build.apply(&secret, false).await?;
        self.report(&store.change, &ObjectReference::of(&secret)?.display(), self.build);
        Ok(())
    }
}

/// Takes the token out of a token Secret once the control plane has filled it in.
#[must_use]
pub fn token_of(secret: &DynamicObject) -> Option<SecretString> {
    let encoded = secret.data.get("data")?.get("token")?;
    let token: ByteString = serde_json::from_value(encoded.clone()).ok()?;
    String::from_utf8(token.0).ok().filter(|token| !token.is_empty()).map(SecretString::from)
}

/// Proves that a new credential is let in and may do what Flux needs first; both may take the API server a moment.
async fn prove(as_flux: &Cluster, namespace: &str) -> Result<()> {
    let access =
        Access { verb: "patch", group: crate::carvel::PACKAGING_GROUP, resource: "packageinstalls", namespace };
    let deadline = tokio::time::Instant::now() + MINT_LIMIT;
    loop {
        let answer = as_flux.allows(access).await;
        if let Ok(true) = answer {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline {
            let error = Error::new("the new deployer credential does not work on the run cluster; it was not stored");
            return Err(match answer {
                Err(cause) => error.because(cause),
                Ok(_) => {
                    error.because(format!("it may not {} {} in namespace {namespace}", access.verb, access.resource))
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
