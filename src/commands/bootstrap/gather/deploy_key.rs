//! The SSH key that Flux reads a repository with: given, stored already or made; and the host keys of the server, which somebody
//! has to confirm. A key that was made is tried until somebody has given it access; only then it is stored.

use std::time::Duration;

use kube::api::DynamicObject;
use tokio::time::Instant;

use crate::commands::bootstrap::credential::{KeyRequest, SshRequest};
use crate::commands::bootstrap::request::Request;
use crate::error::{Error, ErrorKind, Result};
use crate::gitops::checkout::{Attempt, Checkout, GitAccess, generate, public_key, scan};
use crate::gitops::flux_credential::SshKey;
use crate::gitops::host_keys::{fingerprints, keys_of};
use crate::gitops::url::GitUrl;
use crate::names;
use crate::ui::text::duration;
use crate::ui::{Ui, prompt};
use crate::waiting::{self, Look, Wait, Waited};

/// The pause between two attempts; servers shut out who comes too often.
const PAUSE: Duration = Duration::from_secs(3);

/// A key that was made, in this run or an earlier one.
pub(super) struct DeployKey {
    public: String,
    /// Whether it was made in this run, so that no server knows it yet.
    is_new: bool,
}

/// Finds the key and the host keys that are asked for, or makes and confirms them.
pub(super) async fn find(
    ui: Ui,
    request: &Request,
    ssh: &SshRequest,
    secret: Option<&DynamicObject>,
) -> Result<(SshKey, Option<DeployKey>)> {
    let stored = secret.and_then(SshKey::in_secret);
    let known_hosts = match (&ssh.known_hosts, &stored) {
        (Some(given), _) => given.clone(),
        (None, Some(stored)) => stored.known_hosts.clone(),
        (None, None) => confirmed_host_keys(ui, &request.git_url, request.is_preview).await?,
    };
    let (key, is_new) = match (&ssh.key, stored) {
        (KeyRequest::Given { identity, public }, _) => {
            return Ok((SshKey { identity: identity.clone(), public: public.clone(), known_hosts }, None));
        }
        (KeyRequest::Generate(_), Some(stored)) => {
            let name = request.credentials_secret().display();
            let public = public_key(&stored.identity, &format!("identity in {name}")).await?;
            (SshKey { public, known_hosts, ..stored }, false)
        }
        (KeyRequest::Generate(_), None) if request.is_preview => {
            return Err(Error::usage("a preview makes no deploy key")
                .because("nobody can give access to a key that is not kept")
                .hint("make one first: `ssh-keygen -t ed25519 -N '' -f FILE`, and give it: --ssh-key-file FILE"));
        }
        (KeyRequest::Generate(key_type), None) => {
            let comment = format!("carvelflux {}/{}", request.namespace, names::of_package(&request.package));
            let (identity, public) = generate(*key_type, &comment).await?;
            (SshKey { identity, public, known_hosts }, true)
        }
    };
    let deploy_key = DeployKey { public: key.public.clone(), is_new };
    Ok((key, Some(deploy_key)))
}

/// Asks the server for its host keys, and a person whether they are right.
async fn confirmed_host_keys(ui: Ui, url: &GitUrl, is_preview: bool) -> Result<String> {
    let scanned = scan(url).await?;
    let keys = keys_of(&scanned, url);
    if !ui.is_interactive || is_preview {
        return Err(Error::usage(format!("nobody has confirmed the SSH host keys of {}", url.host()))
            .because(format!("it has {}; --yes does not accept them", fingerprints(&keys)))
            .hint(format!(
                "compare them with those that its operator publishes, and give them: `{}` > FILE, then --known-hosts-file FILE",
                url.keyscan_command()
            )));
    }
    ui.proposal(&format!(
        "{} has these SSH host keys; compare them with those that its operator publishes:",
        url.host()
    ));
    for key in keys {
        ui.proposal(&format!("  {key}"));
    }
    if prompt::agree("Are these the keys of the server?").await? {
        return Ok(scanned);
    }
    Err(Error::of_kind(ErrorKind::Interrupted, "the SSH host keys are not accepted; nothing was changed")
        .hint("give the right ones: --known-hosts-file FILE"))
}

impl DeployKey {
    /// Asks to give the key access, and clones the repository with it as soon as that is done; also returns what is left to do.
    pub(super) async fn clone_once_granted(
        &self,
        ui: Ui,
        request: &Request,
        access: &GitAccess,
    ) -> Result<(Checkout, Vec<Error>)> {
        let (url, branch) = (&request.git_url, request.branch.as_str());
        if !self.is_new
            && let Attempt::Cloned(checkout) = Checkout::clone_once_granted(url, branch, access).await?
        {
            return Ok((*checkout, Vec::new()));
        }
        let is_pushed_with = !can_push_otherwise(url, branch, access).await;
        let rights = if is_pushed_with {
            "read and write access: your own git cannot push there, so that add-cluster would use it, too"
        } else {
            "read access"
        };
        ui.demand(&format!("Give this deploy key {rights}; it is tried for {:?} (--timeout):", request.timeout));
        ui.demand(&self.public);
        let mut last = None;
        let look = async || match Checkout::clone_once_granted(url, branch, access).await {
            Ok(Attempt::Cloned(checkout)) => Ok(Look::Found(Ok(*checkout))),
            Ok(Attempt::NotYet(error)) => {
                last = Some(error);
                Ok(Look::NotYet)
            }
            // Whatever the server finds fault with else does not pass by itself.
            Err(error) => Ok(Look::Found(Err(error))),
        };
        let wait = Wait {
            deadline: Instant::now() + request.timeout,
            pause: PAUSE,
            what: "somebody to give the deploy key access",
            tell: &|elapsed, line| ui.notice(&format!("{:>6}  {line}", duration(elapsed))),
        };
        let checkout = match waiting::until(wait, look).await? {
            Waited::Found(found) => found?,
            Waited::Overdue(_) => return Err(self.without_access(url, last.as_ref())),
        };
        let mut doubts = Vec::new();
        if is_pushed_with && checkout.check_can_push().await.is_err() {
            doubts.push(
                Error::new(format!("the deploy key may read {url}, but not push there"))
                    .hint("add-cluster needs a git of yours that can push, or write access for the key"),
            );
        }
        Ok((checkout, doubts))
    }

    fn without_access(&self, url: &GitUrl, last: Option<&Error>) -> Error {
        let error = Error::of_kind(ErrorKind::Timeout, format!("the deploy key cannot read {url} in time"));
        let error = last.map_or_else(|| error.clone(), |last| error.clone().because(last));
        let error = error.hint("run the command again with more time, such as --timeout 15m");
        if self.is_new { error.hint("the key is not kept: the next run makes another one") } else { error }
    }
}

/// Tells whether the user's own `git` can push to the branch, without a question.
async fn can_push_otherwise(url: &GitUrl, branch: &str, access: &GitAccess) -> bool {
    // `ssh` would ask on the terminal for passphrases, and whether an unknown host is accepted.
    let environment = [("SSH_ASKPASS_REQUIRE", "force"), ("SSH_ASKPASS", "false")];
    let environment = environment.map(|(name, value)| (name.into(), value.into())).to_vec();
    let own = GitAccess { limits: access.limits, environment, ..GitAccess::default() };
    match Checkout::clone(url, branch, &own).await {
        Ok(checkout) => checkout.check_can_push().await.is_ok(),
        Err(_) => false,
    }
}
