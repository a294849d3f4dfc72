//! What is, and whether it is what a revision asks for.
//!
//! Verdicts are pure functions of objects and an [`Expectation`]: `source`, `kustomization`, `dependencies` and `install` judge
//! one node each, `verdict` the whole delivery. An `observation` is what one reading found of deliveries, the same for `wait`,
//! `status` and `check`; `reach` and `target` read run clusters for it, `watch` and `following` say when to read again. `survey`
//! looks at deliveries as they are now, [`wait`] follows them until every one is decided. How it looks on a screen lives in
//! [`crate::ui`].

pub mod delivery;
pub(crate) mod dependencies;
pub mod expectation;
mod following;
pub mod install;
pub mod kustomization;
pub(crate) mod observation;
pub(crate) mod reach;
pub mod selection;
pub mod source;
pub mod survey;
pub mod target;
pub(crate) mod unobserved;
pub(crate) mod verdict;
pub mod wait;
pub(crate) mod watch;

use std::time::Duration;

pub use delivery::{Delivery, RunAccess};
pub use expectation::Expectation;
use jiff::Timestamp;
pub use selection::Selection;
use serde::Serialize;

use crate::carvel;
use crate::error::Error;
use crate::refusal::{self, Admission};

/// Namespace and name of an object of a kind that is known.
pub(crate) type Key = (String, String);

/// The stage of a delivery that a verdict is about, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Flux fetches the Git revision.
    Source,
    /// Flux applies the Packages.
    Packages,
    /// Flux applies the PackageInstall, and kapp-controller selects a version.
    Install,
    /// kapp-controller fetches the bundle.
    Fetch,
    /// kapp-controller renders the templates with the values.
    Template,
    /// kapp deploys, and waits for the resources.
    Deploy,
}

impl Stage {
    /// Returns the word for the stage.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Packages => "packages",
            Self::Install => "install",
            Self::Fetch => "fetch",
            Self::Template => "template",
            Self::Deploy => "deploy",
        }
    }
}

/// Whether a delivery is what the expectation asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Ready {
        /// The installed version of the package.
        version: String,
    },
    /// It is on its way.
    Pending {
        /// Where it is.
        stage: Stage,
        /// What it waits for.
        why: String,
    },
    /// It will not get there by waiting.
    Failed(Failure),
    /// It cannot be read from here.
    Unknown {
        /// Why not.
        why: String,
        /// What to do about it.
        hint: String,
    },
}

impl Verdict {
    /// Tells why something is not as it should be.
    #[must_use]
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Failed(failure) => Error::new(failure.object).because(failure.message).hint(failure.hint),
            Self::Unknown { why, hint } => Error::new(why).hint(hint),
            Self::Pending { why, .. } => Error::new(why),
            Self::Ready { version } => Error::new(version),
        }
    }

    /// Makes a pending verdict.
    #[must_use]
    pub fn pending(stage: Stage, why: impl Into<String>) -> Self {
        Self::Pending { stage, why: why.into() }
    }

    /// Tells whether waiting longer cannot be expected to change it.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        matches!(self, Self::Ready { .. } | Self::Failed(_))
    }
}

/// Why a delivery failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which kind of failure.
    pub cause: Cause,
    /// The stage.
    pub stage: Stage,
    /// Which object shows it, such as `PackageInstall apps/hello-app.default.tap`.
    pub object: String,
    /// The words of the server or the failing tool.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// How long the failure may last before it counts.
    pub grace_period: GracePeriod,
    /// When the attempt began that failed; `None` where the failure was found out by reading.
    ///
    /// What failed before somebody was looking may be repaired since: such a failure counts only when a later attempt
    /// shows it again. kapp-controller makes one by itself, after a pause that doubles with each failure.
    pub attempt: Option<Timestamp>,
}

impl Failure {
    /// Makes a failure that counts at once, still without the words of who reports it.
    fn new(cause: Cause, stage: Stage, object: &str, hint: String) -> Self {
        let object = object.to_owned();
        Self { cause, stage, object, message: String::new(), hint, grace_period: GracePeriod::None, attempt: None }
    }
}

/// How long a failure may last before it counts: some pass by themselves, because all controllers try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GracePeriod {
    /// It counts at once: trying again gives the same.
    None,
    /// It may be a race between controllers, or a permission that is only just being granted.
    Short,
    /// It may be a restart: of an API server, a registry, a Git server.
    Long,
    /// It may wait for its turn: Flux works on a few objects at a time, and on each for minutes if it must.
    Turn,
}

impl GracePeriod {
    /// Returns how long the failure may last.
    #[must_use]
    pub fn duration(self) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Short => Duration::from_secs(15),
            Self::Long => Duration::from_mins(1),
            Self::Turn => Duration::from_mins(3),
        }
    }
}

/// The kinds of failure that are told apart; their names in kebab case are part of the schema of `-o json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Flux cannot fetch the GitOps repository.
    SourceNotFetched,
    /// Flux is told not to reconcile.
    Suspended,
    /// No controller of Flux has ever looked at the object.
    NotObserved,
    /// The directory is not in the GitOps repository.
    NoDirectory,
    /// Flux cannot build what the directory holds: invalid YAML, a missing resource.
    BuildFailed,
    /// Flux cannot apply a directory.
    NotApplied,
    /// A Kustomization that Flux waits for fails.
    DependencyFailed,
    /// The Secret with the run cluster's kubeconfig is missing or unusable.
    NoCredential,
    /// The run cluster refuses the credential that Flux uses.
    CredentialRefused,
    /// Flux does not trust the certificate of the run cluster's API server.
    CertificateRefused,
    /// Flux is told to use something that is switched off in its controller.
    FeatureDisabled,
    /// Flux cannot reach the run cluster.
    RunClusterUnreachable,
    /// The target namespace does not exist on the run cluster.
    NoNamespace,
    /// kapp-controller's API does not answer on the run cluster.
    KappControllerUnavailable,
    /// kapp-controller is told not to reconcile.
    Paused,
    /// kapp-controller is told not to update the App.
    ManuallyControlled,
    /// No version of the package matches the constraints.
    NoVersionMatches,
    /// The constraints cannot be parsed.
    InvalidConstraints,
    /// The installed version is higher than the selected one.
    DowngradeRefused,
    /// kapp-controller rejects the PackageInstall itself.
    InstallRejected,
    /// The bundle cannot be fetched.
    FetchFailed,
    /// The Secret with the values does not exist.
    NoValuesSecret,
    /// The templates cannot be rendered with the values.
    TemplateFailed,
    /// kapp cannot deploy.
    DeployFailed,
    /// Another app of kapp has deployed the same resource.
    OwnershipConflict,
    /// An API that kapp-controller does not serve is down, and everything that lists all APIs fails with it.
    ApiUnavailable,
    /// A quota, a policy, a webhook or the end of a namespace keeps an object from being written, not a missing permission.
    AdmissionDenied,
    /// Flux or the service account lacks a permission.
    Forbidden,
    /// The service account does not exist.
    NoServiceAccount,
    /// A deletion does not complete.
    DeleteFailed,
}

/// Explains what an API server refuses for another reason than a missing permission, and what fails because an aggregated API of
/// somebody else is down; `namespace` is the one on the run cluster.
fn explain_refusal(message: &str, namespace: &str) -> Option<(Cause, GracePeriod, String)> {
    if let Some(admission) = Admission::find(message) {
        let grace_period = if admission.may_pass() { GracePeriod::Long } else { GracePeriod::Short };
        return Some((Cause::AdmissionDenied, grace_period, admission.hint(namespace)));
    }
    let apis = refusal::unavailable_apis(message);
    let is_kapp_controllers = |api: &String| {
        [carvel::PACKAGING_GROUP, carvel::DATA_PACKAGING_GROUP, carvel::KAPP_CONTROLLER_GROUP]
            .iter()
            .any(|group| api.split('/').next() == Some(group))
    };
    if apis.is_empty() || apis.iter().any(is_kapp_controllers) {
        return None;
    }
    let services: Vec<String> = apis.iter().map(|api| refusal::api_service(api)).collect();
    let hint = format!(
        "{} does not answer on the run cluster: repair what serves it, or remove it if nothing does any more: kubectl get apiservice {}",
        apis.join(", "),
        services.join(" ")
    );
    Some((Cause::ApiUnavailable, GracePeriod::Long, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_that_is_down_is_told_from_kapp_controllers() {
        let said = |api: &str| {
            format!(
                "unable to retrieve the complete list of server APIs: {api}: the server is currently unable to handle the request"
            )
        };
        let (cause, grace_period, hint) =
            explain_refusal(&said("metrics.k8s.io/v1beta1"), "apps").expect("it is named");
        assert_eq!((cause, grace_period), (Cause::ApiUnavailable, GracePeriod::Long));
        assert!(hint.ends_with("kubectl get apiservice v1beta1.metrics.k8s.io"), "{hint}");
        assert_eq!(explain_refusal(&said("data.packaging.carvel.dev/v1alpha1"), "apps"), None);
    }
}
