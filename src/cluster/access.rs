//! What the current user may do, by the API server's own answer.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, PostParams};

use super::Cluster;
use crate::error::Result;

/// What a permission check asks for: a verb on a resource, as RBAC rules spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access<'a> {
    /// The verb, such as `create`.
    pub verb: &'a str,
    /// The API group; empty for core.
    pub group: &'a str,
    /// The plural resource name, such as `secrets`, with a subresource as in `serviceaccounts/token`.
    pub resource: &'a str,
    /// The namespace; empty for what is in none.
    pub namespace: &'a str,
}

impl Cluster {
    /// Asks the API server whether the current user may do something in a namespace, to all objects of the kind.
    pub async fn allows(&self, access: Access<'_>) -> Result<bool> {
        self.allows_on(access, "").await
    }

    /// Asks the API server whether the current user may do something to one object; an empty name means all of the kind.
    pub async fn allows_on(&self, access: Access<'_>, name: &str) -> Result<bool> {
        let some_text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let (resource, subresource) = access.resource.split_once('/').unwrap_or((access.resource, ""));
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(access.verb.to_owned()),
                    group: Some(access.group.to_owned()),
                    resource: Some(resource.to_owned()),
                    subresource: some_text(subresource),
                    namespace: some_text(access.namespace),
                    name: some_text(name),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api = Api::<SelfSubjectAccessReview>::all(self.client.clone());
        let answer = self.call("cannot be asked for permissions", api.create(&PostParams::default(), &review)).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}
