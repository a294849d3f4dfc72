//! Minting a credential: the token is obtained, proven to work, and only then stored.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use super::proving::prove_credential;
use crate::authentication::stored::note_end;
use crate::cluster::TokenWish;
use crate::error::{Error, Result};
use crate::object::ObjectReference;
use crate::plan::executor::Executor;
use crate::plan::mint::{Mint, TokenSource, deviation, readable, token_of};
use crate::plan::steps::Change;

/// How long the control plane may take to fill in a token: its controllers elect a leader anew after an API server has restarted.
const FILL_LIMIT: Duration = Duration::from_secs(90);

impl Executor<'_> {
    /// Obtains the token, proves that it works, and stores the kubeconfig.
    pub(super) async fn mint(self, mint: &Mint, change: &Change) -> Result<()> {
        let run = self.run_cluster()?;
        let (token, end) = self.obtain(mint).await?;
        let as_flux = run.with_token(&token, mint.impersonate.as_deref())?;
        let refusal = "the new deployer credential does not work on the run cluster; it was not stored";
        prove_credential(&as_flux, &mint.target_namespace, refusal).await?;
        if mint.endpoint.server != run.server() {
            self.prove_endpoint(mint, &token).await?;
        }
        let mut secret = mint.secret_with(&token);
        if let Some((expires, lifetime)) = end {
            note_end(&mut secret, expires, lifetime);
        }
        self.build.apply(&secret, false).await?;
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
        Ok(())
    }

    /// Returns the token, and where it expires, when and for how long it was granted.
    async fn obtain(self, mint: &Mint) -> Result<(SecretString, Option<(Timestamp, Duration)>)> {
        let run = self.run_cluster()?;
        match &mint.source {
            TokenSource::Known(token) => Ok((token.clone(), None)),
            TokenSource::Filled { secret, .. } => Ok((run.wait_for(secret, FILL_LIMIT, token_of).await?, None)),
            TokenSource::Requested { account, bound_to, lifetime } => {
                let secret = run
                    .get(bound_to)
                    .await?
                    .ok_or_else(|| Error::new(format!("{} is gone from {}", bound_to.display(), run.display())))?;
                let wish = TokenWish {
                    namespace: bound_to.namespace.as_deref().unwrap_or_default(),
                    account,
                    audiences: &[],
                    lifetime: *lifetime,
                    bound_to: Some(&secret),
                };
                let granted = run.request_token(wish).await?;
                Ok((granted.token, Some((granted.expires, granted.lifetime))))
            }
        }
    }

    /// Refuses an address whose server does not know the token: it is another cluster's. Where it cannot be reached from
    /// here, Flux will find out.
    async fn prove_endpoint(self, mint: &Mint, token: &SecretString) -> Result<()> {
        let as_flux = self.run_cluster()?.through(&mint.endpoint).await?.with_token(token, None)?;
        if let Ok(false) = as_flux.lets_in(&mint.target_namespace).await {
            return Err(Error::new(format!(
                "the server at {} does not accept the deployer's credential; it was not stored",
                mint.endpoint.server
            ))
            .because("it belongs to another cluster, or authenticates only its own users")
            .hint("name the address of the run cluster's API server: --flux-server https://HOST:PORT"));
        }
        Ok(())
    }
}
