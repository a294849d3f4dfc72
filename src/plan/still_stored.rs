//! The proof that a credential which was stored is still the stored one, right before others are revoked.

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;

use super::execute::Executor;
use crate::error::{Error, Result};
use crate::labels;
use crate::object::ObjectReference;

/// A Secret on the build cluster that must still hold the credential which the plan has stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StillStored {
    /// The Secret.
    pub secret: ObjectReference,
    /// The name of the Secret on the run cluster that the credential lives in or is bound to.
    pub token_secret: String,
}

impl Executor<'_> {
    /// Reads the Secret again. Whoever has stored another credential meanwhile may have stored one that is about to end.
    pub(super) async fn prove_still_stored(self, expected: &StillStored) -> Result<()> {
        let secret = self.build.get_metadata(&expected.secret).await?;
        if secret.as_ref().is_some_and(|secret| names(secret, &expected.token_secret)) {
            return Ok(());
        }
        Err(Error::new(format!("{} on {} was modified concurrently", expected.secret.display(), self.build.display()))
            .because("it no longer holds the new credential; the old credential was not revoked")
            .hint("let the other command end first"))
    }
}

/// Tells whether a kubeconfig Secret says that its credential belongs to a token Secret.
fn names(secret: &PartialObjectMeta<DynamicObject>, token_secret: &str) -> bool {
    secret.annotations().get(labels::TOKEN_SECRET).is_some_and(|name| name == token_secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_that_names_another_token_holds_another_credential() {
        let secret = |annotations: serde_json::Value| {
            serde_json::from_value(json!({"metadata": {"name": "prod1-kubeconfig", "annotations": annotations}}))
                .expect("metadata")
        };
        assert!(names(&secret(json!({labels::TOKEN_SECRET: "new"})), "new"));
        assert!(!names(&secret(json!({labels::TOKEN_SECRET: "old"})), "new"));
        assert!(!names(&secret(json!({})), "new"));
    }
}
