//! The ConfigMap with which Flux reaches a run cluster without a stored credential (Flux 2.7 and newer). Pure.
//!
//! Its keys are those of fluxcd/pkg `apis/meta/reference_types.go` (v1.30); what each provider needs of them is decided in
//! `auth/<provider>/provider.go` (v0.54).

use kube::api::DynamicObject;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::kubeconfig::{Endpoint, base64};

/// Who turns the token of a service account into a credential for the run cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// Nobody: the run cluster trusts the build cluster's tokens.
    #[default]
    Generic,
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Gcp,
}

/// A workload identity of Flux for one run cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkloadIdentity {
    /// The provider.
    pub provider: Provider,
    /// The full name of the run cluster in the cloud's API.
    pub cluster: Option<String>,
    /// The URL of its API server; a cloud knows it by the full name.
    pub address: Option<String>,
    /// The certificates that sign the API server's, as PEM.
    pub certificate_authority: Option<String>,
    /// Whom the tokens are for; empty means what the provider takes.
    pub audiences: Vec<String>,
    /// The service account in the Kustomization's namespace; `None` means the controller's own.
    pub service_account: Option<String>,
}

impl Provider {
    /// All providers.
    pub const ALL: [Self; 4] = [Self::Generic, Self::Aws, Self::Azure, Self::Gcp];

    /// Returns the name that Flux knows it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }

    /// Returns the annotations without which Flux cannot use a service account (`auth/aws/options.go`, `azure/options.go`).
    #[must_use]
    pub fn required_annotations(self) -> &'static [&'static str] {
        match self {
            Self::Generic | Self::Gcp => &[],
            Self::Aws => &["eks.amazonaws.com/role-arn"],
            Self::Azure => &["azure.workload.identity/tenant-id", "azure.workload.identity/client-id"],
        }
    }

    /// Returns how a cluster is called in the cloud's API (`parseCluster` of each provider), and whether `name` is one.
    fn cluster_name(self, name: &str) -> (&'static str, bool) {
        let parts: Vec<&str> = name.split('/').collect();
        let is_filled = |indices: &[usize]| indices.iter().all(|index| !parts[*index].is_empty());
        match self {
            Self::Generic => ("", false),
            Self::Aws => {
                let (arn, _) = name.split_once('/').unwrap_or_default();
                let fields: Vec<&str> = arn.split(':').collect();
                let is_arn = matches!(fields.as_slice(), ["arn", partition, "eks", region, account, "cluster"]
                    if partition.starts_with("aws") && !region.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit()));
                ("arn:aws:eks:REGION:ACCOUNT:cluster/NAME", is_arn && parts.len() == 2 && is_filled(&[1]))
            }
            Self::Azure => {
                let is_fixed = parts.len() == 9
                    && [(1, "subscriptions"), (3, "resourceGroups"), (5, "providers")]
                        .iter()
                        .chain(&[(6, "Microsoft.ContainerService"), (7, "managedClusters")])
                        .all(|(index, part)| parts[*index].eq_ignore_ascii_case(part));
                (
                    "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ContainerService/managedClusters/NAME",
                    is_fixed && is_filled(&[2, 4, 8]) && parts[2].len() == 36,
                )
            }
            Self::Gcp => {
                let is_fixed = parts.len() == 6
                    && [(0, "projects"), (2, "locations"), (4, "clusters")]
                        .iter()
                        .all(|(index, part)| parts[*index] == *part);
                ("projects/PROJECT/locations/LOCATION/clusters/NAME", is_fixed && is_filled(&[1, 3, 5]))
            }
        }
    }
}

impl WorkloadIdentity {
    /// Checks that Flux can use it: what Flux would find out only when it connects.
    pub fn check(&self) -> Result<()> {
        let provider = self.provider.name();
        if let Some(address) = &self.address {
            canonical_address(address)?;
        }
        match &self.cluster {
            Some(_) if self.provider == Provider::Generic => {
                Err(Error::usage("--cluster-resource requires --provider aws, azure or gcp")
                    .hint("name the cloud, or leave --cluster-resource out"))
            }
            Some(name) => {
                let (form, is_known) = self.provider.cluster_name(name);
                if is_known {
                    return Ok(());
                }
                Err(Error::usage(format!("Flux cannot read the cluster `{name}` of the provider {provider}"))
                    .hint(format!("write it like this: --cluster-resource {form}")))
            }
            None if self.provider == Provider::Aws => {
                Err(Error::usage("the provider aws needs the cluster's ARN, which names the region")
                    .hint(format!("give it: --cluster-resource {}", Provider::Aws.cluster_name("").0)))
            }
            None if self.address.is_none()
                || self.certificate_authority.is_none() && self.provider != Provider::Generic =>
            {
                Err(Error::usage(format!("the provider {provider} needs the cluster's name, or its address and CA"))
                    .hint(format!("give it: --cluster-resource {}", self.provider.cluster_name("").0)))
            }
            None => Ok(()),
        }
    }

    /// Returns the ConfigMap's data.
    #[must_use]
    pub fn data(&self) -> Value {
        let mut data = Map::from_iter([("provider".to_owned(), json!(self.provider.name()))]);
        let audiences = (!self.audiences.is_empty()).then(|| self.audiences.join("\n"));
        let optional = [
            ("cluster", &self.cluster),
            ("address", &self.address),
            ("ca.crt", &self.certificate_authority),
            ("audiences", &audiences),
            ("serviceAccountName", &self.service_account),
        ];
        for (key, value) in optional {
            data.extend(value.as_ref().map(|value| (key.to_owned(), json!(value))));
        }
        Value::Object(data)
    }

    /// Reads a ConfigMap as Flux does (fluxcd/pkg `auth/utils/restconfig.go`, v0.54).
    pub fn of(config_map: &DynamicObject) -> Result<Self> {
        let text = |key: &str| config_map.data.get("data")?.get(key).and_then(Value::as_str).map(str::to_owned);
        let provider = text("provider").ok_or_else(|| Error::new("it names no provider"))?;
        let provider = Provider::ALL
            .into_iter()
            .find(|known| known.name() == provider)
            .ok_or_else(|| Error::new(format!("Flux knows no provider `{provider}`")))?;
        let audiences = text("audiences").unwrap_or_default();
        Ok(Self {
            provider,
            cluster: text("cluster"),
            address: text("address"),
            certificate_authority: text("ca.crt"),
            audiences: audiences.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            service_account: text("serviceAccountName"),
        })
    }

    /// Returns how Flux reaches the run cluster, where it is told so.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(Endpoint {
            server: self.address.clone()?,
            certificate_authority_data: self.certificate_authority.as_ref().map(|pem| base64(pem.as_bytes())),
            tls_server_name: None,
            proxy_url: None,
        })
    }

    /// Returns whom a token of the provider `generic` is for: the address where nothing is named.
    #[must_use]
    pub fn token_audiences(&self) -> Vec<String> {
        if self.audiences.is_empty() { self.address.iter().cloned().collect() } else { self.audiences.clone() }
    }
}

/// Returns the address that Flux connects to: it keeps only host and port, and speaks only TLS (fluxcd/pkg
/// `auth/restconfig.go`, `ParseClusterAddress`, v0.54).
pub fn canonical_address(address: &str) -> Result<String> {
    let refused = |why: &str| {
        Error::usage(format!("Flux cannot reach {address} with a workload identity"))
            .because(why)
            .hint("name an address of the API server itself, such as https://HOST:PORT, or choose another method to authenticate")
    };
    let rest = match address.split_once("://") {
        Some(("https", rest)) => rest,
        Some(_) => return Err(refused("it speaks only https")),
        None => address,
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !path.trim_matches('/').is_empty() {
        return Err(refused("it would leave the path out"));
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = if has_port { "" } else { ":443" };
    Ok(format!("https://{}{port}", host.to_lowercase()))
}

#[cfg(test)]
#[path = "workload_identity_tests.rs"]
mod tests;
