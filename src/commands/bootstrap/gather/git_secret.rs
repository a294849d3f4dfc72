//! The Secret with which source-controller reads the repository, and whether it holds what Flux needs for that. The user's own
//! `git` may have more: SSH keys, and certificates of private CAs.

use std::collections::BTreeSet;

use kube::api::DynamicObject;

use crate::check::Checks;
use crate::error::{Error, Result};
use crate::flux::GitProvider;
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

    /// Refuses a Secret of the user's own that source-controller could not use for the repository (fluxcd/pkg `git/options.go` and
    /// `auth/githubapp`).
    pub(super) fn check_keys(&self, checks: &mut Checks, url: &GitUrl, provider: Option<GitProvider>) {
        if provider == Some(GitProvider::Azure) {
            return;
        }
        let (wanted, either): (&[&str], _) = match provider {
            Some(_) => (
                &["githubAppID", "githubAppPrivateKey"],
                (self.has("githubAppInstallationID") == self.has("githubAppInstallationOwner"))
                    .then_some("either githubAppInstallationID or githubAppInstallationOwner"),
            ),
            None if url.is_ssh() => (&["identity", "known_hosts"], None),
            None if self.has("bearerToken") => (&[], None),
            None if self.has("username") || self.has("password") => (&["username", "password"], None),
            None if self.has("tls.crt") || self.has("tls.key") => (&["tls.crt", "tls.key"], None),
            None if self.has("ca.crt") || self.has("caFile") => (&[], None),
            None => (&[], Some("username and password, bearerToken, tls.crt and tls.key, or ca.crt")),
        };
        let either = either.filter(|_| self.is_readable && self.exists());
        let lack = self.lacks(wanted).or_else(|| {
            let either = either?;
            Some(format!("{} must have {either}", self.reference.display()))
        });
        if let Some(lack) = lack {
            let error = Error::new(format!("Flux cannot read {url} with {}", self.reference.display())).because(lack);
            let namespace = self.reference.namespace.as_deref().unwrap_or_default();
            let hint = format!("see its keys: kubectl -n {namespace} describe secret {}", self.reference.name);
            let hint = if self.exists() { hint } else { "name another one: --git-secret NAME".to_owned() };
            checks.fail("Git credentials", error.hint(hint));
        } else if !self.is_readable {
            let warning = Error::new(format!("you may not read {}", self.reference.display()));
            checks.warn("Git credentials", warning.hint("whether it holds what Flux needs, its first fetch will tell"));
        }
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

/// Refuses a Secret with a proxy that source-controller could not use; one that may not be read is left to it.
pub(super) fn check_proxy(reference: &ObjectReference, read: Result<Option<DynamicObject>>) -> Result<()> {
    let secret = match read {
        Err(error) if error.status() == Some(403) => return Ok(()),
        read => GitSecret::of(reference, read?.as_ref(), true),
    };
    match secret.lacks(&["address"]) {
        None => Ok(()),
        Some(lack) => Err(Error::new("Flux has no proxy to reach the Git server through").because(lack).hint(
            "the Secret holds `address`, such as http://proxy.example.com:3128, and `username` and `password` where it asks for them",
        )),
    }
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

    #[test]
    fn a_secret_of_the_users_own_has_the_keys_for_the_url() {
        let refused = |url: &str, keys: Option<&[&str]>, provider: Option<GitProvider>| {
            let mut checks = Checks::default();
            let secret = GitSecret::with(ObjectReference::secret("dev", "own"), keys);
            secret.check_keys(&mut checks, &GitUrl::parse(url), provider);
            checks.into_failures().first().map(|error| error.causes().join("; ")).unwrap_or_default()
        };
        let (ssh, https, app) = ("ssh://git@host/a", "https://host/a", Some(GitProvider::Github));
        for keys in [&["username", "password"][..], &["bearerToken"], &["tls.crt", "tls.key"], &["ca.crt"]] {
            assert_eq!(refused(https, Some(keys), None), "", "{keys:?}");
        }
        assert_eq!(refused(ssh, Some(&["identity", "known_hosts"]), None), "");
        assert_eq!(refused(ssh, None, None), "Secret dev/own does not exist");
        assert_eq!(refused(ssh, Some(&["username"]), None), "Secret dev/own has no identity and no known_hosts");
        assert_eq!(refused(https, Some(&["password"]), None), "Secret dev/own has no username");
        assert_eq!(refused(https, Some(&["tls.crt"]), None), "Secret dev/own has no tls.key");
        assert!(refused(https, Some(&["identity"]), None).contains("must have username and password"));
        let of_app = ["githubAppID", "githubAppPrivateKey", "githubAppInstallationID", "githubAppInstallationOwner"];
        assert_eq!(refused(https, Some(&of_app[..3]), app), "");
        assert!(refused(https, Some(&of_app), app).contains("either"));
        assert!(refused(https, Some(&of_app[..2]), app).contains("either"));
        assert_eq!(refused(https, Some(&of_app[1..3]), app), "Secret dev/own has no githubAppID");
        assert_eq!(refused(https, None, Some(GitProvider::Azure)), "");
    }

    #[test]
    fn a_proxy_has_an_address() {
        let reference = ObjectReference::secret("dev", "proxy");
        let check = |data: Option<serde_json::Value>| {
            let secret = data.map(|data| serde_json::from_value(serde_json::json!({"metadata": {}, "data": data})));
            check_proxy(&reference, Ok(secret.transpose().expect("a Secret")))
                .err()
                .map(|error| error.causes().join(""))
        };
        assert_eq!(check(Some(serde_json::json!({"address": "ZmFrZQ=="}))), None);
        assert_eq!(check(Some(serde_json::json!({}))).as_deref(), Some("Secret dev/proxy has no address"));
        assert_eq!(check(None).as_deref(), Some("Secret dev/proxy does not exist"));
        assert_eq!(check_proxy(&reference, Err(Error::new("no").with_status(403))).err().map(|_| ()), None);
    }
}
