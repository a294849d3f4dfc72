//! What was found out for `add-cluster` before it plans: clusters, repository, and what is there already. Data, and what
//! follows from it alone.
//!
//! How it is read lives in [`super::gather`], what is done about it in [`super::plan`].

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::DynamicObject;
use secrecy::SecretString;
use serde_json::Value;

use super::request::{KubeconfigFile, Request};
use crate::authentication::Method;
use crate::authentication::stored::StoredCredential;
use crate::cluster::User;
use crate::flux::{FluxVersions, RunCredential, WorkloadIdentity};
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::PackageDirectory;
use crate::gitops::tree::FileChange;
use crate::kubeconfig::Endpoint;
use crate::labels;
use crate::names;
use crate::plan::{LiveObjects, Place};

/// What was found out.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, read elsewhere")]
pub(super) struct Facts {
    /// When it was found out.
    pub(super) now: Timestamp,
    /// The API versions of Flux.
    pub(super) versions: FluxVersions,
    pub(super) build_uid: String,
    pub(super) run_uid: String,
    /// The run cluster, as messages name it.
    pub(super) run_display: String,
    /// The repository and its branch, as messages name them.
    pub(super) repository: String,
    pub(super) package: PackageDirectory,
    /// Whether this package, or another one that the same command delivers to the namespace, has PackageMetadata.
    pub(super) shares_metadata: bool,
    /// The run cluster's directory of the package.
    pub(super) directory: RunClusterDirectory,
    /// The constraints in effect.
    pub(super) version_constraints: String,
    /// Which prereleases may be selected in effect; `None` for none.
    pub(super) prereleases: Option<Vec<String>>,
    /// The version that they select, where that can be told.
    pub(super) version: Option<String>,
    /// The values to store; `None` keeps what the repository has.
    pub(super) values: Option<SecretString>,
    /// What there is to do about encryption; `None` where nothing is encrypted or to be.
    pub(super) encryption: Option<Encryption>,
    /// What Flux has already to reach the run cluster with.
    pub(super) existing_credential: Option<ExistingCredential>,
    /// What the Secret says of it, where it is one.
    pub(super) stored: Option<StoredCredential>,
    /// The stored token, where it authenticates on the run cluster.
    pub(super) working_token: Option<SecretString>,
    /// How Flux authenticates, or will.
    pub(super) authentication: Authentication,
    /// The target namespace of the delivery that brings Flux's credential, where another one of the same command does.
    pub(super) led_by: Option<String>,
    /// How Flux reaches the run cluster, or will.
    pub(super) endpoint: Endpoint,
    /// How the user reaches it.
    pub(super) user_endpoint: Endpoint,
    /// Whether `wait` and `status` can read the run cluster with Flux's credential.
    pub(super) may_read: bool,
    /// Whom Flux impersonates, if anybody.
    pub(super) impersonated: Option<Impersonated>,
    /// The user of a kubeconfig that somebody gave.
    pub(super) user: Option<User>,
    /// As whom the package is installed.
    pub(super) installer: Installer,
    /// Whether the target namespace has to be created.
    pub(super) creates_namespace: bool,
    /// The objects that the plan is about, where they exist.
    pub(super) live: LiveObjects,
    /// Whether Flux knows `healthCheckExprs`.
    pub(super) has_health_check_expressions: bool,
}

impl Facts {
    /// Returns the kind of object that holds Flux's credential.
    pub(super) fn credential_kind(&self) -> RunCredential {
        self.authentication.credential_kind(self.existing_credential.as_ref())
    }

    /// Returns the namespace of the deployer's account, if the plugin creates one.
    pub(super) fn deployer_namespace(&self, request: &Request) -> Option<String> {
        let first = self.led_by.as_ref().unwrap_or(&request.target_namespace);
        self.authentication.deployer_namespace(first, self.existing_credential.as_ref())
    }

    /// Returns the name of the Secret on the run cluster whose deletion revokes the deployer's token: `rotate` gives it
    /// others.
    pub(super) fn token_secret_name(&self, request: &Request) -> String {
        let recorded = self.stored.as_ref().and_then(|stored| stored.token_secret.clone());
        recorded.unwrap_or_else(|| names::deployer_token(&request.namespace, &request.run_cluster))
    }

    /// Tells whether the build cluster has an object of the manifest's name that the plugin does not manage.
    pub(super) fn is_unmanaged(&self, manifest: &Value) -> bool {
        self.live.of(Place::Build, manifest).is_some_and(|live| !labels::is_managed(live))
    }

    /// Tells whether Flux's endpoint may not be open to the user, or its credential not allow to read.
    pub(super) fn needs_user_context_to_read(&self) -> bool {
        let is_ours = matches!(self.authentication, Authentication::Token { .. } | Authentication::WorkloadIdentity(_));
        !self.may_read || (is_ours && self.endpoint != self.user_endpoint)
    }
}

/// How the values are encrypted in Git, and decrypted by Flux.
#[derive(Default)]
pub(super) struct Encryption {
    /// `spec.decryption` of the Kustomization; `None` where Flux has nothing to decrypt.
    pub(super) decryption: Option<Value>,
    /// The Secret with a new private key.
    pub(super) key: Option<Value>,
    /// The file that says for whom others encrypt.
    pub(super) rules: Option<FileChange>,
    /// The values Secret, encrypted: another text each time that it is made.
    pub(super) secret: Option<Value>,
    /// Whether the values in Git are the wanted ones, encrypted already.
    pub(super) keeps_values: bool,
}

/// How Flux authenticates on the run cluster.
#[derive(Clone, Debug)]
pub(super) enum Authentication {
    /// With a token of a deployer that the plugin creates.
    Token {
        /// How long it is valid; `None` means that it does not expire.
        duration: Option<Duration>,
    },
    /// With a kubeconfig that the user gives.
    KubeconfigFile(KubeconfigFile),
    /// With a workload identity, and no stored credential.
    WorkloadIdentity(Identity),
    /// With what is stored already and managed by somebody else.
    Stored(Method),
}

/// A workload identity, and whom the run cluster takes it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// What Flux is told.
    pub(super) workload: WorkloadIdentity,
    /// The user that the run cluster's API server sees.
    pub(super) user: String,
}

impl Authentication {
    /// Returns the kind of object that holds Flux's credential.
    pub(super) fn credential_kind(&self, existing: Option<&ExistingCredential>) -> RunCredential {
        match (self, existing) {
            (Self::WorkloadIdentity(_), _) => RunCredential::ConfigMap,
            (Self::Stored(_), Some(existing)) => existing.kind,
            _ => RunCredential::Secret,
        }
    }

    /// Tells whether whoever Flux acts as without impersonation gets a Role from the plugin.
    pub(super) fn gets_role(&self, request: &Request, existing: Option<&ExistingCredential>) -> bool {
        matches!(self, Self::WorkloadIdentity(_))
            || self.deployer_namespace(&request.target_namespace, existing).is_some()
    }

    /// Returns the namespace of the deployer's account, which the plugin creates: that of the `first` delivery.
    fn deployer_namespace(&self, first: &str, existing: Option<&ExistingCredential>) -> Option<String> {
        match (self, existing) {
            (Self::Token { .. }, Some(existing)) if !existing.is_unmanaged() => existing.deployer_namespace(),
            (Self::Token { .. }, _) => Some(first.to_owned()),
            (Self::Stored(_), Some(existing)) => existing.deployer_namespace(),
            _ => None,
        }
    }
}

/// What Flux has on the build cluster to reach the run cluster with.
#[derive(Clone)]
pub(super) struct ExistingCredential {
    pub(super) kind: RunCredential,
    pub(super) object: DynamicObject,
}

impl fmt::Debug for ExistingCredential {
    /// Names the object and leaves its content out, which is a credential.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ExistingCredential({:?} {})", self.kind, self.object.name_any())
    }
}

impl ExistingCredential {
    /// Tells whether it was stored without this plugin.
    pub(super) fn is_unmanaged(&self) -> bool {
        Method::of(&self.object) == Method::Unmanaged
    }

    /// Returns the namespace of the deployer's account, where that is recorded.
    pub(super) fn deployer_namespace(&self) -> Option<String> {
        self.object.annotations().get(labels::DEPLOYER_NAMESPACE).cloned()
    }

    /// Returns the endpoint at which Flux reaches the run cluster with it.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        match self.stored() {
            Some(stored) => stored.endpoint(),
            None => WorkloadIdentity::of(&self.object).ok()?.endpoint(),
        }
    }

    /// Reads what the Secret says, where it is one.
    pub(super) fn stored(&self) -> Option<StoredCredential> {
        (self.kind == RunCredential::Secret).then(|| StoredCredential::of(&self.object))
    }
}

/// The service account on the run cluster that Flux impersonates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Impersonated {
    /// The name of the service account.
    pub(super) account: String,
    /// The user that the run cluster sees.
    pub(super) user: String,
    /// Whether Flux's own user has yet to be allowed to impersonate it.
    pub(super) needs_grant: bool,
}

/// As whom the package is installed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Installer {
    /// As an account that the plugin creates, with these rules; the word says where they come from.
    Own { rules: Value, origin: &'static str },
    /// As an account that somebody else manages.
    Existing(String),
}

impl Installer {
    /// Returns the account that the PackageInstall names.
    pub(super) fn account(&self, package: &str) -> String {
        match self {
            Self::Own { .. } => names::installer(package),
            Self::Existing(account) => account.clone(),
        }
    }
}
