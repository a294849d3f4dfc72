//! Proving that a revoked credential is dead.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use super::execute::Executor;
use crate::error::{Error, Result};
use crate::waiting::{self, Look, Waited};

/// How long an API server may go on letting a revoked token in: it remembers tokens for some seconds (k8s.io/apiserver
/// `authentication/token/cache`: ten), and there may be several, which learn of the deletion one after the other.
const LIMIT: Duration = Duration::from_mins(1);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Tokens that must not be let in any more.
pub struct ProveDead {
    /// The run cluster's short name.
    pub run_cluster: String,
    /// The namespace to try them in.
    pub namespace: String,
    /// The tokens.
    pub tokens: Vec<SecretString>,
}

impl fmt::Debug for ProveDead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ProveDead({}, {} tokens)", self.run_cluster, self.tokens.len())
    }
}

impl Executor<'_> {
    /// Tries the tokens until each is refused.
    pub(super) async fn prove_dead(self, dead: &ProveDead) -> Result<()> {
        let run = self.run_cluster()?;
        let deadline = Instant::now() + LIMIT;
        for token in &dead.tokens {
            let holder = run.with_token(token, None)?;
            let refused = waiting::until(deadline, PAUSE, async || {
                let is_let_in = holder.lets_in(&dead.namespace).await?;
                Ok(if is_let_in { Look::NotYet } else { Look::Found(()) })
            });
            match refused.await? {
                Waited::Found(()) => {}
                Waited::Overdue(Some(error)) => {
                    return Err(error.because(format!("so it is not proven that the old credential for {} is refused", dead.run_cluster)));
                }
                Waited::Overdue(None) => return Err(
                    Error::new(format!("the old credential for {} still authenticates {} s after revocation", dead.run_cluster, LIMIT.as_secs()))
                        .because("its Secret is deleted, and the API server accepts the token all the same")
                        .hint(format!(
                            "what tokens are left? kubectl --context {} get secrets -A --field-selector type=kubernetes.io/service-account-token",
                            run.context()
                        ))),
            }
        }
        if !dead.tokens.is_empty() {
            self.ui.done(&format!("the old credential for {} is refused now", dead.run_cluster));
        }
        Ok(())
    }
}
