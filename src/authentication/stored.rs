//! The Secret with the kubeconfig of a run cluster: what it says about the credential in it, and how it is built. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::config::Kubeconfig;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::Method;
use crate::kubeconfig::{self, Endpoint};
use crate::labels;

/// How long a token lives that expires, where nobody has written down for how long it was granted.
const A_DAY: Duration = Duration::from_hours(24);

/// A credential that Flux uses for a run cluster.
#[derive(Clone, Debug)]
pub struct StoredCredential {
    /// How it authenticates.
    pub method: Method,
    /// The UID of the cluster that it was made for.
    pub run_cluster_uid: Option<String>,
    /// The namespace of the deployer's service account; `None` where the plugin did not make one.
    pub deployer_namespace: Option<String>,
    /// The Secret on the run cluster, in that namespace, whose deletion revokes it.
    pub token_secret: Option<String>,
    /// When it ends; `None` where it does not, or nobody has written it down.
    pub expires: Option<Timestamp>,
    /// For how long it was granted.
    pub lifetime: Option<Duration>,
    /// What Flux reads; `None` where it cannot.
    pub kubeconfig: Option<Kubeconfig>,
}

impl StoredCredential {
    /// Reads the Secret with the kubeconfig.
    #[must_use]
    pub fn of(secret: &DynamicObject) -> Self {
        let annotation = |key: &str| secret.annotations().get(key).cloned();
        let lifetime = annotation(labels::TOKEN_DURATION).and_then(|text| text.parse::<SignedDuration>().ok());
        Self {
            method: Method::of(secret),
            run_cluster_uid: annotation(labels::RUN_CLUSTER_UID),
            deployer_namespace: annotation(labels::DEPLOYER_NAMESPACE),
            token_secret: annotation(labels::TOKEN_SECRET),
            expires: annotation(labels::EXPIRES).and_then(|text| text.parse().ok()),
            lifetime: lifetime.and_then(|lifetime| Duration::try_from(lifetime).ok()),
            kubeconfig: kubeconfig::of_secret(&secret.data, None).ok(),
        }
    }

    /// Returns for how long a token that expires was granted, or a day where nobody has written it down; `None` for others.
    #[must_use]
    pub fn granted(&self) -> Option<Duration> {
        (self.method == Method::BoundedToken).then(|| self.lifetime.unwrap_or(A_DAY))
    }

    /// Returns the bearer token, where it is one.
    #[must_use]
    pub fn token(&self) -> Option<&SecretString> {
        self.kubeconfig.as_ref()?.auth_infos.first()?.auth_info.as_ref()?.token.as_ref()
    }

    /// Returns how Flux reaches the run cluster.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        let no_file = |_: &str| Err(std::io::ErrorKind::NotFound.into());
        Endpoint::of_context(self.kubeconfig.as_ref()?, None, no_file).ok()
    }
}

/// What the Secret with a deployer's kubeconfig is made from, beside the kubeconfig.
#[derive(Clone, Copy, Debug)]
pub struct DeployerSecret<'a> {
    /// The namespace on the build cluster.
    pub namespace: &'a str,
    /// The run cluster's short name.
    pub run_cluster: &'a str,
    /// The UID of the run cluster.
    pub run_cluster_uid: &'a str,
    /// The namespace of the deployer's service account on the run cluster.
    pub deployer_namespace: &'a str,
    /// How the credential authenticates.
    pub method: Method,
    /// The Secret on the run cluster whose deletion revokes it.
    pub token_secret: &'a str,
    /// When it ends and for how long it was granted, where that is known already.
    pub end: Option<(Timestamp, Duration)>,
}

impl DeployerSecret<'_> {
    /// Builds the Secret without its data.
    #[must_use]
    pub fn manifest(&self) -> Value {
        let Self { namespace, run_cluster, run_cluster_uid, method, .. } = *self;
        let mut manifest = super::manifest("Secret", namespace, run_cluster, run_cluster_uid, method);
        manifest["type"] = json!("Opaque");
        let annotations = &mut manifest["metadata"]["annotations"];
        annotations[labels::DEPLOYER_NAMESPACE] = json!(self.deployer_namespace);
        annotations[labels::TOKEN_SECRET] = json!(self.token_secret);
        if let Some((expires, lifetime)) = self.end {
            note_end(&mut manifest, expires, lifetime);
        }
        manifest
    }
}

/// Records on the Secret when its credential expires.
pub fn note_end(manifest: &mut Value, expires: Timestamp, lifetime: Duration) {
    let annotations = &mut manifest["metadata"]["annotations"];
    annotations[labels::EXPIRES] = json!(format!("{expires:.0}"));
    annotations[labels::TOKEN_DURATION] = json!(format!("{}s", lifetime.as_secs()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn endpoint() -> Endpoint {
        Endpoint {
            server: "https://prod.example:6443".to_owned(),
            certificate_authority_data: None,
            tls_server_name: Some("kubernetes".to_owned()),
            proxy_url: None,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let expires: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        let secret = DeployerSecret {
            namespace: "dev",
            run_cluster: "prod1",
            run_cluster_uid: "uid",
            deployer_namespace: "apps",
            method: Method::BoundedToken,
            token_secret: "dev-prod1-deployer-token",
            end: Some((expires, Duration::from_hours(24))),
        };
        let mut manifest = secret.manifest();
        let kubeconfig = endpoint().kubeconfig("prod1", "deployer", &"fake-token".into());
        manifest["data"] = json!({"value.yaml": kubeconfig::base64(kubeconfig.expose_secret().as_bytes())});
        let read = StoredCredential::of(&serde_json::from_value(manifest).expect("a Secret"));
        assert_eq!(read.method, Method::BoundedToken);
        assert_eq!(read.token_secret.as_deref(), Some("dev-prod1-deployer-token"));
        assert_eq!((read.expires, read.lifetime), (Some(expires), Some(Duration::from_hours(24))));
        assert_eq!(read.endpoint(), Some(endpoint()));
        assert_eq!(read.token().map(ExposeSecret::expose_secret), Some("fake-token"));
        assert!(!format!("{read:?}").contains("fake-token"));
    }
}
