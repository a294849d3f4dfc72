//! The way in which Flux is to authenticate on the run cluster: as the flags ask for it, or as it does already.
//!
//! How each way is set up lives in the plan: `delivery_plan/identities.rs` says who may do what on the run cluster,
//! `delivery_plan/credential.rs` what Flux gets on the build cluster.

use kube::api::DynamicObject;

use super::answers::Answers;
use super::gather::kubeconfig_reference;
use super::kubeconfig_file::KubeconfigFile;
use crate::authentication::Method;
use crate::cli::{AuthenticationArgs, AuthenticationWay};
use crate::error::{Error, Result};

/// How Flux authenticates on the run cluster.
#[derive(Clone, Debug)]
pub(super) enum Authentication {
    /// With a token of a deployer that the plugin makes.
    Token,
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
        Ok(arguments.auth.map(|way| match way {
            AuthenticationWay::Token => Self::Token,
        }))
    }

    /// Returns what counts: what is asked for where nothing is stored yet, else what is stored.
    ///
    /// Refuses to change the way of a run cluster that was added already: the old credential would stay valid. What was
    /// stored by hand may become a kubeconfig file, and the file another one.
    pub(super) fn in_effect(answers: &Answers, stored: Option<&DynamicObject>) -> Result<Self> {
        let asked = answers.authentication.as_ref();
        match (stored.map(Method::of), asked) {
            (None, asked) => Ok(asked.cloned().unwrap_or(Self::Token)),
            (Some(Method::Token), None | Some(Self::Token)) => Ok(Self::Token),
            (Some(Method::ByHand | Method::KubeconfigFile), Some(Self::KubeconfigFile(file))) => {
                Ok(Self::KubeconfigFile(file.clone()))
            }
            (Some(stored), None) => Ok(Self::Stored(stored)),
            (Some(stored), Some(_)) => Err(Error::new(format!(
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
