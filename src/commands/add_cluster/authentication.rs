//! The way in which Flux is to authenticate on the run cluster: as the flags ask for it, or as it does already.
//!
//! How each way is set up lives in the plan: `delivery_plan/identities.rs` says who may do what on the run cluster,
//! `delivery_plan/credential.rs` what Flux gets on the build cluster.

use std::time::Duration;

use super::answers::Answers;
use super::gather::kubeconfig_reference;
use super::kubeconfig_file::KubeconfigFile;
use crate::authentication::Method;
use crate::authentication::stored::StoredCredential;
use crate::cli::{AuthenticationArgs, AuthenticationWay};
use crate::error::{Error, Result};

/// How long a token lives that expires, where nobody has written down for how long it was granted.
const A_DAY: Duration = Duration::from_hours(24);

/// How Flux authenticates on the run cluster.
#[derive(Clone, Debug)]
pub(super) enum Authentication {
    /// With a token of a deployer that the plugin makes.
    Token {
        /// How long it lives; `None` means for ever.
        lifetime: Option<Duration>,
    },
    /// With a kubeconfig that the user gives.
    KubeconfigFile(KubeconfigFile),
    /// With what is stored already, and somebody else looks after.
    Stored(Method),
}

impl Authentication {
    /// Reads the flags, and the file that they name; `None` where they leave it open.
    pub(super) fn of(arguments: &AuthenticationArgs) -> Result<Option<Self>> {
        if let Some(path) = &arguments.kubeconfig_file {
            return KubeconfigFile::read(path, arguments.inline_files).map(Self::KubeconfigFile).map(Some);
        }
        Ok(match (arguments.auth, arguments.token_duration) {
            (Some(AuthenticationWay::Token), lifetime) | (None, lifetime @ Some(_)) => Some(Self::Token { lifetime }),
            (None, None) => None,
        })
    }

    /// Returns what counts: what is asked for where nothing is stored yet, else what is stored.
    ///
    /// Refuses to change the way of a run cluster that was added already: the old credential would stay valid. What was
    /// stored by hand may become a kubeconfig file, and the file another one. How long a token lives is no other way: one
    /// that works is left as it is, and `rotate` gives another.
    pub(super) fn in_effect(answers: &Answers, stored: Option<&StoredCredential>) -> Result<Self> {
        let asked = answers.authentication.as_ref();
        match (stored.map(|stored| (stored.method, stored.lifetime)), asked) {
            (None, asked) => Ok(asked.cloned().unwrap_or(Self::Token { lifetime: None })),
            (Some((Method::Token, _)), None | Some(Self::Token { .. })) => Ok(Self::Token { lifetime: None }),
            (Some((Method::BoundedToken, lifetime)), None | Some(Self::Token { .. })) => {
                Ok(Self::Token { lifetime: Some(lifetime.unwrap_or(A_DAY)) })
            }
            (Some((Method::ByHand | Method::KubeconfigFile, _)), Some(Self::KubeconfigFile(file))) => {
                Ok(Self::KubeconfigFile(file.clone()))
            }
            (Some((stored, _)), None) => Ok(Self::Stored(stored)),
            (Some((stored, _)), Some(_)) => Err(Error::new(format!(
                "Flux reaches {} in another way already: {}",
                answers.run_cluster,
                stored.name()
            ))
            .because(format!(
                "{} would lose its credential, which would stay valid",
                kubeconfig_reference(answers).display()
            ))
            .hint("leave the flags of the other way out, or choose another name for the run cluster")),
        }
    }
}
