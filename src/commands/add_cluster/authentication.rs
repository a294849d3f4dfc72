//! The way in which Flux is to authenticate on the run cluster: as the flags ask for it, or as it does already.
//!
//! How each way is set up lives in the plan: `delivery_plan/identities.rs` says who may do what on the run cluster,
//! `delivery_plan/credential.rs` what Flux gets on the build cluster.

use kube::api::DynamicObject;

use super::answers::Answers;
use super::gather::kubeconfig_reference;
use crate::authentication::Method;
use crate::cli::{AuthenticationArgs, AuthenticationWay};
use crate::error::{Error, Result};

/// How Flux authenticates on the run cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    /// With a token of a deployer that the plugin makes.
    Token,
    /// With the kubeconfig that is stored already, which somebody else looks after.
    Stored,
}

impl Authentication {
    /// Reads the flags; `None` where they leave it open.
    pub(super) fn of(arguments: &AuthenticationArgs) -> Option<Self> {
        arguments.auth.map(|way| match way {
            AuthenticationWay::Token => Self::Token,
        })
    }

    /// Returns what counts: what is asked for where nothing is stored yet, else what is stored.
    ///
    /// Refuses to change the way of a run cluster that was added already: the old credential would stay valid.
    pub(super) fn in_effect(answers: &Answers, stored: Option<&DynamicObject>) -> Result<Self> {
        let asked = answers.authentication.as_ref();
        let Some(stored) = stored.map(Method::of) else {
            return Ok(asked.cloned().unwrap_or(Self::Token));
        };
        let existing = match stored {
            Method::Token => Self::Token,
            Method::BoundedToken | Method::KubeconfigFile | Method::WorkloadIdentity | Method::ByHand => Self::Stored,
        };
        match asked {
            Some(asked) if *asked != existing => Err(Error::new(format!(
                "Flux reaches {} in another way already: {}",
                answers.run_cluster,
                stored.name()
            ))
            .because(format!(
                "{} would lose its credential, which would stay valid",
                kubeconfig_reference(answers).display()
            ))
            .hint("leave the flags of the other way out, or choose another name for the run cluster")),
            _ => Ok(existing),
        }
    }
}
