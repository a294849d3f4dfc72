//! Whether Flux can read the repository where its URL leads as it is written: the user's own `git` may go elsewhere.

use crate::check::Checks;
use crate::error::Error;
use crate::gitops::checkout::{Reads, Rewritten};
use crate::gitops::url::GitUrl;

/// Refuses a URL that only leads to the repository because the user's `git` replaces it.
pub(super) fn check(checks: &mut Checks, url: &GitUrl, rewritten: Option<Rewritten>) {
    const CHECK: &str = "URL of the repository";
    let Some(Rewritten { to, reads }) = rewritten else { return };
    let error = |message: String, said: String| {
        let how = if to.is_ssh() { " --ssh-key-file FILE --known-hosts-file FILE" } else { "" };
        Error::new(message)
            .because(format!("your own git reads {to} instead, by its url.*.insteadOf, which Flux does not have"))
            .because(said)
            .hint("give Flux what this URL asks for: --git-username NAME --git-password-file FILE")
            .hint(format!("or the URL that your git reads: --git-url {to}{how}"))
    };
    match reads {
        Reads::Yes => {}
        Reads::Refused(said) => checks.check(CHECK, Err(error(format!("Flux cannot read {url}"), said))),
        Reads::Unknown(said) => {
            checks.warn(CHECK, error(format!("whether Flux can read {url} cannot be told from here"), said));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_refuses_is_refused() {
        let outcome = |reads: Reads| {
            let mut checks = Checks::default();
            let to = GitUrl::parse("ssh://git@git.example.com/gitops.git");
            check(&mut checks, &GitUrl::parse("https://git.example.com/gitops.git"), Some(Rewritten { to, reads }));
            let warnings = checks.warnings().len();
            (checks.into_failures().first().map(ToString::to_string).unwrap_or_default(), warnings)
        };
        assert_eq!(outcome(Reads::Yes), (String::new(), 0));
        assert_eq!(outcome(Reads::Unknown("no route".to_owned())), (String::new(), 1));
        insta::assert_snapshot!(outcome(Reads::Refused("fatal: no".to_owned())).0, @"Flux cannot read https://git.example.com/gitops.git: your own git reads ssh://git@git.example.com/gitops.git instead, by its url.*.insteadOf, which Flux does not have: fatal: no");
    }
}
