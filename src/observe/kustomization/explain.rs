//! The causes behind the words of kustomize-controller, kustomize and client-go, and the next step for each. Pure.

use kube::ResourceExt;

use super::{Cause, GracePeriod};
use crate::conditions::Condition;
use crate::flux::Kustomization;
use crate::identities::delivers_resource;
use crate::invocation::PROGRAM;
use crate::names;
use crate::observe::explain_refusal;
use crate::refusal::MissingRule;
use crate::shell::quoted;

/// Names the cause of a failed Kustomization, how long it may last, and what to do.
///
/// The reasons are those of kustomize-controller v1.9.3 (`internal/controller/kustomization_controller.go`).
pub(in crate::observe) fn explain(ready: &Condition, object: &Kustomization) -> (Cause, GracePeriod, String) {
    let message = ready.message.as_str();
    let path = object.spec.path.trim_start_matches("./");
    if message.contains("kustomization path not found") {
        let hint = format!(
            "add the directory {path} to the GitOps repository, or correct spec.path; if it is there, see what leaves it out of Flux's artifact: .sourceignore, or ignore and sparseCheckout of the GitRepository"
        );
        return (Cause::NoDirectory, GracePeriod::Short, hint);
    }
    if ["decrypt", "SOPS encrypted"].iter().any(|word| message.contains(word)) {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let hint = format!(
            "does spec.decryption of the Kustomization name a Secret with the right key? kubectl -n {namespace} get kustomizations.kustomize.toolkit.fluxcd.io {name} -o jsonpath='{{.spec.decryption}}'"
        );
        return (Cause::BuildFailed, GracePeriod::Short, hint);
    }
    if ready.reason == "BuildFailed" {
        let hint = format!(
            "correct the files in {path} of the GitOps repository; in a checkout: kubectl kustomize {}",
            quoted(path)
        );
        // The same files give the same error again.
        return (Cause::BuildFailed, GracePeriod::None, hint);
    }
    let target = object.spec.target_namespace.clone().or_else(|| object.namespace()).unwrap_or_default();
    // Webhooks that cannot be reached speak of networks and certificates, too.
    if let Some(explained) = explain_refusal(message, &target) {
        return explained;
    }
    // What is applied to the build cluster itself needs no connection to another one.
    let reached = object.spec.kube_config.is_some().then(|| access(message, object)).flatten();
    let granted = || {
        let rule = MissingRule::find(message)?;
        let hint = format!("add {rule} to {}. Check: {}", rule.place(), rule.review());
        Some((Cause::Forbidden, GracePeriod::Short, hint))
    };
    reached.or_else(granted).unwrap_or_else(|| {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let hint = format!(
            "see all of it: kubectl -n {namespace} get kustomizations.kustomize.toolkit.fluxcd.io {name} -o yaml"
        );
        (Cause::NotApplied, GracePeriod::Short, hint)
    })
}

/// Explains what keeps Flux from acting on the run cluster.
fn access(message: &str, object: &Kustomization) -> Option<(Cause, GracePeriod, String)> {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let namespace = object.namespace().unwrap_or_default();
    let target = object.spec.target_namespace.as_deref().unwrap_or_default();
    let credential = Credential::of(object);
    let place = credential.display(&namespace);
    let again = format!(
        "{PROGRAM} add-cluster {}",
        quoted(credential.name().strip_suffix("-kubeconfig").unwrap_or("RUN_CLUSTER"))
    );
    let rotate = renewal(credential.name(), &namespace);
    Some(if says(&["ObjectLevelWorkloadIdentity feature gate"]) {
        let hint = format!(
            "let kustomize-controller use service accounts of namespaces: start it with --feature-gates=ObjectLevelWorkloadIdentity=true; {place} names one"
        );
        // Nothing but another start of the controller changes it.
        (Cause::FeatureDisabled, GracePeriod::None, hint)
    } else if says(&["x509:", "certificate signed by unknown authority"]) {
        let hint = format!(
            "correct the certificate authority in {place}: {again} --flux-certificate-authority FILE, or --flux-tls-server-name NAME where only the name differs"
        );
        (Cause::CertificateRefused, GracePeriod::Short, hint)
    } else if says(&[
        "dial tcp",
        "connection refused",
        "no such host",
        "i/o timeout",
        "TLS handshake timeout",
        "proxyconnect",
        "socks connect",
    ]) {
        let hint = format!(
            "can Flux reach the address in {place}? Name one that it can: {again} --flux-server https://HOST:PORT, or --flux-proxy-url URL"
        );
        (Cause::RunClusterUnreachable, GracePeriod::Long, hint)
    } else if says(&["Unauthorized", "the server has asked for the client to provide credentials"]) {
        let hint = match credential {
            Credential::Secret(_) => {
                format!(
                    "the credential in {} is expired or revoked, or its address knows only its own users; {rotate}",
                    credential.object(&namespace)
                )
            }
            Credential::ConfigMap(name) => untrusted_identity(&namespace, name),
        };
        (Cause::CredentialRefused, GracePeriod::Short, hint)
    } else if let Credential::ConfigMap(_) = credential
        && says(&[
            "failed to get configmap",
            "failed to get access token",
            "failed to get service account",
            "cluster address",
        ])
    {
        let hint = format!("complete {place} and the service account that it names: {PROGRAM} add-cluster");
        (Cause::NoCredential, GracePeriod::Short, hint)
    } else if says(&["kubeconfig", "KubeConfig", &format!("secrets \"{}\" not found", credential.name())]) {
        let hint = format!("store a kubeconfig in {}: {PROGRAM} add-cluster", credential.object(&namespace));
        (Cause::NoCredential, GracePeriod::Short, hint)
    } else if message.contains("User \"system:anonymous\"") {
        let hint = format!(
            "{place} holds no credential that Flux uses: it drops exec and auth-provider plugins and files; store one with a token: {PROGRAM} add-cluster"
        );
        (Cause::NoCredential, GracePeriod::Short, hint)
    } else if let Some(rule) = MissingRule::find(message) {
        (Cause::Forbidden, GracePeriod::Short, grant(&rule, object, target))
    } else if says(&["(Forbidden): failed to get server groups"]) {
        // Every known user may ask which API groups there are, so that even this is refused means that the impersonation is;
        // client-go loses the words of such a refusal.
        (Cause::Forbidden, GracePeriod::Short, grant_impersonation(None, object))
    } else if says(&["namespaces \""]) && says(&["not found"]) {
        let hint = format!("create the namespace on the run cluster: kubectl create namespace {target}");
        (Cause::NoNamespace, GracePeriod::Short, hint)
    } else if says(&[
        "unable to handle the request",
        "service unavailable",
        "no matches for kind",
        "failed to get API group resources",
    ]) {
        let hint = "does kapp-controller run on the run cluster, and does its API answer? kubectl get apiservice v1alpha1.data.packaging.carvel.dev";
        (Cause::KappControllerUnavailable, GracePeriod::Long, hint.to_owned())
    } else if says(&["is forbidden"]) {
        let hint = format!("change what the message names, or the policy of namespace {target} on the run cluster");
        (Cause::Forbidden, GracePeriod::Short, hint)
    } else {
        return None;
    })
}

/// What a Kustomization reaches its run cluster with.
#[derive(Clone, Copy)]
enum Credential<'a> {
    Secret(&'a str),
    ConfigMap(&'a str),
}

impl<'a> Credential<'a> {
    fn of(object: &'a Kustomization) -> Self {
        let config = object.spec.kube_config.as_ref();
        if let Some(config_map) = config.and_then(|config| config.config_map_ref.as_ref()) {
            return Self::ConfigMap(&config_map.name);
        }
        let secret = config.and_then(|config| config.secret_ref.as_ref());
        Self::Secret(secret.map_or("the kubeconfig", |secret| &secret.name))
    }

    fn name(self) -> &'a str {
        match self {
            Self::Secret(name) | Self::ConfigMap(name) => name,
        }
    }

    fn object(self, namespace: &str) -> String {
        let kind = if matches!(self, Self::Secret(_)) { "Secret" } else { "ConfigMap" };
        format!("{kind} {namespace}/{}", self.name())
    }

    fn display(self, namespace: &str) -> String {
        match self {
            Self::Secret(_) => format!("the kubeconfig of {}", self.object(namespace)),
            Self::ConfigMap(_) => self.object(namespace),
        }
    }
}

/// Says how the credential in the Secret of this name gets a new one: of a deployer's token, `rotate` makes it.
pub(in crate::observe) fn renewal(secret: &str, namespace: &str) -> String {
    match secret.strip_suffix("-kubeconfig") {
        Some(run_cluster) => {
            format!("renew it: {PROGRAM} rotate {} -n {}", quoted(run_cluster), quoted(namespace))
        }
        None => "store a new one".to_owned(),
    }
}

/// Says what to do where a run cluster refuses the tokens of a workload identity.
pub(in crate::observe) fn untrusted_identity(namespace: &str, config_map: &str) -> String {
    format!(
        "does the run cluster's API server trust the build cluster as an issuer, for the audiences in ConfigMap {namespace}/{config_map}? docs/authentication.md says how"
    )
}

/// Says who must be granted what, impersonation included.
///
/// Flux impersonates a service account of the Kustomization's own namespace name, also on the run cluster: the one of
/// `spec.serviceAccountName`, or without it the one of `--default-service-account` (fluxcd/pkg `runtime/client/impersonator.go`).
fn grant(rule: &MissingRule, object: &Kustomization, target: &str) -> String {
    let namespace = object.namespace().unwrap_or_default();
    let named = object.spec.service_account_name.as_deref();
    if rule.verb == "impersonate" {
        return grant_impersonation(Some(rule), object);
    }
    let is_impersonated = rule.service_account().is_some_and(|(place, account)| {
        place == namespace && named.is_none_or(|named| named == account) && place != target
    });
    if is_impersonated {
        let whom = match named {
            Some(_) => "which Flux impersonates for spec.serviceAccountName",
            None => "which Flux impersonates if it runs with --default-service-account",
        };
        return format!(
            "add {rule} to a Role in namespace {target} of the run cluster, and bind {}, {whom}: kubectl -n {target} create rolebinding flux-{namespace} --role=ROLE {}",
            rule.user,
            subject(rule)
        );
    }
    if !delivers_resource(&rule.api_group, &rule.resource) {
        return format!(
            "a delivery holds Packages, PackageMetadata, a PackageInstall and Secrets: take the {} out of {} in the GitOps repository, or add {rule} to {} on the run cluster. Check: {}",
            rule.resource,
            names::normalised_path(&object.spec.path),
            rule.place(),
            rule.review()
        );
    }
    format!(
        "make the deployer's Role again, which brings what is missing: {}; or add {rule} to {} on the run cluster. Check: {}",
        add_cluster(object),
        rule.place(),
        rule.review()
    )
}

/// Returns the command that makes again what a delivery needs, as far as its Kustomization tells.
fn add_cluster(object: &Kustomization) -> String {
    let path = names::normalised_path(&object.spec.path);
    let package = path.rsplit_once('/').map_or(path, |(package, _)| package);
    let run_cluster = Credential::of(object).name();
    let run_cluster = run_cluster.strip_suffix("-kubeconfig").unwrap_or("RUN_CLUSTER");
    let target = object.spec.target_namespace.as_deref().unwrap_or("NAMESPACE");
    format!(
        "{PROGRAM} add-cluster {} --package {} -n {} --target-namespace {} --run-context CONTEXT",
        quoted(run_cluster),
        quoted(package),
        quoted(&object.namespace().unwrap_or_default()),
        quoted(target)
    )
}

/// Says how the user of the kubeconfig, which the rule names, is allowed to impersonate the service account.
fn grant_impersonation(rule: Option<&MissingRule>, object: &Kustomization) -> String {
    let namespace = object.namespace().unwrap_or_default();
    let why = match object.spec.service_account_name.as_deref() {
        Some(account) => format!("spec.serviceAccountName is {account}"),
        None => "Flux runs with --default-service-account".to_owned(),
    };
    let (user, subject) = match rule {
        Some(rule) => (rule.user.clone(), subject(rule)),
        None => ("the kubeconfig's user".to_owned(), "--user=USER".to_owned()),
    };
    let place = rule.and_then(|rule| rule.namespace.as_deref()).unwrap_or(&namespace);
    format!(
        "{why}, so {user} must be allowed to impersonate it; on the run cluster: kubectl -n {place} create role flux-impersonator --verb=impersonate --resource=serviceaccounts, and bind it: kubectl -n {place} create rolebinding flux-impersonator --role=flux-impersonator {subject}"
    )
}

/// Returns the flag that names the user to `kubectl create rolebinding`.
fn subject(rule: &MissingRule) -> String {
    match rule.service_account() {
        Some((namespace, name)) => format!("--serviceaccount={namespace}:{name}"),
        None => format!("--user={}", quoted(&rule.user)),
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
