//! Minting a credential: the token is obtained, proven to work, and only then stored.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::Instant;

use super::proving::Proven;
use crate::authentication::acceptance::{Address, Addresses};
use crate::authentication::stored::note_end;
use crate::cluster::{Cluster, TokenSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::object::ObjectReference;
use crate::plan::executor::Executor;
use crate::plan::mint::{Mint, TokenSource, deviation, readable, token_of};
use crate::plan::steps::Change;
use crate::waiting::Look;

/// Why there is no credential.
pub(super) enum MintFailure {
    /// The address that it is for knows no tokens of service accounts: another try of the same would end alike.
    Useless(Error),
    /// Anything else.
    Other(Error),
}

impl From<Error> for MintFailure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Executor<'_> {
    /// Obtains the token, proves that it works, and stores the kubeconfig. Returns where it was proven; `None` where that is
    /// left to Flux.
    pub(super) async fn mint(
        self,
        mint: &Mint,
        change: &Change,
        deadline: Instant,
    ) -> Result<Option<Address>, MintFailure> {
        let addresses = Addresses::of(self.run_cluster()?, &mint.endpoint).await?;
        let (token, end) = self.obtain(mint, deadline).await?;
        let refusal = "the new deployer credential does not work on the run cluster; it was not stored";
        let impersonate = mint.impersonate.as_deref();
        let address = match self
            .prove_credential(&addresses, &token, impersonate, &mint.target_namespace, refusal, deadline)
            .await?
        {
            Proven::At(address) => Some(address),
            Proven::OutOfReach(error) => {
                let what = format!("whether the credential for {} works", mint.run_cluster);
                self.ui.warning(&Addresses::only_flux_can_tell(&what, &error));
                None
            }
            Proven::Refused(words) => {
                return Err(MintFailure::Useless(addresses.refusal(refusal, &words)));
            }
        };
        let mut secret = mint.secret_with(&token);
        if let Some((expires, lifetime)) = end {
            note_end(&mut secret, expires, lifetime);
        }
        self.store(self.build, &secret, deadline).await?;
        self.report_applied(change, &ObjectReference::of(&secret)?.display(), self.build);
        if let (Some((expires, granted)), TokenSource::Requested { lifetime, .. }) = (end, &mint.source) {
            self.ui.status(&format!(
                "the credential for {} was granted for {} and expires at {expires:.0}",
                mint.run_cluster,
                readable(granted)
            ));
            if let Some(warning) = deviation(*lifetime, granted) {
                self.ui.warning(&warning);
            }
        }
        Ok(address)
    }

    /// Returns the token, and where it expires, when and for how long it was granted.
    async fn obtain(self, mint: &Mint, deadline: Instant) -> Result<(SecretString, Option<(Timestamp, Duration)>)> {
        let run = self.run_cluster()?;
        match &mint.source {
            TokenSource::Known(token) => Ok((token.clone(), None)),
            TokenSource::Filled { secret, .. } => Ok((self.filled(secret, deadline).await?, None)),
            TokenSource::Requested { account, bound_to, lifetime } => {
                let secret = run.get(bound_to).await?.ok_or_else(|| gone(bound_to, run))?;
                let spec = TokenSpec {
                    namespace: bound_to.namespace.as_deref().unwrap_or_default(),
                    account,
                    audiences: &[],
                    lifetime: *lifetime,
                    bound_to: Some(&secret),
                };
                let granted = run.request_token(spec).await?;
                Ok((granted.token, Some((granted.expires, granted.lifetime))))
            }
        }
    }
    /// Waits until the control plane has filled in a token. It may take a while: its controllers elect a leader again after an API
    /// server has restarted.
    async fn filled(self, secret: &ObjectReference, deadline: Instant) -> Result<SecretString> {
        let run = self.run_cluster()?;
        let what = format!("the control plane to fill in the token in {} on {}", secret.display(), run.display());
        let mut changes = pin!(run.follow(secret));
        let token = self.until(deadline, Duration::ZERO, &what, async || {
            // It was applied by a step before.
            let stored = changes.next().await.transpose()?.flatten().ok_or_else(|| gone(secret, run))?;
            Ok(token_of(&stored).map_or(Look::NotYet, Look::Found))
        });
        token.await?.or(|| {
            let message = format!("{} did not become complete on {} in time", secret.display(), run.display());
            Error::of_kind(ErrorKind::Timeout, message).hint("does kube-controller-manager run there?")
        })
    }
}

fn gone(secret: &ObjectReference, run: &Cluster) -> Error {
    Error::new(format!("{} is gone from {}", secret.display(), run.display())).with_status(404)
}
