//! How Flux reaches a run cluster without a stored credential, and how the same is done from here.
//!
//! The ConfigMap's keys are those of fluxcd/pkg `apis/meta/reference_types.go` (v1.30); of the providers, only `generic` can
//! be followed from here: the others' tokens come from a cloud that knows the controller, not the user.

use kube::api::DynamicObject;
use kube::config::Kubeconfig;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::cluster::{Cluster, ObjectReference, api_resource};
use crate::error::{Error, Result};
use crate::kubeconfig::{Endpoint, base64};

/// Builds the kubeconfig that Flux would use: with a token of the service account that the ConfigMap names.
pub async fn kubeconfig(build: &Cluster, namespace: &str, config_map: &str, run_cluster: &str) -> Result<Kubeconfig> {
    let reference = ObjectReference {
        resource: api_resource("", "v1", "ConfigMap"),
        namespace: Some(namespace.to_owned()),
        name: config_map.to_owned(),
    };
    let object = build.get(&reference).await?.ok_or_else(|| {
        Error::new(format!("{} does not exist, so Flux cannot reach the run cluster", reference.display()))
    })?;
    let identity = Identity::of(&object).map_err(|why| Error::new(format!("{}: {why}", reference.display())))?;
    let token = build.service_account_token(namespace, &identity.service_account, &identity.audiences).await?;
    let endpoint = Endpoint {
        server: identity.address,
        certificate_authority_data: identity.certificate_authority.map(|pem| base64(pem.as_bytes())),
        tls_server_name: None,
        proxy_url: None,
    };
    let text = endpoint.kubeconfig(run_cluster, &identity.service_account, &token);
    serde_yaml::from_str(text.expose_secret()).map_err(|_| Error::new("the kubeconfig that was built cannot be read"))
}

/// What a ConfigMap of the provider `generic` says.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    address: String,
    service_account: String,
    audiences: Vec<String>,
    certificate_authority: Option<String>,
}

impl Identity {
    fn of(config_map: &DynamicObject) -> Result<Self, String> {
        let text = |key: &str| config_map.data.get("data")?.get(key).and_then(Value::as_str).map(str::to_owned);
        match text("provider").as_deref() {
            Some("generic") => {}
            Some(cloud) => return Err(format!("a token of the provider {cloud} cannot be had from here")),
            None => return Err("it names no provider".to_owned()),
        }
        let address = text("address").ok_or("it names no address")?;
        let service_account = text("serviceAccountName")
            .ok_or("Flux uses its controller's own identity, which cannot be had from here")?;
        let audiences: Vec<String> = text("audiences")
            .unwrap_or_default()
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        // fluxcd/pkg `auth/generic/provider.go` (v0.54): the address is the audience where none is named.
        let audiences = if audiences.is_empty() { vec![address.clone()] } else { audiences };
        Ok(Self { address, service_account, audiences, certificate_authority: text("ca.crt") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn identity(data: &Value) -> Result<Identity, String> {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data});
        Identity::of(&serde_json::from_value(object).expect("a ConfigMap"))
    }

    #[test]
    fn the_address_is_the_audience_where_none_is_named() {
        let data = json!({"provider": "generic", "address": "https://prod1", "serviceAccountName": "flux"});
        assert_eq!(identity(&data).expect("complete").audiences, ["https://prod1"]);
        let data = json!({
            "provider": "generic", "address": "https://prod1", "serviceAccountName": "flux", "audiences": "one\n\n two \n",
        });
        assert_eq!(identity(&data).expect("complete").audiences, ["one", "two"]);
    }

    #[test]
    fn what_cannot_be_followed_from_here_is_said() {
        assert!(identity(&json!({"provider": "aws"})).expect_err("a cloud's").contains("aws"));
        let own = json!({"provider": "generic", "address": "https://prod1"});
        assert!(identity(&own).expect_err("no account").contains("its controller's own identity"));
    }
}
