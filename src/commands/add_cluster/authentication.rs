//! The way in which Flux is to authenticate on the run cluster: as the flags ask for it, or as it does already.
//!
//! How each way is set up lives in the plan: `delivery_plan/flux_user.rs` says who may do what on the run cluster,
//! `delivery_plan/credential.rs` what Flux gets on the build cluster.

use std::fmt;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::DynamicObject;

use super::answers::Answers;
use super::identity::Identity;
use super::kubeconfig_file::KubeconfigFile;
use crate::authentication::Method;
use crate::authentication::stored::StoredCredential;
use crate::cli::{AuthenticationArgs, AuthenticationWay, WorkloadIdentityArgs};
use crate::error::{Error, Result};
use crate::flux::{RunCredential, WorkloadIdentity};
use crate::kubeconfig::Endpoint;
use crate::labels;
use crate::names;
use crate::object::ObjectReference;

/// What the flags ask for.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Token {
        /// How long it shall live; `None` means for ever.
        lifetime: Option<Duration>,
    },
    KubeconfigFile(KubeconfigFile),
    WorkloadIdentity(WorkloadIdentityArgs),
}

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
    /// With a workload identity, and no stored credential.
    WorkloadIdentity(Identity),
    /// With what is stored already, and somebody else looks after.
    Stored(Method),
}

/// What Flux has on the build cluster to reach the run cluster with.
#[derive(Clone)]
pub(super) struct Found {
    /// In which kind of object.
    pub(super) credential: RunCredential,
    /// The object.
    pub(super) object: DynamicObject,
}

impl fmt::Debug for Found {
    /// Names the object and leaves its content out, which is a credential.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Found({:?} {})", self.credential, self.object.name_any())
    }
}

impl Found {
    /// Returns how Flux reaches the run cluster with it.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        match self.stored() {
            Some(stored) => stored.endpoint(),
            None => WorkloadIdentity::of(&self.object).ok()?.endpoint(),
        }
    }

    /// Reads what the Secret says, where it is one.
    pub(super) fn stored(&self) -> Option<StoredCredential> {
        (self.credential == RunCredential::Secret).then(|| StoredCredential::of(&self.object))
    }
}

impl Asked {
    /// Reads the flags, and the file that they name; `None` where they leave it open.
    pub(super) async fn of(arguments: &AuthenticationArgs) -> Result<Option<Self>> {
        if let Some(path) = &arguments.kubeconfig_file {
            return KubeconfigFile::read(path, arguments.inline_files).await.map(Self::KubeconfigFile).map(Some);
        }
        match (arguments.auth, arguments.token_duration) {
            (Some(AuthenticationWay::WorkloadIdentity), Some(_)) => {
                Err(Error::usage("--token-duration is for tokens that are stored")
                    .hint("leave it out: the tokens of a workload identity always expire, after an hour"))
            }
            (Some(AuthenticationWay::WorkloadIdentity), None) => {
                Ok(Some(Self::WorkloadIdentity(arguments.identity.clone())))
            }
            _ if arguments.identity.is_given() => {
                Err(Error::usage("flags of a workload identity require --auth workload-identity")
                    .hint("add --auth workload-identity, or leave these flags out"))
            }
            (Some(AuthenticationWay::Token), lifetime) | (None, lifetime @ Some(_)) => {
                Ok(Some(Self::Token { lifetime }))
            }
            (None, None) => Ok(None),
        }
    }
}

impl Authentication {
    /// Returns what counts: what is asked for where nothing is stored yet, else what is stored.
    ///
    /// Refuses to change the way of a run cluster that was added already: the old credential would stay valid. What was
    /// stored by hand may become a kubeconfig file, and the file another one. How long a token lives is no other way: one
    /// that works is left as it is, and `rotate` gives another.
    pub(super) fn in_effect(
        answers: &Answers,
        found: Option<&Found>,
        stored: Option<&StoredCredential>,
    ) -> Result<Self> {
        let object = found.map(|found| &found.object);
        let identity =
            |arguments: &WorkloadIdentityArgs| Identity::of(answers, arguments, object).map(Self::WorkloadIdentity);
        match (object.map(Method::of), &answers.authentication) {
            (None, Some(Asked::Token { lifetime })) => Ok(Self::Token { lifetime: *lifetime }),
            (None, None) | (Some(Method::Token), None | Some(Asked::Token { .. })) => {
                Ok(Self::Token { lifetime: None })
            }
            (Some(Method::BoundedToken), None | Some(Asked::Token { .. })) => {
                Ok(Self::Token { lifetime: stored.and_then(StoredCredential::granted) })
            }
            (None | Some(Method::ByHand | Method::KubeconfigFile), Some(Asked::KubeconfigFile(file))) => {
                Ok(Self::KubeconfigFile(file.clone()))
            }
            (None | Some(Method::WorkloadIdentity), Some(Asked::WorkloadIdentity(arguments))) => identity(arguments),
            (Some(Method::WorkloadIdentity), None) => identity(&WorkloadIdentityArgs::default()),
            (Some(method), None) => Ok(Self::Stored(method)),
            (Some(method), Some(_)) => {
                let object = found.map(|found| reference(answers, found.credential).display()).unwrap_or_default();
                Err(Error::new(format!(
                    "{} already authenticates with another method: {}",
                    answers.run_cluster,
                    method.name()
                ))
                .because(format!("{object} would be replaced, and what it allows would stay valid"))
                .hint("leave the flags of the other way out, or choose another name for the run cluster"))
            }
        }
    }

    /// Returns the kind of object that Flux reaches the run cluster with.
    pub(super) fn credential(&self, found: Option<&Found>) -> RunCredential {
        match (self, found) {
            (Self::WorkloadIdentity(_), _) => RunCredential::ConfigMap,
            (Self::Stored(_), Some(found)) => found.credential,
            _ => RunCredential::Secret,
        }
    }

    /// Returns where the deployer's account lives, which the plugin makes: with the first delivery.
    pub(super) fn deployer_namespace(&self, answers: &Answers, found: Option<&Found>) -> Option<String> {
        match (self, found) {
            (Self::Token { .. } | Self::Stored(_), Some(found)) => {
                found.object.annotations().get(labels::DEPLOYER_NAMESPACE).cloned()
            }
            (Self::Token { .. }, None) => Some(answers.target_namespace.clone()),
            _ => None,
        }
    }
}

/// Reads what Flux has already: a Secret with a kubeconfig, else the ConfigMap of a workload identity.
pub(super) async fn find(answers: &Answers) -> Result<Option<Found>> {
    for credential in [RunCredential::Secret, RunCredential::ConfigMap] {
        if let Some(object) = answers.build.get(&reference(answers, credential)).await? {
            return Ok(Some(Found { credential, object }));
        }
    }
    Ok(None)
}

/// Names the object with which Flux reaches the run cluster.
pub(super) fn reference(answers: &Answers, credential: RunCredential) -> ObjectReference {
    credential.reference(&answers.namespace, &names::kubeconfig(&answers.run_cluster))
}
