//! Tokens of service accounts: requested, tried, and refused once they are revoked.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, PostParams};
use secrecy::SecretString;

use super::{Access, Cluster};
use crate::error::{Error, Result};

/// How long a token lives that is only used from here.
const HOUR: Duration = Duration::from_hours(1);

/// What token is requested.
#[derive(Clone, Copy)]
pub struct TokenSpec<'a> {
    /// The namespace of the service account.
    pub namespace: &'a str,
    /// The name of the service account.
    pub account: &'a str,
    /// Whom the token is for; empty means the API server itself.
    pub audiences: &'a [String],
    /// How long it should live; at least ten minutes.
    pub lifetime: Duration,
    /// The Secret, as the API server has it, whose deletion revokes the token.
    pub bound_to: Option<&'a DynamicObject>,
}

/// A token that expires.
#[derive(Clone, Debug)]
pub struct ExpiringToken {
    /// The token.
    pub token: SecretString,
    /// When it expires.
    pub expires: Timestamp,
    /// For how long it was granted, by the API server's own clock.
    pub lifetime: Duration,
}

impl Cluster {
    /// Requests a token of a service account for an hour.
    pub async fn service_account_token(
        &self,
        namespace: &str,
        service_account: &str,
        audiences: &[String],
    ) -> Result<SecretString> {
        let spec = TokenSpec { namespace, account: service_account, audiences, lifetime: HOUR, bound_to: None };
        self.request_token(spec).await.map(|granted| granted.token)
    }

    /// Requests a token of a service account. The API server may grant it for a shorter or longer time than was asked for
    /// (kubernetes `pkg/registry/core/serviceaccount/storage/token.go`, v1.35).
    pub async fn request_token(&self, spec: TokenSpec<'_>) -> Result<ExpiringToken> {
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: spec.audiences.to_vec(),
                expiration_seconds: Some(i64::try_from(spec.lifetime.as_secs()).unwrap_or(i64::MAX)),
                bound_object_ref: spec.bound_to.map(|secret| BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Secret".to_owned()),
                    name: Some(secret.name_any()),
                    uid: secret.uid(),
                }),
            },
            ..TokenRequest::default()
        };
        let asked = Timestamp::now();
        let api = Api::<ServiceAccount>::namespaced(self.client.clone(), spec.namespace);
        let what = format!("cannot request a token of ServiceAccount {}/{}", spec.namespace, spec.account);
        let parameters = PostParams::default();
        let request = api.create_token_request(spec.account, &parameters, &request);
        let answer = self.call_in(Some(spec.namespace), &what, request).await?;
        let issued = answer.metadata.creation_timestamp.map_or(asked, |time| time.0);
        let status = answer.status.ok_or_else(|| Error::new(format!("{what}: the answer holds none")))?;
        let expires = status.expiration_timestamp.0;
        Ok(ExpiringToken {
            token: SecretString::from(status.token),
            expires,
            lifetime: Duration::try_from(expires.duration_since(issued)).unwrap_or_default(),
        })
    }

    /// Tells whether the API server knows whoever this cluster is reached as; what they may do does not matter.
    pub async fn authenticates(&self, namespace: &str) -> Result<bool> {
        match self.authenticate(namespace).await {
            Ok(()) => Ok(true),
            Err(error) if error.status() == Some(401) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Fails with the API server's words where it does not know whoever this cluster is reached as.
    pub async fn authenticate(&self, namespace: &str) -> Result<()> {
        // Every known user may ask what they may do.
        let access = Access { verb: "get", group: "", resource: "secrets", namespace };
        match self.allows(access).await {
            Err(error) if error.status() != Some(403) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
