//! The Secret with which source-controller reads the repository, and whether it holds what Flux needs for that. The user's own
//! `git` may have more: SSH keys, and certificates of private CAs.

use std::collections::BTreeSet;

use kube::api::DynamicObject;

use crate::check::Checks;
use crate::error::Error;
use crate::gitops::checkout::Trust;
use crate::gitops::url::GitUrl;
use crate::object::ObjectReference;

/// The Secret that source-controller reads the repository with.
pub(super) struct GitSecret {
    reference: ObjectReference,
    /// The names of what it holds; `None` where it does not exist.
    keys: Option<BTreeSet<String>>,
    /// Whether the user may read it; what may not be read lacks nothing that we know of.
    is_readable: bool,
}

impl GitSecret {
    /// Tells which keys it has, where it was read; their values are none of our business.
    pub(super) fn of(reference: &ObjectReference, object: Option<&DynamicObject>, is_readable: bool) -> Self {
        let keys = object
            .map(|object| object.data["data"].as_object().into_iter().flat_map(|data| data.keys().cloned()).collect());
        Self { reference: reference.clone(), keys, is_readable }
    }

    fn exists(&self) -> bool {
        self.keys.is_some()
    }

    fn has(&self, wanted: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.contains(wanted))
    }

    /// Says what it lacks: all of it, or a key.
    fn lacks(&self, wanted: &[&str]) -> Option<String> {
        if !self.is_readable {
            return None;
        }
        let name = self.reference.display();
        if !self.exists() {
            return Some(format!("{name} does not exist"));
        }
        let missing: Vec<&str> = wanted.iter().copied().filter(|key| !self.has(key)).collect();
        (!missing.is_empty()).then(|| format!("{name} has no {}", missing.join(" and no ")))
    }

    /// Makes one that is known already.
    #[cfg(test)]
    fn with(reference: ObjectReference, keys: Option<&[&str]>) -> Self {
        let keys = keys.map(|keys| keys.iter().map(|&key| key.to_owned()).collect());
        Self { reference, keys, is_readable: true }
    }

    /// Refuses a repository that Flux will not be able to read: it has no SSH keys and no certificates but those of the Secret,
    /// whatever the user's own `git` has (source-controller v1.9.3, `git.AuthOptions`).
    pub(super) fn check(&self, checks: &mut Checks, url: &GitUrl, gives_password: bool, trust: Option<Trust>) {
        if url.is_ssh() {
            let result = match self.lacks(&["identity", "known_hosts"]) {
                _ if gives_password => Err(Error::usage("a user name and a password are of no use over SSH")
                    .hint("leave out --git-username, --git-password-file, GIT_USERNAME and GIT_PASSWORD, or give the https:// URL")),
                Some(lack) => Err(Error::new(format!("Flux has no SSH key for {url}"))
                    .because(lack)
                    .hint("give one that may read the repository, and the host keys of the server: --ssh-key-file FILE --known-hosts-file FILE")
                    .hint("Flux does not use the key of your own `ssh`")),
                None => Ok(()),
            };
            checks.check("Git credentials", result);
            return;
        }
        let Some(lack) = self.lacks(&["ca.crt"]).filter(|_| !self.has("caFile")) else { return };
        let error = |message: String| {
            Error::new(message)
                .because(lack)
                .hint("give the CA's certificate, which does no harm where Flux trusts it already: --git-ca-file FILE")
        };
        match trust {
            Some(Trust::Private) => checks.check(
                "certificate of the Git server",
                Err(error(format!(
                    "Flux does not trust the certificate of {url}, which only settings of your own git accept"
                ))),
            ),
            Some(Trust::Unknown) => checks.warn(
                "certificate of the Git server",
                error(format!("your git has settings about certificates for {url}, which Flux does not have")),
            ),
            // That the repository cannot be read is told already.
            Some(Trust::Public) | None => {}
        }
    }
}

/// Refuses to write a Secret that may hold a login which cannot be read, and would be taken away.
pub(super) fn login_unknown(secret: &ObjectReference) -> Error {
    Error::new(format!("{} may hold a user name and a password, which you may not read", secret.display()))
        .because("the Secret is written as a whole")
        .hint("give them as well: --git-username NAME and --git-password-file FILE")
}

/// Refuses to make a key where one may be stored that cannot be read.
pub(super) fn key_unknown(secret: &ObjectReference) -> Error {
    Error::new(format!("{} may hold a deploy key already, which you may not read", secret.display()))
        .hint("give a key of your own, which replaces it: --ssh-key-file FILE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flux_cannot_read_is_refused_unless_the_secret_helps() {
        let outcome = |url: &str, keys: Option<&[&str]>, trust: Trust| {
            let mut checks = Checks::default();
            let reference = ObjectReference::secret("dev", "hello.default.tap-gitops-auth");
            GitSecret::with(reference, keys).check(&mut checks, &GitUrl::parse(url), false, Some(trust));
            let warnings = checks.warnings().len();
            (checks.into_failures().first().map(ToString::to_string).unwrap_or_default(), warnings)
        };
        let (ssh, https) = ("ssh://git@git.example.com/gitops.git", "https://git.example.com/gitops.git");
        insta::assert_snapshot!(outcome(ssh, None, Trust::Public).0, @"Flux has no SSH key for ssh://git@git.example.com/gitops.git: Secret dev/hello.default.tap-gitops-auth does not exist");
        insta::assert_snapshot!(outcome(ssh, Some(&["username", "identity"]), Trust::Public).0, @"Flux has no SSH key for ssh://git@git.example.com/gitops.git: Secret dev/hello.default.tap-gitops-auth has no known_hosts");
        assert_eq!(outcome(ssh, Some(&["identity", "known_hosts"]), Trust::Public), (String::new(), 0));
        insta::assert_snapshot!(outcome(https, Some(&["username", "password"]), Trust::Private).0, @"Flux does not trust the certificate of https://git.example.com/gitops.git, which only settings of your own git accept: Secret dev/hello.default.tap-gitops-auth has no ca.crt");
        assert_eq!(outcome(https, None, Trust::Unknown), (String::new(), 1));
        assert_eq!(outcome(https, Some(&["ca.crt"]), Trust::Private), (String::new(), 0));
        assert_eq!(outcome(https, None, Trust::Public), (String::new(), 0));
    }
}
