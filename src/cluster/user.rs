//! Who the API server takes the current user for, and whom that user may impersonate.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{Api, PostParams};

use super::{Access, Cluster};
use crate::error::Result;

/// A user as the API server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, such as `system:serviceaccount:apps:flux`.
    pub name: String,
    /// The UID where the user has one: of a ServiceAccount, that of its object.
    pub uid: Option<String>,
}

impl User {
    /// Returns namespace and name of the ServiceAccount that the user is, if it is one.
    #[must_use]
    pub fn service_account(&self) -> Option<(&str, &str)> {
        self.name.strip_prefix("system:serviceaccount:")?.split_once(':')
    }
}

impl Cluster {
    /// Asks the API server for the current user; `None` where it does not tell: before Kubernetes 1.28, or
    /// anonymous users.
    pub async fn user(&self) -> Result<Option<User>> {
        let api = Api::<SelfSubjectReview>::all(self.client.clone());
        let review = SelfSubjectReview::default();
        match self.call("cannot be asked for the user", api.create(&PostParams::default(), &review)).await {
            Ok(review) => Ok(review
                .status
                .and_then(|status| status.user_info)
                .and_then(|info| Some(User { name: info.username?, uid: info.uid.filter(|uid| !uid.is_empty()) }))),
            Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks the API server whether the current user may impersonate a ServiceAccount, which need not exist.
    pub async fn may_impersonate(&self, namespace: &str, account: &str) -> Result<bool> {
        let access = Access { verb: "impersonate", group: "", resource: "serviceaccounts", namespace };
        self.allows_on(access, account).await
    }
}
