//! Whether the addresses of a run cluster accept the tokens of its service accounts.
//!
//! Some front doors know only their own users and answer every other token with 401, or with a login page: Rancher's
//! `/k8s/clusters/…`, the DNS endpoint of GKE. So a token counts where Flux will use it; the user's own address counts only where Flux's cannot be
//! reached from here. How requests are made lives in [`crate::cluster`].

use std::time::Duration;

use secrecy::SecretString;

use crate::cluster::{Cluster, TokenSpec};
use crate::error::{Error, Result};
use crate::kubeconfig::Endpoint;

/// The flag of `add-cluster` that names Flux's own address of a run cluster.
pub const SERVER_FLAG: &str = "--flux-server";

/// How long a token lives that is only tried; API servers grant no less.
const PROBE_LIFETIME: Duration = Duration::from_mins(10);

/// Whose address of a run cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// The one at which Flux reaches it.
    Flux,
    /// The one at which the user does.
    User,
}

/// What the two addresses say together to a question that is asked with a token.
#[derive(Debug)]
pub enum Verdict<T> {
    /// This one knows the token, and answers.
    Answered(Address, T),
    /// Where Flux goes, the token is not known; these are the server's words.
    Refused(Error),
    /// Flux's address does not answer from here, and the user's own does not know the token: only Flux can tell.
    OutOfReach(Error),
    /// Neither has judged the token.
    Failed(Error),
}

/// Judges the answers of both addresses.
///
/// Where the addresses are one, they differ in the way there at most, such as a proxy.
pub fn judge<T>(flux: Result<T>, user: Result<T>, are_one: bool) -> Verdict<T> {
    let error = match flux {
        Ok(answer) => return Verdict::Answered(Address::Flux, answer),
        Err(refusal) if is_unknown(&refusal) => return Verdict::Refused(refusal),
        Err(error) => error,
    };
    match user {
        Ok(answer) => Verdict::Answered(Address::User, answer),
        Err(refusal) if is_unknown(&refusal) && are_one => Verdict::Refused(refusal),
        Err(refusal) if is_unknown(&refusal) => Verdict::OutOfReach(error),
        Err(_) => Verdict::Failed(error),
    }
}

fn is_unknown(error: &Error) -> bool {
    error.status() == Some(401) || error.is_of_front_door()
}

/// The two ways to a run cluster.
pub struct Addresses {
    run: Cluster,
    flux: Cluster,
    server: String,
    are_one: bool,
}

impl Addresses {
    /// Prepares to reach a run cluster as the user does, and at the endpoint that Flux is told. No request is sent yet.
    pub async fn of(run: &Cluster, endpoint: &Endpoint) -> Result<Self> {
        Ok(Self {
            flux: run.through(endpoint).await?,
            server: endpoint.server.clone(),
            are_one: endpoint.leads_to(run.server()),
            run: run.clone(),
        })
    }

    /// Returns the cluster as the holder of a token reaches it at one of the addresses.
    pub fn holder(&self, address: Address, token: &SecretString) -> Result<Cluster> {
        let cluster = if address == Address::Flux { &self.flux } else { &self.run };
        cluster.with_token(token, None)
    }

    /// Asks the same question at both addresses as the holder of a token, perhaps impersonating another user with it.
    pub async fn ask<T>(
        &self,
        token: &SecretString,
        impersonate: Option<&str>,
        question: impl AsyncFn(&Cluster) -> Result<T>,
    ) -> Result<Verdict<T>> {
        let (flux, user) = (self.flux.with_token(token, impersonate)?, self.run.with_token(token, impersonate)?);
        let (flux, user) = futures::join!(question(&flux), question(&user));
        Ok(judge(flux, user, self.are_one))
    }

    /// Finds out who knows a token; what its holder may do in the namespace does not matter.
    pub async fn know(&self, token: &SecretString, namespace: &str) -> Result<Verdict<()>> {
        self.ask(token, None, async |cluster: &Cluster| cluster.authenticate(namespace).await).await
    }

    /// Tries a short-lived token of a service account that exists; `None` where the user cannot get one.
    ///
    /// Requesting a token leaves nothing behind on the cluster.
    pub async fn probe(&self, namespace: &str, account: &str) -> Option<Verdict<()>> {
        let spec = TokenSpec { namespace, account, audiences: &[], lifetime: PROBE_LIFETIME, bound_to: None };
        let granted = self.run.request_token(spec).await.ok()?;
        self.know(&granted.token, namespace).await.ok()
    }

    /// Says that nobody here can tell `what`: Flux's address is not reached, by `error`, and the user's knows no tokens.
    #[must_use]
    pub fn only_flux_can_tell(what: &str, error: &Error) -> String {
        format!("only Flux can tell {what}: {error}; and your own address of it knows only its own users")
    }

    /// Says that the address at which Flux reaches the run cluster knows no tokens of its service accounts; `what` failed by
    /// that, with `words` of the server.
    #[must_use]
    pub fn refusal(&self, what: &str, words: &Error) -> Error {
        let server = &self.server;
        let owner = if self.are_one {
            format!(
                "{server} knows only its own users, and no service accounts of the run cluster, like Rancher's addresses or the DNS endpoint of GKE"
            )
        } else {
            format!("{server} belongs to another cluster, or knows only its own users")
        };
        let error = words.causes().iter().fold(Error::new(what), Error::because).because(owner);
        error
            .hint(format!(
                "give add-cluster an address of the run cluster's own API server: {SERVER_FLAG} https://HOST:PORT, and its --flux-certificate-authority FILE"
            ))
            .hint(format!("or a kubeconfig that authenticates Flux at {server}: --kubeconfig-file FILE"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown() -> Result<u8> {
        Err(Error::new("Unauthorized").with_status(401))
    }

    fn unreachable() -> Result<u8> {
        Err(Error::new("no route to host"))
    }

    fn judged(flux: Result<u8>, user: Result<u8>, are_one: bool) -> String {
        match judge(flux, user, are_one) {
            Verdict::Answered(address, answer) => format!("{address:?} {answer}"),
            Verdict::Refused(_) => "refused".to_owned(),
            Verdict::OutOfReach(error) => format!("out of reach: {error}"),
            Verdict::Failed(error) => format!("failed: {error}"),
        }
    }

    #[test]
    fn the_address_of_flux_counts_wherever_it_answers() {
        assert_eq!(judged(Ok(1), unknown(), false), "Flux 1");
        assert_eq!(judged(Ok(1), Ok(2), true), "Flux 1");
        assert_eq!(judged(unknown(), Ok(2), false), "refused");
        assert_eq!(judged(unknown(), unknown(), true), "refused");
        assert_eq!(judged(Err(Error::new("a login page").of_front_door()), Ok(2), false), "refused");
    }

    #[test]
    fn the_address_of_the_user_stands_in_where_that_of_flux_is_out_of_reach() {
        assert_eq!(judged(unreachable(), Ok(2), false), "User 2");
        assert_eq!(judged(unreachable(), unknown(), false), "out of reach: no route to host");
        assert_eq!(judged(unreachable(), unknown(), true), "refused");
        assert_eq!(judged(unreachable(), unreachable(), true), "failed: no route to host");
    }
}
