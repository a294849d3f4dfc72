//! Proving what must hold before the next step: what is tried, how often and for how long. What the answers mean is judged in
//! [`crate::plan::proofs`].

use std::time::Duration;

use kube::ResourceExt;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::authentication::acceptance::{Address, Addresses, Verdict};
use crate::carvel::PACKAGING_GROUP;
use crate::cluster::{Access, Cluster};
use crate::error::{Error, Result};
use crate::flux::{canonical_address, owner_labels};
use crate::object::ObjectReference;
use crate::observe::reach::token;
use crate::plan::executor::Executor;
use crate::plan::proofs::{CredentialUnchanged, IdentityKnown, NoOrphans, TokensRevoked};
use crate::plan::steps::Prove;
use crate::waiting::{Look, Waited};

/// How long an API server may take to accept a new credential and the permissions that come with it.
const CREDENTIAL_LIMIT: Duration = Duration::from_secs(30);

/// The pause between two tries of a new credential.
const CREDENTIAL_PAUSE: Duration = Duration::from_millis(200);

/// How long an API server may take to learn an issuer's keys, once it was told to trust it.
const TRUST_LIMIT: Duration = Duration::from_secs(5);

/// How long an API server may go on accepting a revoked token: it remembers tokens for some seconds (k8s.io/apiserver
/// `authentication/token/cache`: ten), and there may be several, which learn of the deletion one after the other.
const REVOCATION_LIMIT: Duration = Duration::from_mins(1);

/// The pause between two tries of an identity or of a revoked token.
const PAUSE: Duration = Duration::from_millis(500);

impl Executor<'_> {
    /// Fails where it does not hold. `address` is where a token was proven to work that the same plan has minted.
    pub(super) async fn prove(self, proof: &Prove, address: Option<Address>, deadline: Instant) -> Result<()> {
        match proof {
            Prove::IdentityKnown(proof) => self.prove_identity(proof, deadline).await,
            Prove::CredentialUnchanged(proof) => self.prove_unchanged(proof).await,
            Prove::TokensRevoked(proof) => self.prove_revoked(proof, address, deadline).await,
            Prove::NoOrphans(proof) => self.prove_no_orphans(proof).await,
        }
    }

    /// Goes to the run cluster with a token as Flux gets one. Who may not request tokens is not stopped by that.
    async fn prove_identity(self, proof: &IdentityKnown, deadline: Instant) -> Result<()> {
        let token = match token(self.build, &proof.namespace, &proof.identity).await {
            Ok(token) => token,
            Err(error) => {
                self.ui.warning(&format!("whether the run cluster knows the identity is not known: {error}"));
                return Ok(());
            }
        };
        let mut endpoint = proof.identity.endpoint().ok_or_else(|| Error::new("the identity names no address"))?;
        endpoint.server = canonical_address(&endpoint.server)?;
        let addresses = Addresses::of(self.run_cluster()?, &endpoint).await?;
        let (mut refusal, mut out_of_reach) = (None, None);
        let what = format!("the run cluster `{}` to trust the build cluster's tokens", proof.run_cluster);
        let user = self.until(within(deadline, TRUST_LIMIT), PAUSE, &what, async || {
            let verdict = addresses.ask(&token, None, async |cluster: &Cluster| cluster.user().await).await?;
            match verdict {
                Verdict::Answered(_, user) => return Ok(Look::Found(user)),
                Verdict::Refused(error) => (refusal, out_of_reach) = (Some(error), None),
                Verdict::OutOfReach(error) => out_of_reach = Some(error),
                Verdict::Failed(error) => return Err(error),
            }
            Ok(Look::NotYet)
        });
        match user.await? {
            Waited::Found(user) => proof.judge(user.as_ref())?,
            Waited::Overdue(Some(error)) => return Err(error),
            Waited::Overdue(None) => match out_of_reach {
                Some(error) => {
                    self.leave_to_flux(&error);
                    return Ok(());
                }
                None => return Err(proof.untrusted(&token, refusal)),
            },
        }
        let refusal = "the identity does not work on the run cluster; Flux was not told to use it";
        let impersonate = proof.impersonate.as_deref();
        let namespace = &proof.target_namespace;
        match self.prove_credential(&addresses, &token, impersonate, namespace, refusal, deadline).await? {
            Proven::At(_) => Ok(()),
            Proven::OutOfReach(error) => {
                self.leave_to_flux(&error);
                Ok(())
            }
            Proven::Refused(error) => Err(proof.untrusted(&token, Some(error))),
        }
    }

    fn leave_to_flux(self, error: &Error) {
        self.ui.warning(&Addresses::only_flux_can_tell("whether the run cluster knows the identity", error));
    }

    async fn prove_unchanged(self, proof: &CredentialUnchanged) -> Result<()> {
        let secret = self.build.get_metadata(&proof.secret).await?;
        proof.judge(secret.as_ref(), &self.build.display())
    }

    /// Tries the tokens until each is refused, at an address that knows such tokens: one that knows none refuses them all.
    async fn prove_revoked(self, proof: &TokensRevoked, address: Option<Address>, deadline: Instant) -> Result<()> {
        let Some(address) = address.filter(|_| !proof.tokens.is_empty()) else {
            if !proof.tokens.is_empty() {
                self.ui.warning(&format!(
                    "the old credential for {} is revoked; whether it is refused can only be tried where Flux is",
                    proof.run_cluster
                ));
            }
            return Ok(());
        };
        let run = self.run_cluster()?;
        let addresses = Addresses::of(run, &proof.endpoint).await?;
        let (began, deadline) = (Instant::now(), within(deadline, REVOCATION_LIMIT));
        let what = format!("{} to refuse the old credential", run.display());
        for token in &proof.tokens {
            let holder = addresses.holder(address, token)?;
            let refused = self.until(deadline, PAUSE, &what, async || {
                let authenticates = holder.authenticates(&proof.namespace).await?;
                Ok(if authenticates { Look::NotYet } else { Look::Found(()) })
            });
            if let Waited::Overdue(error) = refused.await? {
                return Err(proof.not_refused(error, began.elapsed(), run.context()));
            }
        }
        self.ui.done(&format!("the old credential for {} is refused now", proof.run_cluster));
        Ok(())
    }

    async fn prove_no_orphans(self, proof: &NoOrphans) -> Result<()> {
        let run = self.run_cluster()?;
        let mut orphans = Vec::new();
        for (namespace, kustomization) in &proof.kustomizations {
            let labels = owner_labels(namespace, kustomization);
            for place in &proof.namespaces {
                for resource in &proof.resources {
                    let found = run.list_labelled(resource, place, &labels).await?;
                    let found = found.iter().filter(|object| NoOrphans::is_orphan(object));
                    orphans
                        .extend(found.map(|object| ObjectReference::namespaced(resource, place, &object.name_any())));
                }
            }
        }
        NoOrphans::judge(&orphans, &run.display(), run.context())?;
        self.ui.done(&format!("nothing that Flux applied is left on {}", run.display()));
        Ok(())
    }

    /// Proves that a new credential authenticates where Flux will use it and may do what Flux needs first; both may take the API
    /// server a moment.
    ///
    /// Fails with `refusal`, which says what could not be done without it, and with the API server's last answer.
    pub(super) async fn prove_credential(
        self,
        addresses: &Addresses,
        token: &SecretString,
        impersonate: Option<&str>,
        namespace: &str,
        refusal: &str,
        deadline: Instant,
    ) -> Result<Proven> {
        let access = Access { verb: "patch", group: PACKAGING_GROUP, resource: "packageinstalls", namespace };
        let mut last = None;
        let what = "the run cluster to accept the new credential";
        let proven = self.until(within(deadline, CREDENTIAL_LIMIT), CREDENTIAL_PAUSE, what, async || {
            // A refusal, too, may be a server that has not heard of the token or the Role yet.
            let verdict =
                addresses.ask(token, impersonate, async |cluster: &Cluster| cluster.allows(access).await).await?;
            if let Verdict::Answered(address, true) = verdict {
                return Ok(Look::Found(address));
            }
            last = Some(verdict);
            Ok(Look::NotYet)
        });
        if let Waited::Found(address) = proven.await? {
            return Ok(Proven::At(address));
        }
        let denial = || format!("it may not {} {} in namespace {namespace}", access.verb, access.resource);
        match last {
            Some(Verdict::Refused(error)) => Ok(Proven::Refused(error)),
            Some(Verdict::OutOfReach(error)) => Ok(Proven::OutOfReach(error)),
            Some(Verdict::Failed(error)) => Err(Error::new(refusal).because(error)),
            Some(Verdict::Answered(..)) | None => Err(Error::new(refusal).because(denial())),
        }
    }
}

/// How a new credential was proven.
pub(super) enum Proven {
    /// It works here.
    At(Address),
    /// It was made for an address that does not answer from here, and the user's own does not know it.
    OutOfReach(Error),
    /// The address that it was made for does not know it, in the server's words.
    Refused(Error),
}

/// Returns the deadline of something that is an answer, too, where it has not come after `limit`.
fn within(deadline: Instant, limit: Duration) -> Instant {
    deadline.min(Instant::now() + limit)
}
