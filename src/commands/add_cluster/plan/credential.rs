//! How Flux gets into the run cluster: the object on the build cluster with its credential, for each method.
//!
//! Who may do what on the run cluster lives in [`manifests`].

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::authentication::stored::{DeployerSecret, StoredCredential};
use crate::authentication::{self, Method};
use crate::commands::add_cluster::facts::{Authentication, ExistingCredential, Facts, Identity};
use crate::commands::add_cluster::manifests;
use crate::commands::add_cluster::request::{AuthenticationRequest, KubeconfigFile, Request};
use crate::error::{Error, Result};
use crate::flux::{Provider, RunCredential};
use crate::invocation::PROGRAM;
use crate::kubeconfig;
use crate::labels;
use crate::names;
use crate::object::ObjectReference;
use crate::plan::mint::{readable, token_of};
use crate::plan::{Apply, IdentityKnown, Mint, Place, Plan, Step, TokenSource};

/// The key of a kubeconfig Secret that Flux looks for first.
const FIRST_KEY: &str = "value";

/// Adds what Flux authenticates with. A kubeconfig that the plugin does not manage is left as it is.
pub(super) fn add_credential(plan: &mut Plan, request: &Request, facts: &Facts) -> Result<()> {
    match &facts.authentication {
        Authentication::Token { duration } => add_token(plan, request, facts, *duration),
        Authentication::KubeconfigFile(file) => add_kubeconfig_file(plan, request, facts, file),
        Authentication::WorkloadIdentity(identity) => add_workload_identity(plan, request, facts, identity),
        Authentication::Stored(Method::Unmanaged) => {
            let object = request.credential_reference(facts.credential_kind()).display();
            plan.warnings.push(format!("{object} is not managed by this plugin and is used as it is"));
            Ok(())
        }
        Authentication::Stored(_) => Ok(()),
    }
}

/// Adds the kubeconfig Secret. A token that works is left alone, and serves this delivery as well as those before it.
fn add_token(plan: &mut Plan, request: &Request, facts: &Facts, duration: Option<Duration>) -> Result<()> {
    let (Some(deployer_namespace), Some(token_secret)) =
        (facts.deployer_namespace(request), manifests::token_secret_reference(request, facts))
    else {
        return Ok(());
    };
    if facts.existing_credential.as_ref().is_some_and(ExistingCredential::is_unmanaged) {
        check_first_key(request, facts)?;
        let secret = request.credential_reference(RunCredential::Secret).display();
        plan.warnings.push(format!(
            "the kubeconfig in {secret} is replaced by one of a deployer that may do no more than it must; what the old one allows stays valid until whoever made it revokes it"
        ));
    }
    if facts.working_token.is_none() && deployer_namespace != request.target_namespace {
        return Err(expired(request, facts).because(format!("its account is in namespace {deployer_namespace}")));
    }
    if let (Some(_), Some(stored)) = (&facts.working_token, &facts.stored) {
        note_expiry(plan, request, facts, stored);
    }
    if request.endpoint.server.is_none() && facts.endpoint.server != facts.user_endpoint.server {
        plan.warnings.push(format!(
            "Flux goes on reaching {} at {}, although your context has {}",
            request.run_cluster, facts.endpoint.server, facts.user_endpoint.server
        ));
    }
    let secret = DeployerSecret {
        namespace: &request.namespace,
        run_cluster: &request.run_cluster,
        run_cluster_uid: &facts.run_uid,
        deployer_namespace: &deployer_namespace,
        method: if duration.is_some() { Method::BoundedToken } else { Method::Token },
        token_secret: &token_secret.name,
        end: facts.stored.as_ref().filter(|_| facts.working_token.is_some()).and_then(end),
    };
    let user = names::deployer(&request.namespace, &request.run_cluster);
    let filled = facts.live.get(Place::Run, &token_secret).and_then(token_of);
    let (source, token) = match (&facts.working_token, duration) {
        (Some(token), _) => (TokenSource::Known(token.clone()), Some(token.clone())),
        (None, Some(lifetime)) => {
            (TokenSource::Requested { account: user.clone(), bound_to: token_secret.clone(), lifetime }, None)
        }
        (None, None) => (TokenSource::Filled { secret: token_secret.clone(), token: filled.clone() }, filled),
    };
    let dead = facts.stored.as_ref().filter(|_| facts.working_token.is_none()).and_then(StoredCredential::token);
    if let (Some(token), Some(dead)) = (&token, dead)
        && token.expose_secret() == dead.expose_secret()
    {
        return Err(expired(request, facts));
    }
    let mut manifest = secret.manifest();
    expect_as_found(&mut manifest, facts);
    plan.steps.push(
        Mint {
            run_cluster: request.run_cluster.clone(),
            endpoint: facts.endpoint.clone(),
            user,
            source,
            impersonate: facts.impersonated.as_ref().map(|impersonated| impersonated.user.clone()),
            target_namespace: request.target_namespace.clone(),
            secret: manifest,
        }
        .into(),
    );
    Ok(())
}

fn end(stored: &StoredCredential) -> Option<(Timestamp, Duration)> {
    Some((stored.expires?, stored.lifetime.unwrap_or_default()))
}

/// Notes when a credential that is left alone expires, and what becomes of a request for another duration.
fn note_expiry(plan: &mut Plan, request: &Request, facts: &Facts, stored: &StoredCredential) {
    let name = &request.run_cluster;
    let rotate = format!("{PROGRAM} rotate {name} -n {}", request.namespace);
    match stored.expires {
        Some(expires) => {
            let left = Duration::try_from(expires.duration_since(facts.now)).unwrap_or_default();
            let text = format!(
                "the credential for {name} expires at {expires:.0} (in {}); renew it in time: {rotate}",
                readable(left)
            );
            let is_urgent = stored.lifetime.is_some_and(|lifetime| left < lifetime / 5);
            if is_urgent { plan.warnings.push(text) } else { plan.notes.push(text) }
        }
        None if matches!(request.authentication, Some(AuthenticationRequest::Token { duration: Some(_) })) => plan.notes.push(format!(
            "the credential for {name} does not expire and is left as it is; for one that does: {rotate} --token-duration DURATION"
        )),
        None => {}
    }
}

/// Says that the stored credential has expired, and that a new one takes more than one more delivery.
fn expired(request: &Request, facts: &Facts) -> Error {
    let secret = request.credential_reference(RunCredential::Secret).display();
    Error::new(format!("{} refuses the credential of {secret}: it is expired or revoked", facts.run_display))
        .hint(format!("renew it: {PROGRAM} rotate {} -n {}", request.run_cluster, request.namespace))
}

/// Adds the Secret with the kubeconfig; one that was given before is replaced.
fn add_kubeconfig_file(plan: &mut Plan, request: &Request, facts: &Facts, file: &KubeconfigFile) -> Result<()> {
    check_first_key(request, facts)?;
    let mut manifest: Value = kubeconfig_secret(request, facts, Method::KubeconfigFile);
    expect_as_found(&mut manifest, facts);
    let text = file.text.expose_secret();
    manifest["data"] = json!({kubeconfig::SECRET_KEY: kubeconfig::base64(text.as_bytes())});
    plan.steps.push(Step::Apply(Apply { place: Place::Build, manifest }));
    Ok(())
}

/// Refuses a Secret of which Flux would not look at the key with the new kubeconfig.
fn check_first_key(request: &Request, facts: &Facts) -> Result<()> {
    let has_first_key = facts
        .existing_credential
        .as_ref()
        .is_some_and(|existing| existing.object.data["data"].get(FIRST_KEY).is_some());
    if has_first_key {
        let secret = request.credential_reference(RunCredential::Secret).display();
        return Err(Error::new(format!("Flux would go on using the key `{FIRST_KEY}` of {secret}"))
            .because(format!("it looks for `{FIRST_KEY}`, then for `{}`", kubeconfig::SECRET_KEY))
            .hint(format!("remove the key `{FIRST_KEY}` from the Secret, then try again")));
    }
    Ok(())
}

/// Adds the service account, the proof that the run cluster knows it, and the ConfigMap that Flux reads.
fn add_workload_identity(plan: &mut Plan, request: &Request, facts: &Facts, identity: &Identity) -> Result<()> {
    if let Some(manifest) = manifests::identity_account(request, facts) {
        check_annotations(request, facts, identity.workload.provider, &manifest)?;
        if !facts.is_unmanaged(&manifest) {
            plan.steps.push(Step::Apply(Apply { place: Place::Build, manifest }));
        }
    }
    // Nobody but the cloud can tell what it makes of an identity.
    if identity.workload.provider == Provider::Generic {
        plan.steps.push(
            IdentityKnown {
                run_cluster: request.run_cluster.clone(),
                namespace: request.namespace.clone(),
                identity: identity.workload.clone(),
                user: identity.user.clone(),
                impersonate: facts.impersonated.as_ref().map(|impersonated| impersonated.user.clone()),
                target_namespace: request.target_namespace.clone(),
            }
            .into(),
        );
    }
    let (namespace, run_cluster) = (&request.namespace, &request.run_cluster);
    let mut manifest =
        authentication::manifest("ConfigMap", namespace, run_cluster, &facts.run_uid, Method::WorkloadIdentity);
    manifest["metadata"]["annotations"][labels::IDENTITY_USER] = json!(identity.user);
    manifest["data"] = json!(identity.workload.data());
    plan.steps.push(Step::Apply(Apply { place: Place::Build, manifest }));
    Ok(())
}

/// Refuses a service account that lacks the annotations by which its cloud knows it.
fn check_annotations(request: &Request, facts: &Facts, provider: Provider, manifest: &Value) -> Result<()> {
    let reference = ObjectReference::of(manifest)?;
    let live = facts.live.get(Place::Build, &reference);
    let has = |key: &&str| live.is_some_and(|live| live.annotations().contains_key(*key));
    let missing: Vec<&str> = provider.required_annotations().iter().filter(|key| !has(key)).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (namespace, name) = (&request.namespace, &reference.name);
    Err(Error::new(format!("{} lacks what {} needs to know it", reference.display(), provider.name()))
        .because(format!("it has no annotation {}", missing.join(" and ")))
        .hint(format!(
            "make it with {}: kubectl -n {namespace} create serviceaccount {name}; kubectl -n {namespace} annotate serviceaccount {name} {}=…",
            if missing.len() == 1 { "the annotation" } else { "the annotations" },
            missing.join("=… ")
        )))
}

/// Builds the Secret for a kubeconfig, without its data.
fn kubeconfig_secret(request: &Request, facts: &Facts, method: Method) -> Value {
    let mut secret =
        authentication::manifest("Secret", &request.namespace, &request.run_cluster, &facts.run_uid, method);
    secret["type"] = json!("Opaque");
    secret
}

/// Has the API server refuse the Secret if anybody has changed it since it was read: `rotate` may have stored another
/// credential meanwhile, and be about to revoke the one that was found.
fn expect_as_found(manifest: &mut Value, facts: &Facts) {
    let version = facts.existing_credential.as_ref().and_then(|existing| existing.object.resource_version());
    if let Some(version) = version {
        manifest["metadata"]["resourceVersion"] = json!(version);
    }
}
